//! Reading: pages of sessions, calls and refused requests, and one of them by its id.

use std::collections::HashMap;

use super::{
    Filter, Index, IndexFault, Listing, Page, RefusalFilter,
    page::Cursor,
    rows::{CALL_COLUMNS, CallRow, REFUSAL_COLUMNS, RefusalRow, SESSION_COLUMNS, SessionRow},
};
use crate::db::conn::{Bind, Row, Sql};

const SESSIONS: &str = "read sessions";
const CALLS: &str = "read calls";
const REFUSALS: &str = "read refusals";

impl Index {
    /// Sessions that match, the last opened first.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn sessions(
        &self,
        filter: &Filter,
        page: Page,
    ) -> Result<Listing<SessionRow>, IndexFault> {
        let mut sql = select_sessions();
        filter.sessions(&self.pools, &mut sql);
        turn(&mut sql, "s.opened", "s.key", page);
        let rows = self.pools.rows(SESSIONS, sql).await?;
        let mut rows = read_all(&rows, SessionRow::read)?;
        self.label_sessions(&mut rows).await?;
        Ok(Listing::new(rows, page.size))
    }

    /// The session with this id; `None` where none was applied.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn session(&self, id: &str) -> Result<Option<SessionRow>, IndexFault> {
        let sql = select_sessions().with(" AND s.id = ", id).then(" ORDER BY s.key DESC LIMIT 1");
        let rows = self.pools.rows(SESSIONS, sql).await?;
        let mut rows = read_all(&rows, SessionRow::read)?;
        self.label_sessions(&mut rows).await?;
        Ok(rows.pop().map(|(_, row)| row))
    }

    /// Calls that match, the last decided first.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn calls(&self, filter: &Filter, page: Page) -> Result<Listing<CallRow>, IndexFault> {
        let mut sql = select_calls();
        let common = filter.common(&self.pools).await?;
        filter.calls(&self.pools, &common, &mut sql);
        turn(&mut sql, "c.time", "c.key", page);
        let rows = self.pools.rows(CALLS, sql).await?;
        let mut rows = read_all(&rows, CallRow::read)?;
        self.label_calls(&mut rows).await?;
        Ok(Listing::new(rows, page.size))
    }

    /// The call with this id; `None` where none was applied.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn call(&self, id: &str) -> Result<Option<CallRow>, IndexFault> {
        let sql = select_calls().with(" AND c.id = ", id).then(" ORDER BY c.key DESC LIMIT 1");
        let rows = self.pools.rows(CALLS, sql).await?;
        let mut rows = read_all(&rows, CallRow::read)?;
        self.label_calls(&mut rows).await?;
        Ok(rows.pop().map(|(_, row)| row))
    }

    /// Refused requests that match, the last first.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn refusals(
        &self,
        filter: &RefusalFilter,
        page: Page,
    ) -> Result<Listing<RefusalRow>, IndexFault> {
        let mut sql = Sql::new("SELECT ").then(REFUSAL_COLUMNS);
        sql.push(" FROM refusals r JOIN nodes n ON n.number = r.node WHERE 1 = 1");
        filter.refusals(&mut sql);
        turn(&mut sql, "r.time", "r.key", page);
        let rows = self.pools.rows(REFUSALS, sql).await?;
        Ok(Listing::new(read_all(&rows, RefusalRow::read)?, page.size))
    }

    async fn label_sessions(&self, rows: &mut [(Cursor, SessionRow)]) -> Result<(), IndexFault> {
        let keys: Vec<_> = rows.iter().map(|(cursor, _)| cursor.key).collect();
        let mut labels = self.labels(SESSIONS, "session_labels", "session", keys).await?;
        for (cursor, row) in rows {
            let groups = labels.remove(&cursor.key).unwrap_or_default();
            row.groups = groups.into_iter().map(|(_, name)| name).collect();
        }
        Ok(())
    }

    async fn label_calls(&self, rows: &mut [(Cursor, CallRow)]) -> Result<(), IndexFault> {
        let keys: Vec<_> = rows.iter().map(|(cursor, _)| cursor.key).collect();
        let mut labels = self.labels(CALLS, "call_labels", "call", keys).await?;
        for (cursor, row) in rows {
            for (kind, name) in labels.remove(&cursor.key).unwrap_or_default() {
                row.label(&kind, name);
            }
        }
        Ok(())
    }

    /// Kind and name of the labels of each key, sorted.
    async fn labels(
        &self,
        doing: &'static str,
        table: &str,
        of: &str,
        keys: Vec<i64>,
    ) -> Result<HashMap<i64, Vec<(String, String)>>, IndexFault> {
        let mut labels: HashMap<_, Vec<_>> = HashMap::new();
        if keys.is_empty() {
            return Ok(labels);
        }
        let mut sql = Sql::new(&format!("SELECT t.{of}, l.kind, l.name FROM {table} t"));
        sql.push(&format!(" JOIN labels l ON l.id = t.label WHERE t.{of} IN "));
        sql.list(keys.into_iter().map(Bind::from)).push(" ORDER BY l.kind, l.name");
        for row in self.pools.rows(doing, sql).await? {
            labels.entry(row.int(0)?).or_default().push((row.text(1)?, row.text(2)?));
        }
        Ok(labels)
    }
}

fn select_sessions() -> Sql {
    Sql::new("SELECT ")
        .then(SESSION_COLUMNS)
        .then(" FROM sessions s JOIN nodes n ON n.number = s.node WHERE 1 = 1")
}

fn select_calls() -> Sql {
    Sql::new("SELECT ")
        .then(CALL_COLUMNS)
        .then(" FROM calls c JOIN nodes n ON n.number = c.node")
        .then(" LEFT JOIN sessions s ON s.key = c.session WHERE 1 = 1")
}

/// Goes on after the cursor, newest first, and one row further than the page, to see if there is
/// more.
fn turn(sql: &mut Sql, time: &str, key: &str, page: Page) {
    if let Some(after) = page.after {
        sql.push(&format!(" AND ({time}, {key}) < (")).bind(after.time);
        sql.push(", ").bind(after.key).push(")");
    }
    sql.push(&format!(" ORDER BY {time} DESC, {key} DESC LIMIT "));
    sql.bind(i64::from(page.size) + 1);
}

fn read_all<T>(
    rows: &[Row],
    read: impl Fn(&Row) -> Result<(Cursor, T), IndexFault>,
) -> Result<Vec<(Cursor, T)>, IndexFault> {
    rows.iter().map(read).collect()
}
