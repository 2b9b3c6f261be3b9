//! What waiting for people costs: from a decision to the durable use of the grant, by a call that
//! waits among others, and the memory of each that waits.
//!
//! `cargo xtask bench approvals`. Not part of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that fails has no figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_model::{Act, Digest, Person, Reviewer, State, Subject, Terms, Timestamp};
use lockgate_store::{approvals::Approvals, db::DbPlace};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinSet};

const ROUNDS: usize = 200;
/// Until everybody waits.
const SETTLE: Duration = Duration::from_millis(200);
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A call that goes on: which, and when its grant was used.
type Used = (usize, Instant);

fn main() {
    // Not in memory, which a temporary folder may be.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<10} {:>12} {:>9} {:>9}", "waiting", "bytes each", "p50 ms", "p99 ms");
    for waiting in [1, 1_000, 10_000] {
        let place = DbPlace::Sqlite(folder.path().join(format!("{waiting}.db")));
        runtime.block_on(measure(&place, waiting));
    }
}

async fn measure(place: &DbPlace, waiting: usize) {
    let approvals = Arc::new(Approvals::open(place).await.unwrap());
    let (used, mut uses) = mpsc::channel(1);
    let mut calls = JoinSet::new();
    let before = resident_bytes();
    for number in 1..waiting {
        wait(&mut calls, &approvals, number, &used).await;
    }
    tokio::time::sleep(SETTLE).await;
    let each = resident_bytes().saturating_sub(before) / waiting;
    let mut took = Vec::new();
    for number in waiting..waiting + ROUNDS {
        wait(&mut calls, &approvals, number, &used).await;
        tokio::time::sleep(SETTLE / 10).await;
        approvals.act(&id(number), &yes(), NOW).await.unwrap();
        let decided = Instant::now();
        let (who, at) = uses.recv().await.unwrap();
        assert_eq!(who, number, "only the call that was decided goes on");
        took.push(at.duration_since(decided));
    }
    took.sort();
    let at =
        |percent: usize| took.get((took.len() - 1) * percent / 100).unwrap().as_secs_f64() * 1e3;
    println!("{waiting:<10} {each:>12} {:>9.2} {:>9.2}", at(50), at(99));
}

/// A call asks and waits.
async fn wait(
    calls: &mut JoinSet<()>,
    approvals: &Arc<Approvals>,
    number: usize,
    used: &mpsc::Sender<Used>,
) {
    let asked = approvals.ask(&id(number), &subject(number), &terms(), "call", NOW, 1).await;
    assert!(asked.unwrap().new);
    calls.spawn(call(Arc::clone(approvals), number, used.clone()));
}

/// What the gateway does while it holds a call.
async fn call(approvals: Arc<Approvals>, number: usize, used: mpsc::Sender<Used>) {
    let id = id(number);
    let mut changed = approvals.waiter(Some(&id));
    while Box::pin(approvals.get(&id, NOW)).await.unwrap().state == State::Pending {
        changed.look().await;
    }
    let spend = Act::Spend { call: "call".into() };
    Box::pin(approvals.act(&id, &spend, NOW)).await.unwrap();
    used.send((number, Instant::now())).await.unwrap();
}

fn yes() -> Act {
    let person = Person { issuer: "corp".into(), subject: "lead".into() };
    Act::Approve { by: Reviewer { person, groups: vec!["corp/leads".into()] }, until: None }
}

fn id(number: usize) -> String {
    format!("a{number:032x}")
}

fn subject(number: usize) -> Subject {
    Subject {
        issuer: "corp".into(),
        subject: format!("person-{number}"),
        client: Some("ide".into()),
        connection: "db".into(),
        action: "call_tool".into(),
        target: "query".into(),
        definition: None,
        arguments: Digest::from_bytes([7; 32]),
        policies: vec!["writes".into()],
    }
}

fn terms() -> Terms {
    Terms {
        groups: vec!["corp/leads".into()],
        quorum: 1,
        reason: Some("writes are held".into()),
        answer_by: NOW.plus_millis(600_000),
        grant_ms: 600_000,
    }
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}
