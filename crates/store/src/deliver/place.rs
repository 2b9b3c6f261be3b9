//! How far a sink has come, in one small file that is replaced whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::DeliverFault;
use crate::folder;

/// Where a sink stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Everything that these records give was accepted, up to and with this one.
    pub(super) sent_seq: u64,
    /// Reading begins here: no later than the first call that had not ended.
    pub(super) read_from_seq: u64,
}

/// The file in which a place is kept.
#[derive(Clone, Debug)]
pub(super) struct PlaceFile {
    path: PathBuf,
}

impl PlaceFile {
    /// The file of the sink `name` in `folder`, which is created where it is missing.
    pub(super) fn new(folder: &Path, name: &str) -> Result<Self, DeliverFault> {
        folder::create(folder).map_err(DeliverFault::io("create", folder))?;
        Ok(Self { path: folder.join(format!("{name}.json")) })
    }

    /// The place; the beginning where none was kept yet. A file that can't be read is never taken
    /// for the beginning.
    pub(super) fn load(&self) -> Result<Place, DeliverFault> {
        match fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| DeliverFault::Place {
                path: self.path.clone(),
                why: error.to_string(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::default()),
            Err(source) => Err(DeliverFault::io("read", &self.path)(source)),
        }
    }

    /// Replaces it: after a crash the file holds the old place or the new one.
    pub(super) fn save(&self, place: Place) -> Result<(), DeliverFault> {
        let mut bytes = serde_json::to_vec(&place).map_err(|error| DeliverFault::Place {
            path: self.path.clone(),
            why: error.to_string(),
        })?;
        bytes.push(b'\n');
        folder::replace(&self.path, &bytes).map_err(DeliverFault::io("replace", &self.path))
    }
}
