//! One upstream over the test server, and the questions a test asks it.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use lockgate_gateway::{
    clearance::{Clearance, Entry},
    clock,
    pin::Stale,
    settings::StdioSettings,
    upstream::{
        Answer, EventStream, Outgoing, SessionKey, Verb,
        stdio::{Launcher, StdioUpstream},
    },
};
use lockgate_model::{
    ConnectionName, Digest, Era, IntentEvent, Limits, Refusal, Timestamp, Verdict,
};
use lockgate_store::journal::{Journal, JournalOptions, Keys};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) struct Rig {
    pub(crate) upstream: Arc<StdioUpstream>,
    _folder: TempDir,
    journal: Journal,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// An upstream over `server.py`, after `change` had its way with the settings.
    pub(crate) fn with(change: impl FnOnce(&mut StdioSettings, &mut Limits)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("server.py");
        std::fs::write(&server, include_str!("server.py")).unwrap();
        let mut settings = StdioSettings {
            command: python(),
            args: vec![server.display().to_string()],
            env: Default::default(),
            cwd: None,
            sandbox: Default::default(),
        };
        let mut limits = Limits { answer_wait_max_ms: 20_000, ..Limits::default() };
        change(&mut settings, &mut limits);
        let place = folder.path().join("journal");
        let keys = Keys::open_or_create(&folder.path().join("keys"), &place).unwrap();
        let (journal, _) = Journal::open(&place, &keys, JournalOptions::default()).unwrap();
        let name = ConnectionName::new("test").unwrap();
        let upstream = StdioUpstream::new(
            name,
            settings,
            limits,
            launcher(),
            Stale::default(),
            Arc::default(),
        )
        .unwrap();
        Self { upstream: Arc::new(upstream), _folder: folder, journal }
    }

    pub(crate) async fn send(
        &self,
        era: Era,
        verb: Verb,
        session: Option<&SessionKey>,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let session = session.cloned();
        let outgoing = Outgoing { era, verb, headers: HeaderMap::new(), body, session };
        self.upstream.send(self.clearance().await, outgoing).await
    }

    pub(crate) async fn legacy(
        &self,
        session: &SessionKey,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.send(Era::Legacy, Verb::Post, Some(session), body).await
    }

    pub(crate) async fn modern(&self, body: &Value) -> Result<Answer, Refusal> {
        self.send(Era::Modern, Verb::Post, None, body).await
    }

    /// A legacy session of its own.
    pub(crate) async fn session(&self) -> SessionKey {
        self.try_session().await.unwrap()
    }

    pub(crate) async fn try_session(&self) -> Result<SessionKey, Refusal> {
        let body = request(0, "initialize", json!({}));
        let answer = self.send(Era::Legacy, Verb::Post, None, &body).await?;
        let key = answer.headers()["mcp-session-id"].to_str().unwrap();
        Ok(SessionKey::new(key).unwrap())
    }

    /// The result of one request in a session.
    pub(crate) async fn result(&self, session: &SessionKey, method: &str, params: Value) -> Value {
        result(self.legacy(session, &request(1, method, params)).await.unwrap())
    }

    async fn clearance(&self) -> Clearance {
        let none = Digest::from_bytes([0; 32]);
        let intent = IntentEvent {
            call: "c".into(),
            trace: "t".into(),
            peer: String::new(),
            issuer: "test".into(),
            subject: "test".into(),
            client: None,
            groups: Vec::new(),
            token: none,
            token_issued_at: None,
            connection: "test".into(),
            session: None,
            mcp_session: None,
            era: Era::Legacy,
            id: None,
            method: "test".into(),
            action: "protocol".into(),
            target: String::new(),
            arguments: Value::Null,
            arguments_digest: none,
            body_digest: none,
            definition: None,
            restored: Vec::new(),
            facts: Vec::new(),
            verdict: Verdict::Allow { policies: Vec::new() },
            snapshot: none,
        };
        let now: Timestamp = clock::now();
        Entry::record(&self.journal, now, intent).await.unwrap().clear().unwrap()
    }
}

/// The launcher alone, built beside the tests as an example of the crate.
pub(crate) fn launcher() -> Launcher {
    let program = std::env::current_exe().unwrap();
    let program = program.ancestors().nth(2).unwrap().join("examples/stdio-child");
    assert!(program.exists(), "{program:?} is missing: build the crate's examples");
    Launcher { program }
}

/// The interpreter itself: what stands in `PATH` may be a script that needs an environment.
pub(crate) fn python() -> PathBuf {
    let found = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    PathBuf::from(String::from_utf8(found.unwrap().stdout).unwrap().trim())
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// The result in a JSON answer.
pub(crate) fn result(answer: Answer) -> Value {
    let Answer::Json { status: StatusCode::OK, body, .. } = answer else {
        panic!("a JSON answer, not {}", answer.status())
    };
    serde_json::from_slice::<Value>(&body).unwrap()["result"].take()
}

/// The events of a stream answer.
pub(crate) fn events(answer: Answer) -> EventStream {
    let Answer::Stream { events, .. } = answer else { panic!("a stream, not {}", answer.status()) };
    events
}

/// The next message of a stream, within 10 s.
pub(crate) async fn message(events: &mut EventStream) -> Option<Value> {
    let next = tokio::time::timeout(Duration::from_secs(10), events.next());
    let event = next.await.expect("an event in time")?.expect("no refusal");
    Some(serde_json::from_slice(event.message().unwrap()).unwrap())
}

/// Every message up to the end of a stream.
pub(crate) async fn messages(mut events: EventStream) -> Vec<Value> {
    let mut all = Vec::new();
    while let Some(one) = message(&mut events).await {
        all.push(one);
    }
    all
}

/// Whether a process runs; one that is dead but not reaped counts as running.
pub(crate) fn runs(pid: u64) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}

/// Waits until `done`, at most 5 s: the longest that a child may outlive its end.
pub(crate) async fn within_5_s(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}
