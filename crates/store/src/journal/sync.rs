//! The sync thread: makes records durable in groups, rolls segments, and replaces a failed file.
//!
//! The only place that waits for the disk on behalf of records.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write as _},
    mem,
    path::Path,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    JournalFault, Keys,
    notary::Notary,
    pack::Packer,
    reserve::Reserve,
    segment::{Begin, Draft},
    tail::{Entry, OpenSegment, Rest},
    writer::{Progress, Shared},
};

/// A record that nobody waits for is synced after this time at the latest.
const IDLE_MAX: Duration = Duration::from_millis(20);
/// Between two attempts to bring a failed journal back.
const RETRY: Duration = Duration::from_millis(250);
/// A new segment takes a failed one's place only where this much room is left, in bytes, so that a
/// full disk does not fail again at the next record.
const ROOM_BYTES: u64 = 64 * 1024;

/// The thread's own things.
pub(super) struct Worker {
    shared: Arc<Shared>,
    publish: watch::Sender<Progress>,
    notary: Notary,
    packer: Packer,
    reserve: Reserve,
    /// What is pending was appended after this instant.
    since: Instant,
    /// When a failed journal is brought back at the earliest.
    mend_at: Instant,
}

enum Work {
    /// Sync the file, and the session keys where one was made; it holds every record up to this one.
    Sync { file: Arc<File>, keys: Option<Arc<File>>, seq: u64 },
    /// The journal is not available.
    Mend,
    /// Nothing is left to do.
    Close,
}

impl Worker {
    pub(super) fn new(
        shared: Arc<Shared>,
        publish: watch::Sender<Progress>,
        notary: Notary,
        packer: Packer,
        reserve: Reserve,
    ) -> Self {
        Self {
            shared,
            publish,
            notary,
            packer,
            reserve,
            since: Instant::now(),
            mend_at: Instant::now(),
        }
    }

    /// Works until the journal is dropped.
    pub(super) fn run(&mut self) {
        loop {
            match self.next_work() {
                Work::Sync { file, keys, seq } => {
                    self.since = Instant::now();
                    self.sync(&file, keys.as_deref(), seq);
                }
                Work::Mend => {
                    if !self.mend() {
                        self.mend_at = Instant::now() + RETRY;
                    }
                }
                Work::Close => return,
            }
        }
    }

