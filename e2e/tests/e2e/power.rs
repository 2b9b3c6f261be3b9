//! The power fails under load, at random instants: the data folder lies on a file system in a file,
//! and a copy of that file, made while the gateway stands still, holds what had reached the disk. Each
//! copy is opened as the next start would open it. `LOCKGATE_POWER_IMAGES` says how many (50 by
//! default), `LOCKGATE_POWER_SEED` repeats a run.
//!
//! What must hold: whatever the upstream saw has its intent, and whatever a client saw on a strict
//! connection has its outcome. On the default connection results of the last moment may be missing;
//! their calls are there, with an unknown outcome. Where fsync does nothing, the same test must find
//! something missing, or it is blind.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    disk::{Image, may_mount},
    gateway::{Gateway, Plan},
    mcp::Caller,
    prepare,
    rig::{MintIssuer, Next, Upstream, answer, json_reply, now_s, stream},
    room::{connection, issuer_settings, wait_for_tools},
    say,
    wire::Wire,
};
use lockgate_model::Event;
use lockgate_store::journal::{self, Journal, JournalOptions, Keys};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::crash::next;

/// Power cuts before the gateway is killed and started again on the same disk.
const CUTS_A_START: u64 = 10;
/// Power cuts before it gets an empty disk.
const CUTS_A_DISK: u64 = 100;
/// A result on the default connection is synced after this time at the latest.
const UNSYNCED_MAX: Duration = Duration::from_millis(20);

#[test]
fn i9_a_power_cut_loses_nothing_that_was_durable() {
    if !may_mount() {
        return;
    }
    prepare::debian().unwrap();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cuts = number("LOCKGATE_POWER_IMAGES").unwrap_or(50);
    let seed = number("LOCKGATE_POWER_SEED").unwrap_or(now_s().unsigned_abs());
    let begun = Instant::now();
    let sum = cut_power(cuts, seed, None).unwrap_or_else(|fault| panic!("seed {seed}: {fault:#}"));
    let took = begun.elapsed();
    say(&format!("power: {cuts} cuts, seed {seed}, {took:?}; {sum}"));
    assert_eq!(sum.unreadable.first(), None, "seed {seed}");
    assert!(sum.intents_seen > cuts && sum.strict_seen > cuts, "there was hardly any load");
    assert!(sum.messages_seen > cuts, "there were hardly any streams");
    assert_eq!((sum.intents_lost, sum.strict_lost), (0, 0), "seed {seed}: {sum}");
    assert_eq!(sum.without_intent, 0, "seed {seed}: a lost result whose call is unknown too");
    // A sync that was under way when the records were written holds the next one up by its own time.
    let bound = UNSYNCED_MAX + 2 * sum.strict_wait_max;
    assert!(sum.lost_age_max <= bound, "seed {seed}: lost after {:?}", sum.lost_age_max);
}

/// The positive control: without fsync the same cuts must lose something.
#[test]
fn i9_without_fsync_the_same_test_finds_a_loss() {
    if !may_mount() {
        return;
    }
    prepare::debian().unwrap();
    let library = ["x86_64-linux-gnu", "aarch64-linux-gnu"]
        .map(|machine| format!("/usr/lib/{machine}/libeatmydata.so"));
    let library = library.iter().map(Path::new).find(|path| path.exists());
    let library = library.expect("Debian's package `libeatmydata1`");
    let sum = cut_power(3, now_s().unsigned_abs(), Some(library)).unwrap();
    say(&format!("power, without fsync: 3 cuts; {sum}"));
    assert!(sum.intents_lost > 0 && sum.strict_lost > 0, "the test is blind: {sum}");
}

