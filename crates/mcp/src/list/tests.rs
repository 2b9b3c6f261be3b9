//! What stays and what goes when a list is filtered.

use lockgate_model::Era;

use super::{filter, loosen_outputs, make_private};
use crate::{definition::Kind, json::JsonLimits};

fn without(body: &str, era: Era, hidden: &[&str]) -> String {
    let keep = |item: &super::Item<'_, '_>| !hidden.contains(&item.name.as_str());
    let out = filter(body.as_bytes(), Kind::Tool, era, 1000, JsonLimits::default(), keep).unwrap();
    String::from_utf8(out).unwrap()
}

const LIST: &str = r#" {"jsonrpc":"2.0","id":1,"x":1.0,"result":{"nextCursor":"c" ,"tools":[ {"name":"a","n":1E2} , {"name" : "b"},{"name":"c","u":"\u0041"}] }} "#;

#[test]
fn kept_items_and_everything_around_them_stay_byte_for_byte() {
    for (hidden, items) in [
        (&["b"][..], r#"[ {"name":"a","n":1E2},{"name":"c","u":"\u0041"}]"#),
        (&["a"], r#"[ {"name" : "b"},{"name":"c","u":"\u0041"}]"#),
        (&["c"], r#"[ {"name":"a","n":1E2},{"name" : "b"}]"#),
        (&["a", "b", "c"], "[ ]"),
    ] {
        let (before, rest) = LIST.split_once('[').unwrap();
        let (_, after) = rest.rsplit_once(']').unwrap();
        assert_eq!(without(LIST, Era::Legacy, hidden), format!("{before}{items}{after}"));
    }
    assert_eq!(without(LIST, Era::Legacy, &[]), LIST);
}

#[test]
fn c12_modern_lists_become_private_and_live_no_longer_than_allowed() {
    let list = |members: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{{"name":"a"}}]{members}}}}}"#)
    };
    for (before, after) in [
        (r#","ttlMs":5000,"cacheScope":"public""#, r#","ttlMs":1000,"cacheScope":"private""#),
        (r#","cacheScope":"private","ttlMs":10"#, r#","cacheScope":"private","ttlMs":10"#),
        (r#","cacheScope":"public","ttlMs":1e9"#, r#","cacheScope":"private","ttlMs":0"#),
        (r#","cacheScope":7,"ttlMs":-1"#, r#","cacheScope":"private","ttlMs":0"#),
    ] {
        assert_eq!(without(&list(before), Era::Modern, &[]), list(after));
    }
    let plain = without(&list(""), Era::Modern, &[]);
    assert_eq!(plain, list("").replace("{\"tools\"", "{\"cacheScope\":\"private\",\"tools\""));
    assert_eq!(without(&list(""), Era::Legacy, &[]), list(""));
}

#[test]
fn p2_d6_what_nobody_can_call_is_shown_to_nobody() {
    let list =
        |items: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{items}]}}}}"#);
    let body = list(r#"{"name":"a"},{"name":"dеl"},{"name":"b"},{"name":"a","evil":1},{"x":1}"#);
    assert_eq!(without(&body, Era::Legacy, &[]), list(r#"{"name":"b"}"#));
    assert_eq!(without(&list(""), Era::Legacy, &[]), list(""));
}

#[test]
fn errors_pass_and_other_answers_do_not() {
    let error = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m"}}"#;
    assert_eq!(without(error, Era::Modern, &["a"]), error);
    for bad in ["{}", r#"{"result":{"tools":[1]}}"#, r#"{"result":[]}"#, "x"] {
        let filtered =
            filter(bad.as_bytes(), Kind::Tool, Era::Legacy, 0, JsonLimits::default(), |_| true);
        assert!(filtered.is_err(), "{bad}");
    }
}

#[test]
fn other_results_become_private_where_they_can_be_cached() {
    let private = |body: &str| {
        String::from_utf8(make_private(body.as_bytes(), 1000, JsonLimits::default()).unwrap())
            .unwrap()
    };
    let read = r#"{"id":1,"result":{"contents":[],"ttlMs":9999,"cacheScope":"public"}}"#;
    assert_eq!(
        private(read),
        r#"{"id":1,"result":{"contents":[],"ttlMs":1000,"cacheScope":"private"}}"#
    );
    let call = r#"{"id":1,"result":{"content":[]}}"#;
    assert_eq!(private(call), call);
}

#[test]
fn masked_answers_satisfy_loosened_output_schemas() {
    let loosened = |schema: serde_json::Value| {
        let tool = serde_json::json!({ "name": "t", "inputSchema": {}, "outputSchema": schema });
        let body = serde_json::json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": [tool] } });
        let out = loosen_outputs(body.to_string().as_bytes(), JsonLimits::default()).unwrap();
        let out: serde_json::Value = serde_json::from_slice(&out).unwrap();
        out["result"]["tools"][0]["outputSchema"].clone()
    };
    let text = serde_json::json!({ "type": "string" });
    let number = serde_json::json!({ "type": ["number", "string"] });
    for (row, schema, expected) in [
        (
            "a form",
            serde_json::json!({ "type": "string", "format": "email", "minLength": 3 }),
            text.clone(),
        ),
        ("a number", serde_json::json!({ "type": "number", "maximum": 9 }), number.clone()),
        (
            "members of that name",
            serde_json::json!({ "type": "object", "required": ["format"],
                "properties": { "format": { "type": "number" }, "pattern": { "const": 1, "type": "string" } } }),
            serde_json::json!({ "type": "object", "required": ["format"],
                "properties": { "format": number, "pattern": text } }),
        ),
        (
            "alternatives",
            serde_json::json!({ "oneOf": [{ "const": 1 }, { "type": "string" }] }),
            serde_json::json!({ "anyOf": [{}, { "type": "string" }] }),
        ),
        (
            "closed objects, and items",
            serde_json::json!({ "additionalProperties": false, "items": { "pattern": "x" } }),
            serde_json::json!({ "items": {} }),
        ),
        (
            "what would turn around",
            serde_json::json!({ "not": { "const": 1 }, "if": {}, "then": {}, "title": "T" }),
            serde_json::json!({ "title": "T" }),
        ),
        ("anything", serde_json::json!(true), serde_json::json!(true)),
    ] {
        assert_eq!(loosened(schema), expected, "{row}");
    }
    // All else stays as it was.
    let body = r#"{ "jsonrpc":"2.0", "id":1, "result":{ "tools":[ {"name":"a", "inputSchema":{"pattern" : 1.0}} ] } }"#;
    let out = loosen_outputs(body.as_bytes(), JsonLimits::default()).unwrap();
    assert_eq!(out, body.as_bytes());
}
