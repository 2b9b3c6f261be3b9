//! Access for a window of time, and break-glass (A18), asked for with the command line.

use anyhow::{Context as _, ensure};
use lockgate_model::{ApprovalStep, Event};
use serde_json::{Value, json};

use super::{ADMIN, Class, HELD, POLICIES, legacy, pending};

/// The policy of the rows, which now lets people have access and break glass.
pub(super) const OPEN: &str = r#"
@id("opened")
@approvers("idp/reviewers")
@access("1h")
@break_glass("idp/oncall")
@reason("echoes are held")
forbid (principal, action == Action::"main/echo", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;
const TOOL: &str = "echo";

impl Class {
    pub(super) fn access(&mut self) {
        let outcome = self.given();
        self.rows.twin(18, "access that was given, until its owner gives it back", outcome);
        let outcome = self.ends_by_itself();
        self.rows.row(18, "access ends by itself", outcome);
        let outcome = self.taken_away();
        self.rows.row(18, "access that is taken away", outcome);
        let outcome = self.under_other_policies();
        self.rows.row(3, "access under other policies", outcome);
        let outcome = self.not_offered();
        self.rows.row(18, "what no policy offers", outcome);
        let outcome = self.break_glass();
        self.rows.twin(18, "break-glass is allowed, loud, and looked at afterwards", outcome);
        let outcome = self.found_wrong();
        self.rows.row(18, "break-glass that a reviewer ends", outcome);
    }

    /// `lockgate …` as somebody in these groups.
    fn command(&self, who: &str, groups: &[&str], line: &[&str]) -> anyhow::Result<(i32, String)> {
        let file = self.room.gateway.folder().join(format!("token-{who}"));
        std::fs::write(&file, self.token(who, ADMIN, groups, 300))?;
        let file = file.to_str().context("a path")?;
        let api = format!("http://{}", self.api);
        let rest = ["--url", &api, "--token-file", file, "--json"];
        self.room.gateway.command(&[line, &rest].concat())
    }

    fn done(&self, who: &str, groups: &[&str], line: &[&str]) -> anyhow::Result<Value> {
        let (code, said) = self.command(who, groups, line)?;
        ensure!(code == 0, "{code}: {said}");
        let first = said.find('{').context("no JSON")?;
        let mut values = serde_json::Deserializer::from_str(&said[first..]).into_iter();
        Ok(values.next().context("no JSON")??)
    }

    fn wanted(
        &self,
        who: &str,
        how: &str,
        length: &str,
        groups: &[&str],
    ) -> anyhow::Result<String> {
        let line = ["access", how, "main", "--tool", TOOL, "--for", length, "--reason", "case 42"];
        let made = self.done(who, groups, &line)?;
        Ok(made["id"].as_str().context("no id")?.to_owned())
    }

    fn review(&self, verb: &str, id: &str) -> anyhow::Result<Value> {
        let word: &[&str] = if verb == "approve" { &["--yes"] } else { &["--reason", "no need"] };
        self.done("ann", &["reviewers"], &[&["approvals", verb, id], word].concat())
    }

    /// Calls the tool `count` times with other arguments each, and counts what reached the server.
    fn calls(&self, who: &str, tool: &str, count: usize) -> anyhow::Result<usize> {
        let caller = self.caller(who);
        self.room.upstream.take_all();
        for number in 0..count {
            let answer = legacy(&caller, tool, json!({ "text": format!("{who} {number}") }))?;
            ensure!(answer["result"]["isError"] != true || pending(&answer).is_ok(), "{answer}");
        }
        Ok(self.room.upstream.take_seen().len())
    }

    fn sent(&self, who: &str, tool: &str, expected: usize, why: &str) -> anyhow::Result<()> {
        let sent = self.calls(who, tool, 2)?;
        ensure!(sent == expected, "{why}: {sent} sent");
        Ok(())
    }

    fn given(&self) -> anyhow::Result<()> {
        let id = self.wanted("acc1", "request", "30m", &["staff"])?;
        self.sent("acc1", TOOL, 0, "nobody has given it")?;
        let (code, said) =
            self.command("acc1", &["staff", "reviewers"], &["approvals", "approve", &id, "--yes"])?;
        ensure!(code != 0 && said.contains("approval.forbidden"), "one's own: {said}");
        let given = self.review("approve", &id)?;
        ensure!(given["state"] == "approved", "{given}");
        self.sent("acc1", TOOL, 2, "it was given")?;
        self.sent("acc1", "any", 0, "another tool")?;
        self.sent("acc2", TOOL, 0, "somebody else")?;
        let used = self.used(&id)?;
        ensure!(used == [false, false], "{used:?}");
        let ended = self.done("acc1", &["staff"], &["access", "end", &id])?;
        ensure!(ended["state"] == "withdrawn", "{ended}");
        self.sent("acc1", TOOL, 0, "it was given back")
    }

    fn ends_by_itself(&self) -> anyhow::Result<()> {
        let id = self.wanted("acc3", "request", "8s", &["staff"])?;
        let given = self.review("approve", &id)?;
        self.sent("acc3", TOOL, 2, "it was given")?;
        let ends: jiff::Timestamp = given["access"]["ends"].as_str().context("no end")?.parse()?;
        let left = ends.duration_since(jiff::Timestamp::now());
        std::thread::sleep(left.try_into().unwrap_or_default());
        self.sent("acc3", TOOL, 0, "its time has passed")
    }

    fn taken_away(&self) -> anyhow::Result<()> {
        let id = self.wanted("acc4", "request", "1h", &["staff"])?;
        self.review("approve", &id)?;
        self.sent("acc4", TOOL, 2, "it was given")?;
        self.review("reject", &id)?;
        self.sent("acc4", TOOL, 0, "it was taken away")
    }

    fn under_other_policies(&self) -> anyhow::Result<()> {
        let id = self.wanted("acc5", "request", "1h", &["staff"])?;
        self.review("approve", &id)?;
        let policies = format!("{POLICIES}{HELD}");
        for (why, changed, sent) in [
            ("less time", OPEN.replace("1h", "59m"), 0),
            ("another policy", format!("{OPEN}{}", OPEN.replace("opened", "also")), 0),
            ("no access", OPEN.replace("@access(\"1h\")", ""), 0),
            ("as it was", OPEN.to_owned(), 2),
        ] {
            self.reload(&format!("{policies}{changed}"))?;
            self.sent("acc5", TOOL, sent, why)?;
        }
        Ok(())
    }

    fn not_offered(&self) -> anyhow::Result<()> {
        for (how, tool, length) in [
            ("request", "any", "1h"),
            ("request", "nothing", "1h"),
            ("request", TOOL, "61m"),
            ("break-glass", TOOL, "1m"),
        ] {
            let line = ["access", how, "main", "--tool", tool, "--for", length, "--reason", "x"];
            let (code, said) = self.command("acc6", &["staff"], &line)?;
            ensure!(code != 0 && said.contains("access."), "{how} {tool} {length}: {code} {said}");
        }
        Ok(())
    }

    fn break_glass(&self) -> anyhow::Result<()> {
        let oncall = ["staff", "oncall"];
        let id = self.wanted("acc7", "break-glass", "10m", &oncall)?;
        // The call's own token must say so too: whoever has left the group has no emergency.
        self.sent("acc7", TOOL, 0, "no token of the group")?;
        self.sent_with("acc7", &oncall, 2)?;
        let (_, ready) = self.room.gateway.ready()?;
        ensure!(ready.contains("in force or not yet looked at"), "{ready}");
        let (_, metrics) = self.room.gateway.ask_admin("/metrics")?;
        let counted = "lockgate_break_glass_calls_total{connection=\"main\"} 2";
        ensure!(metrics.contains(counted), "{metrics}");
        ensure!(self.room.gateway.log().contains("break-glass"), "the log does not say so");
        let used = self.used(&id)?;
        ensure!(used == [true, true], "{used:?}");
        let over = self.done("acc7", &oncall, &["access", "end", &id])?;
        ensure!(over["state"] == "unreviewed", "{over}");
        self.sent_with("acc7", &oncall, 0)?;
        let looked = self.review("approve", &id)?;
        ensure!(looked["state"] == "reviewed", "{looked}");
        Ok(())
    }

    fn sent_with(&self, who: &str, groups: &[&str], expected: usize) -> anyhow::Result<()> {
        let token = self.token(who, &self.room.gateway.url("main"), groups, 300);
        let caller = self.room.gateway.caller("main", Some(&token));
        self.room.upstream.take_all();
        for number in 0..2 {
            legacy(&caller, TOOL, json!({ "text": format!("{who} {number}") }))?;
        }
        let sent = self.room.upstream.take_seen().len();
        ensure!(sent == expected, "{sent} of {expected} sent");
        Ok(())
    }

    fn found_wrong(&self) -> anyhow::Result<()> {
        let oncall = ["staff", "oncall"];
        let id = self.wanted("acc8", "break-glass", "10m", &oncall)?;
        self.sent_with("acc8", &oncall, 2)?;
        let ended = self.review("reject", &id)?;
        ensure!(ended["state"] == "rejected", "{ended}");
        self.sent_with("acc8", &oncall, 0)
    }

    /// Whether each call that went by this access went by break-glass.
    fn used(&self, id: &str) -> anyhow::Result<Vec<bool>> {
        let events = self.room.gateway.records().all()?.into_iter();
        let used = events.filter_map(|event| match event {
            Event::Approval(approval) if approval.approval == id => match approval.step {
                ApprovalStep::Used { emergency, .. } => Some(emergency),
                _ => None,
            },
            _ => None,
        });
        Ok(used.collect())
    }
}
