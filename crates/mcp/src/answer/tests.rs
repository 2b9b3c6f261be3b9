//! The gateway's own answers, byte for byte.

use lockgate_model::{Era, RequestId};
use serde_json::{Value, json};

use super::{batch, error, listen_complete, tool_error, unknown_target, unsupported_revision};
use crate::{
    json::JsonLimits,
    message::{Body, Message, parse_server},
};

fn read(body: &[u8]) -> Value {
    parse_server(body, JsonLimits::default()).unwrap();
    serde_json::from_slice(body).unwrap()
}

#[test]
fn every_answer_is_a_message_that_clients_read() {
    let id = RequestId::Text("a\"1".into());
    assert_eq!(
        read(&error(Some(&id), 403, "no", Some(json!({ "policies": ["p"] })))),
        json!({ "jsonrpc": "2.0", "id": "a\"1", "error": { "code": 403, "message": "no", "data": { "policies": ["p"] } } }),
    );
    assert_eq!(read(&error(None, -32700, "no", None))["id"], Value::Null);
    assert_eq!(read(&unknown_target(&RequestId::Number(7)))["error"]["code"], json!(-32602));
    let unsupported = read(&unsupported_revision(Some(&id), "2027-01-01", &["2026-07-28"]));
    assert_eq!(unsupported["error"]["data"]["supported"], json!(["2026-07-28"]));
    let complete = read(&listen_complete(&RequestId::Number(7)));
    assert_eq!(
        complete["result"],
        json!({ "resultType": "complete", "_meta": { "io.modelcontextprotocol/subscriptionId": 7 } }),
    );
}

#[test]
fn tool_errors_are_results_in_the_era_of_the_caller() {
    let id = RequestId::Number(1);
    let content = json!([{ "type": "text", "text": "denied" }]);
    assert_eq!(
        read(&tool_error(&id, Era::Legacy, "denied"))["result"],
        json!({ "content": content, "isError": true }),
    );
    assert_eq!(
        read(&tool_error(&id, Era::Modern, "denied"))["result"],
        json!({ "resultType": "complete", "content": content, "isError": true }),
    );
}

#[test]
fn batches_are_joined_as_they_are() {
    let answers = [unknown_target(&RequestId::Number(1)), unknown_target(&RequestId::Number(2))];
    let joined = batch(&answers);
    let Ok(Body::Batch(entries)) = parse_server(&joined, JsonLimits::default()) else {
        panic!("a batch")
    };
    let raw: Vec<_> = entries.iter().map(Message::raw).map(str::as_bytes).collect();
    assert_eq!(raw, answers);
}
