//! What a message asks for, in the terms in which policy decides: one table for every revision.
//!
//! Never decides. A method that the table does not name in a revision is unknown there, so that
//! whatever a later revision adds is refused until it is written down here.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use lockgate_model::{Action, Call, RequestId, Revision};
use serde_json::Value;

use crate::{
    Fault,
    json::{Kind, Node, digest},
    message::{Notification, Request},
    uri,
};

/// What the target of a method is, and where it stands in `params`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    /// Part of the protocol itself.
    Protocol,
    /// `name` of a tool.
    Tool,
    /// `uri` of a resource, to read.
    Resource,
    /// `uri` of a resource, to watch or to watch no longer.
    Watch,
    /// `name` of a prompt.
    Prompt,
    /// `ref` to a prompt or resource template.
    Completion,
    /// A stream of notifications.
    Stream,
    /// `taskId`; the list of tasks has none.
    Task,
    /// The log level of a session.
    LogLevel,
}

use Asks::{Completion, LogLevel, Prompt, Protocol, Resource, Stream, Task, Tool, Watch};
use Revision::{V2025_03_26 as MAR25, V2025_11_25 as NOV25, V2026_07_28 as JUL26};

/// Every method that a client may send: first revision, last revision, what it asks for.
const METHODS: &[(&str, Revision, Revision, Asks)] = &[
    ("initialize", MAR25, NOV25, Protocol),
    ("ping", MAR25, NOV25, Protocol),
    ("server/discover", JUL26, JUL26, Protocol),
    ("tools/list", MAR25, JUL26, Protocol),
    ("tools/call", MAR25, JUL26, Tool),
    ("resources/list", MAR25, JUL26, Protocol),
    ("resources/templates/list", MAR25, JUL26, Protocol),
    ("resources/read", MAR25, JUL26, Resource),
    ("resources/subscribe", MAR25, NOV25, Watch),
    ("resources/unsubscribe", MAR25, NOV25, Watch),
    ("prompts/list", MAR25, JUL26, Protocol),
    ("prompts/get", MAR25, JUL26, Prompt),
    ("completion/complete", MAR25, JUL26, Completion),
    ("logging/setLevel", MAR25, NOV25, LogLevel),
    ("subscriptions/listen", JUL26, JUL26, Stream),
    ("tasks/list", NOV25, NOV25, Task),
    ("tasks/get", NOV25, JUL26, Task),
    ("tasks/result", NOV25, NOV25, Task),
    ("tasks/update", JUL26, JUL26, Task),
    ("tasks/cancel", NOV25, JUL26, Task),
    ("notifications/initialized", MAR25, NOV25, Protocol),
    ("notifications/cancelled", MAR25, JUL26, Protocol),
    ("notifications/progress", MAR25, NOV25, Protocol),
    ("notifications/roots/list_changed", MAR25, NOV25, Protocol),
    ("notifications/tasks/status", NOV25, NOV25, Protocol),
];

/// Every method that a server may send as a request to the client, legacy or within
/// `inputRequests`. Servers of 2025-11-25 may also ask for the client's own tasks.
const SERVER_METHODS: &[&str] = &[
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "tasks/get",
    "tasks/result",
    "tasks/cancel",
    "tasks/list",
];

/// Longest tool name, in bytes; the rule for tool names since 2025-11-25.
const NAME_MAX_BYTES: usize = 128;

/// The call that a request makes.
///
/// # Errors
/// [`Fault`] for a method that this revision does not know, parameters without the shape that the
/// method needs, a NUL in arguments, and names that no tool or prompt can have.
pub fn of_request(request: &Request<'_>, revision: Revision) -> Result<Call, Fault> {
    let id = Some(request.id.clone());
    call(&request.method, request.params(), id.clone(), revision).map_err(|fault| fault.with_id(id))
}

/// The call that a notification makes.
///
/// # Errors
/// As [`of_request`].
pub fn of_notification(notification: &Notification<'_>, revision: Revision) -> Result<Call, Fault> {
    call(&notification.method, notification.params(), None, revision)
}

