//! A run of records folded into what changes in the tables. Pure: rows in, rows out.
//!
//! Whatever the order or the gaps of the records (older ones may be retired), a run folds into the
//! same rows, however it is cut into batches.

use std::collections::{BTreeMap, BTreeSet};

use lockgate_model::{
    Event, IntentEvent, MessageEvent, OpenedEvent, OutcomeEvent, OutcomeStatus, RefusalEvent,
    Timestamp, Verdict,
};
use serde_json::value::RawValue;

use super::{
    IndexFault, TEXT_MAX_BYTES, VerdictKind,
    query::PHRASE_MAX,
    text::{self, Text},
};
use crate::db::conn::{Bind, column};

/// Highest sequence number that fits into a key.
pub(super) const SEQ_MAX: u64 = (1 << SEQ_BITS) - 1;
const SEQ_BITS: u32 = 40;

/// Highest number of a node that fits into a key.
const NODE_MAX: i64 = (1 << 11) - 1;

/// Texts of one call that are searched; each message of a stream has one, a long text several.
pub const TEXTS_MAX: u64 = 1 << TEXT_BITS;
pub(super) const TEXT_BITS: u32 = 12;

/// Words of one text: PostgreSQL keeps at most 256 places of one word in a text.
const WORDS_MAX: usize = 255;

/// One record of the journal on its way into the index.
#[derive(Clone, Debug)]
pub struct Indexed {
    /// The record's sequence number, ascending.
    pub seq: u64,
    /// The record's time.
    pub time: Timestamp,
    /// What happened; `None` where it can't be read any more, because its session was erased.
    pub event: Option<Event>,
}

/// The key of a record of a node.
pub(super) fn key(node: i64, seq: u64) -> Result<i64, IndexFault> {
    if !(0..=NODE_MAX).contains(&node) {
        return Err(IndexFault::Full { what: "more than 2,047 nodes" });
    }
    let seq = i64::try_from(seq).ok().filter(|seq| seq.cast_unsigned() <= SEQ_MAX);
    let seq = seq.ok_or(IndexFault::Full { what: "a node's records beyond 2^40" })?;
    Ok(node << SEQ_BITS | seq)
}

/// A session in the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) key: i64,
    pub(super) erased: bool,
    /// Its row, where this run begins it.
    pub(super) fresh: Option<Box<OpenedEvent>>,
    pub(super) opened: Timestamp,
    pub(super) moved: bool,
    pub(super) last: Timestamp,
    pub(super) last_seq: u64,
    pub(super) closed: Option<(Timestamp, String)>,
    pub(super) calls: u64,
    pub(super) denied: u64,
    pub(super) errors: u64,
    pub(super) bytes: u64,
}

/// A call in the run.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) key: i64,
    /// Its row, where this run begins it.
    pub(super) fresh: Option<Box<Fresh>>,
    pub(super) moved: bool,
    pub(super) texts: u64,
    pub(super) text_bytes: u64,
    pub(super) text_cut: bool,
    pub(super) bytes: u64,
    pub(super) end: Option<End>,
}

/// What only an intent says.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    pub(super) session: Option<i64>,
    pub(super) time: Timestamp,
    pub(super) intent: IntentEvent,
}

/// What only an outcome says.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) seq: u64,
    pub(super) outcome: OutcomeEvent,
}

/// Everything that a run changes, by the ids as they stand in columns.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) node: i64,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) calls: BTreeMap<String, Call>,
    /// Key and time of each start of the process: sessions of before have ended with it.
    pub(super) starts: Vec<(i64, Timestamp)>,
    /// Key, time, refusal.
    pub(super) refusals: Vec<(i64, Timestamp, RefusalEvent)>,
    /// Call and number of the text in one, words.
    pub(super) texts: Vec<(i64, String)>,
}

