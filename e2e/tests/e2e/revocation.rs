//! Access taken away: everything of its owner ends, on every gateway, within a second, for good.

mod expiry;
mod logout;
mod nodes;
mod polled;
mod told;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::{Caller, LEGACY},
    rig::stream::endless,
    room::{POLICIES, Room},
    say,
    wire::{data_of, expect_status},
};
use lockgate_model::{ApprovalStep, Event, OutcomeStatus, Reason};
use serde_json::{Value, json};

/// By then a change is in force everywhere.
const EFFECT: Duration = Duration::from_secs(1);
const HELD: &str = r#"
@id("held")
@approvers("idp/reviewers")
forbid (principal, action == Action::"main/any", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;

#[test]
fn everything_of_its_owner_ends() {
    let mut room =
        Room::start_with(|plan, _, _| plan.policies = format!("{POLICIES}{HELD}")).unwrap();
    let (alice, bob) = (room.alice().unwrap(), person(&room, "bob"));
    let session = alice.initialize(LEGACY).unwrap();
    let bobs = bob.initialize(LEGACY).unwrap();
    assert_eq!(who_is_in(&room), ["alice", "bob"]);

    // A stream, a call without an answer, and a question to people, all under way.
    room.upstream.act("echo", endless());
    let mut stream = alice.open(&alice.followed(7, "echo")).unwrap();
    expect_status(&stream.head().unwrap(), 200).unwrap();
    let mut bobs_stream = bob.open(&bob.followed(8, "echo")).unwrap();
    let reaches = |name: &str| {
        for _ in 0..100 {
            if room.upstream.take_all().iter().any(|one| one.rpc == name) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{name} does not reach the server");
    };
    room.upstream.act(
        "resources/read",
        std::sync::Arc::new(|_, _, _| {
            thread::sleep(Duration::from_secs(20));
            Ok(lockgate_e2e::rig::Next::Close)
        }),
    );
    let uri = json!({ "uri": "file:///srv/slow" });
    let mut unanswered = alice.open(&alice.modern(&json!(9), "resources/read", uri)).unwrap();
    reaches("resources/read");
    let mut held = alice.open(&alice.call("any", json!({ "text": "x" }))).unwrap();
    expect_status(&held.head().unwrap(), 200).unwrap();

    let begun = Instant::now();
    let id = revoke(&room, "person", "idp/alice").unwrap();
    let rest = data_of(&stream.stream_until(|_| false).unwrap()).pop().unwrap();
    assert!(rest.contains(r#""code":1401"#), "{rest}");
    let reply = unanswered.reply().unwrap();
    assert_eq!((reply.status, reply.rpc_code()), (401, Some(1401)), "{}", reply.text());
    let told = data_of(&held.stream_until(|_| false).unwrap()).pop().unwrap();
    assert!(told.contains(r#""code":1401"#), "{told}");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    expect_status(&alice.send(&alice.call("echo", json!({}))).unwrap(), 401).unwrap();

    // Bob notices nothing.
    expect_status(&bobs_stream.head().unwrap(), 200).unwrap();
    bobs_stream.stream_until(|text| text.matches("progress\"").count() > 6).unwrap();
    room.upstream.behave();
    expect_status(&bob.send(&in_session(&bob, &bobs)).unwrap(), 200).unwrap();
    recorded(&mut room, &id).unwrap();
    assert_eq!(who_is_in(&room), ["bob"]);

    // Given back, she begins again: the session is gone.
    lift(&room, &id);
    let reply = alice.send(&in_session(&alice, &session)).unwrap();
    assert_eq!(reply.status, 404, "{}", reply.text());
    assert!(alice.initialize(LEGACY).is_ok());
    say(&format!(
        "revocation: everything under way ended {} ms after the command began",
        took.as_millis()
    ));
}

/// A session is cut by itself, and its owner goes on in another one.
#[test]
fn a_session_ends_alone() {
    let room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let (one, two) = (alice.initialize(LEGACY).unwrap(), alice.initialize(LEGACY).unwrap());
    for session in [&one, &two] {
        expect_status(&alice.send(&in_session(&alice, session)).unwrap(), 200).unwrap();
    }
    // What she did before, without a session, is a third.
    let open = listed(&room);
    assert_eq!(open.len(), 3);
    let legacy = open.iter().find(|row| row["era"] == "legacy").unwrap();
    revoke(&room, "session", legacy["id"].as_str().unwrap()).unwrap();
    thread::sleep(EFFECT);
    let status = |session: &str| alice.send(&in_session(&alice, session)).unwrap().status;
    let mut left = [status(&one), status(&two)];
    left.sort_unstable();
    assert_eq!(left, [200, 404]);
    let unknown = room.gateway.command(&["revoke", "person", "ipd/alice", "--reason", "slip"]);
    let (code, text) = unknown.unwrap();
    assert!(code == 2 && text.contains("the choices are `idp`"), "{text}");
}

/// What was acknowledged is still so after a crash at once.
#[test]
fn a_crash_forgets_nothing() {
    let kills: u32 = std::env::var("LOCKGATE_REVOKE_KILLS").map_or(5, |n| n.parse().unwrap());
    let mut room = Room::start().unwrap();
    for n in 0..kills {
        let subject = format!("p{n}");
        let caller = person(&room, &subject);
        expect_status(&caller.send(&caller.call("echo", json!({}))).unwrap(), 200).unwrap();
        revoke(&room, "person", &format!("idp/{subject}")).unwrap();
        room.gateway.kill().unwrap();
        room.gateway.run().unwrap();
        room.gateway.wait_ready().unwrap();
        let caller = person(&room, &subject);
        let reply = caller.send(&caller.call("echo", json!({}))).unwrap();
        assert_eq!(reply.status, 401, "after {n} kills: {}", reply.text());
        let alice = room.alice().unwrap();
        expect_status(&alice.send(&alice.call("echo", json!({}))).unwrap(), 200).unwrap();
    }
    say(&format!("revocation: {kills} kills after a revocation was acknowledged, 0 forgotten"));
}

/// The revocation comes first; what was cut, voided and closed by it comes after.
fn recorded(room: &mut Room, id: &str) -> anyhow::Result<()> {
    thread::sleep(Duration::from_millis(300));
    let events = room.records.all()?;
    let begun = events.iter().position(|event| matches!(event, Event::Revocations(_)));
    let after = events.get(begun.unwrap_or(events.len())..).unwrap_or_default();
    let cut = after.iter().filter(|event| {
        matches!(event, Event::Outcome(outcome)
            if outcome.status == OutcomeStatus::Cut && outcome.reason == Some(Reason::AccessRevoked))
    });
    ensure!(cut.count() == 2, "the stream and the unanswered call are cut");
    let void = |event: &Event| matches!(event, Event::Approval(one) if matches!(one.step, ApprovalStep::Void { .. }));
    ensure!(after.iter().any(void), "the question is void");
    let closed = after.iter().filter(
        |event| matches!(event, Event::Closed { why, .. } if *why == format!("revoked by {id}")),
    );
    ensure!(closed.count() == 2, "the MCP session and the modern one are closed");
    let seen = room.upstream.take_all();
    let ended = seen.iter().filter(|one| one.heard.method == "DELETE").count();
    ensure!(ended == 1, "the server was told {ended} times");
    Ok(())
}

fn person(room: &Room, subject: &str) -> Caller {
    let mut claims = room.claims();
    claims["sub"] = json!(subject);
    room.caller(&claims).unwrap()
}

fn in_session(caller: &Caller, session: &str) -> lockgate_e2e::wire::Request {
    let params = json!({ "name": "echo", "arguments": {} });
    caller.legacy(Some(session), &json!(3), "tools/call", params)
}

/// Revokes, and gives the revocation's id.
fn revoke(room: &Room, kind: &str, name: &str) -> anyhow::Result<String> {
    let told = ["revoke", kind, name, "--reason", "it is over", "--json", "--yes"];
    let (code, text) = room.gateway.command(&told)?;
    ensure!(code == 0, "{text}");
    let revocation: Value = serde_json::from_str(&text)?;
    Ok(revocation["id"].as_str().unwrap_or_default().to_owned())
}

fn lift(room: &Room, id: &str) {
    let (code, text) =
        room.gateway.command(&["revoke", "lift", id, "--reason", "it is not"]).unwrap();
    assert_eq!(code, 0, "{text}");
    thread::sleep(EFFECT);
}

fn listed(room: &Room) -> Vec<Value> {
    let (code, text) = room.gateway.command(&["who-is-in", "--json"]).unwrap();
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap()
}

fn who_is_in(room: &Room) -> Vec<String> {
    let mut names: Vec<String> =
        listed(room).iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}
