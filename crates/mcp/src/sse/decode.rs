//! Cuts a byte stream into events.

use std::ops::Range;

use memchr::memchr2;

use super::{Data, Event};
use crate::Fault;

/// A sans-IO decoder: bytes in, whole events out.
///
/// A CR at the very end of the bytes so far waits for the next byte, since a LF would still belong
/// to its line. Streams with LF or CRLF are never held by this.
#[derive(Clone, Debug)]
pub struct Decoder {
    event_max_bytes: usize,
    /// Bytes from the start of the event that is not complete yet.
    raw: Vec<u8>,
    /// Where that event starts in `raw`; moved only while bytes are taken.
    start: usize,
    /// Where its last, unfinished line starts.
    line: usize,
    /// Up to where that line is known to hold no line end.
    seen: usize,
    /// Nothing came yet, so that a byte order mark may.
    fresh: bool,
    event: Event,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Decoder {
    /// A decoder that refuses events of more than `event_max_bytes`, framing included.
    pub fn new(event_max_bytes: usize) -> Self {
        let (raw, event) = (Vec::new(), Event::default());
        Self { event_max_bytes, raw, start: 0, line: 0, seen: 0, fresh: true, event }
    }

    /// Takes further bytes and appends the events that they complete.
    ///
    /// # Errors
    /// [`Fault`] with reason `upstream.too_large` for an event beyond the limit; events before it
    /// have been appended, and the decoder is of no use any more.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), Fault> {
        self.raw.extend_from_slice(bytes);
        self.cut(false, events)
    }

    /// Takes the end of the stream: appends an event whose end was only waiting for a LF, and drops
    /// one that never ended, as the standard asks.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self, events: &mut Vec<Event>) -> Result<(), Fault> {
        self.cut(true, events)
    }

    /// Whether the stream stands within an event that has not ended.
    pub fn is_partial(&self) -> bool {
        !self.raw.is_empty()
    }

    fn cut(&mut self, ended: bool, events: &mut Vec<Event>) -> Result<(), Fault> {
        if self.fresh {
            if !ended && self.raw.len() < BOM.len() && BOM.starts_with(&self.raw) {
                return Ok(());
            }
            self.fresh = false;
            if self.raw.starts_with(BOM) {
                self.raw.drain(..BOM.len());
            }
        }
        while let Some((line, next)) = self.line(ended) {
            (self.line, self.seen) = (next, next);
            if line.is_empty() {
                self.check_size(next - self.start)?;
                events.push(self.end_event(next));
            } else {
                self.field(line);
            }
        }
        // Once for all events of this push, so that many small ones cost no more than one large.
        self.raw.drain(..self.start);
        self.line -= self.start;
        self.seen -= self.start;
        self.start = 0;
        self.check_size(self.raw.len())
    }

    fn check_size(&self, bytes: usize) -> Result<(), Fault> {
        if bytes <= self.event_max_bytes {
            return Ok(());
        }
        Err(Fault::upstream_too_large(format!(
            "an event of more than {} bytes",
            self.event_max_bytes
        )))
    }

    /// The next complete line and where the one after it starts.
    fn line(&mut self, ended: bool) -> Option<(Range<usize>, usize)> {
        let unseen = self.raw.get(self.seen..)?;
        let Some(found) = memchr2(b'\r', b'\n', unseen) else {
            self.seen = self.raw.len();
            return None;
        };
        let end = self.seen + found;
        let after = match (self.raw.get(end), self.raw.get(end + 1)) {
            (Some(b'\r'), Some(b'\n')) => end + 2,
            (Some(b'\r'), None) if !ended => {
                self.seen = end;
                return None;
            }
            _ => end + 1,
        };
        Some((self.line..end, after))
    }

    fn end_event(&mut self, end: usize) -> Event {
        let mut event = std::mem::take(&mut self.event);
        if self.start == 0 && end == self.raw.len() {
            // The usual case: the buffer is the event, and need not be copied.
            event.raw = std::mem::take(&mut self.raw);
            (self.line, self.seen) = (0, 0);
        } else {
            event.raw = self.raw.get(self.start..end).unwrap_or_default().to_vec();
            self.start = end;
        }
        event
    }

    fn field(&mut self, line: Range<usize>) {
        let bytes = self.raw.get(line.clone()).unwrap_or_default();
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at(colon);
        let value = rest.strip_prefix(b": ").or_else(|| rest.strip_prefix(b":")).unwrap_or(rest);
        match name {
            b"data" => {
                let span = line.end - value.len() - self.start..line.end - self.start;
                self.event.data = join(std::mem::take(&mut self.event.data), span, value, |span| {
                    self.raw.get(self.start + span.start..self.start + span.end)
                });
            }
            b"event" => self.event.name = Some(String::from_utf8_lossy(value).into_owned()),
            b"id" if !value.contains(&0) => {
                self.event.id = Some(String::from_utf8_lossy(value).into_owned());
            }
            b"retry" if value.iter().all(u8::is_ascii_digit) => {
                let text = std::str::from_utf8(value).unwrap_or_default();
                self.event.retry_ms = text.parse().ok().or(self.event.retry_ms);
            }
            // Comments, and fields that the standard does not know.
            _ => {}
        }
    }
}

/// The data so far and one more line of it.
fn join<'a>(
    before: Data,
    span: Range<usize>,
    value: &[u8],
    bytes: impl Fn(Range<usize>) -> Option<&'a [u8]>,
) -> Data {
    let mut joined = match before {
        Data::None => return Data::Line(span),
        Data::Line(first) => bytes(first).unwrap_or_default().to_vec(),
        Data::Joined(joined) => joined,
    };
    joined.push(b'\n');
    joined.extend_from_slice(value);
    Data::Joined(joined)
}
