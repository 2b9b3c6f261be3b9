//! A stream of events, cut anywhere.

use lockgate_mcp::sse::{Decoder, Event};

use crate::in_two;

const EVENT_MAX_BYTES: usize = 4096;

/// The events of the parts are the events of the whole, and together they are the very bytes that
/// came.
pub fn holds(input: &[u8]) {
    let parts = in_two(input);
    let stream = parts.concat();
    let whole = decode([&*stream]);
    assert_eq!(whole, decode(parts), "the split decides");
    assert_eq!(whole, decode(stream.chunks(1)), "the split decides");
    if let Ok(events) = whole {
        let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.iter().copied()).collect();
        let text = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&stream);
        assert!(text.starts_with(&raw), "the events are not the stream");
    }
}

/// The events; as an error those before an event that was too large.
fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Vec<Event>> {
    let mut decoder = Decoder::new(EVENT_MAX_BYTES);
    let mut events = Vec::new();
    for part in parts {
        if decoder.push(part, &mut events).is_err() {
            return Err(events);
        }
    }
    if decoder.finish(&mut events).is_ok() { Ok(events) } else { Err(events) }
}
