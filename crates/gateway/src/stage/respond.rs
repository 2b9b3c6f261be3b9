//! What the client is told: the one place where a reason becomes an HTTP status and a JSON-RPC
//! body, in the caller's era. Texts are constant for each reason, so that an answer tells no more
//! than its code.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL,
        CONNECTION, CONTENT_TYPE, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
    },
};
use http_body_util::BodyExt as _;
use lockgate_mcp::{Fault, answer, json::JsonLimits, message, sse};
use lockgate_model::{Action, Era, Event, Reason, Refusal, RefusalEvent, RequestId, Revision};
use serde_json::json;

use super::{
    answer::Answered,
    parse::{Item, Part},
    reason::{closes, code_of, is_verdict, status_of, words},
    resolve::Caller,
};
use crate::{body::AnswerBody, clock, gateway::Gateway, path::Trail, record, settings::EraSetting};

/// What clients of the modern era may speak.
const SUPPORTED: [&str; 1] = [Revision::V2026_07_28.as_str()];

/// A request that goes no further, with what is known of how to tell its client.
#[derive(Clone, Debug)]
pub struct Stop {
    /// Why.
    pub refusal: Refusal,
    /// The request's id.
    pub id: Option<RequestId>,
    /// How it was decided, where policies did.
    pub grounds: Box<Grounds>,
    /// Whether the journal already knows.
    pub recorded: bool,
    era: Option<Era>,
    /// The protocol's own error code, where the protocol has one.
    rpc: Option<(u16, i32)>,
    /// The revision that was asked for, where nobody serves it.
    requested: Option<String>,
    /// Whether it was a call of a tool, whose failures are results.
    tool: bool,
    part: Part,
}

/// On what a call was decided.
#[derive(Clone, Debug, Default)]
pub struct Grounds {
    /// Ids of the policies that decided.
    pub policies: Vec<String>,
    /// What the call would have done, in sentences that quote nothing of it.
    pub found: Vec<String>,
    /// What a person, or the gateway about a question to people, has to say.
    pub said: Option<String>,
}

impl Stop {
    /// The same, about this message.
    #[must_use]
    pub fn of(mut self, item: &Item) -> Self {
        self.id = item.call.id.clone().filter(|_| item.part == Part::Request);
        self.era = Some(item.call.era);
        self.tool = matches!(item.call.action, Action::CallTool(_)) && item.part == Part::Request;
        self.part = item.part;
        self
    }

    /// The same, about a message of this era and id.
    #[must_use]
    pub fn about(mut self, era: Era, id: Option<&RequestId>) -> Self {
        self.era = Some(era);
        self.id = self.id.or_else(|| id.cloned());
        self
    }

    /// The same, with something to say about it.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        self.grounds.said = Some(record::inert(text));
        self
    }

    /// The same, for a message that asked for this revision.
    #[must_use]
    pub fn asking_for(mut self, revision: Option<String>) -> Self {
        self.requested = revision;
        self
    }

    /// The same, for this caller: who has not connected an account yet is told where to.
    #[must_use]
    pub fn told(self, caller: &Caller) -> Self {
        if self.refusal.reason != Reason::CredentialGrantMissing {
            return self;
        }
        let pages = caller.snapshot.blueprint.settings.pages.as_ref();
        let place = pages
            .and_then(|pages| pages.join(&format!("/connect/{}", caller.connection.name())).ok());
        match place {
            Some(place) => {
                self.saying(&format!("Open {place} in a browser to do that, and repeat it."))
            }
            None => self,
        }
    }

    /// The same, known to the journal.
    #[must_use]
    pub const fn recorded(mut self) -> Self {
        self.recorded = true;
        self
    }

    /// Status and body of the answer, where its record is written.
    pub fn body(&self) -> (StatusCode, Vec<u8>) {
        let reason = self.refusal.reason;
        if let (true, Some(id), Some(era)) = (self.tool && is_verdict(reason), &self.id, self.era) {
            let text = refusal_text(reason, &self.grounds);
            return (StatusCode::OK, answer::tool_error(id, era, &text));
        }
        let (status, code) = match self.rpc {
            Some((status, code)) => {
                (StatusCode::from_u16(status).unwrap_or(status_of(reason)), code)
            }
            None => (status_of(reason), code_of(reason)),
        };
        let body = match (reason, &self.id) {
            (Reason::TargetUnknown, Some(id)) => answer::unknown_target(id),
            (Reason::RevisionUnsupported, id) => {
                let requested = self.requested.as_deref().unwrap_or_default();
                answer::unsupported_revision(id.as_ref(), requested, &SUPPORTED)
            }
            (Reason::CapabilityMissing, id) => {
                answer::missing_extension(id.as_ref(), message::TASKS_EXTENSION)
            }
            // Which check failed is the record's to know (RFC 6750 §3.1 has one code for all).
            (_, id) if status == StatusCode::UNAUTHORIZED => {
                answer::error(id.as_ref(), code, words(reason), None)
            }
            (_, id) => {
                let Grounds { policies, said, .. } = self.grounds.as_ref();
                let data = match said {
                    None => json!({ "reason": reason.code(), "policies": policies }),
                    Some(said) => {
                        json!({ "reason": reason.code(), "policies": policies, "detail": said })
                    }
                };
                let words = match said {
                    // Clients show this text alone.
                    Some(said) if reason == Reason::CredentialGrantMissing => {
                        &format!("{}. {said}", words(reason))
                    }
                    _ => words(reason),
                };
                answer::error(id.as_ref(), code, words, Some(data))
            }
        };
        (status, body)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            id: None,
            grounds: Box::default(),
            recorded: false,
            era: None,
            rpc: None,
            requested: None,
            tool: false,
            part: Part::Request,
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        let rpc = Some((fault.http_status, fault.rpc_code));
        let id = fault.id.clone();
        Self { rpc, id, ..Self::from(Refusal::from(fault)) }
    }
}

