//! Calls through a whole gateway in one process, against a small server made for it. The real
//! binary with real servers is tested elsewhere; this is the quick look that a call still goes
//! through.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use lockgate_gateway::{
    gateway::Gateway,
    serve::{self, Tls},
    snapshot::Blueprint,
    upstream::stdio::Launcher,
};
use lockgate_rules::{mask::MaskKey, policy::Source};
use lockgate_store::journal::{Journal, JournalOptions, Keys, read};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

#[path = "smoke/server.rs"]
mod server;

/// A gateway in front of [`server`], with its data in a folder of its own.
struct Rig {
    address: String,
    data: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

/// An answer as it came.
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Rig {
    async fn start(policy: &str) -> Self {
        let upstream = server::start().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let data = tempfile::tempdir().unwrap();
        let settings = json!({
            "listen": { "address": address },
            "public_url": format!("http://{address}"),
            "connections": [{
                "name": "small",
                "upstream": { "http": { "url": upstream, "allow_private": true } },
                "era": "legacy",
                "pins": "on_first_use",
                "development_anonymous": true,
            }],
        });
        let blueprint = Blueprint {
            settings: serde_json::from_value(settings).unwrap(),
            policies: vec![Source { name: "test.cedar".into(), text: policy.into() }],
            gone: Vec::new(),
        };
        let journal = data.path().join("journal");
        let keys = Keys::open_or_create(&data.path().join("keys"), &journal).unwrap();
        let (journal, _) = Journal::open(&journal, &keys, JournalOptions::default()).unwrap();
        let launcher = Launcher { program: "/bin/false".into() };
        let pins = data.path().join("pins");
        let key = MaskKey::new(keys.masking());
        let gateway = Gateway::open(blueprint, Arc::new(journal), pins, launcher, key).unwrap();
        gateway.revocations.take(Vec::new(), std::time::Instant::now());
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            let tls = Arc::new(Tls::default());
            tokio::select! {
                () = serve::serve(&gateway, listener, tls, shutdown) => {}
                () = gateway.tend() => panic!("tending ended first"),
            }
        });
        Self { address, data, stop: Some(stop), served }
    }

    async fn raw(&self, text: &str) -> Reply {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut bytes))
            .await
            .expect("an end")
            .unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|s| s.parse().ok()).unwrap_or_default();
        Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    async fn post(&self, session: Option<&str>, body: &Value) -> Reply {
        let body = body.to_string();
        let session = session.map(|id| format!("Mcp-Session-Id: {id}\r\n")).unwrap_or_default();
        self.raw(&format!(
            "POST /c/small/mcp HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{session}\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.address,
            body.len(),
        ))
        .await
    }

    async fn session(&self) -> String {
        let body = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": { "name": "t", "version": "0" } } });
        let reply = self.post(None, &body).await;
        assert_eq!(reply.status, 200, "{} {}", reply.head, reply.body);
        let at = reply.head.find("mcp-session-id: ").expect("a session") + 16;
        reply.head[at..].lines().next().unwrap().to_owned()
    }

    fn journal(&self) -> String {
        let keys = Keys::open(&self.data.path().join("keys")).unwrap();
        let records = read(&self.data.path().join("journal"), &keys).unwrap();
        records.map(|record| record.unwrap().line() + "\n").collect()
    }
}

async fn eventually(done: impl Fn() -> bool) {
    for _ in 0..200 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(done(), "it never came about");
}

fn call(id: u32, tool: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": tool, "arguments": { "text": "hello" } } })
}

const ALLOW_ALL: &str = "@id(\"all\") permit (principal, action, resource);";

#[tokio::test]
async fn a_call_goes_through_and_is_recorded() {
    let rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    let reply = rig.post(Some(&session), &call(1, "echo")).await;
    assert_eq!(reply.status, 200, "{} {}", reply.head, reply.body);
    assert!(reply.body.contains("\"text\":\"hello\""), "{} {}", reply.body, rig.journal());
    let reply = rig.post(Some(&session), &call(2, "stream")).await;
    assert!(reply.head.contains("text/event-stream"), "{}", reply.head);
    assert!(reply.body.contains("notifications/progress"), "{}", reply.body);
    assert!(reply.body.contains("\"text\":\"hello\""), "{}", reply.body);
    let journal = rig.journal();
    assert_eq!(journal.matches("\"tools/call\"").count(), 2, "{journal}");
    assert!(journal.contains("{\"message\":"), "{journal}");
}

#[tokio::test]
async fn what_nobody_may_see_does_not_exist() {
    let rig = Rig::start(
        "@id(\"some\") permit (principal, action, resource)\n\
         when { action == Action::\"small/echo\" };",
    )
    .await;
    let session = rig.session().await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let reply = rig.post(Some(&session), &list).await;
    assert!(reply.body.contains("\"echo\""), "{}", reply.body);
    assert!(!reply.body.contains("\"stream\""), "{}", reply.body);
    let hidden = rig.post(Some(&session), &call(7, "stream")).await;
    let absent = rig.post(Some(&session), &call(7, "no_such")).await;
    assert_eq!((hidden.status, &hidden.body), (absent.status, &absent.body));
    assert!(hidden.body.contains("-32602"), "{}", hidden.body);
}

#[tokio::test]
async fn sessions_are_needed_and_nobody_elses() {
    let rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    assert_eq!(rig.post(Some("guess"), &call(1, "echo")).await.status, 404, "C5");
    assert_eq!(rig.post(None, &call(1, "echo")).await.status, 400, "C10");
    let response = json!({ "jsonrpc": "2.0", "id": 9, "result": {} });
    assert_eq!(rig.post(Some(&session), &response).await.status, 400, "J20");
}

