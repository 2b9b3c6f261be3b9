//! The rows: one a secret, with the sealed text of its newest version, and one that names the key under
//! which everything new is sealed.

use lockgate_model::Timestamp;

use super::PAGE_MAX;
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

const COLUMNS: &str = "SELECT name, version, connection, sealing_key, sealed, description, author, \
     created, updated FROM secrets WHERE ";

/// A secret as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRow {
    /// Its name.
    pub name: String,
    /// Its newest version, from 1.
    pub version: u64,
    /// The one connection that may use it; any where `None`.
    pub connection: Option<String>,
    /// The key under which it is sealed; `None` where it was removed.
    pub sealing_key: Option<String>,
    /// The sealed text; `None` where it was removed.
    pub sealed: Option<String>,
    /// What somebody wrote about it.
    pub description: String,
    /// Who changed it last.
    pub author: String,
    /// When its first version was set.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
}

/// The next version of a secret.
#[derive(Clone, Copy, Debug)]
pub struct NewSecret<'a> {
    /// Its name.
    pub name: &'a str,
    /// The version that this is: 1 for a new one, else one more than what is there.
    pub version: u64,
    /// The one connection that may use it; any where `None`.
    pub connection: Option<&'a str>,
    /// The key under which it is sealed.
    pub sealing_key: &'a str,
    /// The sealed text.
    pub sealed: &'a str,
    /// What is written about it.
    pub description: &'a str,
    /// Who sets it.
    pub author: &'a str,
    /// When.
    pub now: Timestamp,
}

pub(super) async fn find(pools: &Pools, name: &str) -> Result<Option<SecretRow>, DbFault> {
    let sql = Sql::new(COLUMNS).with("name = ", name);
    pools.rows("read a secret", sql).await?.first().map(row).transpose()
}

pub(super) async fn page(pools: &Pools, after: &str) -> Result<Vec<SecretRow>, DbFault> {
    let sql = Sql::new(COLUMNS)
        .with("sealed IS NOT NULL AND name > ", after)
        .with(" ORDER BY name LIMIT ", i64::from(PAGE_MAX));
    pools.rows("list secrets", sql).await?.iter().map(row).collect()
}

pub(super) async fn sealing_key(pools: &Pools) -> Result<Option<String>, DbFault> {
    let rows = pools.rows("read the sealing key", Sql::new("SELECT sealing_key FROM vault"));
    rows.await?.first().map(|row| row.text(0)).transpose()
}

/// Whether `key` is the one that seals, and stays so until the transaction ends: a rotation that begins
/// meanwhile waits for it, and sees what it wrote.
pub(super) async fn claim(tx: &mut Tx, key: &str) -> Result<bool, DbFault> {
    let first = Sql::new("INSERT INTO vault (one, sealing_key) VALUES (1, ")
        .with("", key)
        .then(") ON CONFLICT DO NOTHING");
    tx.execute("name the first sealing key", first).await?;
    seal_under(tx, key, key).await
}

pub(super) async fn seal_under(tx: &mut Tx, from: &str, to: &str) -> Result<bool, DbFault> {
    let sql = Sql::new("UPDATE vault")
        .with(" SET sealing_key = ", to)
        .with(" WHERE sealing_key = ", from);
    Ok(tx.execute("name the sealing key", sql).await? == 1)
}

/// Whether it is the next version of what is there.
pub(super) async fn put(tx: &mut Tx, new: &NewSecret<'_>) -> Result<bool, DbFault> {
    let (sealed, description) =
        (Bind::whole(new.sealed.to_owned()), Bind::whole(new.description.to_owned()));
    if new.version == 1 {
        let mut sql = Sql::new(
            "INSERT INTO secrets (name, version, connection, sealing_key, sealed, description, \
             author, created, updated) VALUES ",
        );
        sql.list([
            Bind::from(new.name),
            Bind::from(new.version),
            Bind::from(new.connection),
            Bind::from(new.sealing_key),
            sealed,
            description,
            Bind::from(new.author),
            Bind::from(new.now),
            Bind::from(new.now),
        ]);
        sql.push(" ON CONFLICT DO NOTHING");
        return Ok(tx.execute("set a secret", sql).await? == 1);
    }
    let sql = Sql::new("UPDATE secrets")
        .with(" SET version = ", new.version)
        .with(", connection = ", new.connection)
        .with(", sealing_key = ", new.sealing_key)
        .with(", sealed = ", sealed)
        .with(", description = ", description)
        .with(", author = ", new.author)
        .with(", updated = ", new.now)
        .with(" WHERE name = ", new.name)
        .with(" AND version = ", new.version.saturating_sub(1));
    Ok(tx.execute("set a secret", sql).await? == 1)
}

pub(super) async fn remove(
    tx: &mut Tx,
    name: &str,
    version: u64,
    author: &str,
    now: Timestamp,
) -> Result<bool, DbFault> {
    let sql = Sql::new("UPDATE secrets SET sealed = NULL, sealing_key = NULL")
        .with(", author = ", author)
        .with(", updated = ", now)
        .with(" WHERE sealed IS NOT NULL AND name = ", name)
        .with(" AND version = ", version);
    Ok(tx.execute("remove a secret", sql).await? == 1)
}

fn row(row: &Row) -> Result<SecretRow, DbFault> {
    Ok(SecretRow {
        name: row.text(0)?,
        version: row.count(1)?,
        connection: row.text_or_null(2)?,
        sealing_key: row.text_or_null(3)?,
        sealed: row.text_or_null(4)?,
        description: row.text(5)?,
        author: row.text(6)?,
        created: row.time(7)?,
        updated: row.time(8)?,
    })
}
