//! What the index costs: a file filled with calls, and the time that searches take in it.
//!
//! `cargo xtask bench index --calls 1000000`. Not part of the tests.
#![expect(clippy::print_stdout, reason = "figures belong on the terminal")]
#![expect(clippy::unwrap_used, reason = "a bench that fails has no figures")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use lockgate_model::{
    Digest, Era, Event, IntentEvent, OpenedEvent, OutcomeEvent, OutcomeStatus, Reason, Timestamp,
    Verdict,
};
use lockgate_store::{
    db::DbPlace,
    index::{Filter, Index, Indexed, Page, Query, VerdictKind},
};
use serde_json::{json, value::to_raw_value};
use tempfile::TempDir;

const SUBJECTS: u64 = 1_000;
const TOOLS: u64 = 50;
const CALLS_A_SESSION: u64 = 20;
const ROUNDS: u64 = 200;
const DIGEST: Digest = Digest::from_bytes([7; 32]);

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--calls");
    let calls = arguments.nth(1).map_or(1_000_000, |calls| calls.parse().unwrap());
    // Not in memory, which a temporary folder may be.
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure(&folder.path().join("index.db"), calls));
}

async fn measure(file: &Path, calls: u64) {
    let index = Index::open(&DbPlace::Sqlite(file.to_owned())).await.unwrap();
    let start = Instant::now();
    let mut batch = Vec::new();
    let mut seq: u64 = 0;
    let mut slowest = Duration::ZERO;
    for call in 0..calls {
        for event in events(call) {
            seq += 1;
            let time = Timestamp::from_millis(1_700_000_000_000 + seq.cast_signed() * 10);
            batch.push(Indexed { seq, time, event: Some(event) });
        }
        if batch.len() >= 1_000 || call + 1 == calls {
            let begin = Instant::now();
            index.apply("bench", &batch).await.unwrap();
            slowest = slowest.max(begin.elapsed());
            batch.clear();
        }
    }
    let took = start.elapsed().as_secs_f64();
    println!("calls {calls}, events {seq}");
    println!(
        "fill {took:.1} s, {:.0} calls/s, {:.0} events/s",
        calls as f64 / took,
        seq as f64 / took
    );
    println!("slowest batch {} ms", slowest.as_millis());
    let bytes = fs::metadata(file).unwrap().len();
    println!("file {:.0} MB, {} bytes/call", bytes as f64 / 1e6, bytes / calls);
    println!("{:<34} {:>7} {:>9} {:>9}", "search, first page of 50", "rows", "p50 ms", "p99 ms");
    for (name, filter) in SEARCHES {
        search(&index, calls, name, filter).await;
    }
}

/// Makes the filter of one round, for an index of that many calls.
type MakeFilter = fn(u64, u64) -> Filter;

const SEARCHES: [(&str, MakeFilter); 14] = [
    ("newest", |_, _| Filter::default()),
    ("subject, 1 of 1,000", |n, _| Filter { subject: Some(subject(n * 7)), ..none() }),
    ("tool, 1 of 50", |n, _| Filter { tool: Some(tool(n * 7)), ..none() }),
    ("subject and tool", |n, _| Filter {
        subject: Some(subject(n * 7)),
        tool: Some(tool(n * 7)),
        ..none()
    }),
    ("verdict deny, 1 of 100", |_, _| Filter { verdict: Some(VerdictKind::Deny), ..none() }),
    ("fact sql, every second", |_, _| Filter { fact: Some("sql".into()), ..none() }),
    ("fact sql.write, 1 of 20", |_, _| Filter { fact: Some("sql.write".into()), ..none() }),
    ("group, 1 of 10", |n, _| Filter { group: Some(group(n)), ..none() }),
    ("session", |n, calls| Filter { session: Some(session(n * 977 % calls)), ..none() }),
    ("text, in one call", |n, calls| text(&format!("order{}", n * 9_973 % calls))),
    ("text, 1 of 1,000", |n, _| text(&format!("customer{}", n * 7 % 1_000))),
    ("text, phrase in 1 of 50", |n, _| text(&format!("\"from table{}\"", n % 50))),
    ("text, in every call", |_, _| text("select")),
    ("text in one and subject", |n, calls| {
        let call = n * 9_973 % calls;
        Filter { subject: Some(subject(call / CALLS_A_SESSION)), ..text(&format!("order{call}")) }
    }),
];

fn none() -> Filter {
    Filter::default()
}

