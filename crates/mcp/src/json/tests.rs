//! The strict scanner against JSONTestSuite and the J rows.

use std::time::{Duration, Instant};

use lockgate_model::Reason;
use serde_json::{Value, json};

use super::{Document, JsonLimits, Kind, canonical, digest, fold};

fn read(text: &str) -> Result<Value, Reason> {
    Document::strict(text.as_bytes(), JsonLimits::default())
        .map(|document| document.root().to_value())
        .map_err(|fault| fault.reason)
}

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn j3_depth_64_passes_and_65_does_not() {
    assert!(read(&nested(64)).is_ok());
    assert_eq!(read(&nested(65)), Err(Reason::JsonLimit));
    let objects = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(read(&objects(64)).is_ok());
    assert_eq!(read(&objects(65)), Err(Reason::JsonLimit));
}

#[test]
fn j4_duplicate_keys_are_refused_at_every_depth() {
    let many: String = (0..20).map(|i| format!("\"k{i}\":{i},")).collect();
    for bad in [
        r#"{"name":1,"name":2}"#,
        r#"{"name":1,"n\u0061me":2}"#,
        r#"{"a":[{"b":{"c":1,"d":2,"c":1}}]}"#,
        r#"[{"x":{}},{"":1,"":2}]"#,
        r#"{"é":1,"\u00e9":2}"#,
        r#"{"\ud83d\ude00":1,"😀":2}"#,
        &format!("{{{many}\"k7\":0}}"),
        &format!("{{\"o\":{{{many}\"k1\\u0039\":0}}}}"),
    ] {
        assert_eq!(read(bad), Err(Reason::JsonDuplicateKey), "{bad}");
    }
    for good in [
        r#"{"name":1,"Name":2}"#,
        r#"{"a":{"b":1},"b":{"a":1}}"#,
        r#"[{"x":1},{"x":1}]"#,
        r#"{"a":{"k":1},"c":{"k":1},"k":1}"#,
        &format!("{{{many}\"k\":0}}"),
    ] {
        assert!(read(good).is_ok(), "{good}");
    }
}

#[test]
fn j9_keys_that_mean_something_elsewhere_are_plain_keys() {
    let value = read(r#"{"__proto__":{"a":1},"constructor":2}"#).unwrap();
    assert_eq!(value["__proto__"]["a"], json!(1));
    // serde_json alone would take these for a number and for raw text.
    for key in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        assert_eq!(read(&format!("{{\"{key}\":\"1\"}}")), Err(Reason::JsonMalformed));
        assert_eq!(
            read(&format!("{{\"\\u0024{}\":\"1\"}}", &key[1..])),
            Err(Reason::JsonMalformed)
        );
    }
}

