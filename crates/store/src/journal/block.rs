//! Blocks, of which a segment file consists behind its head: how they are sealed and opened.
//!
//! Pure: bytes in, bytes out. A block is `length (u32, little-endian), kind (u8), sealed parts`, where
//! the length counts what follows it. There are two kinds:
//!
//! - *Records*: part 0 is the spine, sealed under the segment's key: for each record its time, the
//!   digest of its event, and where its event stands. Then one part a session, sealed under that
//!   session's key: its events one after the other, as one zstd frame where the block is packed. A
//!   session whose key was destroyed leaves its place in the spine, so the chain still holds.
//! - *Body*: part 0 names session and digest, part 1 is the body, sealed under the session's key. It
//!   stands before the first record that refers to it, in the same file.

use std::ops::Range;

use lockgate_model::{Digest, Timestamp};

use super::{
    record::EVENT_MAX_BYTES,
    seal::{Place, Seal, TAG_BYTES, Under, Unsealable},
    session_keys::SessionKey,
};

/// Bytes of a block before its sealed parts.
pub(super) const HEAD_BYTES: usize = 5;
/// Records of one block.
const RECORDS_MAX: u32 = 65_536;
/// Plain bytes of one part, a bound for what is unpacked: the largest event with others before it.
pub(super) const PART_MAX_BYTES: u64 = EVENT_MAX_BYTES as u64 + 1024 * 1024;
/// Bytes of a block, a bound for what is read: such a part, and the longest spine.
pub(super) const BLOCK_MAX_BYTES: u64 = PART_MAX_BYTES + 16 * 1024 * 1024;
/// The level at which blocks are packed.
const LEVEL: i32 = 1;

const KIND_RECORDS: u8 = 1;
const KIND_BODY: u8 = 2;

/// A record on its way into a block.
#[derive(Clone, Copy)]
pub(super) struct Item<'a> {
    pub(super) time: Timestamp,
    /// The event's bytes, on one line; `None` where its session was erased.
    pub(super) event: Option<&'a [u8]>,
    /// Length of the event.
    pub(super) bytes: usize,
    pub(super) digest: Digest,
    /// The slot of its session; 0 for none.
    pub(super) slot: u64,
    /// The key of its session.
    pub(super) session: Option<&'a SessionKey>,
    /// Digest of the body that is kept apart.
    pub(super) body: Option<Digest>,
}

/// What a block holds, as far as it can be told without a session's key.
#[derive(Debug)]
pub(super) enum Block {
    /// Records.
    Records(Spine),
    /// A body.
    Body(BodyHead),
}

/// The records of a block.
#[derive(Debug)]
pub(super) struct Spine {
    pub(super) first_seq: u64,
    pub(super) entries: Vec<Entry>,
    pub(super) parts: Vec<Part>,
}

/// One record in a spine.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) time: Timestamp,
    pub(super) digest: Digest,
    pub(super) body: Option<Digest>,
    /// Index of the part that holds its event.
    pub(super) part: usize,
    /// Where in the opened part.
    pub(super) range: Range<usize>,
}

/// A sealed part of a block.
#[derive(Clone, Debug)]
pub(super) struct Part {
    slot: u64,
    /// Its place for the seal.
    number: u32,
    /// Where it stands in the block.
    sealed: Range<usize>,
    /// Length once opened and unpacked.
    plain_bytes: u64,
    packed: bool,
}

/// A body kept apart.
#[derive(Debug)]
pub(super) struct BodyHead {
    pub(super) digest: Digest,
    pub(super) part: Part,
}

/// The events of one session in a block that is being written.
struct Stream<'a> {
    slot: u64,
    session: Option<&'a SessionKey>,
    plain: Vec<u8>,
    /// Length of all its events, erased ones as well.
    plain_bytes: u64,
}

impl<'a> Stream<'a> {
    fn new(item: &Item<'a>) -> Self {
        let plain = Vec::with_capacity(item.bytes + TAG_BYTES);
        Self { slot: item.slot, session: item.session, plain, plain_bytes: 0 }
    }
}