#[tokio::test]
async fn heads_that_two_parsers_frame_differently_close_the_connection() {
    let rig = Rig::start(ALLOW_ALL).await;
    let rest = "Content-Type: application/json\r\n\r\n0\r\n\r\nGET /second HTTP/1.1\r\n\r\n";
    for (row, lines) in [
        ("H1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
        ("H2", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("H3", "Transfer-Encoding: xchunked\r\n"),
        ("H4", "Content-Length: +5\r\n"),
        ("H7", "X: a\r\n b\r\n"),
    ] {
        let head = format!("POST /c/small/mcp HTTP/1.1\r\nHost: {}\r\n", rig.address);
        let reply = rig.raw(&format!("{head}{lines}{rest}")).await;
        assert_eq!(reply.status, 400, "{row}: {}", reply.head);
        assert_eq!(reply.body.matches("HTTP/1.1").count(), 0, "{row}: {}", reply.body);
        assert!(reply.head.contains("connection: close"), "{row}: {}", reply.head);
    }
    let records = rig.journal().matches("http.malformed").count();
    assert_eq!(records, 5, "one record each");
}

#[tokio::test]
async fn hosts_and_origins_are_checked_first() {
    let rig = Rig::start(ALLOW_ALL).await;
    let ask = async |host: &str, more: &str| {
        let close = "Connection: close\r\n";
        rig.raw(&format!("GET /c/small/mcp HTTP/1.1\r\nHost: {host}\r\n{close}{more}\r\n"))
            .await
            .status
    };
    assert_eq!(ask("127.0.0.1.attacker.example", "").await, 403, "H22");
    assert_eq!(ask("u@a", "").await, 400, "H8");
    assert_eq!(ask(&rig.address, "Origin: https://evil.example\r\n").await, 403, "H21");
    assert_eq!(ask(&rig.address, "Origin: null\r\n").await, 403, "H21");
    assert_eq!(ask(&rig.address, "Accept: application/json\r\n").await, 406, "H31");
}

#[tokio::test]
async fn bad_answers_become_clean_errors_h41() {
    let rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    for (tool, reason) in [
        ("unauthorized", "upstream.unauthorized"),
        ("redirect", "upstream.invalid"),
        ("gzip", "upstream.invalid"),
        ("foreign", "upstream.invalid"),
    ] {
        let before = server::CALLS.load(Ordering::Relaxed);
        let reply = rig.post(Some(&session), &call(3, tool)).await;
        assert_eq!(reply.status, 502, "{tool}: {} {}", reply.head, reply.body);
        assert!(reply.body.contains(reason), "{tool}: {}", reply.body);
        assert!(reply.body.contains("\"id\":3"), "{tool}: {}", reply.body);
        assert!(!reply.head.contains("www-authenticate"), "{tool}: {}", reply.head);
        assert_eq!(server::CALLS.load(Ordering::Relaxed), before + 1, "{tool}: one try, I25");
    }
    let reply = rig.post(Some(&session), &call(4, "cookie")).await;
    assert_eq!(reply.status, 200, "{}", reply.head);
    assert!(!reply.head.contains("set-cookie") && !reply.head.contains("x-own"), "{}", reply.head);
}

#[tokio::test]
async fn a_stream_never_ends_without_a_final_message() {
    let rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    let reply = rig.post(Some(&session), &call(5, "early")).await;
    assert!(reply.body.contains("notifications/progress"), "{}", reply.body);
    let last = reply.body.rfind("\"error\"").expect("a final error");
    assert!(reply.body[last..].contains("upstream.ended"), "{}", reply.body);
}

#[tokio::test]
async fn what_the_server_may_not_ask_never_reaches_the_client() {
    let rig =
        Rig::start("@id(\"tools\") permit (principal, action in Action::\"call_tool\", resource);")
            .await;
    let session = rig.session().await;
    let reply = rig.post(Some(&session), &call(6, "ask")).await;
    assert!(!reply.body.contains("elicitation"), "{}", reply.body);
    assert!(reply.body.contains("\"text\":\"hello\""), "{}", reply.body);
    eventually(|| server::DECLINED.load(Ordering::Relaxed) == 1).await;
    assert!(rig.journal().contains("server_request.denied"), "{}", rig.journal());
}

#[tokio::test]
async fn a_legacy_call_outlives_its_client() {
    let rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    let body = call(8, "slow");
    let impatient = rig.post(Some(&session), &body);
    assert!(tokio::time::timeout(Duration::from_millis(150), impatient).await.is_err());
    eventually(|| rig.journal().contains("\"id\":8,\"result\"")).await;
    assert!(!rig.journal().contains("cancelled"), "{}", rig.journal());
}

#[tokio::test]
async fn an_unknown_origin_gets_no_cors_and_an_own_one_does() {
    let rig = Rig::start(ALLOW_ALL).await;
    let own = format!("http://{}", rig.address);
    for (origin, status, allowed) in [(own.as_str(), 204, true), ("https://evil", 403, false)] {
        let reply = rig
            .raw(&format!(
                "OPTIONS /c/small/mcp HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\n\
                 Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n",
                rig.address
            ))
            .await;
        assert_eq!(reply.status, status, "{origin}: {}", reply.head);
        assert_eq!(reply.head.contains("access-control-allow-origin"), allowed, "H23 {origin}");
    }
}

#[tokio::test]
async fn a_drain_ends() {
    let mut rig = Rig::start(ALLOW_ALL).await;
    let session = rig.session().await;
    rig.post(Some(&session), &call(1, "echo")).await;
    drop(rig.stop.take());
    tokio::time::timeout(Duration::from_secs(5), rig.served).await.expect("an end").unwrap();
}
