//! Detectors as their callers see them: settings, order, the look at raw bytes, and texts that are made to
//! make trouble. How much they find is measured in `tests/values.rs`.

use proptest::prelude::*;

use super::{Detectors, Finding, Settings, Text};

fn scan(detectors: &Detectors, key: Option<&str>, text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    detectors.scan(Text { text, key }, &mut found);
    found
}

fn values<'a>(detectors: &Detectors, key: Option<&str>, text: &'a str) -> Vec<(String, &'a str)> {
    let found = scan(detectors, key, text);
    found.iter().map(|one| (one.class.to_string(), &text[one.start..one.end])).collect()
}

fn settings(text: &str) -> Settings {
    serde_json::from_str(text).unwrap()
}

#[test]
fn custom_detectors_find_what_they_say() {
    let detectors = Detectors::new(&settings(
        r#"{"custom": [
            {"name": "employee", "class": "pii.employee_id", "regex": ["\\bE(?P<value>\\d{6})\\b"]},
            {"name": "badge", "class": "pii.badge", "regex": ["\\b\\d{4}-\\d{4}\\b"], "check": "luhn"},
            {"name": "project", "class": "internal.project", "keywords": ["Blue Moon", "Moon"], "score": 70},
            {"name": "desk", "class": "internal.desk", "keys": ["desk_no"]}]}"#,
    ))
    .unwrap();
    for (key, text, found) in [
        (None, "by E123456.", &[("pii.employee_id", "123456")][..]),
        (None, "badge 7992-7394 or 7992-7395", &[]),
        (None, "badge 4992-7398", &[]),
        (None, "badge 0000-0018", &[("pii.badge", "0000-0018")]),
        (None, "the blue moon, honeymoon", &[("internal.project", "blue moon")]),
        (Some("deskNo"), "B 12", &[("internal.desk", "B 12")]),
        (Some("desk"), "B 12", &[]),
    ] {
        let values = values(&detectors, key, text);
        let values: Vec<(&str, &str)> =
            values.iter().map(|(class, text)| (&**class, *text)).collect();
        assert_eq!(values, found, "{text}");
    }
}

#[test]
fn what_only_looks_like_a_value_beside_its_words_is_none() {
    let detectors = Detectors::standard();
    for (text, found) in [
        ("to overflow the call stack (CVE-2026-9358)", &[][..]),
        ("call us: tel-9358-2026", &["9358-2026"]),
        ("phones of 2006-2022", &[]),
        ("phone 6123-4567", &["6123-4567"]),
        ("call of blob/94.0.4604.1/x", &[]),
        ("phone 555.123.45.67", &["555.123.45.67"]),
        ("the contact's phone is 1.2345678901", &[]),
        ("see section 10.21.12.2", &[]),
        ("RFC 5280 § 34.2.1.10", &[]),
        ("host 10.21.12.2", &["10.21.12.2"]),
        ("fn offset(&self, address: u64) -> Option<u64>", &[]),
        ("fullName: isSet(object.fullName) ? 1 : 0", &[]),
        ("fullName: Grace Hopper(CEO)", &["Grace Hopper"]),
        ("{ username: creds.username, n: 1 }", &[]),
        ("username: grace.hopper", &["grace.hopper"]),
        ("install zip:amd64 <none> 3.0-13", &[]),
        ("zip: SW1A 1AA", &["SW1A 1AA"]),
        ("zip:90210", &["90210"]),
    ] {
        let values = values(&detectors, None, text);
        let values: Vec<&str> = values.iter().map(|(_, text)| *text).collect();
        assert_eq!(values, found, "{text}");
    }
    assert_eq!(values(&detectors, Some("proxy-addr"), "^2.0.8"), []);
    let phone = ("pii.phone".to_owned(), "9358-2026");
    assert_eq!(values(&detectors, Some("phone"), "DE-9358-2026"), [phone]);
}

