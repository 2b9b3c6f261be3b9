//! The data folder as one stream of bytes, and back: what `lockgate backup` seals, and what is restored.
//!
//! **What is in it** is the folder at one moment, though a gateway goes on: the index as it was a little
//! before the journal, the journal ([`crate::journal`]), and what stands beside it as it was a little after.
//! So nothing in the index lies beyond the journal, and what the journal says was used is used.
//!
//! **Format.** A tar archive of plain files; the first is [`About`] as JSON. Whoever wrote one is trusted:
//! it comes out of a sealed stream. Still no name leads out of the folder, and nothing is written over.
//!
//! Sees no key and no passphrase, reads no content, and decides nothing.

mod fault;
mod restore;
mod room;
mod take;

use lockgate_model::Timestamp;
use serde::{Deserialize, Serialize};

pub use fault::BackupFault;
pub use restore::Draft;
pub use take::{Taken, What};

/// The name of the first file.
const ABOUT: &str = "backup.json";
/// The version of what this module writes and reads.
const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The version of its format.
    format: u32,
    /// When it was taken.
    pub taken: Timestamp,
    /// Whether approvals, connections, sealed secrets and the index are kept elsewhere, in PostgreSQL.
    pub database_apart: bool,
    /// Whether the key file of the vault is in it.
    pub vault_key: bool,
    /// How many files are in it, apart from this one.
    pub files: u64,
}

impl About {
    /// Of one that is taken now, whose files are still to be counted.
    pub const fn new(taken: Timestamp, database_apart: bool, vault_key: bool) -> Self {
        Self { format: FORMAT, taken, database_apart, vault_key, files: 0 }
    }
}
