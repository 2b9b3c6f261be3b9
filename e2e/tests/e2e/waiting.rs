//! What the SDKs make of a call that waits for a person, at their default time-outs, with tokens of a
//! real issuer on both sides; and that a reviewer answers by the command line.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, binary, free_address},
    issuer::Issuer,
    room::{ADMIN, wait_for_tools},
    say,
    tools::{Tool, fixture, python, run, script},
};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_secs(60);
/// How long one request of a caller is held here.
const HOLD: Duration = Duration::from_secs(3);
const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action, resource);
@id("held") @approvers("idp/audit") @reason("looked at first")
forbid (principal, action == Action::"both/test_simple_text", resource)
unless { context.approvals.contains(Group::"idp/audit") };
"#;

struct House {
    issuer: Issuer,
    gateway: Gateway,
    api: SocketAddr,
    _server: Tool,
}

impl House {
    fn start() -> anyhow::Result<Self> {
        let issuer = Issuer::start()?;
        let (fixture, both) = fixture()?;
        let api = free_address()?;
        let settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [{ "name": "both", "issuers": ["idp"], "pins": "on_first_use",
                "upstream": { "http": { "url": both, "allow_private": true } } }],
            "admin_api": { "address": api.to_string(), "issuers": ["idp"], "audience": ADMIN },
            "approvals": { "hold_max_ms": HOLD.as_millis() },
        });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::start(&plan)?;
        let token = issuer.token("engineer", &gateway.url("both"))?;
        wait_for_tools(&gateway.caller("both", Some(&token)))?;
        Ok(Self { issuer, gateway, api, _server: fixture })
    }

    /// Calls the held tool by one SDK, and gives what it saw.
    fn call(&self, client: &str, era: &str) -> anyhow::Result<Value> {
        let url = self.gateway.url("both");
        let token = self.issuer.token("engineer", &url)?;
        let mut command = match client {
            "ts-v1" => script("client-v1.mjs")?,
            "ts-v2" => script("client-v2.mjs")?,
            _ => python("client.py")?,
        };
        command.args([&url, &token, "test_simple_text", "{}", era]);
        let said = run(command, WAIT)?;
        let last = said.text.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| said.text.clone())
    }

    /// `lockgate approvals …` as the reviewer.
    fn review(&self, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
        let mut command = std::process::Command::new(binary()?);
        command.arg("approvals").args(arguments).args(["--url", &format!("http://{}", self.api)]);
        command.env("LOCKGATE_TOKEN", self.issuer.token("auditor", ADMIN)?);
        let said = run(command, WAIT)?;
        Ok((said.code, said.text))
    }

    /// Waits for a question and answers it.
    fn answer_after(&self, wait: Duration, arguments: &[&str]) -> anyhow::Result<String> {
        std::thread::sleep(wait);
        for _ in 0..100 {
            let (_, list) = self.review(&["list", "--json"])?;
            let items: Value = serde_json::from_str(&list).with_context(|| list.clone())?;
            if let Some(id) = items[0]["id"].as_str() {
                let (code, said) = self.review(&[&[arguments[0], id], &arguments[1..]].concat())?;
                ensure!(code == 0, "{said}");
                return Ok(said);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("nobody asked")
    }
}

#[test]
fn every_client_waits_for_a_person_and_is_answered_once() {
    let house = House::start().unwrap();
    let mut waited = 0;
    // Within one request; and, where the client comes back by itself, over several.
    for (client, era, wait) in [
        ("ts-v1", "legacy", Duration::ZERO),
        ("ts-v2", "legacy", Duration::ZERO),
        ("python", "legacy", Duration::ZERO),
        ("ts-v2", "2026-07-28", Duration::ZERO),
        ("ts-v2", "2026-07-28", HOLD * 2),
        ("python", "2026-07-28", HOLD * 2),
    ] {
        let seen = std::thread::scope(|scope| {
            let call = scope.spawn(|| house.call(client, era));
            let shown = house.answer_after(wait, &["approve", "--yes"])?;
            for part in ["looked at first", "engineer", "s before the call"] {
                ensure!(shown.contains(part), "no `{part}`: {shown}");
            }
            call.join().unwrap_or_else(|_| anyhow::bail!("it panicked"))
        });
        let seen = seen.with_context(|| format!("{client} in {era}")).unwrap();
        let told = seen["result"].to_string();
        assert!(told.contains("simple text response"), "{client} in {era}: {seen}");
        waited += 1;
    }
    say(&format!("approvals: {waited} of 6 clients waited and were answered"));
}

#[test]
fn a_client_that_can_not_wait_is_told_how_to_come_again() {
    let house = House::start().unwrap();
    for client in ["ts-v1", "python"] {
        let seen = house.call(client, "legacy").unwrap();
        let told = seen.to_string();
        assert!(
            told.contains("approval.pending") && told.contains("identical"),
            "{client}: {told}"
        );
    }
    // Both asked the same: one question, one use.
    house.answer_after(Duration::ZERO, &["approve", "--yes"]).unwrap();
    let seen = house.call("ts-v1", "legacy").unwrap();
    assert!(seen["result"].to_string().contains("simple text response"), "{seen}");
    let seen = house.call("python", "legacy").unwrap();
    assert!(seen.to_string().contains("approval.pending"), "{seen}");
    house.answer_after(Duration::ZERO, &["reject", "--reason", "not today"]).unwrap();
    let seen = house.call("ts-v1", "legacy").unwrap();
    assert!(seen.to_string().contains("not today"), "{seen}");
    let (code, said) = house.review(&["show", "a00000000000000000000000000000000"]).unwrap();
    assert!(code == 1 && said.contains("approval.unknown"), "{code}: {said}");
}
