//! The parts alone, without the gateway: what fails here is no fault of the product.

use std::time::Duration;

use lockgate_e2e::{
    issuer::Issuer,
    mcp::Caller,
    rig::Upstream,
    tools::{fixture, python, run, script},
};
use serde_json::{Value, json};

#[test]
fn the_issuer_issues_and_rotates() {
    let mut issuer = Issuer::start().unwrap();
    let token = issuer.token("engineer", "http://127.0.0.1:1/c/main/mcp").unwrap();
    assert_eq!(token.split('.').count(), 3, "{token}");
    issuer.rotate().unwrap();
    let again = issuer.token("engineer", "http://127.0.0.1:1/c/main/mcp").unwrap();
    assert_ne!(token.split('.').next(), again.split('.').next(), "the key id is another one");
}

#[test]
fn the_recording_upstream_speaks_both_eras() {
    let upstream = Upstream::start().unwrap();
    let caller = Caller { address: upstream.address(), path: "/mcp".into(), token: None };
    let reply = caller.send(&caller.call("echo", json!({ "text": 1.50 }))).unwrap();
    assert!(reply.text().contains("1.5"), "{}", reply.text());
    assert!(caller.initialize("2025-11-25").unwrap().starts_with("upstream-session"));
    assert_eq!(upstream.take_seen().len(), 1);
}

#[test]
fn the_clients_reach_the_fixture_server() {
    let (_server, url) = fixture().unwrap();
    let wait = Duration::from_secs(60);
    for (program, era) in [("v1", ""), ("v2", "2026-07-28"), ("v2", "legacy"), ("py", "auto")] {
        let mut command = match program {
            "v1" => script("client-v1.mjs").unwrap(),
            "v2" => script("client-v2.mjs").unwrap(),
            _ => python("client.py").unwrap(),
        };
        command.args([&url, "no-token", "test_simple_text", "{}", era]);
        let said = run(command, wait).unwrap();
        let line = said.text.lines().last().unwrap_or_default();
        let seen: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{}", said.text));
        assert!(seen["result"]["content"][0]["text"].is_string(), "{program} {era}: {seen}");
    }
}
