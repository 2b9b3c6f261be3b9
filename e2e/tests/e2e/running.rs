//! The process itself: the demo, reload, drain, and a disk that is full.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan, binary},
    mcp::Caller,
    rig::{MintIssuer, Upstream, stream::endless},
    room::{POLICIES, Room, settings, wait_for_tools},
    say,
    tools::run,
    wire::{Wire, data_of, expect_status},
};
use rustix::process::Signal;
use serde_json::{Value, json};

#[test]
fn the_demo_tells_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary().unwrap());
    command.args(["demo", "--once"]).current_dir(folder.path());
    let begun = Instant::now();
    let said = run(command, Duration::from_secs(120)).unwrap();
    assert_eq!(said.code, 0, "{}", said.text);
    say(&format!("demo --once: {:?}", begun.elapsed()));
}

#[test]
fn a_bad_file_keeps_the_old_snapshot_and_is_loud() {
    let mut room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let call = alice.call("echo", json!({ "text": "reload" }));
    let wait = |room: &Room, ready: bool, why: &str| {
        let begun = Instant::now();
        loop {
            let (status, said) = room.gateway.ready().unwrap();
            // The old version serves on, so it stays ready; the page says what is wrong.
            assert_eq!(status, 200, "{why}: {said}");
            if said.contains("degraded") != ready {
                return said;
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{why}: /readyz {status}: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    for bad in
        ["permit (principal", "permit (principal, action == Action::\"main/ecko\", resource);"]
    {
        room.gateway.write_policies(bad).unwrap();
        wait(&room, false, bad);
        room.passes(&call).unwrap();
        assert!(room.gateway.log().contains("\"ERROR\""), "nothing loud in the log for {bad}");
        room.gateway.write_policies(POLICIES).unwrap();
        wait(&room, true, "mended");
    }
    let mut settings = room.settings.clone();
    settings["conections"] = json!([]);
    room.gateway.write_settings(&settings).unwrap();
    wait(&room, false, "an unknown setting");
    room.passes(&call).unwrap();
    room.gateway.write_settings(&room.settings).unwrap();
    wait(&room, true, "mended");
    // A good file takes effect, and SIGHUP asks for nothing that the watcher has not seen.
    room.gateway.write_policies("// Nothing is permitted.").unwrap();
    room.gateway.signal(Signal::HUP).unwrap();
    let begun = Instant::now();
    while alice.send(&call).unwrap().rpc_code() != Some(-32602) {
        assert!(begun.elapsed() < Duration::from_secs(5), "the new policy is not in force");
        std::thread::sleep(Duration::from_millis(20));
    }
    say(&format!("reload: a new policy bites after {:?}", begun.elapsed()));
}

#[test]
fn reloading_under_load_fails_no_request() {
    let room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let call = alice.call("echo", json!({ "text": "load" }));
    let load: Vec<_> = (0..2)
        .map(|_| {
            let (alice, call) = (alice.clone(), call.clone());
            std::thread::spawn(move || {
                let begun = Instant::now();
                let mut count = 0;
                while begun.elapsed() < Duration::from_secs(4) {
                    let reply = alice.send(&call).unwrap();
                    assert!(reply.json().unwrap()["result"].is_object(), "{}", reply.text());
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 0..30 {
        room.gateway.write_policies(&format!("{POLICIES}\n// round {round}")).unwrap();
        room.gateway.signal(Signal::HUP).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    let count: u32 = load.into_iter().map(|one| one.join().unwrap()).sum();
    say(&format!("reload at 10 Hz: {count} calls, none failed"));
}

fn stream(caller: &Caller) -> Wire {
    let mut wire = caller.open(&caller.followed(9, "echo")).unwrap();
    expect_status(&wire.head().unwrap(), 200).unwrap();
    wire.stream_until(|text| text.contains("progress")).unwrap();
    wire
}

#[test]
fn a_drain_ends_in_time_with_streams_open() {
    let room = Room::start_with(|plan, _, _| {
        let settings = &mut plan.settings;
        settings["limits"] = json!({ "drain_max_ms": 2_000 });
    });
    let mut room = room.unwrap();
    let alice = room.alice().unwrap();
    room.upstream.act("echo", endless());
    let mut streams = vec![stream(&alice), stream(&alice)];
    let begun = Instant::now();
    room.gateway.signal(Signal::TERM).unwrap();
    for wire in &mut streams {
        let text = wire.stream_until(|_| false).unwrap();
        let last: Value = serde_json::from_str(&data_of(&text).pop().unwrap()).unwrap();
        assert_eq!(last["id"], 9, "a final message for the open call: {last}");
    }
    let code = room.gateway.wait_end(Duration::from_secs(10)).unwrap();
    let taken = begun.elapsed();
    assert_eq!(code, Some(0), "{}", room.gateway.log());
    assert!(taken < Duration::from_secs(6), "the drain took {taken:?}");
    say(&format!("drain with two streams open: {taken:?} (bound 2 s)"));
    let events = room.records.all().unwrap();
    let (mut intents, mut outcomes) = (0, 0);
    for event in &events {
        match event {
            lockgate_model::Event::Intent(_) => intents += 1,
            lockgate_model::Event::Outcome(_) => outcomes += 1,
            _ => {}
        }
    }
    assert_eq!(intents, outcomes, "every call has its outcome");
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    // The journal may not grow beyond this; a new segment starts from nothing.
    let plan = Plan {
        settings: settings(&issuer, &upstream.url()),
        policies: POLICIES.to_owned(),
        file_max: Some(512 * 1024),
    };
    let gateway = Gateway::start(&plan).unwrap();
    let token = issuer.token("rsa", &issuer.claims(&gateway.url("main"))).unwrap();
    let alice = gateway.caller("main", Some(&token));
    wait_for_tools(&alice).unwrap();
    let large = alice.call("any", json!({ "pad": "x".repeat(600 * 1024) }));
    let small = alice.call("any", json!({ "tag": "small" }));
    upstream.take_all();
    let reply = alice.send(&large).unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
    assert!(upstream.take_seen().is_empty(), "an unrecorded call was forwarded");
    let begun = Instant::now();
    while alice.send(&small).unwrap().status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it does not recover by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
    say(&format!("journal full: 503, recovered after {:?}", begun.elapsed()));
    let mut served = 0;
    for _ in 0..40 {
        let reply =
            alice.send(&alice.call("any", json!({ "pad": "y".repeat(50 * 1024) }))).unwrap();
        assert!(matches!(reply.status, 200 | 503), "{}", reply.status);
        served += usize::from(reply.status == 200);
    }
    assert!(served >= 20, "{served} of 40 calls served with small segments");
    let forwarded =
        upstream.take_seen().into_iter().filter(|seen| seen.rpc == "tools/call").count();
    let events = gateway.records().all().unwrap();
    let recorded = events.iter().filter(|event| match event {
        lockgate_model::Event::Intent(intent) => intent.method == "tools/call",
        _ => false,
    });
    assert!(recorded.count() >= forwarded, "a call was forwarded without its record");
}
