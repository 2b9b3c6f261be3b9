//! Tokens: every value comes back where its token is sent, for its caller and for nobody else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::{Kit, leaks, quoted, samples::SAMPLES};
use crate::mask::{Issued, MaskKey, Numbers, Operator, RestoreFault, Restored, restore};

/// The table of one caller's tokens.
#[derive(Default)]
struct Table(BTreeMap<String, Issued>);

impl Table {
    fn take(&mut self, issued: Vec<Issued>) {
        for issued in issued {
            let before = self.0.insert(issued.token.clone(), issued.clone());
            assert!(before.is_none_or(|before| before == issued), "one token for two values");
        }
    }

    fn restore<'t>(&self, key: &MaskKey, text: &'t str) -> Result<Restored<'t>, RestoreFault> {
        restore(key, text.as_bytes(), &|token| self.0.get(token).cloned())
    }
}

fn key() -> MaskKey {
    MaskKey::new([7; 32]).scoped(&["jane", "crm"])
}

fn kit() -> Kit {
    let mut kit = Kit::with(Operator::Token);
    kit.key = key();
    kit
}

/// The masked message, and what it takes to undo that.
fn masked(kit: &Kit, text: &str) -> (String, Table) {
    let mut table = Table::default();
    let masked = kit.json(text).unwrap();
    table.take(masked.issued);
    (String::from_utf8(masked.bytes.into_owned()).unwrap(), table)
}

fn undone(table: &Table, masked: &str) -> String {
    let restored =
        table.restore(&key(), masked).unwrap_or_else(|fault| panic!("{fault}: {masked}"));
    String::from_utf8(restored.bytes.into_owned()).unwrap()
}

#[test]
fn values_of_every_class_come_back() {
    let kit = kit();
    for sample in SAMPLES {
        let value = quoted(&sample.text(sample.value));
        let message = sample.message(&value[1..value.len() - 1]);
        for message in
            [message.clone(), format!("[{}]", quoted(&message)), quoted(&quoted(&message))]
        {
            let (masked, table) = masked(&kit, &message);
            assert!(!leaks(&masked, sample.value), "{message}\n  gives {masked}");
            assert_eq!(undone(&table, &masked), message, "through {masked}");
            let again = kit.masked(&masked);
            assert_eq!(again, masked, "masked twice");
            let classes: Vec<_> = table
                .restore(&key(), &masked)
                .unwrap()
                .restores
                .into_iter()
                .map(|it| it.class)
                .collect();
            assert!(classes.iter().any(|class| class.is_in(sample.class)), "{classes:?} {message}");
        }
    }
}

