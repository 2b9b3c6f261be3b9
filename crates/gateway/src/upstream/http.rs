//! An upstream over streamable HTTP: one request out, its answer classified by media type and
//! bounded in size and time. Follows no redirect, keeps no cookie, sends nothing twice.

use std::{collections::VecDeque, time::Duration};

use ::http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use lockgate_mcp::sse;
use lockgate_model::{Limits, Reason, Refusal};
use tokio::time::{Instant, timeout_at};

use super::{Answer, EventStream, Outgoing};
use crate::{
    body::{self, BodyFault},
    clearance::Clearance,
    egress::{self, EgressFault, EgressRules},
    settings::HttpSettings,
};

/// An MCP endpoint over HTTP, with its own pool of connections.
pub struct HttpUpstream {
    client: egress::Client,
    uri: Uri,
    answer_max_bytes: usize,
    answer_wait_max: Duration,
}

/// The events of an HTTP body.
pub struct EventBody {
    body: Incoming,
    decoder: sse::Decoder,
    ready: VecDeque<sse::Event>,
    fault: Option<Refusal>,
}

/// What an answer's `Content-Type` says it is.
enum Media {
    Json,
    Events,
    Other,
}

impl HttpUpstream {
    /// An upstream at the configured endpoint. Nothing is dialled here.
    ///
    /// # Errors
    /// [`EgressFault`] where the URL may not be dialled or the certificate authorities can't be
    /// read.
    pub fn new(settings: &HttpSettings, limits: &Limits) -> Result<Self, EgressFault> {
        let rules = EgressRules {
            allow_private: settings.allow_private,
            ca: settings.ca.clone(),
            connect_wait_max: Duration::from_millis(limits.connect_wait_max_ms.into()),
        };
        egress::check_url(settings.url.as_str(), &rules)?;
        let uri = settings.url.as_str().parse().map_err(|_| EgressFault::Url {
            url: settings.url.to_string(),
            why: "it has no HTTP form",
        })?;
        Ok(Self {
            client: egress::client(&rules)?,
            uri,
            answer_max_bytes: limits.answer_max_bytes as usize,
            answer_wait_max: Duration::from_millis(limits.answer_wait_max_ms.into()),
        })
    }

    /// Sends one message, once, and reads the answer's head; a JSON answer is read whole.
    ///
    /// # Errors
    /// A refusal of the send stage.
    pub async fn send(&self, _clearance: Clearance, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + self.answer_wait_max;
        let slow = |_| Refusal::new(Reason::UpstreamTimeout, "no answer within the limit");
        let response = timeout_at(deadline, self.client.send(self.request(outgoing)));
        let response = response.await.map_err(slow)??;
        self.refuse_foreign(&response)?;
        let media = media(response.headers());
        let (head, body) = response.into_parts();
        match media {
            _ if body.is_end_stream() => Ok(empty(head.status, head.headers)),
            Media::Json => {
                let read = timeout_at(deadline, body::read(body, self.answer_max_bytes));
                let body = read.await.map_err(slow)?.map_err(refusal)?;
                Ok(Answer::Json { status: head.status, headers: head.headers, body })
            }
            Media::Events if head.status == StatusCode::OK => {
                let events = EventBody::new(body, self.answer_max_bytes);
                let events = EventStream::Http(Box::new(events));
                Ok(Answer::Stream { status: head.status, headers: head.headers, events })
            }
            Media::Events | Media::Other if head.status != StatusCode::OK => {
                Ok(empty(head.status, head.headers))
            }
            Media::Events | Media::Other => Err(Refusal::new(
                Reason::UpstreamInvalid,
                "the answer is neither JSON nor a stream of events",
            )),
        }
    }

    fn request(&self, outgoing: Outgoing) -> Request<Full<bytes::Bytes>> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.verb.method();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = outgoing.headers;
        // What is compressed can't be looked at.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        request
    }

    /// Refuses answers that must not be looked at further, whatever they carry.
    fn refuse_foreign(&self, response: &Response<Incoming>) -> Result<(), Refusal> {
        let (reason, detail) = match response.status() {
            status @ (StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                let detail = format!("the upstream refused the gateway's credential: {status}");
                return Err(Refusal::new(Reason::UpstreamUnauthorized, detail));
            }
            status if status.is_redirection() => {
                (Reason::UpstreamInvalid, "the upstream answered with a redirect")
            }
            status if status.as_u16() >= 600 => {
                (Reason::UpstreamInvalid, "the upstream answered with a status that HTTP lacks")
            }
            _ if is_encoded(response.headers()) => {
                (Reason::UpstreamInvalid, "the upstream compressed its answer unasked")
            }
            _ => return Ok(()),
        };
        Err(Refusal::new(reason, detail))
    }
}

impl EventBody {
    fn new(body: Incoming, event_max_bytes: usize) -> Self {
        Self {
            body,
            decoder: sse::Decoder::new(event_max_bytes),
            ready: VecDeque::new(),
            fault: None,
        }
    }

    /// The next event; `None` where the upstream ended the stream.
    pub async fn next(&mut self) -> Option<Result<sse::Event, Refusal>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Ok(event));
            }
            if let Some(fault) = self.fault.take() {
                return Some(Err(fault));
            }
            let mut events = Vec::new();
            let taken = match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.decoder.push(&data, &mut events),
                    Err(_) => continue,
                },
                Some(Err(_)) => return Some(Err(refusal(BodyFault::Broken))),
                // An event that ends with a CR waits for the LF that may follow.
                None => match self.decoder.finish(&mut events) {
                    Ok(()) if events.is_empty() => return None,
                    finished => finished,
                },
            };
            self.ready.extend(events);
            self.fault = taken.err().map(Refusal::from);
        }
    }
}

const fn empty(status: StatusCode, headers: HeaderMap) -> Answer {
    Answer::Empty { status, headers }
}

fn refusal(fault: BodyFault) -> Refusal {
    match fault {
        BodyFault::TooLarge => {
            Refusal::new(Reason::UpstreamTooLarge, "the answer is larger than the limit")
        }
        BodyFault::Broken => Refusal::new(Reason::UpstreamEnded, "the answer broke off"),
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding.as_bytes() != b"identity")
}

/// One `Content-Type`, its parameters aside.
fn media(headers: &HeaderMap) -> Media {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else { return Media::Other };
    let essence = one.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Media::Json
    } else if essence.eq_ignore_ascii_case("text/event-stream") {
        Media::Events
    } else {
        Media::Other
    }
}
