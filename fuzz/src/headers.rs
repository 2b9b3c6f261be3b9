//! Headers and a body: lines up to an empty one are `name: value`, the rest is the body.

use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_mcp::{
    headers::{check_mirror, param_headers, revision, toward_client, toward_upstream},
    json::JsonLimits,
    message::{Body, parse_client},
    trace::TraceParent,
};
use lockgate_model::Era;

/// Nothing private is forwarded, a trace parent is read as it is written, and mirrored headers that
/// agree with the body still do when they are forwarded.
pub fn holds(input: &[u8]) {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, body) = input.split_at(end);
    let headers = read(head);
    let both = [Era::Legacy, Era::Modern].map(|era| toward_upstream(&headers, era));
    for passed in both.iter().chain([&toward_client(&headers)]) {
        for private in ["authorization", "cookie", "host", "origin", "proxy-authorization"] {
            assert!(!passed.contains_key(private), "`{private}` passes");
        }
    }
    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(parent) = parent.and_then(TraceParent::parse) {
        assert_eq!(TraceParent::parse(&parent.to_string()), Some(parent));
    }
    check_body(&headers, body.get(2..).unwrap_or_default());
}

fn check_body(headers: &HeaderMap, body: &[u8]) {
    let _ = revision(headers, None, None);
    let Ok(Body::One(message)) = parse_client(body, JsonLimits::default()) else { return };
    let schema = message.params().and_then(|params| params.get("inputSchema"));
    let params = schema.and_then(|schema| param_headers(&schema.to_value())).unwrap_or_default();
    let revision = revision(headers, Some(&message), None);
    let modern = revision.is_ok_and(|revision| revision.era() == Era::Modern);
    if modern && check_mirror(headers, &message, &params).is_ok() {
        let forwarded = toward_upstream(headers, Era::Modern);
        assert!(check_mirror(&forwarded, &message, &params).is_ok());
    }
}

fn read(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let (name, value) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
