//! Other issuers, and tokens that end or lose their right while they are used.

use std::time::{Duration, Instant};

use lockgate_e2e::{
    rig::{MintIssuer, now_s, stream::endless},
    room::Refused,
    wire::{Wire, data_of, expect_status},
};
use lockgate_model::{Event, OutcomeStatus, Reason};
use serde_json::{Value, json};

use super::{Class, NOT_OURS, forge::merge, policies};

/// By then a changed file is in force.
const RELOAD_WAIT: Duration = Duration::from_millis(1500);

impl Class {
    pub(super) fn other_issuers(&mut self) {
        let theirs = self.other.key("rsa").unwrap().clone();
        let token = self.by(&theirs, json!({ "kid": "rsa" }));
        self.bad(44, "their key, our name", &token, NOT_OURS);
        let claims = self.other.claims(&self.room.gateway.url("main"));
        let head = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
        let token = MintIssuer::sign(&self.key("rsa"), head, claims.to_string()).unwrap();
        self.bad(44, "our key, their name", &token, NOT_OURS);
        self.good(44, "their own", &self.other.token("rsa", &claims).unwrap());
        for cnf in [json!({ "jkt": "x" }), json!({ "x5t#S256": "x" })] {
            let token = self.claim(json!({ "cnf": cnf }));
            self.bad(46, &cnf.to_string(), &token, &[Reason::TokenBound]);
        }
        let token = self.claim(json!({}));
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let outcome = (|| {
            self.room.forget()?;
            let mut wire = Wire::open_from("127.0.0.9", self.room.gateway.address)?;
            wire.send(&request.bytes());
            expect_status(&wire.reply()?, 200)?;
            let decision = self.room.one_decision(None)?;
            let peer = decision.intent.map(|intent| intent.peer).unwrap_or_default();
            anyhow::ensure!(peer.starts_with("127.0.0.9"), "recorded peer {peer:?}");
            Ok(())
        })();
        self.rows.twin(45, "the same token from another address", outcome);
    }

    pub(super) fn streams(&mut self) {
        self.room.upstream.act("echo", endless());
        let outcome = (|| {
            let now = now_s();
            let mut claims = self.other.claims(&self.room.gateway.url("main"));
            merge(&mut claims, &json!({ "iat": now, "exp": now + 3 }));
            let token = self.other.token("rsa", &claims)?;
            let cut = self.cut(&token, || Ok(now + 3))?;
            anyhow::ensure!(cut == Some(Reason::StreamExpired), "recorded as {cut:?}");
            Ok(())
        })();
        self.rows.row(42, "the token ends under an open stream", outcome);
        self.room.upstream.behave();
    }

    pub(super) fn revocations(&mut self) {
        self.room.upstream.act("echo", endless());
        let token = self.claim(json!({}));
        let good = self.room.settings.clone();
        let outcome = (|| {
            let cut = self.cut(&token, || {
                self.room.gateway.write_policies("// Nothing is permitted.")?;
                Ok(now_s() + 3)
            })?;
            anyhow::ensure!(cut.is_some(), "no record of the cut");
            Ok(())
        })();
        self.rows.row(43, "the permit is taken back under an open stream", outcome);
        self.room.upstream.behave();
        let request = self.call().header("Authorization", &format!("Bearer {token}"));
        let reasons = &[Reason::PolicyNoPermit, Reason::TargetUnknown];
        let expected = Refused { status: 200, code: Some(-32602), reasons };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(41, "the role is gone", outcome);
        self.room.gateway.write_policies(&policies()).unwrap();
        std::thread::sleep(RELOAD_WAIT);
        let mut settings = good.clone();
        settings["issuers"][0]["clients"] = json!(["someone-else"]);
        self.room.upstream.act("echo", endless());
        let outcome = (|| {
            let cut = self.cut(&token, || {
                self.room.gateway.write_settings(&settings)?;
                Ok(now_s() + 3)
            })?;
            anyhow::ensure!(cut == Some(Reason::TokenClient), "recorded as {cut:?}");
            Ok(())
        })();
        self.rows.row(43, "the client is no longer allowed, under an open stream", outcome);
        self.room.upstream.behave();
        self.bad(41, "the client is no longer allowed", &token, &[Reason::TokenClient]);
        let mut settings = good.clone();
        settings["connections"][0]["issuers"] = json!(["brief"]);
        self.reload(&settings);
        self.bad(41, "the issuer is no longer believed", &token, &[Reason::TokenIssuer]);
        self.reload(&good);
        self.good(41, "back again", &token);
    }

    pub(super) fn reload(&self, settings: &Value) {
        self.room.gateway.write_settings(settings).unwrap();
        std::thread::sleep(RELOAD_WAIT);
    }

    /// Opens a stream, lets `end` say when it must end, in seconds since the epoch, and gives the
    /// recorded reason.
    pub(super) fn cut(
        &self,
        token: &str,
        end: impl FnOnce() -> anyhow::Result<i64>,
    ) -> anyhow::Result<Option<Reason>> {
        let caller = self.room.gateway.caller("main", Some(token));
        let mut wire = caller.open(&caller.followed(7, "echo"))?;
        expect_status(&wire.head()?, 200)?;
        wire.stream_until(|text| text.contains("progress"))?;
        let end = end()?;
        let begun = Instant::now();
        let rest = wire.stream_until(|_| false)?;
        anyhow::ensure!(now_s() <= end + 1, "ended {} s late", now_s() - end);
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(10), "never cut");
        let last = data_of(&rest).pop().unwrap_or_default();
        let last: Value = serde_json::from_str(&last)?;
        anyhow::ensure!(last["id"] == 7 && last["error"]["code"].is_i64(), "last: {last}");
        let events = self.room.records.all()?;
        Ok(events.iter().rev().find_map(|event| match event {
            Event::Outcome(outcome) if outcome.status == OutcomeStatus::Cut => outcome.reason,
            _ => None,
        }))
    }
}
