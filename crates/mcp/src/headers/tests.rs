//! Mirrored headers against bodies, by row.

use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_model::{Era, Reason, Revision};
use serde_json::json;

use super::{
    ParamHeader, check_mirror, is_media_type, param_headers, revision, toward_client,
    toward_upstream,
};
use crate::{
    Fault,
    json::JsonLimits,
    message::{Body, Message, parse_client},
};

const VERSION: (&str, &str) = ("MCP-Protocol-Version", "2026-07-28");
const METHOD: (&str, &str) = ("Mcp-Method", "tools/call");
const NAME: (&str, &str) = ("Mcp-Name", "t");

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_bytes(value.as_bytes()).unwrap())
        })
        .fold(HeaderMap::new(), |mut map, (name, value)| {
            map.append(name, value);
            map
        })
}

fn message(text: &str) -> Message<'_> {
    match parse_client(text.as_bytes(), JsonLimits::default()) {
        Ok(Body::One(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

fn request(method: &str, params: &str) -> String {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{meta}{params}}}}}"#)
}

fn mirror(
    method: &str,
    params: &str,
    pairs: &[(&str, &str)],
    annotated: &[&str],
) -> Result<(), Fault> {
    let params_of = |name: &&str| ParamHeader {
        header: HeaderName::from_bytes(format!("mcp-param-{name}").as_bytes()).unwrap(),
        path: name.split('-').map(str::to_owned).collect(),
    };
    let annotated: Vec<_> = annotated.iter().map(params_of).collect();
    check_mirror(&headers(pairs), &message(&request(method, params)), &annotated)
}

fn is_mismatch(result: Result<(), Fault>) -> bool {
    result.is_err_and(|fault| {
        (fault.reason, fault.http_status, fault.rpc_code) == (Reason::HeaderMismatch, 400, -32020)
            && fault.id.is_some()
    })
}

