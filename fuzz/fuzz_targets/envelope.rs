//! Any bytes as a client's body and as an upstream's answer: no panic, and whatever is accepted is
//! what serde_json reads, with spans that lie where they say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate_mcp::{
    call, definition::Kind,
    json::{Document, JsonLimits, Node},
    list,
    message::{Body, Message, parse_client, parse_server},
    uri,
};
use lockgate_model::{Era, Revision};

fuzz_target!(|bytes: &[u8]| {
    let limits = JsonLimits::default();
    if let Ok(document) = Document::strict(bytes, limits) {
        let theirs: serde_json::Value = serde_json::from_slice(bytes).expect("both read it");
        assert_eq!(document.root().to_value(), theirs);
        check_spans(&document, document.root());
        assert!(Document::envelope(bytes, limits).is_ok());
    }
    if let Ok(body) = parse_client(bytes, limits) {
        let messages = match body {
            Body::One(message) => vec![message],
            Body::Batch(messages) => messages,
        };
        for message in &messages {
            for revision in Revision::ALL {
                let _ = match message {
                    Message::Request(request) => call::of_request(request, revision).map(drop),
                    Message::Notification(it) => call::of_notification(it, revision).map(drop),
                    Message::Response(_) => Ok(()),
                };
            }
        }
        assert!(parse_server(bytes, limits).is_ok());
    }
    let _ = parse_server(bytes, limits);
    if let Ok(kept) = list::filter(bytes, Kind::Tool, Era::Modern, 1000, limits, |item| item.name.len() > 3) {
        Document::strict(&kept, limits).expect("a filtered list is still strict JSON");
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(once) = uri::canonical(text)
    {
        assert_eq!(uri::canonical(&once), Some(once));
    }
});

fn check_spans(document: &Document<'_>, node: Node<'_, '_>) {
    assert_eq!(&document.text()[node.value_span()], node.raw());
    node.children().for_each(|child| check_spans(document, child));
}