/// Appends a block of consecutive records, the first of which is `first_seq`.
pub(super) fn write_records(
    out: &mut Vec<u8>,
    seal: &mut Seal,
    block: u64,
    first_seq: u64,
    items: &[Item<'_>],
    packed: bool,
) -> Result<(), Unsealable> {
    let start = begin(out, KIND_RECORDS);
    let mut streams: Vec<Stream<'_>> = Vec::new();
    let mut places = Vec::with_capacity(items.len());
    for item in items {
        let known = streams.iter().position(|stream| stream.slot == item.slot);
        let index = known.unwrap_or_else(|| {
            streams.push(Stream::new(item));
            streams.len() - 1
        });
        if let Some(stream) = streams.get_mut(index) {
            stream.plain_bytes += item.bytes as u64;
            stream.plain.extend_from_slice(item.event.unwrap_or_default());
        }
        places.push(index);
    }
    let mut parts = Vec::with_capacity(streams.len());
    let mut sealed = Vec::with_capacity(streams.len());
    for (number, stream) in (1..).zip(streams) {
        let Stream { slot, session, plain, plain_bytes } = stream;
        // What was erased keeps its place and nothing else.
        let mut bytes = Vec::new();
        if slot == 0 || session.is_some() {
            bytes = if packed { pack(&plain)? } else { plain };
            seal.seal(under(session), Place { block, part: number }, &mut bytes, 0)?;
        }
        parts.push((slot, bytes.len() as u64, plain_bytes));
        sealed.push(bytes);
    }
    let spine = out.len() + 4;
    out.extend_from_slice(&[0; 4]);
    write_spine(out, first_seq, &parts, items, &places, packed)?;
    seal.seal(Under::Segment, Place { block, part: 0 }, out, spine)?;
    set_length(out, spine - 4, spine)?;
    sealed.iter().for_each(|bytes| out.extend_from_slice(bytes));
    end(out, start)
}

fn write_spine(
    out: &mut Vec<u8>,
    first_seq: u64,
    parts: &[(u64, u64, u64)],
    items: &[Item<'_>],
    places: &[usize],
    packed: bool,
) -> Result<(), Unsealable> {
    let short = |number: usize| u32::try_from(number).map_err(|_| Unsealable);
    out.push(u8::from(packed));
    out.extend_from_slice(&first_seq.to_le_bytes());
    out.extend_from_slice(&short(parts.len())?.to_le_bytes());
    for (slot, sealed_bytes, plain_bytes) in parts {
        for number in [slot, sealed_bytes, plain_bytes] {
            out.extend_from_slice(&number.to_le_bytes());
        }
    }
    out.extend_from_slice(&short(items.len())?.to_le_bytes());
    for (item, place) in items.iter().zip(places) {
        out.extend_from_slice(&item.time.millis().to_le_bytes());
        out.extend_from_slice(item.digest.as_bytes());
        out.extend_from_slice(&short(*place)?.to_le_bytes());
        out.extend_from_slice(&short(item.bytes)?.to_le_bytes());
        out.push(u8::from(item.body.is_some()));
        if let Some(body) = &item.body {
            out.extend_from_slice(body.as_bytes());
        }
    }
    Ok(())
}

/// Appends a body that is kept apart.
pub(super) fn write_body(
    out: &mut Vec<u8>,
    seal: &mut Seal,
    block: u64,
    session: Option<&SessionKey>,
    digest: &Digest,
    body: &[u8],
    packed: bool,
) -> Result<(), Unsealable> {
    let start = begin(out, KIND_BODY);
    let head = out.len();
    out.push(u8::from(packed));
    out.extend_from_slice(&slot(session).to_le_bytes());
    out.extend_from_slice(&(body.len() as u64).to_le_bytes());
    out.extend_from_slice(digest.as_bytes());
    seal.seal(Under::Segment, Place { block, part: 0 }, out, head)?;
    let text = out.len();
    if packed {
        out.extend_from_slice(&pack(body)?);
    } else {
        out.extend_from_slice(body);
    }
    seal.seal(under(session), Place { block, part: 1 }, out, text)?;
    end(out, start)
}

/// The length of what follows a block's head, and its kind.
pub(super) fn read_head(head: [u8; HEAD_BYTES]) -> (u64, u8) {
    let [a, b, c, d, kind] = head;
    (u64::from(u32::from_le_bytes([a, b, c, d])).saturating_sub(1), kind)
}

/// Opens what the segment's key opens of a block. `sealed` is what stands behind the head.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(
    seal: &mut Seal,
    number: u64,
    kind: u8,
    sealed: &mut [u8],
) -> Result<Block, &'static str> {
    const BAD: &str = "a block does not open: its bytes were changed, or moved";
    match kind {
        KIND_RECORDS => {
            let (length, rest) = sealed.split_at_mut_checked(4).ok_or("a block is too short")?;
            let length = u32::from_le_bytes(length.try_into().map_err(|_| BAD)?) as usize;
            let total = rest.len() + 4;
            let spine = rest.get_mut(..length).ok_or("a block is too short")?;
            let spine = seal.open(Under::Segment, place(number, 0), spine).map_err(|_| BAD)?;
            read_spine(spine, 4 + length, total).map(Block::Records)
        }
        KIND_BODY => {
            const LENGTH: usize = 1 + 8 + 8 + 32 + TAG_BYTES;
            let total = sealed.len();
            let head = sealed.get_mut(..LENGTH).ok_or("a block is too short")?;
            let head = seal.open(Under::Segment, place(number, 0), head).map_err(|_| BAD)?;
            let mut fields = Fields(head);
            let packed = fields.byte()? == 1;
            let (slot, plain_bytes) = (fields.long()?, fields.long()?);
            let digest = fields.digest()?;
            let part = Part { slot, number: 1, sealed: LENGTH..total, plain_bytes, packed };
            Ok(Block::Body(BodyHead { digest, part }))
        }
        _ => Err("a block of a kind, or of a length, that this version does not write"),
    }
}

