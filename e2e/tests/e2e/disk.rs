//! Disks that fail under a running gateway (E6, I2): full, failing, read-only. In each case calls are
//! refused with 503 within a second, nothing is forwarded without a record, and the gateway is back
//! within five seconds after the fault has ended.
//!
//! The recording is all that the gateway writes while it serves. The index in a database, once it is
//! wired, gets its own rows here: `index_full` and `temporary_files_full`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use lockgate_e2e::{
    disk::{Image, Mounted, may_mount},
    gateway::{Gateway, Plan},
    mcp::Caller,
    prepare,
    rig::{MintIssuer, Upstream, answer, json_reply},
    room::{settings, wait_for_tools},
    say,
    wire::Reply,
};
use lockgate_model::Event;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// A call is refused within this time once the disk fails.
const REFUSED_MAX: Duration = Duration::from_secs(1);
/// Calls go through again within this time once the disk works.
const BACK_MAX: Duration = Duration::from_secs(5);

/// A gateway whose data folder is somebody's disk.
struct Bench {
    gateway: Gateway,
    alice: Caller,
    upstream: Upstream,
    /// The tags of the calls that the server heard.
    calls: PathBuf,
    _issuer: MintIssuer,
}

impl Bench {
    /// Starts it with what `mount` mounts as its data folder.
    fn start(mount: impl FnOnce(&Path) -> Mounted) -> (Self, Mounted) {
        let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
        let policies = "permit (principal, action, resource);".to_owned();
        let plan = Plan { settings: settings(&issuer, &upstream.url()), policies, file_max: None };
        let mut gateway = Gateway::prepare(&plan).unwrap();
        let mounted = mount(&gateway.data());
        gateway.run().unwrap();
        gateway.wait_ready().unwrap();
        let token = issuer.token("rsa", &issuer.claims(&gateway.url("main"))).unwrap();
        let alice = gateway.caller("main", Some(&token));
        wait_for_tools(&alice).unwrap();
        let calls = gateway.folder().join("calls");
        upstream.keep_calls(&calls).unwrap();
        (Self { gateway, alice, upstream, calls, _issuer: issuer }, mounted)
    }

    fn call(&self, tag: &str) -> Reply {
        self.alice.send(&self.alice.call("echo", json!({ "tag": tag }))).unwrap()
    }

    /// Calls until one is refused, and then some: each gets its answer or a 503, soon. Gives the time
    /// from now to the first refusal, and the longest that a refused call took.
    fn refuses(&self, what: &str) -> (Duration, Duration) {
        let begun = Instant::now();
        let (mut first, mut longest) = (None, Duration::ZERO);
        for number in 0.. {
            let asked = Instant::now();
            let reply = self.call(&format!("{what}-{number}"));
            assert!(matches!(reply.status, 200 | 503), "{what}: {} {}", reply.status, reply.text());
            if reply.status == 503 {
                assert!(reply.header("retry-after").is_some(), "{what}: {:?}", reply.headers);
                first.get_or_insert(begun.elapsed());
                longest = longest.max(asked.elapsed());
            }
            let since = first.map(|first| begun.elapsed() - first);
            if since.is_some_and(|since| since > Duration::from_millis(1500)) {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}: nothing is refused");
            std::thread::sleep(Duration::from_millis(10));
        }
        let first = first.unwrap();
        assert!(longest < REFUSED_MAX, "{what}: a refusal took {longest:?}");
        (first, longest)
    }

    /// How long it takes from now until a call goes through.
    fn back(&self, what: &str) -> Duration {
        let begun = Instant::now();
        while self.call("back").status != 200 {
            assert!(begun.elapsed() < BACK_MAX, "{what}: not back:\n{}", self.gateway.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        begun.elapsed()
    }

    /// Whatever the server heard is on record; the check finds nothing wrong. Gives the calls on record.
    fn recorded(&self, what: &str) -> Vec<Event> {
        let heard = fs::read_to_string(&self.calls).unwrap();
        let heard: BTreeSet<_> = heard.lines().map(str::to_owned).collect();
        let events = self.gateway.records().all().unwrap();
        let intents: BTreeSet<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Intent(intent) => Some(intent.arguments["tag"].as_str()?.to_owned()),
                _ => None,
            })
            .collect();
        let unrecorded: Vec<_> = heard.difference(&intents).collect();
        assert!(!heard.is_empty() && unrecorded.is_empty(), "{what}: unrecorded {unrecorded:?}");
        let data = self.gateway.data().display().to_string();
        let (code, said) = self.gateway.command(&["journal", "verify", "--folder", &data]).unwrap();
        assert_eq!(code, 0, "{what}: {said}");
        events
    }
}

