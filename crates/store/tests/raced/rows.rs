//! What the library asks of its rows, of those in memory.

use lockgate_model::{Approval, Digest, State, Timestamp};
use lockgate_store::db::DbFault;

use crate::{
    ApprovalFault,
    db::conn::{Pools, Row, Tx},
};

pub(crate) struct Kept {
    pub(crate) approval: Approval,
    version: u64,
}

pub(crate) async fn latest(tx: &mut Tx, key: Digest) -> Result<Option<Kept>, ApprovalFault> {
    Ok(tx.rows().into_iter().rfind(|row| row.key == key).map(kept))
}

pub(crate) async fn by_id(tx: &mut Tx, id: &str) -> Result<Option<Kept>, ApprovalFault> {
    Ok(tx.rows().into_iter().find(|row| row.approval.id == id).map(kept))
}

pub(crate) async fn read(pools: &Pools, id: &str) -> Result<Option<Kept>, ApprovalFault> {
    Ok(pools.committed().into_iter().find(|row| row.approval.id == id).map(kept))
}

pub(crate) async fn due(pools: &Pools, now: Timestamp) -> Result<Vec<Kept>, ApprovalFault> {
    let over = |row: &Row| match row.approval.state {
        State::Pending => row.approval.terms.answer_by <= now,
        State::Approved { until } => until <= now,
        _ => false,
    };
    Ok(pools.committed().into_iter().filter(over).map(kept).collect())
}

pub(crate) async fn live(tx: &mut Tx, caller: &str) -> Result<u64, DbFault> {
    let of = |row: &&Row| !row.approval.is_closed() && row.approval.subject.caller() == caller;
    Ok(tx.rows().iter().filter(of).count() as u64)
}

pub(crate) async fn insert(
    tx: &mut Tx,
    key: Digest,
    approval: &Approval,
) -> Result<bool, ApprovalFault> {
    let rows = tx.lock();
    if rows.iter().any(|row| row.key == key && !row.approval.is_closed()) {
        return Ok(false);
    }
    rows.push(Row { key, version: 1, approval: approval.clone() });
    Ok(true)
}

pub(crate) async fn replace(
    tx: &mut Tx,
    before: &Kept,
    next: &Approval,
) -> Result<bool, ApprovalFault> {
    let as_before = |row: &&mut Row| row.approval.id == next.id && row.version == before.version;
    let Some(row) = tx.lock().iter_mut().find(as_before) else { return Ok(false) };
    row.approval = next.clone();
    row.version += 1;
    Ok(true)
}

fn kept(row: Row) -> Kept {
    Kept { approval: row.approval, version: row.version }
}
