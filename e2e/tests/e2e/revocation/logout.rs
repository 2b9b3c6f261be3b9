//! A person logs out at a real provider, which tells the gateway of it by itself (OpenID Connect
//! Back-Channel Logout 1.0): their open stream ends, and nobody else's.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    rig::{Upstream, stream::endless},
    room::wait_for_tools,
    say,
    tools::{run, script},
    wire::{Wire, data_of, expect_status},
};
use serde_json::json;

use super::EFFECT;

const CLIENT: &str = "desk";
const SECRET: &str = "desk-secret";
const CALLBACK: &str = "http://127.0.0.1:9/callback";

#[test]
fn a_logout_at_the_provider_cuts_what_is_open() {
    let api = free_address().unwrap();
    let clients = json!([{ "client_id": CLIENT, "client_secret": SECRET,
        "grant_types": ["authorization_code"], "response_types": ["code"],
        "redirect_uris": [CALLBACK], "backchannel_logout_session_required": true,
        "backchannel_logout_uri": format!("http://{api}/events/logout") }]);
    let (provider, upstream) = (Issuer::start_with(&clients).unwrap(), Upstream::start().unwrap());
    let settings = json!({
        "issuers": [{ "name": "idp", "issuer": provider.url(), "allow_private": true,
            "events": { "audiences": [CLIENT] } }],
        "connections": [{ "name": "main", "issuers": ["idp"], "pins": "on_first_use",
            "upstream": { "http": { "url": upstream.url(), "allow_private": true } } }],
        "admin_api": { "address": api.to_string(), "issuers": ["idp"],
            "audience": "https://lockgate.test/admin" },
    });
    let policies = r#"permit (principal in Group::"idp/staff", action, resource);"#.to_owned();
    let gateway = Gateway::start(&Plan { settings, policies, file_max: None }).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let enter = |who: &str| {
        let (jar, resource) = (folder.path().join(who), gateway.url("main"));
        let token =
            person("login", &jar, &[&provider.url(), CLIENT, SECRET, CALLBACK, &resource, who]);
        gateway.caller("main", Some(&token))
    };
    let (leaving, staying) = (enter("engineer"), enter("short"));
    wait_for_tools(&leaving).unwrap();
    upstream.act("echo", endless());
    let open = |caller: &lockgate_e2e::mcp::Caller| {
        let mut stream = caller.open(&caller.followed(7, "echo")).unwrap();
        expect_status(&stream.head().unwrap(), 200).unwrap();
        stream
    };
    let (mut cut, mut kept) = (open(&leaving), open(&staying));
    // The API comes up behind the data path.
    while Wire::open(api).is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }

    let begun = Instant::now();
    person("logout", &folder.path().join("engineer"), &[&provider.url()]);
    assert_eq!(provider.told().unwrap()["logouts"], json!(["taken"]));
    let last = data_of(&cut.stream_until(|_| false).unwrap()).pop().unwrap();
    let took = begun.elapsed();
    assert!(last.contains(r#""code":1401"#), "{last}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    say(&format!(
        "logout at the provider: the stream ended {} ms after the program began that logs out",
        took.as_millis()
    ));
    kept.stream_until(|text| text.matches("progress\"").count() > 6).unwrap();
    upstream.behave();
    let status = |caller: &lockgate_e2e::mcp::Caller| {
        caller.send(&caller.call("echo", json!({}))).unwrap().status
    };
    assert_eq!((status(&leaving), status(&staying)), (401, 200));
    std::thread::sleep(EFFECT);
    assert_eq!(status(&enter("engineer")), 200, "whoever logs in again is let in");
}

/// What somebody at the provider gets.
fn person(what: &str, jar: &Path, more: &[&str]) -> String {
    let mut command = script("person.mjs").unwrap();
    command.arg(what).arg(jar).args(more);
    let said = run(command, Duration::from_secs(20)).unwrap();
    said.text.lines().last().unwrap_or_default().to_owned()
}
