//! Headers and a body: lines up to an empty one are `name: value`, the rest is the body.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use lockgate_mcp::{
    headers::{check_mirror, param_headers, revision, toward_client, toward_upstream},
    json::JsonLimits,
    message::{Body, parse_client},
    trace::TraceParent,
};
use lockgate_model::Era;

fuzz_target!(|bytes: &[u8]| {
    let (head, body) = bytes
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + 2..]));
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    for passed in [
        toward_upstream(&headers, Era::Legacy),
        toward_upstream(&headers, Era::Modern),
        toward_client(&headers),
    ] {
        assert!(!passed.contains_key("authorization") && !passed.contains_key("cookie"));
    }
    if let Some(parent) = headers.get("traceparent").and_then(|value| value.to_str().ok())
        && let Some(parent) = TraceParent::parse(parent)
    {
        assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
    }
    let _ = revision(&headers, None, None);
    let Ok(Body::One(message)) = parse_client(body, JsonLimits::default()) else { return };
    let params = message
        .params()
        .and_then(|params| params.get("inputSchema"))
        .and_then(|schema| param_headers(&schema.to_value()))
        .unwrap_or_default();
    if revision(&headers, Some(&message), None).is_ok_and(|revision| revision.era() == Era::Modern) {
        let _ = check_mirror(&headers, &message, &params);
    }
});
