//! Server-sent events (WHATWG HTML, 2026-07) as bytes: cut into events, forwarded as they came.
//!
//! The decoder gives the same events however the bytes are split. It keeps each event's exact
//! bytes, so that an event that was only looked at leaves as it arrived.

mod decode;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memchr2;

pub use decode::Decoder;

/// One event: everything up to and including a blank line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The exact bytes, comments and the blank line included; a byte order mark is not.
    pub raw: Vec<u8>,
    /// `event:`; absent or empty means `message`.
    pub name: Option<String>,
    /// `id:`; one with a NUL is ignored, as the standard asks.
    pub id: Option<String>,
    /// `retry:` in milliseconds.
    pub retry_ms: Option<u64>,
    data: Data,
}

/// Where an event's data is: nearly always one line of the raw bytes, never copied then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Data {
    #[default]
    None,
    Line(Range<usize>),
    Joined(Vec<u8>),
}

impl Event {
    /// The event that carries `message`, as a server would send it.
    pub fn carrying(message: &[u8]) -> Self {
        let raw = encode(message, None);
        let data = if memchr2(b'\r', b'\n', message).is_some() {
            Data::Joined(message.to_vec())
        } else {
            // One line, before its own line end and the blank line.
            let end = raw.len() - 2;
            Data::Line(end - message.len()..end)
        };
        Self { raw, name: Some("message".to_owned()), data, ..Self::default() }
    }

    /// The `data:` lines joined by LF; `None` where the event has none, which clients do not
    /// dispatch. Empty data is `Some`.
    pub fn data(&self) -> Option<&[u8]> {
        match &self.data {
            Data::None => None,
            Data::Line(span) => self.raw.get(span.clone()),
            Data::Joined(joined) => Some(joined),
        }
    }

    /// What it says beside the fields that the standard names: comments, and fields that nobody
    /// reads.
    pub fn beside(&self) -> Vec<u8> {
        let known: [&[u8]; 4] = [b"data", b"id", b"event", b"retry"];
        let lines = self.raw.split(|byte| matches!(byte, b'\r' | b'\n'));
        let name = |line: &&[u8]| line.split(|byte| *byte == b':').next().unwrap_or_default().len();
        let beside =
            lines.filter(|line| line.get(..name(line)).is_none_or(|n| !known.contains(&n)));
        beside.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(&b'\n')
    }

    /// The MCP message that it carries: not that of a comment, a priming event or another type.
    pub fn message(&self) -> Option<&[u8]> {
        let named = self.name.as_deref().is_none_or(|name| name.is_empty() || name == "message");
        self.data().filter(|data| named && !data.is_empty())
    }
}

/// The bytes of an event that carries `data`, one `data:` line for each of its lines.
pub fn encode(data: &[u8], id: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 32);
    out.extend_from_slice(b"event: message\n");
    if let Some(id) = id {
        out.extend_from_slice(b"id: ");
        // A line end in an id would start a field of its own.
        out.extend(id.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
        out.push(b'\n');
    }
    let mut rest = data;
    loop {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        match after.strip_prefix(b"\r\n").or_else(|| after.get(1..)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    out.push(b'\n');
    out
}

/// The bytes of a comment, which keeps a quiet stream from being taken for dead.
pub fn comment(text: &str) -> Vec<u8> {
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    format!(": {line}\n\n").into_bytes()
}
