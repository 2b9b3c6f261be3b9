//! Events as the gateway writes them, in few words.

use std::collections::BTreeMap;

use lockgate_model::{
    Deny, Digest, Era, Event, IntentEvent, KeptChange, KeptEvent, MessageEvent, OpenedEvent,
    OutcomeEvent, OutcomeStatus, Reason, RefusalEvent, Timestamp, Verdict,
};
use lockgate_store::index::{
    CallRow, Filter, Index, Indexed, Page, RefusalFilter, RefusalRow, SessionRow,
};
use serde_json::{Value, json, value::RawValue};

pub(crate) const DIGEST: Digest = Digest::from_bytes([7; 32]);

/// Puts events in a row: record 1 at 1,000 ms, each a second after the one before.
pub(crate) fn records(events: impl IntoIterator<Item = Event>) -> Vec<Indexed> {
    records_from(1, events)
}

pub(crate) fn records_from(first: u64, events: impl IntoIterator<Item = Event>) -> Vec<Indexed> {
    let record = |(number, event): (usize, Event)| {
        let seq = first + number as u64;
        Indexed { seq, time: at(seq), event: Some(event) }
    };
    events.into_iter().enumerate().map(record).collect()
}

/// The time of a record.
pub(crate) fn at(seq: u64) -> Timestamp {
    Timestamp::from_seconds(seq.cast_signed())
}

pub(crate) fn session(number: u64) -> String {
    format!("s{number:032x}")
}

pub(crate) fn call(number: u64) -> String {
    format!("{number:032x}")
}

pub(crate) fn opened(number: u64, subject: &str) -> Event {
    Event::Opened(Box::new(OpenedEvent {
        session: session(number),
        issuer: "corp".into(),
        subject: subject.into(),
        client: Some("ide".into()),
        groups: vec!["corp/dev".into(), "corp/all".into()],
        connection: "db".into(),
        era: Era::Legacy,
    }))
}

pub(crate) fn closed(number: u64) -> Event {
    Event::Closed { session: session(number), why: "idle".into() }
}

/// A call in a session, with arguments.
pub(crate) fn intent(number: u64, of: u64, arguments: Value) -> IntentEvent {
    IntentEvent {
        call: call(number),
        trace: format!("{:032x}", of + 0xabc),
        peer: "10.0.0.9:5000".into(),
        issuer: "corp".into(),
        subject: "alice".into(),
        client: Some("ide".into()),
        groups: vec!["corp/dev".into(), "corp/all".into()],
        token: DIGEST,
        token_issued_at: None,
        connection: "db".into(),
        session: Some(session(of)),
        mcp_session: None,
        era: Era::Legacy,
        id: None,
        method: "tools/call".into(),
        action: "call_tool".into(),
        target: "query".into(),
        arguments,
        arguments_digest: DIGEST,
        body_digest: DIGEST,
        definition: None,
        restored: Vec::new(),
        facts: Vec::new(),
        verdict: Verdict::Allow { policies: vec!["p1".into()] },
        snapshot: DIGEST,
    }
}

pub(crate) fn decided(intent: IntentEvent) -> Event {
    Event::Intent(Box::new(intent))
}

pub(crate) fn deny(reason: Reason, policy: &str) -> Verdict {
    Verdict::Deny(Deny { reason, policies: vec![policy.into()] })
}

pub(crate) fn raw(value: &Value) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).unwrap()
}

pub(crate) fn message(number: u64, of: u64, text: &str) -> Event {
    let body = raw(&json!({"method": "notifications/message", "params": {"data": text}}));
    Event::Message(Box::new(MessageEvent {
        call: call(number),
        session: Some(session(of)),
        bytes: 10,
        body_digest: DIGEST,
        body: Some(body),
    }))
}

pub(crate) fn outcome(number: u64, of: u64, status: OutcomeStatus, text: &str) -> Event {
    let body = raw(&json!({"id": 1, "result": {"content": [{"type": "text", "text": text}]}}));
    Event::Outcome(Box::new(OutcomeEvent {
        call: call(number),
        session: Some(session(of)),
        status,
        reason: None,
        elapsed_us: 1_500,
        bytes: 100,
        body_digest: Some(DIGEST),
        masked: BTreeMap::new(),
        body: Some(body),
    }))
}

pub(crate) fn refused(identity: Option<&str>, reason: Reason) -> Event {
    Event::Refused(RefusalEvent {
        request: "r1".into(),
        peer: "10.0.0.9:5000".into(),
        connection: Some("db".into()),
        identity: identity.map(str::to_owned),
        reason,
        detail: "no".into(),
    })
}

pub(crate) fn kept(change: KeptChange) -> Event {
    Event::Kept(KeptEvent { by: "local:root".into(), change, reason: "asked".into() })
}

/// Everything that an index gives back of one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) sessions: Vec<SessionRow>,
    pub(crate) calls: Vec<CallRow>,
    pub(crate) refusals: Vec<RefusalRow>,
}

pub(crate) async fn contents(index: &Index) -> Contents {
    let mut contents = Contents { sessions: vec![], calls: vec![], refusals: vec![] };
    let filter = Filter::default();
    let mut page = Page::first(200);
    loop {
        let listing = index.sessions(&filter, page).await.unwrap();
        contents.sessions.extend(listing.rows);
        let Some(next) = listing.next else { break };
        page = Page::new(200, Some(&next.to_string())).unwrap();
    }
    page = Page::first(200);
    loop {
        let listing = index.calls(&filter, page).await.unwrap();
        contents.calls.extend(listing.rows);
        let Some(next) = listing.next else { break };
        page = Page::new(200, Some(&next.to_string())).unwrap();
    }
    page = Page::first(200);
    loop {
        let listing = index.refusals(&RefusalFilter::default(), page).await.unwrap();
        contents.refusals.extend(listing.rows);
        let Some(next) = listing.next else { break };
        page = Page::new(200, Some(&next.to_string())).unwrap();
    }
    contents
}

/// Numbers of the calls that match, ascending.
pub(crate) async fn found(index: &Index, filter: Filter) -> Vec<u64> {
    let listing = index.calls(&filter, Page::first(200)).await.unwrap();
    assert_eq!(listing.next, None);
    let number = |row: &CallRow| u64::from_str_radix(&row.id, 16).unwrap();
    let mut numbers: Vec<_> = listing.rows.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

/// Numbers of the sessions that match, ascending.
pub(crate) async fn found_sessions(index: &Index, filter: Filter) -> Vec<u64> {
    let listing = index.sessions(&filter, Page::first(200)).await.unwrap();
    let number = |row: &SessionRow| u64::from_str_radix(&row.id[1..], 16).unwrap();
    let mut numbers: Vec<_> = listing.rows.iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}
