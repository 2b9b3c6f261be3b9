//! Changes of what is kept: erased, held, released, retired.

use lockgate_model::{KeptChange, Timestamp};

use super::{IndexFault, fold, search};
use crate::db::conn::{Sql, Tx, column};

const KEPT: &str = "change what is kept";

/// Where a change stands in the journal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) node: i64,
    pub(super) seq: u64,
    pub(super) time: Timestamp,
}

/// Makes the change, and tells whether content was removed.
pub(super) async fn apply(
    tx: &mut Tx,
    place: Place,
    change: &KeptChange,
) -> Result<bool, IndexFault> {
    match change {
        KeptChange::Erase { session } => erase(tx, place, session).await.map(|()| true),
        KeptChange::Hold { session } => hold(tx, place, session, true).await.map(|()| false),
        KeptChange::Release { session } => hold(tx, place, session, false).await.map(|()| false),
        KeptChange::Retire { through_seq, .. } => {
            let sql =
                Sql::new("UPDATE sessions SET retired = 1").with(" WHERE node = ", place.node);
            tx.execute(KEPT, sql.with(" AND last_seq <= ", *through_seq))
                .await
                .map(|_| false)
                .map_err(IndexFault::from)
        }
    }
}

async fn hold(tx: &mut Tx, place: Place, session: &str, held: bool) -> Result<(), IndexFault> {
    ensure(tx, place, session).await?;
    let sql = Sql::new("UPDATE sessions").with(" SET held = ", held);
    let sql = sql.with(" WHERE node = ", place.node).with(" AND id = ", session);
    Ok(tx.execute(KEPT, sql).await.map(drop)?)
}

/// Makes a bare row for a session of which nothing else can be read any more.
async fn ensure(tx: &mut Tx, place: Place, session: &str) -> Result<(), IndexFault> {
    let mut sql = Sql::new(
        "INSERT INTO sessions (key, node, id, opened, last, issuer, subject, connection, era, \
         last_seq, calls, denied, errors, bytes, held, erased, retired) VALUES (",
    )
    .with("", fold::key(place.node, place.seq)?)
    .with(", ", place.node)
    .with(", ", session)
    .with(", ", place.time)
    .with(", ", place.time);
    sql.push(", '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING");
    Ok(tx.execute(KEPT, sql).await.map(drop)?)
}

/// Takes words, identity and whatever else tells of content out of the session and its calls.
async fn erase(tx: &mut Tx, place: Place, session: &str) -> Result<(), IndexFault> {
    ensure(tx, place, session).await?;
    let one = Sql::new("SELECT key FROM sessions").with(" WHERE node = ", place.node);
    let one = one.with(" AND id = ", &*column(session));
    let Some(row) = tx.rows(KEPT, one).await?.into_iter().next() else { return Ok(()) };
    let session = row.int(0)?;

    let calls = Sql::new("SELECT key, texts FROM calls").with(" WHERE session = ", session);
    let rows = tx.rows(KEPT, calls).await?;
    let calls = rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?)));
    let calls = calls.collect::<Result<Vec<_>, IndexFault>>()?;
    search::remove(tx, &calls).await?;

    let erased = "UPDATE calls SET issuer = '', subject = '', client = NULL, target = '', \
        trace = '', masked = NULL, texts = 0, text_bytes = 0, text_cut = 0, erased = 1";
    tx.execute(KEPT, Sql::new(erased).with(" WHERE session = ", session)).await?;
    let facts = "DELETE FROM call_labels WHERE label IN \
        (SELECT id FROM labels WHERE kind IN ('group', 'fact')) \
        AND call IN (SELECT key FROM calls WHERE session = ";
    tx.execute(KEPT, Sql::new(facts).with("", session).then(")")).await?;
    let groups = Sql::new("DELETE FROM session_labels").with(" WHERE session = ", session);
    tx.execute(KEPT, groups).await?;
    tx.execute(KEPT, Sql::new(ORPHANS)).await?;
    let erased = "UPDATE sessions SET issuer = '', subject = '', client = NULL, why = NULL, \
        erased = 1";
    Ok(tx.execute(KEPT, Sql::new(erased).with(" WHERE key = ", session)).await.map(drop)?)
}

/// Names that nothing has any more.
const ORPHANS: &str = "DELETE FROM labels WHERE kind IN ('group', 'fact') \
    AND NOT EXISTS (SELECT 1 FROM call_labels c WHERE c.label = labels.id) \
    AND NOT EXISTS (SELECT 1 FROM session_labels s WHERE s.label = labels.id)";
