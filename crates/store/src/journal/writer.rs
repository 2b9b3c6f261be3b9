//! Appending, on the caller's own thread: one lock, one write, no hop.

use std::{
    collections::VecDeque,
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use lockgate_model::{Digest, Event, Timestamp};
use tokio::sync::watch;

use super::{
    JournalFault, Recovery,
    record::{Entry, Link, Payload},
    recover, sync,
};

/// Limits of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment that is longer is closed, and the next one begun. In bytes.
    pub segment_max_bytes: u64,
    /// Records that are not durable yet are kept in memory up to this size; beyond it appends are
    /// refused until the disk has caught up. In bytes.
    pub pending_max_bytes: usize,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_max_bytes: 64 * 1024 * 1024, pending_max_bytes: 64 * 1024 * 1024 }
    }
}

/// The sequence number of an appended record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u64);

impl Position {
    /// As written in the record.
    pub const fn seq(self) -> u64 {
        self.0
    }
}

/// What the journal has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records appended.
    pub appended: u64,
    /// Bytes appended.
    pub bytes: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Duration of the last sync, in microseconds.
    pub sync_us: u64,
    /// Times that a file failed and was replaced, or is being replaced.
    pub failures: u64,
}

/// The one writer of a folder. Share it in an `Arc`; dropping it syncs what is left.
#[derive(Debug)]
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    thread: Option<JoinHandle<()>>,
    /// Held, never read: closing it gives the folder free.
    _lock: File,
}

impl Journal {
    /// Opens or creates the journal in `folder`, drops a torn tail, and starts the sync thread.
    ///
    /// # Errors
    /// [`JournalFault::Locked`] where another process writes here, [`JournalFault::Broken`] where
    /// the last segment is damaged before its end, and [`JournalFault::Io`].
    pub fn open(folder: &Path, options: JournalOptions) -> Result<(Self, Recovery), JournalFault> {
        let opened = recover::open(folder)?;
        let recovery = opened.recovery;
        let (publish, progress) =
            watch::channel(Progress { durable: recovery.last_seq, unavailable: None });
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            options,
            tail: Mutex::new(Tail::new(opened.file, opened.bytes, recovery.last_seq, opened.hash)),
            wake: Condvar::new(),
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || sync::run(&worker, &publish))
            .map_err(JournalFault::io("start the sync thread of", folder))?;
        Ok((Self { shared, progress, thread: Some(thread), _lock: opened.lock }, recovery))
    }

    /// Writes `event` as the next record. When this returns, the record survives the process; for
    /// the machine see [`Journal::synced`].
    ///
    /// # Errors
    /// [`JournalFault::Unavailable`] while the disk can't be written or is too far behind,
    /// [`JournalFault::TooLarge`], [`JournalFault::Event`]. The record then does not count.
    pub fn append(&self, now: Timestamp, event: &Event) -> Result<Position, JournalFault> {
        let payload = Payload::new(event)?;
        let mut tail = self.shared.lock();
        let result = tail.append(now, payload, &self.shared.options);
        let wake =
            tail.rest == Rest::Asleep || (tail.rest == Rest::Napping && tail.unavailable.is_some());
        drop(tail);
        if wake {
            self.shared.wake.notify_one();
        }
        result
    }

    /// Waits until the record at `position`, and every one before it, survives a power cut.
    ///
    /// # Errors
    /// [`JournalFault::Unavailable`] where the disk can't be written. The record may still become
    /// durable later: after an error it is unknown, and the caller must not act on it.
    pub async fn synced(&self, position: Position) -> Result<(), JournalFault> {
        let mut progress = self.progress.clone();
        if progress.borrow().durable >= position.0 {
            return Ok(());
        }
        self.shared.want_sync();
        let settled =
            |progress: &Progress| progress.durable >= position.0 || progress.unavailable.is_some();
        let closed = |_| JournalFault::Unavailable("it was closed".into());
        let progress = progress.wait_for(settled).await.map_err(closed)?;
        match &progress.unavailable {
            Some(detail) if progress.durable < position.0 => {
                Err(JournalFault::Unavailable(Arc::clone(detail)))
            }
            _ => Ok(()),
        }
    }

    /// Whether appends are taken at the moment.
    ///
    /// # Errors
    /// [`JournalFault::Unavailable`] with the cause.
    pub fn available(&self) -> Result<(), JournalFault> {
        match &self.shared.lock().unavailable {
            Some(detail) => Err(JournalFault::Unavailable(Arc::clone(detail))),
            None => Ok(()),
        }
    }

    /// Figures for metrics.
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's sync thread had panicked");
        }
    }
}

