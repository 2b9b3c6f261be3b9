//! Everything that can go wrong with a backup, in words for the operator.

use std::{io, path::PathBuf};

use crate::{db::DbFault, journal::JournalFault};

/// Why a backup was not taken or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupFault {
    /// Another one is on the way.
    #[error("another backup is being taken: it works in `{}`", .0.display())]
    Busy(PathBuf),
    /// There is something where it should be restored.
    #[error("`{}` is not an empty folder; nothing is written over, so restore to another one", .0.display())]
    NotEmpty(PathBuf),
    /// A restore is on the way, or was cut off.
    #[error("`{}` is left of a restore that was cut off, or goes on; remove it if none goes on", .0.display())]
    Unfinished(PathBuf),
    /// A file became shorter while it was read.
    #[error("`{}` was cut while it was read", .0.display())]
    Shrunk(PathBuf),
    /// What was opened is not what this program writes.
    #[error("it opens, and does not hold a data folder: {0}")]
    Content(String),
    /// A format of another version of this program.
    #[error("what is in it has format {0}, which is not known here")]
    Format(u32),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// A database of the folder.
    #[error("`{}`: {fault}", path.display())]
    Db {
        /// Its file.
        path: PathBuf,
        /// What happened.
        fault: DbFault,
    },
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
    /// The stream can't be read or written.
    #[error("{0}")]
    Stream(io::Error),
}

impl BackupFault {
    /// For `map_err` on calls to the operating system.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
