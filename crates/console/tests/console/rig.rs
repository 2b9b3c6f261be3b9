//! A console over a real journal and a real index in a temporary folder.
//!
//! Tokens are words: the first names who it is, and `;ms=1500` how long it stands.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Body, response::Response};
use http::{HeaderMap, Request, StatusCode, header};
use lockgate_console::{
    Connect, Console, Edge, Keeper, NotConnected, Offer, Revoker, Roles,
    scim::{Named, Provisioned, Provisioner},
};
use lockgate_model::{
    ConnectionName, Digest, Era, Event, Group, Identity, IdentityKind, IntentEvent, Lift,
    MessageEvent, OpenedEvent, OutcomeEvent, OutcomeStatus, Reason, Refusal, RefusalEvent,
    Revocation, Revoked, Timestamp, TokenFacts, Verdict,
};
use lockgate_store::{
    approvals::Approvals,
    db::DbPlace,
    directory::Directory,
    index::{Index, Indexed},
    journal::{Journal, JournalFault, JournalOptions, Keys, Record, SignedHead, read},
    pins::PinFolder,
    revocations::Revocations,
};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tower_service::Service as _;

use crate::registry;

/// How long an answer may take.
const WAIT_MAX: Duration = Duration::from_secs(20);

pub(crate) const NODE: &str = "one";
/// Longest access.
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// The subject of the auditor `hostile`.
pub(crate) const HOSTILE: &str = "a\u{1b}[31m\n\u{202e}é\"\u{2028}";

