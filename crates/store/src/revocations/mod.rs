//! Revocations, kept: made once, never changed but to be lifted, and read in the order in which they
//! were made or lifted, so that a gateway reads on from where it stands.
//!
//! Whoever makes one rings: gateways on the same PostgreSQL hear it at once, and this process does.
//! A ring may be lost or come twice; what counts are the rows, which every gateway asks for a few times
//! a second anyway. Nothing here decides who is out: that is [`lockgate_model::RevocationList`].

mod fault;
mod rows;

use lockgate_model::{KeptRevocation, REVOCATION_REASON_MAX_BYTES, Revocation, Timestamp};
use tokio::sync::watch;

pub use fault::RevocationsFault;

use crate::db::{self, DbFault, DbPlace, Ear, Migration, Schema, conn::Pools};

const SCHEMA: Schema = Schema {
    what: "revocations",
    table: "_revocations_migrations",
    migrations: &[Migration {
        number: 1,
        description: "revocations",
        sqlite: include_str!("../../migrations/revocations/sqlite/0001_revocations.sql"),
        postgres: include_str!("../../migrations/revocations/postgres/0001_revocations.sql"),
    }],
};

/// What a change rings on PostgreSQL.
const BELL: &str = "lockgate_revocations";
/// Most that stand at a time: each gateway holds them all in memory.
pub const REVOCATIONS_MAX: u64 = 100_000;
/// Most that are read or listed at once.
pub const PAGE_MAX: u32 = 1_000;

/// Where revocations are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Revocations {
    pools: Pools,
    /// Changes that this process makes.
    made: watch::Sender<()>,
}

/// Some of what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Up to which change it goes: where to read on.
    pub change: u64,
    /// In the order of their changes.
    pub changed: Vec<KeptRevocation>,
}

impl Revocations {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn open(place: &DbPlace) -> Result<Self, DbFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await?, made: watch::Sender::new(()) })
    }

    /// Makes revocations, all or none, durably; gives how many are new. One whose id is there already
    /// is left as it stands, so that telling the same twice changes nothing.
    ///
    /// # Errors
    /// [`RevocationsFault`]
    pub async fn make(
        &self,
        revocations: &[Revocation],
        now: Timestamp,
    ) -> Result<usize, RevocationsFault> {
        if revocations.iter().any(|one| one.reason.len() > REVOCATION_REASON_MAX_BYTES) {
            return Err(RevocationsFault::Reason);
        }
        let mut tx = self.pools.begin().await?;
        let mut new = 0;
        for revocation in revocations {
            // Each has a number of its own. The first one is waited for: whoever comes at the same time
            // gets later numbers, and is seen later.
            let change = rows::count(&mut tx).await?;
            new += usize::from(rows::add(&mut tx, revocation, change).await?);
        }
        if rows::standing(&mut tx, now).await? > REVOCATIONS_MAX {
            return Err(RevocationsFault::Full);
        }
        tx.ring(BELL).await?;
        tx.commit().await?;
        self.made.send_replace(());
        Ok(new)
    }

    /// Lifts a revocation, durably; nothing happens to one that was lifted already.
    ///
    /// # Errors
    /// [`RevocationsFault::Unknown`] and [`RevocationsFault::Db`].
    pub async fn lift(&self, id: &str, by: &str, now: Timestamp) -> Result<(), RevocationsFault> {
        let mut tx = self.pools.begin().await?;
        let change = rows::count(&mut tx).await?;
        if !rows::lift(&mut tx, id, by, now, change).await? {
            let known = rows::by_id(&mut tx, id).await?.is_some();
            return if known { Ok(()) } else { Err(RevocationsFault::Unknown(id.to_owned())) };
        }
        tx.ring(BELL).await?;
        tx.commit().await?;
        self.made.send_replace(());
        Ok(())
    }

    /// The one with this id, also one that was lifted.
    ///
    /// # Errors
    /// [`RevocationsFault::Content`] and [`RevocationsFault::Db`].
    pub async fn get(&self, id: &str) -> Result<Option<KeptRevocation>, RevocationsFault> {
        let mut tx = self.pools.begin().await?;
        rows::by_id(&mut tx, id).await
    }

    /// What changed after this number, the oldest change first, at most [`PAGE_MAX`]. That it could be
    /// read confirms everything that was read before.
    ///
    /// # Errors
    /// [`RevocationsFault::Content`] and [`RevocationsFault::Db`].
    pub async fn since(&self, change: u64) -> Result<News, RevocationsFault> {
        rows::since(&self.pools, change).await
    }

    /// The newest revocations, at most [`PAGE_MAX`]: those that stand at `now`, or all of them.
    ///
    /// # Errors
    /// [`RevocationsFault::Content`] and [`RevocationsFault::Db`].
    pub async fn list(
        &self,
        standing_at: Option<Timestamp>,
    ) -> Result<Vec<KeptRevocation>, RevocationsFault> {
        rows::list(&self.pools, standing_at).await
    }

    /// Hears of changes from now on: at once of those that this process makes, and of those that others
    /// make on the same PostgreSQL.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn ear(&self) -> Result<Ear, DbFault> {
        Ear::of(&self.pools, BELL, &self.made).await
    }

    /// Ends all connections to the database.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
