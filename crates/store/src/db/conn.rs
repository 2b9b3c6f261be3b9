//! One way to run a statement on either database: one text, bound values, rows by position.
//!
//! A statement is written with `?` for each value, which PostgreSQL is given as `$1`, `$2`: SQLite
//! would take those for names, and look each up among all others.
//!
//! Knows no table.

use std::fmt::Write as _;

use lockgate_model::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::{
    Arguments as _, AssertSqlSafe, PgPool, Postgres, Row as _, Sqlite, SqlitePool, Transaction,
    postgres::{PgArguments, PgRow},
    sqlite::{SqliteArguments, SqliteRow},
};

use super::DbFault;

/// Longest text that is kept in a column, in bytes; PostgreSQL can't index much longer ones. A
/// longer one stands there as its beginning and the SHA-256 of the whole, so that it is still found
/// by its full value.
pub const TEXT_COLUMN_MAX_BYTES: usize = 512;

/// Values in one statement; SQLite takes 32,766.
const BINDS_MAX: usize = 30_000;

/// Statements with more values than this are too varied to be kept prepared.
const PREPARED_BINDS_MAX: usize = 32;

/// A bound value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bind {
    Int(Option<i64>),
    Text(Option<String>),
}

impl From<i64> for Bind {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Bind {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Bind {
    fn from(number: u64) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<bool> for Bind {
    fn from(flag: bool) -> Self {
        Self::Int(Some(flag.into()))
    }
}

impl From<Timestamp> for Bind {
    fn from(time: Timestamp) -> Self {
        Self::Int(Some(time.millis()))
    }
}

impl From<&str> for Bind {
    fn from(text: &str) -> Self {
        Self::Text(Some(column(text)))
    }
}

impl From<&String> for Bind {
    fn from(text: &String) -> Self {
        Self::from(&**text)
    }
}

impl From<Option<&str>> for Bind {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(column))
    }
}

impl Bind {
    /// Text that is stored whole: words, and values that this room made itself.
    pub(crate) fn whole(text: String) -> Self {
        Self::Text(Some(text))
    }
}

/// `text` as it stands in a column, and as it is looked for.
pub(crate) fn column(text: &str) -> String {
    let whole = text.len() <= TEXT_COLUMN_MAX_BYTES;
    if whole && !text.contains('\0') {
        return text.to_owned();
    }
    let mut kept = text.replace('\0', "\u{fffd}");
    if !whole {
        let digest = lockgate_model::Digest::from_bytes(Sha256::digest(text).into());
        let mark = format!("…sha256:{digest}");
        let mut end = TEXT_COLUMN_MAX_BYTES - mark.len();
        while !kept.is_char_boundary(end) {
            end -= 1;
        }
        kept.truncate(end);
        kept.push_str(&mark);
    }
    kept
}

/// A statement in the making. Only text of this program goes into `text`; a `?` in it is a value.
#[derive(Clone, Debug)]
pub(crate) struct Sql {
    text: String,
    binds: Vec<Bind>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), binds: Vec::new() }
    }

    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends the value's placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.binds.push(value.into());
        self.push("?")
    }

    /// `text` and the value's placeholder.
    pub(crate) fn with(mut self, text: &str, value: impl Into<Bind>) -> Self {
        self.push(text).bind(value);
        self
    }

    /// Another statement's text and values.
    pub(crate) fn append(&mut self, other: Self) -> &mut Self {
        self.binds.extend(other.binds);
        self.push(&other.text)
    }

    /// [`Sql::append`].
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.append(other);
        self
    }

    /// `text` alone.
    pub(crate) fn then(mut self, text: &str) -> Self {
        self.push(text);
        self
    }

    /// Appends `(?, ?, …)`.
    pub(crate) fn list(&mut self, values: impl IntoIterator<Item = Bind>) -> &mut Self {
        self.push("(");
        for (index, value) in values.into_iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " }).bind(value);
        }
        self.push(")")
    }
}

/// `head VALUES (…), (…) tail`, in as many statements as the rows need.
pub(crate) fn many<const N: usize>(head: &str, rows: Vec<[Bind; N]>, tail: &str) -> Vec<Sql> {
    let mut statements = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut sql = Sql::new(head);
        sql.push(" VALUES ");
        for (index, row) in rows.by_ref().take(BINDS_MAX / N.max(1)).enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).list(row);
        }
        sql.push(" ").push(tail);
        statements.push(sql);
    }
    statements
}