#[test]
fn j10_numbers_keep_their_digits_and_overflow_is_refused() {
    for good in [
        "9007199254740993",
        "18446744073709551616",
        "1E6",
        "1E+6",
        "-0",
        "-0.0",
        "1.0",
        "0.123456789012345678901",
        "1e-400",
        "1e308",
        "-1.7976931348623157e308",
    ] {
        let document = Document::strict(good.as_bytes(), JsonLimits::default()).unwrap();
        assert_eq!(document.root().raw(), good);
        assert_eq!(document.root().kind(), Kind::Number);
        let kept = document.root().to_value().to_string();
        assert_eq!(kept.to_lowercase().replace('+', ""), good.to_lowercase().replace('+', ""));
    }
    let digits = "9".repeat(310);
    for bad in ["1e400", "-1e400", "1E+309", "123e99999999999", &digits] {
        assert_eq!(read(bad), Err(Reason::JsonMalformed), "{bad}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the row is about time")]
fn j13_a_million_parts_are_refused_in_bounded_time() {
    let keys: Vec<_> = (0..1_000_000).map(|i| format!("\"{i:x}\":0")).collect();
    for text in [format!("[{}]", "0,".repeat(999_999) + "0"), format!("{{{}}}", keys.join(","))] {
        let started = Instant::now();
        assert_eq!(read(&text), Err(Reason::JsonLimit));
        assert!(started.elapsed() < Duration::from_secs(8));
    }
    let started = Instant::now();
    assert!(read(&format!("{{{}}}", keys[..99_999].join(","))).is_ok());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn j16_j17_j22_one_document_in_utf8() {
    for bad in [
        "{} {}",
        "{}\n{}",
        "{}x",
        "// c\n{}",
        "{'a':1}",
        "NaN",
        "[Infinity]",
        "",
        " ",
        "\u{feff}{}",
    ] {
        assert_eq!(read(bad), Err(Reason::JsonMalformed), "{bad:?}");
    }
    let invalid: [&[u8]; 6] =
        [b"\x80", b"\xC0\xAF", b"\xED\xA0\x80", b"\xF5\x80\x80\x80", b"\xE2\x82", b"\xFF\xFE"];
    for bytes in invalid {
        let text = [b"[\"", bytes, b"\"]"].concat();
        let fault = Document::strict(&text, JsonLimits::default()).unwrap_err();
        assert_eq!((fault.reason, fault.rpc_code), (Reason::JsonMalformed, -32700));
    }
    assert!(read(" \t\r\n{\"a\":\"\u{1F600}\"} \n").is_ok());
}

#[test]
fn lone_surrogates_are_refused_and_pairs_are_joined() {
    for bad in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud83d\u""#,
    ] {
        assert_eq!(read(bad), Err(Reason::JsonMalformed), "{bad}");
    }
    assert_eq!(read(r#""\ud83d\ude00\u0041\/\b""#), Ok(json!("😀A/\u{8}")));
}

#[test]
fn special_bytes_are_found_at_every_offset() {
    for length in 0..200 {
        let plain = "a".repeat(length);
        assert_eq!(read(&format!("\"{plain}\"")), Ok(json!(plain)));
        assert_eq!(read(&format!("\"{plain}\\n\"")), Ok(json!(format!("{plain}\n"))));
        assert_eq!(read(&format!("\"{plain}\u{1}\"")), Err(Reason::JsonMalformed));
        assert_eq!(read(&format!("\"{plain}")), Err(Reason::JsonMalformed));
    }
}

#[test]
fn an_answer_is_indexed_as_far_as_it_is_read() {
    let text = br#"{"id":1,"result":{"content":[{"a":1,"a":2}],"isError":false}}"#;
    let document = Document::envelope(text, JsonLimits::default()).unwrap();
    let result = document.root().get("result").unwrap();
    assert_eq!(result.get("isError").unwrap().raw(), "false");
    let content = result.get("content").unwrap();
    assert_eq!(content.raw(), r#"[{"a":1,"a":2}]"#);
    assert_eq!(content.children().count(), 0);
    for bad in [
        r#"{"id":1,"id":2,"result":{}}"#,
        r#"{"id":1,"result":{"a":1,"a":2}}"#,
        r#"{"id":1,"result":{"a":[1,}]}}"#,
        r#"{"id":1,"result":{"a":"\ud800"}}"#,
    ] {
        assert!(Document::envelope(bad.as_bytes(), JsonLimits::default()).is_err(), "{bad}");
    }
}

#[test]
fn nodes_know_their_spans() {
    let text = r#" {"a" : [1, {"b":"c"}] , "d":null} "#;
    let document = Document::strict(text.as_bytes(), JsonLimits::default()).unwrap();
    let array = document.root().get("a").unwrap();
    assert_eq!(&text[array.span()], r#""a" : [1, {"b":"c"}]"#);
    assert_eq!(&text[array.value_span()], array.raw());
    let items: Vec<_> = array.children().map(|item| item.raw()).collect();
    assert_eq!(items, ["1", r#"{"b":"c"}"#]);
    assert_eq!(&text[document.root().span()], text.trim());
}

#[test]
fn canonical_form_is_rfc_8785_with_the_digits_kept() {
    let text = r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":[1.0,1,"\u001f\"\\\/"]}"#;
    let value = read(text).unwrap();
    let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":[1.0,1,\"\\u001f\\\"\\\\/\"],\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
    assert_eq!(String::from_utf8(canonical(&value)).unwrap(), expected);
    let of = |text| digest(&read(text).unwrap());
    assert_eq!(of(r#"{"a":1,"b":[2]}"#), of(r#" { "b" : [ 2 ] , "\u0061":1 } "#));
    assert_ne!(of("[1]"), of("[1.0]"));
    assert_ne!(of("[9007199254740992]"), of("[9007199254740993]"));
}

#[test]
fn folding_finds_what_lenient_readers_take_for_the_same() {
    for twin in ["Name", "NAME", "name\0", "na\u{200b}me", "ｎａｍｅ", "name ", "\u{feff}name"]
    {
        assert_eq!(fold(twin), "name", "{twin:?}");
    }
    assert_eq!(fold("param\u{17f}"), "params");
    assert_eq!(fold("tool\u{212a}"), "toolk");
    for own in ["name", "nаme", "näme", "naмe", "names"] {
        assert!(own == "name" || fold(own) != "name", "{own}");
    }
}
