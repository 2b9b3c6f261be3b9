//! Full text, the one thing that the two databases do not do alike: FTS5 and `tsvector`.
//!
//! Both are given words that are already parted and spelled, so that neither has anything to
//! interpret. In PostgreSQL that is what the `simple` configuration would keep, without its parser,
//! which reads addresses, numbers and paths in ways of its own.

use super::{IndexFault, Query, fold::TEXT_BITS};
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Sql, Tx, many},
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
    Ok(tx.execute_all(ADD, statements).await?)
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

/// The rows that each term of `query` finds.
pub(super) fn rows(pools: &Pools, query: &Query) -> Vec<Sql> {
    terms(pools, query).map(|term| Sql::new("SELECT 1 FROM texts WHERE ").and(term)).collect()
}

/// Appends the conditions of `query` on `calls c`, each as ` AND …`. `many` tells which of its
/// terms many calls have: for these, the texts of each call are asked.
pub(super) fn condition(pools: &Pools, query: &Query, many: &[bool], sql: &mut Sql) {
    let id = match pools {
        Pools::Sqlite { .. } => "rowid",
        Pools::Postgres(_) => "piece",
    };
    let many = many.iter().copied().chain(std::iter::repeat(false));
    for (term, many) in terms(pools, query).zip(many) {
        if many {
            sql.push(" AND EXISTS (SELECT 1 FROM texts WHERE ").append(term);
            sql.push(&format!(" AND {id} >= c.key << {TEXT_BITS}"));
            sql.push(&format!(" AND {id} < (c.key << {TEXT_BITS}) + c.texts)"));
        } else {
            sql.push(&format!(" AND c.key IN (SELECT {id} >> {TEXT_BITS} FROM texts WHERE "));
            sql.append(term).push(")");
        }
    }
}

/// Each term as a condition on `texts`.
fn terms(pools: &Pools, query: &Query) -> impl Iterator<Item = Sql> {
    let terms: Vec<Sql> = match pools {
        Pools::Sqlite { .. } => {
            query.fts5().map(|term| Sql::new("texts MATCH ").with("", Bind::whole(term))).collect()
        }
        Pools::Postgres(_) => query
            .tsquery()
            .map(|term| Sql::new("words @@ CAST(").with("", Bind::whole(term)).then(" AS tsquery)"))
            .collect(),
    };
    terms.into_iter()
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
pub(super) async fn clear(tx: &mut Tx, first: i64, end: i64) -> Result<(), DbFault> {
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
