//! What is wrong with a message, and how its sender is told.

use std::borrow::Cow;

use lockgate_model::{Reason, Refusal, RequestId};

/// JSON-RPC error codes that the gateway sends. The protocol owns them; our own are positive.
pub mod code {
    /// Not one strict JSON document.
    pub const PARSE: i32 = -32700;
    /// Not a JSON-RPC message that this era allows.
    pub const INVALID: i32 = -32600;
    /// Unknown method.
    pub const METHOD: i32 = -32601;
    /// Parameters without the shape that the method needs; unknown tool, prompt or resource.
    pub const PARAMS: i32 = -32602;
    /// Something failed inside.
    pub const INTERNAL: i32 = -32603;
    /// Mirrored headers and body disagree; modern era only.
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The client declared no capability for what it asks; modern era only.
    pub const CAPABILITY: i32 = -32021;
    /// The protocol revision is not served; modern era only.
    pub const REVISION: i32 = -32022;
}

/// A message that goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Fault {
    /// The stable code for record, log and metrics.
    pub reason: Reason,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// The JSON-RPC error code of the answer.
    pub rpc_code: i32,
    /// The request's id, where it could still be read.
    pub id: Option<RequestId>,
    /// One sentence for record and log; it quotes at most names of protocol fields.
    pub detail: Cow<'static, str>,
}

impl Fault {
    fn new(
        reason: Reason,
        http_status: u16,
        rpc_code: i32,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { reason, http_status, rpc_code, id: None, detail: detail.into() }
    }

    /// Not one strict JSON document: -32700.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::JsonMalformed, 400, code::PARSE, detail)
    }

    /// The same key twice in one object: -32700.
    pub fn duplicate(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::JsonDuplicateKey, 400, code::PARSE, detail)
    }

    /// A key that some readers take for a protocol field: -32600.
    pub fn twin(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::JsonDuplicateKey, 400, code::INVALID, detail)
    }

    /// Deeper than the limit allows: -32700.
    pub fn too_deep(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::JsonLimit, 400, code::PARSE, detail)
    }

    /// More parts than the limit allows: -32600.
    pub fn too_many(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::JsonLimit, 400, code::INVALID, detail)
    }

    /// No JSON-RPC message that this era allows: -32600.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::RpcInvalid, 400, code::INVALID, detail)
    }

    /// A method that this revision does not know: 404 and -32601.
    pub fn method(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::RpcMethodUnknown, 404, code::METHOD, detail)
    }

    /// Parameters without the shape that the method needs: -32602.
    pub fn params(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::RpcParams, 400, code::PARAMS, detail)
    }

    /// A name that no tool or prompt can have: the answer of an unknown one, -32602.
    pub fn unknown_target(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::TargetUnknown, 200, code::PARAMS, detail)
    }

    /// Mirrored headers and body disagree: 400 and -32020.
    pub fn header_mismatch(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::HeaderMismatch, 400, code::HEADER_MISMATCH, detail)
    }

    /// A revision that is not served: 400 and -32022.
    pub fn revision(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::RevisionUnsupported, 400, code::REVISION, detail)
    }

    /// The upstream sent what is no MCP answer: 502.
    pub fn upstream(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::UpstreamInvalid, 502, code::INTERNAL, detail)
    }

    /// The upstream sent more than a limit allows: 502.
    pub fn upstream_too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Reason::UpstreamTooLarge, 502, code::INTERNAL, detail)
    }

    /// The same fault, answering the request with this id.
    #[must_use]
    pub fn with_id(mut self, id: Option<RequestId>) -> Self {
        self.id = id;
        self
    }

    /// The same fault for a client of a legacy upstream: modern codes would tell a client that
    /// speaks both eras not to fall back to `initialize`.
    #[must_use]
    pub fn for_legacy(self) -> Self {
        let modern = matches!(self.rpc_code, code::HEADER_MISMATCH | code::REVISION);
        Self { rpc_code: if modern { code::INVALID } else { self.rpc_code }, ..self }
    }

    /// The same finding about an answer of the upstream: whatever was wrong is the upstream's.
    #[must_use]
    pub fn from_upstream(self) -> Self {
        Self::upstream(self.detail).with_id(self.id)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::new(fault.reason, fault.detail)
    }
}