/// What was found in all copies together.
#[derive(Default)]
struct Sum {
    /// Calls that the upstream saw, counted at the last cut of each disk.
    intents_seen: u64,
    strict_seen: u64,
    plain_seen: u64,
    messages_seen: u64,
    /// Of what was seen before each cut, what its copy lacks.
    intents_lost: u64,
    strict_lost: u64,
    plain_lost: u64,
    /// Lost results whose intent is not there either.
    without_intent: u64,
    /// Of what is lost, how long before the cut the oldest was seen.
    lost_age_max: Duration,
    /// The longest call on a strict connection.
    strict_wait_max: Duration,
    /// Calls without an outcome in the copies.
    unknown: u64,
    torn: u64,
    /// Copies that can't be opened, or that the check finds fault with.
    unreadable: Vec<String>,
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the upstream saw {}, intents lost {}; strict results seen {}, lost {}; default results \
             and messages seen {}, lost {}, the oldest seen {:?} before its cut; {} calls in the copies \
             with unknown outcome; {} torn tails; longest strict call {:?}; unreadable copies {}",
            self.intents_seen,
            self.intents_lost,
            self.strict_seen,
            self.strict_lost,
            self.plain_seen,
            self.plain_lost,
            self.lost_age_max,
            self.unknown,
            self.torn,
            self.strict_wait_max,
            self.unreadable.len(),
        )
    }
}

/// What everyone outside of the gateway has seen.
#[derive(Default)]
struct Seen {
    upstream: BTreeSet<String>,
    strict: BTreeSet<String>,
    plain: BTreeMap<String, Instant>,
    strict_wait_max: Duration,
    /// Times that the gateway stood still: a call across one says nothing about waits.
    cuts: u64,
}

type Book = Arc<Mutex<Seen>>;

fn cut_power(cuts: u64, seed: u64, preload: Option<&Path>) -> anyhow::Result<Sum> {
    let (mut sum, mut random, mut left) = (Sum::default(), seed | 1, cuts);
    while left > 0 {
        let here = left.min(CUTS_A_DISK);
        cut_disk(here, &mut random, preload, &mut sum)?;
        left -= here;
    }
    Ok(sum)
}

/// One gateway on one disk.
fn cut_disk(
    cuts: u64,
    random: &mut u64,
    preload: Option<&Path>,
    sum: &mut Sum,
) -> anyhow::Result<()> {
    let (issuer, upstream, book) = (MintIssuer::start()?, Upstream::start()?, Book::default());
    behave(&upstream, &book);
    let mut strict = connection("strict", &upstream.url());
    strict["durability"] = json!("strict");
    let settings = json!({
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": [connection("main", &upstream.url()), strict],
    });
    let policies = "permit (principal, action, resource);".to_owned();
    let mut gateway = Gateway::prepare(&Plan { settings, policies, file_max: None })?;
    let image = Image::new()?;
    let disk = image.mount(&gateway.data())?;
    if let Some(library) = preload {
        gateway.variable("LD_PRELOAD", library);
    }
    let caller = |name: &str| -> anyhow::Result<Caller> {
        let mut claims = issuer.claims(&gateway.url(name));
        claims["exp"] = json!(now_s() + 7200);
        Ok(gateway.caller(name, Some(&issuer.token("rsa", &claims)?)))
    };
    let (main, strict) = (caller("main")?, caller("strict")?);
    let mut done = 0;
    while done < cuts {
        gateway.run()?;
        gateway.wait_ready()?;
        wait_for_tools(&main)?;
        wait_for_tools(&strict)?;
        let load = Load::start(&main, &strict, &book, done);
        for _ in 0..CUTS_A_START.min(cuts - done) {
            std::thread::sleep(Duration::from_micros(5_000 + next(random) % 60_000));
            cut(&gateway, &image, &book, sum)?;
            upstream.take_all();
            done += 1;
        }
        gateway.kill()?;
        load.stop();
    }
    let seen = book.lock().unwrap();
    sum.intents_seen += seen.upstream.len() as u64;
    sum.strict_seen += seen.strict.len() as u64;
    sum.plain_seen += seen.plain.len() as u64;
    sum.messages_seen += seen.plain.keys().filter(|tag| tag.contains('#')).count() as u64;
    sum.strict_wait_max = sum.strict_wait_max.max(seen.strict_wait_max);
    disk.unmount()
}

