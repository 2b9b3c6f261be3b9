//! Disks that a test owns: a file system in a file, which can be copied as a power cut would leave
//! it, and one in memory, which can be filled up. Everything is unmounted when it is dropped.
//!
//! **Who can run this.** Mounting takes root and loop devices. Where either is missing, as in most
//! containers of a CI service, [`may_mount`] says so loudly and the test does nothing; where both are
//! there, it must run, and whatever fails fails the test.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

/// Whether this machine can mount what the tests need; says so where it can't.
pub fn may_mount() -> bool {
    let root = rustix::process::geteuid().is_root();
    let may = root && Path::new("/dev/loop-control").exists();
    if !may {
        crate::say(
            "NOT TESTED: power cuts and broken disks. They need root and loop devices (/dev/loop-control).",
        );
    }
    may
}

/// A file with an ext4 file system of 64 MB in it.
pub struct Image {
    folder: TempDir,
}

/// Something that is mounted.
pub struct Mounted {
    at: PathBuf,
}

impl Image {
    /// An empty file system.
    ///
    /// # Errors
    /// Where it can't be made.
    pub fn new() -> anyhow::Result<Self> {
        let image = Self { folder: tempfile::Builder::new().prefix("lockgate-disk-").tempdir()? };
        std::fs::File::create(image.path())?.set_len(64 << 20)?;
        run(Command::new("/sbin/mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image.path()))?;
        Ok(image)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Mounts it. Nothing reaches the file by itself for ten minutes; what is synced does at once.
    ///
    /// # Errors
    /// Where it can't be mounted.
    pub fn mount(&self, at: &Path) -> anyhow::Result<Mounted> {
        std::fs::create_dir_all(at)?;
        run(Command::new("mount").args(["-o", "loop,commit=600"]).arg(self.path()).arg(at))?;
        Ok(Mounted { at: at.to_owned() })
    }

    /// What a power cut would leave at this moment. Whoever writes to it must be stopped.
    ///
    /// # Errors
    /// Where it can't be copied.
    pub fn cut(&self) -> anyhow::Result<Self> {
        let copy = Self { folder: tempfile::Builder::new().prefix("lockgate-cut-").tempdir()? };
        let sparse = ["--sparse=always", "--reflink=auto"];
        run(Command::new("cp").args(sparse).arg(self.path()).arg(copy.path()))?;
        Ok(copy)
    }
}

impl Mounted {
    /// A file system in memory, of this size.
    ///
    /// # Errors
    /// Where it can't be mounted.
    pub fn memory(at: &Path, bytes: u64) -> anyhow::Result<Self> {
        std::fs::create_dir_all(at)?;
        let size = format!("size={bytes}");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// Changes how it is mounted.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn remount(&self, how: &str) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.at))
    }

    /// Unmounts it; nobody may be using it.
    ///
    /// # Errors
    /// Where somebody does.
    pub fn unmount(self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let done = run(Command::new("umount").arg(&self.at));
            // A process that was killed may take a moment to be gone.
            if done.is_ok() || begun.elapsed() > Duration::from_secs(5) {
                let at = self.at.display().to_string();
                std::mem::forget(self);
                return done.with_context(|| format!("`{at}` stays mounted"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Also where somebody uses it still: a test that failed leaves nothing behind.
        let _ = run(Command::new("umount").arg("--lazy").arg(&self.at));
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("{command:?} can't be started"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    Ok(())
}
