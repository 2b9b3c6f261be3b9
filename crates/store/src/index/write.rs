//! A folded run into the tables: a few statements, however many records.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    IndexFault, Indexed,
    fold::{self, Call, Changes, End, Fresh, Session},
    search,
};
use crate::db::{
    DbFault,
    conn::{Bind, Sql, Tx, column, many},
};

const LOOK_UP: &str = "look up what is known";
const SESSIONS: &str = "write sessions";
const CALLS: &str = "write calls";
/// Why a session ended of which no record says so.
const STOPPED: &str = "its gateway stopped";
const LABELS: &str = "write labels";
/// Records that are folded before others have their turn.
const FOLDED_AT_ONCE: usize = 4;

/// Folds `run` and writes what it changes.
pub(super) async fn run(tx: &mut Tx, node: i64, run: &[Indexed]) -> Result<(), IndexFault> {
    let mut changes = known(tx, node, run).await?;
    for few in run.chunks(FOLDED_AT_ONCE) {
        changes.fold(few)?;
        // Long texts take their time, and calls must not wait for the index.
        tokio::task::yield_now().await;
    }
    sessions(tx, &changes).await?;
    ended(tx, &changes).await?;
    calls(tx, &changes).await?;
    labels(tx, &changes).await?;
    refusals(tx, &changes).await?;
    search::add(tx, changes.texts).await
}

/// What the tables know of the sessions and calls that the run names.
async fn known(tx: &mut Tx, node: i64, run: &[Indexed]) -> Result<Changes, IndexFault> {
    let mut changes = Changes { node, ..Changes::default() };
    let (sessions, calls) = fold::named(run);
    let select = "SELECT id, key, erased FROM sessions WHERE node = ";
    if let Some(sql) = of_ids(select, node, sessions) {
        for row in tx.rows(LOOK_UP, sql).await? {
            let (key, erased) = (row.int(1)?, row.flag(2)?);
            changes.sessions.insert(row.text(0)?, Session { key, erased, ..Session::default() });
        }
    }
    let select = "SELECT id, key, texts, text_bytes, text_cut FROM calls WHERE node = ";
    if let Some(sql) = of_ids(select, node, calls) {
        for row in tx.rows(LOOK_UP, sql).await? {
            let (key, texts, text_bytes) = (row.int(1)?, row.count(2)?, row.count(3)?);
            let text_cut = row.flag(4)?;
            let call = Call { key, texts, text_bytes, text_cut, ..Call::default() };
            changes.calls.insert(row.text(0)?, call);
        }
    }
    Ok(changes)
}

fn of_ids(select: &str, node: i64, ids: BTreeSet<String>) -> Option<Sql> {
    let mut sql = Sql::new(select).with("", node).then(" AND id IN ");
    let none = ids.is_empty();
    sql.list(ids.into_iter().map(Bind::whole));
    (!none).then_some(sql)
}

async fn sessions(tx: &mut Tx, changes: &Changes) -> Result<(), DbFault> {
    let fresh = changes.sessions.iter().filter_map(|(id, session)| {
        let opened = session.fresh.as_deref()?;
        Some([
            session.key.into(),
            changes.node.into(),
            Bind::whole(id.clone()),
            Bind::from(&opened.issuer),
            Bind::from(&opened.subject),
            Bind::from(opened.client.as_deref()),
            Bind::from(&opened.connection),
            fold::word(opened.era),
            session.opened.into(),
        ])
    });
    let head = "INSERT INTO sessions (key, node, id, issuer, subject, client, connection, era, \
        opened, last, last_seq, calls, denied, errors, bytes, held, erased, retired) \
        SELECT v.*, v.column9, 0, 0, 0, 0, 0, 0, 0, 0 FROM (";
    let insert = many(head, fresh.collect(), ") AS v WHERE 1 = 1 ON CONFLICT DO NOTHING");
    tx.execute_all(SESSIONS, insert).await?;

    let moved = changes.sessions.values().filter(|session| session.moved).map(|session| {
        let (closed, why) = session.closed.as_ref().map(|(time, why)| (*time, &**why)).unzip();
        [
            session.key.into(),
            session.last.into(),
            session.last_seq.into(),
            Bind::Int(closed.map(|time| time.millis())),
            Bind::from(why),
            session.calls.into(),
            session.denied.into(),
            session.errors.into(),
            session.bytes.into(),
        ]
    });
    let head = "UPDATE sessions SET last = v.column2, last_seq = v.column3, \
        closed = COALESCE(v.column4, closed), why = COALESCE(v.column5, why), \
        calls = calls + v.column6, denied = denied + v.column7, errors = errors + v.column8, \
        bytes = bytes + v.column9, retired = 0 FROM (";
    tx.execute_all(SESSIONS, many(head, moved.collect(), ") AS v WHERE key = v.column1")).await
}

