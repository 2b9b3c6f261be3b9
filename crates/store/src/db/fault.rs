//! Everything that can go wrong with a database, in words for the operator.

use std::{io, path::PathBuf};

/// Why a database could not be opened, written or read. Names no URL and quotes no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DbFault {
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
    #[error(
        "the database's URL is not one of PostgreSQL: expected `postgres://USER@HOST/DATABASE`"
    )]
    Url,
    /// The database refused, or is away.
    #[error("the database failed while it should {doing}: {source}")]
    Database {
        /// What was tried, as a verb.
        doing: &'static str,
        /// What it said.
        source: sqlx::Error,
    },
    /// SQLite runs with a setting under which a power cut could damage the file.
    #[error("the database's file has `{setting}` = `{found}`, and needs `{needed}`")]
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
        "a later version made the tables of the {what} (their schema {version} is not known here)"
    )]
    Newer {
        /// Which tables.
        what: &'static str,
        /// The schema's number.
        version: i64,
    },
    /// The tables are not what this program made.
    #[error("the tables of the {what} can't be brought up to date: {why}")]
    Schema {
        /// Which tables.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl DbFault {
    /// For `map_err` on calls to the database.
    pub(crate) fn database(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}
