//! Taking a backup: the folder at one moment, then its files into a stream.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use tar::{Builder, Header};

use super::{
    ABOUT, About, BackupFault,
    room::{ROOM, Room},
};
use crate::{db, folder, journal};

/// The journal's folder, below the data folder.
const JOURNAL: &str = "journal";
/// The end of the names of SQLite's databases, and of what stands beside each while it is used.
const DATABASE: &str = "sqlite";
const BESIDE_DATABASE: [&str; 3] = ["sqlite-wal", "sqlite-shm", "sqlite-journal"];
/// Copied before the journal, since it follows the journal.
const INDEX: &str = "index.sqlite";
/// The ends of the names of drafts.
const DRAFTS: [&str; 3] = ["new", "next", "part"];
/// Folders within each other; more is a link that leads in a circle.
const DEPTH_MAX: usize = 8;

/// What is taken.
pub struct What<'a> {
    /// The data folder.
    pub data: &'a Path,
    /// What stays out: paths below the data folder.
    pub leave_out: &'a [&'a str],
    /// What the backup says of itself.
    pub about: About,
}

/// The data folder at one moment, for as long as this lives.
pub struct Taken {
    about: About,
    files: Vec<Entry>,
    _rooms: [Room; 2],
}

/// One file of the backup.
struct Entry {
    /// Its name below the data folder.
    name: String,
    /// Where it is read.
    path: PathBuf,
    /// How much of it counts, in bytes.
    bytes: u64,
}

impl Taken {
    /// Holds the folder as it is now. Databases and small files are copied, beside the originals;
    /// segments get a second name there.
    ///
    /// # Errors
    /// [`BackupFault`]
    pub async fn now(what: What<'_>) -> Result<Self, BackupFault> {
        let What { data, leave_out, mut about } = what;
        let journal = data.join(JOURNAL);
        let rooms = [Room::make(data)?, Room::make(&journal)?];
        let [room, journal_room] = &rooms;
        let mut taking = Taking { data, leave_out, room: &room.folder, files: Vec::new() };
        if data.join(INDEX).exists() {
            taking.database(INDEX).await?;
        }
        for part in journal::snapshot(&journal, &journal_room.folder)? {
            let name = part.path.file_name().unwrap_or_default().to_string_lossy();
            let name = format!("{JOURNAL}/{name}");
            taking.files.push(Entry { name, path: part.path, bytes: part.bytes });
        }
        for name in taking.beside("", 0)? {
            if ends(&name, &[DATABASE]) {
                taking.database(&name).await?;
            } else {
                taking.copy(&name)?;
            }
        }
        let files = taking.files;
        about.files = files.len() as u64;
        Ok(Self { about, files, _rooms: rooms })
    }

    /// What it says of itself.
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// Their size together, in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Writes it all; `progress` is told how many bytes of files were written.
    ///
    /// # Errors
    /// [`BackupFault`]
    pub fn write<W: Write>(&self, out: W, mut progress: impl FnMut(u64)) -> Result<W, BackupFault> {
        let mut archive = Builder::new(out);
        let about = serde_json::to_vec(&self.about).map_err(io::Error::other);
        let about = about.map_err(BackupFault::Stream)?;
        let mut head = header(about.len() as u64);
        archive.append_data(&mut head, ABOUT, about.as_slice()).map_err(BackupFault::Stream)?;
        let mut done = 0;
        for Entry { name, path, bytes } in &self.files {
            let file = File::open(path).map_err(BackupFault::io("open", path))?;
            let mut whole = Whole { file, left: *bytes, done: &mut done, progress: &mut progress };
            let written = archive.append_data(&mut header(*bytes), name, &mut whole);
            if whole.left > 0 && written.is_ok() {
                return Err(BackupFault::Shrunk(path.clone()));
            }
            written.map_err(BackupFault::Stream)?;
        }
        archive.into_inner().map_err(BackupFault::Stream)
    }
}

/// A folder that is being taken.
struct Taking<'a> {
    data: &'a Path,
    leave_out: &'a [&'a str],
    room: &'a Path,
    files: Vec<Entry>,
}

impl Taking<'_> {
    /// The names of all files in `folder`, below the data folder, that stand beside the journal and the
    /// index, in their order.
    fn beside(&self, folder: &str, depth: usize) -> Result<Vec<String>, BackupFault> {
        let path = self.data.join(folder);
        let mut names = Vec::new();
        for entry in fs::read_dir(&path).map_err(BackupFault::io("list", &path))? {
            let entry = entry.map_err(BackupFault::io("list", &path))?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| BackupFault::io("name", entry.path())(not_text()))?;
            let name = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            let known = [JOURNAL, INDEX, ROOM].contains(&name.as_str());
            if known
                || self.leave_out.contains(&name.as_str())
                || ends(&name, &DRAFTS)
                || ends(&name, &BESIDE_DATABASE)
            {
                continue;
            }
            // Through links: keys and folders may be mounted elsewhere.
            let kind = fs::metadata(entry.path()).map_err(BackupFault::io("read", entry.path()))?;
            if kind.is_dir() && depth < DEPTH_MAX {
                names.extend(self.beside(&name, depth + 1)?);
            } else if kind.is_file() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    async fn database(&mut self, name: &str) -> Result<(), BackupFault> {
        let (from, to) = (self.data.join(name), self.place(name)?);
        let copied = db::copy(&from, &to).await;
        copied.map_err(|fault| BackupFault::Db { path: from, fault })?;
        self.took(name, to)
    }

    fn copy(&mut self, name: &str) -> Result<(), BackupFault> {
        let (from, to) = (self.data.join(name), self.place(name)?);
        fs::copy(&from, &to).map_err(BackupFault::io("copy", &from))?;
        self.took(name, to)
    }

    fn place(&self, name: &str) -> Result<PathBuf, BackupFault> {
        let to = self.room.join(name);
        let folder = to.parent().unwrap_or(self.room);
        folder::create(folder).map_err(BackupFault::io("create", folder))?;
        Ok(to)
    }

    fn took(&mut self, name: &str, path: PathBuf) -> Result<(), BackupFault> {
        let bytes = fs::metadata(&path).map_err(BackupFault::io("read", &path))?.len();
        self.files.push(Entry { name: name.to_owned(), path, bytes });
        Ok(())
    }
}

/// The first `left` bytes of a file.
struct Whole<'a, P> {
    file: File,
    left: u64,
    done: &'a mut u64,
    progress: &'a mut P,
}

impl<P: FnMut(u64)> Read for Whole<'_, P> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = (&self.file).take(self.left).read(into)?;
        self.left -= read as u64;
        *self.done += read as u64;
        (self.progress)(*self.done);
        Ok(read)
    }
}

fn header(bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header
}

fn ends(name: &str, ends: &[&str]) -> bool {
    let extension = Path::new(name).extension().and_then(|end| end.to_str());
    extension.is_some_and(|extension| ends.contains(&extension))
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its name is no text")
}
