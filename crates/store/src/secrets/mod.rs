//! Sealed secrets and users' grants, kept: what is written here was sealed by the vault, and nobody here could open it.
//!
//! Every change names the version, or the key, that it was made from, so that of two at once one wins and
//! the other is told. A change is durable when the call returns. Everything new is sealed under the one
//! key that stands in the table beside: who still knows only the key before is told so, which is what
//! makes an end of a rotation an end. The gateways that run on it say which keys they have, for a rotation to
//! wait for.

mod fault;
mod grants;
mod keys;
mod nodes;
mod rows;
mod wrapped;

use lockgate_model::Timestamp;

pub use fault::SecretsFault;
pub use grants::{GrantOf, GrantRow, NewGrant};
pub use keys::WrappedKey;
pub use nodes::{LIVE_MS, VaultNode};
pub use rows::{NewSecret, SecretRow};
pub use wrapped::{Rewrapped, SealedOf, SealedRow};

use crate::db::{self, DbFault, DbPlace, Migration, Schema, conn::Pools};

const SCHEMA: Schema = Schema {
    what: "secrets",
    table: "_secrets_migrations",
    migrations: &[
        Migration {
            number: 1,
            description: "secrets",
            sqlite: include_str!("../../migrations/secrets/sqlite/0001_secrets.sql"),
            postgres: include_str!("../../migrations/secrets/postgres/0001_secrets.sql"),
        },
        Migration {
            number: 2,
            description: "wrapped keys",
            sqlite: include_str!("../../migrations/secrets/sqlite/0002_wrapped_keys.sql"),
            postgres: include_str!("../../migrations/secrets/postgres/0002_wrapped_keys.sql"),
        },
        Migration {
            number: 3,
            description: "nodes",
            sqlite: include_str!("../../migrations/secrets/sqlite/0003_nodes.sql"),
            postgres: include_str!("../../migrations/secrets/postgres/0003_nodes.sql"),
        },
        Migration {
            number: 4,
            description: "grants",
            sqlite: include_str!("../../migrations/secrets/sqlite/0004_grants.sql"),
            postgres: include_str!("../../migrations/secrets/postgres/0004_grants.sql"),
        },
    ],
};

/// Most that are given at once.
pub const PAGE_MAX: u32 = 500;

/// Where sealed secrets are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Secrets {
    pools: Pools,
}

impl Secrets {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn open(place: &DbPlace) -> Result<Self, DbFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await? })
    }

    /// One secret, also one that was removed.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn find(&self, name: &str) -> Result<Option<SecretRow>, DbFault> {
        rows::find(&self.pools, name).await
    }

    /// The secrets behind this name, in the order of their names, at most [`PAGE_MAX`]; none that was
    /// removed.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn page(&self, after: &str) -> Result<Vec<SecretRow>, DbFault> {
        rows::page(&self.pools, after).await
    }

    /// How many secrets and grants are sealed under each key.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn keys(&self) -> Result<Vec<(String, u64)>, DbFault> {
        wrapped::keys(&self.pools).await
    }

    /// The key under which everything new is sealed; `None` before anything was.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn sealing_key(&self) -> Result<Option<String>, DbFault> {
        rows::sealing_key(&self.pools).await
    }

    /// Puts a secret's next version in the place of the one before it.
    ///
    /// # Errors
    /// [`SecretsFault::Overtaken`] where its version is not the next one, [`SecretsFault::Key`] where
    /// another key seals by now, and [`SecretsFault::Db`].
    pub async fn put(&self, new: &NewSecret<'_>) -> Result<(), SecretsFault> {
        let mut tx = self.pools.begin().await?;
        if !rows::claim(&mut tx, new.sealing_key).await? {
            return Err(SecretsFault::Key(new.sealing_key.to_owned()));
        }
        if !rows::put(&mut tx, new).await? {
            return Err(SecretsFault::Overtaken);
        }
        tx.commit().await?;
        // The text before it is of no more use, but to somebody who finds it.
        Ok(self.pools.flush().await?)
    }

    /// Takes a secret's sealed text away; its name and the count of its versions stay.
    ///
    /// # Errors
    /// [`SecretsFault::Overtaken`] where this is not its version, and [`SecretsFault::Db`].
    pub async fn remove(
        &self,
        name: &str,
        version: u64,
        author: &str,
        now: Timestamp,
    ) -> Result<(), SecretsFault> {
        let mut tx = self.pools.begin().await?;
        if !rows::remove(&mut tx, name, version, author, now).await? {
            return Err(SecretsFault::Overtaken);
        }
        tx.commit().await?;
        // The text before it is of no more use, but to somebody who finds it.
        Ok(self.pools.flush().await?)
    }

    /// From now on `to` seals in the place of `from`.
    ///
    /// # Errors
    /// [`SecretsFault::Key`] where another key than `from` seals, and [`SecretsFault::Db`].
    pub async fn seal_under(&self, from: &str, to: &str) -> Result<(), SecretsFault> {
        let mut tx = self.pools.begin().await?;
        if !rows::seal_under(&mut tx, from, to).await? {
            return Err(SecretsFault::Key(from.to_owned()));
        }
        Ok(tx.commit().await?)
    }

    /// Some secrets and grants that are sealed under another key than this one, at most [`PAGE_MAX`].
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn not_under(&self, key: &str) -> Result<Vec<SealedRow>, DbFault> {
        wrapped::not_under(&self.pools, key).await
    }

    /// Puts texts that were wrapped anew in the place of those that they were made from, all or none.
    /// One that was changed meanwhile stays as it is. Gives how many were put.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn rewrap(&self, all: &[Rewrapped<'_>]) -> Result<u64, DbFault> {
        let mut tx = self.pools.begin().await?;
        let mut put = 0;
        for one in all {
            put += u64::from(wrapped::rewrap(&mut tx, one).await?);
        }
        tx.commit().await?;
        self.pools.flush().await?;
        Ok(put)
    }

    /// The keys that servers outside wrapped, the oldest first.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn wrapped_keys(&self) -> Result<Vec<WrappedKey>, DbFault> {
        keys::all(&self.pools).await
    }

    /// Puts a wrapped key there, durably, unless there is one of its number by now, or of its id. Gives
    /// whether it was put.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn add_wrapped_key(&self, key: &WrappedKey, now: Timestamp) -> Result<bool, DbFault> {
        let mut tx = self.pools.begin().await?;
        let put = keys::add(&mut tx, key, now).await?;
        tx.commit().await?;
        Ok(put)
    }

    /// Takes a wrapped key away. Gives whether it was there.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn forget_wrapped_key(&self, id: &str) -> Result<bool, DbFault> {
        let mut tx = self.pools.begin().await?;
        let gone = keys::forget(&mut tx, id).await?;
        tx.commit().await?;
        // What it wrapped is of no more use, but to somebody who finds it.
        self.pools.flush().await?;
        Ok(gone)
    }

    /// Says that a gateway runs, and which keys it has.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn announce(&self, node: &VaultNode, now: Timestamp) -> Result<(), DbFault> {
        let mut tx = self.pools.begin().await?;
        nodes::announce(&mut tx, node, now).await?;
        tx.commit().await
    }

    /// The gateways that said within [`LIVE_MS`] that they run.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn nodes(&self, now: Timestamp) -> Result<Vec<VaultNode>, DbFault> {
        nodes::live(&self.pools, now).await
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
