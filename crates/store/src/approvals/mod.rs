//! Approvals, kept: asked once for each subject, changed by compare-and-set, used once.
//!
//! The machine is [`lockgate_model::Approval`]; this room keeps what it gives. Every change names
//! the version that it was made from, so that of two at once one wins and the other is tried again
//! on what it left: nothing is decided on a row that has changed. A change is durable when the call
//! returns (SQLite with `synchronous=FULL`, PostgreSQL by its own word).
//!
//! Holds no arguments: the record does, sealed, under the call that asked.

mod access;
mod change;
mod fault;
mod rows;
mod sync;
mod watch;

#[cfg(test)]
mod tests;

use lockgate_model::{Act, Approval, Subject, Timestamp};

pub use access::content_digest;
pub use fault::ApprovalFault;
pub use rows::{ApprovalFilter, Counts};
pub use watch::Waiter;

use self::watch::Changes;
use crate::db::{self, DbPlace, Migration, Schema, conn::Pools};

const SCHEMA: Schema = Schema {
    what: "approvals",
    table: "_approvals_migrations",
    migrations: &[Migration {
        number: 1,
        description: "approvals",
        sqlite: include_str!("../../migrations/approvals/sqlite/0001_approvals.sql"),
        postgres: include_str!("../../migrations/approvals/postgres/0001_approvals.sql"),
    }],
};

/// Most that are listed at once.
pub const LIST_MAX: u32 = 500;

/// Where approvals are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Approvals {
    pools: Pools,
    changes: Changes,
}

/// What a question led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The approval.
    pub approval: Approval,
    /// Whether this call asked first.
    pub new: bool,
}

impl Approvals {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn open(place: &DbPlace) -> Result<Self, ApprovalFault> {
        let pools = db::open(place, &SCHEMA).await?;
        Ok(Self { pools, changes: Changes::default() })
    }

    /// Approvals, the newest first, at most [`LIST_MAX`].
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn list(
        &self,
        filter: &ApprovalFilter,
        now: Timestamp,
    ) -> Result<Vec<Approval>, ApprovalFault> {
        let kept = rows::list(&self.pools, filter).await?;
        kept.iter().map(|kept| Ok(kept.approval.apply(&Act::Look, now)?)).collect()
    }

    /// How often calls of this target were decided before.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn counts(&self, subject: &Subject) -> Result<Counts, ApprovalFault> {
        Ok(rows::counts(&self.pools, subject).await?)
    }

    /// Learns of every change that this process makes to the approval `of`, or to any. Changes of
    /// others show when the waiter looks anyway: after a second, and later where many wait.
    pub fn waiter(&self, of: Option<&str>) -> Waiter {
        self.changes.waiter(of)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
