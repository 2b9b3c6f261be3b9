//! What the index gives back: plain values, one a row.

use std::collections::BTreeMap;

use lockgate_model::{Era, OutcomeStatus, Reason, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{IndexFault, VerdictKind, page::Cursor};
use crate::db::conn::Row;

/// A session, as far as the journal was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// The session's id.
    pub id: String,
    /// The node that served it.
    pub node: String,
    /// Issuer's short name; empty once erased.
    pub issuer: String,
    /// The token's subject; empty once erased.
    pub subject: String,
    /// The OAuth client.
    pub client: Option<String>,
    /// Qualified group names, sorted.
    pub groups: Vec<String>,
    /// The connection.
    pub connection: String,
    /// Era of its first message; `None` where nothing of it can be read any more.
    pub era: Option<Era>,
    /// Its first event. Where older records were retired before the index was made, the first one
    /// that was left.
    pub opened: Timestamp,
    /// Its last event so far.
    pub last: Timestamp,
    /// The record of its first event.
    pub first_seq: u64,
    /// The record of its last event so far.
    pub last_seq: u64,
    /// When it ended; `None` while it is open.
    pub closed: Option<Timestamp>,
    /// Why it ended.
    pub why: Option<String>,
    /// Calls that were decided.
    pub calls: u64,
    /// Those that were denied.
    pub denied: u64,
    /// Calls that ended as an error, were cut, or failed.
    pub errors: u64,
    /// Bytes of answers that the client saw.
    pub bytes: u64,
    /// Kept whatever retention says.
    pub held: bool,
    /// Its content is gone for good; only that it was, and its figures, are left.
    pub erased: bool,
    /// All of its records were removed from the journal.
    pub retired: bool,
}

/// A call, as far as the journal was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRow {
    /// The call's id.
    pub id: String,
    /// The node that served it.
    pub node: String,
    /// The session; `None` for the gateway's own calls.
    pub session: Option<String>,
    /// The record that decided it.
    pub seq: u64,
    /// The record that ended it; `None` while it runs, or where that is not known.
    pub outcome_seq: Option<u64>,
    /// When it was decided.
    pub time: Timestamp,
    /// W3C trace id.
    pub trace: String,
    /// Issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The OAuth client.
    pub client: Option<String>,
    /// Qualified group names, sorted.
    pub groups: Vec<String>,
    /// The connection.
    pub connection: String,
    /// JSON-RPC method.
    pub method: String,
    /// Kind of action.
    pub action: String,
    /// Tool, resource, prompt or task.
    pub target: String,
    /// What was decided.
    pub verdict: VerdictKind,
    /// Why it was denied, or did not end well.
    pub reason: Option<Reason>,
    /// Ids of the deciding policies, sorted.
    pub policies: Vec<String>,
    /// What the arguments would do, sorted.
    pub facts: Vec<String>,
    /// How it ended.
    pub status: Option<OutcomeStatus>,
    /// Microseconds from the first byte of the request to its end.
    pub elapsed_us: Option<u64>,
    /// Bytes of answer that the client saw.
    pub bytes: u64,
    /// What was masked: how many times each data class was.
    pub masked: BTreeMap<String, u32>,
    /// It has more text than is searched.
    pub text_cut: bool,
    /// Its content is gone for good.
    pub erased: bool,
}

/// A request that never became a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalRow {
    /// The request's id.
    pub request: String,
    /// The node that refused it.
    pub node: String,
    /// The record of it.
    pub seq: u64,
    /// When.
    pub time: Timestamp,
    /// Address of the peer.
    pub peer: String,
    /// The connection, where the path named one.
    pub connection: Option<String>,
    /// Issuer and subject, where the token was good.
    pub identity: Option<String>,
    /// The stable code.
    pub reason: Reason,
    /// One sentence.
    pub detail: String,
}

pub(super) const SESSION_COLUMNS: &str = "s.key, s.id, n.name, s.issuer, s.subject, s.client, \
    s.connection, s.era, s.opened, s.last, s.closed, s.why, s.calls, s.denied, s.errors, s.bytes, \
    s.held, s.erased, s.retired, s.last_seq";

pub(super) const CALL_COLUMNS: &str = "c.key, c.id, n.name, s.id, c.outcome_seq, c.time, c.trace, \
    c.issuer, c.subject, c.client, c.connection, c.method, c.action, c.target, c.verdict, \
    c.reason, c.status, c.elapsed_us, c.bytes, c.masked, c.text_cut, c.erased";

