//! Every case of JSONTestSuite: J1 (what must and must not be read) and J2 (what readers may read
//! as they like, and Lockgate refuses wherever they are known to differ).

#![cfg(test)]

use std::time::{Duration, Instant};

use lockgate_mcp::json::{Document, JsonLimits};

/// Cases of the `y_` kind that J4 refuses all the same: readers differ in which value they take.
const REFUSED_DUPLICATES: &[&str] =
    &["y_object_duplicated_key", "y_object_duplicated_key_and_value"];

/// Cases of the `i_` kind that every reader takes for the same double.
const READ_ALIKE: &[&str] = &[
    "i_number_double_huge_neg_exp",
    "i_number_real_underflow",
    "i_number_too_big_neg_int",
    "i_number_too_big_pos_int",
    "i_number_very_big_negative_int",
];

fn cases() -> Vec<(String, Vec<u8>)> {
    let listed = include_str!("json_suite.txt").lines().filter(|line| !line.starts_with('#'));
    let mut cases: Vec<_> = listed
        .map(|line| {
            let (name, text) = line.split_once('\t').unwrap();
            (name.to_owned(), unescape(text))
        })
        .collect();
    let built = [
        ("i_structure_500_nested_arrays", format!("{}{}", "[".repeat(500), "]".repeat(500))),
        ("n_structure_100000_opening_arrays", "[".repeat(100_000)),
        ("n_structure_open_array_object", "[{\"\":".repeat(50_000) + "\n"),
    ];
    cases.extend(built.map(|(name, text)| (name.to_owned(), text.into_bytes())));
    cases
}

fn unescape(text: &str) -> Vec<u8> {
    let mut parts = text.split("\\x");
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

#[test]
fn j1_j2_every_case_comes_out_as_expected() {
    let cases = cases();
    let count = |kind: &str| cases.iter().filter(|(name, _)| name.starts_with(kind)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 35));
    for (name, bytes) in &cases {
        let expected = match &name[..2] {
            "y_" => !REFUSED_DUPLICATES.contains(&name.as_str()),
            "n_" => false,
            _ => READ_ALIKE.contains(&name.as_str()),
        };
        let read = Document::strict(bytes, JsonLimits::default());
        assert_eq!(read.is_ok(), expected, "{name}: {read:?}");
        if let Err(fault) = read {
            assert_eq!((fault.http_status, fault.rpc_code), (400, -32700), "{name}");
        }
    }
}

#[test]
fn j1_what_is_read_is_what_serde_json_reads() {
    for (name, bytes) in cases() {
        let Ok(document) = Document::strict(&bytes, JsonLimits::default()) else { continue };
        let theirs: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(document.root().to_value(), theirs, "{name}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the row is about time")]
fn j3_a_hundred_thousand_brackets_are_refused_at_once() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let started = Instant::now();
        assert!(Document::strict(text.as_bytes(), JsonLimits::default()).is_err());
        assert!(started.elapsed() < Duration::from_millis(50));
    }
}
