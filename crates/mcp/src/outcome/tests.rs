//! What is read out of results.

use super::{
    InputRequest, input_requests, is_tool_error, negotiated_version, result_type, task_id,
};
use crate::{
    json::JsonLimits,
    message::{Body, Message, Response, parse_server},
};

fn response(result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
}

fn read(text: &str) -> Response<'_> {
    match parse_server(text.as_bytes(), JsonLimits::default()) {
        Ok(Body::One(Message::Response(response))) => response,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn the_fields_that_change_what_comes_next_are_found() {
    let text = response(r#"{"protocolVersion":"2025-06-18","capabilities":{},"instructions":"i"}"#);
    assert_eq!(negotiated_version(&read(&text)).as_deref(), Some("2025-06-18"));
    let text = response(r#"{"resultType":"complete","isError":true,"content":[{"isError":1}]}"#);
    assert_eq!(result_type(&read(&text)).as_deref(), Some("complete"));
    assert!(is_tool_error(&read(&text)));
    for text in [r#"{"isError":false}"#, r#"{"isError":"true"}"#, "{}", "[true]"] {
        assert!(!is_tool_error(&read(&response(text))), "{text}");
    }
}

#[test]
fn tasks_are_named_in_both_eras() {
    let of = |result: &str| task_id(&read(&response(result)), JsonLimits::default());
    assert_eq!(of(r#"{"resultType":"task","taskId":"t1"}"#), Ok(Some("t1".into())));
    assert_eq!(of(r#"{"task":{"taskId":"t2","status":"working"}}"#), Ok(Some("t2".into())));
    assert_eq!(of(r#"{"content":[]}"#), Ok(None));
    assert!(of(r#"{"task":{"taskId":"a","taskId":"b"}}"#).is_err());
}

#[test]
fn p12_requests_inside_a_result_are_listed() {
    let of = |result: &str| input_requests(&read(&response(result)), JsonLimits::default());
    let two = r#"{"resultType":"input_required","requestState":"s","inputRequests":{
        "a":{"method":"elicitation/create","params":{}},"b":{"method":"roots/list"}}}"#;
    let expected = [("a", "elicitation/create"), ("b", "roots/list")]
        .map(|(key, method)| InputRequest { key: key.into(), method: method.into() });
    assert_eq!(of(two).unwrap(), expected);
    assert_eq!(of(r#"{"content":[]}"#), Ok(vec![]));
    for bad in [
        r#"{"inputRequests":[]}"#,
        r#"{"inputRequests":{"a":{}}}"#,
        r#"{"inputRequests":{"a":{"method":"roots/list","method":"sampling/createMessage"}}}"#,
    ] {
        assert!(of(bad).is_err(), "{bad}");
    }
}
