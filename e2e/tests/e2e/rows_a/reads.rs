//! Reads that are held, of addresses with a credential in them: one is told from another, and no credential
//! stands in the question, whoever is asked.

use anyhow::ensure;
use lockgate_e2e::mcp::{Caller, LEGACY};
use serde_json::{Value, json};

use super::{Class, answer, id_in};
use crate::secrets::{Search, files, search};

/// Added to the policies of the rows.
pub(super) const HELD: &str = r#"
@id("held-reads")
@approvers("idp/reviewers")
@reason("reads are held")
forbid (principal, action == Action::"read_resource", resource)
when { context.target like "file:///srv/held/*" }
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;
const ONE: &str = concat!("AKIA", "Q3EGRZ7MHT5YWB2K");
const OTHER: &str = concat!("AKIA", "Q3EGRZ7MHT5YWB3L");

impl Class {
    pub(super) fn reads(&mut self) {
        let outcome = self.by_address();
        self.rows.row(1, "another credential in an address", outcome);
    }

    fn by_address(&self) -> anyhow::Result<()> {
        let bot = self.caller("reads");
        self.room.upstream.take_all();
        let asked = question(&read(&bot, ONE)?)?;
        let other = question(&read(&bot, OTHER)?)?;
        ensure!(asked != other, "the question is about another address");
        self.nothing_sent()?;
        for path in ["/approvals".to_owned(), format!("/approvals/{asked}")] {
            let shown = self.api("GET", &path, "ann", "")?.text();
            ensure!(shown.contains("file:///srv/held/"), "{shown}");
            ensure!(!shown.contains(ONE) && !shown.contains(OTHER), "{shown}");
        }
        let mut places = Vec::new();
        files(&self.room.gateway.data(), &mut places);
        let Search { hits, .. } = search([("the credential", ONE)], &places);
        ensure!(hits.is_empty(), "{hits:?}");
        self.approve(&asked, "ann")?;
        let body = r#"{"reason":"no"}"#;
        self.api("POST", &format!("/approvals/{other}/reject"), "ann", body)?;
        let told = read(&bot, OTHER)?.to_string();
        ensure!(told.contains("approval.rejected"), "{told}");
        self.nothing_sent()?;
        read(&bot, ONE)?;
        let seen = self.room.upstream.take_seen();
        let sent = seen.iter().map(|seen| String::from_utf8_lossy(&seen.heard.body).into_owned());
        let sent: Vec<_> = sent.collect();
        ensure!(sent.len() == 1 && sent[0].contains(ONE), "{sent:?}");
        Ok(())
    }
}

/// The question that a held read waits for.
fn question(answer: &Value) -> anyhow::Result<String> {
    let data = &answer["error"]["data"];
    ensure!(data["reason"] == "approval.pending", "{answer}");
    id_in(data["detail"].as_str().unwrap_or_default())
}

fn read(caller: &Caller, credential: &str) -> anyhow::Result<Value> {
    let session = caller.initialize(LEGACY)?;
    let uri = json!({ "uri": format!("file:///srv/held/open.txt?key={credential}") });
    answer(&caller.send(&caller.legacy(Some(&session), &json!(1), "resources/read", uri))?)
}
