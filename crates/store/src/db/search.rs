//! Full text, the one thing that the two databases do not do alike: FTS5 and `tsvector`.
//!
//! Both are given words that are already parted and spelled, so that neither has anything to
//! interpret. In PostgreSQL that is what the `simple` configuration would keep, without its parser,
//! which reads addresses, numbers and paths in ways of its own.

use super::{
    IndexFault, Query,
    conn::{Bind, Pools, Sql, Tx, many},
    fold::TEXT_BITS,
};

const ADD: &str = "add the words of calls";
const REMOVE: &str = "remove the words of calls";

/// Adds texts: call and number of the text in one, and words parted by blanks.
pub(super) async fn add(tx: &mut Tx, texts: Vec<(i64, String)>) -> Result<(), IndexFault> {
    let statements = match tx {
        Tx::Sqlite(_) => {
            let rows = texts.into_iter().map(|(id, words)| [id.into(), Bind::whole(words)]);
            many("INSERT INTO texts (rowid, words)", rows.collect(), "")
        }
        Tx::Postgres(_) => {
            let rows =
                texts.into_iter().map(|(id, words)| [id.into(), Bind::whole(placed(&words))]);
            many(
                "INSERT INTO texts (piece, words) SELECT v.column1, CAST(v.column2 AS tsvector) FROM (",
                rows.collect(),
                ") AS v ON CONFLICT (piece) DO NOTHING",
            )
        }
    };
    tx.execute_all(ADD, statements).await
}

/// Words with their places, as `tsvector` is written: `a:1 b:2`.
fn placed(words: &str) -> String {
    let mut placed = String::with_capacity(words.len() * 2);
    for (index, word) in words.split(' ').enumerate() {
        placed.push_str(word);
        placed.push_str(&format!(":{} ", index + 1));
    }
    placed
}

/// Appends the conditions of `query` on `calls c`, each as ` AND …`.
pub(super) fn condition(pools: &Pools, query: &Query, sql: &mut Sql) {
    match pools {
        Pools::Sqlite { .. } => {
            for term in query.fts5() {
                sql.push(&format!(" AND c.key IN (SELECT rowid >> {TEXT_BITS} FROM texts"));
                sql.push(" WHERE texts MATCH ").bind(Bind::whole(term)).push(")");
            }
        }
        Pools::Postgres(_) => {
            for term in query.tsquery() {
                sql.push(&format!(" AND c.key IN (SELECT piece >> {TEXT_BITS} FROM texts"));
                sql.push(" WHERE words @@ CAST(").bind(Bind::whole(term)).push(" AS tsquery))");
            }
        }
    }
}

/// Removes the words of the calls with these keys and numbers of texts, also from the pages of a
/// file. PostgreSQL gives the room of deleted rows back when it next vacuums.
pub(super) async fn remove(tx: &mut Tx, calls: &[(i64, i64)]) -> Result<(), IndexFault> {
    for (call, texts) in calls {
        let first = call << TEXT_BITS;
        match tx {
            Tx::Sqlite(_) => {
                for id in first..first + texts {
                    let sql = Sql::new("DELETE FROM texts").with(" WHERE rowid = ", id);
                    tx.execute(REMOVE, sql).await?;
                }
            }
            Tx::Postgres(_) => {
                let sql = Sql::new("DELETE FROM texts").with(" WHERE piece >= ", first);
                tx.execute(REMOVE, sql.with(" AND piece < ", first + texts)).await?;
            }
        }
    }
    if matches!(tx, Tx::Sqlite(_)) && !calls.is_empty() {
        // FTS5 keeps the words of deleted rows until it merges them away (fts5.html §6.8).
        tx.execute(REMOVE, Sql::new("INSERT INTO texts (texts) VALUES ('optimize')")).await?;
    }
    Ok(())
}

/// Removes the words of all calls with keys from `first` to before `end`.
pub(super) async fn clear(tx: &mut Tx, first: i64, end: i64) -> Result<(), IndexFault> {
    let sql = match tx {
        Tx::Sqlite(_) => {
            let others = Sql::new("SELECT 1 FROM calls").with(" WHERE key < ", first);
            let others = others.with(" OR key >= ", end).then(" LIMIT 1");
            if tx.rows(REMOVE, others).await?.is_empty() {
                Sql::new("INSERT INTO texts (texts) VALUES ('delete-all')")
            } else {
                let own = Sql::new("WITH RECURSIVE one (id, until) AS (")
                    .then(&format!("SELECT key << {TEXT_BITS}, (key << {TEXT_BITS}) + texts"))
                    .with(" FROM calls WHERE texts > 0 AND key >= ", first)
                    .with(" AND key < ", end);
                own.then(" UNION ALL SELECT id + 1, until FROM one WHERE id + 1 < until)")
                    .then(" DELETE FROM texts WHERE rowid IN (SELECT id FROM one)")
            }
        }
        Tx::Postgres(_) => Sql::new("DELETE FROM texts")
            .with(" WHERE piece >= ", first << TEXT_BITS)
            .with(" AND piece < ", end << TEXT_BITS),
    };
    tx.execute(REMOVE, sql).await.map(drop)
}
