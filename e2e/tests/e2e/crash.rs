//! kill -9 at random instants under load: whatever the upstream saw, and whatever a client saw, is
//! in the journal that the next start finds. `LOCKGATE_CRASH_ROUNDS` says how often (200 by
//! default), `LOCKGATE_CRASH_SEED` repeats a run.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    rig::{MintIssuer, Upstream, now_s},
    room::{settings, wait_for_tools},
    say,
    wire::Wire,
};
use lockgate_model::Event;
use serde_json::{Value, json};

#[test]
fn nothing_seen_is_ever_missing_from_the_record() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("LOCKGATE_CRASH_ROUNDS").unwrap_or(200);
    let seed = number("LOCKGATE_CRASH_SEED").unwrap_or(now_s().unsigned_abs());
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("upstream-saw");
    upstream.keep_calls(&kept).unwrap();
    let plan = Plan {
        settings: settings(&issuer, &upstream.url()),
        policies: "permit (principal, action, resource);".to_owned(),
        file_max: None,
    };
    let mut gateway = Gateway::start(&plan).unwrap();
    let mut claims = issuer.claims(&gateway.url("main"));
    claims["exp"] = json!(now_s() + 7200);
    let alice = gateway.caller("main", Some(&issuer.token("rsa", &claims).unwrap()));
    wait_for_tools(&alice).unwrap();
    let (results, mut random) = (Arc::new(Mutex::new(BTreeSet::new())), seed);
    let (begun, mut starts) = (Instant::now(), Vec::new());
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let load: Vec<_> = (0..3)
            .map(|worker| {
                let (alice, stop, results) =
                    (alice.clone(), Arc::clone(&stop), Arc::clone(&results));
                std::thread::spawn(move || {
                    call(&alice, &format!("{round}-{worker}"), &stop, &results)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_micros(20_000 + next(&mut random) % 150_000));
        gateway.kill().unwrap();
        stop.store(true, Ordering::Release);
        load.into_iter().for_each(|one| one.join().unwrap());
        let start = Instant::now();
        gateway.run().unwrap();
        wait_serving(&gateway, &alice);
        starts.push(start.elapsed());
    }
    gateway.kill().unwrap();
    gateway.run().unwrap();
    gateway.wait_ready().unwrap();
    starts.sort_unstable();
    let (half, slowest) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    let data = gateway.data().display().to_string();
    let verify = ["journal", "verify", "--folder", &data];
    let (code, verified) = gateway.command_within(&verify, Duration::from_secs(120)).unwrap();
    let Recorded { intents, outcomes, torn } = recorded(&gateway);
    let saw = std::fs::read_to_string(&kept).unwrap();
    let saw: BTreeSet<String> = saw.lines().map(str::to_owned).collect();
    let results = results.lock().unwrap();
    let orphans: Vec<_> = saw.difference(&intents).collect();
    let unrecorded: Vec<_> = results.difference(&outcomes).collect();
    say(&format!(
        "crash: {rounds} kills, seed {seed}, {:?}; upstream saw {}, {} of them unrecorded; clients saw \
         {}, {} of them unrecorded; {torn} torn tails; \
         from start to the first call p50 {half:?}, max {slowest:?}; `journal verify`: {}",
        begun.elapsed(),
        saw.len(),
        orphans.len(),
        results.len(),
        unrecorded.len(),
        verified.lines().rev().nth(1).unwrap_or_default(),
    ));
    assert_eq!(code, 0, "seed {seed}: {verified}");
    assert!(saw.len() as u64 > rounds, "there was hardly any load");
    assert!(orphans.is_empty(), "seed {seed}: forwarded without a record: {orphans:?}");
    assert!(unrecorded.is_empty(), "seed {seed}: seen by a client, not recorded: {unrecorded:?}");
}

/// What the journal knows, by the tags of the calls.
#[derive(Default)]
struct Recorded {
    intents: BTreeSet<String>,
    outcomes: BTreeSet<String>,
    /// Starts that found a torn tail.
    torn: u64,
}

fn recorded(gateway: &Gateway) -> Recorded {
    let mut found = Recorded::default();
    let mut tags = BTreeMap::new();
    for event in gateway.records().all().unwrap() {
        match event {
            Event::Intent(intent) => {
                let tag = intent.arguments["tag"].as_str().unwrap_or_default().to_owned();
                tags.insert(intent.call.clone(), tag.clone());
                found.intents.insert(tag);
            }
            Event::Outcome(outcome) => found.outcomes.extend(tags.get(&outcome.call).cloned()),
            Event::Started { torn_bytes, .. } => found.torn += u64::from(torn_bytes > 0),
            _ => {}
        }
    }
    found
}

/// Calls until the gateway is gone; keeps the tag of every result that came back.
fn call(alice: &Caller, name: &str, stop: &AtomicBool, results: &Mutex<BTreeSet<String>>) {
    let Ok(mut wire) = Wire::open(alice.address) else { return };
    for number in 0.. {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let tag = format!("{name}-{number}");
        wire.send(&alice.call("echo", json!({ "tag": tag })).bytes());
        let Ok(reply) = wire.reply() else { return };
        let answer: Value = reply.json().unwrap_or_default();
        if reply.whole && answer["result"]["content"].to_string().contains(&tag) {
            results.lock().unwrap().insert(tag);
        }
    }
}

/// The next round begins when calls go through again; the rest of the start is not waited for.
fn wait_serving(gateway: &Gateway, alice: &Caller) {
    let begun = Instant::now();
    loop {
        let reply = alice.send(&alice.call("any", json!({ "tag": "probe" })));
        if reply.is_ok_and(|reply| reply.status == 200 && reply.text().contains("probe")) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no start:\n{}", gateway.log());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// xorshift64*, for instants that a seed can repeat.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
}