/// What a request from the server to the client asks for; `ping` is part of the protocol.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` for a method that no server may send.
pub fn of_server_request(method: &str) -> Result<Action, Fault> {
    if method == "ping" {
        return Ok(Action::Protocol);
    }
    if SERVER_METHODS.contains(&method) {
        return Ok(Action::ServerRequest(method.to_owned()));
    }
    Err(Fault::upstream("a request to the client that no revision knows"))
}

/// Whether `name` can name a tool or prompt: 1 to 128 of `A-Z a-z 0-9 _ . - /`.
///
/// The slash is not in the rule for tool names of 2025-11-25 but in use by servers that group
/// their tools; it can't be confused with any other character.
pub fn is_name(name: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-' | b'/');
    (1..=NAME_MAX_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

fn call(
    method: &str,
    params: Option<Node<'_, '_>>,
    id: Option<RequestId>,
    revision: Revision,
) -> Result<Call, Fault> {
    let known = |(name, first, last, _): &&(&str, Revision, Revision, Asks)| {
        *name == method && (*first..=*last).contains(&revision)
    };
    let Some((_, _, _, asks)) = METHODS.iter().find(known) else {
        return Err(Fault::method("a method that this revision does not know"));
    };
    let action = action(*asks, method, params)?;
    let arguments = arguments(params)?;
    let arguments_digest = digest(&arguments);
    let era = revision.era();
    Ok(Call { era, id, method: method.to_owned(), action, arguments, arguments_digest })
}

fn action(asks: Asks, method: &str, params: Option<Node<'_, '_>>) -> Result<Action, Fault> {
    Ok(match asks {
        Protocol => Action::Protocol,
        Tool => Action::CallTool(name(params)?),
        Resource => Action::ReadResource(resource(params)?),
        Watch => Action::SubscribeResource(resource(params)?),
        Prompt => Action::GetPrompt(name(params)?),
        Completion => Action::Complete(reference(params)?),
        Stream => Action::Subscribe,
        Task if method == "tasks/list" => Action::Task(String::new()),
        Task => Action::Task(text(params, "taskId")?.into_owned()),
        LogLevel => Action::SetLogLevel,
    })
}

fn text<'a>(params: Option<Node<'_, 'a>>, key: &str) -> Result<Cow<'a, str>, Fault> {
    let text = params.and_then(|params| params.get(key)).and_then(|value| value.text());
    let text = text.ok_or_else(|| Fault::params(format!("`{key}` is missing or no string")))?;
    if text.contains('\0') {
        return Err(Fault::params(format!("a NUL in `{key}`")));
    }
    Ok(text)
}

fn name(params: Option<Node<'_, '_>>) -> Result<String, Fault> {
    let name = text(params, "name")?;
    if !is_name(&name) {
        return Err(Fault::unknown_target("a name that no tool or prompt can have"));
    }
    Ok(name.into_owned())
}

fn resource(params: Option<Node<'_, '_>>) -> Result<String, Fault> {
    canonical_uri(&text(params, "uri")?)
}

fn canonical_uri(uri: &str) -> Result<String, Fault> {
    uri::canonical(uri).ok_or_else(|| Fault::params("`uri` is no absolute URI"))
}

/// The prompt or resource template whose argument is to be completed.
fn reference(params: Option<Node<'_, '_>>) -> Result<String, Fault> {
    let reference = params.and_then(|params| params.get("ref"));
    match text(reference, "type")?.as_ref() {
        "ref/prompt" => name(reference),
        "ref/resource" => Ok(text(reference, "uri")?.into_owned()),
        _ => Err(Fault::params("`ref` is neither prompt nor resource")),
    }
}

/// `params.arguments`: an object, or null where there is none.
fn arguments(params: Option<Node<'_, '_>>) -> Result<Value, Fault> {
    let Some(node) = params.and_then(|params| params.get("arguments")) else {
        return Ok(Value::Null);
    };
    if !matches!(node.kind(), Kind::Object | Kind::Null) {
        return Err(Fault::params("`arguments` is no object"));
    }
    let value = node.to_value();
    if node.raw().contains("\\u0000") && has_nul(&value) {
        return Err(Fault::params("a NUL in `arguments`"));
    }
    Ok(value)
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => {
            members.iter().any(|(key, value)| key.contains('\0') || has_nul(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
