//! The packer: a thread that writes closed segments again, in large compressed blocks.
//!
//! While a segment is open each record is a block of its own, so that it costs a call little and
//! survives a kill. Once it is closed the same records take a fraction of the room. Sequence numbers,
//! hashes and the seal by session stay as they were; a segment is replaced whole or not at all.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Write as _},
    mem,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
};

use lockgate_model::Digest;

use super::{
    JournalFault, Keys,
    block::{self, Item},
    read::{Chain, SegmentReader, Sessions, Stored},
    seal::Seal,
    segment::{self, Begin, Blocks, Draft, Segment},
    session_keys::SessionKey,
};

/// A block holds at most this many bytes of events, unless one event is longer…
const BLOCK_MAX_BYTES: usize = 256 * 1024;
/// …and at most this many records.
const BLOCK_MAX_RECORDS: usize = 4_096;

/// A running packer. Dropping it ends it after the segment at hand.
#[derive(Debug)]
pub(super) struct Packer {
    tell: Option<mpsc::Sender<()>>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Packer {
    pub(super) fn start(folder: &Path, keys: &Keys) -> Result<Self, JournalFault> {
        let (tell, told) = mpsc::channel();
        let (folder, keys) = (folder.to_owned(), keys.clone());
        let (place, closing) = (folder.clone(), Arc::new(AtomicBool::new(false)));
        let told_to_end = Arc::clone(&closing);
        let thread = std::thread::Builder::new()
            .name("journal-pack".into())
            .spawn(move || run(&folder, &keys, &told, &told_to_end))
            .map_err(JournalFault::io("start the packing thread of", place))?;
        Ok(Self { tell: Some(tell), closing, thread: Some(thread) })
    }

    /// Looks for closed segments.
    pub(super) fn look(&self) {
        if let Some(tell) = &self.tell {
            // It has ended only where it panicked, which its end reports.
            let _ = tell.send(());
        }
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        self.tell = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's packing thread had panicked");
        }
    }
}

fn run(folder: &Path, keys: &Keys, told: &mpsc::Receiver<()>, closing: &AtomicBool) {
    // Segments that are packed, or can't be.
    let mut done = HashSet::new();
    while told.recv().is_ok() {
        let segments = segment::list(folder).unwrap_or_default();
        for pair in segments.windows(2) {
            let [closed, next] = pair else { continue };
            if closing.load(Ordering::Relaxed) {
                return;
            }
            if !done.insert(closed.first_seq) {
                continue;
            }
            if let Err(fault) = pack(folder, keys, closed, next.first_seq) {
                // It is read as it is; a full disk is no reason to lose it.
                tracing::warn!(%fault, segment = closed.first_seq, "a segment stays unpacked");
            }
        }
    }
}

/// Packs one closed segment, which ends before `until`.
fn pack(folder: &Path, keys: &Keys, closed: &Segment, until: u64) -> Result<(), JournalFault> {
    let mut reader = SegmentReader::new(Blocks::open(closed, keys)?, Some(until))?;
    let head = reader.blocks.head.clone();
    if head.packed {
        return Ok(());
    }
    let mut sessions = Sessions::new(folder, keys);
    let begin = Begin {
        first_seq: head.first_seq,
        prev: head.prev,
        tree: &head.tree,
        node: &head.node,
        packed: true,
    };
    let (draft, file, seal) = Draft::begin(folder, keys, &begin)?;
    let mut packed = Packed {
        file,
        path: closed.path.clone(),
        seal,
        block: 0,
        first_seq: head.first_seq,
        bodies: HashSet::new(),
        batch: Vec::new(),
        batch_bytes: 0,
    };
    let mut chain = Chain { next_seq: head.first_seq, prev: Some(head.prev) };
    while let Some(stored) = reader.next_stored(&mut sessions, &mut chain)? {
        let body = match stored.body {
            Some(digest) if !packed.bodies.contains(&(stored.slot, digest)) => {
                reader.body(&mut sessions, &stored)?.map(|body| (digest, body))
            }
            _ => None,
        };
        let session = sessions.get(stored.slot)?;
        packed.add(stored, session, body)?;
    }
    if chain.next_seq != until {
        let offset = reader.blocks.offset;
        return Err(JournalFault::broken(&closed.path, offset, chain.next_seq, "it is missing"));
    }
    packed.flush()?;
    draft.finish(&packed.file, folder)
}

/// A segment that is being written packed.
struct Packed {
    file: File,
    path: PathBuf,
    seal: Seal,
    block: u64,
    /// First record of the batch.
    first_seq: u64,
    bodies: HashSet<(u64, Digest)>,
    batch: Vec<(Stored, Option<Arc<SessionKey>>)>,
    batch_bytes: usize,
}

impl Packed {
    fn add(
        &mut self,
        stored: Stored,
        session: Option<Arc<SessionKey>>,
        body: Option<(Digest, Vec<u8>)>,
    ) -> Result<(), JournalFault> {
        if let Some((digest, body)) = body {
            let mut out = Vec::new();
            let key = session.as_deref();
            let written =
                block::write_body(&mut out, &mut self.seal, self.block, key, &digest, &body, true);
            self.write(written.map(|()| out))?;
            self.bodies.insert((stored.slot, digest));
        }
        self.batch_bytes += stored.bytes;
        self.batch.push((stored, session));
        if self.batch_bytes >= BLOCK_MAX_BYTES || self.batch.len() >= BLOCK_MAX_RECORDS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalFault> {
        let batch = mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        let items: Vec<_> = batch.iter().map(|(stored, session)| item(stored, session)).collect();
        let mut out = Vec::new();
        let (block, first_seq) = (self.block, self.first_seq);
        let written =
            block::write_records(&mut out, &mut self.seal, block, first_seq, &items, true);
        self.first_seq += batch.len() as u64;
        self.write(written.map(|()| out))
    }

    fn write<E>(&mut self, block: Result<Vec<u8>, E>) -> Result<(), JournalFault> {
        self.block += 1;
        block
            .map_err(|_| io::Error::other("a block can't be sealed"))
            .and_then(|block| (&self.file).write_all(&block))
            .map_err(JournalFault::io("pack", &self.path))
    }
}

fn item<'a>(stored: &'a Stored, session: &'a Option<Arc<SessionKey>>) -> Item<'a> {
    Item {
        time: stored.link.time,
        event: stored.event.as_ref().map(|event| event.get().as_bytes()),
        bytes: stored.bytes,
        digest: stored.digest,
        slot: stored.slot,
        session: session.as_deref(),
        body: stored.body,
    }
}