pub(super) const REFUSAL_COLUMNS: &str = "r.key, r.request, n.name, r.time, r.peer, r.connection, \
    r.identity, r.reason, r.detail";

impl SessionRow {
    /// From [`SESSION_COLUMNS`]; the groups come after.
    pub(super) fn read(row: &Row) -> Result<(Cursor, Self), IndexFault> {
        let key = row.int(0)?;
        let read = Self {
            id: row.text(1)?,
            node: row.text(2)?,
            issuer: row.text(3)?,
            subject: row.text(4)?,
            client: row.text_or_null(5)?,
            groups: Vec::new(),
            connection: row.text(6)?,
            era: Some(row.text(7)?)
                .filter(|era| !era.is_empty())
                .map(|era| word("era", era))
                .transpose()?,
            opened: row.time(8)?,
            last: row.time(9)?,
            first_seq: seq_of(key),
            last_seq: row.count(19)?,
            closed: row.int_or_null(10)?.map(Timestamp::from_millis),
            why: row.text_or_null(11)?,
            calls: row.count(12)?,
            denied: row.count(13)?,
            errors: row.count(14)?,
            bytes: row.count(15)?,
            held: row.flag(16)?,
            erased: row.flag(17)?,
            retired: row.flag(18)?,
        };
        Ok((Cursor { time: read.opened, key }, read))
    }
}

impl CallRow {
    /// From [`CALL_COLUMNS`]; groups, facts and policies come after.
    pub(super) fn read(row: &Row) -> Result<(Cursor, Self), IndexFault> {
        let key = row.int(0)?;
        let read = Self {
            id: row.text(1)?,
            node: row.text(2)?,
            session: row.text_or_null(3)?,
            seq: seq_of(key),
            outcome_seq: row.int_or_null(4)?.map(i64::cast_unsigned),
            time: row.time(5)?,
            trace: row.text(6)?,
            issuer: row.text(7)?,
            subject: row.text(8)?,
            client: row.text_or_null(9)?,
            groups: Vec::new(),
            connection: row.text(10)?,
            method: row.text(11)?,
            action: row.text(12)?,
            target: row.text(13)?,
            verdict: word("verdict", row.text(14)?)?,
            reason: row.text_or_null(15)?.map(|code| word("reason", code)).transpose()?,
            policies: Vec::new(),
            facts: Vec::new(),
            status: row.text_or_null(16)?.map(|status| word("status", status)).transpose()?,
            elapsed_us: row.int_or_null(17)?.map(i64::cast_unsigned),
            bytes: row.count(18)?,
            masked: masked(row.text_or_null(19)?)?,
            text_cut: row.flag(20)?,
            erased: row.flag(21)?,
        };
        Ok((Cursor { time: read.time, key }, read))
    }

    /// Adds a label of one of the kinds.
    pub(super) fn label(&mut self, kind: &str, name: String) {
        match kind {
            "group" => self.groups.push(name),
            "fact" => self.facts.push(name),
            _ => self.policies.push(name),
        }
    }
}

impl RefusalRow {
    /// From [`REFUSAL_COLUMNS`].
    pub(super) fn read(row: &Row) -> Result<(Cursor, Self), IndexFault> {
        let key = row.int(0)?;
        let read = Self {
            request: row.text(1)?,
            node: row.text(2)?,
            seq: seq_of(key),
            time: row.time(3)?,
            peer: row.text(4)?,
            connection: row.text_or_null(5)?,
            identity: row.text_or_null(6)?,
            reason: word("reason", row.text(7)?)?,
            detail: row.text(8)?,
        };
        Ok((Cursor { time: read.time, key }, read))
    }
}

/// The record's number in a key.
fn seq_of(key: i64) -> u64 {
    key.cast_unsigned() & super::fold::SEQ_MAX
}

/// A word that one of the model's types is written as.
fn word<T: DeserializeOwned>(what: &'static str, found: String) -> Result<T, IndexFault> {
    T::deserialize(&Value::String(found.clone())).map_err(|_| IndexFault::Content { what, found })
}

/// What was masked in one call, as it stands in its column.
pub(super) fn masked(text: Option<String>) -> Result<BTreeMap<String, u32>, IndexFault> {
    let Some(text) = text else { return Ok(BTreeMap::new()) };
    serde_json::from_str(&text)
        .map_err(|_| IndexFault::Content { what: "count of what was masked", found: text })
}
