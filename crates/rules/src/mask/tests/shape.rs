//! K6, K8, K15 and what else a reader of masked messages may rely on.

use proptest::prelude::*;
use serde_json::Value;

use super::{Kit, leaks, quoted};
use crate::mask::{Binary, DEPTH_MAX, MaskFault, Numbers, Operator, Reveal};

const MAIL: &str = "jane.roe@globex.com";
const CARD: &str = "4111111111111111";

/// Whether both are of the same form; a number may have become a string.
fn same_form(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.values().zip(b.values()).all(|(a, b)| same_form(a, b))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_form(a, b))
        }
        (Value::Number(_), Value::String(_)) => true,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

#[test]
fn numbers_become_strings_unless_a_schema_says_no() {
    let message = format!(r#"{{"n": {CARD} ,"m":1.50}}"#);
    let mut kit = Kit::new();
    assert_eq!(kit.masked(&message), r#"{"n": "[pci.card]" ,"m":1.50}"#);
    kit.numbers = Numbers::Number;
    assert_eq!(kit.masked(&message), r#"{"n": 0 ,"m":1.50}"#);
    let mut kit = Kit::with(Operator::Token);
    kit.numbers = Numbers::Number;
    let masked: Value = serde_json::from_str(&kit.masked(&message)).unwrap();
    assert!(masked["n"].is_number() && masked["n"].to_string().len() == CARD.len(), "{masked}");
    let nested = quoted(&quoted(&message));
    let masked = Kit::new().masked(&nested);
    let once: String = serde_json::from_str(&masked).unwrap();
    let twice: String = serde_json::from_str(&once).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&twice).unwrap()["n"], "[pci.card]");
}

#[test]
fn keys_stay_distinct() {
    let masked = Kit::new().masked(
        r#"{"a@globex.com":1,"b@globex.com":2,"[pii.email#2]":3,"x":{"c@globex.com":4,"d@globex.com":5}}"#,
    );
    let read: Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(read.as_object().unwrap().len(), 4, "{masked}");
    assert_eq!(read["x"].as_object().unwrap().len(), 2, "{masked}");
    assert_eq!(Kit::new().masked(&masked), masked);
}

#[test]
fn a_mirror_stays_a_mirror() {
    for operator in
        [Operator::Label, Operator::Last(4), Operator::Hash, Operator::Token, Operator::Drop]
    {
        let kit = Kit::with(operator);
        let value = format!(
            r#"{{"rows":[{{"mail":"{MAIL}","card":{CARD},"{MAIL}":"x","note":"of {MAIL}\n"}}],"ok":true}}"#
        );
        for mirror in [value.clone(), {
            let read: Value = serde_json::from_str(&value).unwrap();
            serde_json::to_string_pretty(&read).unwrap()
        }] {
            let message = format!(
                r#"{{"content":[{{"type":"text","text":{}}}],"structuredContent":{value}}}"#,
                quoted(&mirror)
            );
            let masked = kit.masked(&message);
            let read: Value = serde_json::from_str(&masked).unwrap();
            let text = read["content"][0]["text"].as_str().unwrap();
            let text: Value = serde_json::from_str(text).unwrap();
            assert_eq!(text, read["structuredContent"], "{operator:?}");
            assert!(!masked.contains(MAIL) && !masked.contains(CARD), "{masked}");
        }
    }
}

#[test]
fn base64_stays_base64() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut kit = Kit::new();
    let blob = STANDARD.encode(format!("to {MAIL}\n"));
    let masked = kit.masked(&format!(r#"{{"mimeType":"text/plain","blob":"{blob}"}}"#));
    let read: Value = serde_json::from_str(&masked).unwrap();
    let decoded = STANDARD.decode(read["blob"].as_str().unwrap()).unwrap();
    assert_eq!(decoded, b"to [pii.email]\n");
    let image = STANDARD.encode([0x89, 0x50, 0x4E, 0x47, 0xFF].repeat(20));
    let message = format!(r#"{{"type":"image","data":"{image}","mimeType":"image/png"}}"#);
    assert_eq!(kit.masked(&message), message);
    kit.settings.binary = Binary::Drop;
    assert_eq!(kit.masked(&message), r#"{"type":"image","data":"","mimeType":"image/png"}"#);
}

#[test]
fn revealed_classes_are_reported_and_stay() {
    let mut kit = Kit::new();
    kit.reveal = Reveal::classes(["pii.email".to_owned()]);
    let message = format!(r#"{{"a":{{"b c":["{MAIL}"]}},"n":{CARD}}}"#);
    let masked = kit.json(&message).unwrap();
    let seen: Vec<_> = masked
        .reports
        .iter()
        .map(|report| {
            (report.class.name(), &*report.path, report.masked, &message[report.span.clone()])
        })
        .collect();
    let expected =
        [("pii.email", r#"$.a["b c"][0]"#, false, MAIL), ("pci.card", "$.n", true, CARD)];
    assert_eq!(seen, expected);
    assert!(String::from_utf8(masked.bytes.into_owned()).unwrap().contains(MAIL));
}

#[test]
fn paths_never_tell_values() {
    let message = format!(r#"{{"{MAIL}":{{"x":"{MAIL}"}}}}"#);
    for report in Kit::new().json(&message).unwrap().reports {
        assert!(!leaks(&report.path, MAIL), "{report:?}");
    }
}

#[test]
fn what_can_not_be_read_is_a_fault() {
    // K15, and two readers that may see two texts.
    let kit = Kit::new();
    for text in ["", "{", "[1,]", "{\"a\":\"\\ud800\"}", "\"\t\"", "[1] x", "\u{feff}{}"] {
        assert!(matches!(kit.json(text), Err(MaskFault::Json { .. })), "{text}");
    }
    let deep = "[".repeat(DEPTH_MAX + 1);
    assert_eq!(kit.json(&deep).unwrap_err(), MaskFault::Depth { at: DEPTH_MAX });
    assert_eq!(kit.json(&quoted(&deep)).unwrap_err(), MaskFault::Depth { at: DEPTH_MAX });
    let latin = super::mask_json(&kit.masker(), b"[\"\xe9\"]");
    assert_eq!(latin.unwrap_err(), MaskFault::Encoding { at: 2 });
}

#[test]
fn large_messages_are_masked_in_full() {
    // K6: one line, and more values than anybody sends.
    let kit = Kit::new();
    let many = format!("\"{}\"", format!("{MAIL} ").repeat(20_000));
    let masked = kit.masked(&many);
    assert_eq!(masked.matches("[pii.email]").count(), 20_000);
    assert!(!leaks(&masked, MAIL));
    let wide = format!("[{}]", vec![quoted(MAIL); 20_000].join(","));
    assert!(!leaks(&kit.masked(&wide), MAIL));
}

/// JSON with values in it.
fn message() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z \"\\\\é\n]{0,12}",
        Just(MAIL.to_owned()),
        Just(format!("x {CARD}, y")),
        Just(quoted(MAIL)),
        Just(format!("[\"{MAIL}\",{CARD}]")),
        Just("AKIAQ3EGVPLM7XWK2SZT".to_owned()),
    ];
    let key = prop_oneof!["[a-z]{1,6}", Just(MAIL.to_owned()), Just("password".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        // Below what would be four digits of the card.
        (0u16..1000).prop_map(Value::from),
        Just(Value::from(4_111_111_111_111_111_u64)),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn masked_messages_keep_their_form(value in message(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let text = text.unwrap();
        let kit = Kit::new();
        let masked = kit.masked(&text);
        let read: Value = serde_json::from_str(&masked).unwrap();
        prop_assert!(same_form(&value, &read), "{text}\n{masked}");
        prop_assert!(!leaks(&masked, MAIL) && !leaks(&masked, CARD), "{masked}");
        prop_assert_eq!(&kit.masked(&masked), &masked);
    }

    #[test]
    fn bytes_outside_of_values_stay(value in message()) {
        let text = serde_json::to_string(&value).unwrap();
        let kit = Kit::with(Operator::Drop);
        let result = kit.json(&text).unwrap();
        // What is left when the reported spans are taken out is in the result, in this order.
        let masked = String::from_utf8(result.bytes.to_vec()).unwrap();
        let mut at = 0;
        let mut rest = &*masked;
        for report in &result.reports {
            if report.span.start > at {
                let kept = &text[at..report.span.start];
                let found = rest.find(kept);
                prop_assert!(found.is_some_and(|found| found <= 8), "{} in {}", kept, rest);
                rest = &rest[found.unwrap() + kept.len()..];
            }
            at = at.max(report.span.end);
        }
        prop_assert!(rest.ends_with(&text[at..]));
    }
}

#[test]
fn places_of_an_operators_own_are_found_whole_wherever_they_begin() {
    let mut kit = Kit::new();
    kit.settings.mask.push("internal".to_owned());
    let settings = serde_json::json!({ "custom": [
        { "name": "badge", "class": "internal.badge", "paths": ["$.rows[*].badge", "$['a.b'][1]"] }] });
    kit.detectors =
        crate::mask::Detectors::new(&serde_json::from_value(settings).unwrap()).unwrap();
    for (text, masked) in [
        (
            r#"{"rows":[{"badge":"B 1"},{"badge":7,"other":"B 1"}]}"#,
            r#"{"rows":[{"badge":"[internal.badge]"},{"badge":"[internal.badge]","other":"B 1"}]}"#,
        ),
        (
            r#"{"result":{"rows":[{"badge":"a \"b\" c"}]}}"#,
            r#"{"result":{"rows":[{"badge":"[internal.badge]"}]}}"#,
        ),
        (
            r#"["{\"rows\":[{\"badge\":\"x\"}]}"]"#,
            r#"["{\"rows\":[{\"badge\":\"[internal.badge]\"}]}"]"#,
        ),
        (r#"{"a.b":["x","y",{"badge":"z"}]}"#, r#"{"a.b":["x","[internal.badge]",{"badge":"z"}]}"#),
        (r#"{"rows":{"badge":"x"},"badge":""}"#, r#"{"rows":{"badge":"x"},"badge":""}"#),
    ] {
        assert_eq!(kit.masked(text), masked);
    }
}
