//! What holds for every input: events whatever the split, bytes whatever the filter, digests
//! whatever the spelling.

#![cfg(test)]

use lockgate_mcp::{
    call::is_name,
    definition::Kind,
    json::{self, Document, JsonLimits},
    list,
    sse::{self, Decoder, Event},
    uri,
};
use lockgate_model::Era;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn limits() -> JsonLimits {
    JsonLimits::default()
}

/// Streams in which every field, line end and quirk is likely.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("data: {\"a\":1}"),
        Just("data"),
        Just("data:x"),
        Just("id: 1"),
        Just("id"),
        Just("event: message"),
        Just("retry: 10"),
        Just(": comment"),
        Just("\u{feff}"),
        Just("é"),
        Just("\n"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("\r\n\r\n"),
        Just("\r\r"),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn decode<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, bool) {
    let mut decoder = Decoder::new(1 << 16);
    let mut events = Vec::new();
    for part in parts {
        decoder.push(part, &mut events).unwrap();
    }
    decoder.finish(&mut events).unwrap();
    (events, decoder.is_partial())
}

/// Trees with awkward keys and texts; numbers whose spelling serde_json keeps.
fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..12)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The same value with every object's members the other way round.
fn reversed(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(reversed).collect(),
        Value::Object(members) => {
            let turned = members.iter().rev().map(|(key, value)| (key.clone(), reversed(value)));
            Value::Object(turned.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_are_the_same_however_the_bytes_are_split(
        bytes in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        prop_assert_eq!(decode(parts), decode([&bytes[..]]));
        prop_assert_eq!(decode(bytes.chunks(1)), decode([&bytes[..]]));
    }

    #[test]
    fn events_keep_every_byte(bytes in stream()) {
        let (events, partial) = decode([&bytes[..]]);
        let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.clone()).collect();
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        prop_assert!(text.starts_with(&raw));
        prop_assert_eq!(partial, raw.len() < text.len());
    }

    #[test]
    fn own_events_are_read_back(data in "[^\r]*", id in proptest::option::of("[a-z0-9]{0,9}")) {
        let (events, _) = decode([&sse::encode(data.as_bytes(), id.as_deref())[..]]);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(events[0].data(), Some(data.as_bytes()));
        prop_assert_eq!(&events[0].id, &id);
    }

    #[test]
    fn digests_do_not_depend_on_key_order_and_white_space(value in tree()) {
        let plain = value.to_string();
        let spaced = serde_json::to_string_pretty(&reversed(&value)).unwrap();
        let read = |text: &str| {
            Document::strict(text.as_bytes(), limits()).map(|document| document.root().to_value())
        };
        let (plain, spaced) = (read(&plain).unwrap(), read(&spaced).unwrap());
        prop_assert_eq!(json::digest(&plain), json::digest(&spaced));
        prop_assert_eq!(&plain, &value);
        let canonical = json::canonical(&plain);
        let again: Value = serde_json::from_slice(&canonical).unwrap();
        prop_assert_eq!(json::canonical(&again), canonical);
    }

    #[test]
    fn whatever_is_read_is_read_alike_by_serde_json(text in "[\\[\\]{}:,\"\\\\a0-9eE.+ tnu-]{0,40}") {
        let theirs = serde_json::from_str::<Value>(&text);
        if let Ok(document) = Document::strict(text.as_bytes(), limits()) {
            prop_assert_eq!(document.root().to_value(), theirs.unwrap());
        }
    }

    #[test]
    fn an_envelope_is_read_wherever_the_full_check_passes(value in tree()) {
        let text = value.to_string();
        prop_assert!(Document::envelope(text.as_bytes(), limits()).is_ok());
    }

    #[test]
    fn filtering_touches_nothing_that_stays(
        items in prop::collection::btree_map("[a-z]{1,6}", (tree(), any::<bool>()), 0..8),
        extra in tree(),
    ) {
        let item = |(name, (value, _)): (&String, &(Value, bool))| {
            format!(r#"{{"v" :{value},"name":"{name}" }}"#)
        };
        let all: Vec<_> = items.iter().map(item).collect();
        let stay: Vec<_> = items.iter().filter(|(_, (_, keep))| *keep).map(item).collect();
        let body = |items: &[String], glue: &str| {
            format!(r#"{{"id":1,"result":{{"x":{extra},"tools":[{}],"nextCursor":"c"}}}}"#, items.join(glue))
        };
        let keep = |item: &list::Item<'_, '_>| items[&item.name].1;
        let before = body(&all, ",");
        let after = list::filter(before.as_bytes(), Kind::Tool, Era::Legacy, 0, limits(), keep);
        prop_assert_eq!(String::from_utf8(after.unwrap()).unwrap(), body(&stay, ","));
    }

    #[test]
    fn canonical_uris_are_stable_and_hold_no_dots(
        path in "(/|\\.|\\.\\.|%2e|%2E|%2f|%5c|\\\\|;|a|%61|%25|é){0,12}",
        scheme in "(file|FILE|http|x)",
        authority in "(//h|//|//localhost|)",
    ) {
        if let Some(once) = uri::canonical(&format!("{scheme}:{authority}{path}")) {
            prop_assert_eq!(uri::canonical(&once), Some(once.clone()));
            prop_assert!(!once.split('/').any(|segment| segment == ".." || segment == "."), "{}", once);
        }
    }

    #[test]
    fn names_are_plain(name in any::<String>()) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        prop_assert_eq!(is_name(&name), !name.is_empty() && name.len() <= 128 && name.chars().all(plain));
    }
}
