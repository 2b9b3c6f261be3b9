//! One response of the upstream, looked at before the client sees it: is it the answer to this
//! request, and does it show only what this caller may see? What passes unchanged stays byte for
//! byte.

use bytes::Bytes;
use http::{HeaderMap, header};
use lockgate_mcp::{
    definition::Kind,
    headers::{self, SESSION_ID},
    json, list,
    message::{self, Body, Message, Response},
    outcome,
};
use lockgate_model::{Action, Era, OutcomeStatus, Reason, Refusal, Revision, Timestamp};
use lockgate_store::pins::PinKind;
use serde_json::Value;

use super::{
    judge::{ask, state_key},
    mask::{self, Counts, mask},
    outcome::OpenCall,
    resolve::Caller,
};
use crate::{
    clock, pin,
    session::{Awaited, Handle, Owner},
    upstream::SessionKey,
};

/// The longest time for which a client may keep an answer, in milliseconds.
const TTL_MAX_MS: u64 = 60_000;

/// A response that the client may see.
pub struct Inspected {
    /// Its bytes.
    pub body: Bytes,
    /// What kind of end it is.
    pub status: OutcomeStatus,
    /// What was masked in it.
    pub masked: Counts,
}

/// Looks at the response `body` to `awaited`. `headers` are those of the HTTP answer that carries
/// it.
///
/// # Errors
/// [`Reason::UpstreamInvalid`] where it is no answer to this request;
/// [`Reason::ServerRequestDenied`] where it asks the client for what no policy permits;
/// [`Reason::MaskFailed`] where it can't be searched for what must be masked.
pub async fn inspect(
    open: &OpenCall,
    awaited: &Awaited,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Inspected, Refusal> {
    let caller = open.caller.as_ref();
    let limits = caller.connection.json;
    let Body::One(Message::Response(response)) = message::parse_server(&body, limits)? else {
        return Err(invalid("the answer is no response"));
    };
    if response.id.as_ref() != Some(&awaited.id) {
        return Err(invalid("the answer names another request"));
    }
    check_era(awaited, &response)?;
    if response.result().is_none() {
        let (body, masked) = mask(open, body.clone()).await?;
        return Ok(Inspected { body, status: OutcomeStatus::Error, masked });
    }
    if let Some(task) = outcome::task_id(&response, limits)? {
        open.gateway.sessions.bind(Handle::Task, &task, owner(caller));
    }
    if let Some(state) = response.result().and_then(|result| result.get("requestState")?.text()) {
        let key = state_key(&open.item, &state);
        open.gateway.sessions.bind(Handle::State, &key, owner(caller));
    }
    for request in outcome::input_requests(&response, limits)? {
        permit_request(open, &request.method)?;
    }
    if awaited.method == "initialize" {
        let given = caller.connection.credential.given(&caller.identity).await?;
        open_session(open, headers, &response, given)?;
    }
    let failed = awaited.method == "tools/call" && outcome::is_tool_error(&response);
    let status = if failed { OutcomeStatus::Error } else { OutcomeStatus::Result };
    let may_be_kept = response
        .result()
        .is_some_and(|result| result.get("cacheScope").or(result.get("ttlMs")).is_some());
    drop(response);
    let body = match Kind::of_method(&awaited.method) {
        Some(kind) => filter(open, awaited.era, kind, &body)?,
        None if matches!(awaited.method.as_str(), "initialize" | "server/discover") => {
            let pins = &caller.connection.pins;
            pin::screen(&body, limits, |digest| pins.admits_instructions(digest))?.body
        }
        // What this caller may see of it, another may not.
        None if may_be_kept && mask::is_on(open) => {
            list::make_private(&body, ttl_max_ms(caller), limits)?.into()
        }
        None => body,
    };
    let (body, masked) = mask(open, body).await?;
    Ok(Inspected { body, status, masked })
}

/// Whether policy lets the server ask the client for this.
///
/// # Errors
/// [`Reason::ServerRequestDenied`], or [`Reason::UpstreamInvalid`] for what no server may ask.
pub fn permit_request(open: &OpenCall, method: &str) -> Result<(), Refusal> {
    let action = lockgate_mcp::call::of_server_request(method)?;
    // The newest policy decides, however old the stream is.
    if ask(&open.gateway.snapshot(), &open.caller, &action, &Value::Null).is_allow() {
        Ok(())
    } else {
        let detail = "no policy lets the server ask the client for this";
        Err(Refusal::new(Reason::ServerRequestDenied, detail))
    }
}

/// The answer must speak the era of its request (V13).
fn check_era(awaited: &Awaited, response: &Response<'_>) -> Result<(), Refusal> {
    let result_type = outcome::result_type(response);
    match (awaited.era, result_type.as_deref()) {
        (Era::Legacy, Some("input_required")) => Err(invalid("the answer is of the other era")),
        _ => Ok(()),
    }
}

/// The list without what this caller may not see or nobody accepted.
fn filter(open: &OpenCall, era: Era, kind: Kind, body: &[u8]) -> Result<Bytes, Refusal> {
    let caller = open.caller.as_ref();
    let connection = &caller.connection;
    let snapshot = open.gateway.snapshot();
    let keep = |item: &list::Item<'_, '_>| {
        let name = item.name.clone();
        let (action, pinned) = match kind {
            Kind::Tool => (Action::ListTool(name), Some(PinKind::Tool)),
            Kind::Prompt => (Action::ListPrompt(name), Some(PinKind::Prompt)),
            Kind::Resource | Kind::Template => (Action::ListResource(name), None),
        };
        if !ask(&snapshot, caller, &action, &Value::Null).is_allow() {
            return false;
        }
        let Some(pinned) = pinned else { return true };
        let definition = item.node.to_value();
        let fits = kind != Kind::Tool || {
            let schema = definition.get("inputSchema").unwrap_or(&Value::Null);
            headers::param_headers(schema).is_some()
        };
        fits && connection.pins.shows(pinned, &item.name, json::digest(&definition))
    };
    let kept = list::filter(body, kind, era, ttl_max_ms(caller), connection.json, keep)?;
    if kind == Kind::Tool && mask::is_on(open) {
        return Ok(list::loosen_outputs(&kept, connection.json)?.into());
    }
    Ok(kept.into())
}

/// How long the caller may keep an answer: at most as long as its token is good.
fn ttl_max_ms(caller: &Caller) -> u64 {
    let left = caller.identity.token.refused_from.millis_since(clock::now());
    u64::try_from(left).unwrap_or(0).min(TTL_MAX_MS)
}

/// Binds the session that this `initialize` opened to its caller.
fn open_session(
    open: &OpenCall,
    headers: &HeaderMap,
    response: &Response<'_>,
    given: Option<Timestamp>,
) -> Result<(), Refusal> {
    let revision = outcome::negotiated_version(response);
    let revision = revision.and_then(|text| Revision::parse(&text));
    let Some(revision) = revision.filter(|revision| revision.era() == Era::Legacy) else {
        return Err(invalid("the server settled on a revision that is not served"));
    };
    let gateway = &open.gateway;
    let Some(recording) = open.item.recording.clone() else {
        return Err(Refusal::new(Reason::Internal, "a session without a recording"));
    };
    let mut ids = headers.get_all(SESSION_ID).iter();
    let key = match (ids.next(), ids.next()) {
        (None, _) => {
            gateway.recordings.go_on(owner(&open.caller), &recording);
            return Ok(());
        }
        (Some(id), None) => id.to_str().ok().and_then(|id| SessionKey::new(id).ok()),
        _ => None,
    };
    let key = key.ok_or_else(|| invalid("the server gave no session id that can be used"))?;
    gateway.recordings.bind(&recording);
    gateway.sessions.open(key, owner(&open.caller), revision, recording, given, clock::now())
}

/// The headers of the answer that the client gets.
pub fn headers_for_client(open: &OpenCall, headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers::toward_client(headers);
    // Only `initialize` opens a session.
    if open.item.call.method != "initialize" {
        kept.remove(SESSION_ID);
    }
    kept.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    kept
}

fn owner(caller: &Caller) -> Owner {
    Owner::new(&caller.identity, caller.connection.name())
}

/// The upstream's answer is nothing that may be handed on.
pub(super) fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Reason::UpstreamInvalid, detail)
}