/// No session outlives its process, whether or not that one could still say so.
async fn ended(tx: &mut Tx, changes: &Changes) -> Result<(), DbFault> {
    for (key, time) in &changes.starts {
        let sql = Sql::new("UPDATE sessions")
            .with(" SET closed = ", *time)
            .with(", why = ", STOPPED)
            .with(" WHERE closed IS NULL AND node = ", changes.node)
            .with(" AND key < ", *key);
        tx.execute(SESSIONS, sql).await?;
    }
    Ok(())
}

async fn calls(tx: &mut Tx, changes: &Changes) -> Result<(), DbFault> {
    let fresh = changes.calls.iter().filter_map(|(id, call)| {
        let fresh = call.fresh.as_deref()?;
        Some(fresh_call(changes.node, id, call, fresh))
    });
    let head = "INSERT INTO calls (key, node, id, session, time, trace, issuer, subject, client, \
        connection, method, action, target, verdict, bytes, texts, text_bytes, text_cut, \
        outcome_seq, reason, status, elapsed_us, masked, erased) SELECT v.*, 0 FROM (";
    let insert = many(head, fresh.collect(), ") AS v WHERE 1 = 1 ON CONFLICT DO NOTHING");
    tx.execute_all(CALLS, insert).await?;

    let moved = changes.calls.values().filter(|call| call.moved && call.fresh.is_none());
    let moved = moved.map(|call| {
        let [seq, reason, status, elapsed, masked] = end(call.end.as_ref(), None);
        let flag = call.text_cut.into();
        let (key, bytes) = (call.key.into(), call.bytes.into());
        let (texts, read) = (call.texts.into(), call.text_bytes.into());
        [key, bytes, texts, read, flag, seq, reason, status, elapsed, masked]
    });
    let head = "UPDATE calls SET bytes = bytes + v.column2, texts = v.column3, \
        text_bytes = v.column4, text_cut = v.column5, \
        outcome_seq = COALESCE(v.column6, outcome_seq), reason = COALESCE(v.column7, reason), \
        status = COALESCE(v.column8, status), elapsed_us = COALESCE(v.column9, elapsed_us), \
        masked = COALESCE(v.column10, masked) FROM (";
    tx.execute_all(CALLS, many(head, moved.collect(), ") AS v WHERE key = v.column1")).await
}

fn fresh_call(node: i64, id: &str, call: &Call, fresh: &Fresh) -> [Bind; 23] {
    let intent = &fresh.intent;
    let (verdict, reason) = fold::verdict(&intent.verdict);
    let [seq, reason, status, elapsed, masked] = end(call.end.as_ref(), reason);
    [
        call.key.into(),
        node.into(),
        Bind::whole(id.to_owned()),
        fresh.session.into(),
        fresh.time.into(),
        Bind::from(&intent.trace),
        Bind::from(&intent.issuer),
        Bind::from(&intent.subject),
        Bind::from(intent.client.as_deref()),
        Bind::from(&intent.connection),
        Bind::from(&intent.method),
        Bind::from(&intent.action),
        Bind::from(&intent.target),
        Bind::from(verdict.as_str()),
        call.bytes.into(),
        call.texts.into(),
        call.text_bytes.into(),
        call.text_cut.into(),
        seq,
        reason,
        status,
        elapsed,
        masked,
    ]
}

