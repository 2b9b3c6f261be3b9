//! Class L: what a caller writes must not write the record or the log.

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    mcp::{Caller, call_body, meta},
    room::Room,
    rows::Rows,
    wire::{Request, exchange},
};
use serde_json::json;

/// Texts that end a line, a string or a terminal's patience.
const TEXTS: [&str; 8] = [
    "a\r\nb: c",
    "a\u{0}b",
    "a\u{2028}b\u{2029}",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\"},{\"event\":\"forged\"}",
    "\\u000a",
    "a\u{85}b",
    "\u{202e}gnp.exe",
];

struct Class {
    rows: Rows,
    room: Room,
}

#[test]
fn class_l() {
    let room = Room::start().unwrap();
    let mut class = Class { rows: Rows::new("L"), room };
    class.injections();
    class.identifiers();
    class.rows.finish();
}

impl Class {
    /// One more record, the log still one JSON object a line, nothing in it that acts.
    fn inert(&mut self, send: impl FnOnce(&Room) -> anyhow::Result<Request>) -> anyhow::Result<()> {
        let request = send(&self.room)?;
        self.inert_bytes(&request.bytes())
    }

    fn inert_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.room.forget()?;
        exchange(self.room.gateway.address, bytes)?;
        let decisions = self.room.records.decisions()?;
        ensure!(decisions.len() == 1, "{} decisions", decisions.len());
        for line in self.room.gateway.log().lines() {
            let object: serde_json::Map<_, _> =
                serde_json::from_str(line).with_context(|| format!("a broken line: {line:?}"))?;
            ensure!(object.contains_key("timestamp"), "a forged line: {line}");
            ensure!(line.len() < 16 * 1024, "a line of {} bytes", line.len());
        }
        let (code, shown) = self.room.gateway.command(&["journal", "show"])?;
        ensure!(code == 0, "`journal show` exited with {code}: {shown}");
        let bad = ['\u{1b}', '\u{0}', '\u{7}'];
        ensure!(!shown.contains(bad), "`journal show` prints control characters");
        Ok(())
    }

    fn injections(&mut self) {
        for text in TEXTS {
            let case = format!("{text:?}");
            let outcome = self.inert(|room| {
                let mut claims = room.claims();
                claims["sub"] = json!(text);
                Ok(room.caller(&claims)?.call("echo", json!({})))
            });
            self.rows.row(1, &format!("sub {case}"), outcome);
            let outcome = self.inert(|room| {
                let alice = room.alice()?;
                let body = call_body(&json!(text).to_string(), "{}");
                Ok(alice.mirrored("tools/call", Some("echo"), body))
            });
            self.rows.row(1, &format!("tool {case}"), outcome);
            let outcome =
                self.inert(|room| Ok(room.alice()?.call("echo", json!({ "text": text, text: 1 }))));
            self.rows.twin(1, &format!("arguments {case}"), outcome);
            let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
            let outcome = self.inert(|room| {
                Ok(room.alice()?.call("echo", json!({})).header("User-Agent", &clean))
            });
            self.rows.row(1, &format!("user agent {case}"), outcome);
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let outcome = self.inert(|room| {
                let mut request = room.alice()?.call("echo", json!({}));
                request.target = format!("/c/{escaped}/mcp");
                Ok(request)
            });
            self.rows.row(1, &format!("path {case}"), outcome);
        }
        let long = "x".repeat(1024 * 1024);
        let outcome = self.inert(|room| {
            let body = call_body(&json!(long).to_string(), "{}");
            Ok(room.alice()?.mirrored("tools/call", Some("echo"), body))
        });
        self.rows.row(1, "1 MB tool name", outcome);
        let outcome = self.inert(|room| {
            let mut request = room.alice()?.call("echo", json!({}));
            request.body = b"{\"a\":\"\xff\xfe\"}".to_vec();
            Ok(request)
        });
        self.rows.row(1, "invalid UTF-8", outcome);
    }

    fn identifiers(&mut self) {
        let forged = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{forged}-b7ad6b7169203331-01");
        let call = |alice: &Caller| {
            let params = meta(json!({ "name": "echo", "arguments": {},
                "_meta": { "traceparent": parent } }));
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            alice
                .mirrored("tools/call", Some("echo"), body.to_string())
                .header("X-Request-Id", "forged-request-id")
                .header("Request-Id", "forged-request-id")
                .header("traceparent", &parent)
        };
        let outcome = (|| {
            let alice = self.room.alice()?;
            self.room.forget()?;
            let mut calls = Vec::new();
            for _ in 0..2 {
                exchange(alice.address, &call(&alice).bytes())?;
                let decision = self.room.one_decision(None)?;
                calls.push(decision.intent.context("an intent")?);
            }
            ensure!(calls[0].call != calls[1].call, "two calls with one id");
            let taken = calls.iter().any(|call| call.call.contains("forged"));
            ensure!(!taken, "the caller's request id was taken");
            Ok(())
        })();
        self.rows.row(2, "request id and traceparent", outcome);
        for parent in
            ["00-0-0-01", "ff-x", "00-00000000000000000000000000000000-0000000000000000-01"]
        {
            let outcome = self.inert(|room| {
                Ok(room.alice()?.call("echo", json!({})).header("traceparent", parent))
            });
            self.rows.twin(2, parent, outcome);
        }
    }
}
