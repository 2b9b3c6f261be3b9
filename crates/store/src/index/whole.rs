//! The index as a whole: opened, filled, emptied.

use lockgate_model::Event;

use super::{IndexFault, Indexed, fold, kept, search, write};
use crate::db::{
    self, DbPlace, Migration, Schema,
    conn::{Pools, Sql, Tx},
};

/// The tables of the index.
const SCHEMA: Schema = Schema {
    what: "index",
    table: "_index_migrations",
    migrations: &[Migration {
        number: 1,
        description: "sessions and calls",
        sqlite: include_str!("../../migrations/index/sqlite/0001_sessions_and_calls.sql"),
        postgres: include_str!("../../migrations/index/postgres/0001_sessions_and_calls.sql"),
    }],
};

/// Most records that are folded at once.
const RUN_MAX: usize = 1_000;

/// The searchable index. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Index {
    pub(super) pools: Pools,
}

impl Index {
    /// Opens the index, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault::Newer`] where a later version made the tables, [`DbFault::Unsafe`] where
    /// SQLite would not sync as asked, and whatever the database or the file system says.
    pub async fn open(place: &DbPlace) -> Result<Self, IndexFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await? })
    }

    /// Applies records of `node` in their order, all or none, and moves its mark to the last one.
    /// Records up to the mark are passed over, so a batch may come again.
    ///
    /// # Errors
    /// [`IndexFault::Db`], after which nothing of the batch was applied, and
    /// [`IndexFault::Full`].
    pub async fn apply(&self, node: &str, batch: &[Indexed]) -> Result<(), IndexFault> {
        self.apply_after(node, 0, batch).await
    }

    /// [`Index::apply`] for whoever has applied everything up to `before`.
    ///
    /// # Errors
    /// [`IndexFault::Moved`] where the mark stands before that: somebody cleared the index.
    pub(super) async fn apply_after(
        &self,
        node: &str,
        before: u64,
        batch: &[Indexed],
    ) -> Result<(), IndexFault> {
        let Some(last) = batch.last() else { return Ok(()) };
        let mut tx = self.pools.begin().await?;
        let (number, applied) = lock(&mut tx, node).await?;
        if applied < before {
            return Err(IndexFault::Moved { applied });
        }
        let new = batch.partition_point(|indexed| indexed.seq <= applied);
        let Some(new) = batch.get(new..).filter(|new| !new.is_empty()) else { return Ok(()) };
        let mut removed = false;
        for run in new.chunk_by(|_, next| !is_kept(next)) {
            for run in run.chunks(RUN_MAX) {
                removed |= apply_run(&mut tx, number, run).await?;
            }
        }
        let mark = Sql::new("UPDATE nodes").with(" SET applied = ", last.seq);
        tx.execute("move the mark", mark.with(" WHERE number = ", number)).await?;
        tx.commit().await?;
        if removed {
            self.flush().await?;
        }
        Ok(())
    }

    /// The last record of `node` that was applied; 0 where none was.
    ///
    /// # Errors
    /// [`IndexFault::Db`].
    pub async fn applied(&self, node: &str) -> Result<u64, IndexFault> {
        let sql = Sql::new("SELECT applied FROM nodes").with(" WHERE name = ", node);
        let rows = self.pools.rows("read the mark", sql).await?;
        Ok(rows.first().map_or(Ok(0), |row| row.count(0))?)
    }

    /// Forgets everything of `node`, so that its journal can be applied from the beginning.
    ///
    /// # Errors
    /// [`IndexFault::Db`], after which everything is still there.
    pub async fn clear(&self, node: &str) -> Result<(), IndexFault> {
        let mut tx = self.pools.begin().await?;
        let (number, _) = lock(&mut tx, node).await?;
        let (first, end) = (fold::key(number, 0)?, fold::key(number, fold::SEQ_MAX)? + 1);
        search::clear(&mut tx, first, end).await?;
        for (table, column) in [
            ("call_labels", "call"),
            ("session_labels", "session"),
            ("calls", "key"),
            ("sessions", "key"),
            ("refusals", "key"),
        ] {
            let sql = Sql::new(&format!("DELETE FROM {table} WHERE {column} >= ")).with("", first);
            let sql = sql.then(&format!(" AND {column} < ")).with("", end);
            tx.execute("clear", sql).await?;
        }
        let mark = Sql::new("UPDATE nodes SET applied = 0").with(" WHERE number = ", number);
        tx.execute("move the mark", mark).await?;
        Ok(tx.commit().await?)
    }

    /// Ends all connections. What is under way is finished first.
    pub async fn close(&self) {
        self.pools.close().await;
    }

    /// Takes what was removed out of the write-ahead log of a file too.
    async fn flush(&self) -> Result<(), IndexFault> {
        Ok(self.pools.flush().await?)
    }
}

/// The node's number and mark, made where it is new; no other transaction moves it meanwhile.
async fn lock(tx: &mut Tx, node: &str) -> Result<(i64, u64), IndexFault> {
    for attempt in 0..2 {
        let sql = Sql::new("UPDATE nodes SET applied = applied").with(" WHERE name = ", node);
        let rows = tx.rows("lock the node", sql.then(" RETURNING number, applied")).await?;
        if let Some(row) = rows.first() {
            return Ok((row.int(0)?, row.count(1)?));
        }
        if attempt == 0 {
            let sql = Sql::new("INSERT INTO nodes (number, name, applied) ")
                .with("SELECT COALESCE(MAX(number), 0) + 1, ", node)
                .then(", 0 FROM nodes");
            tx.execute("add the node", sql).await?;
        }
    }
    Err(IndexFault::Content { what: "node", found: node.to_owned() })
}

fn is_kept(indexed: &Indexed) -> bool {
    matches!(indexed.event, Some(Event::Kept(_)))
}

/// A run is one change of what is kept and what follows up to the next one.
async fn apply_run(tx: &mut Tx, node: i64, run: &[Indexed]) -> Result<bool, IndexFault> {
    let mut removed = false;
    if let Some(Indexed { seq, time, event: Some(Event::Kept(kept)) }) = run.first() {
        let place = kept::Place { node, seq: *seq, time: *time };
        removed = kept::apply(tx, place, &kept.change).await?;
    }
    write::run(tx, node, run).await?;
    Ok(removed)
}
