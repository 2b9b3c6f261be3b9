//! The vault's keys as servers outside wrapped them: nothing here could unwrap one.

use lockgate_model::Timestamp;

use crate::db::{
    DbFault,
    conn::{Bind, Pools, Sql, Tx},
};

/// A key that a server outside wrapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Its id.
    pub id: String,
    /// Which server, and which key there: as the configuration says it.
    pub place: String,
    /// The newest has the highest, from 1.
    pub number: u64,
    /// What the server gave for it.
    pub wrapped: String,
}

pub(super) async fn all(pools: &Pools) -> Result<Vec<WrappedKey>, DbFault> {
    let sql = Sql::new("SELECT id, place, number, wrapped FROM vault_keys ORDER BY number");
    let rows = pools.rows("read the wrapped keys", sql).await?;
    let key = |row: &crate::db::conn::Row| {
        Ok(WrappedKey {
            id: row.text(0)?,
            place: row.text(1)?,
            number: row.count(2)?,
            wrapped: row.text(3)?,
        })
    };
    rows.iter().map(key).collect()
}

/// Whether it was put.
pub(super) async fn add(tx: &mut Tx, key: &WrappedKey, now: Timestamp) -> Result<bool, DbFault> {
    let mut sql = Sql::new("INSERT INTO vault_keys (id, place, number, wrapped, created) VALUES ");
    sql.list([
        Bind::from(key.id.as_str()),
        Bind::whole(key.place.clone()),
        Bind::from(key.number),
        Bind::whole(key.wrapped.clone()),
        Bind::from(now),
    ]);
    sql.push(" ON CONFLICT DO NOTHING");
    Ok(tx.execute("add a wrapped key", sql).await? == 1)
}

/// Whether it was there.
pub(super) async fn forget(tx: &mut Tx, id: &str) -> Result<bool, DbFault> {
    let sql = Sql::new("DELETE FROM vault_keys").with(" WHERE id = ", id);
    Ok(tx.execute("forget a wrapped key", sql).await? == 1)
}
