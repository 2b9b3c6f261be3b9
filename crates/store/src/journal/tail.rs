//! The end of the journal, where the next record goes: the open segment, what of it is not durable yet,
//! and the keys of the sessions that are open.
//!
//! Everything here happens under the journal's one lock, and nothing here waits for the disk.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs::File,
    io::{self, Write as _},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use lockgate_model::{Digest, Event, Timestamp};

use super::{
    Frontier, JournalFault, JournalOptions, Keys, Position, Stats,
    block::{self, Item},
    record::{Link, Payload},
    seal::{Seal, Unsealable},
    segment::{Begin, Draft},
    session_keys::{SessionKey, SessionKeys},
};

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

/// Everything up to the last durable record.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// Hash of that record.
    pub(super) hash: Digest,
    /// The tree over all of them.
    pub(super) tree: Frontier,
}

impl Settled {
    /// A segment that begins behind them.
    pub(super) fn begin<'a>(&'a self, node: &'a str) -> Begin<'a> {
        let first_seq = self.tree.size() + 1;
        Begin { first_seq, prev: self.hash, tree: &self.tree, node, packed: false }
    }
}

/// The end of the journal, where the next record goes.
#[derive(Debug)]
pub(super) struct Tail {
    /// The open segment.
    pub(super) segment: OpenSegment,
    /// The last record.
    pub(super) seq: u64,
    hash: Digest,
    pub(super) sessions: SessionKeys,
    /// Keys of the sessions that are open.
    open: HashMap<Box<str>, Arc<SessionKey>>,
    /// A session's key was made that is not synced yet.
    pub(super) keys_dirty: bool,
    /// What is durable.
    pub(super) settled: Settled,
    /// Records that are not durable yet, oldest first.
    pub(super) pending: VecDeque<Entry>,
    pending_bytes: usize,
    /// On a full disk: bytes that events which end something may still take.
    pub(super) last_bytes: u64,
    /// Somebody waits for a sync.
    pub(super) awaited: bool,
    /// What the sync thread does, so that nobody wakes it in vain.
    pub(super) rest: Rest,
    /// Why the file can't be written; appends are refused until the sync thread has a new one.
    pub(super) unavailable: Option<Arc<str>>,
    /// The open segment failed and takes nothing more.
    pub(super) failed: bool,
    pub(super) closing: bool,
    pub(super) stats: Stats,
}

/// The file that is written to, with its seal.
#[derive(Debug)]
pub(super) struct OpenSegment {
    /// Shared with the sync thread, which syncs it without the lock.
    pub(super) file: Arc<File>,
    /// Its length.
    pub(super) bytes: u64,
    seal: Seal,
    /// The next block.
    block: u64,
    /// Bodies that stand in it, by slot and digest.
    bodies: HashSet<(u64, Digest)>,
    scratch: Vec<u8>,
}

/// A body that is kept apart from its event.
#[derive(Clone, Debug)]
pub(super) struct ApartBody {
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
}

/// A record that is written but may not be durable yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) link: Link,
    payload: Payload,
    session: Option<Arc<SessionKey>>,
    body: Option<ApartBody>,
}

impl Entry {
    /// Memory held, in bytes.
    fn bytes(&self) -> usize {
        const OVERHEAD_BYTES: usize = 256;
        let body = self.body.as_ref().map_or(0, |body| body.bytes.len());
        self.payload.bytes.len() + body + OVERHEAD_BYTES
    }
}

impl OpenSegment {
    /// An empty segment, durable.
    pub(super) fn create(
        folder: &Path,
        keys: &Keys,
        begin: &Begin<'_>,
    ) -> Result<Self, JournalFault> {
        let (draft, file, seal) = Draft::begin(folder, keys, begin)?;
        draft.finish(&file, folder)?;
        Ok(Self::new(file, seal, draft.bytes))
    }

    /// A segment of which nothing but the head is written, `bytes` long.
    pub(super) fn new(file: File, seal: Seal, bytes: u64) -> Self {
        let (bodies, scratch) = (HashSet::new(), Vec::new());
        Self { file: Arc::new(file), bytes, seal, block: 0, bodies, scratch }
    }

    /// Writes the record with one call, so that a killed process leaves whole blocks; tells whether
    /// its body stood there already.
    ///
    /// # Errors
    /// Whatever the file says, and [`io::ErrorKind::WriteZero`] where it took only a part.
    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<bool> {
        self.scratch.clear();
        let known = self.encode(entry).map_err(|_| io::Error::other("it can't be sealed"))?;
        let written = self.file.as_ref().write(&self.scratch)?;
        self.bytes += written as u64;
        if written != self.scratch.len() {
            let error = "only a part of the record was written";
            return Err(io::Error::new(io::ErrorKind::WriteZero, error));
        }
        Ok(known)
    }

