//! What the gateway must know of an upstream's answer: the few fields that change what comes next.
//!
//! Reads by spans; never looks into content.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::{
    Fault,
    json::{Document, JsonLimits, Kind, Node},
    message::Response,
};

/// Members of a message, by their way from its top, that are the protocol's own: what they hold
/// comes back to the server as it was, or names what is meant. `*` stands for any item of an array.
pub const HANDLES: &[&[&str]] = &[
    &["jsonrpc"],
    &["id"],
    &["method"],
    &["params", "requestId"],
    &["params", "taskId"],
    &["params", "progressToken"],
    &["params", "_meta", "progressToken"],
    &["params", "_meta", "io.modelcontextprotocol/related-task", "taskId"],
    &["params", "protocolVersion"],
    &["result", "protocolVersion"],
    &["result", "nextCursor"],
    &["result", "requestState"],
    &["result", "taskId"],
    &["result", "task", "taskId"],
    &["result", "tasks", "*", "taskId"],
    &["result", "_meta", "io.modelcontextprotocol/related-task", "taskId"],
    &["result", "tools", "*", "name"],
    &["result", "prompts", "*", "name"],
    &["result", "prompts", "*", "arguments", "*", "name"],
];

/// One request to the client inside an `input_required` result (modern era).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputRequest {
    /// The server's key for it.
    pub key: String,
    /// `elicitation/create`, `sampling/createMessage` or `roots/list`.
    pub method: String,
}

/// The revision that an `initialize` result settles on, as written.
pub fn negotiated_version<'a>(response: &Response<'a>) -> Option<Cow<'a, str>> {
    response.result()?.get("protocolVersion")?.text()
}

/// `resultType` of a modern result, as written.
pub fn result_type<'a>(response: &Response<'a>) -> Option<Cow<'a, str>> {
    response.result()?.get("resultType")?.text()
}

/// Whether a tool's result says that the tool failed.
pub fn is_tool_error(response: &Response<'_>) -> bool {
    response
        .result()
        .and_then(|result| result.get("isError"))
        .is_some_and(|flag| flag.raw() == "true")
}

/// The id of the task that a result creates or describes: `taskId` of the result (modern), or
/// `task.taskId` (2025-11-25).
///
/// # Errors
/// [`Fault`] where a task's object is not strict JSON.
pub fn task_id(response: &Response<'_>, limits: JsonLimits) -> Result<Option<String>, Fault> {
    let Some(result) = response.result() else { return Ok(None) };
    if let Some(id) = result.get("taskId").and_then(|id| id.text()) {
        return Ok(Some(id.into_owned()));
    }
    let Some(task) = result.get("task") else { return Ok(None) };
    let task = reread(task, limits)?;
    Ok(task.root().get("taskId").and_then(|id| id.text()).map(Cow::into_owned))
}

/// The requests to the client that an `input_required` result carries.
///
/// # Errors
/// [`Fault`] where `inputRequests` is no object of requests.
pub fn input_requests(
    response: &Response<'_>,
    limits: JsonLimits,
) -> Result<Vec<InputRequest>, Fault> {
    let Some(node) = response.result().and_then(|result| result.get("inputRequests")) else {
        return Ok(Vec::new());
    };
    if node.kind() != Kind::Object {
        return Err(Fault::upstream("`inputRequests` is no object"));
    }
    let requests = reread(node, limits)?;
    requests.root().children().map(input_request).collect()
}

fn input_request(request: Node<'_, '_>) -> Result<InputRequest, Fault> {
    let method = request.get("method").and_then(|method| method.text());
    let method = method.ok_or_else(|| Fault::upstream("an input request without a method"))?;
    let key = request.key().unwrap_or_default().to_owned();
    Ok(InputRequest { key, method: method.into_owned() })
}

fn reread<'a>(node: Node<'_, 'a>, limits: JsonLimits) -> Result<Document<'a>, Fault> {
    Document::strict(node.raw().as_bytes(), limits).map_err(Fault::from_upstream)
}
