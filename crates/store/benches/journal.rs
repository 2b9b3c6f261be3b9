//! What the recording costs: appending, group commit beside the disk's own sync, and checking.
//!
//! `cargo xtask bench journal`. Not part of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that fails has no figures")]

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lockgate_model::{Digest, Event, MessageEvent, Timestamp};
use lockgate_store::journal::{Journal, JournalOptions, Keys, Verify, is_packed, verify};
use rustix::time::{ClockId, clock_gettime};
use sha2::Digest as _;
use tempfile::TempDir;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LASTS: Duration = Duration::from_secs(2);

fn main() {
    // Not in memory, which a temporary folder may be.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!(
        "{:<34} {:>10} {:>8} {:>12}",
        "append, nobody waits", "events/s", "MB/s", "CPU µs each"
    );
    for (name, bytes, distinct) in [
        ("256 B", 256, true),
        ("8 KB", 8 * 1024, true),
        ("256 KB", 256 * 1024, true),
        ("256 KB, body seen before", 256 * 1024, false),
    ] {
        append(&folder.path().join(name.replace([' ', ','], "")), name, bytes, distinct);
    }
    let bare = bare_syncs(folder.path());
    println!("\nbare append of 512 B with fdatasync: p50 {:.2} ms, p99 {:.2} ms", bare.0, bare.1);
    println!(
        "{:<34} {:>10} {:>8} {:>9} {:>9}",
        "group commit, each waits", "events/s", "a sync", "p50 ms", "p99 ms"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for clients in [1, 8, 64, 512] {
        let folder = folder.path().join(format!("clients{clients}"));
        runtime.block_on(commit(&folder, clients));
    }
    check(&folder.path().join("8KB"));
}

fn open(folder: &Path) -> Journal {
    let keys = Keys::open_or_create(&folder.join("keys"), folder).unwrap();
    Journal::open(folder, &keys, JournalOptions::default()).unwrap().0
}

/// A body of JSON text that packing makes smaller, though not to nothing.
fn body(bytes: usize, number: u64) -> String {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = String::with_capacity(bytes + 32);
    text.push('"');
    while text.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(&format!("row {} of {} ", state % 100_000, number % 97));
    }
    text.push('"');
    text
}

/// Appends one message; gives its record's number.
fn message(journal: &Journal, session: &str, body: String) -> lockgate_store::journal::Position {
    let digest = Digest::from_bytes(sha2::Sha256::digest(body.as_bytes()).into());
    let apart = journal.keeps_apart(body.len());
    let event = Event::Message(Box::new(MessageEvent {
        call: "0123456789abcdef0123456789abcdef".into(),
        session: Some(session.into()),
        bytes: body.len() as u64,
        body_digest: digest,
        body: if apart { None } else { serde_json::from_str(&body).unwrap() },
    }));
    if apart {
        journal.append_with_body(NOW, &event, digest, body.into()).unwrap()
    } else {
        journal.append(NOW, &event).unwrap()
    }
}

fn append(folder: &Path, name: &str, bytes: usize, distinct: bool) {
    let journal = open(folder);
    let bodies: Vec<_> = (0..256).map(|number| body(bytes, number)).collect();
    let (begun, cpu) = (Instant::now(), thread_cpu());
    let mut count = 0_u64;
    while begun.elapsed() < LASTS {
        let mut text = bodies.get(if distinct { count as usize % 256 } else { 0 }).unwrap().clone();
        if distinct {
            // Another text each time, at the same cost.
            text.replace_range(1..17, &format!("{count:016}"));
        }
        // The bench may not be refused; on the path of a call the waiting is the back-pressure.
        while journal.stats().appended - journal.durable() > 4_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        message(&journal, &format!("s{}", count / 1_000), text);
        count += 1;
        if count.is_multiple_of(64) && bytes > 100_000 {
            wait_for_room(&journal);
        }
    }
    let (took, cpu) = (begun.elapsed().as_secs_f64(), thread_cpu() - cpu);
    println!(
        "{name:<34} {:>10.0} {:>8.0} {:>12.1}",
        count as f64 / took,
        count as f64 * bytes as f64 / 1e6 / took,
        cpu.as_secs_f64() * 1e6 / count as f64
    );
}

/// Waits for the disk, so that what is not durable stays bounded.
fn wait_for_room(journal: &Journal) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(journal.room());
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Median and 99th percentile of what the disk itself takes, in ms.
fn bare_syncs(folder: &Path) -> (f64, f64) {
    let mut file = File::create(folder.join("bare")).unwrap();
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < LASTS {
        let start = Instant::now();
        file.write_all(&[1; 512]).unwrap();
        file.sync_data().unwrap();
        times.push(start.elapsed());
    }
    percentiles(times)
}

async fn commit(folder: &Path, clients: usize) {
    let journal = Arc::new(open(folder));
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..clients)
        .map(|client| {
            let (journal, stop) = (Arc::clone(&journal), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut times = Vec::new();
                let text = body(256, client as u64);
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let position = message(&journal, "s", text.clone());
                    journal.synced(position).await.unwrap();
                    times.push(start.elapsed());
                }
                times
            })
        })
        .collect();
    tokio::time::sleep(LASTS).await;
    stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let (count, syncs) = (times.len() as f64, journal.stats().syncs as f64);
    let took = begun.elapsed().as_secs_f64();
    let (p50, p99) = percentiles(times);
    let name = format!("{clients} clients");
    println!("{name:<34} {:>10.0} {:>8.1} {p50:>9.2} {p99:>9.2}", count / took, count / syncs);
}

fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).unwrap().as_secs_f64() * 1e3;
    (at(50), at(99))
}

/// The offline check, of segments as they were written and as they are kept.
fn check(folder: &Path) {
    println!("\n{:<34} {:>10} {:>8} {:>12}", "verify", "records", "MB/s", "MB on disk");
    let keys = Keys::open(&folder.join("keys")).unwrap();
    for (name, packed) in [("as written", false), ("packed", true)] {
        if packed {
            let _journal = open(folder);
            while !all_packed(folder) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let what = Verify { folder, keys: &keys, elsewhere: None, signer: None, exported: None };
        let report = verify(&what, |_| {}).unwrap();
        assert_eq!(report.findings, []);
        let plain = report.records as f64 * 8.0 * 1024.0 / 1e6;
        println!(
            "{name:<34} {:>10} {:>8.0} {:>12.1}",
            report.records,
            plain / report.elapsed.as_secs_f64(),
            report.bytes as f64 / 1e6
        );
    }
}

fn all_packed(folder: &Path) -> bool {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "segment")).collect();
    files.sort();
    files.pop();
    files.iter().all(|file| is_packed(file))
}