/// Stops the gateway, copies its disk, compares, and lets it go on.
fn cut(gateway: &Gateway, image: &Image, book: &Book, sum: &mut Sum) -> anyhow::Result<()> {
    book.lock().unwrap().cuts += 1;
    let at = Instant::now();
    gateway.signal(Signal::STOP)?;
    wait_stopped(gateway.pid())?;
    let copy = image.cut()?;
    let found = look(&copy);
    // Whatever arrived meanwhile was sent before.
    let seen = book.lock().unwrap();
    let found = found.unwrap_or_else(|fault| {
        sum.unreadable.push(format!("{fault:#}"));
        Found::default()
    });
    let lacks =
        |all: &BTreeSet<String>, have: &BTreeSet<String>| all.difference(have).count() as u64;
    sum.intents_lost += lacks(&seen.upstream, &found.intents);
    sum.strict_lost += lacks(&seen.strict, &found.results);
    for (tag, when) in seen.plain.iter().filter(|(tag, _)| !found.results.contains(*tag)) {
        sum.plain_lost += 1;
        let call = tag.split('#').next().unwrap_or_default();
        sum.without_intent += u64::from(!found.intents.contains(call));
        sum.lost_age_max = sum.lost_age_max.max(at.saturating_duration_since(*when));
    }
    sum.unknown += found.unknown;
    sum.torn += u64::from(found.torn);
    drop(seen);
    gateway.signal(Signal::CONT)
}

/// Waits until every thread stands still: what the kernel was doing for one of them is done then.
fn wait_stopped(pid: u32) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let mut running = 0;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let stat = std::fs::read_to_string(task?.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
            running += usize::from(state.is_some_and(|state| state != 'T'));
        }
        if running == 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(10), "{running} threads do not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What one copy holds.
#[derive(Default)]
struct Found {
    intents: BTreeSet<String>,
    results: BTreeSet<String>,
    unknown: u64,
    torn: bool,
}

fn look(copy: &Image) -> anyhow::Result<Found> {
    let folder = tempfile::tempdir()?;
    let disk = copy.mount(folder.path())?;
    let found = read(folder.path());
    disk.unmount()?;
    found
}

/// Opens the data folder as the next start does, reads everything, and lets the binary check it.
fn read(data: &Path) -> anyhow::Result<Found> {
    let (folder, keys) = (data.join("journal"), Keys::open(&data.join("keys"))?);
    let node = journal::node(&folder, &keys)?.context("no segment")?;
    let options = JournalOptions { node, ..JournalOptions::default() };
    let (journal, recovery) = Journal::open(&folder, &keys, options)?;
    drop(journal);
    let mut found = Found { torn: recovery.torn_bytes > 0, ..Found::default() };
    let (mut tags, mut open) = (BTreeMap::new(), BTreeSet::new());
    for record in journal::read(&folder, &keys)? {
        match record?.event()?.context("nothing was erased")? {
            Event::Intent(intent) => {
                let Some(tag) = intent.arguments["tag"].as_str() else { continue };
                found.intents.insert(tag.to_owned());
                open.insert(intent.call.clone());
                tags.insert(intent.call, tag.to_owned());
            }
            Event::Message(message) => {
                let Some(tag) = tags.get(&message.call) else { continue };
                let body: Value = serde_json::from_str(message.body.context("it is small")?.get())?;
                found.results.insert(format!("{tag}#{}", body["params"]["progress"]));
            }
            Event::Outcome(outcome) => {
                open.remove(&outcome.call);
                let Some(tag) = tags.get(&outcome.call) else { continue };
                // The last message of a stream stands in its outcome.
                found.results.extend([tag.clone(), format!("{tag}#null")]);
            }
            _ => {}
        }
    }
    found.unknown = open.len() as u64;
    let mut verify = std::process::Command::new(lockgate_e2e::gateway::binary()?);
    verify.args(["journal", "verify", "--folder"]).arg(data);
    let said = lockgate_e2e::tools::run(verify, Duration::from_secs(60))?;
    ensure!(said.code == 0, "`journal verify` exited with {}: {}", said.code, said.text);
    Ok(found)
}

