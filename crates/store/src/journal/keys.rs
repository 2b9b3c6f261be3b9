//! The two keys of a recording, each in a file of its own that only its owner reads: one under
//! which every other key is wrapped, and one that signs tree heads.
//!
//! They are made on first start. A key that is missing beside a recording is never made anew: that
//! would hide that nothing of it can be read any more.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::Ed25519KeyPair,
};
use zeroize::Zeroizing;

use super::{JournalFault, seal::Key};
use crate::folder;

const WRAPPING: &str = "recording.key";
const SIGNING: &str = "signing.key";

/// The keys of a recording. Cheap to clone; no Debug of what is in them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    wrapping: Key,
    wrapping_id: String,
    signing: Ed25519KeyPair,
    masking: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Reads the keys in `folder`.
    ///
    /// # Errors
    /// [`JournalFault::Key`] where one is missing, malformed, or can be read by others.
    pub fn open(folder: &Path) -> Result<Self, JournalFault> {
        let wrapping = read(&folder.join(WRAPPING))?;
        let signing = read(&folder.join(SIGNING))?;
        Self::new(&wrapping, &signing, folder)
    }

    /// Reads the keys in `folder`, or makes them where neither they nor a recording in `journal`
    /// exist.
    ///
    /// # Errors
    /// As [`Keys::open`], and [`JournalFault::Io`].
    pub fn open_or_create(folder: &Path, journal: &Path) -> Result<Self, JournalFault> {
        let paths = [folder.join(WRAPPING), folder.join(SIGNING)];
        let is_new = paths.iter().all(|path| !path.exists())
            && super::segment::list(journal).is_ok_and(|segments| segments.is_empty());
        if is_new || (!journal.exists() && paths.iter().all(|path| !path.exists())) {
            folder::create(folder).map_err(JournalFault::io("create", folder))?;
            for path in &paths {
                create(path).map_err(JournalFault::io("create", path))?;
            }
            folder::sync(folder).map_err(JournalFault::io("sync", folder))?;
        }
        Self::open(folder)
    }

    fn new(wrapping: &[u8; 32], signing: &[u8; 32], folder: &Path) -> Result<Self, JournalFault> {
        let mut about = b"lockgate recording key".to_vec();
        about.extend_from_slice(wrapping);
        let id = digest(&SHA256, &Zeroizing::new(about));
        let wrapping_id = id.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let signing = Ed25519KeyPair::from_seed_unchecked(signing)
            .map_err(|_| fault(&folder.join(SIGNING), "it is no Ed25519 seed"))?;
        let mut about = b"lockgate masking key".to_vec();
        about.extend_from_slice(wrapping);
        let derived = digest(&SHA256, &Zeroizing::new(about));
        let mut masking = Zeroizing::new([0; 32]);
        masking.iter_mut().zip(derived.as_ref()).for_each(|(to, from)| *to = *from);
        let wrapping = Key::from_bytes(*wrapping);
        Ok(Self(Arc::new(Inner { wrapping, wrapping_id, signing, masking })))
    }

    /// What hashes and tokens in masked answers are made with: derived, so that it stays the same
    /// and tells nothing of the recording's key.
    pub fn masking(&self) -> [u8; 32] {
        *self.0.masking
    }

    /// The key under which keys are wrapped.
    pub(super) fn wrapping(&self) -> &Key {
        &self.0.wrapping
    }

    /// Its name in files, from which it can't be told.
    pub(super) fn wrapping_id(&self) -> &str {
        &self.0.wrapping_id
    }

    /// The key that signs tree heads.
    pub(super) fn signing(&self) -> &Ed25519KeyPair {
        &self.0.signing
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.0.wrapping_id)
    }
}

fn create(path: &Path) -> io::Result<()> {
    let key = Key::random().map_err(|_| io::Error::other("the system gives no randomness"))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.as_bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read(path: &Path) -> Result<Zeroizing<[u8; 32]>, JournalFault> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fault(path, "it is missing; restore it from your backup"),
        _ => JournalFault::io("read", path)(error),
    })?;
    if metadata.mode() & 0o077 != 0 {
        return Err(fault(path, "others can read it; `chmod 600` it, and think of who could"));
    }
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(JournalFault::io("read", path))?;
    let bytes = lockgate_model::Digest::from_hex(text.trim_end());
    let bytes = bytes.ok_or_else(|| fault(path, "it is not 64 lower-case hexadecimal digits"))?;
    Ok(Zeroizing::new(*bytes.as_bytes()))
}

fn fault(path: &Path, detail: &'static str) -> JournalFault {
    JournalFault::Key { path: PathBuf::from(path), detail }
}
