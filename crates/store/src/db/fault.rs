//! Everything that can go wrong with the index, in words for the operator.

use std::{io, path::PathBuf};

use super::QueryFault;

/// Why the index could not be opened, filled or read. Names no URL and quotes no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexFault {
    /// The operating system refused.
    #[error("can't {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The database's URL has a form that is not understood. Not quoted: it may hold a password.
    #[error("the index's URL is not one of PostgreSQL: expected `postgres://USER@HOST/DATABASE`")]
    Url,
    /// The database refused, or is away.
    #[error("the index's database failed while it should {doing}: {source}")]
    Database {
        /// What was tried, as a verb.
        doing: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
    /// SQLite runs with a setting under which a power cut could damage the file.
    #[error("the index's file has `{setting}` = `{found}`, and needs `{needed}`")]
    Unsafe {
        /// The PRAGMA.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value that is asked for.
        needed: &'static str,
    },
    /// A later version of this program made the tables.
    #[error(
        "the index was made by a later version (its schema {version} is not known here); \
         use that version, or give an empty database and fill it with `lockgate journal reindex`"
    )]
    Newer {
        /// The schema's number.
        version: i64,
    },
    /// The tables are not what this program made.
    #[error("the index's tables can't be brought up to date: {0}")]
    Schema(String),
    /// A node beyond the 2,047th, or a record beyond the 2^40th.
    #[error("the index has no room for {what}; give this node a database of its own")]
    Full {
        /// What there are too many of.
        what: &'static str,
    },
    /// Somebody else cleared the index meanwhile.
    #[error("the index was cleared meanwhile, and holds the records up to {applied}")]
    Moved {
        /// The last record that it holds.
        applied: u64,
    },
    /// A row holds a value that this version does not know.
    #[error("the index holds an unknown {what}, `{found}`; run `lockgate journal reindex`")]
    Content {
        /// Which column.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// The text to look for can't be understood.
    #[error(transparent)]
    Query(#[from] QueryFault),
    /// The page's size or cursor is not one that was given out.
    #[error("{0}")]
    Page(&'static str),
}

impl IndexFault {
    /// For `map_err` on calls to the database.
    pub(super) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}
