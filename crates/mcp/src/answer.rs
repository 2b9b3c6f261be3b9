//! The JSON-RPC bodies that the gateway itself writes.
//!
//! Codes are the protocol's own or positive; -32099 to -32000 belong to the specification and to
//! the upstream. Texts are constant, so that an answer tells nothing about what exists.

#[cfg(test)]
mod tests;

use lockgate_model::{Era, RequestId};
use serde_json::{Map, Value, json};

use crate::{fault::code, message::META_SUBSCRIPTION};

/// The message of every unknown tool, prompt or resource, whether it is hidden or absent.
pub const UNKNOWN_TARGET: &str = "unknown tool, prompt or resource";

/// A JSON-RPC error response; an id of null where the request's could not be read.
pub fn error(id: Option<&RequestId>, code: i32, message: &str, data: Option<Value>) -> Vec<u8> {
    let mut error = json!({ "code": code, "message": message });
    if let (Some(data), Some(members)) = (data, error.as_object_mut()) {
        members.insert("data".to_owned(), data);
    }
    body(id, "error", error)
}

/// The answer for a name that does not exist, or not for this caller: one text for both.
pub fn unknown_target(id: &RequestId) -> Vec<u8> {
    error(Some(id), code::PARAMS, UNKNOWN_TARGET, None)
}

/// The answer for a revision that is not served, with those that are (modern era).
pub fn unsupported_revision(
    id: Option<&RequestId>,
    requested: &str,
    supported: &[&str],
) -> Vec<u8> {
    let data = json!({ "supported": supported, "requested": requested });
    error(id, code::REVISION, "unsupported protocol version", Some(data))
}

/// The answer for a request that needs an extension which the client did not declare (modern era).
pub fn missing_extension(id: Option<&RequestId>, extension: &str) -> Vec<u8> {
    let data = json!({ "requiredCapabilities": { "extensions": { extension: {} } } });
    error(id, code::CAPABILITY, "client capability not declared", Some(data))
}

/// A tool's result that says that the call failed: the one shape that every client shows to the
/// model as text.
pub fn tool_error(id: &RequestId, era: Era, text: &str) -> Vec<u8> {
    let mut result = Map::new();
    if era == Era::Modern {
        result.insert("resultType".to_owned(), "complete".into());
    }
    result.insert("content".to_owned(), json!([{ "type": "text", "text": text }]));
    result.insert("isError".to_owned(), true.into());
    body(Some(id), "result", Value::Object(result))
}

/// A progress notification of the gateway's own, while a call waits.
pub fn progress(token: &RequestId, progress: u32, message: &str) -> Vec<u8> {
    let params = json!({ "progressToken": token, "progress": progress, "message": message });
    let note = json!({
        "jsonrpc": "2.0", "method": "notifications/progress", "params": params,
    });
    note.to_string().into_bytes()
}

/// The result that asks the client to send the same call again, with this state (modern era).
pub fn ask_again(id: &RequestId, state: &str) -> Vec<u8> {
    body(Some(id), "result", json!({ "resultType": "input_required", "requestState": state }))
}

/// The result that ends a modern `subscriptions/listen` stream in good order.
pub fn listen_complete(id: &RequestId) -> Vec<u8> {
    let result = json!({ "resultType": "complete", "_meta": { META_SUBSCRIPTION: id } });
    body(Some(id), "result", result)
}

/// Joins the answers of a batch's entries, each one JSON text.
pub fn batch<T: AsRef<[u8]>>(answers: &[T]) -> Vec<u8> {
    let mut out = vec![b'['];
    for (nth, answer) in answers.iter().enumerate() {
        if nth > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer.as_ref());
    }
    out.push(b']');
    out
}

fn body(id: Option<&RequestId>, member: &str, value: Value) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("jsonrpc".to_owned(), "2.0".into());
    body.insert("id".to_owned(), json!(id));
    body.insert(member.to_owned(), value);
    Value::Object(body).to_string().into_bytes()
}