/// A row of an answer.
#[derive(Debug)]
pub(crate) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub(crate) fn int(&self, column: usize) -> Result<i64, DbFault> {
        self.int_or_null(column).map(Option::unwrap_or_default)
    }

    pub(crate) fn count(&self, column: usize) -> Result<u64, DbFault> {
        self.int(column).map(|number| u64::try_from(number).unwrap_or_default())
    }

    pub(crate) fn flag(&self, column: usize) -> Result<bool, DbFault> {
        self.int(column).map(|number| number != 0)
    }

    pub(crate) fn time(&self, column: usize) -> Result<Timestamp, DbFault> {
        self.int(column).map(Timestamp::from_millis)
    }

    pub(crate) fn int_or_null(&self, column: usize) -> Result<Option<i64>, DbFault> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(DbFault::database("read a number"))
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, DbFault> {
        self.text_or_null(column).map(Option::unwrap_or_default)
    }

    pub(crate) fn text_or_null(&self, column: usize) -> Result<Option<String>, DbFault> {
        match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        }
        .map_err(DbFault::database("read a text"))
    }
}

/// The connections to one database.
#[derive(Debug)]
pub(crate) enum Pools {
    Sqlite {
        /// One connection.
        writer: SqlitePool,
        readers: SqlitePool,
    },
    Postgres(PgPool),
}

/// An open transaction; dropping it takes everything back.
#[derive(Debug)]
pub(crate) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Pools {
    /// Begins a transaction that may write. SQLite takes its one lock here, not later.
    pub(crate) async fn begin(&self) -> Result<Tx, DbFault> {
        match self {
            Self::Sqlite { writer, .. } => {
                writer.begin_with("BEGIN IMMEDIATE").await.map(Tx::Sqlite)
            }
            Self::Postgres(pool) => pool.begin().await.map(Tx::Postgres),
        }
        .map_err(DbFault::database("begin a transaction"))
    }

    /// The rows of a statement that only reads.
    pub(crate) async fn rows(&self, doing: &'static str, sql: Sql) -> Result<Vec<Row>, DbFault> {
        match self {
            Self::Sqlite { readers, .. } => sqlite(sql)?
                .fetch_all(readers)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(pool) => postgres(sql)?
                .fetch_all(pool)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
        .map_err(DbFault::database(doing))
    }

    /// Takes what was removed out of the write-ahead log of a file too, unless somebody reads it just
    /// then.
    pub(crate) async fn flush(&self) -> Result<(), DbFault> {
        let Self::Sqlite { writer, .. } = self else { return Ok(()) };
        let flushed = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await;
        flushed.map(drop).map_err(DbFault::database("flush the file"))
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(crate) async fn execute(&mut self, doing: &'static str, sql: Sql) -> Result<u64, DbFault> {
        match self {
            Self::Sqlite(tx) => {
                sqlite(sql)?.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
            Self::Postgres(tx) => {
                postgres(sql)?.execute(&mut **tx).await.map(|done| done.rows_affected())
            }
        }
        .map_err(DbFault::database(doing))
    }

    pub(crate) async fn execute_all(
        &mut self,
        doing: &'static str,
        statements: Vec<Sql>,
    ) -> Result<(), DbFault> {
        for sql in statements {
            self.execute(doing, sql).await?;
        }
        Ok(())
    }

    pub(crate) async fn rows(
        &mut self,
        doing: &'static str,
        sql: Sql,
    ) -> Result<Vec<Row>, DbFault> {
        match self {
            Self::Sqlite(tx) => sqlite(sql)?
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(Row::Sqlite).collect()),
            Self::Postgres(tx) => postgres(sql)?
                .fetch_all(&mut **tx)
                .await
                .map(|rows| rows.into_iter().map(Row::Postgres).collect()),
        }
        .map_err(DbFault::database(doing))
    }

    pub(crate) async fn commit(self) -> Result<(), DbFault> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
        .map_err(DbFault::database("commit"))
    }
}

fn sqlite(sql: Sql) -> Result<sqlx::query::Query<'static, Sqlite, SqliteArguments>, DbFault> {
    let prepared = sql.binds.len() <= PREPARED_BINDS_MAX;
    let mut arguments = SqliteArguments::default();
    for bind in sql.binds {
        match bind {
            Bind::Int(number) => arguments.add(number),
            Bind::Text(text) => arguments.add(text),
        }
        .map_err(|error| DbFault::database("bind a value")(sqlx::Error::Encode(error)))?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(sql.text), arguments).persistent(prepared))
}

fn postgres(sql: Sql) -> Result<sqlx::query::Query<'static, Postgres, PgArguments>, DbFault> {
    let prepared = sql.binds.len() <= PREPARED_BINDS_MAX;
    let mut arguments = PgArguments::default();
    for bind in sql.binds {
        match bind {
            Bind::Int(number) => arguments.add(number),
            Bind::Text(text) => arguments.add(text),
        }
        .map_err(|error| DbFault::database("bind a value")(sqlx::Error::Encode(error)))?;
    }
    Ok(sqlx::query_with(AssertSqlSafe(numbered(&sql.text)), arguments).persistent(prepared))
}

/// With `$1`, `$2`, … for each `?`.
fn numbered(text: &str) -> String {
    let mut numbered = String::with_capacity(text.len() * 2);
    for (index, part) in text.split('?').enumerate() {
        if index > 0 {
            // Writing to a String does not fail.
            let _ = write!(numbered, "${index}");
        }
        numbered.push_str(part);
    }
    numbered
}
