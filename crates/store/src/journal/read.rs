//! Reading a journal from its files, with every hash checked, while a writer may be running.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use lockgate_model::Digest;
use serde_json::value::RawValue;

use super::{
    JournalFault, Keys, Record,
    block::{self, Block, BodyHead, Part, Spine},
    record::{self, GENESIS, Link},
    segment::{self, Blocks, Raw, Segment},
    session_keys::{FILE as SESSION_KEYS, SessionKey, SessionKeys},
    shelf::{Elsewhere, Shelf},
};

/// Keys of sessions that a reader remembers.
const SESSIONS_MAX: usize = 10_000;

/// The records of a folder in the order of their sequence numbers.
///
/// At the end of what is written it gives `None`; asked again later, it goes on from there. After an
/// error it gives nothing more.
#[derive(Debug)]
pub struct Reader {
    shelf: Shelf,
    sessions: Sessions,
    current: Option<SegmentReader>,
    chain: Chain,
    /// First record that is given.
    from: u64,
    failed: bool,
}

/// Reads the journal in `folder`, without a lock. What is being written at its end is left out.
///
/// # Errors
/// [`JournalFault::Io`]; while reading also [`JournalFault::Broken`] at the first record that is
/// missing or is not what was written. Where the oldest segments were retired, it begins with the
/// first record that is left.
pub fn read(folder: &Path, keys: &Keys) -> Result<Reader, JournalFault> {
    read_from(folder, keys, 1)
}

/// As [`read`], from record `seq` on, without reading the segments before it.
///
/// # Errors
/// As [`read`].
pub fn read_from(folder: &Path, keys: &Keys, seq: u64) -> Result<Reader, JournalFault> {
    read_with(folder, keys, seq, None)
}

/// As [`read_from`], with segments that may have to be brought from elsewhere.
///
/// # Errors
/// As [`read`], and what bringing them says.
pub fn read_with(
    folder: &Path,
    keys: &Keys,
    seq: u64,
    elsewhere: Option<&Elsewhere>,
) -> Result<Reader, JournalFault> {
    let shelf = Shelf::new(folder, keys, elsewhere);
    let segments = shelf.list()?;
    let holds = |segment: &&Segment| segment.first_seq <= seq;
    let first = segments.iter().rfind(holds).or(segments.first());
    let first_seq = first.map_or(1, |segment| segment.first_seq);
    Ok(Reader {
        shelf,
        sessions: Sessions::new(folder, keys),
        current: None,
        chain: Chain { next_seq: first_seq, prev: None },
        from: seq,
        failed: false,
    })
}

/// The last whole record in `folder`; 0 in an empty one. Reads the newest segment alone.
///
/// # Errors
/// As [`read`].
pub fn last_seq(folder: &Path, keys: &Keys) -> Result<u64, JournalFault> {
    let newest = segment::list(folder)?.pop().map_or(1, |newest| newest.first_seq);
    let mut last = newest - 1;
    for record in read_from(folder, keys, newest)? {
        last = record?.seq;
    }
    Ok(last)
}

/// What follows the segment that was read.
enum Next {
    /// Another one, which is open now.
    Opened,
    /// Nothing yet.
    End,
    /// Not the next record, but this segment of later ones.
    Missing(PathBuf),
}

/// The node that wrote the newest segment; `None` in an empty folder.
///
/// # Errors
/// As [`read`].
pub fn node(folder: &Path, keys: &Keys) -> Result<Option<String>, JournalFault> {
    let last = segment::list(folder)?.pop();
    last.map(|last| Ok(Blocks::open(&last, keys)?.head.node)).transpose()
}

impl Reader {
    fn advance(&mut self) -> Result<Option<Record>, JournalFault> {
        let mut looked_again = false;
        loop {
            if let Some(current) = &mut self.current {
                while let Some(record) = current.next(&mut self.sessions, &mut self.chain)? {
                    if record.seq >= self.from {
                        return Ok(Some(record));
                    }
                }
            }
            match self.open_next()? {
                Next::Opened => looked_again = false,
                Next::End => return Ok(None),
                // Its last records came, and it was closed, between the two looks.
                Next::Missing(_) if !looked_again => looked_again = true,
                Next::Missing(path) => {
                    let detail = "it is missing";
                    return Err(JournalFault::broken(&path, 0, self.chain.next_seq, detail));
                }
            }
        }
    }