#[test]
fn what_is_off_allowed_or_unsure_is_no_finding() {
    let text = "alice@example.com, help@example.com, 10.1.2.3";
    for (settings_text, found) in [
        ("{}", 3),
        (r#"{"off": ["pii.ip"]}"#, 2),
        (r#"{"off": ["pii"]}"#, 0),
        (r#"{"allow": [{"values": ["HELP@example.com"]}]}"#, 2),
        (r#"{"allow": [{"regex": ["[a-z]+@example\\.com"]}]}"#, 1),
        (r#"{"allow": [{"regex": ["[a-z]+@example\\.com"], "classes": ["secret"]}]}"#, 3),
        (r#"{"score_min": 90}"#, 2),
        (r#"{"score_min": 100}"#, 0),
    ] {
        let detectors = Detectors::new(&settings(settings_text)).unwrap();
        assert_eq!(scan(&detectors, None, text).len(), found, "{settings_text}");
    }
}

#[test]
fn faults_of_settings_say_where_and_how_to_mend_them() {
    for (text, place, why) in [
        (r#"{"score_min": 101}"#, "score_min", "percentage"),
        (r#"{"custom": [{"name": "", "class": "a", "keys": ["k"]}]}"#, "custom[0].name", "give it"),
        (
            r#"{"custom": [{"name": "a", "class": "A B", "keys": ["k"]}]}"#,
            "custom[0].class",
            "small letters",
        ),
        (r#"{"custom": [{"name": "a", "class": "a"}]}"#, "custom[0]", "finds nothing"),
        (
            r#"{"custom": [{"name": "a", "class": "a", "regex": ["x", "("]}]}"#,
            "custom[0].regex[1]",
            "no regular",
        ),
        (
            r#"{"custom": [{"name": "a", "class": "a", "regex": ["(?!x)y"]}]}"#,
            "custom[0].regex[0]",
            "look-around",
        ),
        (
            r#"{"custom": [{"name": "a", "class": "a", "regex": ["x*"]}]}"#,
            "custom[0].regex[0]",
            "empty text",
        ),
        (
            r#"{"custom": [{"name": "a", "class": "a", "keys": ["k"], "check": "luhn"}]}"#,
            "custom[0].check",
            "there is none",
        ),
        (
            r#"{"custom": [{"name": "a", "class": "a", "paths": ["$.a", "rows"]}]}"#,
            "custom[0].paths[1]",
            "begins with `$`",
        ),
        (r#"{"allow": [{"classes": ["pii"]}]}"#, "allow[0]", "allows nothing"),
        (r#"{"allow": [{"regex": ["("]}]}"#, "allow[0].regex[0]", "no regular"),
    ] {
        let fault = Detectors::new(&settings(text)).unwrap_err();
        assert_eq!(fault.place, place, "{text}");
        assert!(fault.why.contains(why), "{text}: {fault}");
    }
    assert!(serde_json::from_str::<Settings>(r#"{"scoremin": 1}"#).is_err());
}

#[test]
fn findings_are_added_in_order_and_never_overlap() {
    let detectors = Detectors::standard();
    let mut found = Vec::new();
    for text in ["b@example.com a@example.com", "postgres://u:p4ssw0rd@h/x"] {
        detectors.scan(Text { text, key: Some("password") }, &mut found);
    }
    let spans: Vec<(usize, usize)> = found.iter().map(|one| (one.start, one.end)).collect();
    assert_eq!(spans, [(0, 27), (0, 25)], "a password is covered whole, whatever is in it");
}

/// Pieces of which texts are made that look like something.
const PIECES: &[&str] = &[
    "4111 1111 1111 1111",
    "4111",
    "1111",
    "-",
    " ",
    "+1 415 555 2671",
    "(",
    ")",
    "@",
    "a@b.co",
    "://",
    "http://u:p@h",
    "password",
    "=",
    ":",
    "\"",
    "'",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_",
    "sk-",
    "eyJ",
    ".",
    "GB82 WEST 1234 5698 7654 32",
    "::1",
    "2001:db8::1",
    "\n",
    ",",
    "|",
    "name,ssn\n",
    "|---|---|\n",
    "é",
    "Ä",
    "日本",
    "-----BEGIN PRIVATE KEY-----",
    "8Q~",
    "$2b$",
    "bearer ",
    "PIN ",
    "0",
    "123-45-6789",
    "AB 12 34 56 C",
    "dob",
    "1980-01-31",
    "_",
    "hunter22",
    ";",
    "<pin>",
    "~",
    "\0",
];

fn text() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![4 => prop::sample::select(PIECES).prop_map(str::to_owned), 1 => ".{0,3}"];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn spans_lie_on_characters_in_order(text in text(), key in prop::option::of(text())) {
        let found = scan(&Detectors::standard(), key.as_deref(), &text);
        let mut last = 0;
        for one in &found {
            prop_assert!(last <= one.start && one.start < one.end, "{one:?}");
            prop_assert!(text.get(one.start..one.end).is_some(), "{one:?}");
            last = one.end;
        }
        prop_assert_eq!(&found, &scan(&Detectors::standard(), key.as_deref(), &text));
    }

    #[test]
    fn what_a_scan_finds_is_seen_in_the_raw_bytes(text in text(), key in prop::sample::select(&["x", "password", "cpf", "phone_number", "customerName"][..])) {
        let text = text.replace(|one: char| !(' '..'\u{7f}').contains(&one) || "\"\\".contains(one), "");
        let raw = serde_json::json!({ key: text, "list": [text] }).to_string();
        let detectors = Detectors::standard();
        let found = scan(&detectors, Some(key), &text).len() + scan(&detectors, Some("list"), &text).len();
        prop_assert!(found == 0 || detectors.may_hit(raw.as_bytes()), "{}", raw);
    }
}
