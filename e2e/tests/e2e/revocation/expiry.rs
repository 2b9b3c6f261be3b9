//! Tokens that expire while streams are open: each ends within a second, a thousand at once, and also
//! where the clock is set meanwhile.

use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::AtomicU32},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    prepare,
    rig::{MintIssuer, Upstream, now_s},
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
};
use serde_json::{Value, json};
use tokio::{runtime::Runtime, task::JoinSet};

use super::nodes::{all, open_as, report, slowly, wait_for};

/// Where Debian has it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn streams_end_with_their_tokens() {
    let count: usize = std::env::var("LOCKGATE_EXPIRE_STREAMS").map_or(40, |n| n.parse().unwrap());
    let room = room(&[]);
    let (runtime, begun, mut streams) = (Runtime::new().unwrap(), Arc::default(), JoinSet::new());
    // Time to open them all.
    let expires_s = now_s() + 10 + i64::try_from(count / 50).unwrap();
    for n in 0..count {
        open_as(&runtime, &mut streams, &caller(&room, expires_s), "alice", &begun);
        // Not one after the other, nor all at once.
        wait_for(&begun, (n + 1).saturating_sub(20));
    }
    wait_for(&begun, count);
    let expires = instant(expires_s);
    assert!(expires > Instant::now(), "it took too long to open them");
    let ended = runtime.block_on(all(streams));
    assert_eq!(ended.len(), count);
    assert!(ended.iter().all(|one| one.at + SECOND / 10 >= expires), "one ended early");
    let latest = report(&format!("{count} streams, from their token's end"), &ended, |_| expires);
    assert!(latest < SECOND, "{latest:?}");
}

#[test]
fn a_clock_that_is_set_lengthens_nothing() {
    prepare::debian().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("offset");
    let set = |offset: &str| {
        let fresh = folder.path().join("fresh");
        fs::write(&fresh, offset).unwrap();
        fs::rename(fresh, &file).unwrap();
    };
    set("+0");
    let room = room(&[
        ("LD_PRELOAD", Path::new(FAKETIME)),
        ("FAKETIME_TIMESTAMP_FILE", &file),
        ("FAKETIME_NO_CACHE", Path::new("1")),
        ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1")),
    ]);
    let runtime = Runtime::new().unwrap();
    let open = |expires_s: i64| {
        let (begun, mut streams) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        open_as(&runtime, &mut streams, &caller(&room, expires_s), "alice", &begun);
        wait_for(&begun, 1);
        streams
    };

    // Forward, past the end of one token and not of the other.
    let (over, good) = (open(now_s() + 60), open(now_s() + 600));
    set("+70");
    let stepped = Instant::now();
    let ended = runtime.block_on(all(over));
    let took =
        report("a stream, after the clock was set over its token's end", &ended, |_| stepped);
    assert!(took < SECOND, "{took:?}");
    assert_eq!(good.len(), 1);
    let late = caller(&room, now_s() + 60);
    assert_eq!(late.send(&late.call("any", json!({}))).unwrap().status, 401, "by that clock");

    // Back, by an hour: what was measured when it began stays.
    set("+0");
    let expires_s = now_s() + 5;
    let short = open(expires_s);
    std::thread::sleep(SECOND);
    set("-3600");
    let ended = runtime.block_on(all(short));
    let expires = instant(expires_s);
    assert!(ended.iter().all(|one| one.at + SECOND / 10 >= expires), "it ended early");
    let took = report("a stream, its clock set back, from its token's end", &ended, |_| expires);
    assert!(took < SECOND, "{took:?}");
    assert!(room.gateway.log().contains("the clock was set"), "{}", room.gateway.log());
}

/// A gateway that grants no leeway, with these variables.
fn room(variables: &[(&'static str, &Path)]) -> Room {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let mut idp = issuer_settings("idp", &issuer);
    idp["leeway_s"] = json!(0);
    let settings: Value = json!({
        "limits": { "identity_calls_max": 5_000 },
        "issuers": [idp],
        "connections": [connection("main", &upstream.url())],
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let mut gateway = Gateway::prepare(&plan).unwrap();
    for (name, value) in variables {
        gateway.variable(name, value);
    }
    gateway.run().unwrap();
    gateway.wait_ready().unwrap();
    let records = gateway.records();
    upstream.act("echo", slowly());
    let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
    wait_for_tools(&caller(&room, now_s() + 300)).unwrap();
    room
}

fn caller(room: &Room, expires_s: i64) -> Caller {
    let mut claims = room.claims();
    // Long enough ago that it is valid by a clock that is set back, too.
    claims["iat"] = json!(now_s() - 7_200);
    claims["exp"] = json!(expires_s);
    room.caller(&claims).unwrap()
}

/// When the clock on the wall of this machine shows this time.
fn instant(seconds: i64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = Duration::from_secs(u64::try_from(seconds).unwrap());
    match then.checked_sub(now) {
        Some(left) => Instant::now() + left,
        None => Instant::now() - now.saturating_sub(then),
    }
}