fn read_spine(spine: &[u8], start: usize, total: usize) -> Result<Spine, &'static str> {
    const WRONG: &str = "a block contradicts itself";
    let mut fields = Fields(spine);
    let packed = fields.byte()? == 1;
    let first_seq = fields.long()?;
    let mut at = start;
    let mut parts = Vec::new();
    for number in 1..=fields.count()? {
        let (slot, sealed_bytes, plain_bytes) = (fields.long()?, fields.long()?, fields.long()?);
        let end = usize::try_from(sealed_bytes).ok().and_then(|length| at.checked_add(length));
        let end = end.filter(|end| *end <= total && plain_bytes <= PART_MAX_BYTES).ok_or(WRONG)?;
        parts.push(Part { slot, number, sealed: at..end, plain_bytes, packed });
        at = end;
    }
    let mut ends = vec![0_usize; parts.len()];
    let mut entries = Vec::new();
    for _ in 0..fields.count()? {
        let time = Timestamp::from_millis(fields.long()?.cast_signed());
        let digest = fields.digest()?;
        let (part, length) = (fields.short()? as usize, fields.short()? as usize);
        let body = if fields.byte()? == 1 { Some(fields.digest()?) } else { None };
        let end = ends.get_mut(part).ok_or(WRONG)?;
        let range = *end..*end + length;
        *end = range.end;
        entries.push(Entry { time, digest, body, part, range });
    }
    let full = ends.iter().zip(&parts).all(|(end, part)| *end as u64 == part.plain_bytes);
    if !full || at != total || !fields.0.is_empty() {
        return Err(WRONG);
    }
    Ok(Spine { first_seq, entries, parts })
}

impl Part {
    /// The session's slot; 0 for the segment's own key.
    pub(super) const fn slot(&self) -> u64 {
        self.slot
    }

    /// Opens the part of block `number` in `sealed`, which is what stands behind the block's head.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn open(
        &self,
        seal: &mut Seal,
        number: u64,
        session: Option<&SessionKey>,
        sealed: &mut [u8],
    ) -> Result<Vec<u8>, &'static str> {
        let text = sealed.get_mut(self.sealed.clone()).ok_or("a block is too short")?;
        let text = seal
            .open(under(session), place(number, self.number), text)
            .map_err(|_| "what a session said does not open: its bytes were changed, or moved")?;
        let plain = if self.packed { unpack(text, self.plain_bytes)? } else { text.to_vec() };
        let fits = plain.len() as u64 == self.plain_bytes;
        fits.then_some(plain).ok_or("a block contradicts itself")
    }
}

/// The slot of a session's key.
pub(super) fn slot(session: Option<&SessionKey>) -> u64 {
    session.map_or(0, |session| session.slot)
}

fn under(session: Option<&SessionKey>) -> Under<'_> {
    session.map_or(Under::Segment, |session| Under::Session(session.slot, &session.key))
}

const fn place(block: u64, part: u32) -> Place {
    Place { block, part }
}

fn begin(out: &mut Vec<u8>, kind: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0, 0, 0, 0, kind]);
    start
}

fn end(out: &mut [u8], start: usize) -> Result<(), Unsealable> {
    set_length(out, start, start + 4)
}

/// Writes how many bytes stand from `from` on as the four bytes at `at`.
fn set_length(out: &mut [u8], at: usize, from: usize) -> Result<(), Unsealable> {
    let length = u32::try_from(out.len() - from).map_err(|_| Unsealable)?;
    let field = out.get_mut(at..at + 4).ok_or(Unsealable)?;
    field.copy_from_slice(&length.to_le_bytes());
    Ok(())
}

fn pack(plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
    zstd::bulk::compress(plain, LEVEL).map_err(|_| Unsealable)
}

fn unpack(packed: &[u8], plain_bytes: u64) -> Result<Vec<u8>, &'static str> {
    let capacity = usize::try_from(plain_bytes.min(PART_MAX_BYTES)).unwrap_or(0);
    zstd::bulk::decompress(packed, capacity).map_err(|_| "a packed block can't be unpacked")
}

/// The fields of an opened spine, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk().ok_or("a block is too short")?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        self.take().map(|[byte]| byte)
    }

    fn short(&mut self) -> Result<u32, &'static str> {
        self.take().map(u32::from_le_bytes)
    }

    fn long(&mut self) -> Result<u64, &'static str> {
        self.take().map(u64::from_le_bytes)
    }

    fn digest(&mut self) -> Result<Digest, &'static str> {
        self.take().map(Digest::from_bytes)
    }

    fn count(&mut self) -> Result<u32, &'static str> {
        Some(self.short()?).filter(|count| *count <= RECORDS_MAX).ok_or("a block is too large")
    }
}
