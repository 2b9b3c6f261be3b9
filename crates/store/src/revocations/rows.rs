//! The rows: one a revocation, and one that counts the changes.

use lockgate_model::{KeptRevocation, Lifted, Revocation, Timestamp};

use super::{News, PAGE_MAX, RevocationsFault};
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

const COLUMNS: &str = "SELECT change, id, target, issued_until, reason, author, made, ends, \
                       lifted_by, lifted FROM revocations";
const STANDING: &str = "lifted IS NULL AND (ends IS NULL OR ends > ";

/// The number of the next change. Whoever else changes something waits until this transaction ends, so
/// that the numbers are in the order in which changes can be seen.
pub(super) async fn count(tx: &mut Tx) -> Result<u64, DbFault> {
    let sql = "INSERT INTO revocation_changes (one, made) VALUES (1, 1) \
               ON CONFLICT (one) DO UPDATE SET made = revocation_changes.made + 1 RETURNING made";
    let rows = tx.rows("count a change of revocations", Sql::new(sql)).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

/// Adds one, unless its id is there; false where it is.
pub(super) async fn add(
    tx: &mut Tx,
    revocation: &Revocation,
    change: u64,
) -> Result<bool, RevocationsFault> {
    let target = serde_json::to_string(&revocation.target).map_err(content(&revocation.id))?;
    let time = |time: Option<Timestamp>| Bind::from(time.map(Timestamp::millis));
    let mut sql = Sql::new(
        "INSERT INTO revocations (id, change, target, issued_until, reason, author, made, ends) \
         VALUES ",
    );
    sql.list([
        Bind::from(&revocation.id),
        Bind::from(change),
        Bind::whole(target),
        time(revocation.issued_until),
        Bind::from(&revocation.reason),
        Bind::from(&revocation.by),
        Bind::from(revocation.at),
        time(revocation.until),
    ]);
    let sql = sql.push(" ON CONFLICT (id) DO NOTHING").clone();
    Ok(tx.execute("add a revocation", sql).await? > 0)
}

/// Lifts one that stands; false where there is none.
pub(super) async fn lift(
    tx: &mut Tx,
    id: &str,
    by: &str,
    now: Timestamp,
    change: u64,
) -> Result<bool, DbFault> {
    let sql = Sql::new("UPDATE revocations")
        .with(" SET change = ", change)
        .with(", lifted_by = ", by)
        .with(", lifted = ", now)
        .with(" WHERE lifted IS NULL AND id = ", id);
    Ok(tx.execute("lift a revocation", sql).await? > 0)
}

pub(super) async fn by_id(
    tx: &mut Tx,
    id: &str,
) -> Result<Option<KeptRevocation>, RevocationsFault> {
    let sql = Sql::new(COLUMNS).with(" WHERE id = ", id);
    tx.rows("read a revocation", sql).await?.first().map(kept).transpose()
}

/// How many stand.
pub(super) async fn standing(tx: &mut Tx, now: Timestamp) -> Result<u64, DbFault> {
    let sql = Sql::new("SELECT count(*) FROM revocations WHERE ").with(STANDING, now).then(")");
    let rows = tx.rows("count revocations", sql).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

pub(super) async fn since(pools: &Pools, change: u64) -> Result<News, RevocationsFault> {
    let sql = Sql::new(COLUMNS)
        .with(" WHERE change > ", change)
        .with(" ORDER BY change LIMIT ", i64::from(PAGE_MAX));
    let rows = pools.rows("read what was revoked", sql).await?;
    let last = rows.last().map_or(Ok(change), |row| row.count(0))?;
    Ok(News { change: last, changed: rows.iter().map(kept).collect::<Result<_, _>>()? })
}

pub(super) async fn list(
    pools: &Pools,
    standing_at: Option<Timestamp>,
) -> Result<Vec<KeptRevocation>, RevocationsFault> {
    let mut sql = Sql::new(COLUMNS);
    if let Some(now) = standing_at {
        sql = sql.then(" WHERE ").with(STANDING, now).then(")");
    }
    let sql = sql.with(" ORDER BY made DESC, id LIMIT ", i64::from(PAGE_MAX));
    pools.rows("list revocations", sql).await?.iter().map(kept).collect()
}

fn kept(row: &Row) -> Result<KeptRevocation, RevocationsFault> {
    let time = |column| Ok::<_, DbFault>(row.int_or_null(column)?.map(Timestamp::from_millis));
    let lifted = match (row.text_or_null(8)?, time(9)?) {
        (Some(by), Some(at)) => Some(Lifted { by, at }),
        _ => None,
    };
    let id = row.text(1)?;
    let revocation = Revocation {
        // What can't be read must not be passed over: somebody is out by it.
        target: serde_json::from_str(&row.text(2)?).map_err(content(&id))?,
        id,
        issued_until: time(3)?,
        reason: row.text(4)?,
        by: row.text(5)?,
        at: row.time(6)?,
        until: time(7)?,
    };
    Ok(KeptRevocation { revocation, lifted })
}

fn content(id: &str) -> impl FnOnce(serde_json::Error) -> RevocationsFault {
    move |error| RevocationsFault::Content { id: id.to_owned(), why: error.to_string() }
}
