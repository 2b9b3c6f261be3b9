//! Connections and secrets changed over the admin API of the real binary: served within a second, guarded
//! by role and version, on the record before, and no value anywhere but at the server.

use std::{
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    rig::Upstream,
    say,
    wire::{Reply, exchange},
};
use lockgate_model::{ConnectionsChange, ConnectionsEvent, Event, VaultChange, VaultEvent};
use serde_json::{Value, json};

use super::{House, Looks, Visitor};
use crate::secrets::{left, search};

/// A change is in force within a second; this machine may be busy.
const EFFECT: Duration = Duration::from_secs(4);
const FIRST: &str = "canary-over-api-6b0d94e7f1a2c583";
const SECOND: &str = "canary-over-api-c81f5e3092d7ab46";

/// Everything that the API answered.
#[derive(Default)]
struct Told(Vec<u8>);

impl Told {
    fn ask(
        &mut self,
        who: &Visitor<'_>,
        method: &str,
        path: &str,
        known: Option<&str>,
        body: &Value,
    ) -> Reply {
        let body = if method == "PUT" { body.to_string() } else { String::new() };
        let mut request = who.request(method, path, &body);
        if let Some(known) = known {
            request = request.header("If-Match", known);
        }
        let reply = exchange(who.address, &request.bytes()).unwrap();
        self.0.extend_from_slice(reply.everything().as_bytes());
        reply
    }

    /// Asks, and must get this status.
    fn gets(
        &mut self,
        who: &Visitor<'_>,
        (method, path, known): (&str, &str, Option<&str>),
        body: &Value,
        status: u16,
    ) -> Value {
        let reply = self.ask(who, method, path, known, body);
        assert_eq!(reply.status, status, "{method} {path} {known:?}: {}", reply.text());
        reply.json().unwrap()
    }
}

fn settings(upstream: &Upstream) -> Value {
    json!({
        "issuers": ["idp"], "pins": "on_first_use",
        "upstream": { "http": { "url": upstream.url(), "allow_private": true,
            "headers": { "Authorization": "sealed:extra-token" } } },
    })
}

#[test]
fn z4_z10_what_an_admin_registers_is_served_and_what_is_sealed_stays_in() {
    let mut house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let (admin, auditor) =
        (house.visitor("operator", &looks).unwrap(), house.visitor("auditor", &looks).unwrap());
    let mut told = Told::default();
    let (upstream, none) = (Upstream::start().unwrap(), Value::Null);
    let value = json!({ "value": format!("Bearer {FIRST}") });
    let extra = ("PUT", "/connections/extra", None);

    // Without the role nothing is changed; without any nothing is seen.
    for (path, body) in [("/connections/extra", settings(&upstream)), ("/secrets/x", value.clone())]
    {
        for method in ["PUT", "DELETE"] {
            let denied = told.gets(&auditor, (method, path, None), &body, 403);
            assert_eq!(denied["code"], "role.missing");
        }
    }
    for path in ["/connections", "/connections/main", "/secrets"] {
        let engineer = house.visitor("engineer", &looks).unwrap();
        told.gets(&engineer, ("GET", path, None), &none, 403);
        told.gets(&auditor, ("GET", path, None), &none, 200);
    }
    told.gets(&admin, ("PUT", "/secrets/extra-token", None), &value, 201);
    told.gets(&admin, extra, &settings(&upstream), 201);
    let served_ms = until(&house, 200);
    assert_eq!(heard(&house, &upstream), Some(format!("Bearer {FIRST}")));

    // A version that is not the newest changes nothing, and of two at once one wins.
    for (known, status) in [(None, 428), (Some("\"7\""), 412)] {
        told.gets(&admin, ("PUT", "/connections/extra", known), &settings(&upstream), status);
        told.gets(&admin, ("PUT", "/secrets/extra-token", known), &value, status);
    }
    assert_eq!(two_at_once(&admin, &settings(&upstream)), [200, 412]);
    let shown = told.gets(&auditor, ("GET", "/connections/extra", None), &none, 200);
    assert_eq!((&shown["version"], &shown["state"]), (&json!(2), &json!("served")));

    // Another value takes its place, and so does none.
    let other = json!({ "value": format!("Bearer {SECOND}") });
    told.gets(&admin, ("PUT", "/secrets/extra-token", Some("\"1\"")), &other, 200);
    let begun = Instant::now();
    while heard(&house, &upstream) != Some(format!("Bearer {SECOND}")) {
        assert!(begun.elapsed() < EFFECT * 2, "the new value is not used");
    }
    refused(&mut told, &admin, &upstream);
    let listed = told.gets(&auditor, ("GET", "/secrets", None), &none, 200);
    assert_eq!(listed["items"][0]["used_by"], json!(["extra"]), "{listed}");
    told.gets(&admin, ("DELETE", "/connections/extra", Some("\"2\"")), &none, 200);
    let gone_ms = until(&house, 404);
    told.gets(&admin, ("DELETE", "/secrets/extra-token", Some("\"2\"")), &none, 200);
    recorded(&house);

    let mut places = vec![("what was told".to_owned(), told.0)];
    left(&mut house.gateway, &mut places);
    let found = search([FIRST, SECOND].map(|secret| (secret, secret)), &places);
    say(&format!(
        "registered over the API: served after {served_ms} ms, refused after {gone_ms} ms; 2 values in \
         {} forms in {} places: {} hits",
        found.forms,
        places.len(),
        found.hits.len()
    ));
    assert_eq!(found.hits, Vec::<String>::new());
}

