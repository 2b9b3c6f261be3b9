//! Segments that were brought back: one folder each, the longest unused removed first.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{Manifest, ShipFault};
use crate::folder;

/// The folder of all of them.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    bytes_max: u64,
}

impl Cache {
    /// Opens it, and removes what a killed process was bringing.
    pub(super) fn open(folder: PathBuf, bytes_max: u64) -> Result<Self, ShipFault> {
        folder::create(&folder).map_err(ShipFault::io("create", &folder))?;
        let cache = Self { folder, bytes_max };
        for (path, _, _) in cache.entries()? {
            if path.extension().is_some() {
                fs::remove_dir_all(&path).map_err(ShipFault::io("remove", &path))?;
            }
        }
        Ok(cache)
    }

    /// The segment's folder where it is here; it then counts as used now.
    pub(super) fn get(&self, manifest: &Manifest) -> Result<Option<PathBuf>, ShipFault> {
        let path = self.place(manifest);
        match fs::File::open(&path) {
            Ok(folder) => {
                folder.set_modified(SystemTime::now()).map_err(ShipFault::io("mark", &path))?;
                Ok(Some(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ShipFault::io("open", path)(error)),
        }
    }

    /// Makes room, and gives the folder in which to prepare the segment.
    pub(super) fn begin(&self, manifest: &Manifest) -> Result<PathBuf, ShipFault> {
        let bytes = manifest.bytes();
        if bytes > self.bytes_max {
            return Err(ShipFault::TooLarge { bytes, bytes_max: self.bytes_max });
        }
        let mut entries = self.entries()?;
        entries.sort_unstable_by_key(|(_, _, used)| *used);
        let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
        for (path, size, _) in entries {
            if total + bytes <= self.bytes_max {
                break;
            }
            fs::remove_dir_all(&path).map_err(ShipFault::io("remove", &path))?;
            total -= size;
        }
        let path = self.place(manifest).with_extension("part");
        if path.exists() {
            fs::remove_dir_all(&path).map_err(ShipFault::io("remove", &path))?;
        }
        folder::create(&path).map_err(ShipFault::io("create", &path))?;
        Ok(path)
    }

    /// Takes what was prepared and checked.
    pub(super) fn finish(&self, manifest: &Manifest, part: &Path) -> Result<PathBuf, ShipFault> {
        let path = self.place(manifest);
        fs::rename(part, &path).map_err(ShipFault::io("rename", part))?;
        Ok(path)
    }

    fn place(&self, manifest: &Manifest) -> PathBuf {
        self.folder.join(format!("{:020}", manifest.first_seq))
    }

    /// Path, size and last use of each.
    fn entries(&self) -> Result<Vec<(PathBuf, u64, SystemTime)>, ShipFault> {
        let mut entries = Vec::new();
        for entry in list(&self.folder)? {
            let used = fs::metadata(&entry).and_then(|metadata| metadata.modified());
            let used = used.map_err(ShipFault::io("read", &entry))?;
            let mut bytes = 0;
            for file in list(&entry)? {
                bytes += fs::metadata(&file).map_err(ShipFault::io("read", &file))?.len();
            }
            entries.push((entry, bytes, used));
        }
        Ok(entries)
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, ShipFault> {
    let entries = fs::read_dir(folder).map_err(ShipFault::io("list", folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(ShipFault::io("list", folder))
}
