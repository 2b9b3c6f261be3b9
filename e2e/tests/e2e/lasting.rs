//! Tokens that live too long, from a real provider: first only noted, then refused, and in the report
//! either way.

use anyhow::Context as _;
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    issuer::Issuer,
    mcp::Caller,
    record::Records,
    rig::Upstream,
    room::wait_for_tools,
};
use lockgate_model::{Event, Reason};
use serde_json::{Value, json};

const POLICIES: &str = r#"
permit (principal, action in Action::"call_tool", resource)
unless { resource == Connection::"vital" && context.facts.contains("token.lifetime") };
"#;

fn settings(issuer: &Issuer, upstream: &Upstream, limits: &str) -> Value {
    let connection = |name: &str| {
        json!({ "name": name, "issuers": ["idp"], "pins": "on_first_use",
            "upstream": { "http": { "url": upstream.url(), "allow_private": true } } })
    };
    json!({
        "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true,
            "groups_required": false, "token_limits": limits }],
        "connections": [connection("main"), connection("vital")],
    })
}

/// The status of one call with a token that lives for two days.
fn call(gateway: &Gateway, issuer: &Issuer, connection: &str) -> Value {
    let token = issuer.token("lasting", &gateway.url(connection)).unwrap();
    let caller: Caller = gateway.caller(connection, Some(&token));
    let reply = caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap();
    json!({ "status": reply.status, "body": reply.json().unwrap_or_default() })
}

fn report(gateway: &Gateway) -> Value {
    let (code, text) = gateway.command(&["access", "tokens", "--json"]).unwrap();
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).context(text).unwrap()
}

#[test]
fn tokens_that_live_too_long_are_noted_then_refused() {
    let (issuer, upstream) = (Issuer::start().unwrap(), Upstream::start().unwrap());
    let plan = Plan {
        settings: settings(&issuer, &upstream, "warn"),
        policies: POLICIES.to_owned(),
        file_max: None,
    };
    let mut gateway = Gateway::start(&plan).unwrap();
    for name in ["main", "vital"] {
        let token = issuer.token("engineer", &gateway.url(name)).unwrap();
        wait_for_tools(&gateway.caller(name, Some(&token))).unwrap();
    }
    let mut records: Records = gateway.records();
    records.fresh().unwrap();

    let taken = call(&gateway, &issuer, "main");
    assert!(taken["body"]["result"]["isError"] != true && taken["status"] == 200, "{taken}");
    let facts = records.fresh().unwrap().into_iter().find_map(|event| match event {
        Event::Intent(intent) => Some(intent.facts),
        _ => None,
    });
    assert_eq!(facts, Some(vec!["token".to_owned(), "token.lifetime".to_owned()]));
    let denied = call(&gateway, &issuer, "vital");
    assert!(denied.to_string().contains("policy.no_permit"), "a policy may be stricter: {denied}");
    let (_, metrics) = gateway.ask_admin("/metrics").unwrap();
    let counted = "lockgate_tokens_over_limit_total{issuer=\"idp\",limit=\"token.lifetime\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    let found = report(&gateway);
    let of = |name: &str| found["taken"][0][name].clone();
    assert_eq!(of("issuer"), "idp");
    assert_eq!(of("client"), "lasting");
    assert_eq!(of("calls"), 2);
    assert_eq!(found["refused"], json!([]));

    gateway.kill().unwrap();
    gateway.write_settings(&settings(&issuer, &upstream, "enforce")).unwrap();
    gateway.run().unwrap();
    gateway.wait_ready().unwrap();
    assert_eq!(call(&gateway, &issuer, "main")["status"], 401);
    let mut records = gateway.records();
    let refused = records.decisions().unwrap().pop().unwrap();
    assert_eq!(refused.reason, Some(Reason::TokenLifetime));
    let found = report(&gateway);
    assert_eq!(found["refused"][0]["limit"], "token.lifetime");
    let detail = found["refused"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("`idp` for the client lasting"), "{detail}");
}
