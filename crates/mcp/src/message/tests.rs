//! Envelopes of clients and servers, by row.

use lockgate_model::{Reason, RequestId};

use super::{Body, Message, Outcome, parse_client, parse_server};
use crate::{Fault, json::JsonLimits};

fn client(text: &str) -> Result<Body<'_>, Fault> {
    parse_client(text.as_bytes(), JsonLimits::default())
}

fn refused(text: &str) -> (Reason, u16, i32) {
    let fault = client(text).expect_err(text);
    (fault.reason, fault.http_status, fault.rpc_code)
}

fn one(text: &str) -> Message<'_> {
    match client(text) {
        Ok(Body::One(message)) => message,
        other => panic!("{text}: {other:?}"),
    }
}

fn call(id: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#)
}

const TWIN: (Reason, u16, i32) = (Reason::JsonDuplicateKey, 400, -32600);
const INVALID: (Reason, u16, i32) = (Reason::RpcInvalid, 400, -32600);
const PARAMS: (Reason, u16, i32) = (Reason::RpcParams, 400, -32602);

#[test]
fn a_request_shows_what_it_holds() {
    let text = r#" {"jsonrpc":"2.0","id":"a-1","method":"tools\/call","x":1,"params":{"name":"t",
        "arguments":{"n":1.0},"_meta":{"progressToken":7,"traceparent":"00-x",
        "io.modelcontextprotocol/protocolVersion":"2026-07-28"}}} "#;
    let message = one(text);
    assert_eq!(message.raw(), text.trim());
    assert_eq!(message.protocol_version().as_deref(), Some("2026-07-28"));
    let Message::Request(request) = message else { panic!("a request") };
    assert_eq!(request.id, RequestId::Text("a-1".into()));
    assert_eq!(request.method, "tools/call");
    assert_eq!(request.param_text("name").as_deref(), Some("t"));
    assert_eq!(request.progress_token(), Some(RequestId::Number(7)));
    assert_eq!(request.traceparent().as_deref(), Some("00-x"));
}

