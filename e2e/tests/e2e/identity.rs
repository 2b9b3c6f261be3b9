//! A real OIDC provider: groups, audiences, short lives, rotation under load, and its absence.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    issuer::Issuer,
    mcp::Caller,
    record::Records,
    rig::{Upstream, stream::endless},
    room::wait_for_tools,
    say,
    wire::expect_status,
};
use lockgate_model::Reason;
use serde_json::{Value, json};

const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action in Action::"call_tool", resource);
permit (principal in Group::"idp/contractors", action == Action::"main/echo", resource);
"#;

struct House {
    issuer: Issuer,
    upstream: Upstream,
    gateway: Gateway,
}

impl House {
    fn start(leeway_s: u32) -> anyhow::Result<Self> {
        let (issuer, upstream) = (Issuer::start()?, Upstream::start()?);
        let connection = |name: &str| {
            json!({ "name": name, "issuers": ["idp"], "pins": "on_first_use",
                "upstream": { "http": { "url": upstream.url(), "allow_private": true } } })
        };
        let settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true,
                "leeway_s": leeway_s, "token_types": ["at+jwt"], "groups_required": true }],
            "connections": [connection("main"), connection("other")],
        });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::start(&plan)?;
        let house = Self { issuer, upstream, gateway };
        wait_for_tools(&house.caller("engineer")?)?;
        Ok(house)
    }

    fn caller(&self, client: &str) -> anyhow::Result<Caller> {
        let token = self.issuer.token(client, &self.gateway.url("main"))?;
        Ok(self.gateway.caller("main", Some(&token)))
    }

    fn status(&self, caller: &Caller) -> anyhow::Result<u16> {
        Ok(caller.send(&caller.call("echo", json!({ "text": "hello" })))?.status)
    }

    /// The reason of the newest decision.
    fn reason(&self) -> anyhow::Result<Option<Reason>> {
        let mut records: Records = self.gateway.records();
        Ok(records.decisions()?.pop().and_then(|decision| decision.reason))
    }
}

#[test]
fn groups_audiences_and_lifetimes_are_what_the_provider_says() {
    let house = House::start(0).unwrap();
    let engineer = house.caller("engineer").unwrap();
    let contractor = house.caller("contractor").unwrap();
    let call = |caller: &Caller, tool: &str| {
        let reply = caller.send(&caller.call(tool, json!({}))).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json().unwrap()
    };
    assert!(call(&engineer, "any")["result"].is_object());
    assert!(call(&contractor, "echo")["result"].is_object());
    assert_eq!(call(&contractor, "any")["error"]["code"], -32602, "for staff only");
    let refused = |client: &str, reason: Reason| {
        assert_eq!(house.status(&house.caller(client).unwrap()).unwrap(), 401, "{client}");
        assert_eq!(house.reason().unwrap(), Some(reason), "{client}");
    };
    refused("nobody", Reason::GroupsAbsent);
    refused("lasting", Reason::TokenLifetime);
    let token = house.issuer.token("engineer", &house.gateway.url("other")).unwrap();
    let stray = house.gateway.caller("main", Some(&token));
    assert_eq!(house.status(&stray).unwrap(), 401);
    assert_eq!(house.reason().unwrap(), Some(Reason::TokenAudience));
    let brief = house.caller("brief").unwrap();
    assert_eq!(house.status(&brief).unwrap(), 200);
    std::thread::sleep(Duration::from_millis(6_100));
    assert_eq!(house.status(&brief).unwrap(), 401, "five seconds are over");
    assert_eq!(house.reason().unwrap(), Some(Reason::TokenExpired));
}

