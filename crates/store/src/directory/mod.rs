//! People and groups as identity providers tell of them (SCIM 2.0), kept with every one that is gone, and
//! read in the order of their changes, so that a gateway reads on from where it stands.
//!
//! Nothing here decides who may do what: that is [`lockgate_model::Directory`]. A resource is kept as the
//! JSON that its reader made of it; what it means is not known here.

mod fault;
mod read;
mod write;

use lockgate_model::{DirectoryNews, Timestamp};
use tokio::sync::watch;

pub use fault::DirectoryFault;

use crate::db::{self, DbFault, DbPlace, Ear, Migration, Schema, conn::Pools};

const SCHEMA: Schema = Schema {
    what: "directory",
    table: "_directory_migrations",
    migrations: &[Migration {
        number: 1,
        description: "directory",
        sqlite: include_str!("../../migrations/directory/sqlite/0001_directory.sql"),
        postgres: include_str!("../../migrations/directory/postgres/0001_directory.sql"),
    }],
};

/// What a change rings on PostgreSQL.
const BELL: &str = "lockgate_directory";
/// Most people, and most groups, of one issuer.
pub const ENTRIES_MAX: u64 = 100_000;
/// Most members of one group.
pub const MEMBERS_MAX: usize = 50_000;
/// Most changes that are read at once.
const NEWS_MAX: u32 = 1_000;

/// Where people and groups are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Directory {
    pools: Pools,
    /// Changes that this process makes.
    made: watch::Sender<()>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person.
    User,
    /// A group.
    Group,
}

/// A person or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 32 hexadecimal digits.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// Who tells of it: the short name in the configuration.
    pub issuer: String,
    /// As tokens name it, byte for byte; no two of an issuer have the same.
    pub name: String,
    /// `userName` or `displayName` in lower case. No two people of an issuer have the same.
    pub label: String,
    /// The provider's own id.
    pub external_id: Option<String>,
    /// The revocation that keeps a person out.
    pub revocation: Option<String>,
    /// Everything else, as JSON.
    pub resource: String,
    /// Counted from 1.
    pub version: u64,
    /// When it was made.
    pub made: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
}

/// How the members of a group change: ids of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// They come to it.
    pub joined: Vec<String>,
    /// They leave it.
    pub left: Vec<String>,
}

/// By what entries are found, where it is not all of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The id.
    Id(String),
    /// As tokens name it.
    Name(String),
    /// `userName` or `displayName`, in any case.
    Label(String),
    /// The provider's own id.
    ExternalId(String),
    /// A group in which somebody is; the person's id.
    Member(String),
}

/// Some of what changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Up to which change it goes: where to read on.
    pub change: u64,
    /// In the order of their changes.
    pub changed: Vec<DirectoryNews>,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

impl Directory {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn open(place: &DbPlace) -> Result<Self, DbFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await?, made: watch::Sender::new(()) })
    }

    /// Puts an entry in the version that it names: the first, or the one after `entry.version - 1`. The
    /// moves are those of a group's members. All or nothing.
    ///
    /// # Errors
    /// [`DirectoryFault`]
    pub async fn put(&self, entry: &Entry, moves: &Moves) -> Result<(), DirectoryFault> {
        let mut tx = self.pools.begin().await?;
        write::put(&mut tx, entry, moves).await?;
        tx.ring(BELL).await?;
        tx.commit().await?;
        self.made.send_replace(());
        Ok(())
    }

    /// Takes an entry away with its memberships; what is kept of it is who it was, and the revocation
    /// that keeps a person out. Its version is the one after.
    ///
    /// # Errors
    /// [`DirectoryFault::Stale`] and [`DirectoryFault::Db`].
    pub async fn remove(&self, entry: &Entry) -> Result<(), DirectoryFault> {
        let mut tx = self.pools.begin().await?;
        write::remove(&mut tx, entry).await?;
        tx.ring(BELL).await?;
        tx.commit().await?;
        self.made.send_replace(());
        Ok(())
    }

    /// Forgets the revocation of everybody who is gone and had this name: it is lifted.
    ///
    /// # Errors
    /// [`DirectoryFault::Db`]
    pub async fn forget(&self, issuer: &str, name: &str) -> Result<(), DirectoryFault> {
        let mut tx = self.pools.begin().await?;
        write::forget(&mut tx, issuer, name).await?;
        Ok(tx.commit().await?)
    }

    /// One entry that is there.
    ///
    /// # Errors
    /// [`DirectoryFault::Content`] and [`DirectoryFault::Db`].
    pub async fn get(
        &self,
        issuer: &str,
        kind: Kind,
        id: &str,
    ) -> Result<Option<Entry>, DirectoryFault> {
        let mut found = self.find(issuer, kind, Some(&By::Id(id.to_owned())), 0, 1).await?;
        Ok(found.pop())
    }

    /// Entries that are there, the oldest first, `skip` of them left out and at most `most` given.
    ///
    /// # Errors
    /// [`DirectoryFault::Content`] and [`DirectoryFault::Db`].
    pub async fn find(
        &self,
        issuer: &str,
        kind: Kind,
        by: Option<&By>,
        skip: u64,
        most: u64,
    ) -> Result<Vec<Entry>, DirectoryFault> {
        read::find(&self.pools, issuer, kind, by, skip, most).await
    }

    /// How many there are.
    ///
    /// # Errors
    /// [`DirectoryFault::Db`]
    pub async fn count(&self, issuer: &str, kind: Kind) -> Result<u64, DirectoryFault> {
        read::count(&self.pools, issuer, kind).await
    }

    /// The ids of a group's members, in order.
    ///
    /// # Errors
    /// [`DirectoryFault::Db`]
    pub async fn members(&self, group: &str) -> Result<Vec<String>, DirectoryFault> {
        read::members(&self.pools, group).await
    }

    /// The revocations that keep people out who are gone and had this name.
    ///
    /// # Errors
    /// [`DirectoryFault::Db`]
    pub async fn left_out(&self, issuer: &str, name: &str) -> Result<Vec<String>, DirectoryFault> {
        read::left_out(&self.pools, issuer, name).await
    }

    /// What changed after this number, the oldest change first, at most 1,000.
    ///
    /// # Errors
    /// [`DirectoryFault::Content`] and [`DirectoryFault::Db`].
    pub async fn since(&self, change: u64) -> Result<News, DirectoryFault> {
        read::since(&self.pools, change).await
    }

    /// Hears of changes from now on.
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