/// The answer to a call.
pub fn respond(answered: Answered) -> Response<AnswerBody> {
    let mut response = Response::new(answered.body);
    *response.status_mut() = answered.status;
    *response.headers_mut() = answered.headers;
    response
}

/// The answer to a refused request, which is recorded unless it is already.
pub fn stop(gateway: &Gateway, trail: &Trail, stop: Stop) -> Response<AnswerBody> {
    let reason = stop.refusal.reason;
    if !stop.recorded {
        record_refusal(gateway, trail, &stop.refusal);
    }
    let mut stop = stop;
    if reason == Reason::RevisionUnsupported && speaks_legacy_only(gateway, trail) {
        // A client that could fall back to `initialize` must not take this for a modern server.
        stop.refusal.reason = Reason::EraMismatch;
        stop.rpc = None;
    }
    let (mut status, body) = stop.body();
    if stop.part == Part::Listen && is_verdict(reason) {
        // The one way in which a client takes no for an answer here.
        status = StatusCode::METHOD_NOT_ALLOWED;
    }
    let mut response = Response::new(AnswerBody::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNAUTHORIZED
        && let Some(name) = &trail.connection
        && let Some(connection) = gateway.snapshot().connection(name)
    {
        headers.insert(WWW_AUTHENTICATE, connection.challenge.header(reason));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("POST, GET, DELETE"));
    }
    if closes(reason) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer where not even an id could be had.
pub fn unrecorded(refusal: &Refusal) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::from(error_body(None, refusal.reason)));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// What every answer gets: CORS for an allowed origin, and the end of the connection where it must
/// end.
pub fn dress(response: &mut Response<AnswerBody>, trail: &Trail, close: bool) {
    let headers = response.headers_mut();
    if let Some(origin) = &trail.origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version"),
        );
    }
    if close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// One entry's answer out of its response: the JSON, or the last message of its stream.
pub async fn gather(response: Response<AnswerBody>, id: Option<RequestId>) -> Option<Bytes> {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.ok()?.to_bytes();
    if head.headers.get(CONTENT_TYPE).is_none_or(|media| media != "text/event-stream") {
        return Some(bytes).filter(|bytes| !bytes.is_empty());
    }
    let mut events = Vec::new();
    sse::Decoder::new(usize::MAX).push(&bytes, &mut events).ok()?;
    let answers = |event: &sse::Event| {
        let data = event.message()?;
        match message::parse_server(data, JsonLimits::default()).ok()? {
            message::Body::One(message::Message::Response(response)) if response.id == id => {
                Some(Bytes::copy_from_slice(data))
            }
            _ => None,
        }
    };
    events.iter().find_map(answers)
}

/// One refused entry's answer; entries that want none get none.
pub fn gather_stop(gateway: &Gateway, trail: &Trail, stop: &Stop) -> Option<Bytes> {
    if !stop.recorded {
        record_refusal(gateway, trail, &stop.refusal);
    }
    stop.id.is_some().then(|| stop.body().1.into())
}

/// The answer to a batch; 202 where no entry wanted one.
pub fn batch(answers: Vec<Bytes>) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::Whole(None));
    if answers.is_empty() {
        *response.status_mut() = StatusCode::ACCEPTED;
        return response;
    }
    *response.body_mut() = answer::batch(&answers).into();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The JSON-RPC error for a reason.
pub fn error_body(id: Option<&RequestId>, reason: Reason) -> Vec<u8> {
    let data = json!({ "reason": reason.code() });
    answer::error(id, code_of(reason), words(reason), Some(data))
}

/// Records a refused request.
pub fn record_refusal(gateway: &Gateway, trail: &Trail, refusal: &Refusal) {
    let identity = trail.identity.as_ref();
    let event = Event::Refused(RefusalEvent {
        request: trail.request.to_string(),
        peer: trail.peer.to_string(),
        connection: trail.connection.as_ref().map(ToString::to_string),
        identity: identity.map(|who| record::inert(&format!("{}/{}", who.issuer, who.subject))),
        reason: refusal.reason,
        detail: record::inert(&refusal.detail),
    });
    gateway.metrics.refused_request(trail.connection.as_ref(), refusal.reason);
    tracing::info!(
        request = &*trail.request,
        peer = %trail.peer,
        reason = refusal.reason.code(),
        detail = record::inert(&refusal.detail),
        "request refused"
    );
    // The request is refused already; a journal that can't be written refuses all that follow.
    if let Err(fault) = gateway.ground.journal.append(clock::now(), &event) {
        tracing::error!(%fault, "a refusal is not recorded");
    }
}

fn speaks_legacy_only(gateway: &Gateway, trail: &Trail) -> bool {
    trail.connection.as_ref().is_some_and(|name| {
        let snapshot = gateway.snapshot();
        snapshot.connection(name).is_some_and(|one| one.settings.era == EraSetting::Legacy)
    })
}

fn refusal_text(reason: Reason, Grounds { policies, found, said }: &Grounds) -> String {
    let does = if reason == Reason::ApprovalPending { "holds" } else { "refused" };
    let mut text = format!("Lockgate {does} this call: {} ({}).", words(reason), reason.code());
    if let Some(said) = said {
        text.push_str(&format!(" {said}"));
    }
    if matches!(reason, Reason::PolicyForbidden | Reason::ApprovalUnavailable) && !found.is_empty()
    {
        text.push_str(&format!(" What was found in it: {}.", found.join("; ")));
    }
    if !policies.is_empty() {
        text.push_str(" Deciding policies: ");
        text.push_str(&policies.join(", "));
        text.push('.');
    }
    text
}
