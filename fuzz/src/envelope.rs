//! Any bytes as a client's body and as an upstream's answer: whatever is accepted is what
//! serde_json reads, with spans that lie where they say.

use lockgate_mcp::{
    call,
    definition::Kind,
    json::{Document, JsonLimits, Node},
    list,
    message::{Body, Message, parse_client, parse_server},
};
use lockgate_model::{Era, Revision};

/// Checks the strict reader, the messages in it, and a filtered list.
pub fn holds(input: &[u8]) {
    let limits = JsonLimits::default();
    if let Ok(document) = Document::strict(input, limits) {
        let theirs: serde_json::Value = serde_json::from_slice(input).expect("both read it");
        assert_eq!(document.root().to_value(), theirs);
        check_spans(&document, document.root());
        assert!(Document::envelope(input, limits).is_ok());
    }
    if let Ok(body) = parse_client(input, limits) {
        match &body {
            Body::One(message) => classify(message),
            Body::Batch(messages) => messages.iter().for_each(classify),
        }
        assert!(parse_server(input, limits).is_ok());
    }
    let _ = parse_server(input, limits);
    let keep = |item: &list::Item<'_, '_>| item.name.len() > 3;
    if let Ok(kept) = list::filter(input, Kind::Tool, Era::Modern, 1000, limits, keep) {
        assert!(Document::strict(&kept, limits).is_ok(), "a filtered list is still strict JSON");
    }
}

fn check_spans(document: &Document<'_>, node: Node<'_, '_>) {
    assert_eq!(&document.text()[node.value_span()], node.raw());
    node.children().for_each(|child| check_spans(document, child));
}

/// What a message asks for is decided the same way each time.
fn classify(message: &Message<'_>) {
    for revision in Revision::ALL {
        match message {
            Message::Request(request) => {
                let [one, two] = [(); 2].map(|()| call::of_request(request, revision).ok());
                assert_eq!(one, two);
            }
            Message::Notification(notification) => {
                let _ = call::of_notification(notification, revision);
            }
            Message::Response(_) => {}
        }
    }
}
