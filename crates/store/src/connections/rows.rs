//! The rows: one a version, and one that counts the changes.

use lockgate_model::{ConnectionName, Timestamp};

use super::HISTORY_MAX;
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

const COLUMNS: &str = "SELECT name, version, settings, author, applied, changed FROM connections c";
const NEWEST: &str = "version = (SELECT max(version) FROM connections WHERE name = c.name)";

/// One version of a registered connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Its name. It is read as text, so that a row which is no longer understood harms no other.
    pub name: String,
    /// Its version, from 1; a removal counts too.
    pub version: u64,
    /// Its settings as JSON; `None` where this version took it away.
    pub settings: Option<String>,
    /// Who made this version.
    pub author: String,
    /// Whether it was made from documents.
    pub applied: bool,
    /// When.
    pub changed: Timestamp,
}

/// The next version of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionChange {
    /// Its name.
    pub name: ConnectionName,
    /// The version that it was made from; 0 where nothing of this name was ever registered.
    pub before: u64,
    /// Its settings as JSON; `None` takes it away.
    pub settings: Option<String>,
}

pub(super) async fn changes(pools: &Pools) -> Result<u64, DbFault> {
    let sql = Sql::new("SELECT made FROM connection_changes");
    let rows = pools.rows("count changes of connections", sql).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

pub(super) async fn all(pools: &Pools) -> Result<Vec<ConnectionRow>, DbFault> {
    let sql = Sql::new(COLUMNS).then(" WHERE ").then(NEWEST).then(" ORDER BY name");
    pools.rows("read connections", sql).await?.iter().map(row).collect()
}

pub(super) async fn history(
    pools: &Pools,
    name: &ConnectionName,
) -> Result<Vec<ConnectionRow>, DbFault> {
    let sql = Sql::new(COLUMNS)
        .with(" WHERE name = ", name.as_str())
        .with(" ORDER BY version DESC LIMIT ", i64::from(HISTORY_MAX));
    pools.rows("read a connection's versions", sql).await?.iter().map(row).collect()
}

pub(super) async fn applied(pools: &Pools) -> Result<Vec<ConnectionRow>, DbFault> {
    let sql = Sql::new(COLUMNS).then(
        " WHERE version = (SELECT max(version) FROM connections WHERE name = c.name AND applied = 1) \
         ORDER BY name",
    );
    pools.rows("read applied connections", sql).await?.iter().map(row).collect()
}

pub(super) async fn count(tx: &mut Tx) -> Result<(), DbFault> {
    let sql = "INSERT INTO connection_changes (one, made) VALUES (1, 1) \
               ON CONFLICT (one) DO UPDATE SET made = connection_changes.made + 1";
    tx.execute("count a change of connections", Sql::new(sql)).await.map(drop)
}

/// The newest version of this name; 0 where there never was one.
pub(super) async fn version(tx: &mut Tx, name: &ConnectionName) -> Result<u64, DbFault> {
    let sql =
        Sql::new("SELECT max(version) FROM connections").with(" WHERE name = ", name.as_str());
    let rows = tx.rows("read a connection's version", sql).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

/// How many are not removed.
pub(super) async fn live(tx: &mut Tx) -> Result<u64, DbFault> {
    let sql = Sql::new("SELECT count(*) FROM connections c WHERE settings IS NOT NULL AND ");
    let rows = tx.rows("count connections", sql.then(NEWEST)).await?;
    rows.first().map_or(Ok(0), |row| row.count(0))
}

pub(super) async fn add(
    tx: &mut Tx,
    change: &ConnectionChange,
    author: &str,
    applied: bool,
    now: Timestamp,
) -> Result<(), DbFault> {
    let mut sql = Sql::new(
        "INSERT INTO connections (name, version, settings, author, applied, changed) VALUES ",
    );
    sql.list([
        Bind::from(change.name.as_str()),
        Bind::from(change.before.saturating_add(1)),
        Bind::Text(change.settings.clone()),
        Bind::from(author),
        Bind::from(applied),
        Bind::from(now),
    ]);
    tx.execute("change a connection", sql).await.map(drop)
}

fn row(row: &Row) -> Result<ConnectionRow, DbFault> {
    Ok(ConnectionRow {
        name: row.text(0)?,
        version: row.count(1)?,
        settings: row.text_or_null(2)?,
        author: row.text(3)?,
        applied: row.flag(4)?,
        changed: row.time(5)?,
    })
}
