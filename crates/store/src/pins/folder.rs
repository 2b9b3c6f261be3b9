//! Pin files: read whole, replaced whole.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use lockgate_model::ConnectionName;

use super::{PinFault, Pins};
use crate::folder;

/// The folder of all pin files, `<data>/pins`.
#[derive(Clone, Debug)]
pub struct PinFolder {
    path: PathBuf,
}

impl PinFolder {
    /// Opens the folder, and creates it where it is missing.
    ///
    /// # Errors
    /// [`PinFault::Io`].
    pub fn open(path: &Path) -> Result<Self, PinFault> {
        folder::create(path).map_err(fault("create", path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The file of one connection.
    pub fn file(&self, connection: &ConnectionName) -> PathBuf {
        self.path.join(format!("{connection}.json"))
    }

    /// What is accepted of `connection`; `None` where nothing ever was.
    ///
    /// # Errors
    /// [`PinFault`]. A file that can't be read is never taken for an empty one.
    pub fn load(&self, connection: &ConnectionName) -> Result<Option<Pins>, PinFault> {
        let path = self.file(connection);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|source| PinFault::Malformed { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(PinFault::Io { doing: "read", path, source }),
        }
    }

    /// Replaces what is accepted of `connection`: after a crash the file holds the old pins or the
    /// new ones.
    ///
    /// # Errors
    /// [`PinFault`]; the old pins then still stand.
    pub fn save(&self, connection: &ConnectionName, pins: &Pins) -> Result<(), PinFault> {
        let path = self.file(connection);
        let malformed = |source| PinFault::Malformed { path: path.clone(), source };
        let mut bytes = serde_json::to_vec_pretty(pins).map_err(malformed)?;
        bytes.push(b'\n');
        let fresh = self.path.join(format!("{connection}.json.new"));
        write_synced(&fresh, &bytes).map_err(fault("write", &fresh))?;
        fs::rename(&fresh, &path).map_err(fault("replace", &path))?;
        folder::sync(&self.path).map_err(fault("sync", &self.path))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn fault(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PinFault {
    move |source| PinFault::Io { doing, path: path.to_owned(), source }
}