    /// Waits for something to do. The next sync begins as soon as somebody waits for it, which under
    /// load is when the last one ends, and at the latest when a record may wait no longer.
    fn next_work(&self) -> Work {
        let mut due = self.since + IDLE_MAX;
        let mut tail = self.shared.lock();
        let work = loop {
            let now = Instant::now();
            let mut left = due.saturating_duration_since(now);
            let mends = tail.unavailable.is_some();
            if mends && self.mend_at <= now {
                break Work::Mend;
            } else if !tail.pending.is_empty() && !tail.failed {
                if tail.awaited || tail.closing || left.is_zero() {
                    let keys = mem::take(&mut tail.keys_dirty).then(|| tail.sessions.file());
                    let (file, seq) = (Arc::clone(&tail.segment.file), tail.seq);
                    break Work::Sync { file, keys, seq };
                }
            } else if tail.closing {
                break Work::Close;
            } else if mends {
                left = self.mend_at.saturating_duration_since(now);
            }
            // Appends need not wake a thread that wakes by itself soon enough: only a journal at rest
            // is woken by them.
            if tail.pending.is_empty() && left.is_zero() {
                tail.rest = Rest::Asleep;
                tail = self.shared.wake.wait(tail).unwrap_or_else(PoisonError::into_inner);
                due = Instant::now() + IDLE_MAX;
            } else {
                tail.rest = Rest::Napping;
                let woken = self.shared.wake.wait_timeout(tail, left);
                tail = woken.unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        tail.awaited = false;
        tail.rest = Rest::Busy;
        work
    }

    fn sync(&mut self, file: &File, keys: Option<&File>, seq: u64) {
        let started = Instant::now();
        // A record whose key is lost is lost, so the key goes first.
        let synced = keys.map_or(Ok(()), sync_data).and_then(|()| sync_data(file));
        let elapsed = started.elapsed();
        let mut tail = self.shared.lock();
        if let Err(error) = synced {
            tail.keys_dirty |= keys.is_some();
            tail.fail(&error);
            return;
        }
        tail.stats.syncs += 1;
        tail.stats.sync_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let settled = tail.settle(seq);
        self.notary.note(&tail.settled.tree);
        let full = tail.segment.bytes >= self.shared.options.segment_max_bytes;
        drop(tail);
        self.publish.send_if_modified(|progress| {
            let further = progress.durable < seq;
            progress.durable = progress.durable.max(seq);
            further
        });
        drop(settled);
        if full {
            self.roll();
        }
    }

    /// Begins the next segment. The old one is synced whole first, under the lock: were the new one to
    /// reach the disk alone, a power cut would leave a gap in the middle of the journal.
    fn roll(&mut self) {
        let Shared { folder, keys, options, .. } = self.shared.as_ref();
        let mut tail = self.shared.lock();
        if tail.unavailable.is_some() {
            return;
        }
        let synced = sync_data(&tail.sessions.file()).and_then(|()| sync_data(&tail.segment.file));
        let next = synced.map_err(JournalFault::io("sync the journal in", folder)).and_then(|()| {
            let all = tail.seq;
            drop(tail.settle(all));
            OpenSegment::create(folder, keys, &tail.settled.begin(&options.node))
        });
        match next {
            Ok(segment) => {
                tail.take_segment(segment);
                self.notary.note(&tail.settled.tree);
                self.publish.send_modify(|progress| progress.durable = tail.seq);
                self.packer.look();
            }
            Err(fault) => {
                tail.fail(&fault);
            }
        }
    }

    /// Brings the journal back: a new file for one that failed, or the space that was given away on
    /// a full disk. Tells whether that worked; what can't be mended now is tried again.
    fn mend(&mut self) -> bool {
        let mended = if self.shared.lock().failed {
            self.replace().and_then(|()| self.restore())
        } else {
            self.restore()
        };
        let mut tail = self.shared.lock();
        let was_known = self.publish.borrow().unavailable.is_some();
        let works = mended.is_ok();
        match mended {
            Ok(()) => {
                tail.unavailable = None;
                tail.last_bytes = 0;
                tracing::warn!(first = tail.settled.tree.size() + 1, "the journal goes on");
            }
            Err(fault) => {
                tail.unavailable = Some(fault.to_string().into());
                if !was_known {
                    tracing::error!(%fault, "the journal can't be written; calls are refused");
                }
            }
        }
        let (durable, unavailable) = (tail.settled.tree.size(), tail.unavailable.clone());
        drop(tail);
        self.publish.send_modify(|progress| *progress = Progress { durable, unavailable });
        works
    }

    /// Gives up the failed file: writes the records that are not durable into a new segment. On a full
    /// disk the space that is held back takes them, and the ends of what was begun after them.
    fn replace(&mut self) -> Result<(), JournalFault> {
        let folder = self.shared.folder.clone();
        match self.write_again(ROOM_BYTES) {
            Err(JournalFault::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                let released = self.reserve.release();
                if released > 0 {
                    self.write_again(0)?;
                    // The other half is for the head that is signed over them.
                    self.shared.lock().last_bytes = released / 2;
                    self.notary.sign_now();
                }
                Err(JournalFault::io("write in", folder)(source))
            }
            other => other,
        }
    }

    /// Writes what is not durable as a segment of its own, durably, before it gets its name. A failed
    /// segment of which nothing was durable has the same name, and is replaced.
    fn write_again(&self, room_bytes: u64) -> Result<(), JournalFault> {
        let Shared { folder, keys, options, .. } = self.shared.as_ref();
        let mut tail = self.shared.lock();
        let pending = mem::take(&mut tail.pending);
        let settled = tail.settled.clone();
        drop(tail);
        // Without the lock: nobody appends while the file is one that failed.
        let written = fill(folder, keys, &settled.begin(&options.node), &pending, room_bytes);
        let mut tail = self.shared.lock();
        tail.pending = pending;
        tail.take_segment(written?);
        self.notary.note(&tail.settled.tree);
        self.packer.look();
        Ok(())
    }

    /// Holds back disk space again, and sees that there is room beyond it.
    fn restore(&mut self) -> Result<(), JournalFault> {
        let folder = &self.shared.folder;
        self.reserve
            .restore()
            .and_then(|()| super::reserve::has_room(folder, ROOM_BYTES))
            .map_err(JournalFault::io("write in", folder))
    }
}

/// Syncs a file, and does not believe a file system that gave up meanwhile. While ext4 aborts, a sync
/// may say that all went well although what it waited for was thrown away. A write of nothing then
/// mostly says so; between the abort and the moment in which the kernel admits it, nobody can know.
fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()?;
    let mut probe = file;
    probe.write(&[]).map(drop)
}

/// A new segment that holds `entries`, with at least `room_bytes` left on the disk.
fn fill(
    folder: &Path,
    keys: &Keys,
    begin: &Begin<'_>,
    entries: &VecDeque<Entry>,
    room_bytes: u64,
) -> Result<OpenSegment, JournalFault> {
    let (draft, file, seal) = Draft::begin(folder, keys, begin)?;
    let mut segment = OpenSegment::new(file, seal, draft.bytes);
    let written = entries.iter().try_for_each(|entry| segment.write(entry).map(drop));
    written
        .and_then(|()| super::reserve::has_room(folder, room_bytes))
        .map_err(JournalFault::io("write", folder))?;
    draft.finish(&segment.file, folder)?;
    Ok(segment)
}
