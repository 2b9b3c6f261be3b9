//! Event streams: every split gives the same events.

use lockgate_model::Reason;

use super::{Decoder, Event, comment, encode};

fn decode(text: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    decoder.push(text, &mut events).unwrap();
    decoder.finish(&mut events).unwrap();
    events
}

fn data(text: &str) -> Vec<Option<String>> {
    let joined = |event: &Event| event.data().map(|data| String::from_utf8(data.to_vec()).unwrap());
    decode(text.as_bytes()).iter().map(joined).collect()
}

#[test]
fn lines_end_with_lf_cr_or_crlf() {
    for end in ["\n", "\r", "\r\n"] {
        let stream = ["data: a", "data:b", "", "data", "", ""].join(end);
        assert_eq!(data(&stream), [Some("a\nb".to_owned()), Some(String::new())], "{end:?}");
        let raw: Vec<u8> = decode(stream.as_bytes()).concat_raw();
        assert_eq!(raw, stream.as_bytes());
    }
    assert_eq!(
        data("data: a\r\ndata: b\n\rdata: c\r\r\n"),
        [Some("a\nb".into()), Some("c".into())]
    );
}

trait ConcatRaw {
    fn concat_raw(&self) -> Vec<u8>;
}

impl ConcatRaw for Vec<Event> {
    fn concat_raw(&self) -> Vec<u8> {
        self.iter().flat_map(|event| event.raw.clone()).collect()
    }
}

#[test]
fn fields_are_read_as_the_standard_says() {
    let events = decode(
        b"\xEF\xBB\xBF: hi\nevent: message\nid: 7\nretry: 1500\nDATA: no\nnoise\ndata:  two\n\nid: 8\ndata\n\nid: a\0b\nretry: 1x\nevent\ndata: c\n\n",
    );
    let [first, priming, third] = &events[..] else { panic!("{events:?}") };
    assert_eq!(first.data(), Some(&b" two"[..]));
    assert_eq!((first.name.as_deref(), first.id.as_deref()), (Some("message"), Some("7")));
    assert_eq!(first.retry_ms, Some(1500));
    assert!(first.raw.starts_with(b": hi"));
    assert_eq!((priming.data(), priming.message()), (Some(&b""[..]), None));
    assert_eq!(priming.id.as_deref(), Some("8"));
    assert_eq!((third.id.as_deref(), third.retry_ms), (None, None));
    assert_eq!(third.message(), Some(&b"c"[..]));
}

#[test]
fn comments_and_other_types_pass_without_being_messages() {
    let events = decode(b": ping\n\nevent: endpoint\ndata: /x\n\n");
    assert_eq!(events[0].raw, b": ping\n\n");
    assert!(events.iter().all(|event| event.message().is_none()));
    assert_eq!(events[1].data(), Some(&b"/x"[..]));
}

#[test]
fn an_event_without_end_is_dropped_and_seen() {
    let mut decoder = Decoder::new(1000);
    let mut events = Vec::new();
    decoder.push(b"data: a\n\ndata: b\n", &mut events).unwrap();
    assert_eq!(events.len(), 1);
    assert!(decoder.is_partial());
    decoder.finish(&mut events).unwrap();
    assert_eq!(events.len(), 1);
    let mut whole = Decoder::new(1000);
    whole.push(b"data: a\n\n", &mut events).unwrap();
    assert!(!whole.is_partial());
}

#[test]
fn e4_events_beyond_the_limit_are_refused() {
    let mut decoder = Decoder::new(100);
    let mut events = Vec::new();
    decoder.push(&[&[b'x'; 90][..], b"\n\n"].concat(), &mut events).unwrap();
    assert_eq!(events.len(), 1);
    let fault = decoder.push(&[b'x'; 101], &mut events).unwrap_err();
    assert_eq!(fault.reason, Reason::UpstreamTooLarge);
    let whole = [&[b'x'; 101][..], b"\n\n"].concat();
    assert!(Decoder::new(100).push(&whole, &mut events).is_err());
}

#[test]
fn own_events_come_back_as_they_went() {
    assert_eq!(encode(b"{}", None), b"event: message\ndata: {}\n\n");
    let event = &decode(&encode(b"a\r\nb\rc\n", Some("i\n7")))[0];
    assert_eq!(event.data(), Some(&b"a\nb\nc\n"[..]));
    assert_eq!((event.id.as_deref(), event.name.as_deref()), (Some("i7"), Some("message")));
    assert_eq!(comment("still\ndata: here"), b": still\n\n");
}
