//! A stream, cut where its first bytes say: the events of the parts are the events of the whole,
//! and no byte of a complete event is lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_mcp::sse::{Decoder, Event};

fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Event>, Vec<Event>> {
    let mut decoder = Decoder::new(1 << 12);
    let mut events = Vec::new();
    for part in parts {
        if decoder.push(part, &mut events).is_err() {
            return Err(events);
        }
    }
    if decoder.finish(&mut events).is_ok() { Ok(events) } else { Err(events) }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let step = usize::from(*first).max(1);
    let whole = decode([bytes]);
    let parts = decode(bytes.chunks(step));
    assert_eq!(whole, parts);
    if let Ok(events) = whole {
        let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.iter().copied()).collect();
        let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        assert!(text.starts_with(&raw));
    }
});
