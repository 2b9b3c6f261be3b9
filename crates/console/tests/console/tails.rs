//! Following the recording: no gap, no repetition, and an end when the token ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::BodyDataStream;
use futures_util::StreamExt as _;
use http::{Request, StatusCode};
use proptest::{prelude::*, test_runner::TestRunner};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::rig::{Rig, closed, get, intent, message, opened, outcome, refused, session};

/// One server-sent event.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    event: String,
    id: Option<u64>,
    data: String,
}

/// Reads server-sent events off an answer's body.
struct Listener {
    body: BodyDataStream,
    text: String,
}

impl Listener {
    async fn on(rig: &Rig, path: &str, token: &str) -> Self {
        let response = rig.send(get(path, token)).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Said> {
        timeout(Duration::from_secs(10), self.wait()).await.expect("an event, heartbeats aside")
    }

    async fn wait(&mut self) -> Option<Said> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let said = said(block);
                self.text = rest.to_owned();
                if said != Said::default() {
                    return Some(said);
                }
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(str::from_utf8(&chunk).unwrap());
        }
    }

    /// The numbers of the next `count` records.
    async fn seqs(&mut self, count: usize) -> Vec<u64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            let said = self.next().await.expect("a record");
            assert_eq!(said.event, "record", "{said:?}");
            let record: serde_json::Value = serde_json::from_str(&said.data).unwrap();
            assert_eq!(record["seq"].as_u64(), said.id);
            seqs.push(said.id.unwrap());
        }
        seqs
    }
}

fn said(block: &str) -> Said {
    let mut said = Said::default();
    for line in block.lines() {
        match line.split_once(": ").unwrap_or((line, "")) {
            ("event", event) => event.clone_into(&mut said.event),
            ("id", id) => said.id = Some(id.parse().unwrap()),
            ("data", data) => said.data.push_str(data),
            _ => {}
        }
    }
    said
}

/// The numbers of a session's records so far.
fn ours(rig: &Rig, n: u32) -> Vec<u64> {
    let id = session(n);
    let events = rig.events().into_iter();
    events.filter(|(_, e)| e.session() == Some(&id)).map(|(seq, _)| seq).collect()
}

#[tokio::test]
async fn history_and_live_are_one_sequence() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.append(&opened(2, "db"));
    rig.append(&intent(1, 1, "db", "a"));
    rig.catch_up().await;
    rig.append(&message(1, 1, "not indexed yet"));
    let mut tail = Listener::on(&rig, &format!("/sessions/{}/tail", session(1)), "auditor").await;
    assert_eq!(tail.seqs(3).await, ours(&rig, 1));
    rig.append(&intent(2, 2, "db", "another's"));
    rig.append(&outcome(1, 1, "live"));
    assert_eq!(tail.seqs(1).await, ours(&rig, 1)[3..]);
    rig.append(&closed(1));
    assert_eq!(tail.seqs(1).await, ours(&rig, 1)[4..]);
    let end = tail.next().await.unwrap();
    assert_eq!((end.event.as_str(), end.data.as_str()), ("end", r#"{"why":"closed"}"#));
    assert_eq!(tail.next().await, None);
    // One look, however long it took.
    assert_eq!(rig.looks().len(), 1);
}

#[tokio::test]
async fn a_reader_that_comes_back_goes_on_where_it_was() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    for n in 1..=5 {
        rig.append(&intent(n, 1, "db", "a"));
    }
    rig.append(&closed(1));
    rig.catch_up().await;
    let path = format!("/sessions/{}/tail", session(1));
    let all = ours(&rig, 1);
    let back = |after: Option<&str>, id: Option<&str>| {
        let path = after.map_or(path.clone(), |after| format!("{path}?after={after}"));
        let mut request = get(&path, "auditor");
        if let Some(id) = id {
            request.headers_mut().insert("last-event-id", id.parse().unwrap());
        }
        request
    };
    for (after, id, from) in [(None, None, 0), (Some("3"), None, 3), (Some("1"), Some("4"), 4)] {
        let body = rig.send(back(after, id)).await.into_body().into_data_stream();
        let mut tail = Listener { body, text: String::new() };
        assert_eq!(tail.seqs(all.len() - from).await, all[from..]);
        assert_eq!(tail.next().await.unwrap().event, "end");
    }
    // A browser that is told so does not come back again.
    assert_eq!(rig.send(back(None, Some("7"))).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(rig.ask(back(None, Some("x"))).await.code(), "query.invalid");
}

#[tokio::test]
async fn one_connection_is_followed_by_its_name() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.append(&opened(2, "mail"));
    rig.catch_up().await;
    let after = rig.append(&opened(3, "db"));
    // Neither of these says its connection, and the third one's opening is not indexed yet.
    let wanted = [
        rig.append(&message(1, 1, "a")),
        {
            rig.append(&message(2, 2, "b"));
            rig.append(&message(2, 2, "by now it is known"));
            rig.append(&message(3, 3, "c"))
        },
        rig.append(&intent(4, 1, "db", "d")),
        {
            rig.append(&intent(5, 2, "mail", "e"));
            rig.append(&refused("db"))
        },
    ];
    let path = format!("/tail?connection=db&after={after}");
    let mut tail = Listener::on(&rig, &path, "auditor").await;
    assert_eq!(tail.seqs(1).await, wanted[..1]);
    rig.catch_up().await;
    assert_eq!(tail.seqs(3).await, wanted[1..]);
}