#[test]
fn e6_the_disk_of_the_recording_is_full() {
    if !may_mount() {
        return;
    }
    let (bench, disk) = Bench::start(|at| Mounted::memory(at, 8 << 20).unwrap());
    // A call that is at the server while the disk fills up.
    let (go, gone) = mpsc::channel::<()>();
    let gone = std::sync::Mutex::new(gone);
    bench.upstream.act(
        "any",
        Arc::new(move |heard, message, socket| {
            let _ = gone.lock().unwrap().recv_timeout(Duration::from_secs(20));
            json_reply(socket, 200, &[], &answer(&message["id"], &heard.body))
        }),
    );
    let alice = bench.alice.clone();
    let open = std::thread::spawn(move || {
        alice.send(&alice.call("any", json!({ "tag": "in flight" }))).unwrap()
    });
    // Some that were served before it.
    (0..5).for_each(|number| assert_eq!(bench.call(&format!("before-{number}")).status, 200));
    let heard = |bench: &Bench| fs::read_to_string(&bench.calls).unwrap_or_default();
    while !heard(&bench).contains("in flight") {
        std::thread::sleep(Duration::from_millis(5));
    }
    let heads = || fs::read_to_string(bench.gateway.data().join("journal/heads")).unwrap();
    let before = heads();
    let ballast = bench.gateway.data().join("ballast");
    fill(&ballast);
    let (first, longest) = bench.refuses("full");
    go.send(()).unwrap();
    let reply = open.join().unwrap();
    assert_eq!(reply.status, 200, "a call in flight could not end: {}", reply.text());
    // Its end is on record, and under a signed head, while the disk is still full.
    let begun = Instant::now();
    while heads() == before {
        assert!(begun.elapsed() < Duration::from_secs(5), "no head is signed on the full disk");
        std::thread::sleep(Duration::from_millis(20));
    }
    let events = bench.recorded("full");
    let call = events.iter().find_map(|event| match event {
        Event::Intent(intent) if intent.arguments["tag"] == "in flight" => Some(&intent.call),
        _ => None,
    });
    let ended = |event: &Event| matches!(event, Event::Outcome(one) if Some(&one.call) == call);
    assert!(call.is_some() && events.iter().any(ended), "the call in flight has no outcome");
    assert_eq!(bench.call("still full").status, 503);
    fs::remove_file(&ballast).unwrap();
    let back = bench.back("full");
    bench.recorded("full, and back");
    say(&format!(
        "E6 disk full: first 503 after {first:?}, each within {longest:?}; the call in flight ended on \
         record and a head was signed; back {back:?} after there was room"
    ));
    drop(bench);
    disk.unmount().unwrap();
}

/// Takes what is left of the disk.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    let mut chunk = vec![1; 64 * 1024];
    while !chunk.is_empty() {
        if std::io::Write::write_all(&mut file, &chunk).is_err() {
            chunk.truncate(chunk.len() / 2);
        }
    }
}