/// What waiters see of the sync thread's work.
#[derive(Debug)]
pub(super) struct Progress {
    /// Every record up to this sequence number is durable.
    pub(super) durable: u64,
    /// Why nothing more becomes durable at the moment.
    pub(super) unavailable: Option<Arc<str>>,
}

/// What appenders and the sync thread share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) options: JournalOptions,
    tail: Mutex<Tail>,
    /// Wakes the sync thread.
    pub(super) wake: Condvar,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn want_sync(&self) {
        let mut tail = self.lock();
        tail.awaited = true;
        let wake = tail.rest != Rest::Busy;
        drop(tail);
        if wake {
            self.wake.notify_one();
        }
    }
}

/// How the sync thread rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is at work, and looks around before it rests.
    Busy,
    /// It wakes by itself before a record waits too long.
    Napping,
    /// It rests until it is woken.
    Asleep,
}

/// The end of the journal, where the next record goes.
#[derive(Debug)]
pub(super) struct Tail {
    /// The open segment; shared with the sync thread, which syncs it without the lock.
    pub(super) file: Arc<File>,
    /// Its length.
    pub(super) file_bytes: u64,
    /// The last record.
    pub(super) seq: u64,
    hash: Digest,
    /// Records that are not durable yet, oldest first.
    pub(super) pending: VecDeque<Entry>,
    pending_bytes: usize,
    /// Somebody waits for a sync.
    pub(super) awaited: bool,
    /// What the sync thread does, so that nobody wakes it in vain.
    pub(super) rest: Rest,
    /// Why the file can't be written; appends are refused until the sync thread has a new one.
    pub(super) unavailable: Option<Arc<str>>,
    pub(super) closing: bool,
    pub(super) stats: Stats,
    head: Vec<u8>,
}

impl Tail {
    fn new(file: File, file_bytes: u64, seq: u64, hash: Digest) -> Self {
        Self {
            file: Arc::new(file),
            file_bytes,
            seq,
            hash,
            pending: VecDeque::new(),
            pending_bytes: 0,
            awaited: false,
            rest: Rest::Busy,
            unavailable: None,
            closing: false,
            stats: Stats::default(),
            head: Vec::new(),
        }
    }

    fn append(
        &mut self,
        now: Timestamp,
        payload: Payload,
        options: &JournalOptions,
    ) -> Result<Position, JournalFault> {
        if let Some(detail) = &self.unavailable {
            return Err(JournalFault::Unavailable(Arc::clone(detail)));
        }
        if self.pending_bytes >= options.pending_max_bytes {
            return Err(JournalFault::Unavailable("the disk is too slow for the load".into()));
        }
        let link = Link::new(self.hash, self.seq + 1, now, &payload.digest);
        let entry = Entry::new(link, payload);
        match entry.write_to(&mut self.file.as_ref(), &mut self.head) {
            Ok(bytes) => {
                self.file_bytes += bytes;
                self.stats.appended += 1;
                self.stats.bytes += bytes;
                self.seq = link.seq;
                self.hash = link.hash;
                self.pending_bytes += entry.bytes();
                self.pending.push_back(entry);
                Ok(Position(link.seq))
            }
            Err(error) => {
                // Gives back what a part of a line took, so that a full disk is not fuller.
                let _ = self.file.set_len(self.file_bytes);
                Err(JournalFault::Unavailable(self.fail(&error)))
            }
        }
    }

    /// Gives the file up. Only the sync thread brings the next one.
    pub(super) fn fail(&mut self, error: &dyn std::fmt::Display) -> Arc<str> {
        let detail: Arc<str> = error.to_string().into();
        self.stats.failures += 1;
        self.unavailable = Some(Arc::clone(&detail));
        detail
    }

    /// Goes on in `file`, in which, or before which, every record is durable.
    pub(super) fn take_file(&mut self, file: File, file_bytes: u64) {
        self.file = Arc::new(file);
        self.file_bytes = file_bytes;
        self.pending.clear();
        self.pending_bytes = 0;
    }

    /// Forgets the records up to `durable`, and gives them to be dropped without the lock.
    pub(super) fn settle(&mut self, durable: u64) -> Vec<Entry> {
        let count = self.pending.partition_point(|entry| entry.link.seq <= durable);
        let settled: Vec<_> = self.pending.drain(..count).collect();
        self.pending_bytes -= settled.iter().map(Entry::bytes).sum::<usize>();
        settled
    }
}