    fn encode(&mut self, entry: &Entry) -> Result<bool, Unsealable> {
        let Self { seal, scratch, .. } = self;
        let session = entry.session.as_deref();
        let mut known = false;
        if let Some(ApartBody { digest, bytes }) = &entry.body {
            known = !self.bodies.insert((block::slot(session), *digest));
            if !known {
                block::write_body(scratch, seal, self.block, session, digest, bytes, false)?;
                self.block += 1;
            }
        }
        let item = Item {
            time: entry.link.time,
            event: Some(&entry.payload.bytes),
            bytes: entry.payload.bytes.len(),
            digest: entry.payload.digest,
            slot: block::slot(session),
            session,
            body: entry.body.as_ref().map(|body| body.digest),
        };
        block::write_records(scratch, seal, self.block, entry.link.seq, &[item], false)?;
        self.block += 1;
        Ok(known)
    }
}

impl Tail {
    pub(super) fn new(settled: Settled, segment: OpenSegment, sessions: SessionKeys) -> Self {
        Self {
            segment,
            seq: settled.tree.size(),
            hash: settled.hash,
            sessions,
            open: HashMap::new(),
            keys_dirty: false,
            settled,
            pending: VecDeque::new(),
            pending_bytes: 0,
            last_bytes: 0,
            awaited: false,
            rest: Rest::Busy,
            unavailable: None,
            failed: false,
            closing: false,
            stats: Stats::default(),
        }
    }

    /// Appends one record.
    ///
    /// # Errors
    /// [`JournalFault::Unavailable`]
    pub(super) fn append(
        &mut self,
        now: Timestamp,
        payload: Payload,
        event: &Event,
        body: Option<ApartBody>,
        options: &JournalOptions,
    ) -> Result<Position, JournalFault> {
        if let Some(detail) = &self.unavailable
            && !self.may_still(event, &payload)
        {
            return Err(JournalFault::Unavailable(Arc::clone(detail)));
        }
        if self.pending_bytes >= options.pending_max_bytes {
            return Err(JournalFault::Unavailable("the disk is too slow for the load".into()));
        }
        let link = Link::new(self.hash, self.seq + 1, now, &payload.digest);
        let session = self.session_key(event.session())?;
        let entry = Entry { link, payload, session, body };
        let before = self.segment.bytes;
        match self.segment.write(&entry) {
            Ok(known) => {
                self.stats.appended += 1;
                self.stats.bytes += self.segment.bytes - before;
                self.last_bytes = self.last_bytes.saturating_sub(self.segment.bytes - before);
                self.stats.bodies_known += u64::from(known);
                self.seq = link.seq;
                self.hash = link.hash;
                self.pending_bytes += entry.bytes();
                self.pending.push_back(entry);
                if let Event::Closed { session, .. } = event {
                    self.open.remove(session.as_str());
                }
                Ok(Position(link.seq))
            }
            Err(error) => {
                // Gives back what a part of a record took, so that a full disk is not fuller.
                let _ = self.segment.file.set_len(before);
                Err(JournalFault::Unavailable(self.fail(&error)))
            }
        }
    }

    /// On a full disk, what was begun may still end while there is held-back space.
    fn may_still(&self, event: &Event, payload: &Payload) -> bool {
        const AROUND_BYTES: u64 = 1024;
        !self.failed
            && matches!(event, Event::Outcome(_) | Event::Closed { .. })
            && payload.bytes.len() as u64 + AROUND_BYTES <= self.last_bytes
    }

    /// Memory that is held for what is not durable, in bytes.
    pub(super) const fn pending_bytes(&self) -> usize {
        self.pending_bytes
    }

    /// Whether the session has begun and not ended.
    pub(super) fn is_open(&self, session: &str) -> bool {
        self.open.contains_key(session)
    }

    /// The key of an open session, made with the first event that names it.
    fn session_key(
        &mut self,
        session: Option<&str>,
    ) -> Result<Option<Arc<SessionKey>>, JournalFault> {
        let Some(session) = session else { return Ok(None) };
        if let Some(key) = self.open.get(session) {
            return Ok(Some(Arc::clone(key)));
        }
        let made = self.sessions.create(session);
        let key = match made {
            Ok(key) => Arc::new(key),
            Err(error) => return Err(JournalFault::Unavailable(self.fail(&error))),
        };
        self.keys_dirty = true;
        self.open.insert(session.into(), Arc::clone(&key));
        Ok(Some(key))
    }

    /// Gives the file up. Only the sync thread brings the next one.
    pub(super) fn fail(&mut self, error: &dyn std::fmt::Display) -> Arc<str> {
        let detail: Arc<str> = error.to_string().into();
        self.stats.failures += 1;
        self.failed = true;
        self.last_bytes = 0;
        self.unavailable = Some(Arc::clone(&detail));
        detail
    }

    /// Goes on in `segment`, in which, or before which, every record is durable.
    pub(super) fn take_segment(&mut self, segment: OpenSegment) {
        self.segment = segment;
        self.failed = false;
        drop(self.settle(self.seq));
    }

    /// Forgets the records up to `durable`, and gives them to be dropped without the lock.
    pub(super) fn settle(&mut self, durable: u64) -> Vec<Entry> {
        let count = self.pending.partition_point(|entry| entry.link.seq <= durable);
        let settled: Vec<_> = self.pending.drain(..count).collect();
        self.pending_bytes -= settled.iter().map(Entry::bytes).sum::<usize>();
        for entry in &settled {
            self.settled.tree.push(&entry.link.hash);
            self.settled.hash = entry.link.hash;
        }
        settled
    }
}