#[tokio::test]
async fn everything_is_followed_from_the_beginning() {
    let rig = Rig::new().await;
    for n in 1..=200 {
        rig.append(&opened(n, "db"));
    }
    let mut tail = Listener::on(&rig, "/tail", "auditor").await;
    // The look itself is the last record of history.
    assert_eq!(tail.seqs(201).await, (1..=201).collect::<Vec<_>>());
    rig.append(&refused("db"));
    assert_eq!(tail.seqs(1).await, [202]);
}

/// What happens next on the record while somebody listens.
#[derive(Clone, Copy, Debug)]
enum Step {
    Ours,
    Theirs,
    Large,
    Index,
    Pause,
    Resume,
}

#[test]
fn received_is_recorded_whatever_happens_meanwhile() {
    let step = prop_oneof![
        4 => Just(Step::Ours),
        4 => Just(Step::Theirs),
        1 => Just(Step::Large),
        1 => Just(Step::Index),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
    ];
    let steps = (proptest::collection::vec(step, 1..40), 0_usize..40);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let run = TestRunner::new(config).run(&steps, |(steps, begin)| {
        runtime.block_on(follow(&steps, begin));
        Ok(())
    });
    run.unwrap();
}

/// Appends from one task while another listens, reconnecting at `Resume`. Calls before and after
/// share their ids: even so the index must know how far their session reaches.
async fn follow(steps: &[Step], begin: usize) {
    let rig = Arc::new(Rig::new().await);
    rig.append(&opened(1, "db"));
    rig.append(&opened(2, "db"));
    rig.catch_up().await;
    let begin = begin.min(steps.len());
    let (before, during) = steps.split_at(begin);
    play(&rig, before).await;
    let path = format!("/sessions/{}/tail", session(1));
    let mut tail = Listener::on(&rig, &path, "auditor").await;
    let (writer, during) = (Arc::clone(&rig), during.to_vec());
    let resumes = during.iter().filter(|step| matches!(step, Step::Resume)).count();
    let writing = tokio::spawn(async move {
        play(&writer, &during).await;
        writer.append(&closed(1));
    });
    let mut received = Vec::new();
    for _ in 0..resumes {
        received.extend(tail.seqs(1).await);
        let path = format!("{path}?after={}", received.last().unwrap());
        let response = rig.send(get(&path, "auditor")).await;
        if response.status() == StatusCode::NO_CONTENT {
            break;
        }
        tail = Listener { body: response.into_body().into_data_stream(), text: String::new() };
        if received.len() == ours(&rig, 1).len() {
            break;
        }
    }
    while let Some(said) = tail.next().await {
        if said.event == "end" {
            break;
        }
        received.push(said.id.unwrap());
    }
    writing.await.unwrap();
    assert_eq!(received, ours(&rig, 1));
}

