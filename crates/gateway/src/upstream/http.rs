//! An upstream over streamable HTTP: one request out, its answer classified by media type and
//! bounded in size and time. Follows no redirect, keeps no cookie, sends nothing twice by itself.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ::http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use lockgate_mcp::sse;
use lockgate_model::{ConnectionName, Limits, Reason, Refusal};
use tokio::time::{Instant, error::Elapsed, timeout_at};

use super::{Answer, EventStream, Outgoing, Unanswered, certificate::Certified};
use crate::{
    body::{self, BodyFault},
    clearance::Clearance,
    egress::{self, EgressFault, EgressRules},
    settings::HttpSettings,
    vault::Vault,
};

/// An MCP endpoint over HTTP, with its own pool of connections.
pub struct HttpUpstream {
    dialer: Dialer,
    uri: Uri,
    answer_max_bytes: usize,
    answer_wait_max: Duration,
}

/// What dials it.
enum Dialer {
    Plain(Box<egress::Client>),
    Certified(Box<Certified>),
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
    pub fn new(
        connection: &ConnectionName,
        settings: &HttpSettings,
        limits: &Limits,
        vault: &Arc<Vault>,
    ) -> Result<Self, EgressFault> {
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
        let dialer = match &settings.client_certificate {
            None => Dialer::Plain(Box::new(egress::client(&rules)?)),
            Some(certificate) => {
                let (connection, certificate) = (connection.clone(), certificate.clone());
                let vault = Arc::clone(vault);
                Dialer::Certified(Box::new(Certified::new(connection, certificate, rules, vault)))
            }
        };
        Ok(Self {
            dialer,
            uri,
            answer_max_bytes: limits.answer_max_bytes as usize,
            answer_wait_max: Duration::from_millis(limits.answer_wait_max_ms.into()),
        })
    }

    /// Sends one message, once, and reads the answer's head; a JSON answer is read whole.
    ///
    /// # Errors
    /// A refusal of the send stage, with the clearance where the upstream answered 401.
    pub async fn send(
        &self,
        clearance: Clearance,
        outgoing: Outgoing,
    ) -> Result<Answer, Unanswered> {
        let response = self.response(outgoing).await?;
        if response.0.status() == StatusCode::UNAUTHORIZED {
            let refusal = unauthorized(StatusCode::UNAUTHORIZED);
            return Err(Unanswered { refusal, again: clearance.give_back() });
        }
        Ok(self.answer(response).await?)
    }

    /// Why the client certificate could not be shown last, where it could not.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub fn check(&self) -> Result<(), Refusal> {
        match &self.dialer {
            Dialer::Plain(_) => Ok(()),
            Dialer::Certified(certified) => certified.check(),
        }
    }

    /// The head of what the upstream answers, and when all of it must be there.
    async fn response(&self, outgoing: Outgoing) -> Result<(Response<Incoming>, Instant), Refusal> {
        let client = match &self.dialer {
            Dialer::Plain(client) => client,
            Dialer::Certified(certified) => &certified.client().await?,
        };
        let deadline = Instant::now() + self.answer_wait_max;
        let response = timeout_at(deadline, client.send(self.request(outgoing)));
        Ok((response.await.map_err(slow)??, deadline))
    }

    async fn answer(
        &self,
        (response, deadline): (Response<Incoming>, Instant),
    ) -> Result<Answer, Refusal> {
        refuse_foreign(&response)?;
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

/// Refuses answers that must not be looked at further, whatever they carry.
fn refuse_foreign(response: &Response<Incoming>) -> Result<(), Refusal> {
    let (reason, detail) = match response.status() {
        status @ (StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
            return Err(unauthorized(status));
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

/// The upstream takes no credential of ours.
fn unauthorized(status: StatusCode) -> Refusal {
    let detail = format!("the upstream refused the gateway's credential: {status}");
    Refusal::new(Reason::UpstreamUnauthorized, detail)
}

fn slow(_: Elapsed) -> Refusal {
    Refusal::new(Reason::UpstreamTimeout, "no answer within the limit")
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
