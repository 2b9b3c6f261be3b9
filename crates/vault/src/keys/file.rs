//! The key file: for its owner's eyes alone, and changed whole, by one process at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::KeyFault;

/// A longer file is none of ours, in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024;

/// Reads a key file.
pub(super) fn read(path: &Path) -> Result<Zeroizing<String>, KeyFault> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeyFault::Missing(path.to_owned()),
        _ => fault("read", path)(error),
    })?;
    let metadata = file.metadata().map_err(fault("read", path))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(KeyFault::Exposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::with_capacity(FILE_MAX_BYTES as usize + 1));
    file.take(FILE_MAX_BYTES).read_to_string(&mut text).map_err(fault("read", path))?;
    Ok(text)
}

/// Lets `change` give the file a new text, durably, while no other process does; `None` leaves it as it
/// is. After a crash the file holds the old text or the new one.
pub(super) fn change(
    path: &Path,
    change: impl FnOnce(Option<Zeroizing<String>>) -> Result<Option<Zeroizing<String>>, KeyFault>,
) -> Result<(), KeyFault> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    create(folder).map_err(fault("create the folder of", path))?;
    let guard = File::open(folder).map_err(fault("lock", path))?;
    guard.lock().map_err(fault("lock", path))?;
    let present = match read(path) {
        Ok(present) => Some(present),
        Err(KeyFault::Missing(_)) => None,
        Err(fault) => return Err(fault),
    };
    let Some(text) = change(present)? else { return Ok(()) };
    replace(path, text.as_bytes()).map_err(fault("write", path))?;
    guard.sync_all().map_err(fault("write", path))
}

/// Creates `folder` and what is missing above it, for the owner alone, durably.
fn create(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    create(parent)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(parent)?.sync_all(),
    }
}

/// A draft that a crash left behind is written over.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

fn fault(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyFault {
    move |source| KeyFault::Io { doing, path: path.to_owned(), source }
}
