//! Everything that can go wrong with a journal, in words for the operator.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why a journal could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalFault {
    /// Another process holds the folder.
    #[error("the journal in `{}` is in use by another process", folder.display())]
    Locked {
        /// The journal's folder.
        folder: PathBuf,
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
    /// A record is not what was written. Never repaired silently.
    #[error("the journal is broken in `{}` before byte {offset}, record {seq}: {detail}", file.display())]
    Broken {
        /// The segment.
        file: PathBuf,
        /// End of the block in which it was found, in bytes.
        offset: u64,
        /// Sequence number that should stand there.
        seq: u64,
        /// What was found.
        detail: &'static str,
    },
    /// A key is missing, is not the one that is needed, or is not kept as a key must be.
    #[error("the key in `{}` can't be used: {detail}", path.display())]
    Key {
        /// Its file, or the file that it does not fit.
        path: PathBuf,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The journal can't be written at the moment; it recovers by itself.
    #[error("the journal can't be written: {0}")]
    Unavailable(Arc<str>),
    /// It may not be done now.
    #[error("{0}")]
    Refused(&'static str),
    /// The event is larger than a record may be.
    #[error("the event has {bytes} bytes; a record holds at most {bytes_max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The event is not what this version writes.
    #[error("the event can't be read or written as JSON: {0}")]
    Event(#[from] serde_json::Error),
}

impl JournalFault {
    /// At record `seq` in `file`.
    pub(super) fn broken(file: &Path, offset: u64, seq: u64, detail: &'static str) -> Self {
        Self::Broken { file: file.to_owned(), offset, seq, detail }
    }

    /// For `map_err` on calls to the operating system.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
