//! Two gateways on one PostgreSQL: what is revoked at the one ends the streams of both; one that is cut
//! off from the database refuses before long, and comes back by itself.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    postgres::Postgres,
    rig::{Act, MintIssuer, Next, Upstream, stream},
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say,
};
use lockgate_model::{Revocation, Revoked, Timestamp};
use lockgate_store::{db::DbPlace, revocations::Revocations};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    task::JoinSet,
};

use super::{lift, revoke};

/// How one stream ended.
pub(super) struct Ended {
    subject: String,
    /// When its last byte came.
    pub(super) at: Instant,
}

#[test]
fn a_revocation_ends_streams_on_every_gateway() {
    let count: usize = std::env::var("LOCKGATE_REVOKE_STREAMS").map_or(40, |n| n.parse().unwrap());
    let (postgres, folder) = (Postgres::start().unwrap(), tempfile::tempdir().unwrap());
    let link = postgres.link().unwrap();
    let (near, far) = (folder.path().join("near"), folder.path().join("far"));
    fs::write(&near, postgres.url()).unwrap();
    fs::write(&far, link.url()).unwrap();
    let (one, two) = (room("one", &near), room("two", &far));
    let runtime = Runtime::new().unwrap();

    // One person, revoked at one gateway.
    let begun = Arc::new(AtomicU32::new(0));
    let (mut ours, mut theirs) = (JoinSet::new(), JoinSet::new());
    for n in 0..count {
        open(&runtime, &mut ours, &one, "alice", &begun);
        open(&runtime, &mut theirs, &two, "alice", &begun);
        wait_for(&begun, 2 * n + 2);
    }
    let told = Instant::now();
    let id = revoke(&one, "person", "idp/alice").unwrap();
    let acknowledged = Instant::now();
    for (which, streams) in [("its own", ours), ("the other", theirs)] {
        let ended = runtime.block_on(all(streams));
        assert_eq!(ended.len(), count);
        report(
            &format!("{count} streams of {which} gateway, from the command's start"),
            &ended,
            |_| told,
        );
        let after = ended.iter().map(|one| one.at.saturating_duration_since(acknowledged));
        let latest = after.max().unwrap_or_default();
        assert!(latest < Duration::from_secs(1), "{latest:?} after it was acknowledged");
    }
    lift(&one, &id);
    storm(&runtime, &two, &postgres.url(), count);
    cut_off(&runtime, &two, &link);
}

/// Many people at once, each by a revocation of their own, straight into the database.
fn storm(runtime: &Runtime, room: &Room, url: &str, count: usize) {
    let (begun, mut streams) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
    for n in 0..count {
        open(runtime, &mut streams, room, &format!("p{n}"), &begun);
        wait_for(&begun, n + 1);
    }
    let place = DbPlace::Postgres(url.to_owned());
    let made = runtime.block_on(async {
        let store = Arc::new(Revocations::open(&place).await.unwrap());
        let mut makers = JoinSet::new();
        for maker in 0..4 {
            let store = Arc::clone(&store);
            makers.spawn(async move {
                let mut made = Vec::new();
                for n in (maker..count).step_by(4) {
                    let subject = format!("p{n}");
                    store.make(&[out(&subject)], Timestamp::from_millis(0)).await.unwrap();
                    made.push((subject, Instant::now()));
                }
                made
            });
        }
        makers.join_all().await.into_iter().flatten().collect::<std::collections::HashMap<_, _>>()
    });
    let took = made.values().max().unwrap().duration_since(*made.values().min().unwrap());
    let ended = runtime.block_on(all(streams));
    assert_eq!(ended.len(), count);
    let words =
        format!("storm of {count} revocations in {} ms, each from its own", took.as_millis());
    let latest = report(&words, &ended, |one| made[&one.subject]);
    assert!(latest < Duration::from_secs(1), "{latest:?}");
}

/// Nothing moves between the second gateway and the database.
fn cut_off(runtime: &Runtime, room: &Room, link: &lockgate_e2e::postgres::Link) {
    let (begun, mut streams) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
    open(runtime, &mut streams, room, "bob", &begun);
    wait_for(&begun, 1);
    let bob = caller(room, "bob");
    let status = || bob.send(&bob.call("echo", json!({}))).unwrap();
    assert_eq!(status_of(&bob, "any"), 200);
    link.pause(true);
    let paused = Instant::now();
    let ended = runtime.block_on(all(streams));
    let cut_after = ended[0].at.duration_since(paused);
    let reply = status();
    assert!(
        reply.status == 503 && reply.text().contains("revocations.unconfirmed"),
        "{}",
        reply.text()
    );
    let (code, parts) = room.gateway.ready().unwrap();
    assert!(code == 503 && parts.contains("revocations"), "{parts}");
    assert!(
        cut_after > Duration::from_secs(5) && cut_after < Duration::from_secs(12),
        "{cut_after:?}"
    );
    link.pause(false);
    let resumed = Instant::now();
    while status_of(&bob, "any") != 200 {
        assert!(resumed.elapsed() < Duration::from_secs(20), "{}", room.gateway.log());
        thread::sleep(Duration::from_millis(50));
    }
    let ready = Instant::now();
    while room.gateway.ready().unwrap().0 != 200 {
        assert!(ready.elapsed() < Duration::from_secs(20), "{:?}", room.gateway.ready());
        thread::sleep(Duration::from_millis(50));
    }
    say(&format!(
        "revocation: cut off from the database, it refuses after {} ms, and serves {} ms after it is back",
        cut_after.as_millis(),
        resumed.elapsed().as_millis()
    ));
}

