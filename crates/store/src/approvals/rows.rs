//! The rows: an approval as JSON, with the columns that it is looked for by.

use lockgate_model::{Approval, Digest, State, Subject, Timestamp};

use super::{ApprovalFault, LIST_MAX};
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

const COLUMNS: &str = "SELECT version, id, body FROM approvals WHERE ";

/// An approval with the version that a change of it must name.
pub(super) struct Kept {
    pub(super) approval: Approval,
    version: u64,
}

/// Which approvals are listed.
#[derive(Clone, Debug, Default)]
pub struct ApprovalFilter {
    /// Only in this state, by its name.
    pub state: Option<String>,
    /// Only of this connection.
    pub connection: Option<String>,
    /// Only about this tool, resource or prompt.
    pub target: Option<String>,
    /// Only of this caller, as `issuer/subject`.
    pub caller: Option<String>,
    /// Only those that were asked before this one: the last of the page before.
    pub before: Option<(Timestamp, String)>,
    /// How many; 0 for as many as may be.
    pub limit: u32,
}

/// How calls of one target were decided before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Granted, used or not.
    pub approved: u64,
    /// Refused by a person.
    pub rejected: u64,
}

/// The newest approval about a subject.
pub(super) async fn latest(tx: &mut Tx, key: Digest) -> Result<Option<Kept>, ApprovalFault> {
    let sql = Sql::new(COLUMNS).with("subject = ", Bind::whole(key.to_string()));
    let sql = sql.then(" ORDER BY asked DESC, id DESC LIMIT 1");
    one(tx.rows("look for an approval", sql).await?)
}

pub(super) async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Kept>, ApprovalFault> {
    one(tx.rows("read an approval", Sql::new(COLUMNS).with("id = ", id)).await?)
}

pub(super) async fn read(pools: &Pools, id: &str) -> Result<Option<Kept>, ApprovalFault> {
    one(pools.rows("read an approval", Sql::new(COLUMNS).with("id = ", id)).await?)
}

pub(super) async fn list(
    pools: &Pools,
    filter: &ApprovalFilter,
) -> Result<Vec<Kept>, ApprovalFault> {
    let mut sql = Sql::new(COLUMNS).then("1 = 1");
    for (column, value) in [
        (" AND state = ", &filter.state),
        (" AND connection = ", &filter.connection),
        (" AND target = ", &filter.target),
        (" AND caller = ", &filter.caller),
    ] {
        if let Some(value) = value {
            sql.push(column).bind(value);
        }
    }
    if let Some((asked, id)) = &filter.before {
        sql.push(" AND (asked, id) < (").bind(*asked);
        sql.push(", ").bind(id);
        sql.push(")");
    }
    let limit = if filter.limit == 0 { LIST_MAX } else { filter.limit.min(LIST_MAX) };
    let sql = sql.with(" ORDER BY asked DESC, id DESC LIMIT ", i64::from(limit));
    pools.rows("list approvals", sql).await?.iter().map(kept).collect()
}

/// Those to which time has done something.
pub(super) async fn due(pools: &Pools, now: Timestamp) -> Result<Vec<Kept>, ApprovalFault> {
    let sql = Sql::new(COLUMNS).then("live = 1").with(" AND due <= ", now);
    let sql = sql.with(" ORDER BY due LIMIT ", i64::from(LIST_MAX));
    pools.rows("look for what is over", sql).await?.iter().map(kept).collect()
}

/// What may be in force of a caller on a connection; single grants are among it.
pub(super) async fn in_force(
    pools: &Pools,
    caller: &str,
    connection: &str,
) -> Result<Vec<Kept>, ApprovalFault> {
    let sql = Sql::new(COLUMNS)
        .with("live = 1 AND caller = ", caller)
        .with(" AND connection = ", connection)
        .then(" AND state IN ('approved', 'emergency') ORDER BY asked, id")
        .with(" LIMIT ", i64::from(LIST_MAX));
    pools.rows("look for access", sql).await?.iter().map(kept).collect()
}

/// How many live ones a caller has.
pub(super) async fn live(tx: &mut Tx, caller: &str) -> Result<u64, DbFault> {
    let sql =
        Sql::new("SELECT count(*) FROM approvals WHERE live = 1").with(" AND caller = ", caller);
    count(&tx.rows("count approvals", sql).await?)
}