/// Sequence number, reason, status, duration and masks of an outcome, where there is one.
fn end(end: Option<&End>, denied: Option<&'static str>) -> [Bind; 5] {
    let Some(End { seq, outcome }) = end else {
        return [
            Bind::Int(None),
            Bind::from(denied),
            Bind::Text(None),
            Bind::Int(None),
            Bind::Text(None),
        ];
    };
    let reason = outcome.reason.map(lockgate_model::Reason::code);
    let masked = if outcome.masked.is_empty() {
        Bind::Text(None)
    } else {
        Bind::Text(serde_json::to_string(&outcome.masked).ok())
    };
    [
        (*seq).into(),
        Bind::from(reason.or(denied)),
        fold::word(outcome.status),
        outcome.elapsed_us.into(),
        masked,
    ]
}

async fn refusals(tx: &mut Tx, changes: &Changes) -> Result<(), DbFault> {
    let rows = changes.refusals.iter().map(|(key, time, refused)| {
        [
            (*key).into(),
            changes.node.into(),
            (*time).into(),
            Bind::from(&refused.request),
            Bind::from(&refused.peer),
            Bind::from(refused.connection.as_deref()),
            Bind::from(refused.identity.as_deref()),
            Bind::from(refused.reason.code()),
            Bind::from(&refused.detail),
        ]
    });
    let head = "INSERT INTO refusals (key, node, time, request, peer, connection, identity, \
        reason, detail)";
    tx.execute_all("write refusals", many(head, rows.collect(), "ON CONFLICT DO NOTHING")).await
}

/// A label's kind and name as they stand in columns.
type Label = (&'static str, String);

/// Groups, facts and policies of the calls and sessions that the run begins.
async fn labels(tx: &mut Tx, changes: &Changes) -> Result<(), DbFault> {
    let mut of_calls: BTreeSet<(Label, i64)> = BTreeSet::new();
    for call in changes.calls.values() {
        let Some(fresh) = call.fresh.as_deref() else { continue };
        let intent = &fresh.intent;
        for (kind, names) in [
            ("group", &*intent.groups),
            ("fact", &*intent.facts),
            ("policy", intent.verdict.policies()),
        ] {
            of_calls.extend(names.iter().map(|name| ((kind, column(name)), call.key)));
        }
    }
    let mut of_sessions: BTreeSet<(Label, i64)> = BTreeSet::new();
    for session in changes.sessions.values() {
        let groups = session.fresh.as_deref().map(|opened| &*opened.groups).unwrap_or_default();
        of_sessions.extend(groups.iter().map(|name| (("group", column(name)), session.key)));
    }
    let labels = of_calls.iter().chain(&of_sessions).map(|(label, _)| label.clone()).collect();
    let ids = intern(tx, labels).await?;
    let rows = |pairs: BTreeSet<(Label, i64)>| {
        let known = |((kind, name), key): (Label, i64)| {
            Some([Bind::from(*ids.get(&(kind.to_owned(), name))?), key.into()])
        };
        pairs.into_iter().filter_map(known).collect()
    };
    let tail = "ON CONFLICT DO NOTHING";
    let calls = many("INSERT INTO call_labels (label, call)", rows(of_calls), tail);
    tx.execute_all(LABELS, calls).await?;
    let sessions = many("INSERT INTO session_labels (label, session)", rows(of_sessions), tail);
    tx.execute_all(LABELS, sessions).await
}

/// The ids of labels, each made where it is missing. In order, so that two nodes that add the same
/// labels wait for each other and not in a ring.
async fn intern(
    tx: &mut Tx,
    labels: BTreeSet<Label>,
) -> Result<BTreeMap<(String, String), i64>, DbFault> {
    let mut by_kind: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (kind, name) in labels {
        by_kind.entry(kind).or_default().push(name);
    }
    let mut ids = BTreeMap::new();
    for (kind, names) in by_kind {
        for names in names.chunks(1_000) {
            let rows = names.iter().map(|name| [kind.into(), Bind::whole(name.clone())]).collect();
            let head = "INSERT INTO labels (kind, name)";
            tx.execute_all(LABELS, many(head, rows, "ON CONFLICT (kind, name) DO NOTHING")).await?;
            let mut sql = Sql::new("SELECT name, id FROM labels").with(" WHERE kind = ", kind);
            sql.push(" AND name IN ").list(names.iter().cloned().map(Bind::whole));
            for row in tx.rows(LABELS, sql).await? {
                ids.insert((kind.to_owned(), row.text(0)?), row.int(1)?);
            }
        }
    }
    Ok(ids)
}
