//! The sync thread: makes records durable in groups, rolls segments, and replaces a failed file.
//!
//! The only place that waits for the disk.

use std::{
    fs::{self, File},
    io::Write as _,
    mem,
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    JournalFault,
    record::Entry,
    segment,
    writer::{Progress, Rest, Shared, Tail},
};

/// A record that nobody waits for is synced after this time at the latest, in ms.
const IDLE_MAX_MS: u64 = 20;
/// Between two attempts to replace a failed file, in ms.
const RETRY_MS: u64 = 250;
/// A new segment takes a failed one's place only where this much room is left, in bytes, so that a
/// full disk does not fail again at the next record.
const ROOM_BYTES: usize = 64 * 1024;

/// Works until the journal is dropped.
pub(super) fn run(shared: &Shared, publish: &watch::Sender<Progress>) {
    // What is pending was appended after this instant.
    let mut since = Instant::now();
    loop {
        match next_work(shared, since) {
            Work::Sync(file, seq) => {
                since = Instant::now();
                sync(shared, publish, &file, seq);
            }
            Work::Replace => {
                let replaced = replace(shared, publish);
                if !replaced && !pause(shared) {
                    return;
                }
            }
            Work::Close => return,
        }
    }
}

enum Work {
    /// Sync the file; it holds every record up to this one.
    Sync(Arc<File>, u64),
    /// The file failed.
    Replace,
    /// Nothing is left to do.
    Close,
}

/// Waits for something to do. The next sync begins as soon as somebody waits for it, which under
/// load is when the last one ends, and at the latest when a record may wait no longer.
fn next_work(shared: &Shared, since: Instant) -> Work {
    const IDLE_MAX: Duration = Duration::from_millis(IDLE_MAX_MS);
    let mut due = since + IDLE_MAX;
    let mut tail = shared.lock();
    let work = loop {
        let left = due.saturating_duration_since(Instant::now());
        if tail.unavailable.is_some() {
            break Work::Replace;
        } else if !tail.pending.is_empty() {
            if tail.awaited || tail.closing || left.is_zero() {
                break Work::Sync(Arc::clone(&tail.file), tail.seq);
            }
        } else if tail.closing {
            break Work::Close;
        }
        // Appends need not wake a thread that wakes by itself soon enough: only a journal at rest
        // is woken by them.
        if tail.pending.is_empty() && left.is_zero() {
            tail.rest = Rest::Asleep;
            tail = shared.wake.wait(tail).unwrap_or_else(PoisonError::into_inner);
            due = Instant::now() + IDLE_MAX;
        } else {
            tail.rest = Rest::Napping;
            let woken = shared.wake.wait_timeout(tail, left);
            tail = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    };
    tail.awaited = false;
    tail.rest = Rest::Busy;
    work
}

fn sync(shared: &Shared, publish: &watch::Sender<Progress>, file: &File, seq: u64) {
    let started = Instant::now();
    let synced = file.sync_data();
    let elapsed = started.elapsed();
    let mut tail = shared.lock();
    if let Err(error) = synced {
        tail.fail(&error);
        return;
    }
    tail.stats.syncs += 1;
    tail.stats.sync_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let settled = tail.settle(seq);
    let full = tail.file_bytes >= shared.options.segment_max_bytes;
    if full && tail.unavailable.is_none() {
        roll(shared, publish, &mut tail);
    }
    drop(tail);
    publish.send_if_modified(|progress| {
        let further = progress.durable < seq;
        progress.durable = progress.durable.max(seq);
        further
    });
    drop(settled);
}

/// Begins the next segment. The old one is synced whole first, under the lock: were the new one to
/// reach the disk alone, a power cut would leave a gap in the middle of the journal.
fn roll(shared: &Shared, publish: &watch::Sender<Progress>, tail: &mut Tail) {
    let next = tail
        .file
        .sync_data()
        .map_err(JournalFault::io("sync the journal in", &shared.folder))
        .and_then(|()| segment::create(&shared.folder, tail.seq + 1));
    match next {
        Ok(file) => {
            tail.take_file(file, 0);
            publish.send_modify(|progress| progress.durable = tail.seq);
        }
        Err(fault) => {
            tail.fail(&fault);
        }
    }
}

/// Gives up the failed file: writes the records that are not durable into a new segment. Tells
/// whether that worked.
fn replace(shared: &Shared, publish: &watch::Sender<Progress>) -> bool {
    let mut tail = shared.lock();
    let pending = mem::take(&mut tail.pending);
    let first_seq = tail.seq - pending.len() as u64 + 1;
    drop(tail);
    // Without the lock: nobody appends while the journal is unavailable.
    let written = write_again(&shared.folder, first_seq, pending.iter());
    let mut tail = shared.lock();
    tail.pending = pending;
    let was_known = publish.borrow().unavailable.is_some();
    let replaced = match written {
        Ok((file, bytes)) => {
            tail.take_file(file, bytes);
            tail.unavailable = None;
            tracing::warn!(segment = first_seq, "the journal goes on in a new segment");
            true
        }
        Err(fault) => {
            let detail: Arc<str> = fault.to_string().into();
            tail.unavailable = Some(detail);
            if !was_known {
                tracing::error!(%fault, "the journal can't be written; calls are refused");
            }
            false
        }
    };
    publish.send_modify(|progress| {
        progress.unavailable = tail.unavailable.clone();
        if replaced {
            progress.durable = tail.seq;
        }
    });
    replaced
}

/// Writes `entries` as the segment that begins with `first_seq`, durably, before it gets its name.
/// A failed segment of which nothing was durable has the same name, and is replaced.
fn write_again<'a>(
    folder: &Path,
    first_seq: u64,
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<(File, u64), JournalFault> {
    segment::remove_unfinished(folder)?;
    let path = segment::unfinished_path(folder);
    let mut file = segment::create_file(&path)?;
    let fill = || {
        let (mut bytes, mut head) = (0, Vec::new());
        for entry in entries {
            bytes += entry.write_to(&mut file, &mut head)?;
        }
        file.write_all(&vec![0; ROOM_BYTES])?;
        file.sync_data()?;
        file.set_len(bytes)?;
        file.sync_all()?;
        Ok(bytes)
    };
    let bytes = fill().map_err(JournalFault::io("write", &path))?;
    let named = segment::path(folder, first_seq);
    fs::rename(&path, &named).map_err(JournalFault::io("create", &named))?;
    segment::sync_folder(folder)?;
    Ok((file, bytes))
}

/// Waits before the next attempt; false where the journal is being closed.
fn pause(shared: &Shared) -> bool {
    let until = Instant::now() + Duration::from_millis(RETRY_MS);
    let mut tail = shared.lock();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if tail.closing || left.is_zero() {
            return !tail.closing;
        }
        let woken = shared.wake.wait_timeout(tail, left);
        tail = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}