#[test]
fn j5_j6_j7_j8_near_twins_of_protocol_keys_are_refused() {
    for key in [
        "Method",
        "METHOD",
        "Params",
        "param\u{17f}",
        "meth\u{200b}od",
        "ｍethod",
        "Id",
        "jsonRPC",
        "Error",
    ] {
        let beside = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","{key}":{{}}}}"#);
        assert_eq!(refused(&beside), TWIN, "{key}");
        let instead = format!(r#"{{"jsonrpc":"2.0","id":1,"{key}":"ping"}}"#);
        assert_eq!(refused(&instead), TWIN, "{key}");
    }
    for key in [
        "Name",
        "NAME",
        "name\\u0000",
        "nam\u{200b}e",
        "ｎame",
        "Arguments",
        "argument\u{17f}",
        "_Meta",
        "tas\u{212a}",
        "URI",
    ] {
        assert_eq!(refused(&call("1", &format!(r#"{{"name":"t","{key}":"u"}}"#))), TWIN, "{key}");
        assert_eq!(refused(&call("1", &format!(r#"{{"{key}":"u"}}"#))), TWIN, "{key}");
    }
    for params in [
        r#"{"name":"t","_meta":{"ProgressToken":1}}"#,
        r#"{"name":"t","_meta":{"io.modelcontextprotocol/protocolversion":"x"}}"#,
        r#"{"name":"t","toolk":1,"tool\u212a":2}"#,
        r#"{"name":"t","arguments":{"path":"/a","Path":"/b"}}"#,
    ] {
        assert_eq!(refused(&call("1", params)), TWIN, "{params}");
    }
    for params in [
        r#"{"name":"t","arguments":{"Path":"/b","Name":1,"headers":{"a":1,"A":2}}}"#,
        r#"{"name":"t","nаme":"cyrillic is another word","vendor/Key":1}"#,
        r#"{"name":"t","_meta":{"Custom":1,"custom/x":2}}"#,
    ] {
        assert!(client(&call("1", params)).is_ok(), "{params}");
    }
}

#[test]
fn j11_ids_are_short_texts_or_whole_numbers() {
    let long = format!("\"{}\"", "x".repeat(1 << 20));
    for id in ["null", "1.5", "1.0", "1e2", "1180591620717411303424", "{}", "[1]", "true", &long] {
        assert_eq!(refused(&call(id, "{}")), INVALID, "{}", &id[..id.len().min(40)]);
    }
    for id in ["0", "-7", "9223372036854775807", "\"\"", "\"7\"", "\"\\u00e9\""] {
        assert!(client(&call(id, "{}")).is_ok(), "{id}");
    }
}

#[test]
fn j14_the_version_is_the_text_2_0() {
    for version in [r#""jsonrpc":"1.0","#, r#""jsonrpc":2.0,"#, r#""jsonrpc":null,"#, ""] {
        let text = format!(r#"{{{version}"id":1,"method":"ping"}}"#);
        assert_eq!(refused(&text), INVALID, "{version}");
        assert_eq!(client(&text).unwrap_err().id, Some(RequestId::Number(1)));
    }
}

#[test]
fn j15_batches_are_cut_into_entries() {
    let text = r#"[ {"jsonrpc":"2.0","id":1,"method":"ping"} ,{"jsonrpc":"2.0","method":"notifications/initialized"}]"#;
    let Ok(Body::Batch(entries)) = client(text) else { panic!("a batch") };
    let raw: Vec<_> = entries.iter().map(Message::raw).collect();
    assert_eq!(raw.len(), 2);
    assert!(raw.iter().all(|entry| text.contains(entry)));
    let ping = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    for bad in [
        "[]".to_owned(),
        "[1]".to_owned(),
        format!("[{}]", "[]"),
        format!("[{},{}]", ping("1"), ping("1")),
        format!("[{},{}]", ping("\"a\""), ping("\"\\u0061\"")),
        format!("[{},{{}}]", ping("1")),
    ] {
        assert_eq!(refused(&bad), INVALID, "{bad}");
    }
    assert!(client(&format!("[{},{}]", ping("1"), ping("\"1\""))).is_ok());
    assert_eq!(refused(&format!("[{}", ping("1"))).2, -32700);
}

#[test]
fn j18_params_are_an_object() {
    for params in ["[]", "\"x\"", "null", "1"] {
        assert_eq!(refused(&call("1", params)), PARAMS, "{params}");
        assert_eq!(client(&call("1", params)).unwrap_err().id, Some(RequestId::Number(1)));
    }
    assert_eq!(refused(&call("1", r#"{"_meta":[]}"#)), PARAMS);
    assert!(matches!(one(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), Message::Request(_)));
}

#[test]
fn j20_responses_are_told_from_requests() {
    let text = r#"{"jsonrpc":"2.0","id":3,"result":{"action":"accept"}}"#;
    let Message::Response(response) = one(text) else { panic!("a response") };
    assert_eq!(response.id, Some(RequestId::Number(3)));
    assert!(matches!(response.outcome(), Some(Outcome::Result(_))));
    for bad in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":"text"}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1}"#,
        "7",
        "{}",
    ] {
        assert_eq!(refused(bad), INVALID, "{bad}");
    }
}

#[test]
fn j21_requests_have_ids_and_notifications_have_none() {
    for bad in [
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":["ping"]}"#,
    ] {
        assert_eq!(refused(bad), INVALID, "{bad}");
    }
    let text = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert!(matches!(one(text), Message::Notification(_)));
}

#[test]
fn servers_are_read_by_spans_and_their_requests_in_full() {
    let server = |text: &'static str| parse_server(text.as_bytes(), JsonLimits::default());
    assert!(server(r#"{"jsonrpc":"2.0","id":1,"result":{"c":[{"a":1,"a":2}]}}"#).is_ok());
    assert!(server(r#"{"jsonrpc":"2.0","error":{"code":-32700,"message":""}}"#).is_ok());
    assert!(server(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":""}}"#).is_ok());
    for bad in [
        r#"{"jsonrpc":"2.0","id":1,"result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"Result":{},"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"a":{"b":1,"b":2}}}"#,
        "data",
    ] {
        let fault = server(bad).unwrap_err();
        assert_eq!((fault.reason, fault.http_status), (Reason::UpstreamInvalid, 502), "{bad}");
    }
    let Ok(Body::One(Message::Request(request))) = server(
        r#"{"jsonrpc":"2.0","id":1,"method":"roots/list","params":{"_meta":{"progressToken":"p"}}}"#,
    ) else {
        panic!("a request")
    };
    assert_eq!(request.progress_token(), Some(RequestId::Text("p".into())));
}
