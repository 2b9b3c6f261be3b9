//! One record as one line: how it is chained, written and read back.
//!
//! Pure: bytes in, bytes out.

use std::io::{self, IoSlice, Write};

use lockgate_model::{Digest, Event, Timestamp};
use memchr::memchr2;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::JournalFault;

/// Largest line that is written or read, in bytes: a full request, its answer, and room for the
/// frame.
pub(super) const LINE_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Upper bound of the line's bytes around the event.
const HEAD_MAX_BYTES: usize = 256;

/// What the first record of a journal names as the hash before it.
pub(super) const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// One record of the journal, as read back and verified.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Sequence number: 1 for the first record, then without gaps.
    pub seq: u64,
    /// When it was appended, by the clock of the caller; the order is `seq`, not this.
    pub time: Timestamp,
    /// Hash of the record before.
    pub prev: Digest,
    /// Hash of this record.
    pub hash: Digest,
    /// The event's bytes as they were hashed.
    pub event: Box<RawValue>,
}

impl Record {
    /// The event as a value.
    ///
    /// # Errors
    /// [`JournalFault::Event`] where a later version wrote an event that this one does not know.
    pub fn event(&self) -> Result<Event, JournalFault> {
        Ok(serde_json::from_str(self.event.get())?)
    }

    /// The line as it stands in the file, without its line feed.
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.line_bytes()).into_owned()
    }

    fn line_bytes(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(HEAD_MAX_BYTES + self.event.get().len());
        let link = Link { seq: self.seq, time: self.time, prev: self.prev, hash: self.hash };
        link.head_into(&mut line);
        line.extend_from_slice(self.event.get().as_bytes());
        line.push(b'}');
        line
    }
}

/// A record's place in the chain: everything of the line but the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) time: Timestamp,
    pub(super) prev: Digest,
    pub(super) hash: Digest,
}

impl Link {
    /// The link that follows `prev`.
    pub(super) fn new(prev: Digest, seq: u64, time: Timestamp, event: &Digest) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(prev.as_bytes());
        hasher.update(seq.to_be_bytes());
        hasher.update(time.millis().to_be_bytes());
        hasher.update(event.as_bytes());
        Self { seq, time, prev, hash: Digest::from_bytes(hasher.finalize().into()) }
    }

    /// Appends the line up to the event.
    fn head_into(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(b"{\"seq\":");
        line.extend_from_slice(self.seq.to_string().as_bytes());
        line.extend_from_slice(b",\"time\":");
        line.extend_from_slice(self.time.millis().to_string().as_bytes());
        line.extend_from_slice(b",\"prev\":\"");
        line.extend_from_slice(&self.prev.to_hex());
        line.extend_from_slice(b"\",\"hash\":\"");
        line.extend_from_slice(&self.hash.to_hex());
        line.extend_from_slice(b"\",\"event\":");
    }
}

/// An event's bytes on one line, with their digest; made before any lock is taken.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Payload {
    /// Serializes `event`.
    ///
    /// # Errors
    /// [`JournalFault::TooLarge`] and [`JournalFault::Event`].
    pub(super) fn new(event: &Event) -> Result<Self, JournalFault> {
        let mut bytes = serde_json::to_vec(event)?;
        if bytes.len() > LINE_MAX_BYTES - HEAD_MAX_BYTES {
            let bytes_max = LINE_MAX_BYTES - HEAD_MAX_BYTES;
            return Err(JournalFault::TooLarge { bytes: bytes.len(), bytes_max });
        }
        // Bodies stand in the event as they came. In JSON a raw line break is white space between
        // tokens, never part of a string (RFC 8259 §7), so a blank says the same on one line.
        if let Some(first) = memchr2(b'\n', b'\r', &bytes) {
            let breaks = bytes.iter_mut().skip(first).filter(|byte| matches!(byte, b'\n' | b'\r'));
            breaks.for_each(|byte| *byte = b' ');
        }
        let digest = digest(&bytes);
        Ok(Self { bytes, digest })
    }
}

/// A record that is written but may not be durable yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) link: Link,
    payload: Payload,
}

impl Entry {
    /// Puts `payload` into the chain.
    pub(super) fn new(link: Link, payload: Payload) -> Self {
        Self { link, payload }
    }

    /// Memory held, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.payload.bytes.len() + HEAD_MAX_BYTES
    }

    /// Writes the line with one call, so that a killed process leaves whole lines; gives its
    /// length. `head` is scratch space.
    ///
    /// # Errors
    /// Whatever the file says, and [`io::ErrorKind::WriteZero`] where it took only a part.
    pub(super) fn write_to(&self, file: &mut impl Write, head: &mut Vec<u8>) -> io::Result<u64> {
        head.clear();
        self.link.head_into(head);
        let parts = [IoSlice::new(head), IoSlice::new(&self.payload.bytes), IoSlice::new(b"}\n")];
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if file.write_vectored(&parts)? == length {
            Ok(length as u64)
        } else {
            Err(io::Error::new(io::ErrorKind::WriteZero, "only a part of the line was written"))
        }
    }
}

/// Reads one line, without its line feed, and checks its own hash.
///
/// # Errors
/// What is wrong with it. Every byte counts: the line must be spelled as this module spells it.
pub(super) fn parse(line: &[u8]) -> Result<Record, &'static str> {
    let record: Record = serde_json::from_slice(line).map_err(|_| "not a record")?;
    if record.line_bytes() != line {
        return Err("not spelled as written");
    }
    let event = digest(record.event.get().as_bytes());
    if Link::new(record.prev, record.seq, record.time, &event).hash != record.hash {
        return Err("the hash does not match the record");
    }
    Ok(record)
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
