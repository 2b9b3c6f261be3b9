//! One key a session, in one file of slots beside the segments. Destroying a session's key erases
//! what it sealed, wherever copies of the segments are.
//!
//! The file is never shipped. A slot is written once, and once more when it is erased.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    JournalFault, Keys,
    seal::{Key, WRAPPED_BYTES},
};

/// Its name below the journal's folder.
pub(super) const FILE: &str = "session.keys";

/// Bytes of a slot.
pub(super) const SLOT_BYTES: usize = 128;
/// Longest id of a session, in bytes.
const ID_MAX_BYTES: usize = 64;
/// Where the wrapped key stands in its slot: behind the state, the id's length and the id.
const WRAPPED_AT: usize = 2 + ID_MAX_BYTES;
/// The key is there.
const LIVE: u8 = 1;
/// The key was destroyed.
pub(super) const ERASED: u8 = 2;

/// A session's key with its slot. Slot 0 belongs to no session.
pub(super) struct SessionKey {
    pub(super) slot: u64,
    pub(super) key: Key,
}

/// The file of slots.
pub(super) struct SessionKeys {
    path: PathBuf,
    file: Arc<File>,
    keys: Keys,
    /// The next free slot.
    next: u64,
}

impl SessionKeys {
    /// Opens the file of `folder` for reading and, where `writes`, for new keys.
    pub(super) fn open(folder: &Path, keys: &Keys, writes: bool) -> Result<Self, JournalFault> {
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(writes)
            .create(writes)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(JournalFault::io("open", &path))?;
        let bytes = file.metadata().map_err(JournalFault::io("read", &path))?.len();
        // A slot that was torn belongs to no record: its key is synced before anything it seals.
        let next = bytes.div_ceil(SLOT_BYTES as u64).max(1);
        Ok(Self { path, file: Arc::new(file), keys: keys.clone(), next })
    }

    /// The file, to be synced before what its newest keys sealed.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Makes a key for `session`, written but not synced.
    pub(super) fn create(&mut self, session: &str) -> io::Result<SessionKey> {
        let too_long =
            || io::Error::new(io::ErrorKind::InvalidInput, "the session's id is too long");
        let length = u8::try_from(session.len()).map_err(|_| too_long())?;
        if session.len() > ID_MAX_BYTES {
            return Err(too_long());
        }
        let failed = |_| io::Error::other("a session's key can't be made");
        let (slot, key) = (self.next, Key::random().map_err(failed)?);
        let wrapped = self.keys.wrapping().wrap(&key, &about(slot, session)).map_err(failed)?;
        let mut bytes = vec![LIVE, length];
        bytes.extend_from_slice(session.as_bytes());
        bytes.resize(WRAPPED_AT, 0);
        bytes.extend_from_slice(&wrapped);
        bytes.resize(SLOT_BYTES, 0);
        self.file.write_all_at(&bytes, slot * SLOT_BYTES as u64)?;
        self.next += 1;
        Ok(SessionKey { slot, key })
    }

    /// The key in `slot`; `None` where it was erased.
    ///
    /// # Errors
    /// [`JournalFault::Key`] where the slot holds no key of this recording.
    pub(super) fn get(&self, slot: u64) -> Result<Option<Key>, JournalFault> {
        let fault = |detail| JournalFault::Key { path: self.path.clone(), detail };
        let mut bytes = [0; SLOT_BYTES];
        self.file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64).map_err(
            |error| match error.kind() {
                io::ErrorKind::UnexpectedEof => fault("it lacks the key of a session"),
                _ => JournalFault::io("read", &self.path)(error),
            },
        )?;
        match bytes.first() {
            Some(&ERASED) => Ok(None),
            Some(&LIVE) => {
                let session = id(&bytes).ok_or_else(|| fault("a slot is damaged"))?;
                let wrapped = bytes.get(WRAPPED_AT..WRAPPED_AT + WRAPPED_BYTES).unwrap_or_default();
                let key = self.keys.wrapping().unwrap(wrapped, &about(slot, session));
                key.map(Some).map_err(|_| fault("a slot is damaged, or is another recording's"))
            }
            _ => Err(fault("a slot is damaged")),
        }
    }

    /// The session whose key stands, or stood, in `slot`.
    pub(super) fn session(&self, slot: u64) -> Option<String> {
        let mut bytes = [0; SLOT_BYTES];
        self.file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64).ok()?;
        id(&bytes).map(str::to_owned)
    }

    /// Destroys every key of `session`, durably; gives how many there were.
    pub(super) fn erase(&self, session: &str) -> io::Result<u64> {
        let mut erased = 0;
        let mut bytes = [0; SLOT_BYTES];
        for slot in 1..self.next {
            self.file.read_exact_at(&mut bytes, slot * SLOT_BYTES as u64)?;
            if id(&bytes) == Some(session) && bytes.first() == Some(&LIVE) {
                let mut gone = [0; SLOT_BYTES];
                gone.copy_from_slice(&bytes);
                let (head, wrapped) = gone.split_at_mut(WRAPPED_AT);
                wrapped.fill(0);
                head.iter_mut().take(1).for_each(|state| *state = ERASED);
                self.file.write_all_at(&gone, slot * SLOT_BYTES as u64)?;
                erased += 1;
            }
        }
        self.file.sync_data()?;
        Ok(erased)
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKeys({})", self.path.display())
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionKey({})", self.slot)
    }
}

fn id(slot: &[u8; SLOT_BYTES]) -> Option<&str> {
    let length = usize::from(*slot.get(1)?).min(ID_MAX_BYTES);
    str::from_utf8(slot.get(2..2 + length)?).ok()
}

/// What a wrapped key is bound to: the same bytes in another slot or for another session are none.
fn about(slot: u64, session: &str) -> Vec<u8> {
    let mut about = b"lockgate session".to_vec();
    about.extend_from_slice(&slot.to_be_bytes());
    about.extend_from_slice(session.as_bytes());
    about
}
