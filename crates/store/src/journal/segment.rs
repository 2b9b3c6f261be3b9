//! Segment files: their names, their heads, and the blocks that stand behind.
//!
//! A segment is one line of JSON, the segment's data key wrapped under the recording's key, and then
//! [`super::block`]s. It gets its name when its head is durable, so a named segment has one. One that
//! was closed is packed: written again in large compressed blocks under a key of its own.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use lockgate_model::Digest;
use serde::{Deserialize, Serialize};

use super::{
    Frontier, JournalFault, Keys,
    block::{self, BLOCK_MAX_BYTES, HEAD_BYTES},
    seal::{Key, Seal, WRAPPED_BYTES},
};
use crate::folder;

/// The version of the files that this module writes and reads.
const VERSION: u32 = 2;
/// Longest first line of a segment, in bytes.
const HEAD_MAX_BYTES: u64 = 64 * 1024;

/// One file of the journal.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Sequence number of its first record, which is its name.
    pub(super) first_seq: u64,
    pub(super) path: PathBuf,
}

/// The first line of a segment. Every byte of it takes part in the wrapping of the data key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    lockgate_journal: u32,
    pub(super) first_seq: u64,
    /// Hash of the record before the first.
    pub(super) prev: Digest,
    /// The tree over all records before the first.
    pub(super) tree: Frontier,
    /// The node that wrote it.
    pub(super) node: String,
    /// Name of the key that wraps the data key.
    key: String,
    /// Random; session keys are derived from it for this file.
    id: String,
    /// Whether it is closed and compressed.
    pub(super) packed: bool,
}

/// The segments of `folder`, oldest first.
pub(super) fn list(folder: &Path) -> Result<Vec<Segment>, JournalFault> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(folder).map_err(JournalFault::io("list", folder))? {
        let path = entry.map_err(JournalFault::io("list", folder))?.path();
        if let Some(first_seq) = first_seq(&path) {
            segments.push(Segment { first_seq, path });
        }
    }
    segments.sort_unstable_by_key(|segment| segment.first_seq);
    Ok(segments)
}

fn first_seq(path: &Path) -> Option<u64> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".segment")?;
    let digits = stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    if digits { stem.parse().ok() } else { None }
}

/// Whether the segment file at `path` is closed and packed: it will not change any more. Takes no key.
pub fn is_packed(path: &Path) -> bool {
    let mut line = Vec::new();
    let read = File::open(path)
        .and_then(|file| BufReader::new(file.take(HEAD_MAX_BYTES)).read_until(b'\n', &mut line));
    let head = read.ok().and_then(|_| serde_json::from_slice::<Head>(&line).ok());
    head.is_some_and(|head| head.packed)
}

/// The path of the segment that begins with `first_seq`.
pub(super) fn path(folder: &Path, first_seq: u64) -> PathBuf {
    folder.join(format!("{first_seq:020}.segment"))
}

/// Where a segment stands in the journal.
#[derive(Clone, Debug)]
pub(super) struct Begin<'a> {
    pub(super) first_seq: u64,
    pub(super) prev: Digest,
    pub(super) tree: &'a Frontier,
    pub(super) node: &'a str,
    pub(super) packed: bool,
}

/// A segment that is being prepared and has no name yet.
pub(super) struct Draft {
    path: PathBuf,
    first_seq: u64,
    /// Length of its head.
    pub(super) bytes: u64,
}

impl Draft {
    /// Writes the head of a segment into an unnamed file; what another process left there is
    /// removed.
    pub(super) fn begin(
        folder: &Path,
        keys: &Keys,
        begin: &Begin<'_>,
    ) -> Result<(Self, File, Seal), JournalFault> {
        let path = folder.join(if begin.packed { "unfinished.packed" } else { "unfinished" });
        remove(&path)?;
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(JournalFault::io("create", &path))?;
        let (head, seal) = head_bytes(keys, begin)
            .map_err(|error| JournalFault::io("seal", &path)(io::Error::other(error)))?;
        io::Write::write_all(&mut &file, &head).map_err(JournalFault::io("write", &path))?;
        let draft = Self { path, first_seq: begin.first_seq, bytes: head.len() as u64 };
        Ok((draft, file, seal))
    }

    /// Makes it durable under its name. A segment that has the same name is replaced.
    pub(super) fn finish(&self, file: &File, folder: &Path) -> Result<(), JournalFault> {
        file.sync_all().map_err(JournalFault::io("sync", &self.path))?;
        let named = path(folder, self.first_seq);
        fs::rename(&self.path, &named).map_err(JournalFault::io("create", &named))?;
        sync_folder(folder)
    }
}

fn head_bytes(keys: &Keys, begin: &Begin<'_>) -> Result<(Vec<u8>, Seal), &'static str> {
    const FAILED: &str = "no key can be made";
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| FAILED)?;
    let head = Head {
        lockgate_journal: VERSION,
        first_seq: begin.first_seq,
        prev: begin.prev,
        tree: begin.tree.clone(),
        node: begin.node.to_owned(),
        key: keys.wrapping_id().to_owned(),
        id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
        packed: begin.packed,
    };
    let mut bytes = serde_json::to_vec(&head).map_err(|_| FAILED)?;
    bytes.push(b'\n');
    let own = Key::random().map_err(|_| FAILED)?;
    let wrapped = keys.wrapping().wrap(&own, &bytes).map_err(|_| FAILED)?;
    bytes.extend_from_slice(&wrapped);
    Ok((bytes, Seal::new(id, &own).map_err(|_| FAILED)?))
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), JournalFault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalFault::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> Result<(), JournalFault> {
    folder::sync(folder).map_err(JournalFault::io("sync", folder))
}