async fn play(rig: &Rig, steps: &[Step]) {
    for (n, step) in (100..).zip(steps) {
        match step {
            Step::Ours => drop(rig.append(&intent(n, 1, "db", "x"))),
            Step::Theirs => drop(rig.append(&message(n, 2, "y"))),
            Step::Large => drop(rig.append(&message(n, 1, &"z".repeat(300_000)))),
            Step::Index => rig.catch_up().await,
            Step::Pause => sleep(Duration::from_millis(30)).await,
            Step::Resume => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test]
async fn a_tail_ends_within_a_second_of_its_token() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.catch_up().await;
    for path in ["/tail".to_owned(), format!("/sessions/{}/tail", session(1))] {
        let begun = Instant::now();
        let mut tail = Listener::on(&rig, &path, "auditor;ms=1500").await;
        let end = loop {
            let said = tail.next().await.unwrap();
            if said.event == "end" {
                break said;
            }
        };
        assert_eq!(end.data, r#"{"why":"token"}"#);
        assert_eq!(tail.next().await, None);
        let after = begun.elapsed();
        assert!((1_400..2_500).contains(&after.as_millis()), "{after:?}");
    }
}

#[tokio::test]
async fn a_tail_ends_with_the_role() {
    let rig = Rig::new().await;
    let mut tail = Listener::on(&rig, "/tail", "auditor").await;
    assert_eq!(tail.seqs(1).await, [1]);
    let begun = Instant::now();
    rig.console.put_in_force(lockgate_console::Roles::default());
    assert_eq!(tail.next().await.unwrap().event, "end");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

async fn listening(rig: &Rig) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(Arc::clone(&rig.console).serve(listener)))
}

async fn send(address: std::net::SocketAddr, head: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

fn head(path: &str, token: &str) -> String {
    format!("GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n")
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut_too_and_never_slowed_the_journal() {
    let rig = Rig::new().await;
    let (address, serving) = listening(&rig).await;
    for n in 1..=30 {
        rig.append(&message(n, 1, &"x".repeat(1_000_000)));
    }
    let begun = Instant::now();
    let mut stalled = send(address, &head("/tail", "auditor;ms=1500")).await;
    // Reads nothing. Meanwhile the journal takes what comes as fast as ever.
    sleep(Duration::from_millis(500)).await;
    let appending = Instant::now();
    for n in 1..=1_000 {
        rig.append(&message(n, 2, "y"));
    }
    // It takes milliseconds, on a machine that does nothing else.
    assert!(appending.elapsed() < Duration::from_secs(5), "{:?}", appending.elapsed());
    sleep(Duration::from_millis(2_500).saturating_sub(begun.elapsed())).await;
    // What was under way arrives, and it was not the whole: sockets hold a few megabytes.
    let mut got = Vec::new();
    let _ = timeout(Duration::from_secs(5), stalled.read_to_end(&mut got)).await.expect("cut");
    assert!(got.len() < 20_000_000, "{}", got.len());
    serving.abort();
}

#[tokio::test]
async fn oversized_and_slow_requests_end() {
    let rig = Rig::new().await;
    let (address, serving) = listening(&rig).await;
    let query = "x".repeat(1_000_000);
    let mut stream = TcpStream::connect(address).await.unwrap();
    let asked = head(&format!("/sessions?text={query}"), "auditor");
    let _ = stream.write_all(asked.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(rig.looks().is_empty());

    let begun = Instant::now();
    let mut slow = send(address, "GET /api/v1/sessions HTTP/1.1\r\nHost: x\r\n").await;
    let body = format!(
        "POST /api/v1/sessions/{}/hold HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\n\
         Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{{",
        session(1)
    );
    let mut slow_body = send(address, &body).await;
    let (mut answer, mut first) = (Vec::new(), [0; 12]);
    let _ = timeout(Duration::from_secs(15), slow.read_to_end(&mut answer)).await.expect("cut");
    let read = timeout(Duration::from_secs(5), slow_body.read_exact(&mut first));
    read.await.expect("an answer").unwrap();
    assert_eq!(&first, b"HTTP/1.1 408");
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
    serving.abort();
}

#[tokio::test]
async fn a_heartbeat_comes_when_nothing_else_does() {
    let rig = Rig::new().await;
    let request: Request<_> = get("/tail?after=99", "auditor");
    let mut body = rig.send(request).await.into_body().into_data_stream();
    let begun = Instant::now();
    let beat = timeout(Duration::from_secs(20), body.next()).await.unwrap().unwrap().unwrap();
    assert!(beat.starts_with(b":"), "{beat:?}");
    assert!((14..17).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}
