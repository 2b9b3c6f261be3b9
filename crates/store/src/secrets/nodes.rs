//! The gateways that run on a vault, as each says it of itself: who waits for all of them reads it here.
//!
//! Times are of each gateway's own clock, so these must agree to within some seconds.

use lockgate_model::Timestamp;

use crate::db::{
    DbFault,
    conn::{Bind, Pools, Row, Sql, Tx},
};

/// A gateway that said nothing for so long is gone, in milliseconds. Each says it every 5 s.
pub const LIVE_MS: i64 = 15_000;

/// A gateway that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultNode {
    /// This run of it.
    pub instance: String,
    /// Its name, for people.
    pub node: String,
    /// The ids of the keys that it has.
    pub keys: Vec<String>,
}

pub(super) async fn announce(tx: &mut Tx, node: &VaultNode, now: Timestamp) -> Result<(), DbFault> {
    let mut sql = Sql::new("INSERT INTO vault_nodes (instance, node, keys, seen) VALUES ");
    sql.list([
        Bind::from(node.instance.as_str()),
        Bind::from(node.node.as_str()),
        Bind::whole(node.keys.join(" ")),
        Bind::from(now),
    ]);
    sql.push(" ON CONFLICT (instance) DO UPDATE SET keys = excluded.keys, seen = excluded.seen");
    tx.execute("announce a gateway", sql).await?;
    let gone = Sql::new("DELETE FROM vault_nodes").with(" WHERE seen < ", last_seen(now));
    tx.execute("forget gateways that are gone", gone).await?;
    Ok(())
}

pub(super) async fn live(pools: &Pools, now: Timestamp) -> Result<Vec<VaultNode>, DbFault> {
    let sql = Sql::new("SELECT instance, node, keys FROM vault_nodes")
        .with(" WHERE seen >= ", last_seen(now))
        .then(" ORDER BY node, instance");
    let node = |row: &Row| {
        let keys = row.text(2)?.split(' ').map(str::to_owned).collect();
        Ok(VaultNode { instance: row.text(0)?, node: row.text(1)?, keys })
    };
    pools.rows("read which gateways run", sql).await?.iter().map(node).collect()
}

fn last_seen(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.millis() - LIVE_MS)
}
