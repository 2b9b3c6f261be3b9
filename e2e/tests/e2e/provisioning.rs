//! Identity providers provision people and groups (SCIM 2.0): who is deactivated is out, and who leaves a
//! group has lost it, whatever their tokens say and however long those are good.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    mcp::{Caller, LEGACY},
    postgres::Postgres,
    rig::{MintIssuer, Upstream, stream::endless},
    room::{POLICIES, Room, wait_for_tools},
    say,
    tools::python,
    wire::{Reply, Request, Wire, data_of, exchange, expect_status},
};
use lockgate_model::{DirectoryEvent, Event, Reason};
use serde_json::{Value, json};

/// By then a change is in force everywhere.
const EFFECT: Duration = Duration::from_secs(1);
const TOKEN: &str = "provision-0123456789abcdef0123456789abcdef";

/// A provider's client of one gateway.
struct Provider {
    api: SocketAddr,
    /// Where the service stands.
    base: String,
}

/// What a public validator finds.
#[test]
fn a_validator_finds_nothing_wrong() {
    let (_room, provider) = room();
    let found = provider.python("check");
    let found: Vec<Value> = serde_json::from_str(&found).unwrap();
    let of = |status: &str| found.iter().filter(|one| one["status"] == status).count();
    say(&format!(
        "scim2-tester: {} checks, {} well, {} skipped",
        found.len(),
        of("SUCCESS") + of("COMPLIANT") + of("ACCEPTABLE"),
        of("SKIPPED")
    ));
    let wrong: Vec<_> = found
        .iter()
        .filter(|one| matches!(one["status"].as_str().unwrap(), "ERROR" | "CRITICAL" | "DEVIATION"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found.len() > 60, "{}", found.len());
}

/// A public client takes somebody in, puts them into a group, and deactivates them: everything of theirs
/// ends, and their token, which is still good, opens nothing.
#[test]
fn who_is_deactivated_is_cut_off() {
    let (room, provider) = room();
    let (alice, bob) = (room.alice().unwrap(), named(&room, "bob"));
    room.upstream.act("echo", endless());
    let mut stream = alice.open(&alice.followed(7, "echo")).unwrap();
    expect_status(&stream.head().unwrap(), 200).unwrap();
    let id = provider.python("leave");
    let last = data_of(&stream.stream_until(|_| false).unwrap()).pop().unwrap();
    assert!(last.contains(r#""code":1401"#), "{last}");
    room.upstream.behave();
    assert_eq!((status(&alice), status(&named(&room, "alice"))), (401, 401));
    // Bob is in no group that the provider keeps, which `staff` is by now.
    thread::sleep(EFFECT);
    assert!(!may(&bob), "the group is the provider's");

    let one = format!("Users/{}", id.trim());
    provider.patch(&one, &json!([{ "op": "Replace", "path": "active", "value": "True" }]));
    thread::sleep(EFFECT);
    assert!(may(&alice), "lifted, with the token of before");
    let off = Instant::now();
    provider.patch(&one, &json!([{ "op": "replace", "value": { "active": false } }]));
    while status(&alice) == 200 {
        assert!(off.elapsed() < EFFECT, "{:?}", off.elapsed());
    }
    say(&format!("scim: out {} ms after the deactivation was sent", off.elapsed().as_millis()));
    let (_, listed) = room.gateway.command(&["revoke", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let target = json!({ "subject": { "issuer": "idp", "subject": "alice" } });
    assert_eq!((&listed[0]["by"], &listed[0]["target"]), (&json!("scim:idp"), &target));
}

/// C6: what a group opened is decided again as soon as somebody is not in it any more: in the same session,
/// with the same token; what is open ends. Who comes to it has it at once.
#[test]
fn c6_groups_apply_at_once() {
    let (mut room, provider) = room();
    let (alice, bob) = (room.alice().unwrap(), named(&room, "bob"));
    let session = alice.initialize(LEGACY).unwrap();
    let in_session = || {
        let params = json!({ "name": "any", "arguments": {} });
        let request = alice.legacy(Some(&session), &json!(3), "tools/call", params);
        let reply = alice.send(&request).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        is_result(&reply)
    };
    assert!(in_session() && may(&bob));
    let [ann, ben] =
        ["alice", "bob"].map(|name| provider.take_in("Users", &json!({ "userName": name })));
    let members = json!([{ "value": ann }, { "value": ben }]);
    let staff = provider.take_in("Groups", &json!({ "displayName": "staff", "members": members }));
    thread::sleep(EFFECT);
    assert!(in_session() && may(&bob));

    room.upstream.act("echo", endless());
    let mut stream = alice.open(&alice.followed(7, "echo")).unwrap();
    expect_status(&stream.head().unwrap(), 200).unwrap();
    room.records.fresh().unwrap();
    let one = format!("Groups/{staff}");
    let leave = json!([{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }]);
    let told = Instant::now();
    provider.patch(&one, &leave);
    let last = data_of(&stream.stream_until(|_| false).unwrap()).pop().unwrap();
    let cut = told.elapsed();
    assert!(last.contains(r#""code":1403"#) && cut < EFFECT, "{cut:?}: {last}");
    room.upstream.behave();
    assert!(!in_session(), "the same session, and the same token");
    assert!(!may(&alice) && may(&bob));
    let join = json!([{ "op": "Add", "path": "members", "value": [{ "value": ann }] }]);
    let told = Instant::now();
    provider.patch(&one, &join);
    while !in_session() {
        assert!(told.elapsed() < EFFECT);
    }
    say(&format!("scim: a stream ends {} ms after its owner left the group", cut.as_millis()));
    let events = room.records.fresh().unwrap();
    let is_cut = |event: &&Event| matches!(event, Event::Outcome(end) if end.reason == Some(Reason::GroupsChanged));
    assert_eq!(events.iter().filter(is_cut).count(), 1);
    let moves = events.iter().filter_map(|event| match event {
        Event::Directory(DirectoryEvent { by, change }) if by == "scim:idp" => Some(change),
        _ => None,
    });
    assert_eq!(moves.count(), 2);
    // A group that is gone is the token's again.
    provider.patch(&one, &leave);
    thread::sleep(EFFECT);
    assert!(!may(&alice));
    expect_status(&provider.ask("DELETE", &one, &Value::Null), 204).unwrap();
    thread::sleep(EFFECT);
    assert!(may(&alice));
}

/// Where the provider's word counts in place of tokens, it gives what a token does not say.
#[test]
fn groups_may_be_followed() {
    let (room, provider) = room_with(|issuer| issuer["scim"]["groups"] = json!("follow"));
    let mut claims = room.claims();
    (claims["sub"], claims["groups"]) = (json!("carol"), json!([]));
    let carol = room.caller(&claims).unwrap();
    assert!(!may(&carol));
    let id = provider.take_in("Users", &json!({ "userName": "carol" }));
    let members = json!([{ "value": id }]);
    provider.take_in("Groups", &json!({ "displayName": "staff", "members": members }));
    thread::sleep(EFFECT);
    assert!(may(&carol));
}

/// Entra: tokens go by `oid`, and so do people and groups here.
#[test]
fn people_go_by_the_claim_that_is_configured() {
    let (room, provider) = room_with(|issuer| {
        issuer["subject_claim"] = json!("oid");
        issuer["scim"]["subject"] = json!("externalId");
        issuer["scim"]["group_name"] = json!("externalId");
    });
    let mut claims = room.claims();
    (claims["oid"], claims["groups"]) = (json!("0b1-ann"), json!(["staff"]));
    let ann = room.caller(&claims).unwrap();
    assert!(may(&ann));
    assert_eq!(status(&room.caller(&without_oid(&room)).unwrap()), 401);
    let user = json!({ "userName": "ann@corp.example", "externalId": "0b1-ann", "active": true });
    let id = provider.take_in("Users", &user);
    let group = json!({ "displayName": "Staff of the corp", "externalId": "staff" });
    let staff = provider.take_in("Groups", &group);
    thread::sleep(EFFECT);
    assert!(!may(&ann), "nobody is in the group");
    let add = json!([{ "op": "Add", "path": "members", "value": [{ "value": id }] }]);
    provider.patch(&format!("Groups/{staff}"), &add);
    thread::sleep(EFFECT);
    assert!(may(&ann));
    let off = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    provider.patch(&format!("Users/{id}"), &off);
    thread::sleep(EFFECT);
    assert_eq!(status(&ann), 401);
}

/// What was acknowledged is so after a kill: the leaver is out, and the group is lost.
#[test]
fn what_was_acknowledged_survives_kills() {
    let kills: u32 = std::env::var("LOCKGATE_SCIM_KILLS").map_or(5, |n| n.parse().unwrap());
    let (mut room, provider) = room();
    let id = provider.take_in("Users", &json!({ "userName": "bob" }));
    let staff = provider.take_in("Groups", &json!({ "displayName": "staff" }));
    let mut claims = room.claims();
    for n in 0..kills {
        let name = format!("p{n}");
        let leaver = provider.take_in("Users", &json!({ "userName": name }));
        let off = json!([{ "op": "replace", "value": { "active": false } }]);
        provider.patch(&format!("Users/{leaver}"), &off);
        let verb = if n % 2 == 0 { "add" } else { "remove" };
        let moves = json!([{ "op": verb, "path": "members", "value": [{ "value": id }] }]);
        provider.patch(&format!("Groups/{staff}"), &moves);
        room.gateway.kill().unwrap();
        room.gateway.run().unwrap();
        room.gateway.wait_ready().unwrap();
        claims["sub"] = json!(name);
        assert_eq!(status(&room.caller(&claims).unwrap()), 401, "after {n} kills");
        assert_eq!(may(&named(&room, "bob")), n % 2 == 0, "after {n} kills");
        provider.wait();
    }
    say(&format!("scim: {kills} kills after an answer, nothing forgotten"));
}

/// Two gateways on one PostgreSQL: what is told to one is so on the other within a second.
#[test]
fn every_gateway_learns_of_it() {
    let (postgres, folder) = (Postgres::start().unwrap(), tempfile::tempdir().unwrap());
    let place = folder.path().join("postgres");
    std::fs::write(&place, postgres.url()).unwrap();
    let index = format!("file:{}", place.display());
    let shared = |node: &'static str| {
        let index = index.clone();
        start(|plan| {
            plan.settings["node"] = json!(node);
            plan.settings["recording"] = json!({ "index": index });
        })
    };
    let ((_one, provider), (two, _)) = (shared("one"), shared("two"));
    let bob = named(&two, "bob");
    let id = provider.take_in("Users", &json!({ "userName": "bob" }));
    let members = json!([{ "value": id }]);
    let staff = provider.take_in("Groups", &json!({ "displayName": "staff", "members": members }));
    thread::sleep(EFFECT);
    let mut latest = Duration::ZERO;
    for round in 0..10 {
        let verb = if round % 2 == 0 { "remove" } else { "add" };
        let moves = json!([{ "op": verb, "path": "members", "value": [{ "value": id }] }]);
        provider.patch(&format!("Groups/{staff}"), &moves);
        let told = Instant::now();
        while may(&bob) == (round % 2 == 0) {
            assert!(told.elapsed() < EFFECT, "round {round}");
        }
        latest = latest.max(told.elapsed());
    }
    provider
        .patch(&format!("Users/{id}"), &json!([{ "op": "replace", "value": { "active": false } }]));
    let told = Instant::now();
    while status(&bob) == 200 {
        assert!(told.elapsed() < EFFECT);
    }
    let [latest, out] = [latest, told.elapsed()].map(|time| time.as_millis());
    say(&format!(
        "scim: the other gateway knows of a group after at most {latest} ms, of a leaver after {out}"
    ));
}

fn room() -> (Room, Provider) {
    room_with(|_| {})
}

/// A room in which the issuer is provisioned.
fn room_with(change: impl FnOnce(&mut Value)) -> (Room, Provider) {
    start(|plan| change(&mut plan.settings["issuers"][0]))
}

fn start(change: impl FnOnce(&mut Plan)) -> (Room, Provider) {
    let api = free_address().unwrap();
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let settings = lockgate_e2e::room::settings(&issuer, &upstream.url());
    let mut plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let file = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
    std::fs::write(&file, TOKEN).unwrap();
    plan.settings["issuers"][0]["scim"] = json!({ "token": format!("file:{}", file.display()) });
    plan.settings["admin_api"] = json!({ "address": api.to_string(), "issuers": ["idp"],
        "audience": "https://lockgate.test/admin" });
    change(&mut plan);
    let gateway = Gateway::start(&plan).unwrap();
    let records = gateway.records();
    let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
    let mut claims = room.claims();
    claims["oid"] = json!("first");
    wait_for_tools(&room.caller(&claims).unwrap()).unwrap();
    let provider = Provider { api, base: "/scim/v2/idp".to_owned() };
    provider.wait();
    (room, provider)
}

fn without_oid(room: &Room) -> Value {
    room.claims()
}

fn named(room: &Room, subject: &str) -> Caller {
    let mut claims = room.claims();
    claims["sub"] = json!(subject);
    room.caller(&claims).unwrap()
}

fn status(caller: &Caller) -> u16 {
    caller.send(&caller.call("any", json!({}))).unwrap().status
}

/// Whether a call is permitted that takes the group.
fn may(caller: &Caller) -> bool {
    let mut reply = caller.send(&caller.call("any", json!({}))).unwrap();
    while reply.status == 403 {
        // The change came while this was asked.
        assert!(reply.text().contains("1403"), "{}", reply.text());
        reply = caller.send(&caller.call("any", json!({}))).unwrap();
    }
    assert_eq!(reply.status, 200, "{}", reply.text());
    is_result(&reply)
}

fn is_result(reply: &Reply) -> bool {
    let answer = reply.json().unwrap();
    answer["result"].is_object() && answer["result"]["isError"] != true
}

impl Provider {
    /// Until it is served: the API comes up behind the data path.
    fn wait(&self) {
        while Wire::open(self.api).is_err() || self.ask("GET", "Users", &Value::Null).status != 200
        {
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::new(method, &format!("{}/{path}", self.base), body)
            .header("Host", &self.api.to_string())
            .header("Authorization", &format!("Bearer {TOKEN}"))
            .header("Content-Type", "application/scim+json");
        exchange(self.api, &request.bytes()).unwrap()
    }

    /// Makes something; its id.
    fn take_in(&self, kind: &str, what: &Value) -> String {
        let reply = self.ask("POST", kind, what);
        expect_status(&reply, 201).unwrap();
        reply.json().unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn patch(&self, path: &str, operations: &Value) {
        let reply = self.ask("PATCH", path, &json!({ "Operations": operations }));
        assert!(matches!(reply.status, 200 | 204), "{}", reply.text());
    }

    /// What a program by public clients prints.
    fn python(&self, what: &str) -> String {
        let url = format!("http://{}{}", self.api, self.base);
        let mut command = python("scim.py").unwrap();
        let ran = command.args([what, &url]).env("TOKEN", TOKEN).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success(), "{said}");
        String::from_utf8(ran.stdout).unwrap()
    }
}