/// A console with everything around it.
pub(crate) struct Rig {
    pub(crate) approvals: Arc<Approvals>,
    pub(crate) console: Arc<Console>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) index: Arc<Index>,
    /// Set, the journal takes nothing.
    pub(crate) refuses: Arc<AtomicBool>,
    /// Set, it takes a while.
    pub(crate) slow: Arc<AtomicBool>,
    /// Set, changes are put on the record and not made.
    pub(crate) stops_short: Arc<AtomicBool>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) pins: PinFolder,
    pub(crate) keys: Keys,
    pub(crate) folder: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Rig {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("journal");
        let keys = Keys::open_or_create(&folder.path().join("keys"), &at).unwrap();
        let options = JournalOptions {
            node: NODE.to_owned(),
            segment_max_bytes: 20_000,
            head_max_ms: 50,
            reserve_bytes: 0,
            ..JournalOptions::default()
        };
        let journal = Arc::new(Journal::open(&at, &keys, options).unwrap().0);
        let place = DbPlace::Sqlite(folder.path().join("index.sqlite"));
        let index = Arc::new(Index::open(&place).await.unwrap());
        let [refuses, stops_short, slow] = [(); 3].map(|()| Arc::<AtomicBool>::default());
        let place = DbPlace::Sqlite(folder.path().join("approvals.sqlite"));
        let approvals = Arc::new(Approvals::open(&place).await.unwrap());
        let asks = Arc::clone(&approvals);
        let revocations = Arc::new(Revocations::open(&place).await.unwrap());
        let directory = Arc::new(Directory::open(&place).await.unwrap());
        let (revoked, provisioned) = (Arc::clone(&revocations), Arc::clone(&directory));
        let pins = PinFolder::open(&folder.path().join("pins")).unwrap();
        let edge = Edge {
            approvals: Box::new(move || Some(Arc::clone(&asks))),
            offer: Box::new(offer),
            registrar: registry::registrar(),
            pins: pins.clone(),
            revoker: Revoker {
                store: Box::new(move || Some(Arc::clone(&revoked))),
                knows: Box::new(|issuer| issuer == "corp"),
                hear: Box::new(|told| {
                    let told = heard(&told);
                    Box::pin(async move { told })
                }),
                is_out: Box::new(|_| false),
            },
            provisioner: Provisioner {
                store: Box::new(move || Some(Arc::clone(&provisioned))),
                admits: Box::new(provisions),
            },
            login: None,
            connect: connect(),
            slack: Vec::new(),
            verify: Box::new(|headers| Box::pin(async move { verify(&headers) })),
            keeper: keeper(&journal, &refuses, &stops_short, &slow),
            index: Arc::clone(&index),
            node: NODE.to_owned(),
            journal: at,
            keys: keys.clone(),
            elsewhere: None,
            now,
        };
        let console = Console::new(edge, roles());
        Self {
            approvals,
            console,
            journal,
            index,
            refuses,
            slow,
            stops_short,
            revocations,
            directory,
            pins,
            keys,
            folder,
        }
    }

    /// Puts an event on the record, as the gateway would.
    pub(crate) fn append(&self, event: &Event) -> u64 {
        self.journal.append(now(), event).unwrap().seq()
    }

    /// Brings the index up to the journal's end.
    pub(crate) async fn catch_up(&self) {
        let applied = self.index.applied(NODE).await.unwrap();
        let records = self.records().into_iter();
        let batch: Vec<_> = records
            .filter(|record| record.seq > applied)
            .map(|record| Indexed {
                seq: record.seq,
                time: record.time,
                event: record.event().unwrap(),
            })
            .collect();
        self.index.apply(NODE, &batch).await.unwrap();
    }

    /// The records of the journal so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let records = read(&self.folder.path().join("journal"), &self.keys).unwrap();
        records.map(Result::unwrap).collect()
    }

    /// The events of the journal so far, without those that were erased.
    pub(crate) fn events(&self) -> Vec<(u64, Event)> {
        let records = self.records().into_iter();
        records.filter_map(|record| Some((record.seq, record.event().unwrap()?))).collect()
    }

    /// Whether something of the session can still be read.
    pub(crate) fn is_readable(&self, session: &str) -> bool {
        self.events().iter().any(|(_, event)| event.session() == Some(session))
    }

    /// Waits for a signed head over at least `size` records.
    pub(crate) async fn head(&self, size: u64) -> Arc<SignedHead> {
        let mut heads = self.journal.heads();
        let head = heads.wait_for(|head| head.as_ref().is_some_and(|head| head.head.size >= size));
        let head = tokio::time::timeout(WAIT_MAX, head).await.expect("a head").unwrap();
        head.clone().unwrap()
    }

    /// Every look so far: who, how, at which session.
    pub(crate) fn looks(&self) -> Vec<(String, String, Option<String>)> {
        let events = self.events().into_iter();
        let looks = events.filter_map(|(_, event)| match event {
            Event::Viewed(viewed) => Some((viewed.by, viewed.how, viewed.viewed)),
            _ => None,
        });
        looks.collect()
    }

    pub(crate) fn router(&self) -> Router {
        Arc::clone(&self.console).router()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router().call(request).await.unwrap()
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Answer {
        Answer::read(self.send(request).await).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(get(path, token)).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::post(format!("/api/v1{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }
}

/// `corp` names people by `userName`, `entra` by `externalId`; the token is `provision ISSUER`.
fn provisions(issuer: &str, token: &str) -> Option<Provisioned> {
    let named = match issuer {
        "corp" => Named::Label,
        "entra" => Named::ExternalId,
        _ => return None,
    };
    let fits = token == format!("provision {issuer}");
    fits.then(|| Provisioned { issuer: issuer.to_owned(), user: named, group: named })
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Self {
        let (head, body) = response.into_parts();
        // A stream where an answer was expected has no end.
        let read = tokio::time::timeout(WAIT_MAX, axum::body::to_bytes(body, usize::MAX));
        let body = read.await.expect("a whole answer").unwrap().to_vec();
        Self { status: head.status, headers: head.headers, body }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The stable code of a refusal, after a look at its shape (RFC 9457).
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status.as_u16());
        assert_eq!(problem["title"], self.status.canonical_reason().unwrap());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }

    /// The numbers of the records in it.
    pub(crate) fn seqs(&self) -> Vec<u64> {
        let body = self.json();
        let events = body["events"].as_array().unwrap();
        events.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
    }
}

pub(crate) fn get(path: &str, token: &str) -> Request<Body> {
    let request = Request::get(format!("/api/v1{path}"));
    let token = format!("Bearer {token}");
    request.header(header::AUTHORIZATION, token).body(Body::empty()).unwrap()
}

/// What the issuer of this room tells: `disabled:NAME`, or `nothing`.
fn heard(told: &[u8]) -> Result<Vec<Revocation>, Refusal> {
    let told = String::from_utf8_lossy(told);
    let Some(subject) = told.strip_prefix("disabled:") else {
        let forged = Refusal::new(Reason::TokenSignature, "it is forged");
        return if told == "nothing" { Ok(Vec::new()) } else { Err(forged) };
    };
    Ok(vec![Revocation {
        id: format!("r-{subject}"),
        target: Revoked::Subject { issuer: "corp".into(), subject: subject.into() },
        issued_until: None,
        reason: "account disabled at the issuer".into(),
        by: "idp:corp".into(),
        at: now(),
        until: None,
    }])
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

pub(crate) fn roles() -> Roles {
    let roles = json!({
        "admin": ["corp/platform"], "auditor": ["corp/audit"], "approver": ["corp/leads"]
    });
    serde_json::from_value(roles).unwrap()
}

/// The journal itself, which can be made to fail.
fn keeper(
    journal: &Arc<Journal>,
    refuses: &Arc<AtomicBool>,
    stops_short: &Arc<AtomicBool>,
    slow: &Arc<AtomicBool>,
) -> Keeper {
    let inner = Arc::new(Keeper::of(journal, now));
    let (appends, keeps, heads) = (Arc::clone(&inner), Arc::clone(&inner), inner);
    let (refuses, refuses_too) = (Arc::clone(refuses), Arc::clone(refuses));
    let (stops_short, slow) = (Arc::clone(stops_short), Arc::clone(slow));
    Keeper {
        append: Box::new(move |event| match refuses.load(Ordering::SeqCst) {
            true => Box::pin(async { Err(full()) }),
            false => {
                let (slow, recorded) = (slow.load(Ordering::SeqCst), (appends.append)(event));
                Box::pin(async move {
                    if slow {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    recorded.await
                })
            }
        }),
        keep: Box::new(move |kept| {
            if refuses_too.load(Ordering::SeqCst) {
                return Box::pin(async { Err(full()) });
            }
            if !stops_short.load(Ordering::SeqCst) {
                return (keeps.keep)(kept);
            }
            let recorded = (keeps.append)(Event::Kept(kept));
            Box::pin(async move {
                recorded.await?;
                let (path, source) = ("keys".into(), std::io::ErrorKind::ReadOnlyFilesystem.into());
                Err(JournalFault::Io { doing: "erase a key in", path, source })
            })
        }),
        durable: Arc::clone(&heads.durable),
        head: Box::new(move || (heads.head)()),
    }
}

fn full() -> JournalFault {
    JournalFault::Unavailable("no space left on device".into())
}

/// Everybody of `corp` may ask the leads for access to `db` or its `query`, and the platform's people
/// may do without.
/// No server knows accounts here.
fn connect() -> Connect {
    Connect {
        since: Box::new(|_, _, ()| Box::pin(async { Err(NotConnected::Unknown) })),
        begin: Box::new(|_, _, _| Box::pin(async { Err(NotConnected::Unknown) })),
        finish: Box::new(|_, _, _| Box::pin(async { Err(NotConnected::Unknown) })),
        end: Box::new(|_, _, ()| Box::pin(async { Err(NotConnected::Unknown) })),
    }
}

fn offer(
    identity: &Identity,
    connection: &ConnectionName,
    tool: Option<&str>,
    emergency: bool,
) -> Option<Offer> {
    let here = connection.as_str() == "db" && tool.is_none_or(|tool| tool == "query");
    let platform = identity.groups.iter().any(|group| group.name == "platform");
    let may = identity.issuer == "corp" && here && (!emergency || platform);
    may.then(|| Offer {
        lift: Lift {
            groups: vec!["corp/leads".into()],
            quorum: 1,
            policies: vec!["writes".into()],
            most_ms: Some(HOUR_MS),
            reason: None,
        },
        most_ms: HOUR_MS,
        answer_ms: HOUR_MS,
        live_max: 2,
    })
}

fn verify(headers: &HeaderMap) -> Result<Arc<Identity>, Refusal> {
    let refuse = |reason| Err(Refusal::new(reason, "the detail that stays inside"));
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else { return refuse(Reason::TokenMissing) };
    if lines.next().is_some() {
        return refuse(Reason::HttpMalformed);
    }
    let Some(token) = line.to_str().unwrap().strip_prefix("Bearer ") else {
        return refuse(Reason::TokenMalformed);
    };
    let (who, ms) = token.split_once(";ms=").unwrap_or((token, "3600000"));
    let (issuer, group) = match who {
        "admin" => ("corp", "platform"),
        "auditor" | "hostile" => ("corp", "audit"),
        "approver" => ("corp", "leads"),
        "nobody" => ("corp", "staff"),
        // The right group of the wrong issuer.
        "stranger" => ("partner", "platform"),
        "down" => return refuse(Reason::IssuerUnavailable),
        "expired" => return refuse(Reason::TokenExpired),
        "forged" => return refuse(Reason::TokenSignature),
        _ => return refuse(Reason::TokenMalformed),
    };
    let end = now().plus_millis(ms.parse().unwrap());
    Ok(Arc::new(Identity {
        issuer: issuer.into(),
        kind: IdentityKind::Person,
        subject: if who == "hostile" { HOSTILE.into() } else { who.into() },
        client: None,
        groups: vec![Group { issuer: issuer.into(), name: group.into() }],
        claims: BTreeMap::new(),
        token: TokenFacts {
            id: digest(),
            jti: None,
            issued_at: None,
            expires_at: end,
            refused_from: end,
        },
    }))
}

pub(crate) const fn digest() -> Digest {
    Digest::from_bytes([7; 32])
}

/// The id of the n-th session.
pub(crate) fn session(n: u32) -> String {
    format!("s{n:032x}")
}

/// The id of the n-th call.
pub(crate) fn call(n: u32) -> String {
    format!("{n:032x}")
}

pub(crate) fn opened(n: u32, connection: &str) -> Event {
    Event::Opened(Box::new(OpenedEvent {
        session: session(n),
        issuer: "corp".into(),
        subject: format!("person-{n}"),
        client: Some("ide".into()),
        groups: vec!["corp/staff".into()],
        connection: connection.into(),
        era: Era::Modern,
    }))
}

pub(crate) fn closed(n: u32) -> Event {
    Event::Closed { session: session(n), why: "idle".into() }
}

pub(crate) fn intent(n: u32, of: u32, connection: &str, text: &str) -> Event {
    Event::Intent(Box::new(IntentEvent {
        call: call(n),
        trace: format!("{n:032x}"),
        peer: "192.0.2.1".into(),
        issuer: "corp".into(),
        subject: format!("person-{of}"),
        client: Some("ide".into()),
        groups: vec!["corp/staff".into()],
        token: digest(),
        token_issued_at: None,
        connection: connection.into(),
        session: Some(session(of)),
        mcp_session: None,
        era: Era::Modern,
        id: None,
        method: "tools/call".into(),
        action: "call_tool".into(),
        target: "query".into(),
        arguments: json!({ "sql": text }),
        arguments_digest: digest(),
        body_digest: digest(),
        definition: None,
        restored: Vec::new(),
        facts: vec!["sql.write".into()],
        verdict: Verdict::Allow { policies: vec!["staff".into()] },
        snapshot: digest(),
    }))
}

pub(crate) fn message(n: u32, of: u32, text: &str) -> Event {
    Event::Message(Box::new(MessageEvent {
        call: call(n),
        session: Some(session(of)),
        bytes: text.len() as u64,
        body_digest: digest(),
        body: Some(body(text)),
    }))
}

pub(crate) fn outcome(n: u32, of: u32, text: &str) -> Event {
    Event::Outcome(Box::new(OutcomeEvent {
        call: call(n),
        session: Some(session(of)),
        status: OutcomeStatus::Result,
        reason: None,
        elapsed_us: 1_200,
        bytes: text.len() as u64,
        body_digest: Some(digest()),
        masked: BTreeMap::new(),
        body: Some(body(text)),
    }))
}

pub(crate) fn refused(connection: &str) -> Event {
    Event::Refused(RefusalEvent {
        request: call(999),
        peer: "192.0.2.9".into(),
        connection: Some(connection.into()),
        identity: None,
        reason: Reason::TokenSignature,
        detail: "the signature does not verify".into(),
    })
}

fn body(text: &str) -> Box<RawValue> {
    serde_json::value::to_raw_value(&json!({ "result": text })).unwrap()
}
