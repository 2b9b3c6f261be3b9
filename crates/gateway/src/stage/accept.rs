//! The head of a request, before anyone is believed: framing, size, host, origin, method and media
//! types. Never reads the body, never looks at the token.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{
        ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_MAX_AGE,
        CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING,
    },
    request::Parts,
};
use hyper::body::{Body as _, Incoming};
use lockgate_mcp::headers;
use lockgate_model::{Reason, Refusal};

use super::respond::Stop;
use crate::{
    body::AnswerBody,
    gateway::Gateway,
    host,
    path::Trail,
    settings::EraSetting,
    snapshot::{Connection, Route, Snapshot},
    upstream::Verb,
};

/// A request whose head is sound, for a connection that exists.
pub struct Arrival {
    /// The version of everything that decides about it.
    pub snapshot: Arc<Snapshot>,
    /// The connection at its path.
    pub connection: Arc<Connection>,
    /// What it does there.
    pub verb: Verb,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, not read yet.
    pub body: Incoming,
}

/// What becomes of a request's head.
pub enum Accepted {
    /// It goes on.
    Call(Arrival),
    /// It needs no caller: metadata, or a preflight (Fetch standard §3.2).
    Answered(Box<Response<AnswerBody>>),
}

/// Whether the connection must be closed after this request: chunks are not counted by the guard
/// on the socket, so nothing may follow them.
pub fn is_last(request: &Request<Incoming>) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING) || request.version() == Version::HTTP_10
}

/// Looks at the head of a request.
///
/// # Errors
/// A refusal of the accept stage, or [`Reason::ConnectionUnknown`].
pub fn accept(
    gateway: &Gateway,
    trail: &mut Trail,
    framing: Result<(), Refusal>,
    request: Request<Incoming>,
) -> Result<Accepted, Stop> {
    framing?;
    let snapshot = gateway.snapshot();
    let (head, body) = request.into_parts();
    check_host(&snapshot, &head)?;
    let verb = match head.method {
        Method::POST => Some(Verb::Post),
        Method::GET => Some(Verb::Get),
        Method::DELETE => Some(Verb::Delete),
        Method::OPTIONS | Method::HEAD => None,
        _ => return Err(refuse(Reason::MethodNotAllowed, "this method is not served").into()),
    };
    let connection = match snapshot.route(head.uri.path()) {
        Some(Route::Mcp(connection)) => Arc::clone(connection),
        Some(Route::Metadata(connection)) => {
            let metadata = connection.challenge.metadata(&head.method);
            return Ok(Accepted::Answered(Box::new(metadata.map(AnswerBody::from))));
        }
        None => return Err(refuse(Reason::ConnectionUnknown, "nothing stands at this path").into()),
    };
    trail.connection = Some(connection.name().clone());
    trail.origin = check_origin(&connection, &head.headers)?;
    let Some(verb) = verb else { return preflight(&head, trail) };
    check_verb(&connection, verb)?;
    check_media(verb, &head.headers)?;
    if body.size_hint().lower() > u64::from(connection.limits.request_max_bytes) {
        return Err(refuse(Reason::BodyTooLarge, "the body is larger than the limit").into());
    }
    Ok(Accepted::Call(Arrival { snapshot, connection, verb, headers: head.headers, body }))
}

/// One well-formed `Host` that names this gateway, and a target that names no other (RFC 9112 §3.2).
fn check_host(snapshot: &Snapshot, head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let (Some(one), None) = (hosts.next(), hosts.next()) else {
        return Err(refuse(Reason::HttpMalformed, "not exactly one Host header"));
    };
    let one = one.to_str().ok().filter(|host| host::is_well_formed(host));
    let one = one.ok_or(refuse(Reason::HttpMalformed, "the Host header has no host's form"))?;
    if let Some(authority) = head.uri.authority()
        && !authority.as_str().eq_ignore_ascii_case(one)
    {
        return Err(refuse(Reason::HttpMalformed, "target and Host name two hosts"));
    }
    if !snapshot.is_own_host(one) {
        return Err(refuse(Reason::HostForeign, "the Host header names another server"));
    }
    Ok(())
}

/// The request's origin, where it has one and that is allowed.
fn check_origin(
    connection: &Connection,
    headers: &HeaderMap,
) -> Result<Option<HeaderValue>, Refusal> {
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next(), origins.next()) {
        (None, _) => return Ok(None),
        (Some(one), None) => one,
        _ => return Err(refuse(Reason::HttpMalformed, "two Origin headers")),
    };
    if origin.to_str().is_ok_and(|origin| connection.allows_origin(origin)) {
        Ok(Some(origin.clone()))
    } else {
        Err(refuse(Reason::OriginForeign, "the Origin header names no allowed origin"))
    }
}

fn preflight(head: &Parts, trail: &Trail) -> Result<Accepted, Stop> {
    if head.method != Method::OPTIONS || trail.origin.is_none() {
        return Err(refuse(Reason::MethodNotAllowed, "this method is not served").into());
    }
    let mut response = Response::new(AnswerBody::Whole(None));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET, DELETE"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static(
            "Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, \
             MCP-Protocol-Version, Mcp-Method, Mcp-Name, traceparent, tracestate",
        ),
    );
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Ok(Accepted::Answered(Box::new(response)))
}

/// GET and DELETE belong to sessions, which only the legacy era has (H11).
fn check_verb(connection: &Connection, verb: Verb) -> Result<(), Refusal> {
    match verb {
        Verb::Get | Verb::Delete if connection.settings.era == EraSetting::Modern => {
            Err(refuse(Reason::MethodNotAllowed, "this connection has no sessions"))
        }
        _ => Ok(()),
    }
}

/// Content must be plain JSON, and the client must take what MCP answers with.
fn check_media(verb: Verb, headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(refuse(Reason::MediaType, "the body has a content coding"));
    }
    if verb == Verb::Post
        && !(headers::is_media_type(headers, "application/json") && is_utf8(headers))
    {
        return Err(refuse(Reason::MediaType, "the body is not application/json"));
    }
    let takes = |wanted: &str| accepts(headers, &ACCEPT, wanted);
    let acceptable = match verb {
        Verb::Post => takes("application/json") && takes("text/event-stream"),
        Verb::Get => takes("text/event-stream"),
        Verb::Delete => true,
    };
    if acceptable {
        Ok(())
    } else {
        Err(refuse(Reason::NotAcceptable, "the client takes no shape that an answer can have"))
    }
}

/// No `charset`, or the one that JSON has anyway (RFC 8259 §8.1).
fn is_utf8(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').skip(1).all(|parameter| {
        let (name, value) = parameter.trim().split_once('=').unwrap_or((parameter, ""));
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    })
}

/// Whether an `Accept`-like header takes `wanted`; an absent one takes everything.
fn accepts(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let mut lines = headers.get_all(header).iter().peekable();
    let (family, _) = wanted.split_once('/').unwrap_or((wanted, ""));
    lines.peek().is_none()
        || lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).any(
            |range| {
                let mut parts = range.split(';').map(str::trim);
                let range = parts.next().unwrap_or_default();
                let refused =
                    parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
                let named = range.eq_ignore_ascii_case(wanted)
                    || range == "*/*"
                    || range.strip_suffix("/*").is_some_and(|f| f.eq_ignore_ascii_case(family));
                named && !refused
            },
        )
}

fn refuse(reason: Reason, detail: &'static str) -> Refusal {
    Refusal::new(reason, detail)
}
