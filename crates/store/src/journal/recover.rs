//! Opening a folder: the writer's lock, the last record, and the torn tail.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use lockgate_model::Digest;

use super::{
    JournalFault,
    record::GENESIS,
    segment::{self, Chain, Segment},
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

/// A folder that is ready to be written.
pub(super) struct Opened {
    pub(super) lock: File,
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) hash: Digest,
    pub(super) recovery: Recovery,
}

/// Locks `folder` and finds the place for the next record. Reads the last segment alone, so that
/// the time does not grow with the journal.
pub(super) fn open(folder: &Path) -> Result<Opened, JournalFault> {
    folder::create(folder).map_err(JournalFault::io("create", folder))?;
    let lock = lock(folder)?;
    segment::remove_unfinished(folder)?;
    let mut segments = segment::list(folder)?;
    let Some(last) = segments.pop() else {
        let file = segment::create(folder, 1)?;
        let recovery = Recovery { last_seq: 0, torn_bytes: 0 };
        return Ok(Opened { lock, file, bytes: 0, hash: GENESIS, recovery });
    };
    let found = segment::find_end(&last)?;
    let (last_seq, hash) = match found.last {
        Some(last) => last,
        None => end_before(&segments, &last)?,
    };
    let file = OpenOptions::new()
        .append(true)
        .open(&last.path)
        .map_err(JournalFault::io("open", &last.path))?;
    if found.torn_bytes > 0 {
        file.set_len(found.bytes).map_err(JournalFault::io("cut the torn tail of", &last.path))?;
    }
    // What a killed process had only written counts from now on, so it is made durable first.
    file.sync_data().map_err(JournalFault::io("sync", &last.path))?;
    segment::sync_folder(folder)?;
    let recovery = Recovery { last_seq, torn_bytes: found.torn_bytes };
    Ok(Opened { lock, file, bytes: found.bytes, hash, recovery })
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

/// The record before a segment that holds none yet.
fn end_before(earlier: &[Segment], last: &Segment) -> Result<(u64, Digest), JournalFault> {
    if last.first_seq == 1 {
        return Ok((0, GENESIS));
    }
    let mut end = None;
    if let Some(segment) = earlier.last() {
        let beginning = Chain::beginning(segment);
        let mut records = segment::records(segment, beginning, Some(last.first_seq))?;
        while let Some(record) = records.next()? {
            end = Some((record.seq, record.hash));
        }
    }
    end.filter(|(seq, _)| seq.saturating_add(1) == last.first_seq).ok_or_else(|| {
        JournalFault::Broken {
            file: last.path.clone(),
            line: 1,
            seq: last.first_seq,
            detail: "the records before it are missing",
        }
    })
}