    /// Moves on to the segment that holds the next record, if there is one besides the current.
    fn open_next(&mut self) -> Result<Next, JournalFault> {
        let segments = self.shelf.list()?;
        let next_seq = self.chain.next_seq;
        let at = segments.iter().rposition(|segment| segment.first_seq <= next_seq);
        let known = self.current.as_ref().map(|current| current.blocks.head.first_seq);
        let segment = at.and_then(|at| segments.get(at));
        let Some(segment) = segment.filter(|segment| Some(segment.first_seq) != known) else {
            let behind = segments.into_iter().find(|segment| segment.first_seq > next_seq);
            return Ok(behind.map_or(Next::End, |behind| Next::Missing(behind.path)));
        };
        let until = at.and_then(|at| segments.get(at + 1)).map(|next| next.first_seq);
        let opened = SegmentReader::new(self.shelf.open(segment)?, until)?;
        if self.chain.prev.is_none() {
            self.chain.prev = Some(opened.blocks.head.prev);
        }
        self.current = Some(opened);
        Ok(Next::Opened)
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.advance().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

/// The place in the chain that the next record must fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub(super) next_seq: u64,
    /// `None` before the first segment was opened.
    pub(super) prev: Option<Digest>,
}

/// The session keys of a folder, as far as a reader needed them.
#[derive(Debug)]
pub(super) struct Sessions {
    folder: PathBuf,
    keys: Keys,
    file: Option<SessionKeys>,
    known: HashMap<u64, Option<Arc<SessionKey>>>,
}

impl Sessions {
    pub(super) fn new(folder: &Path, keys: &Keys) -> Self {
        // A journal that holds no session yet has no file of them.
        Self { folder: folder.to_owned(), keys: keys.clone(), file: None, known: HashMap::new() }
    }

    /// The key in `slot`; `None` where it was erased, and for slot 0, which is nobody's.
    pub(super) fn get(&mut self, slot: u64) -> Result<Option<Arc<SessionKey>>, JournalFault> {
        if slot == 0 {
            return Ok(None);
        }
        if let Some(known) = self.known.get(&slot) {
            return Ok(known.clone());
        }
        let key = self.file()?.get(slot)?;
        if self.known.len() >= SESSIONS_MAX {
            self.known.clear();
        }
        let key = key.map(|key| Arc::new(SessionKey { slot, key }));
        self.known.insert(slot, key.clone());
        Ok(key)
    }

    /// The session of a slot whose key was erased.
    pub(super) fn name(&mut self, slot: u64) -> Result<Option<String>, JournalFault> {
        Ok(self.file()?.session(slot))
    }

    fn file(&mut self) -> Result<&SessionKeys, JournalFault> {
        let path = self.folder.join(SESSION_KEYS);
        if self.file.is_none() && path.exists() {
            self.file = Some(SessionKeys::open(&self.folder, &self.keys, false)?);
        }
        let missing =
            JournalFault::Key { path, detail: "it is missing; restore it from your backup" };
        self.file.as_ref().ok_or(missing)
    }
}

/// The verified records of one segment.
pub(super) struct SegmentReader {
    pub(super) blocks: Blocks,
    /// Behind the block that was read last.
    tip: Tip,
    /// Records of that block.
    queue: VecDeque<Stored>,
    /// Where bodies stand that later records refer to.
    bodies: HashMap<(u64, Digest), BodyAt>,
    /// First record of the next segment: what stands from there on does not count.
    until: Option<u64>,
}

/// A place between two records of one file.
#[derive(Clone, Copy)]
struct Tip {
    next_seq: u64,
    /// Hash of the record before.
    hash: Digest,
}

/// A record as it stands in the file, without the body that is kept apart.
pub(super) struct Stored {
    pub(super) link: Link,
    pub(super) prev: Digest,
    /// Digest of the event.
    pub(super) digest: Digest,
    /// Length of the event.
    pub(super) bytes: usize,
    /// Slot of its session.
    pub(super) slot: u64,
    pub(super) event: Option<Box<RawValue>>,
    /// Digest of the body.
    pub(super) body: Option<Digest>,
}

/// A body in the file.
struct BodyAt {
    number: u64,
    offset: u64,
    bytes: usize,
    part: Part,
}

impl SegmentReader {
    /// The records of a segment that was opened, up to the one before `until`.
    pub(super) fn new(blocks: Blocks, until: Option<u64>) -> Result<Self, JournalFault> {
        if blocks.head.first_seq == 1 && blocks.head.prev != GENESIS {
            return Err(JournalFault::broken(&blocks.path, 0, 1, "its head contradicts itself"));
        }
        let tip = Tip { next_seq: blocks.head.first_seq, hash: blocks.head.prev };
        Ok(Self { blocks, tip, queue: VecDeque::new(), bodies: HashMap::new(), until })
    }

    /// The next record from `chain` on; `None` at the end, be it too early, and before a block that
    /// is not all there.
    pub(super) fn next(
        &mut self,
        sessions: &mut Sessions,
        chain: &mut Chain,
    ) -> Result<Option<Record>, JournalFault> {
        let Some(stored) = self.next_stored(sessions, chain)? else { return Ok(None) };
        let body = self.body(sessions, &stored)?;
        let body = body.map(json_line).transpose();
        let body = body.map_err(|_| self.broken(stored.link.seq, "its body is no JSON"))?;
        let Stored { link: Link { seq, time, hash }, prev, event, .. } = stored;
        Ok(Some(Record { seq, time, prev, hash, event, body }))
    }