pub(super) async fn emergencies(pools: &Pools) -> Result<u64, DbFault> {
    let sql = "SELECT count(*) FROM approvals WHERE state IN ('emergency', 'unreviewed')";
    count(&pools.rows("count emergencies", Sql::new(sql)).await?)
}

pub(super) async fn counts(pools: &Pools, subject: &Subject) -> Result<Counts, DbFault> {
    let of = |states: &str| {
        Sql::new("SELECT count(*) FROM approvals WHERE connection = ")
            .with("", &subject.connection)
            .with(" AND target = ", &subject.target)
            .then(" AND state IN ")
            .then(states)
    };
    let approved = pools.rows("count approvals", of("('approved', 'spent')")).await?;
    let rejected = pools.rows("count approvals", of("('rejected')")).await?;
    Ok(Counts { approved: count(&approved)?, rejected: count(&rejected)? })
}

/// Whether it could be put there: false where another one is live.
pub(super) async fn insert(
    tx: &mut Tx,
    key: Digest,
    approval: &Approval,
) -> Result<bool, ApprovalFault> {
    let subject = &approval.subject;
    // What was decided about calls of a target is counted by it; access is for no call.
    let target = if approval.access.is_some() { "" } else { &subject.target };
    let mut sql = Sql::new(
        "INSERT INTO approvals (id, version, subject, live, state, asked, due, connection, \
         target, caller, body) VALUES ",
    );
    sql.list([
        Bind::from(&approval.id),
        Bind::from(1_u64),
        Bind::whole(key.to_string()),
        live_flag(approval),
        Bind::from(approval.state.name()),
        Bind::from(approval.asked_at),
        Bind::from(due_at(approval)),
        Bind::from(&subject.connection),
        Bind::from(target),
        Bind::from(&subject.caller()),
        Bind::whole(body(approval)?),
    ]);
    sql.push(" ON CONFLICT DO NOTHING");
    Ok(tx.execute("ask for approval", sql).await? == 1)
}

/// Whether `next` took the place of `before`: false where somebody else changed it meanwhile.
pub(super) async fn replace(
    tx: &mut Tx,
    before: &Kept,
    next: &Approval,
) -> Result<bool, ApprovalFault> {
    let sql = Sql::new("UPDATE approvals SET version = version + 1")
        .with(", live = ", live_flag(next))
        .with(", state = ", next.state.name())
        .with(", due = ", due_at(next))
        .with(", body = ", Bind::whole(body(next)?))
        .with(" WHERE id = ", &next.id)
        .with(" AND version = ", before.version);
    Ok(tx.execute("change an approval", sql).await? == 1)
}

fn live_flag(approval: &Approval) -> Bind {
    Bind::Int((!approval.is_closed()).then_some(1))
}

fn due_at(approval: &Approval) -> Timestamp {
    match approval.state {
        State::Approved { until } | State::Emergency { until } => until,
        // Time does nothing to it any more: people must.
        State::Unreviewed => Timestamp::from_millis(i64::MAX),
        _ => approval.terms.answer_by,
    }
}

fn body(approval: &Approval) -> Result<String, ApprovalFault> {
    let unwritten = |error: serde_json::Error| ApprovalFault::Content {
        id: approval.id.clone(),
        why: error.to_string(),
    };
    // PostgreSQL can't store NUL; in JSON it is escaped.
    serde_json::to_string(approval).map_err(unwritten)
}

fn one(rows: Vec<Row>) -> Result<Option<Kept>, ApprovalFault> {
    rows.first().map(kept).transpose()
}

fn kept(row: &Row) -> Result<Kept, ApprovalFault> {
    let (version, id, body) = (row.count(0)?, row.text(1)?, row.text(2)?);
    match serde_json::from_str::<Approval>(&body) {
        Ok(approval) if approval.id == id => Ok(Kept { approval, version }),
        Ok(_) => Err(ApprovalFault::Content { id, why: "it names another id".to_owned() }),
        Err(error) => Err(ApprovalFault::Content { id, why: error.to_string() }),
    }
}

fn count(rows: &[Row]) -> Result<u64, DbFault> {
    rows.first().map_or(Ok(0), |row| row.count(0))
}
