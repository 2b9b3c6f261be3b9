//! What must hold for every input, whatever its bytes: one function a parser that reads from
//! outside. It panics where something does not hold.
//!
//! `cargo test -p lockgate-fuzz` runs all of them briefly on any toolchain. For long runs:
//! `cargo +nightly fuzz run --features libfuzzer envelope fuzz/corpus/envelope fuzz/seeds/envelope`.

use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_gateway::{framing::Framer, token::Jws};
use lockgate_mcp::{
    call, headers,
    json::JsonLimits,
    message::{self, Body, Message},
    sse::{Decoder, Event},
    uri as resource,
};
use lockgate_model::{Limits, Revision};

const JSON_LIMITS: JsonLimits = JsonLimits { depth: 64, items: 100_000 };

/// The target functions by their names, which are also those of their folders of seeds.
pub const TARGETS: [(&str, fn(&[u8])); 6] = [
    ("envelope", envelope),
    ("framing", framing),
    ("headers", headers),
    ("sse", sse),
    ("token", token),
    ("uri", uri),
];

/// The envelope of a message: what is accepted, another reader accepts as well, and each message
/// is a part of the input as it came.
pub fn envelope(input: &[u8]) {
    for parse in [message::parse_client, message::parse_server] {
        let Ok(body) = parse(input, JSON_LIMITS) else { continue };
        let read: Result<serde_json::Value, _> = serde_json::from_slice(input);
        assert!(read.is_ok(), "accepted what serde_json refuses");
        let messages = match body {
            Body::One(message) => vec![message],
            Body::Batch(messages) => messages,
        };
        for message in &messages {
            let raw = match message {
                Message::Request(request) => request.raw(),
                Message::Notification(notification) => notification.raw(),
                Message::Response(response) => response.raw(),
            };
            assert!(input.windows(raw.len().max(1)).any(|part| part == raw.as_bytes()));
            classify(message);
        }
    }
}

/// What a message asks for is decided the same way each time.
fn classify(message: &Message<'_>) {
    for revision in Revision::ALL {
        match message {
            Message::Request(request) => {
                let [one, two] = [(); 2].map(|()| call::of_request(request, revision));
                assert_eq!(one.ok(), two.ok());
            }
            Message::Notification(notification) => {
                let _ = call::of_notification(notification, revision);
            }
            Message::Response(_) => {}
        }
    }
}

/// The first look at a connection's bytes finds the same in one piece and in two.
pub fn framing(input: &[u8]) {
    let (&at, bytes) = input.split_first().unwrap_or((&0, &[]));
    let mut whole = Framer::new(&Limits::default());
    let found = whole.push(bytes);
    let (left, right) = bytes.split_at(bytes.len() * usize::from(at) / 256);
    let mut parts = Framer::new(&Limits::default());
    let found_in_parts = parts.push(left).or_else(|| parts.push(right));
    assert_eq!(found.is_some(), found_in_parts.is_some(), "the split decides");
}

/// Mirrored headers: lines of headers, an empty line, and a body.
pub fn headers(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (lines, body) = input.split_at(end);
    let mut map = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(&value[1..])) {
            map.append(name, value);
        }
    }
    let body = body.get(2..).unwrap_or_default();
    let Ok(Body::One(message)) = message::parse_client(body, JSON_LIMITS) else { return };
    let revision = headers::revision(&map, Some(&message), None);
    if let Ok(revision) = revision {
        let forwarded = headers::toward_upstream(&map, revision.era());
        for private in ["authorization", "cookie", "host", "origin", "proxy-authorization"] {
            assert!(!forwarded.contains_key(private), "`{private}` would be forwarded");
        }
        if headers::check_mirror(&map, &message, &[]).is_ok() {
            // What is forwarded still says what the body says.
            assert!(
                headers::check_mirror(&forwarded, &message, &[]).is_ok()
                    || revision.era() == lockgate_model::Era::Legacy
            );
        }
    }
}

/// Events: the same from one piece as from two, and together the very bytes that came.
pub fn sse(input: &[u8]) {
    let (&at, bytes) = input.split_first().unwrap_or((&0, &[]));
    let whole = events(&[bytes]);
    let (left, right) = bytes.split_at(bytes.len() * usize::from(at) / 256);
    assert_eq!(whole, events(&[left, right]), "the split decides");
    let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.iter().copied()).collect();
    let stream = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    assert!(stream.starts_with(&raw), "the events are not the stream");
}

fn events(parts: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    let pushed = parts.iter().try_for_each(|part| decoder.push(part, &mut events));
    let _ = pushed.and_then(|()| decoder.finish(&mut events));
    events
}

/// A token before its signature is checked: never longer than allowed, and never read two ways.
pub fn token(input: &[u8]) {
    let max_bytes = Limits::default().token_max_bytes as usize;
    let Ok(jws) = Jws::read(input, max_bytes) else { return };
    assert!(input.len() <= max_bytes);
    assert_eq!(input.iter().filter(|byte| **byte == b'.').count(), 2);
    let again = Jws::read(input, max_bytes).map(|jws| jws.id());
    assert_eq!(again.ok(), Some(jws.id()));
}

/// A resource's canonical URI is its own canonical URI.
pub fn uri(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(canonical) = resource::canonical(text) {
        assert_eq!(resource::canonical(&canonical).as_deref(), Some(&*canonical));
    }
}