/// The ids that a run names, to look up what is known of them before it is folded.
pub(super) fn named(run: &[Indexed]) -> (BTreeSet<String>, BTreeSet<String>) {
    let events = || run.iter().filter_map(|indexed| indexed.event.as_ref());
    let sessions = events().filter_map(Event::session).map(column).collect();
    let calls = events().filter_map(|event| match event {
        Event::Intent(intent) => Some(&intent.call),
        Event::Message(message) => Some(&message.call),
        Event::Outcome(outcome) => Some(&outcome.call),
        _ => None,
    });
    (sessions, calls.map(|call| column(call)).collect())
}

/// What an event comes with.
#[derive(Clone, Copy)]
struct At {
    seq: u64,
    time: Timestamp,
    key: i64,
}

impl Changes {
    /// Folds `run` into what `self` knows already. Changes of what is kept are not folded here.
    pub(super) fn fold(&mut self, run: &[Indexed]) -> Result<(), IndexFault> {
        for indexed in run {
            let Some(event) = &indexed.event else { continue };
            let key = key(self.node, indexed.seq)?;
            let at = At { seq: indexed.seq, time: indexed.time, key };
            match event {
                Event::Opened(opened) => self.opened(at, opened),
                Event::Closed { session, why } => {
                    if let Some(session) = self.session(at, session) {
                        session.closed = Some((at.time, why.clone()));
                    }
                }
                Event::Intent(intent) => self.intent(at, intent),
                Event::Resent(resent) => {
                    if let Some(session) = &resent.session {
                        self.session(at, session);
                    }
                }
                Event::Message(message) => self.message(at, message),
                Event::Outcome(outcome) => self.outcome(at, outcome),
                Event::Refused(refused) => self.refusals.push((key, at.time, refused.clone())),
                Event::Approval(approval) => {
                    // The session reaches this far; the approval itself is kept elsewhere.
                    if let Some(session) = &approval.session {
                        self.session(at, session);
                    }
                }
                Event::Started { .. } => self.starts.push((key, at.time)),
                Event::Snapshot { .. }
                | Event::Pins { .. }
                | Event::Viewed(_)
                | Event::Kept(_)
                | Event::Vault(_)
                | Event::Connections(_)
                | Event::Revocations(_)
                | Event::Directory(_) => {}
            }
        }
        Ok(())
    }

    fn opened(&mut self, at: At, opened: &OpenedEvent) {
        self.begin(at, opened);
        self.session(at, &opened.session);
    }

    /// Begins the session's row, where there is none yet.
    fn begin(&mut self, at: At, opened: &OpenedEvent) {
        self.sessions.entry(column(&opened.session)).or_insert_with(|| Session {
            key: at.key,
            fresh: Some(Box::new(opened.clone())),
            opened: at.time,
            ..Session::default()
        });
    }

    /// The session of an event, moved on to it; `None` where it is erased or not known.
    fn session(&mut self, at: At, session: &str) -> Option<&mut Session> {
        let session = self.sessions.get_mut(&column(session))?;
        if session.erased {
            return None;
        }
        session.moved = true;
        session.last = at.time;
        session.last_seq = at.seq;
        Some(session)
    }

    fn intent(&mut self, at: At, intent: &IntentEvent) {
        let id = column(&intent.call);
        if self.calls.contains_key(&id) {
            // Whatever it is, the session reaches this far.
            if let Some(name) = &intent.session {
                self.session(at, name);
            }
            return;
        }
        let mut in_session = None;
        if let Some(name) = &intent.session {
            self.begin(at, &as_opened(name, intent));
            let Some(session) = self.session(at, name) else { return };
            session.calls += 1;
            session.denied += u64::from(matches!(intent.verdict, Verdict::Deny(_)));
            in_session = Some(session.key);
        }
        let mut call = Call { key: at.key, ..Call::default() };
        self.texts.extend(call.add(|budget| text::of_arguments(&intent.arguments, budget)));
        // The words are in the texts; the arguments themselves are not kept.
        let intent = IntentEvent { arguments: serde_json::Value::Null, ..intent.clone() };
        call.fresh = Some(Box::new(Fresh { session: in_session, time: at.time, intent }));
        self.calls.insert(id, call);
    }