/// The upstream notes each call; `any` answers in a stream.
fn behave(upstream: &Upstream, book: &Book) {
    let tag = |message: &Value| message["params"]["arguments"]["tag"].as_str().map(str::to_owned);
    let notes = Arc::clone(book);
    upstream.act(
        "echo",
        Arc::new(move |heard, message, socket| {
            notes.lock().unwrap().upstream.extend(tag(message));
            json_reply(socket, 200, &[], &answer(&message["id"], &heard.body))
        }),
    );
    let notes = Arc::clone(book);
    upstream.act(
        "any",
        Arc::new(move |heard, message, socket| {
            notes.lock().unwrap().upstream.extend(tag(message));
            stream::begin(socket)?;
            for step in 1..=4 {
                stream::event(socket, &stream::progress(step))?;
                std::thread::sleep(Duration::from_millis(2));
            }
            stream::event(socket, &answer(&message["id"], &heard.body))?;
            stream::end(socket)?;
            Ok(Next::Keep)
        }),
    );
}

/// Clients that call until they are stopped.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(main: &Caller, strict: &Caller, book: &Book, round: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients = [(main, "main"), (main, "main"), (main, "stream"), (strict, "strict")];
        let clients = clients.into_iter().enumerate().map(|(at, (caller, kind))| {
            let (caller, book, stop) = (caller.clone(), Arc::clone(book), Arc::clone(&stop));
            let name = format!("{round}-{at}");
            std::thread::spawn(move || {
                for number in 0_u64.. {
                    let tag = format!("{name}-{number}");
                    let called = match kind {
                        "stream" => follow(&caller, &tag, &book),
                        _ => call(&caller, &tag, &book, kind == "strict"),
                    };
                    // The gateway is gone, or about to be.
                    if called.is_err() || stop.load(Ordering::Acquire) {
                        return;
                    }
                }
            })
        });
        Self { clients: clients.collect(), stop }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
    }
}

fn call(caller: &Caller, tag: &str, book: &Book, strict: bool) -> anyhow::Result<()> {
    let (begun, cuts) = (Instant::now(), book.lock().unwrap().cuts);
    let mut wire = Wire::open(caller.address)?;
    wire.send(&caller.call("echo", json!({ "tag": tag })).bytes());
    let reply = wire.reply()?;
    if !reply.whole || !reply.text().contains(tag) {
        return Ok(());
    }
    let mut seen = book.lock().unwrap();
    if strict {
        seen.strict.insert(tag.to_owned());
        if seen.cuts == cuts {
            seen.strict_wait_max = seen.strict_wait_max.max(begun.elapsed());
        }
    } else {
        seen.plain.insert(tag.to_owned(), Instant::now());
    }
    Ok(())
}

/// A call whose answer is a stream; each message counts when it is there.
fn follow(caller: &Caller, tag: &str, book: &Book) -> anyhow::Result<()> {
    let params = json!({ "name": "any", "arguments": { "tag": tag },
        "_meta": { "progressToken": stream::FOLLOWED } });
    let mut wire = caller.open(&caller.modern(&json!(1), "tools/call", params))?;
    wire.head()?;
    while let Some(chunk) = wire.chunk()? {
        let text = String::from_utf8(chunk)?;
        for data in lockgate_e2e::wire::data_of(&text) {
            let message: Value = serde_json::from_str(&data)?;
            let step = format!("{tag}#{}", message["params"]["progress"]);
            book.lock().unwrap().plain.insert(step, Instant::now());
        }
    }
    Ok(())
}