    /// As [`Self::next`], with the body left where it is.
    pub(super) fn next_stored(
        &mut self,
        sessions: &mut Sessions,
        chain: &mut Chain,
    ) -> Result<Option<Stored>, JournalFault> {
        loop {
            if self.until.is_some_and(|until| chain.next_seq >= until) {
                return Ok(None);
            }
            while let Some(stored) = self.queue.pop_front() {
                let link = stored.link;
                // A segment that replaced a failed one repeats the records that were not durable.
                if link.seq < chain.next_seq {
                    continue;
                }
                if link.seq != chain.next_seq {
                    return Err(self.broken(chain.next_seq, "another record stands in its place"));
                }
                if chain.prev.is_some_and(|prev| prev != stored.prev) {
                    let detail = "it does not follow the record before";
                    return Err(self.broken(chain.next_seq, detail));
                }
                *chain = Chain { next_seq: link.seq + 1, prev: Some(link.hash) };
                return Ok(Some(stored));
            }
            let Some(raw) = self.blocks.next()? else { return Ok(None) };
            self.take(raw, sessions, chain)?;
        }
    }

    fn take(
        &mut self,
        mut raw: Raw,
        sessions: &mut Sessions,
        chain: &Chain,
    ) -> Result<(), JournalFault> {
        let block = block::read(&mut self.blocks.seal, raw.number, raw.kind, &mut raw.sealed);
        match block.map_err(|detail| self.broken(chain.next_seq, detail))? {
            Block::Body(BodyHead { digest, part }) => {
                let key = (part.slot(), digest);
                let (number, offset, bytes) = (raw.number, raw.offset, raw.sealed.len());
                self.bodies.insert(key, BodyAt { number, offset, bytes, part });
                Ok(())
            }
            Block::Records(spine) => self.records(spine, raw, sessions),
        }
    }

    fn records(
        &mut self,
        spine: Spine,
        mut raw: Raw,
        sessions: &mut Sessions,
    ) -> Result<(), JournalFault> {
        let mut parts = Vec::with_capacity(spine.parts.len());
        for part in &spine.parts {
            let session = sessions.get(part.slot())?;
            if part.slot() != 0 && session.is_none() {
                parts.push(None);
                continue;
            }
            let seal = &mut self.blocks.seal;
            let opened = part.open(seal, raw.number, session.as_deref(), &mut raw.sealed);
            parts.push(Some(opened.map_err(|detail| self.broken(self.tip.next_seq, detail))?));
        }
        if spine.first_seq != self.tip.next_seq {
            return Err(self.broken(self.tip.next_seq, "another record stands in its place"));
        }
        for entry in spine.entries {
            let (seq, prev) = (self.tip.next_seq, self.tip.hash);
            let event = parts.get(entry.part).and_then(Option::as_ref);
            let event = event.map(|part| part.get(entry.range.clone()).unwrap_or_default());
            let event = event.map(|bytes| self.event(seq, bytes, &entry.digest)).transpose()?;
            let link = Link::new(prev, seq, entry.time, &entry.digest);
            let slot = spine.parts.get(entry.part).map_or(0, Part::slot);
            let (digest, bytes, body) = (entry.digest, entry.range.len(), entry.body);
            self.queue.push_back(Stored { link, prev, digest, bytes, slot, event, body });
            self.tip = Tip { next_seq: seq + 1, hash: link.hash };
        }
        Ok(())
    }

    fn event(
        &self,
        seq: u64,
        bytes: &[u8],
        digest: &Digest,
    ) -> Result<Box<RawValue>, JournalFault> {
        if record::digest(bytes) != *digest {
            return Err(self.broken(seq, "its event is not the one that was hashed"));
        }
        serde_json::from_slice(bytes).map_err(|_| self.broken(seq, "its event is no JSON"))
    }

    /// The body of a record; `None` where it has none, or was erased.
    pub(super) fn body(
        &mut self,
        sessions: &mut Sessions,
        stored: &Stored,
    ) -> Result<Option<Vec<u8>>, JournalFault> {
        let (Some(digest), Some(_)) = (&stored.body, &stored.event) else { return Ok(None) };
        let seq = stored.link.seq;
        let session = sessions.get(stored.slot)?;
        if stored.slot != 0 && session.is_none() {
            return Ok(None);
        }
        let Some(at) = self.bodies.get(&(stored.slot, *digest)) else {
            return Err(self.broken(seq, "its body is missing"));
        };
        let mut sealed = self.blocks.again(at.offset, at.bytes)?;
        let seal = &mut self.blocks.seal;
        let opened = at.part.open(seal, at.number, session.as_deref(), &mut sealed);
        let body = opened.map_err(|detail| self.broken(seq, detail))?;
        if record::digest(&body) != *digest {
            return Err(self.broken(seq, "its body is not the one that was hashed"));
        }
        Ok(Some(body))
    }

    fn broken(&self, seq: u64, detail: &'static str) -> JournalFault {
        JournalFault::broken(&self.blocks.path, self.blocks.offset, seq, detail)
    }
}

/// A body as JSON on one line.
fn json_line(mut body: Vec<u8>) -> serde_json::Result<Box<RawValue>> {
    record::on_one_line(&mut body);
    serde_json::from_slice(&body)
}

impl std::fmt::Debug for SegmentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SegmentReader({} at {})", self.blocks.path.display(), self.blocks.offset)
    }
}
