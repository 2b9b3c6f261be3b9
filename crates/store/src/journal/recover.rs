//! Opening a folder: the writer's lock, the last record, and the torn tail.
//!
//! A writer never goes on in a file that another process wrote: its key and its places were used. It
//! begins a segment of its own.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use lockgate_model::Digest;

use super::{
    Frontier, JournalFault, Keys,
    block::{self, Block},
    read::{Chain, SegmentReader, Sessions},
    record::GENESIS,
    segment::{self, Blocks, Segment},
};
use crate::folder;

/// What was found when a journal was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The last whole record; 0 in a new journal.
    pub last_seq: u64,
    /// Bytes behind it that were no whole record, and were dropped; 0 after a clean stop.
    pub torn_bytes: u64,
}

/// A folder that is ready for the next segment.
pub(super) struct Opened {
    pub(super) lock: File,
    /// Hash of the last record.
    pub(super) hash: Digest,
    /// The tree over all records.
    pub(super) tree: Frontier,
    pub(super) recovery: Recovery,
}

/// Locks `folder` and finds the place for the next record. Reads the last segment alone, so that the
/// time does not grow with the journal.
pub(super) fn open(folder: &Path, keys: &Keys) -> Result<Opened, JournalFault> {
    folder::create(folder).map_err(JournalFault::io("create", folder))?;
    let lock = lock(folder)?;
    let segments = segment::list(folder)?;
    let Some(last) = segments.last() else {
        let recovery = Recovery { last_seq: 0, torn_bytes: 0 };
        return Ok(Opened { lock, hash: GENESIS, tree: Frontier::default(), recovery });
    };
    let end = find_end(folder, last, keys)?;
    if end.torn_bytes > 0 {
        cut(&last.path, end.bytes)?;
    }
    // What a killed process had only written counts from now on, so it is made durable first.
    let file = File::open(&last.path).map_err(JournalFault::io("open", &last.path))?;
    file.sync_all().map_err(JournalFault::io("sync", &last.path))?;
    segment::sync_folder(folder)?;
    let recovery = Recovery { last_seq: end.tree.size(), torn_bytes: end.torn_bytes };
    Ok(Opened { lock, hash: end.hash, tree: end.tree, recovery })
}

fn lock(folder: &Path) -> Result<File, JournalFault> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(JournalFault::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalFault::Locked { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(JournalFault::Io { doing: "lock", path, source }),
    }
}

fn cut(path: &Path, bytes: u64) -> Result<(), JournalFault> {
    let file = OpenOptions::new().write(true).open(path).map_err(JournalFault::io("open", path))?;
    file.set_len(bytes).map_err(JournalFault::io("cut the torn tail of", path))
}

/// Where the last segment ends.
struct End {
    hash: Digest,
    tree: Frontier,
    /// Length of its whole blocks.
    bytes: u64,
    /// What stands behind them.
    torn_bytes: u64,
}

/// Finds the end of the last segment.
///
/// # Errors
/// [`JournalFault::Broken`] where a whole block stands behind a broken one: that is damage, not a
/// write that was cut short.
fn find_end(folder: &Path, segment: &Segment, keys: &Keys) -> Result<End, JournalFault> {
    let mut sessions = Sessions::new(folder, keys);
    let mut reader = SegmentReader::new(Blocks::open(segment, keys)?, None)?;
    let head = &reader.blocks.head;
    let (mut hash, mut tree) = (head.prev, head.tree.clone());
    let mut chain = Chain { next_seq: head.first_seq, prev: Some(head.prev) };
    let mut bytes = reader.blocks.offset;
    let broken = loop {
        match reader.next(&mut sessions, &mut chain) {
            Ok(Some(record)) => {
                hash = record.hash;
                tree.push(&record.hash);
                bytes = reader.blocks.offset;
            }
            Ok(None) => break None,
            Err(fault @ JournalFault::Broken { .. }) => break Some(fault),
            Err(fault) => return Err(fault),
        }
    };
    if let Some(fault) = broken
        && whole_block_follows(&mut reader.blocks)?
    {
        return Err(fault);
    }
    Ok(End { hash, tree, bytes, torn_bytes: reader.blocks.file_bytes()?.saturating_sub(bytes) })
}

fn whole_block_follows(blocks: &mut Blocks) -> Result<bool, JournalFault> {
    while let Some(mut raw) = blocks.next()? {
        let block = block::read(&mut blocks.seal, raw.number, raw.kind, &mut raw.sealed);
        if matches!(block, Ok(Block::Records(_))) {
            return Ok(true);
        }
    }
    Ok(false)
}