fn text(typed: &str) -> Filter {
    Filter { text: Some(Query::parse(typed).unwrap()), ..none() }
}

async fn search(index: &Index, calls: u64, name: &str, filter: MakeFilter) {
    let mut took = Vec::new();
    let mut rows = 0;
    let begin = Instant::now();
    for round in 0..ROUNDS {
        let filter = filter(round, calls);
        let start = Instant::now();
        rows = index.calls(&filter, Page::first(50)).await.unwrap().rows.len();
        took.push(start.elapsed());
        if begin.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    took.sort_unstable();
    let at = |part: usize| {
        took.get((took.len() - 1) * part / 100).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    println!("{name:<34} {rows:>7} {:>9.2} {:>9.2}", at(50), at(99));
}

fn subject(number: u64) -> String {
    format!("user{}@example.org", number % SUBJECTS)
}

fn tool(number: u64) -> String {
    format!("tool_{}", number % TOOLS)
}

fn group(number: u64) -> String {
    format!("corp/group{}", number % 10)
}

/// As scattered as random ids.
fn id(call: u64) -> String {
    const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    format!("{:032x}", u128::from(call).wrapping_mul(ODD))
}

fn session(call: u64) -> String {
    format!("s{:032x}", call / CALLS_A_SESSION)
}

fn events(call: u64) -> Vec<Event> {
    let who = call / CALLS_A_SESSION;
    let groups = vec![group(who), "corp/all".to_owned()];
    let mut events = Vec::new();
    if call.is_multiple_of(CALLS_A_SESSION) {
        events.push(Event::Opened(Box::new(OpenedEvent {
            session: session(call),
            issuer: "corp".into(),
            subject: subject(who),
            client: Some("ide".into()),
            groups: groups.clone(),
            connection: format!("db{}", who % 10),
            era: Era::Modern,
        })));
    }
    events.push(Event::Intent(Box::new(intent(call, groups))));
    events.push(Event::Outcome(Box::new(outcome(call))));
    events
}

fn intent(call: u64, groups: Vec<String>) -> IntentEvent {
    let who = call / CALLS_A_SESSION;
    let sql = format!(
        "SELECT id, name, total FROM table{} WHERE customer = 'customer{}' AND ref = 'order{call}'",
        call % 50,
        call % 1_000,
    );
    let facts = match call % 20 {
        0 => vec!["sql.write".to_owned(), "sql.write.drop".to_owned()],
        2 | 4 | 6 | 8 | 10 | 12 | 14 | 16 | 18 => vec!["sql.read".to_owned()],
        _ => Vec::new(),
    };
    let policies = vec![format!("policy{}", call % 30)];
    let verdict = if call.is_multiple_of(100) {
        Verdict::Deny(lockgate_model::Deny { reason: Reason::PolicyForbidden, policies })
    } else {
        Verdict::Allow { policies }
    };
    IntentEvent {
        call: id(call),
        trace: format!("{:032x}", who.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
        peer: "10.0.0.9:5000".into(),
        issuer: "corp".into(),
        subject: subject(who),
        client: Some("ide".into()),
        groups,
        token: DIGEST,
        token_issued_at: None,
        connection: format!("db{}", who % 10),
        session: Some(session(call)),
        mcp_session: None,
        era: Era::Modern,
        id: None,
        method: "tools/call".into(),
        action: "call_tool".into(),
        target: tool(call),
        arguments: json!({"sql": sql, "limit": 100}),
        arguments_digest: DIGEST,
        body_digest: DIGEST,
        definition: Some(DIGEST),
        restored: Vec::new(),
        facts,
        verdict,
        snapshot: DIGEST,
    }
}

fn outcome(call: u64) -> OutcomeEvent {
    let row = |n: u64| {
        let number = call.wrapping_mul(31).wrapping_add(n);
        json!({"id": number, "name": format!("name{}", number % 10_000), "total": number % 977})
    };
    let rows: Vec<_> = (0..5).map(row).collect();
    let text = serde_json::to_string(&rows).unwrap();
    let body = json!({"id": call, "result": {"content": [{"type": "text", "text": text}], "isError": false}});
    OutcomeEvent {
        call: id(call),
        session: Some(session(call)),
        status: OutcomeStatus::Result,
        reason: None,
        elapsed_us: 1_500,
        bytes: 400,
        body_digest: Some(DIGEST),
        masked: Default::default(),
        body: Some(to_raw_value(&body).unwrap()),
    }
}
