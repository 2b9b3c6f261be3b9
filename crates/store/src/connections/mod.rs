//! Registered connections, kept: the settings of each as JSON, every version with its author.
//!
//! Every change names the version that it was made from, so that of two at once one wins and the other
//! is told; several together are made all or none. Nobody here reads the settings: whoever writes them
//! has checked that secrets stand in them by reference alone, and whoever serves them checks it again.

mod fault;
mod rows;

use lockgate_model::{ConnectionName, Timestamp};

pub use fault::ConnectionsFault;
pub use rows::{ConnectionChange, ConnectionRow};

use crate::db::{self, DbFault, DbPlace, Migration, Schema, conn::Pools};

const SCHEMA: Schema = Schema {
    what: "connections",
    table: "_connections_migrations",
    migrations: &[Migration {
        number: 1,
        description: "connections",
        sqlite: include_str!("../../migrations/connections/sqlite/0001_connections.sql"),
        postgres: include_str!("../../migrations/connections/postgres/0001_connections.sql"),
    }],
};

/// Most that can be registered at a time.
pub const CONNECTIONS_MAX: usize = 1_000;
/// Longest settings of one, in bytes of JSON.
pub const SETTINGS_MAX_BYTES: usize = 64 * 1024;
/// Most versions of one that are told at once.
pub const HISTORY_MAX: u32 = 100;

/// Where registered connections are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Connections {
    pools: Pools,
}

/// Everything that is registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// How often it was changed.
    pub changes: u64,
    /// The newest version of each name, in the order of the names; also of those that were removed.
    pub rows: Vec<ConnectionRow>,
}

impl Connections {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn open(place: &DbPlace) -> Result<Self, DbFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await? })
    }

    /// How often anything was changed: whoever has read everything at one count need not read again
    /// before it differs.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn changes(&self) -> Result<u64, DbFault> {
        rows::changes(&self.pools).await
    }

    /// Everything. A change that comes meanwhile may be in it already, and is then still counted later.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn all(&self) -> Result<Register, DbFault> {
        let changes = rows::changes(&self.pools).await?;
        Ok(Register { changes, rows: rows::all(&self.pools).await? })
    }

    /// The versions of one, the newest first, at most [`HISTORY_MAX`].
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn history(&self, name: &ConnectionName) -> Result<Vec<ConnectionRow>, DbFault> {
        rows::history(&self.pools, name).await
    }

    /// The newest version of each that was made from documents, in the order of the names.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn applied(&self) -> Result<Vec<ConnectionRow>, DbFault> {
        rows::applied(&self.pools).await
    }

    /// Makes changes, all or none. `applied` says that they come from documents.
    ///
    /// # Errors
    /// [`ConnectionsFault`]
    pub async fn change(
        &self,
        changes: &[ConnectionChange],
        author: &str,
        applied: bool,
        now: Timestamp,
    ) -> Result<(), ConnectionsFault> {
        let mut tx = self.pools.begin().await?;
        // First of all: whoever comes at the same time waits here for the end of this one.
        rows::count(&mut tx).await?;
        for change in changes {
            let too_long = |settings: &String| settings.len() > SETTINGS_MAX_BYTES;
            if change.settings.as_ref().is_some_and(too_long) {
                return Err(ConnectionsFault::TooLarge(change.name.clone()));
            }
            if rows::version(&mut tx, &change.name).await? != change.before {
                return Err(ConnectionsFault::Overtaken(change.name.clone()));
            }
            rows::add(&mut tx, change, author, applied, now).await?;
        }
        if rows::live(&mut tx).await? > CONNECTIONS_MAX as u64 {
            return Err(ConnectionsFault::Full);
        }
        Ok(tx.commit().await?)
    }

    /// Ends all connections to the database.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
