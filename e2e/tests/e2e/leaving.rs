//! Clients that leave: in the modern era that is the cancel, in the legacy era the call goes on and
//! its answer is still recorded.

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use lockgate_e2e::{
    mcp::{Caller, LEGACY},
    rig::{
        Next, Upstream,
        stream::{self, FOLLOWED},
    },
    room::Room,
    say,
    wire::{Request, expect_status},
};
use lockgate_model::{Event, OutcomeStatus};
use serde_json::json;

/// How many events the server sends before its answer, one every 50 ms.
const STEPS: u32 = 30;

/// A tool that reports progress for a while and then answers; tells how far it came.
fn slow(upstream: &Upstream) -> mpsc::Receiver<u32> {
    let (tell, told) = mpsc::channel();
    upstream.act(
        "echo",
        Arc::new(move |_, message, socket| {
            stream::begin(socket)?;
            for step in 0..STEPS {
                if stream::event(socket, &stream::progress(step)).is_err() {
                    tell.send(step).ok();
                    return Ok(Next::Close);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            let answer = json!({ "jsonrpc": "2.0", "id": message["id"],
                "result": { "content": [], "resultType": "complete" } });
            let whole = stream::event(socket, &answer.to_string());
            tell.send(if whole.is_ok() { STEPS } else { 0 }).ok();
            Ok(Next::Close)
        }),
    );
    told
}

/// Begins the call, sees its first event, and leaves.
fn leave(caller: &Caller, request: &Request) {
    let mut wire = caller.open(request).unwrap();
    expect_status(&wire.head().unwrap(), 200).unwrap();
    wire.stream_until(|text| text.contains("progress")).unwrap();
}

/// The outcomes of tool calls, once there is one.
fn outcome(room: &Room) -> OutcomeStatus {
    let begun = Instant::now();
    loop {
        let events = room.records.all().unwrap();
        let calls: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Intent(intent) if intent.method == "tools/call" => Some(&intent.call),
                _ => None,
            })
            .collect();
        let ended = events.iter().find_map(|event| match event {
            Event::Outcome(outcome) if calls.contains(&&outcome.call) => Some(outcome.status),
            _ => None,
        });
        if let Some(status) = ended {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "no outcome is on record");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn leaving_cancels_a_modern_call() {
    let room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let told = slow(&room.upstream);
    leave(&alice, &alice.followed(9, "echo"));
    let steps = told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(steps < STEPS / 2, "the server went on for {steps} steps");
    assert_eq!(outcome(&room), OutcomeStatus::Cancelled);
    say(&format!("modern: the server lost its client after {steps} of {STEPS} steps"));
}

#[test]
fn leaving_does_not_cancel_a_legacy_call() {
    let room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let session = alice.initialize(LEGACY).unwrap();
    let told = slow(&room.upstream);
    let params = json!({ "name": "echo", "_meta": { "progressToken": FOLLOWED } });
    leave(&alice, &alice.legacy(Some(&session), &json!(9), "tools/call", params));
    let steps = told.recv_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(steps, STEPS, "the server was cut off");
    assert_eq!(outcome(&room), OutcomeStatus::Result);
}
