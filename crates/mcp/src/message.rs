//! JSON-RPC 2.0 messages: what kind one is, its id, method and parameters, and its exact bytes.
//!
//! Never decides whether a message may pass, and never knows what a method means.

mod parse;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use lockgate_model::RequestId;

pub use parse::{id_of, parse_client, parse_server};

use crate::json::{Document, Node};

/// What one HTTP body, SSE event or stdio line carries.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// One message.
    One(Message<'a>),
    /// An array of at least one; legal in revision 2025-03-26 alone.
    Batch(Vec<Message<'a>>),
}

/// One JSON-RPC message.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// It wants an answer.
    Request(Request<'a>),
    /// It wants none.
    Notification(Notification<'a>),
    /// It is the answer to a request of the other side.
    Response(Response<'a>),
}

/// A message with a method and an id.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The id, as it came.
    pub id: RequestId,
    /// The method, byte for byte once unescaped.
    pub method: Cow<'a, str>,
    document: Document<'a>,
}

/// A message with a method and no id.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    /// The method, byte for byte once unescaped.
    pub method: Cow<'a, str>,
    document: Document<'a>,
}

/// A message with a result or an error.
#[derive(Clone, Debug)]
pub struct Response<'a> {
    /// The id of the request it answers; `None` where an error names none.
    pub id: Option<RequestId>,
    document: Document<'a>,
}

/// The two ways in which a request ends.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'d, 'a> {
    /// `result`
    Result(Node<'d, 'a>),
    /// `error`
    Error(Node<'d, 'a>),
}

/// The `_meta` key that names the revision in the modern era.
pub const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// The `_meta` key that names the client's capabilities in the modern era.
pub const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// The extension that brings tasks to the modern era.
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";
/// The `_meta` key that names the listen request of a modern notification.
pub const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

impl<'a> Message<'a> {
    /// The message's exact bytes.
    pub fn raw(&self) -> &'a str {
        match self {
            Self::Request(Request { document, .. })
            | Self::Notification(Notification { document, .. })
            | Self::Response(Response { document, .. }) => document.root().raw(),
        }
    }

    /// The id of a request; `None` for notifications and responses.
    pub const fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Request(request) => Some(&request.id),
            Self::Notification(_) | Self::Response(_) => None,
        }
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match self {
            Self::Request(request) => Some(&request.method),
            Self::Notification(notification) => Some(&notification.method),
            Self::Response(_) => None,
        }
    }

    /// `params` of a request or notification.
    pub fn params(&self) -> Option<Node<'_, 'a>> {
        match self {
            Self::Request(request) => request.params(),
            Self::Notification(notification) => notification.params(),
            Self::Response(_) => None,
        }
    }

    /// The revision that `_meta` names, as written; the mark of the modern era.
    pub fn protocol_version(&self) -> Option<Cow<'a, str>> {
        self.params()?.get("_meta")?.get(META_VERSION)?.text()
    }
}

impl<'a> Request<'a> {
    /// The request's exact bytes.
    pub fn raw(&self) -> &'a str {
        self.document.root().raw()
    }

    /// The id as it stands in the text; spans count from the first byte that was parsed.
    pub fn id_node(&self) -> Option<Node<'_, 'a>> {
        self.document.root().get("id")
    }

    /// `params`, always an object.
    pub fn params(&self) -> Option<Node<'_, 'a>> {
        self.document.root().get("params")
    }

    /// A parameter that is a string.
    pub fn param_text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.params()?.get(key)?.text()
    }

    /// A member of `params._meta`.
    pub fn meta(&self, key: &str) -> Option<Node<'_, 'a>> {
        self.params()?.get("_meta")?.get(key)
    }

    /// Whether the client declares this extension for this request (modern era).
    pub fn declares(&self, extension: &str) -> bool {
        let extensions = self.meta(META_CAPABILITIES).and_then(|all| all.get("extensions"));
        extensions.and_then(|extensions| extensions.get(extension)).is_some()
    }

    /// The request's bytes without these parameters; everything else stays as it was written.
    pub fn without_params(&self, names: &[&str]) -> Vec<u8> {
        let (text, params) = (self.document.text(), self.params());
        let Some(params) = params else { return text.as_bytes().to_vec() };
        let named = |key: Option<&str>| key.is_some_and(|key| names.contains(&key));
        let kept = params.children().filter(|child| !named(child.key()));
        let kept: Vec<&str> =
            kept.map(|child| text.get(child.span()).unwrap_or_default()).collect();
        let span = params.value_span();
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        format!("{before}{{{}}}{after}", kept.join(",")).into_bytes()
    }

    /// The request's bytes with another JSON text as `arguments`; everything else stays as it was
    /// written.
    pub fn with_arguments(&self, arguments: &str) -> Vec<u8> {
        let text = self.document.text();
        let Some(old) = self.params().and_then(|params| params.get("arguments")) else {
            return text.as_bytes().to_vec();
        };
        let span = old.value_span();
        let before = text.get(..span.start).unwrap_or_default();
        let after = text.get(span.end..).unwrap_or_default();
        [before, arguments, after].concat().into_bytes()
    }

    /// `_meta.progressToken`: text or a whole number.
    pub fn progress_token(&self) -> Option<RequestId> {
        id_of(self.meta("progressToken")?)
    }

    /// `_meta.traceparent`, unchecked.
    pub fn traceparent(&self) -> Option<Cow<'a, str>> {
        self.meta("traceparent")?.text()
    }
}

impl<'a> Notification<'a> {
    /// The notification's exact bytes.
    pub fn raw(&self) -> &'a str {
        self.document.root().raw()
    }

    /// `params`, always an object.
    pub fn params(&self) -> Option<Node<'_, 'a>> {
        self.document.root().get("params")
    }
}

impl<'a> Response<'a> {
    /// The response's exact bytes.
    pub fn raw(&self) -> &'a str {
        self.document.root().raw()
    }

    /// The id as it stands in the text; spans count from the first byte that was parsed.
    pub fn id_node(&self) -> Option<Node<'_, 'a>> {
        self.document.root().get("id")
    }

    /// Result or error; exactly one stands in every response.
    pub fn outcome(&self) -> Option<Outcome<'_, 'a>> {
        let root = self.document.root();
        let error = root.get("error").map(Outcome::Error);
        error.or_else(|| root.get("result").map(Outcome::Result))
    }

    /// The result, where it is no error.
    pub fn result(&self) -> Option<Node<'_, 'a>> {
        self.document.root().get("result")
    }
}