/// The blocks of one segment, opened as far as its own key opens them.
pub(super) struct Blocks {
    pub(super) path: PathBuf,
    pub(super) head: Head,
    pub(super) seal: Seal,
    file: BufReader<File>,
    /// End of the block that was read last.
    pub(super) offset: u64,
    /// The next block.
    number: u64,
}

/// One block as it stands in the file.
pub(super) struct Raw {
    /// Which block it is, from 0.
    pub(super) number: u64,
    /// Where its sealed bytes begin.
    pub(super) offset: u64,
    pub(super) kind: u8,
    pub(super) sealed: Vec<u8>,
}

impl Blocks {
    /// Opens a segment and reads its head.
    ///
    /// # Errors
    /// [`JournalFault::Key`] where another key wraps it, [`JournalFault::Broken`], and
    /// [`JournalFault::Io`].
    pub(super) fn open(segment: &Segment, keys: &Keys) -> Result<Self, JournalFault> {
        let path = segment.path.clone();
        let broken = |detail| JournalFault::broken(&path, 0, segment.first_seq, detail);
        let file = File::open(&path).map_err(JournalFault::io("open", &path))?;
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let mut line = Vec::new();
        (&mut file)
            .take(HEAD_MAX_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(JournalFault::io("read", &path))?;
        let head: Head = serde_json::from_slice(&line).map_err(|_| broken("it has no head"))?;
        if head.lockgate_journal != VERSION {
            return Err(broken("its head is of another version"));
        }
        if head.first_seq != segment.first_seq {
            return Err(broken("its head and its name contradict each other"));
        }
        if head.key != keys.wrapping_id() {
            let detail = "it was sealed under another recording key";
            return Err(JournalFault::Key { path, detail });
        }
        let id = (0..16).map(|at| u8::from_str_radix(head.id.get(2 * at..2 * at + 2)?, 16).ok());
        let id: Option<Vec<u8>> = id.collect();
        let id = id.and_then(|id| id.try_into().ok()).ok_or_else(|| broken("it has no head"))?;
        let mut wrapped = [0; WRAPPED_BYTES];
        file.read_exact(&mut wrapped).map_err(|_| broken("it has no head"))?;
        let unsealed = keys.wrapping().unwrap(&wrapped, &line).and_then(|own| Seal::new(id, &own));
        let seal = unsealed.map_err(|_| broken("its head was changed"))?;
        if head.tree.size().checked_add(1) != Some(head.first_seq) || !head.tree.is_sound() {
            return Err(broken("its head contradicts itself"));
        }
        let offset = (line.len() + WRAPPED_BYTES) as u64;
        Ok(Self { path, head, seal, file, offset, number: 0 })
    }

    /// The next whole block; `None` at the end and before a block that is not all there. A later
    /// call looks again.
    pub(super) fn next(&mut self) -> Result<Option<Raw>, JournalFault> {
        let length = self.file_bytes()?;
        let left = length.saturating_sub(self.offset);
        if left < HEAD_BYTES as u64 {
            return Ok(None);
        }
        let io = JournalFault::io("read", &self.path);
        let mut head = [0; HEAD_BYTES];
        let read = self.file.read_exact(&mut head).and_then(|()| {
            let (bytes, kind) = block::read_head(head);
            if bytes > left - HEAD_BYTES as u64 {
                return Ok(None);
            }
            if bytes > BLOCK_MAX_BYTES {
                // Nobody wrote it, so it is not worth the memory; it is passed as a block of no kind.
                let end = self.offset + HEAD_BYTES as u64 + bytes;
                self.file.seek(SeekFrom::Start(end))?;
                return Ok(Some((0, bytes, Vec::new())));
            }
            let mut sealed = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
            self.file.read_exact(&mut sealed)?;
            Ok(Some((kind, bytes, sealed)))
        });
        match read {
            Ok(Some((kind, bytes, sealed))) => {
                let (number, offset) = (self.number, self.offset + HEAD_BYTES as u64);
                self.number += 1;
                self.offset = offset + bytes;
                Ok(Some(Raw { number, offset, kind, sealed }))
            }
            Ok(None) => {
                self.file.seek(SeekFrom::Start(self.offset)).map_err(io)?;
                Ok(None)
            }
            // The file was cut meanwhile: what was torn is gone.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.file.seek(SeekFrom::Start(self.offset)).map_err(io)?;
                Ok(None)
            }
            Err(error) => Err(io(error)),
        }
    }

    /// Length of the file now.
    pub(super) fn file_bytes(&self) -> Result<u64, JournalFault> {
        let metadata = self.file.get_ref().metadata();
        Ok(metadata.map_err(JournalFault::io("read", &self.path))?.len())
    }

    /// The sealed bytes of an earlier block.
    pub(super) fn again(&self, offset: u64, length: usize) -> Result<Vec<u8>, JournalFault> {
        let mut sealed = vec![0; length];
        let read = self.file.get_ref().read_exact_at(&mut sealed, offset);
        read.map_err(JournalFault::io("read", &self.path))?;
        Ok(sealed)
    }
}
