//! Sessions that are kept whatever retention says: a small file that is replaced whole.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::JournalFault;
use crate::folder;

/// Its name below the journal's folder.
pub(super) const FILE: &str = "holds.json";

/// The holds of one journal.
#[derive(Debug)]
pub(super) struct Holds {
    folder: PathBuf,
    sessions: Mutex<BTreeSet<String>>,
}

impl Holds {
    pub(super) fn open(folder: &Path) -> Result<Self, JournalFault> {
        let sessions = Mutex::new(load(folder)?);
        Ok(Self { folder: folder.to_owned(), sessions })
    }

    pub(super) fn contains(&self, session: &str) -> bool {
        self.lock().contains(session)
    }

    pub(super) fn list(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    pub(super) fn add(&self, session: &str) -> Result<(), JournalFault> {
        let mut sessions = self.lock();
        sessions.insert(session.to_owned());
        self.save(&sessions)
    }

    pub(super) fn remove(&self, session: &str) -> Result<(), JournalFault> {
        let mut sessions = self.lock();
        sessions.remove(session);
        self.save(&sessions)
    }

    fn save(&self, sessions: &BTreeSet<String>) -> Result<(), JournalFault> {
        let (path, next) = (path(&self.folder), self.folder.join("holds.next"));
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let write = || {
            let mut file = options.open(&next)?;
            file.write_all(&serde_json::to_vec(sessions)?)?;
            file.sync_all()?;
            fs::rename(&next, &path)?;
            folder::sync(&self.folder)
        };
        write().map_err(JournalFault::io("write", &path))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn load(folder: &Path) -> Result<BTreeSet<String>, JournalFault> {
    let path = path(folder);
    match fs::read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(JournalFault::io("read", path)(error)),
    }
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