    fn message(&mut self, at: At, message: &MessageEvent) {
        if let Some(name) = &message.session {
            let Some(session) = self.session(at, name) else { return };
            session.bytes += message.bytes;
        }
        let Some(call) = self.calls.get_mut(&column(&message.call)) else { return };
        call.moved = true;
        call.bytes += message.bytes;
        self.texts.extend(call.add_body(message.body.as_deref()));
    }

    fn outcome(&mut self, at: At, outcome: &OutcomeEvent) {
        if let Some(name) = &outcome.session {
            let Some(session) = self.session(at, name) else { return };
            session.bytes += outcome.bytes;
            session.errors += u64::from(matches!(
                outcome.status,
                OutcomeStatus::Error | OutcomeStatus::Cut | OutcomeStatus::Failed
            ));
        }
        let Some(call) = self.calls.get_mut(&column(&outcome.call)) else { return };
        call.moved = true;
        call.bytes += outcome.bytes;
        self.texts.extend(call.add_body(outcome.body.as_deref()));
        let outcome = OutcomeEvent { body: None, ..outcome.clone() };
        call.end = Some(End { seq: at.seq, outcome });
    }
}

impl Call {
    fn add_body(&mut self, body: Option<&RawValue>) -> Vec<(i64, String)> {
        let Some(body) = body else { return Vec::new() };
        self.add(|budget| text::of_body(body, budget))
    }

    /// Texts with their numbers, as far as the call's budget goes. Long ones overlap by a phrase,
    /// so that none is lost between two.
    fn add(&mut self, read: impl FnOnce(usize) -> Text) -> Vec<(i64, String)> {
        let used = usize::try_from(self.text_bytes).unwrap_or(usize::MAX);
        let budget = TEXT_MAX_BYTES.saturating_sub(used);
        let text = read(budget);
        self.text_bytes += (budget - text.left()) as u64;
        self.text_cut |= text.cut;
        // Where each word begins, and where one more would.
        let blanks = memchr::memchr_iter(b' ', text.words.as_bytes()).map(|blank| blank + 1);
        let mut begins = vec![0];
        begins.extend(blanks.chain((!text.words.is_empty()).then_some(text.words.len() + 1)));
        let count = begins.len() - 1;
        let mut texts = Vec::new();
        let mut from = 0;
        while from < count {
            if self.texts == TEXTS_MAX {
                self.text_cut = true;
                break;
            }
            let to = count.min(from + WORDS_MAX);
            let bounds = begins.get(from).zip(begins.get(to));
            let part = bounds.and_then(|(start, next)| text.words.get(*start..*next - 1));
            texts.push((
                self.key << TEXT_BITS | self.texts.cast_signed(),
                part.unwrap_or_default().to_owned(),
            ));
            self.texts += 1;
            from = if to == count { count } else { from + WORDS_MAX - (PHRASE_MAX - 1) };
        }
        texts
    }
}

/// The beginning of a session whose own one is not in the journal any more.
fn as_opened(session: &str, intent: &IntentEvent) -> OpenedEvent {
    OpenedEvent {
        session: session.to_owned(),
        issuer: intent.issuer.clone(),
        subject: intent.subject.clone(),
        client: intent.client.clone(),
        groups: intent.groups.clone(),
        connection: intent.connection.clone(),
        era: intent.era,
    }
}

/// The word of a verdict, and the reason of a denial.
pub(super) fn verdict(verdict: &Verdict) -> (VerdictKind, Option<&'static str>) {
    match verdict {
        Verdict::Allow { .. } => (VerdictKind::Allow, None),
        Verdict::Ask(_) => (VerdictKind::Ask, None),
        Verdict::Deny(deny) => (VerdictKind::Deny, Some(deny.reason.code())),
    }
}

/// A word that one of the model's types is written as.
pub(super) fn word(value: impl serde::Serialize) -> Bind {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Bind::from(&word),
        _ => Bind::Text(None),
    }
}