#[test]
fn the_metadata_leads_a_client_to_the_provider() {
    let house = House::start(60).unwrap();
    let nobody = house.gateway.caller("main", None);
    let reply = nobody.send(&nobody.call("echo", json!({}))).unwrap();
    let challenge = reply.header("www-authenticate").unwrap().to_owned();
    assert!(!challenge.contains("error="), "{challenge}");
    let (_, url) = challenge.split_once("resource_metadata=\"").unwrap();
    let url = url.split('"').next().unwrap();
    let path = url.strip_prefix(&format!("http://{}", house.gateway.address)).unwrap();
    assert_eq!(path, "/.well-known/oauth-protected-resource/c/main/mcp");
    let get = lockgate_e2e::wire::Request::new("GET", path, "")
        .header("Host", &house.gateway.address.to_string());
    let document = nobody.send(&get).unwrap();
    expect_status(&document, 200).unwrap();
    let document: Value = serde_json::from_slice(&document.body).unwrap();
    assert_eq!(document["resource"], house.gateway.url("main"));
    assert_eq!(document["authorization_servers"], json!([house.issuer.url()]));
    assert_eq!(document["bearer_methods_supported"], json!(["header"]));
}

#[test]
fn a_stream_ends_with_its_token() {
    let house = House::start(0).unwrap();
    house.upstream.act("echo", endless());
    let mut late_ms = Vec::new();
    for _ in 0..2 {
        let caller = house.caller("brief").unwrap();
        let ends = Instant::now() + Duration::from_secs(5);
        let mut wire = caller.open(&caller.followed(5, "echo")).unwrap();
        expect_status(&wire.head().unwrap(), 200).unwrap();
        let text = wire.stream_until(|_| false).unwrap();
        late_ms.push(Instant::now().saturating_duration_since(ends).as_millis());
        let last = lockgate_e2e::wire::data_of(&text).pop().unwrap();
        let last: Value = serde_json::from_str(&last).unwrap();
        assert_eq!(last["id"], 5, "the final message answers the call");
        assert!(last["error"]["code"].is_i64(), "{last}");
    }
    say(&format!("streams ended {late_ms:?} ms after their token"));
    assert!(late_ms.iter().all(|late| *late <= 1_000), "{late_ms:?}");
}

#[test]
fn keys_rotate_under_load_and_the_provider_may_be_away() {
    let mut house = House::start(60).unwrap();
    let token = Arc::new(std::sync::Mutex::new(house.caller("engineer").unwrap()));
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (token, stop, sent) = (Arc::clone(&token), Arc::clone(&stop), Arc::clone(&sent));
            std::thread::spawn(move || -> anyhow::Result<()> {
                while !stop.load(Ordering::Acquire) {
                    let caller = token.lock().map(|held| held.clone()).expect("not poisoned");
                    let reply = caller.send(&caller.call("echo", json!({ "text": "load" })))?;
                    ensure!(reply.status == 200, "{}: {}", reply.status, reply.text());
                    sent.fetch_add(1, Ordering::AcqRel);
                }
                Ok(())
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    house.issuer.rotate().unwrap();
    // A token of the new key: one refetch, at most one every 30 s, so it may take that long.
    let fresh = house.caller("engineer").unwrap();
    let begun = Instant::now();
    while house.status(&fresh).unwrap() != 200 {
        assert!(begun.elapsed() < Duration::from_secs(35), "the new key is not known after 35 s");
        std::thread::sleep(Duration::from_millis(100));
    }
    let taken = begun.elapsed();
    *token.lock().unwrap() = fresh.clone();
    std::thread::sleep(Duration::from_millis(500));
    house.issuer.stop();
    std::thread::sleep(Duration::from_millis(1_000));
    assert_eq!(house.status(&fresh).unwrap(), 200, "known keys serve while the provider is away");
    stop.store(true, Ordering::Release);
    for one in load {
        one.join().unwrap().unwrap();
    }
    say(&format!(
        "rotation: new key known after {taken:?}; {} calls, none refused",
        sent.load(Ordering::Acquire)
    ));
    // A start without any key is not ready.
    house.gateway.kill().unwrap();
    house.gateway.run().unwrap();
    let begun = Instant::now();
    let (status, said) = loop {
        if let Ok(answer) = house.gateway.ready() {
            break answer;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no answer of /readyz");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_ne!(status, 200, "ready without keys: {said}");
    assert!(said.contains("idp"), "/readyz names the issuer: {said}");
    assert!(matches!(house.status(&fresh), Ok(401 | 503)), "nothing is believed without keys");
    house.issuer.resume().unwrap();
    house.gateway.wait_ready().unwrap();
}
