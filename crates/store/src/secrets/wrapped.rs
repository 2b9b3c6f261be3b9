//! Everything sealed, whatever it is, for those who only wrap its data key anew.

use std::fmt;

use super::{GrantOf, PAGE_MAX};
use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

/// What a sealed text is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedOf {
    /// The secret of this name.
    Secret(String),
    /// A user's grant.
    Grant(GrantOf),
}

/// A sealed text as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// What it is.
    pub of: SealedOf,
    /// Its newest version, from 1.
    pub version: u64,
    /// The key under which it is sealed.
    pub sealing_key: String,
    /// The sealed text.
    pub sealed: String,
}

/// A text that was wrapped anew.
#[derive(Clone, Debug)]
pub struct Rewrapped<'a> {
    /// What it was made from.
    pub before: &'a SealedRow,
    /// The key under which it is wrapped.
    pub sealing_key: &'a str,
    /// The sealed text.
    pub sealed: String,
}

impl fmt::Display for SealedOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret(name) => write!(f, "the secret `{name}`"),
            Self::Grant(GrantOf { holder, connection }) => {
                write!(f, "the grant of `{holder}` for connection `{connection}`")
            }
        }
    }
}

pub(super) async fn not_under(pools: &Pools, key: &str) -> Result<Vec<SealedRow>, DbFault> {
    let sql = Sql::new("SELECT name, NULL, version, sealing_key, sealed FROM secrets")
        .with(" WHERE sealed IS NOT NULL AND sealing_key <> ", key)
        .then(" UNION ALL SELECT holder, connection, version, sealing_key, sealed FROM grants")
        .with(" WHERE sealed IS NOT NULL AND sealing_key <> ", key)
        .with(" LIMIT ", i64::from(PAGE_MAX));
    pools.rows("list sealed texts by key", sql).await?.iter().map(row).collect()
}

pub(super) async fn keys(pools: &Pools) -> Result<Vec<(String, u64)>, DbFault> {
    let sql = "SELECT sealing_key, count(*) FROM (\
               SELECT sealing_key FROM secrets WHERE sealed IS NOT NULL UNION ALL \
               SELECT sealing_key FROM grants WHERE sealed IS NOT NULL) AS everything \
               GROUP BY sealing_key ORDER BY sealing_key";
    let rows = pools.rows("count sealed texts by key", Sql::new(sql)).await?;
    rows.iter().map(|row| Ok((row.text(0)?, row.count(1)?))).collect()
}

pub(super) async fn rewrap(tx: &mut Tx, one: &Rewrapped<'_>) -> Result<bool, DbFault> {
    let table = match &one.before.of {
        SealedOf::Secret(_) => "UPDATE secrets",
        SealedOf::Grant(_) => "UPDATE grants",
    };
    let sql = Sql::new(table)
        .with(" SET sealing_key = ", one.sealing_key)
        .with(", sealed = ", Bind::whole(one.sealed.clone()))
        .with(" WHERE version = ", one.before.version)
        .with(" AND sealing_key = ", &one.before.sealing_key);
    let sql = match &one.before.of {
        SealedOf::Secret(name) => sql.with(" AND name = ", name),
        SealedOf::Grant(GrantOf { holder, connection }) => {
            sql.with(" AND holder = ", holder).with(" AND connection = ", connection)
        }
    };
    Ok(tx.execute("wrap a sealed text anew", sql).await? == 1)
}

fn row(row: &Row) -> Result<SealedRow, DbFault> {
    let of = match (row.text(0)?, row.text_or_null(1)?) {
        (name, None) => SealedOf::Secret(name),
        (holder, Some(connection)) => SealedOf::Grant(GrantOf { holder, connection }),
    };
    Ok(SealedRow { of, version: row.count(2)?, sealing_key: row.text(3)?, sealed: row.text(4)? })
}
