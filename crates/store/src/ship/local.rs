//! Segments as files in the journal's folder: everything named by the twenty digits of a first
//! record.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::ShipFault;
use crate::{folder, journal::is_packed};

/// A segment that will not change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSegment {
    /// Its first record.
    pub first_seq: u64,
    /// Its last record: the one before the next segment.
    pub last_seq: u64,
    /// Its files, in the order of their names.
    pub files: Vec<PathBuf>,
    /// Their size together. In bytes.
    pub bytes: u64,
}

/// The closed segments of the journal in `folder`, oldest first: all but the last, which may still
/// be written to, and what is not packed yet, which will be written again.
///
/// # Errors
/// [`ShipFault::Io`].
pub fn local_segments(folder: &Path) -> Result<Vec<LocalSegment>, ShipFault> {
    let mut files = BTreeMap::<u64, Vec<(PathBuf, u64)>>::new();
    for entry in fs::read_dir(folder).map_err(ShipFault::io("list", folder))? {
        let entry = entry.map_err(ShipFault::io("list", folder))?;
        let path = entry.path();
        let Some(first_seq) = path.file_name().and_then(|n| n.to_str()).and_then(first_seq) else {
            continue;
        };
        let metadata = entry.metadata().map_err(ShipFault::io("read", &path))?;
        if metadata.is_file() {
            files.entry(first_seq).or_default().push((path, metadata.len()));
        }
    }
    let begins: Vec<_> = files.keys().copied().skip(1).collect();
    // The last has no successor, and so falls away.
    let closed = files.into_iter().zip(begins).map(|((first_seq, mut files), next)| {
        files.sort_unstable();
        LocalSegment {
            first_seq,
            last_seq: next.saturating_sub(1),
            bytes: files.iter().map(|(_, bytes)| bytes).sum(),
            files: files.into_iter().map(|(path, _)| path).collect(),
        }
    });
    let is_packed = |segment: &LocalSegment| segment.files.iter().all(|file| is_packed(file));
    Ok(closed.take_while(is_packed).collect())
}

/// The first record in a segment file's name: twenty digits, then a dot and an ending of letters and
/// digits, with single dots between them.
pub(super) fn first_seq(name: &str) -> Option<u64> {
    let (digits, ending) = name.split_at_checked(20)?;
    let ending = ending.strip_prefix('.')?;
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let fits = digits.bytes().all(|c| c.is_ascii_digit())
        && (1..=64).contains(&ending.len())
        && ending.split('.').all(|part| !part.is_empty() && part.bytes().all(plain));
    if fits { digits.parse().ok() } else { None }
}

impl LocalSegment {
    /// Removes its files from `folder`, the journal's, durably. Some may be gone already.
    ///
    /// # Errors
    /// [`ShipFault::Io`]
    pub fn remove(&self, folder: &Path) -> Result<(), ShipFault> {
        for file in &self.files {
            match fs::remove_file(file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(ShipFault::io("remove", file)(error));
                }
                _ => {}
            }
        }
        folder::sync(folder).map_err(ShipFault::io("sync", folder))
    }
}

#[cfg(test)]
mod tests {
    use super::first_seq;

    #[test]
    fn only_names_of_segments_are_read() {
        let digits = "00000000000000000042";
        for (name, expected) in [
            (format!("{digits}.segment"), Some(42)),
            (format!("{digits}.bodies"), Some(42)),
            (format!("{digits}.jsonl.zst"), Some(42)),
            (digits.to_owned(), None),
            (format!("{digits}."), None),
            (format!("{digits}.."), None),
            (format!("{digits}.a/b"), None),
            (format!("{digits}.a/../../b"), None),
            (format!("{digits}x.jsonl"), None),
            ("0042.jsonl".to_owned(), None),
            ("unfinished".to_owned(), None),
            ("manifest.json".to_owned(), None),
            ("ä0000000000000000042.jsonl".to_owned(), None),
        ] {
            assert_eq!(first_seq(&name), expected, "{name}");
        }
    }
}
