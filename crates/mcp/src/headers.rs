//! HTTP headers of MCP: which revision a message speaks, and what passes in which direction.
//!
//! Never decides on a header: policy reads the body, and headers that mirror it must tell the truth.

mod mirror;
#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName, header};
use lockgate_model::{Era, Revision};

pub use mirror::{ParamHeader, check_mirror, param_headers};

use crate::{Fault, message::Message};

/// `MCP-Protocol-Version`
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// `Mcp-Session-Id`
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// `Mcp-Method`
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// `Mcp-Name`
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// `Last-Event-ID`
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Start of every header that mirrors a tool's argument.
const PARAM_PREFIX: &str = "mcp-param-";

/// What an upstream of either era may learn from the client's headers.
const UPSTREAM: &[&str] =
    &["accept", "content-type", "mcp-protocol-version", "traceparent", "tracestate", "baggage"];
/// What only a legacy upstream knows.
const UPSTREAM_LEGACY: &[&str] = &["mcp-session-id", "last-event-id"];
/// What only a modern upstream knows, beside the mirrored arguments.
const UPSTREAM_MODERN: &[&str] = &["mcp-method", "mcp-name"];
/// What the client may learn from the upstream's headers. Cookies, redirects and challenges are
/// between gateway and upstream.
const CLIENT: &[&str] = &["content-type", "mcp-protocol-version", "mcp-session-id", "retry-after"];

/// The revision that a message speaks.
///
/// `session` is the revision of the legacy session that the message names, where there is one;
/// `message` is absent for GET and DELETE.
///
/// # Errors
/// [`Fault`] for a revision that is not served, a header that stands twice, and a header that
/// contradicts the body.
pub fn revision(
    headers: &HeaderMap,
    message: Option<&Message<'_>>,
    session: Option<Revision>,
) -> Result<Revision, Fault> {
    let id = message.and_then(Message::request_id);
    detect(headers, message, session).map_err(|fault| fault.with_id(id.cloned()))
}

fn detect(
    headers: &HeaderMap,
    message: Option<&Message<'_>>,
    session: Option<Revision>,
) -> Result<Revision, Fault> {
    let header = single(headers, &PROTOCOL_VERSION)?;
    if let Some(named) = message.and_then(Message::protocol_version) {
        if header != Some(named.as_ref()) {
            return Err(Fault::header_mismatch("MCP-Protocol-Version is not what `_meta` says"));
        }
        return served(&named)
            .filter(|revision| revision.era() == Era::Modern)
            .ok_or_else(unserved);
    }
    let method = message.and_then(Message::method);
    let spoken = header.map(|name| served(name).ok_or_else(unserved)).transpose()?;
    match (spoken, method) {
        // The handshake of the legacy era, whatever it asks for: the server settles the revision.
        (Some(spoken), Some("initialize")) if spoken.era() == Era::Modern => Err(unserved()),
        (_, Some("initialize")) => Ok(Revision::V2025_11_25),
        (Some(spoken), _) if spoken.era() == Era::Modern => {
            if matches!(message, Some(Message::Request(_))) {
                return Err(Fault::params("`_meta` does not name the protocol version"));
            }
            Ok(spoken)
        }
        (spoken, _) => Ok(session.or(spoken).unwrap_or(Revision::V2025_03_26)),
    }
}

fn served(name: &str) -> Option<Revision> {
    Revision::parse(name)
}

fn unserved() -> Fault {
    Fault::revision("a protocol version that is not served")
}

/// The one value of a header, without the white space around it.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::header_mismatch(format!("the header {name} twice")));
    }
    let text = value.to_str().map_err(|_| {
        Fault::header_mismatch(format!("characters beyond ASCII in the header {name}"))
    })?;
    Ok(Some(text.trim_matches([' ', '\t'])))
}

/// The headers of a client's request that an upstream of this era gets: a list of what passes, so
/// that credentials, identity and hop-by-hop headers can't.
pub fn toward_upstream(headers: &HeaderMap, era: Era) -> HeaderMap {
    passing(headers, |name| {
        let of_era = match era {
            Era::Legacy => UPSTREAM_LEGACY.contains(&name),
            Era::Modern => UPSTREAM_MODERN.contains(&name) || name.starts_with(PARAM_PREFIX),
        };
        of_era || UPSTREAM.contains(&name)
    })
}

/// The headers of an upstream's answer that the client gets.
pub fn toward_client(headers: &HeaderMap) -> HeaderMap {
    passing(headers, |name| CLIENT.contains(&name))
}

fn passing(headers: &HeaderMap, passes: impl Fn(&str) -> bool) -> HeaderMap {
    let kept = headers.iter().filter(|(name, _)| passes(name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Whether the media type of these headers is `wanted`, parameters aside; false where there are two
/// such headers or none.
pub fn is_media_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let text = value.to_str().unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}