/// Opens a stream of progress; counts it in `begun` with its first event.
fn open(
    runtime: &Runtime,
    streams: &mut JoinSet<Ended>,
    room: &Room,
    subject: &str,
    begun: &Arc<AtomicU32>,
) {
    open_as(runtime, streams, &caller(room, subject), subject, begun);
}

/// The same for a caller with a token of its own.
pub(super) fn open_as(
    runtime: &Runtime,
    streams: &mut JoinSet<Ended>,
    caller: &Caller,
    subject: &str,
    begun: &Arc<AtomicU32>,
) {
    let (bytes, address) = (caller.followed(7, "echo").bytes(), caller.address);
    let (subject, begun) = (subject.to_owned(), Arc::clone(begun));
    streams.spawn_on(follow(bytes, address, subject, begun), runtime.handle());
}

async fn follow(
    request: Vec<u8>,
    address: SocketAddr,
    subject: String,
    begun: Arc<AtomicU32>,
) -> Ended {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(&request).await.unwrap();
    let (mut seen, mut at, mut is_begun) = (String::new(), Instant::now(), false);
    let mut buffer = vec![0; 4096];
    // The connection stays open for the next request.
    while !seen.ends_with("0\r\n\r\n") {
        let count = socket.read(&mut buffer).await.unwrap_or_default();
        if count == 0 {
            break;
        }
        at = Instant::now();
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        if !is_begun && seen.contains("notifications/progress") {
            is_begun = true;
            begun.fetch_add(1, Ordering::AcqRel);
        }
    }
    assert!(seen.contains("\"error\""), "no last word: {seen}");
    Ended { subject, at }
}

pub(super) async fn all(mut streams: JoinSet<Ended>) -> Vec<Ended> {
    let mut ended = Vec::new();
    while let Some(one) = streams.join_next().await {
        ended.push(one.unwrap());
    }
    ended
}

pub(super) fn report(words: &str, ended: &[Ended], since: impl Fn(&Ended) -> Instant) -> Duration {
    let mut took: Vec<Duration> =
        ended.iter().map(|one| one.at.saturating_duration_since(since(one))).collect();
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_millis();
    say(&format!("revocation: {words}: p50/p99/max {}/{}/{} ms", at(50), at(99), at(100)));
    took.last().copied().unwrap_or_default()
}

fn room(node: &str, url: &Path) -> Room {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let settings = json!({
        "node": node,
        "recording": { "index": format!("file:{}", url.display()) },
        "limits": { "identity_calls_max": 5_000 },
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": [connection("main", &upstream.url())],
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let gateway = Gateway::start(&plan).unwrap();
    let records = gateway.records();
    upstream.act("echo", slowly());
    let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
    wait_for_tools(&room.alice().unwrap()).unwrap();
    room
}

/// Progress at once and then every second, for longer than anyone waits.
pub(super) fn slowly() -> Act {
    Arc::new(|_, _, socket| {
        stream::begin(socket)?;
        for step in 0..600 {
            stream::event(socket, &stream::progress(step))?;
            thread::sleep(Duration::from_secs(1));
        }
        Ok(Next::Close)
    })
}

fn caller(room: &Room, subject: &str) -> Caller {
    let mut claims = room.claims();
    claims["sub"] = json!(subject);
    claims["exp"] = json!(lockgate_e2e::rig::now_s() + 3_000);
    room.caller(&claims).unwrap()
}

fn status_of(caller: &Caller, tool: &str) -> u16 {
    caller.send(&caller.call(tool, json!({}))).unwrap().status
}

pub(super) fn wait_for(begun: &AtomicU32, wanted: usize) {
    let started = Instant::now();
    while (begun.load(Ordering::Acquire) as usize) < wanted {
        assert!(started.elapsed() < Duration::from_secs(30), "{wanted} streams do not begin");
        thread::sleep(Duration::from_millis(2));
    }
}

fn out(subject: &str) -> Revocation {
    Revocation {
        id: format!("r-{subject}"),
        target: Revoked::Subject { issuer: "idp".into(), subject: subject.into() },
        issued_until: None,
        reason: "storm".into(),
        by: "local:storm".into(),
        at: Timestamp::from_millis(0),
        until: None,
    }
}
