//! Restoring: a stream becomes a folder beside the place where it shall be, and gets its name once
//! somebody says that all is well.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Component, Path, PathBuf},
};

use tar::{Archive, Entry};

use super::{ABOUT, About, BackupFault, FORMAT};
use crate::folder;

/// Longest [`About`], in bytes.
const ABOUT_MAX_BYTES: u64 = 64 * 1024;

/// A restored folder that does not have its name yet; without [`Draft::name_it`] it goes again.
pub struct Draft {
    /// What the backup says of itself.
    pub about: About,
    room: Unnamed,
}

/// A folder in the making.
struct Unnamed {
    /// Where it is.
    draft: PathBuf,
    /// Where it shall be.
    folder: PathBuf,
}

impl Draft {
    /// Reads a backup into a folder beside `folder`, which must not be there, or be empty. What stands in
    /// the stream behind the files is not read.
    ///
    /// # Errors
    /// [`BackupFault`]; nothing is left of it then.
    pub fn of(from: impl Read, folder: &Path) -> Result<Self, BackupFault> {
        let room = Unnamed::make(folder)?;
        let mut archive = Archive::new(from);
        let mut entries = archive.entries().map_err(BackupFault::Stream)?;
        let first = entries.next().ok_or_else(|| content("it is empty"))?;
        let about = about(first.map_err(BackupFault::Stream)?)?;
        let mut files = 0;
        for entry in entries {
            room.take(entry.map_err(BackupFault::Stream)?)?;
            files += 1;
        }
        if files != about.files {
            return Err(content(format_args!("{files} of its {} files are there", about.files)));
        }
        Ok(Self { about, room })
    }

    /// Where it is until it has its name.
    pub fn place(&self) -> &Path {
        &self.room.draft
    }

    /// Gives it its name, durably.
    ///
    /// # Errors
    /// [`BackupFault::Io`]; nothing is left of it then.
    pub fn name_it(self) -> Result<(), BackupFault> {
        let Unnamed { draft, folder } = &self.room;
        sync_all(draft).map_err(BackupFault::io("sync", draft))?;
        fs::rename(draft, folder).map_err(BackupFault::io("give its name to", folder))?;
        let parent = parent(folder);
        folder::sync(parent).map_err(BackupFault::io("sync", parent))
    }
}

impl Unnamed {
    fn make(folder: &Path) -> Result<Self, BackupFault> {
        let is_empty = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        if !is_empty {
            return Err(BackupFault::NotEmpty(folder.to_owned()));
        }
        let name = folder.file_name().ok_or_else(|| BackupFault::NotEmpty(folder.to_owned()))?;
        let parent = parent(folder);
        folder::create(parent).map_err(BackupFault::io("create", parent))?;
        let mut unfinished = OsString::from(name);
        unfinished.push(".restoring");
        let draft = parent.join(unfinished);
        DirBuilder::new().mode(0o700).create(&draft).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => BackupFault::Unfinished(draft.clone()),
            _ => BackupFault::io("create", &draft)(error),
        })?;
        Ok(Self { draft, folder: folder.to_owned() })
    }

    fn take(&self, mut entry: Entry<'_, impl Read>) -> Result<(), BackupFault> {
        let name = entry.path().map_err(BackupFault::Stream)?.into_owned();
        let plain = name.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || name.as_os_str().is_empty() || !entry.header().entry_type().is_file() {
            return Err(content(format_args!("`{}` is no file of it", name.display())));
        }
        let path = self.draft.join(&name);
        let folder = parent(&path);
        folder::create(folder).map_err(BackupFault::io("create", folder))?;
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(BackupFault::io("create", &path))?;
        let expected = entry.size();
        let written = io::copy(&mut entry, &mut file).map_err(BackupFault::io("write", &path))?;
        if written != expected {
            return Err(content(format_args!("`{}` is cut short", name.display())));
        }
        file.sync_all().map_err(BackupFault::io("sync", &path))
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        // Once it has its name there is nothing here.
        let _ = fs::remove_dir_all(&self.draft);
    }
}

fn about(entry: Entry<'_, impl Read>) -> Result<About, BackupFault> {
    let named = entry.path().is_ok_and(|name| name == Path::new(ABOUT));
    let mut text = Vec::new();
    let read = entry.take(ABOUT_MAX_BYTES).read_to_end(&mut text);
    read.map_err(BackupFault::Stream)?;
    /// What every format has.
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    match serde_json::from_slice(&text) {
        Ok(Format { format }) if named && format != FORMAT => Err(BackupFault::Format(format)),
        Ok(_) if named => serde_json::from_slice(&text).map_err(content),
        _ => Err(content(format_args!("it does not begin with `{ABOUT}`"))),
    }
}

/// Makes the names in `folder` and below durable.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    folder::sync(folder)
}

fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn content(why: impl std::fmt::Display) -> BackupFault {
    BackupFault::Content(why.to_string())
}
