//! Closed segments on their way to object storage, and back.
//!
//! A segment is shipped once each of its files was copied, read back and found equal, and its
//! manifest was put beside them: copies without a manifest are no segment. What was shipped is noted
//! durably, and only then may the policy remove it here. A segment that is gone from here is brought
//! back into a bounded cache, checked file by file. Nothing here opens a segment: what was sealed
//! stays sealed.

mod cache;
mod copy;
mod local;
mod manifest;
mod note;
mod settings;
mod shipper;
mod target;

use std::{io, path::PathBuf};

pub use local::{LocalSegment, local_segments};
pub use manifest::{Manifest, ManifestFile};
pub use settings::{S3Keys, S3Settings, ShipSettings, ShipTarget};
pub use shipper::{ShipState, Shipper};

use crate::journal::JournalFault;

/// Why a segment could not be shipped or brought back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShipFault {
    /// The recording can't be read.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// A setting can't be used.
    #[error("shipping: {0}")]
    Setting(String),
    /// The operating system refused.
    #[error("can't {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The object store refused, or can't be reached.
    #[error("can't {doing} the object `{object}`: {source}")]
    Store {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which object.
        object: String,
        /// What it said.
        source: object_store::Error,
    },
    /// An object is not what its manifest says.
    #[error("the object `{object}` is not what was shipped: {why}")]
    Differs {
        /// Which.
        object: String,
        /// What is different.
        why: &'static str,
    },
    /// A manifest or note can't be read.
    #[error("`{name}` is no list of what was shipped: {why}")]
    Malformed {
        /// Object or file.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// No segment with this record was shipped.
    #[error("record {0} is in no segment that was shipped")]
    Unknown(u64),
    /// The segment is larger than the cache may be.
    #[error(
        "the segment has {bytes} bytes, the cache at most {bytes_max}: raise `cache_max_bytes`"
    )]
    TooLarge {
        /// The segment's size.
        bytes: u64,
        /// The cache's bound.
        bytes_max: u64,
    },
}

impl ShipFault {
    fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    fn store(
        doing: &'static str,
        object: &object_store::path::Path,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let object = object.to_string();
        move |source| Self::Store { doing, object, source }
    }
}
