//! Disk space that is held back, so that a full disk can still take the ends of what was begun, and a
//! last signed head.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A file whose blocks are taken and can be given back.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    held: bool,
}

impl Reserve {
    /// Holds back `bytes` in `folder`.
    ///
    /// # Errors
    /// What the disk says, full ones included.
    pub(super) fn take(folder: &Path, bytes: u64) -> io::Result<Self> {
        let mut reserve = Self { path: folder.join("reserve"), bytes, held: false };
        reserve.restore()?;
        Ok(reserve)
    }

    /// Holds the space back again where it was given.
    ///
    /// # Errors
    /// What the disk says.
    pub(super) fn restore(&mut self) -> io::Result<()> {
        if self.held {
            return Ok(());
        }
        let filled = fill(&self.path, self.bytes);
        self.held = filled.is_ok();
        if filled.is_err() {
            // What was taken so far is given back to whoever needs it more.
            let _ = fs::remove_file(&self.path);
        }
        filled
    }

    /// Gives the space back; how much, in bytes.
    pub(super) fn release(&mut self) -> u64 {
        let released = self.held && fs::remove_file(&self.path).is_ok();
        self.held = false;
        if released { self.bytes } else { 0 }
    }
}

/// Whether the disk of `folder` takes `bytes` more.
///
/// # Errors
/// What the disk says.
pub(super) fn has_room(folder: &Path, bytes: u64) -> io::Result<()> {
    let path = folder.join("room");
    let filled = fill(&path, bytes);
    let removed = fs::remove_file(&path);
    filled.and(removed)
}

fn fill(path: &Path, bytes: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(path)?;
    // Written, because a hole takes no space.
    io::copy(&mut io::Read::take(io::repeat(1), bytes), &mut &file)?;
    file.sync_all()
}
