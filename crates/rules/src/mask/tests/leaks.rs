//! Streams: no cut changes what comes out, and nothing leaks over it (K2, K12).

use super::{Kit, Passed, Stream, leaks, quoted};
use crate::mask::MaskFault;

const MAIL: &str = "jane.roe@globex.com";
const CARD: &str = "4111 1111 1111 1111";

fn stream() -> String {
    let message = format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"content":[{{"type":"text","text":"{MAIL}"}}]}}}}"#
    );
    format!(
        "\u{feff}: hello {MAIL}\nid: 7\nretry: 1000\ndata:\n\nevent: message\ndata: {message}\r\n\r\n\
         data: {{\"a\":\r\ndata:  \"{CARD}\"}}\rid: {MAIL}\rother {CARD}\r\revent: endpoint\ndata: /m?u={MAIL}\n\n\
         data: {{\"cut\":\"{MAIL}\"}}"
    )
}

#[test]
fn no_cut_changes_what_comes_out() {
    let kit = Kit::new();
    let stream = stream();
    let whole = kit.stream([stream.as_bytes()]).unwrap();
    assert!(!leaks(&whole, MAIL) && !leaks(&whole, CARD), "{whole}");
    for at in 0..=stream.len() {
        let (left, right) = stream.as_bytes().split_at(at);
        assert_eq!(kit.stream([left, right]).unwrap(), whole, "K2: cut at {at}");
    }
    assert_eq!(kit.stream(stream.as_bytes().chunks(1)).unwrap(), whole);
    assert_eq!(
        whole,
        "\u{feff}: hello [pii.email]\nid: 7\nretry: 1000\ndata:\n\nevent: message\n\
         data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"[pii.email]\"}]}}\
         \r\n\r\ndata: {\"a\":\r\ndata:  \"[pci.card]\"}\rid: [pii.email]\rother [pci.card]\r\r\
         event: endpoint\ndata: /m?u=[pii.email]\n\ndata: {\"cut\":\"[pii.email]\"}"
    );
}

#[test]
fn clean_streams_are_byte_equal() {
    let stream = "data: {\"a\": 1.0}\r\n\r\n:\n\nid\ndata\n\nevent:x\ndata:y\n\n";
    assert_eq!(Kit::new().stream([stream.as_bytes()]).unwrap(), stream);
}

#[test]
fn an_event_that_was_cut_does_not_leave() {
    let masked = Kit::new().stream([&b"data: 1\n\ndata: {\"a\":\"jane.roe@glo"[..]]).unwrap();
    assert_eq!(masked, "data: 1\n\n");
}

#[test]
fn broken_events_end_the_stream() {
    let kit = Kit::new();
    let broken = kit.stream([&b"data: {\"a\"\n\n"[..]]);
    assert!(matches!(broken, Err(MaskFault::Json { .. })), "{broken:?}");
    let long = format!("data: {}\n\n", quoted(&"x".repeat(2 << 20)));
    assert_eq!(kit.stream([long.as_bytes()]), Err(MaskFault::EventTooLarge { max: 1 << 20 }));
    assert!(kit.stream(long.as_bytes().chunks(1000)).is_err());
}

#[test]
fn notifications_wait_for_the_next_event() {
    let kit = Kit::new();
    let event =
        |text: &str| format!("data: {{\"method\":\"n\",\"params\":{{\"data\":\"{text}\"}}}}\n\n");
    let (long, answer) = (
        "a text that is longer than the middle of a value may be",
        "data: {\"id\":1,\"result\":{}}\n\n",
    );
    let mut stream = Stream::new(kit.masker(), 1 << 20);
    let mut left = |part: &str, release: bool| {
        let mut passed = Passed::default();
        stream.push(part.as_bytes(), &mut passed).unwrap();
        if release {
            stream.release(&mut passed).unwrap();
        }
        String::from_utf8(passed.bytes).unwrap()
    };
    assert_eq!(left(&event(long), false), "");
    assert_eq!(left(&event("jane.r"), false), "");
    assert_eq!(left(&event("oe@glo"), false), event(long));
    assert_eq!(left(&event("bex.com"), false), event("[pii.email]"));
    assert_eq!(left(answer, false), event("[pii.email]").repeat(2) + answer);
    assert_eq!(left(answer, false), answer);
    // Let go, the beginning has left; the rest has not.
    assert_eq!(left(&event("card 4111 1111"), true), event("card 4111 1111"));
    assert_eq!(left(&event(" 1111 1111."), true), event("[pci.card]."));
}