#[test]
fn numbers_become_numbers_again() {
    for message in [
        r#"{"a":4111111111111111,"b":["4111111111111111"],"card":5555555555554444.0}"#,
        r#"{"text":"{\"n\": 4111111111111111 , \"s\":\"4111111111111111\"}"}"#,
        r#"{"ssn":536228716,"salary":-52000.50}"#,
    ] {
        for numbers in [Numbers::Text, Numbers::Number] {
            let mut kit = kit();
            kit.numbers = numbers;
            let (masked, table) = masked(&kit, message);
            assert_ne!(masked, message);
            let back = undone(&table, &masked);
            if numbers == Numbers::Text {
                assert_eq!(back, message, "through {masked}");
            } else {
                // What is no whole number can't have a token that is one.
                let read: Value = serde_json::from_str(&back).unwrap();
                assert_eq!(
                    read["a"],
                    serde_json::from_str::<Value>(message).unwrap()["a"],
                    "{masked}"
                );
            }
        }
    }
    // A client may read a number and write it in its own way, or put a token into a longer text.
    let mut kit = kit();
    kit.numbers = Numbers::Number;
    let (masked, table) = masked(&kit, "[4111111111111111]");
    let digits = masked.trim_matches(['[', ']']);
    assert_eq!(undone(&table, &format!("[{digits}.0]")), "[4111111111111111]");
    let rest = format!(r#"["x = {digits}", "{digits}"]"#);
    assert_eq!(undone(&table, &rest), r#"["x = 4111111111111111", "4111111111111111"]"#);
}

#[test]
fn restores_say_where_and_what() {
    let kit = kit();
    let (masked, table) = masked(&kit, r#"["jane.roe@globex.com","4111 1111 1111 1111"]"#);
    let [mail, card]: [String; 2] = serde_json::from_str(&masked).unwrap();
    let nested = quoted(&format!(r#"{{"a/b":["to {card}."]}}"#));
    let arguments =
        format!(r#"{{ "to~" : "<{mail}>; {mail}", "{mail}":1, "body":{nested}, "é":"\u00e9" }}"#);
    let restored = table.restore(&key(), &arguments).unwrap();
    let seen: Vec<_> = restored
        .restores
        .iter()
        .map(|it| (it.class.name(), it.pointer.replace(&mail, "*")))
        .collect();
    let expected = [
        ("pii.email", "/to~0".to_owned()),
        ("pii.email", "/to~0".to_owned()),
        ("pii.email", "/*".to_owned()),
        ("pci.card", "/body > /a~1b/0".to_owned()),
    ];
    assert_eq!(seen, expected);
    let expected =
        arguments.replace(&mail, "jane.roe@globex.com").replace(&card, "4111 1111 1111 1111");
    assert_eq!(String::from_utf8(restored.bytes.into_owned()).unwrap(), expected);
}

#[test]
fn tokens_of_others_are_refused() {
    let (mine, kit) = (key(), kit());
    for sample in SAMPLES {
        let message = sample.message(quoted(&sample.text(sample.value)).trim_matches('"'));
        let Ok(_) = kit.json(&message) else { continue };
        let (token, table) = masked(&kit, &message);
        for other in [&["joe", "crm"][..], &["jane", "erp"], &["janecrm", ""], &[]] {
            let mut theirs = Kit::with(Operator::Token);
            theirs.key = MaskKey::new([7; 32]).scoped(other);
            let foreign = theirs.masked(&message);
            assert_ne!(foreign, token);
            let fault = table.restore(&mine, &foreign).unwrap_err();
            assert!(
                matches!(&fault, RestoreFault::Unknown { pointer } if pointer.starts_with("/row/")),
                "{fault}"
            );
        }
        // Of another tenant nothing is known.
        let mut theirs = Kit::with(Operator::Token);
        theirs.key = MaskKey::new([8; 32]).scoped(&["jane", "crm"]);
        let foreign = theirs.masked(&message);
        match table.restore(&mine, &foreign) {
            Ok(restored) => assert_eq!(&*restored.bytes, foreign.as_bytes()),
            Err(fault) => assert!(foreign.contains("@masked.invalid"), "{fault}: {foreign}"),
        }
    }
}

#[test]
fn changed_tokens_stand_for_nothing() {
    let kit = kit();
    let mut ran = 0;
    for sample in SAMPLES {
        let message = sample.message(quoted(&sample.text(sample.value)).trim_matches('"'));
        let (masked, table) = masked(&kit, &message);
        let token = table.0.keys().next().unwrap();
        for (at, old) in token.char_indices() {
            for new in ['0', '7', 'a', 'q', 'Z', '-', '.'] {
                if new == old {
                    continue;
                }
                let mut changed = token.clone();
                changed.replace_range(at..=at, &new.to_string());
                let arguments = masked.replace(token, &changed);
                match table.restore(&key(), &arguments) {
                    // No token any more, and nothing else.
                    Ok(restored) => assert_eq!(&*restored.bytes, arguments.as_bytes()),
                    Err(fault) => assert!(token.contains('@'), "{fault}: {changed} {masked}"),
                }
                ran += 1;
            }
        }
    }
    println!("{ran} changed tokens");
    let (mail, table) = masked(&kit, r#"["jane.roe@globex.com"]"#);
    for made_up in ["\"joe@masked.invalid\"".to_owned(), mail.replacen(&mail[2..4], "qq", 1)] {
        let fault = table.restore(&key(), &made_up).unwrap_err();
        assert!(matches!(fault, RestoreFault::Unknown { .. }), "{made_up}");
    }
}

#[test]
fn other_texts_are_as_they_came() {
    let table = Table::default();
    for text in [
        r#"{"id":"f81d4fae-7dec-11d0-a765-00a0c91e6bf6","sha":"da39a3ee5e6b4b0d3255bfef95601890afd80709"}"#,
        r#"["joe@example.invalid","a@masked.invalid.example.com","x\u0040y", 1234567890123456, -1.5e300]"#,
        r#"{"sql":"select \"a.b\" from t_1 where x = '4111 1111 1111 1112'","é":"[not, json"}"#,
    ] {
        let restored = table.restore(&key(), text).unwrap();
        assert!(matches!(restored.bytes, std::borrow::Cow::Borrowed(_)), "{text}");
        assert!(restored.restores.is_empty());
    }
    assert!(matches!(table.restore(&key(), "{"), Err(RestoreFault::Unread(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_masked_comes_back(
        picks in prop::collection::vec((0..SAMPLES.len(), "[a-zA-Z0-9é\"\\\\ .@_-]{0,9}", 0_u8..4), 1..6),
        pretty: bool,
    ) {
        let mut members = serde_json::Map::new();
        for (nth, (pick, more, shape)) in picks.iter().enumerate() {
            let sample = SAMPLES[*pick];
            let text = Value::from(format!("{}{more}", sample.text(sample.value)));
            let value = serde_json::json!({ sample.key: text });
            members.insert(format!("{more}{nth}"), match shape {
                0 => value,
                1 => Value::from(value.to_string()),
                2 => Value::from(Value::from(value.to_string()).to_string()),
                _ => serde_json::json!([value, 5_555_555_555_554_444_u64, more]),
            });
        }
        let message = Value::Object(members);
        let text = if pretty { format!("{message:#}") } else { message.to_string() };
        let kit = kit();
        let (masked, table) = masked(&kit, &text);
        prop_assert_eq!(undone(&table, &masked), text, "through {}", masked);
        prop_assert_eq!(kit.masked(&masked), masked.clone(), "masked twice");
        if !table.0.is_empty() {
            let none = restore(&key(), masked.as_bytes(), &|_| None);
            let unknown = matches!(none, Err(RestoreFault::Unknown { .. }));
            prop_assert!(unknown, "{:?}", none);
        }
    }

    #[test]
    fn ordinary_texts_hold_no_token(text in "[a-z0-9A-Z._-]{12,40}", digits in "[0-9]{16,24}") {
        let message = format!("[\"{text}\",{digits},\"{text} {digits}\"]").replace(",0", ",1");
        let restored = restore(&key(), message.as_bytes(), &|_| None).unwrap();
        prop_assert!(matches!(restored.bytes, std::borrow::Cow::Borrowed(_)));
    }
}
