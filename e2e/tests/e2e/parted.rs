//! What a user has open at a server ends with their account there, on every gateway, and what was begun with
//! one account does not go on with the next: a real provider, a browser, two gateways of one PostgreSQL.

use std::{
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::free_address,
    mcp::{Caller, LEGACY},
    rig::stream,
    room::wait_for_tools,
    say,
    wire::{Reply, Request},
};
use serde_json::{Value, json};

use crate::grants::{House, MISSING, Shop, two};

/// What was begun.
struct Begun {
    caller: Caller,
    session: String,
}

#[test]
fn what_is_open_ends_with_a_users_account() {
    let api = free_address().unwrap();
    let shop = Shop::start(api).unwrap();
    let (_shared, one, two) = two(&shop, api);
    one.browse("engineer", "alice").unwrap();
    shop.upstream.act("GET", stream::endless());
    let begun = [&one, &two].map(Begun::at);
    let streams = begun.each_ref().map(Begun::ends);
    one.browse("engineer", "disconnect").unwrap();
    let disconnected = Instant::now();
    let took = streams.map(|stream| {
        let ended = stream.join().unwrap();
        ended.saturating_duration_since(disconnected).as_millis()
    });
    say(&format!(
        "grants: streams end {} ms after a browser has disconnected, and {} ms on another gateway",
        took[0], took[1]
    ));
    assert!(took[0] < 1_000 && took[1] < 6_000, "{took:?}");
    for one in &begun {
        let reply = one.call();
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    // Who begins anew is told where to connect; with another account, the old sessions stay over.
    let told = one.caller("engineer");
    let told = told.send(&told.call("echo", json!({ "text": "hello" }))).unwrap();
    assert!(told.text().contains(MISSING), "{}", told.text());
    one.browse("engineer", "bob").unwrap();
    wait_for_tools(&one.caller("engineer")).unwrap();
    shop.upstream.take_all();
    for one in &begun {
        let reply = one.call();
        assert_eq!(reply.status, 404, "{}", reply.text());
    }
    assert_eq!(shop.heard(), Vec::<String>::new());
    let anew = Begun::at(&one);
    assert_eq!(anew.call().status, 200);
    assert_eq!(shop.heard(), ["bob"]);
}

impl Begun {
    fn at(house: &House) -> Self {
        let caller = house.caller("engineer");
        wait_for_tools(&caller).unwrap();
        let session = caller.initialize(LEGACY).unwrap();
        Self { caller, session }
    }

    fn call(&self) -> Reply {
        let call = json!({ "name": "echo", "arguments": { "text": "hello" } });
        let call = self.caller.legacy(Some(&self.session), &json!(1), "tools/call", call);
        self.caller.send(&call).unwrap()
    }

    /// Opens the session's stream; when it ended, once it flows.
    fn ends(&self) -> thread::JoinHandle<Instant> {
        let get = self.caller.legacy(Some(&self.session), &Value::Null, "x", json!({}));
        let get = Request { method: "GET".into(), body: vec![], ..get };
        let mut wire = self.caller.open(&get.with("Accept", "text/event-stream")).unwrap();
        assert_eq!(wire.head().unwrap().status, 200);
        wire.stream_until(|text| text.contains("progress")).unwrap();
        wire.patience(Duration::from_secs(60)).unwrap();
        thread::spawn(move || {
            wire.stream_until(|_| false).unwrap();
            Instant::now()
        })
    }
}
