//! Appending, on the caller's own thread: one lock, one write, no hop.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use bytes::Bytes;
use lockgate_model::{Digest, Event, KeptChange, KeptEvent, Timestamp};
use tokio::sync::watch;

use super::{
    JournalFault, Keys, Recovery, SignedHead,
    holds::Holds,
    notary::Notary,
    pack::Packer,
    record::{EVENT_MAX_BYTES, Payload},
    recover,
    reserve::Reserve,
    session_keys::SessionKeys,
    sync::Worker,
    tail::{ApartBody, OpenSegment, Rest, Settled, Tail},
};

/// Limits of a journal, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// Name of the node that writes it; it stands in every signed head.
    pub node: String,
    /// A segment that is longer is closed, and the next one begun. In bytes.
    pub segment_max_bytes: u64,
    /// Records that are not durable yet are kept in memory up to this size; beyond it appends are
    /// refused until the disk has caught up. In bytes.
    pub pending_max_bytes: usize,
    /// A body at least this long is kept apart from its event, once a session and segment. In bytes.
    pub body_apart_min_bytes: usize,
    /// A tree head is signed after this many records at the latest.
    pub head_max_records: u64,
    /// A record is under a signed head after this time at the latest, in ms.
    pub head_max_ms: u64,
    /// Disk space that is held back, so that a full disk can still close and sign. In bytes.
    pub reserve_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            node: "lockgate".to_owned(),
            segment_max_bytes: 64 * 1024 * 1024,
            pending_max_bytes: 64 * 1024 * 1024,
            body_apart_min_bytes: 16 * 1024,
            head_max_records: 1_000,
            head_max_ms: 60_000,
            reserve_bytes: 256 * 1024,
        }
    }
}

/// The sequence number of an appended record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(super) u64);

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
    /// Bodies that were not written because their session had them in the same segment.
    pub bodies_known: u64,
    /// Syncs that succeeded.
    pub syncs: u64,
    /// Duration of the last sync, in microseconds.
    pub sync_us: u64,
    /// Times that a file failed and was replaced, or is being replaced.
    pub failures: u64,
}

/// The one writer of a folder. Share it in an `Arc`; dropping it syncs and signs what is left.
#[derive(Debug)]
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    heads: watch::Receiver<Option<Arc<SignedHead>>>,
    holds: Holds,
    /// Held while what is kept changes, so that a hold can't come between an erasure's look for one
    /// and its end.
    changing: tokio::sync::Mutex<()>,
    thread: Option<JoinHandle<()>>,
    /// Held, never read: closing it gives the folder free.
    _lock: File,
}

