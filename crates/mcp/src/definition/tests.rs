//! Digests of definitions, and pages that try to hide one.

use super::{Kind, Rejected, instructions_digest, read_page, set_twins_aside};
use crate::json::JsonLimits;

fn page(kind: Kind, items: &str) -> super::Page {
    let key = kind.items_key();
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"{key}":[{items}],"nextCursor":"c"}}}}"#);
    read_page(body.as_bytes(), kind, JsonLimits::default()).unwrap()
}

fn names(page: &super::Page) -> Vec<&str> {
    page.definitions.iter().map(|definition| definition.name.as_str()).collect()
}

#[test]
fn definitions_are_read_in_order_with_their_cursor() {
    let page = page(Kind::Tool, r#"{"name":"b","inputSchema":{"x":1.0}},{"name":"a"}"#);
    assert_eq!(names(&page), ["b", "a"]);
    assert_eq!(page.next_cursor.as_deref(), Some("c"));
    assert_eq!(page.definitions[0].value["inputSchema"]["x"].to_string(), "1.0");
}

#[test]
fn d1_d2_d3_any_change_changes_the_digest() {
    let of = |item: &str| page(Kind::Tool, item).definitions[0].digest;
    let plain = r#"{"name":"a","description":"d","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}"#;
    let respelt = r#"{ "inputSchema":{"type":"object"}, "annotations":{"readOnlyHint":true},"name":"\u0061","description":"d" }"#;
    assert_eq!(of(plain), of(respelt));
    for (from, to) in [
        ("\"d\"", "\"d \""),
        ("\"object\"", "\"array\""),
        ("true", "false"),
        ("\"name\"", "\"x\":1,\"name\""),
        ("\"name\"", "\"_meta\":{},\"name\""),
    ] {
        assert_ne!(of(plain), of(&plain.replacen(from, to, 1)), "{to}");
    }
    assert_ne!(instructions_digest(""), instructions_digest("x"));
}

#[test]
fn p2_v12_what_can_not_be_called_is_set_aside() {
    let page = page(
        Kind::Tool,
        r#"{"name":"good"},{"name":"dеlete_x"},{"name":""},{"title":"no name"},{"name":7},{"name":"a b"},
        {"name":"h","inputSchema":{"properties":{"p":{"type":"object","x-mcp-header":"X"}}}},
        {"name":"k","inputSchema":{"properties":{"p":{"type":"string","x-mcp-header":"X"}}}}"#,
    );
    assert_eq!(names(&page), ["good", "k"]);
    assert_eq!(page.rejected.len(), 6);
}

#[test]
fn d6_of_two_definitions_with_one_name_neither_stays() {
    let mut page = page(Kind::Tool, r#"{"name":"a"},{"name":"b"},{"name":"\u0061","x":1}"#);
    assert_eq!(names(&page), ["b"]);
    assert_eq!(page.rejected[0].name, "a");
    let again = page.definitions[0].clone();
    page.definitions.push(again);
    let why = "a name that stands more than once";
    assert_eq!(set_twins_aside(&mut page.definitions), [Rejected { name: "b".into(), why }]);
    assert!(page.definitions.is_empty());
}

#[test]
fn resources_are_named_by_canonical_uri() {
    let found = page(Kind::Resource, r#"{"uri":"FILE:///srv/./a"},{"uri":"none"}"#);
    assert_eq!(names(&found), ["file:///srv/a"]);
    assert_eq!(names(&page(Kind::Template, r#"{"uriTemplate":"file:///{x}"}"#)), ["file:///{x}"]);
    assert_eq!(Kind::of_method("resources/templates/list"), Some(Kind::Template));
    assert_eq!(Kind::of_method("tools/call"), None);
}

#[test]
fn answers_that_are_no_lists_are_refused() {
    for body in [
        "{}",
        r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":["a"]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","name":"b"}]}}"#,
    ] {
        assert!(read_page(body.as_bytes(), Kind::Tool, JsonLimits::default()).is_err(), "{body}");
    }
}
