//! From a checked document to a message: the envelope's shape, and keys that mislead.

use lockgate_model::RequestId;

use super::{Body, META_CAPABILITIES, META_VERSION, Message, Notification, Request, Response};
use crate::{
    Fault,
    json::{Document, JsonLimits, Kind, Node, fold},
};

/// Longest id that is carried, in bytes of its text.
const ID_MAX_BYTES: usize = 1024;

const ENVELOPE: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

/// Every parameter and `_meta` key by which a decision is made or a message is routed.
const PARAMS: &[&str] = &[
    "_meta",
    "argument",
    "arguments",
    "capabilities",
    "clientInfo",
    "context",
    "cursor",
    "inputResponses",
    "level",
    "name",
    "notifications",
    "progressToken",
    "protocolVersion",
    "ref",
    "requestId",
    "requestState",
    "task",
    "taskId",
    "uri",
];
const META: &[&str] = &[
    "progressToken",
    "traceparent",
    "tracestate",
    META_VERSION,
    META_CAPABILITIES,
    "io.modelcontextprotocol/clientInfo",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/subscriptionId",
    "io.modelcontextprotocol/related-task",
];

/// Reads what a client sent, with every check there is.
///
/// # Errors
/// [`Fault`] for anything but strict JSON that holds JSON-RPC messages; one bad entry refuses a
/// whole batch.
pub fn parse_client(bytes: &[u8], limits: JsonLimits) -> Result<Body<'_>, Fault> {
    parse(Document::strict(bytes, limits)?, |entry| Document::strict(entry, limits))
}

/// Reads what an upstream sent: requests and notifications in full, answers by spans alone.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid`; the detail says what was wrong.
pub fn parse_server(bytes: &[u8], limits: JsonLimits) -> Result<Body<'_>, Fault> {
    let read = |bytes| {
        let document = Document::envelope(bytes, limits)?;
        let speaks = document.root().get("method").is_some();
        if speaks { Document::strict(bytes, limits) } else { Ok(document) }
    };
    read(bytes).and_then(|document| parse(document, read)).map_err(Fault::from_upstream)
}

fn parse<'a>(
    document: Document<'a>,
    read: impl Fn(&'a [u8]) -> Result<Document<'a>, Fault>,
) -> Result<Body<'a>, Fault> {
    match document.root().kind() {
        Kind::Object => message(document).map(Body::One),
        Kind::Array => {
            let entry = |item: Node<'_, 'a>| read(item.raw().as_bytes()).and_then(message);
            let entries = document.root().children().map(entry).collect::<Result<Vec<_>, _>>()?;
            if entries.is_empty() {
                return Err(Fault::invalid("an empty batch"));
            }
            distinct_ids(&entries)?;
            Ok(Body::Batch(entries))
        }
        _ => Err(Fault::invalid("neither an object nor a batch")),
    }
}

fn distinct_ids(entries: &[Message<'_>]) -> Result<(), Fault> {
    let mut ids: Vec<_> = entries.iter().filter_map(Message::request_id).collect();
    let before = ids.len();
    ids.sort_unstable_by_key(|id| (matches!(id, RequestId::Text(_)), id.to_string()));
    ids.dedup();
    if ids.len() < before { Err(Fault::invalid("an id twice in one batch")) } else { Ok(()) }
}

fn message(document: Document<'_>) -> Result<Message<'_>, Fault> {
    let root = document.root();
    if root.kind() != Kind::Object {
        return Err(Fault::invalid("a batch entry that is no object"));
    }
    refuse_twins(root, ENVELOPE)?;
    let id = root.get("id").map(read_id).transpose()?;
    let known = id.clone().flatten();
    kind(document, id).map_err(|fault| fault.with_id(known))
}

fn kind(document: Document<'_>, id: Option<Option<RequestId>>) -> Result<Message<'_>, Fault> {
    let root = document.root();
    if root.get("jsonrpc").and_then(|version| version.text()).as_deref() != Some("2.0") {
        return Err(Fault::invalid("`jsonrpc` is not \"2.0\""));
    }
    let answers = root.get("result").is_some() as u8 + root.get("error").is_some() as u8;
    match (root.get("method"), answers, id) {
        (None, 1, id) => response(document, id.flatten()),
        (Some(method), 0, id) => {
            let Some(method) = method.text() else {
                return Err(Fault::invalid("`method` is no string"));
            };
            check_params(root)?;
            let notifies = method.starts_with("notifications/");
            match id {
                Some(Some(id)) if !notifies => {
                    Ok(Message::Request(Request { id, method, document }))
                }
                None if notifies => Ok(Message::Notification(Notification { method, document })),
                Some(None) => Err(Fault::invalid("an id of null")),
                Some(_) => Err(Fault::invalid("a notification with an id")),
                None => Err(Fault::invalid("a request without an id")),
            }
        }
        _ => Err(Fault::invalid("neither request, notification nor response")),
    }
}

fn response(document: Document<'_>, id: Option<RequestId>) -> Result<Message<'_>, Fault> {
    let error = document.root().get("error");
    if error.is_some_and(|error| error.kind() != Kind::Object) {
        return Err(Fault::invalid("`error` is no object"));
    }
    if id.is_none() && error.is_none() {
        return Err(Fault::invalid("a result without an id"));
    }
    Ok(Message::Response(Response { id, document }))
}

fn check_params(root: Node<'_, '_>) -> Result<(), Fault> {
    let Some(params) = root.get("params") else { return Ok(()) };
    if params.kind() != Kind::Object {
        return Err(Fault::params("`params` is no object"));
    }
    refuse_twins(params, PARAMS)?;
    if let Some(meta) = params.get("_meta") {
        if meta.kind() != Kind::Object {
            return Err(Fault::params("`_meta` is no object"));
        }
        refuse_twins(meta, META)?;
    }
    params.get("arguments").map_or(Ok(()), |arguments| refuse_twins(arguments, &[]))
}

/// An id or progress token that stands anywhere in a message: text or a whole number.
pub fn id_of(node: Node<'_, '_>) -> Option<RequestId> {
    read_id(node).ok().flatten()
}

/// `Some(None)` is an id of null, which only an error may carry.
fn read_id(id: Node<'_, '_>) -> Result<Option<RequestId>, Fault> {
    if id.kind() == Kind::Null {
        return Ok(None);
    }
    if id.raw().len() > ID_MAX_BYTES {
        return Err(Fault::invalid("an id longer than 1 KiB"));
    }
    id.text()
        .map(|text| RequestId::Text(text.into_owned()))
        .or_else(|| id.integer().map(RequestId::Number))
        .map(Some)
        .ok_or_else(|| Fault::invalid("an id that is neither text nor a whole number of 64 bits"))
}

/// Refuses keys that some reader takes for a reserved one, or two for each other.
fn refuse_twins(object: Node<'_, '_>, reserved: &[&str]) -> Result<(), Fault> {
    let mut folded = Vec::new();
    for key in object.children().filter_map(|member| member.key()) {
        let plain = fold(key);
        let twin = |word: &&&str| plain.eq_ignore_ascii_case(word);
        if !reserved.contains(&key)
            && let Some(word) = reserved.iter().find(twin)
        {
            return Err(Fault::twin(format!("a key that could be read as `{word}`")));
        }
        folded.push(plain);
    }
    folded.sort_unstable();
    if folded.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
        return Err(Fault::twin("two keys that could be read as the same"));
    }
    Ok(())
}