#[test]
fn v1_v2_v4_v5_mirrored_headers_say_what_the_body_says() {
    let call = |pairs: &[(&str, &str)]| mirror("tools/call", r#","name":"t""#, pairs, &[]);
    for (row, pairs) in [
        ("V1", vec![METHOD, ("Mcp-Name", "u")]),
        ("V1 case", vec![METHOD, ("Mcp-Name", "T")]),
        ("V2", vec![("Mcp-Method", "tools/list"), NAME]),
        ("V2 case", vec![("Mcp-Method", "Tools/Call"), NAME]),
        ("V4 method", vec![NAME]),
        ("V4 name", vec![METHOD]),
        ("V5 name", vec![METHOD, NAME, NAME]),
        ("V5 method", vec![METHOD, METHOD, NAME]),
        ("V5 differing", vec![METHOD, NAME, ("mcp-name", "u")]),
        ("V6 bytes", vec![METHOD, ("Mcp-Name", "t\u{e9}")]),
    ] {
        assert!(is_mismatch(call(&pairs)), "{row}");
    }
    assert!(call(&[METHOD, NAME]).is_ok());
    assert!(call(&[("mcp-method", " tools/call\t"), ("MCP-NAME", "  t ")]).is_ok());
    assert!(call(&[METHOD, NAME, ("Mcp-Param-Other", "x")]).is_ok(), "V8 unknown: forwarded");
}

#[test]
fn v1_every_named_method_has_its_parameter() {
    for (method, params, name) in [
        ("prompts/get", r#","name":"p""#, "p"),
        ("resources/read", r#","uri":"x:y""#, "x:y"),
        ("tasks/get", r#","taskId":"k""#, "k"),
        ("tasks/update", r#","taskId":"k""#, "k"),
        ("tasks/cancel", r#","taskId":"k""#, "k"),
    ] {
        let with =
            |name| mirror(method, params, &[("Mcp-Method", method), ("Mcp-Name", name)], &[]);
        assert!(with(name).is_ok(), "{method}");
        assert!(is_mismatch(with("other")), "{method}");
        assert!(is_mismatch(mirror(method, params, &[("Mcp-Method", method)], &[])), "{method}");
    }
    assert!(mirror("tools/list", "", &[("Mcp-Method", "tools/list")], &[]).is_ok());
    assert!(is_mismatch(mirror("tools/list", "", &[("Mcp-Method", "tools/list"), NAME], &[])));
}

#[test]
fn v3_v9_v10_v11_the_revision_is_one_and_served() {
    let modern = request("tools/call", r#","name":"t""#);
    let plain = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}"#;
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2026-07-28"}}"#;
    let unknown = modern.replace("2026-07-28", "2027-01-01");
    let old = modern.replace("2026-07-28", "2025-11-25");
    let of = |text: &str, version: Option<&str>, session| {
        let pairs: Vec<_> = version.map(|version| (VERSION.0, version)).into_iter().collect();
        revision(&headers(&pairs), Some(&message(text)), session).map_err(|fault| fault.rpc_code)
    };
    let session = Some(Revision::V2025_06_18);
    for (row, text, version, session, expected) in [
        ("modern", modern.as_str(), Some("2026-07-28"), None, Ok(Revision::V2026_07_28)),
        (
            "modern, session ignored",
            &modern,
            Some("2026-07-28"),
            session,
            Ok(Revision::V2026_07_28),
        ),
        ("V3", &modern, Some("2025-11-25"), None, Err(-32020)),
        ("V3 missing", &modern, None, None, Err(-32020)),
        ("V9", &modern, Some("2025-06-18"), session, Err(-32020)),
        ("V9 without meta", plain, Some("2025-06-18"), None, Ok(Revision::V2025_06_18)),
        ("V10 both", &unknown, Some("2027-01-01"), None, Err(-32022)),
        ("V10 header", plain, Some("2024-11-05"), None, Err(-32022)),
        ("V10 legacy in meta", &old, Some("2025-11-25"), None, Err(-32022)),
        ("V11", initialize, Some("2026-07-28"), None, Err(-32022)),
        ("initialize", initialize, None, None, Ok(Revision::V2025_11_25)),
        ("modern without meta", plain, Some("2026-07-28"), None, Err(-32602)),
        ("session", plain, None, session, Ok(Revision::V2025_06_18)),
        ("session before header", plain, Some("2025-11-25"), session, Ok(Revision::V2025_06_18)),
        ("nothing", plain, None, None, Ok(Revision::V2025_03_26)),
    ] {
        assert_eq!(of(text, version, session), expected, "{row}");
    }
    let mismatch = Fault::header_mismatch("").for_legacy();
    assert_eq!((mismatch.rpc_code, mismatch.reason), (-32600, Reason::HeaderMismatch));
    assert_eq!(Fault::params("").for_legacy(), Fault::params(""));
    let twice = headers(&[VERSION, VERSION]);
    assert_eq!(revision(&twice, None, None).unwrap_err().rpc_code, -32020, "V5");
    assert_eq!(revision(&headers(&[VERSION]), None, None), Ok(Revision::V2026_07_28), "GET");
}

#[test]
fn v6_v7_the_base64_sentinel_has_one_spelling() {
    let read = |header: &str, uri: &str| {
        let params = format!(r#","uri":"{uri}""#);
        mirror(
            "resources/read",
            &params,
            &[("Mcp-Method", "resources/read"), ("Mcp-Name", header)],
            &[],
        )
    };
    assert!(read("=?base64?eDrDqQ==?=", "x:é").is_ok());
    assert!(read("=?base64?eDp5?=", "x:y").is_ok(), "needless but right");
    for (row, header, uri) in [
        ("V6 marker case", "=?BASE64?eDp5?=", "x:y"),
        ("V6 alphabet", "=?base64?e*p5?=", "x:y"),
        ("V6 padding missing", "=?base64?eDrDqQ?=", "x:é"),
        ("V6 stray bits", "=?base64?eDrDqR==?=", "x:é"),
        ("V6 white space", "=?base64?eDp5 ?=", "x:y"),
        ("V6 UTF-8", "=?base64?eDr/?=", "x:y"),
        ("V6 line end", "=?base64?eDp5DQo=?=", "x:y\\r\\n"),
        ("V6 twice", "=?base64?PT9iYXNlNjQ/ZURwNT89?=", "x:y"),
        ("V7", "=?base64?eDp5?=", "=?base64?eDp5?="),
    ] {
        assert!(is_mismatch(read(header, uri)), "{row}");
    }
}

#[test]
fn v8_mirrored_arguments_are_compared_by_value() {
    let call = |arguments: &str, pairs: &[(&str, &str)]| {
        let pairs = [&[METHOD, NAME], pairs].concat();
        mirror(
            "tools/call",
            &format!(r#","name":"t","arguments":{arguments}"#),
            &pairs,
            &["x", "a-b"],
        )
    };
    let x = "Mcp-Param-X";
    for (arguments, pairs) in [
        ("{}", vec![]),
        (r#"{"x":null}"#, vec![]),
        (r#"{"x":"v"}"#, vec![(x, "v")]),
        (r#"{"x":"a\nb"}"#, vec![(x, "=?base64?YQpi?=")]),
        (r#"{"x":42}"#, vec![(x, "42")]),
        (r#"{"x":42}"#, vec![(x, "42.0")]),
        (r#"{"x":42.0}"#, vec![(x, "42")]),
        (r#"{"x":4.2e1}"#, vec![(x, "42")]),
        (r#"{"x":-0}"#, vec![(x, "0")]),
        (r#"{"x":9007199254740993}"#, vec![(x, "9007199254740993")]),
        (r#"{"x":true}"#, vec![(x, "true")]),
        (r#"{"a":{"b":"v"}}"#, vec![("Mcp-Param-A-B", "v")]),
    ] {
        assert!(call(arguments, &pairs).is_ok(), "{arguments} {pairs:?}");
    }
    for (arguments, pairs) in [
        (r#"{"x":"v"}"#, vec![]),
        (r#"{"x":"v"}"#, vec![(x, "w")]),
        (r#"{"x":"v"}"#, vec![(x, "v"), (x, "v")]),
        (r#"{"x":null}"#, vec![(x, "v")]),
        ("{}", vec![(x, "")]),
        (r#"{"x":9007199254740993}"#, vec![(x, "9007199254740992")]),
        (r#"{"x":42}"#, vec![(x, "0x2a")]),
        (r#"{"x":42}"#, vec![(x, "+42")]),
        (r#"{"x":42}"#, vec![(x, "-42")]),
        (r#"{"x":"42"}"#, vec![(x, "42.0")]),
        (r#"{"x":true}"#, vec![(x, "True")]),
        (r#"{"x":{"y":1}}"#, vec![(x, "1")]),
        (r#"{"a":{"b":"v"}}"#, vec![]),
    ] {
        assert!(is_mismatch(call(arguments, &pairs)), "{arguments} {pairs:?}");
    }
}

#[test]
fn v12_annotations_that_break_the_rules_are_found() {
    let schema =
        |properties: serde_json::Value| json!({ "type": "object", "properties": properties });
    let text = |header: serde_json::Value| json!({ "type": "string", "x-mcp-header": header });
    let good = schema(json!({
        "a": text(json!("Region")),
        "o": { "type": "object", "properties": { "n": { "type": "integer", "x-mcp-header": "Depth" } } },
        "x-mcp-header": { "type": "string", "default": { "x-mcp-header": 1 } },
    }));
    let found = param_headers(&good).unwrap();
    let named: Vec<_> = found.iter().map(|p| (p.header.as_str(), p.path.join("."))).collect();
    assert_eq!(
        named,
        [("mcp-param-region", "a".to_owned()), ("mcp-param-depth", "o.n".to_owned())]
    );
    assert_eq!(param_headers(&json!({})), Some(vec![]));
    for bad in [
        schema(json!({ "a": text(json!("X\r\nY")) })),
        schema(json!({ "a": text(json!("")) })),
        schema(json!({ "a": text(json!("a b")) })),
        schema(json!({ "a": text(json!("é")) })),
        schema(json!({ "a": text(json!(1)) })),
        schema(json!({ "a": text(json!("R")), "b": text(json!("r")) })),
        schema(json!({ "a": { "type": "object", "x-mcp-header": "R" } })),
        schema(json!({ "a": { "type": ["string", "null"], "x-mcp-header": "R" } })),
        schema(json!({ "a": { "type": "array", "items": text(json!("R")) } })),
        schema(json!({ "a": { "anyOf": [text(json!("R"))] } })),
        json!({ "type": "string", "x-mcp-header": "R" }),
        json!({ "$defs": { "d": text(json!("R")) } }),
        json!({ "$defs": { "d": { "properties": { "p": text(json!("R")) } } } }),
        json!(true),
    ] {
        assert_eq!(param_headers(&bad), None, "{bad}");
    }
}

#[test]
fn h24_h25_h26_only_listed_headers_pass() {
    let sent = headers(&[
        VERSION,
        METHOD,
        NAME,
        ("Mcp-Param-X", "1"),
        ("Mcp-Session-Id", "s"),
        ("Last-Event-ID", "7"),
        ("Accept", "text/event-stream"),
        ("Content-Type", "application/json"),
        ("Traceparent", "00-"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=b"),
        ("Origin", "http://o"),
        ("Host", "h"),
        ("Proxy-Authorization", "x"),
        ("X-Forwarded-For", "1.2.3.4"),
        ("X-User", "root"),
        ("Connection", "Mcp-Name"),
        ("Mcp_Name", "u"),
        ("Forwarded", "for=1"),
        ("Set-Cookie", "c"),
        ("WWW-Authenticate", "Bearer"),
        ("Location", "/x"),
        ("Retry-After", "3"),
    ]);
    let names = |map: HeaderMap| {
        let mut names: Vec<_> = map.keys().map(|name| name.as_str().to_owned()).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(
        names(toward_upstream(&sent, Era::Modern)),
        "accept content-type mcp-method mcp-name mcp-param-x mcp-protocol-version traceparent",
    );
    assert_eq!(
        names(toward_upstream(&sent, Era::Legacy)),
        "accept content-type last-event-id mcp-protocol-version mcp-session-id traceparent",
    );
    assert_eq!(
        names(toward_client(&sent)),
        "content-type mcp-protocol-version mcp-session-id retry-after",
    );
}

#[test]
fn h30_media_types_are_read_without_their_parameters() {
    let is = |pairs: &[(&str, &str)]| is_media_type(&headers(pairs), "application/json");
    assert!(is(&[("Content-Type", "application/json")]));
    assert!(is(&[("Content-Type", "Application/JSON ; charset=utf-8")]));
    assert!(!is(&[("Content-Type", "text/plain")]));
    assert!(!is(&[]));
    assert!(!is(&[("Content-Type", "application/json"), ("Content-Type", "application/json")]));
}