#[test]
fn e6_the_disk_of_the_recording_gives_errors() {
    if !may_mount() {
        return;
    }
    prepare::debian().unwrap();
    let image = Image::new().unwrap();
    let (bench, disk) = Bench::start(|at| image.mount(at).unwrap());
    // One error: a new file takes what was not durable, and hardly anybody notices.
    let fault = Injected::start(bench.gateway.pid(), "fdatasync:error=EIO:when=3");
    let begun = Instant::now();
    let (mut refused, mut served, mut longest) = (0, 0, Duration::ZERO);
    while begun.elapsed() < Duration::from_secs(2) {
        let asked = Instant::now();
        match bench.call(&format!("once-{served}-{refused}")).status {
            200 => served += 1,
            503 => refused += 1,
            other => panic!("status {other}"),
        }
        longest = longest.max(asked.elapsed());
    }
    let injected = fault.stop();
    assert!(injected > 0, "no sync failed");
    assert!(served > 10 && longest < REFUSED_MAX, "{served} served, longest {longest:?}");
    bench.recorded("one error");
    say(&format!(
        "E6 the third fdatasync of each thread fails: {injected} failed; {served} calls served, \
         {refused} refused, the longest took {longest:?}"
    ));
    // Every sync fails, of new files too.
    let fault = Injected::start(bench.gateway.pid(), "fdatasync,fsync:error=EIO");
    let (first, refusal) = bench.refuses("errors");
    let injected = fault.stop();
    let back = bench.back("errors");
    bench.recorded("errors");
    assert!(injected > 0);
    say(&format!(
        "E6 every sync fails: first 503 after {first:?}, each within {refusal:?}; {injected} syncs \
         failed; back {back:?} after they worked"
    ));
    drop(bench);
    disk.unmount().unwrap();
}

/// System calls that fail, injected by strace for as long as this lives.
struct Injected {
    strace: Child,
    log: tempfile::NamedTempFile,
}

impl Injected {
    fn start(pid: u32, what: &str) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let strace = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-e", "trace=fdatasync,fsync", "-e"])
            .arg(format!("inject={what}"))
            .arg("-o")
            .arg(log.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let fault = Self { strace, log };
        let begun = Instant::now();
        // Attached when every thread is traced.
        while !traced(pid) {
            assert!(begun.elapsed() < Duration::from_secs(10), "strace does not attach");
            std::thread::sleep(Duration::from_millis(5));
        }
        fault
    }

    /// Ends it; tells how many calls failed.
    fn stop(mut self) -> usize {
        let pid = Pid::from_raw(i32::try_from(self.strace.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        self.strace.wait().unwrap();
        let log = fs::read_to_string(self.log.path()).unwrap();
        log.lines().filter(|line| line.contains("(INJECTED)")).count()
    }
}

impl Drop for Injected {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

fn traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.flatten().all(|task| {
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0")
    })
}

/// What the kernel does to a file system that it finds damaged: nothing can be written to it any
/// more, open files included. It is mended by mounting it again, which takes a new start.
#[test]
fn e6_the_disk_of_the_recording_becomes_read_only() {
    if !may_mount() {
        return;
    }
    prepare::debian().unwrap();
    let image = Image::new().unwrap();
    let (mut bench, disk) = Bench::start(|at| image.mount(at).unwrap());
    let stop = Arc::new(AtomicBool::new(false));
    let load: Vec<_> = (0..2)
        .map(|worker| {
            let (alice, stop) = (bench.alice.clone(), Arc::clone(&stop));
            std::thread::spawn(move || {
                for number in 0.. {
                    let tag = format!("load-{worker}-{number}");
                    let reply = alice.send(&alice.call("echo", json!({ "tag": tag }))).unwrap();
                    assert!(matches!(reply.status, 200 | 503), "{}", reply.status);
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    // Not in the middle of a sync: the kernel itself acknowledges some that an abort throws away.
    stop.store(true, Ordering::Release);
    load.into_iter().for_each(|one| one.join().unwrap());
    std::thread::sleep(Duration::from_millis(50));
    disk.remount("abort").unwrap();
    let (first, longest) = bench.refuses("read-only");
    let (status, said) = bench.gateway.ready().unwrap();
    assert_eq!(status, 503, "it says that it is ready: {said}");
    bench.gateway.kill().unwrap();
    disk.unmount().unwrap();
    let disk = image.mount(&bench.gateway.data()).unwrap();
    let begun = Instant::now();
    bench.gateway.run().unwrap();
    bench.gateway.wait_ready().unwrap();
    wait_for_tools(&bench.alice).unwrap();
    bench.back("mounted again");
    let back = begun.elapsed();
    assert!(back < BACK_MAX, "{back:?}");
    bench.recorded("read-only");
    say(&format!(
        "E6 disk read-only: first 503 after {first:?}, each within {longest:?}, not ready; mounted and \
         started again, back after {back:?}"
    ));
    drop(bench);
    disk.unmount().unwrap();
}
