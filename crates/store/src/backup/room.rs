//! A folder to work in, beside what it is made from and as private; gone at the end.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use super::BackupFault;
use crate::folder;

/// The name of such a folder.
pub(super) const ROOM: &str = "backup";

/// A folder of this process alone.
pub(super) struct Room {
    pub(super) folder: PathBuf,
    _lock: File,
}

impl Room {
    /// Makes it in `parent`, without what a killed process left there.
    pub(super) fn make(parent: &Path) -> Result<Self, BackupFault> {
        let path = parent.join(ROOM);
        folder::create(&path).map_err(BackupFault::io("create", &path))?;
        let lock = File::open(&path).map_err(BackupFault::io("open", &path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => BackupFault::Busy(path.clone()),
            TryLockError::Error(error) => BackupFault::io("lock", &path)(error),
        })?;
        let clear = || {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        clear().map_err(BackupFault::io("clear", &path))?;
        Ok(Self { folder: path, _lock: lock })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What stays is cleared by the next one.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
