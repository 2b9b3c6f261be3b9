//! Access taken away while the token is good: it holds against every form of the token, under open
//! streams, and until it is lifted.

use std::{thread, time::Duration};

use lockgate_e2e::rig::{MintIssuer, encode, now_s, stream::endless};
use lockgate_model::Reason;
use serde_json::{Value, json};

use super::{
    Class,
    forge::{P256_ORDER, decode, minus},
};

const REVOKED: &[Reason] = &[Reason::AccessRevoked];
/// By then every gateway has learned of a change.
const EFFECT: Duration = Duration::from_secs(1);

impl Class {
    pub(super) fn taken_away(&mut self) {
        let token = self.claim(json!({ "jti": "t-41", "sid": "login-41" }));
        let others = self.claim(json!({ "sub": "bob", "jti": "t-42", "sid": "login-42" }));
        self.good(41, "nothing is revoked", &token);
        for (kind, name, spares_others) in [
            ("person", "idp/alice", true),
            ("jti", "idp/t-41", true),
            ("login", "idp/login-41", true),
            ("client", "idp/rows", false),
            ("group", "idp/staff", false),
        ] {
            let id = self.revoke(&[kind, name]);
            self.bad(41, &format!("{kind} {name}"), &token, REVOKED);
            if spares_others {
                self.good(41, &format!("not the {kind}"), &others);
            } else {
                self.bad(41, &format!("{kind} {name}, another person"), &others, REVOKED);
            }
            self.lift(&id);
            self.good(41, &format!("the {kind} is lifted"), &token);
        }
        let id = self.revoke(&["everyone", "--old-tokens"]);
        self.bad(41, "issued before", &token, REVOKED);
        let now = now_s();
        let fresh = self.claim(json!({ "iat": now + 2, "exp": now + 200 }));
        self.good(41, "issued after", &fresh);
        self.lift(&id);
        let id = self.revoke(&["person", "idp/alice", "--for", "2s"]);
        self.bad(41, "for two seconds", &token, REVOKED);
        thread::sleep(Duration::from_secs(2));
        self.good(41, "two seconds later", &token);
        self.lift(&id);
        self.a_digest();
        self.under_a_stream();
    }

    /// The digest is of the claims, so no other signature over them is let in.
    fn a_digest(&mut self) {
        let token = self.bent("p256", json!({}), json!({ "jti": "t-12" }));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let raw = decode(signature);
        let high = [&raw[..32], &minus(&P256_ORDER, &raw[32..])[..]].concat();
        let twin = format!("{message}.{}", encode(high));
        let (header, claims) = message.split_once('.').unwrap();
        let resigned = MintIssuer::sign(&self.key("p256"), decode(header), decode(claims)).unwrap();
        assert!(
            resigned != token && resigned.starts_with(message),
            "another signature, the same text"
        );
        self.good(12, "not revoked yet", &token);
        let digest = self.last_token_digest().unwrap();
        let id = self.revoke(&["token", &digest]);
        for (case, form) in [("itself", &token), ("its twin", &twin), ("signed again", &resigned)] {
            self.bad(12, &format!("revoked by its digest: {case}"), form, REVOKED);
        }
        let other = self.bent("p256", json!({}), json!({ "jti": "t-13" }));
        self.good(12, "other claims of the same person", &other);
        self.lift(&id);
    }

    fn under_a_stream(&mut self) {
        let token = self.claim(json!({}));
        for target in [["person", "idp/alice"], ["connection", "main"]] {
            self.room.upstream.act("echo", endless());
            let mut id = String::new();
            let outcome = (|| {
                let cut = self.cut(&token, || {
                    id = self.revoke_now(&target);
                    Ok(now_s() + 1)
                })?;
                let revoked = [Some(Reason::AccessRevoked), Some(Reason::ConnectionRevoked)];
                anyhow::ensure!(revoked.contains(&cut), "recorded as {cut:?}");
                Ok(())
            })();
            self.rows.row(43, &format!("{} is revoked under an open stream", target[0]), outcome);
            self.room.upstream.behave();
            self.lift(&id);
        }
        self.good(43, "lifted", &token);
    }

    /// Revokes, and waits until every gateway has learned of it; gives the revocation's id.
    fn revoke(&self, target: &[&str]) -> String {
        let id = self.revoke_now(target);
        thread::sleep(EFFECT);
        id
    }

    fn revoke_now(&self, target: &[&str]) -> String {
        let told = [&["revoke"], target, &["--reason", "row", "--yes", "--json"]].concat();
        let (code, text) = self.room.gateway.command(&told).unwrap();
        assert_eq!(code, 0, "{told:?}: {text}");
        let revocation: Value = serde_json::from_str(&text).unwrap();
        revocation["id"].as_str().unwrap().to_owned()
    }

    fn lift(&self, id: &str) {
        let told = ["revoke", "lift", id, "--reason", "row"];
        let (code, text) = self.room.gateway.command(&told).unwrap();
        assert_eq!(code, 0, "{text}");
        thread::sleep(EFFECT);
    }
}