/// What reaches the gateway's own machine, is the file's, or can't be served.
fn refused(told: &mut Told, admin: &Visitor<'_>, upstream: &Upstream) {
    let with = |change: fn(&mut Value)| {
        let mut settings = settings(upstream);
        change(&mut settings);
        settings
    };
    for (what, settings) in [
        (
            "a program",
            json!({ "issuers": ["idp"], "upstream": { "stdio": { "command": "/bin/sh" } } }),
        ),
        ("a variable", with(|to| to["upstream"]["http"]["headers"]["X"] = json!("env:HOME"))),
        ("a file", with(|to| to["upstream"]["http"]["headers"]["X"] = json!("file:/etc/passwd"))),
        ("authorities", with(|to| to["upstream"]["http"]["ca"] = json!("/etc/passwd"))),
        ("packs", with(|to| to["guard"] = json!({ "packs": ["/etc/passwd"] }))),
        ("a literal", with(|to| to["upstream"]["http"]["headers"]["X"] = json!("hunter2"))),
        ("another name", with(|to| to["name"] = json!("other"))),
        ("no issuer", with(|to| to["issuers"] = json!(["nobody"]))),
        ("no setting", with(|to| to["isuers"] = json!(["idp"]))),
    ] {
        let reply = told.ask(admin, "PUT", "/connections/odd", None, &settings);
        let text = reply.text();
        assert_eq!(
            (reply.status, text.contains("connection.invalid")),
            (400, true),
            "{what}: {text}"
        );
        assert!(!text.contains("hunter2"), "{what}: {text}");
    }
    let known = Some("*");
    let own = told.gets(admin, ("PUT", "/connections/main", known), &settings(upstream), 409);
    assert!(own["detail"].as_str().unwrap().contains("lockgate.yaml:"), "{own}");
    told.gets(admin, ("DELETE", "/connections/main", known), &Value::Null, 409);
    let bound = json!({ "value": "x", "connection": "main" });
    told.gets(admin, ("PUT", "/secrets/extra-token", Some("\"2\"")), &bound, 400);
    let lost = json!({ "value": "x", "connection": "nobody" });
    told.gets(admin, ("PUT", "/secrets/lost", None), &lost, 400);
}

/// Two changes that were made from one version; their statuses, in order.
fn two_at_once(admin: &Visitor<'_>, settings: &Value) -> [u16; 2] {
    let mut settings = settings.clone();
    settings["labels"] = json!({ "env": "test" });
    let request = admin.request("PUT", "/connections/extra", &settings.to_string());
    let bytes = request.header("If-Match", "\"1\"").bytes();
    let mut both = thread::scope(|scope| {
        let sent =
            [(); 2].map(|()| scope.spawn(|| exchange(admin.address, &bytes).unwrap().status));
        sent.map(|sent| sent.join().unwrap())
    });
    both.sort_unstable();
    both
}

/// Every change is on the record in the admin's name, before it is in force, and none that was refused.
fn recorded(house: &House) {
    let (mut versions, mut sealed) = (Vec::new(), Vec::new());
    let mut served = false;
    for event in house.gateway.records().all().unwrap() {
        match event {
            Event::Connections(ConnectionsEvent { by, change }) => {
                let ConnectionsChange::Made(made) = change else { panic!("{change:?}") };
                assert_eq!((by.as_str(), made[0].connection.as_str()), ("idp/operator", "extra"));
                versions.push((made[0].version, made[0].settings.is_some()));
                served = false;
            }
            Event::Vault(VaultEvent { by, change }) => {
                assert_eq!(by, "idp/operator");
                sealed.push(match change {
                    VaultChange::Set { version, .. } => (version, true),
                    VaultChange::Remove { version, .. } => (version, false),
                    other => panic!("{other:?}"),
                });
            }
            Event::Snapshot { .. } => served = true,
            _ => {}
        }
    }
    assert_eq!(versions, [(1, true), (2, true), (3, false)]);
    assert_eq!(sealed, [(1, true), (2, true), (2, false)]);
    assert!(served, "nothing came into force after the last change");
}

/// What a call of `extra` gets.
fn status(house: &House) -> u16 {
    let token = house.issuer.token("engineer", &house.gateway.url("extra")).unwrap();
    let caller = house.gateway.caller("extra", Some(&token));
    caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap().status
}

/// Waits until calls get this status; how long that took, in milliseconds.
fn until(house: &House, wanted: u16) -> u128 {
    let begun = Instant::now();
    loop {
        let found = status(house);
        if found == wanted {
            return begun.elapsed().as_millis();
        }
        assert!(begun.elapsed() < EFFECT, "it gets {found}, not {wanted}: {}", house.gateway.log());
        thread::sleep(Duration::from_millis(20));
    }
}

/// Calls, and gives the credential that the server heard.
fn heard(house: &House, upstream: &Upstream) -> Option<String> {
    upstream.take_all();
    status(house);
    let seen = upstream.take_seen();
    Some(seen.first()?.heard.header("authorization")?.to_owned())
}
