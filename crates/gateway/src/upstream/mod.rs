//! The far side: one protected MCP server, over HTTP or as a child process. What goes out is an
//! [`Outgoing`], bytes already decided on; what comes back is an [`Answer`]. Nothing here decides,
//! filters or retries: one try, and whatever comes of it. Where that is a 401, the right to send is
//! given back.

use std::{fmt, sync::Arc};

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use lockgate_mcp::sse;
use lockgate_model::{Era, Reason, Refusal};

use crate::clearance::Clearance;

pub mod catalogue;
mod certificate;
pub mod http;
pub mod stdio;

/// One message on its way to the upstream.
#[derive(Clone)]
pub struct Outgoing {
    /// The era it is spoken in.
    pub era: Era,
    /// What is done at the endpoint.
    pub verb: Verb,
    /// Only headers that may go out: MCP's own, trace headers, and the armed credential.
    pub headers: HeaderMap,
    /// The client's body, byte for byte; empty for GET and DELETE.
    pub body: Bytes,
    /// The legacy session it belongs to; absent for `initialize` and in the modern era.
    pub session: Option<SessionKey>,
}

/// What is done at the upstream's MCP endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Sends a message.
    Post,
    /// Opens the legacy stream of server messages.
    Get,
    /// Ends the legacy session.
    Delete,
}

/// A legacy session's id, as the upstream minted it (header `Mcp-Session-Id`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionKey(Arc<str>);

/// What the upstream answered. Headers are the upstream's own and still unfiltered.
pub enum Answer {
    /// One JSON document, read whole.
    Json {
        /// HTTP status.
        status: StatusCode,
        /// The upstream's headers.
        headers: HeaderMap,
        /// The document, byte for byte.
        body: Bytes,
    },
    /// A stream of events.
    Stream {
        /// HTTP status.
        status: StatusCode,
        /// The upstream's headers.
        headers: HeaderMap,
        /// The events, one at a time.
        events: EventStream,
    },
    /// No body, or one that is no MCP answer and was left unread: 202, 405, 404 and the like.
    Empty {
        /// HTTP status.
        status: StatusCode,
        /// The upstream's headers.
        headers: HeaderMap,
    },
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Unanswered {
    /// What to tell of it.
    pub refusal: Refusal,
    /// The right to send the same again: only where the upstream answered 401, which says that it did
    /// nothing with what was sent (RFC 9110 §15.5.2), and only once.
    pub again: Option<Clearance>,
}

/// The events of one stream, pulled one at a time, so that a slow client slows the upstream.
/// Dropping it ends the exchange with the upstream.
pub enum EventStream {
    /// Decoded from an HTTP body.
    Http(Box<http::EventBody>),
    /// Handed over by a child process.
    Stdio(Box<stdio::Events>),
}

/// One protected MCP server.
pub enum Upstream {
    /// Over streamable HTTP.
    Http(http::HttpUpstream),
    /// Over the standard input and output of a child process.
    Stdio(stdio::StdioUpstream),
}

impl Upstream {
    /// Sends one message, once.
    ///
    /// # Errors
    /// A refusal of the send stage: the upstream can't be reached, did not answer in time, or
    /// answered with something that is no MCP answer.
    pub async fn send(
        &self,
        clearance: Clearance,
        outgoing: Outgoing,
    ) -> Result<Answer, Unanswered> {
        match self {
            Self::Http(upstream) => upstream.send(clearance, outgoing).await,
            Self::Stdio(upstream) => Ok(upstream.send(clearance, outgoing).await?),
        }
    }

    /// Why its client certificate could not be shown last, where it could not.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Http(upstream) => upstream.check(),
            Self::Stdio(_) => Ok(()),
        }
    }

    /// Ends what a probe of the modern era started and nothing will use.
    async fn retire_probe(&self) {
        if let Self::Stdio(upstream) = self {
            upstream.retire_shared().await;
        }
    }

    /// What an upstream that was ended said last beside its answers: a child's standard error, without
    /// its secrets. Nothing for one over HTTP.
    pub async fn last_words(&self) -> Vec<String> {
        match self {
            Self::Http(_) => Vec::new(),
            Self::Stdio(upstream) => upstream.last_words().await,
        }
    }

    /// Ends what the upstream keeps running: child processes, within 5 s.
    pub async fn shutdown(&self) {
        if let Self::Stdio(upstream) = self {
            upstream.shutdown().await;
        }
    }
}

impl EventStream {
    /// The next event; `None` where the upstream ended the stream.
    pub async fn next(&mut self) -> Option<Result<sse::Event, Refusal>> {
        match self {
            Self::Http(body) => body.next().await,
            Self::Stdio(events) => events.next().await,
        }
    }
}

impl From<Refusal> for Unanswered {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, again: None }
    }
}

impl Verb {
    /// The HTTP method.
    pub const fn method(self) -> Method {
        match self {
            Self::Post => Method::POST,
            Self::Get => Method::GET,
            Self::Delete => Method::DELETE,
        }
    }
}

impl Answer {
    /// HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Json { status, .. }
            | Self::Stream { status, .. }
            | Self::Empty { status, .. } => *status,
        }
    }

    /// The upstream's headers.
    pub const fn headers(&self) -> &HeaderMap {
        match self {
            Self::Json { headers, .. }
            | Self::Stream { headers, .. }
            | Self::Empty { headers, .. } => headers,
        }
    }
}

impl SessionKey {
    /// A session id in the spelling of the header: 1 to 256 visible ASCII characters.
    ///
    /// # Errors
    /// [`Reason::SessionUnknown`] for any other text.
    pub fn new(text: &str) -> Result<Self, Refusal> {
        let fits = (1..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::new(Reason::SessionUnknown, "no session id has this form"))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    /// A session id is half a credential, so it stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey")
    }
}