impl Journal {
    /// Opens or creates the journal in `folder`, drops a torn tail, and starts its threads.
    ///
    /// # Errors
    /// [`JournalFault::Locked`] where another process writes here, [`JournalFault::Broken`] where
    /// the last segment is damaged before its end, [`JournalFault::Key`] where it was written under
    /// other keys, and [`JournalFault::Io`].
    pub fn open(
        folder: &Path,
        keys: &Keys,
        options: JournalOptions,
    ) -> Result<(Self, Recovery), JournalFault> {
        let opened = recover::open(folder, keys)?;
        let recovery = opened.recovery;
        let (publish_head, heads) = watch::channel(None);
        let notary = Notary::start(folder, keys, &options, &opened.tree, publish_head)?;
        let packer = Packer::start(folder, keys)?;
        let settled = Settled { hash: opened.hash, tree: opened.tree };
        // Before the segment, with whose name its own becomes durable.
        let sessions = SessionKeys::open(folder, keys, true)?;
        let segment = OpenSegment::create(folder, keys, &settled.begin(&options.node))?;
        let reserve = Reserve::take(folder, options.reserve_bytes)
            .map_err(JournalFault::io("hold back disk space in", folder))?;
        let (publish, progress) =
            watch::channel(Progress { durable: recovery.last_seq, unavailable: None });
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            keys: keys.clone(),
            options,
            tail: Mutex::new(Tail::new(settled, segment, sessions)),
            wake: Condvar::new(),
        });
        packer.look();
        let mut worker = Worker::new(Arc::clone(&shared), publish, notary, packer, reserve);
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || worker.run())
            .map_err(JournalFault::io("start the sync thread of", folder))?;
        let holds = Holds::open(folder)?;
        Ok((
            Self {
                shared,
                progress,
                heads,
                holds,
                changing: tokio::sync::Mutex::default(),
                thread: Some(thread),
                _lock: opened.lock,
            },
            recovery,
        ))
    }

    /// Writes `event` as the next record. When this returns, the record survives the process; for
    /// the machine see [`Journal::synced`].
    ///
    /// # Errors
    /// [`JournalFault::Unavailable`] while the disk can't be written or is too far behind,
    /// [`JournalFault::TooLarge`], [`JournalFault::Event`]. The record then does not count.
    pub fn append(&self, now: Timestamp, event: &Event) -> Result<Position, JournalFault> {
        self.append_entry(now, event, None)
    }

    /// Whether a body of this length is kept apart: its event is then appended without it.
    pub fn keeps_apart(&self, bytes: usize) -> bool {
        bytes >= self.shared.options.body_apart_min_bytes
    }

    /// As [`Journal::append`], with a JSON document that the event names by its digest alone.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn append_with_body(
        &self,
        now: Timestamp,
        event: &Event,
        digest: Digest,
        body: Bytes,
    ) -> Result<Position, JournalFault> {
        self.append_entry(now, event, Some(ApartBody { digest, bytes: body }))
    }

    fn append_entry(
        &self,
        now: Timestamp,
        event: &Event,
        body: Option<ApartBody>,
    ) -> Result<Position, JournalFault> {
        let payload = Payload::new(event)?;
        let bytes = body.as_ref().map_or(0, |body| body.bytes.len());
        if bytes > EVENT_MAX_BYTES {
            return Err(JournalFault::TooLarge { bytes, bytes_max: EVENT_MAX_BYTES });
        }
        let mut tail = self.shared.lock();
        let result = tail.append(now, payload, event, body, &self.shared.options);
        let wake = tail.rest == Rest::Asleep || (tail.rest == Rest::Napping && tail.failed);
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

    /// Waits while the disk is so far behind that half of the room for what is not durable is
    /// taken. What follows a call, and does not wait for its own record, slows down here before it
    /// is refused.
    pub async fn room(&self) {
        let mut progress = self.progress.clone();
        loop {
            let behind = {
                let tail = self.shared.lock();
                tail.unavailable.is_none()
                    && tail.pending_bytes() > self.shared.options.pending_max_bytes / 2
            };
            if !behind {
                return;
            }
            self.shared.want_sync();
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Changes what is kept: puts it on the record, durably, and then does it. Erasing destroys the
    /// session's key; everything that was sealed under it can't be read any more, while chain and
    /// tree still verify.
    ///
    /// # Errors
    /// [`JournalFault::Refused`] where it may not be done now, and what [`Journal::append`] and
    /// [`Journal::synced`] say.
    pub async fn keep(&self, now: Timestamp, kept: KeptEvent) -> Result<Position, JournalFault> {
        let _changing = self.changing.lock().await;
        if let KeptChange::Erase { session } = &kept.change {
            if self.holds.contains(session) {
                return Err(JournalFault::Refused("the session is on hold; release it first"));
            }
            if self.shared.lock().is_open(session) {
                return Err(JournalFault::Refused("the session is still open"));
            }
        }
        let change = kept.change.clone();
        let position = self.append(now, &Event::Kept(kept))?;
        self.synced(position).await?;
        match &change {
            KeptChange::Erase { session } => {
                let tail = self.shared.lock();
                let erased = tail.sessions.erase(session);
                erased.map_err(JournalFault::io("erase a key in", &self.shared.folder))?;
            }
            KeptChange::Hold { session } => self.holds.add(session)?,
            KeptChange::Release { session } => self.holds.remove(session)?,
            KeptChange::Retire { .. } => {}
        }
        Ok(position)
    }

    /// Sessions that are kept whatever retention says.
    pub fn held(&self) -> Vec<String> {
        self.holds.list()
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

    /// The last record that survives a power cut; changes as more become durable.
    pub fn durable(&self) -> u64 {
        self.progress.borrow().durable
    }

    /// Follows the signed tree heads, from the newest one on.
    pub fn heads(&self) -> watch::Receiver<Option<Arc<SignedHead>>> {
        self.heads.clone()
    }

    /// The folder it writes to.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
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
    pub(super) keys: Keys,
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
