//! One record: how it is chained, and what a reader gets of it.
//!
//! Pure: bytes in, bytes out.

use lockgate_model::{Digest, Event, Timestamp};
use memchr::memchr2;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::JournalFault;

/// Largest event that is written, and largest body that is kept apart from one, in bytes: a full
/// request or answer with room around it.
pub(super) const EVENT_MAX_BYTES: usize = 64 * 1024 * 1024;

/// What the first record of a journal names as the hash before it.
pub(super) const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// One record of the journal, as read back and verified.
#[derive(Clone, Debug)]
pub struct Record {
    /// Sequence number: 1 for the first record, then without gaps.
    pub seq: u64,
    /// When it was appended, by the clock of the caller; the order is `seq`, not this.
    pub time: Timestamp,
    /// Hash of the record before.
    pub prev: Digest,
    /// Hash of this record.
    pub hash: Digest,
    /// The event's bytes as they were hashed; `None` where its session was erased.
    pub event: Option<Box<RawValue>>,
    /// The body that is kept apart from the event, where it has one.
    pub body: Option<Box<RawValue>>,
}

impl Record {
    /// The event as a value, with its body back in its place; `None` where it was erased.
    ///
    /// # Errors
    /// [`JournalFault::Event`] where a later version wrote an event that this one does not know.
    pub fn event(&self) -> Result<Option<Event>, JournalFault> {
        let Some(event) = &self.event else { return Ok(None) };
        let mut event = serde_json::from_str(event.get())?;
        match &mut event {
            Event::Outcome(outcome) if outcome.body.is_none() => {
                outcome.body.clone_from(&self.body)
            }
            Event::Message(message) if message.body.is_none() => {
                message.body.clone_from(&self.body)
            }
            _ => {}
        }
        Ok(Some(event))
    }

    /// The record as one line of JSON, without its line feed. The event stands in it as it was
    /// hashed; a body that is kept apart follows it as `body`. An erased event is `null`.
    pub fn line(&self) -> String {
        let event = self.event.as_ref().map_or("null", |event| event.get());
        let Self { seq, time, prev, hash, .. } = self;
        let time = time.millis();
        let mut line = format!(
            r#"{{"seq":{seq},"time":{time},"prev":"{prev}","hash":"{hash}","event":{event}"#
        );
        if let Some(body) = &self.body {
            line.push_str(",\"body\":");
            line.push_str(body.get());
        }
        line.push('}');
        line
    }
}

/// A record's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: u64,
    pub(super) time: Timestamp,
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
        Self { seq, time, hash: Digest::from_bytes(hasher.finalize().into()) }
    }
}

/// An event's bytes on one line, with their digest; made before any lock is taken.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) bytes: Vec<u8>,
    pub(super) digest: Digest,
}

impl Payload {
    /// Serializes `event`.
    ///
    /// # Errors
    /// [`JournalFault::TooLarge`] and [`JournalFault::Event`].
    pub(super) fn new(event: &Event) -> Result<Self, JournalFault> {
        let mut bytes = serde_json::to_vec(event)?;
        if bytes.len() > EVENT_MAX_BYTES {
            return Err(JournalFault::TooLarge { bytes: bytes.len(), bytes_max: EVENT_MAX_BYTES });
        }
        on_one_line(&mut bytes);
        let digest = digest(&bytes);
        Ok(Self { bytes, digest })
    }
}

/// Puts a JSON document on one line. A raw line break in JSON is white space between tokens, never
/// part of a string (RFC 8259 §7), so a blank says the same.
pub(super) fn on_one_line(json: &mut [u8]) {
    if let Some(first) = memchr2(b'\n', b'\r', json) {
        let breaks = json.iter_mut().skip(first).filter(|byte| matches!(byte, b'\n' | b'\r'));
        breaks.for_each(|byte| *byte = b' ');
    }
}

/// SHA-256 of `bytes`.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
