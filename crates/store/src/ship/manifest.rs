//! What a shipped segment consists of. It is put last, and so makes the copies a segment.

use lockgate_model::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{ShipFault, local::first_seq};

/// The name of the manifest beside a segment's files.
pub(super) const NAME: &str = "manifest.json";

/// A manifest that is longer is none. In bytes.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// One shipped segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its first record.
    pub first_seq: u64,
    /// Its last record.
    pub last_seq: u64,
    /// Time of the first record.
    pub first_time: Timestamp,
    /// Time of the last record.
    pub last_time: Timestamp,
    /// Hash of the last record, which the next segment follows.
    pub last_hash: Digest,
    /// Its files.
    pub files: Vec<ManifestFile>,
}

/// One file of a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFile {
    /// Its name in the journal's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

impl Manifest {
    /// The size of the segment. In bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Whether it holds this record.
    pub const fn holds(&self, seq: u64) -> bool {
        self.first_seq <= seq && seq <= self.last_seq
    }

    /// Reads one, and checks what is used as a path: it comes from outside.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Self, ShipFault> {
        let fault = |why: String| ShipFault::Malformed { name: name.to_owned(), why };
        let manifest: Self =
            serde_json::from_slice(bytes).map_err(|error| fault(error.to_string()))?;
        let named = |file: &ManifestFile| first_seq(&file.name) == Some(manifest.first_seq);
        if manifest.files.is_empty() || !manifest.files.iter().all(named) {
            return Err(fault("a file does not belong to the segment".to_owned()));
        }
        if manifest.first_seq > manifest.last_seq {
            return Err(fault("it ends before it begins".to_owned()));
        }
        Ok(manifest)
    }

    /// On one line.
    pub(super) fn line(&self) -> Result<Vec<u8>, ShipFault> {
        let fault = |error: serde_json::Error| ShipFault::Malformed {
            name: format!("{:020}", self.first_seq),
            why: error.to_string(),
        };
        let mut line = serde_json::to_vec(self).map_err(fault)?;
        line.push(b'\n');
        Ok(line)
    }
}
