//! POST to web servers that the configuration names: https, no redirect followed, never to an address
//! that is link-local or reserved, and an answer bounded in bytes and time.
//!
//! Batches of JSON lines are sent so. A batch carries an id that is the same each time it is sent, so
//! that a receiver can drop what it has already.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use http_body_util::BodyExt as _;
use object_store::client::HttpRequestBody;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use url::{Host, Url};

use super::{DeliverFault, message::Message, secret::Headers, settings::HttpSettings};
use crate::client::{Client, FORBIDDEN, Reach, root};

/// The header of the batch's id (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The body of an answer must have come within this time.
const REST_WAIT_MAX: Duration = Duration::from_secs(5);

/// Bytes of an answer that are read.
const ANSWER_MAX_BYTES: usize = 64 * 1024;
/// A receiver that names a longer time is asked again after this one.
const LATER_MAX: Duration = Duration::from_secs(600);

/// A web server that is posted to.
pub(crate) struct Http {
    client: Client,
    url: String,
    headers: Headers,
}

/// What a web server said.
pub(crate) struct Answer {
    status: StatusCode,
    /// For how long it wants to be left alone (RFC 9110 §10.2.3, in seconds).
    wait: Option<Duration>,
    /// The body; `None` where it is too long, or came too slowly.
    pub(crate) body: Option<Bytes>,
}

impl Http {
    /// Dials nothing yet.
    pub(crate) fn new(settings: &HttpSettings, headers: Headers) -> Result<Self, DeliverFault> {
        let host = settings.url.host_str().unwrap_or_default();
        let fault = |why: String| DeliverFault::Setting { what: format!("sink at `{host}`"), why };
        if let Some(why) = refusal(&settings.url, settings.allow_cleartext) {
            return Err(fault(why.to_owned()));
        }
        let url = settings.url.to_string();
        url.parse::<http::Uri>().map_err(|_| fault("its URL has no HTTP form".to_owned()))?;
        let client = Client::new(settings.ca.as_deref(), Reach::Servers).map_err(fault)?;
        Ok(Self { client, url, headers })
    }

    /// Posts the messages as one batch.
    pub(super) async fn send(&self, messages: &[Message]) -> Result<(), DeliverFault> {
        let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(()) };
        let mut body = String::new();
        for message in messages {
            body.push_str(&message.text);
            body.push('\n');
        }
        let digest: String =
            Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("\"{}-{}-{digest}\"", first.seq, last.seq);
        let later =
            |error: http::header::InvalidHeaderValue| DeliverFault::Later(error.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_str(&id).map_err(later)?);
        self.post("application/x-ndjson", headers, Bytes::from(body)).await
    }

    /// Posts one body with these headers and the receiver's own.
    pub(crate) async fn post(
        &self,
        media_type: &'static str,
        more: HeaderMap,
        body: Bytes,
    ) -> Result<(), DeliverFault> {
        self.ask("", media_type, more, body).await?.judge()
    }

    /// As [`Http::post`], to what stands `below` the receiver's URL; gives what it answered.
    pub(crate) async fn ask(
        &self,
        below: &str,
        media_type: &'static str,
        more: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, DeliverFault> {
        let later = |why: String| DeliverFault::Later(why);
        let mut request = Request::new(HttpRequestBody::from(body));
        *request.method_mut() = Method::POST;
        let url = format!("{}{below}", self.url);
        *request.uri_mut() =
            url.parse().map_err(|fault: http::uri::InvalidUri| later(fault.to_string()))?;
        *request.headers_mut() = self.headers.expose().clone();
        let headers = request.headers_mut();
        headers.extend(more);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(USER_AGENT, HeaderValue::from_static("lockgate"));
        let answer = self.client.send(request).await.map_err(|fault| later(root(&fault)))?;
        let status = answer.status();
        let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let seconds = seconds.and_then(|text| text.trim().parse().ok());
        let wait = seconds.map(|seconds| Duration::from_secs(seconds).min(LATER_MAX));
        let body = http_body_util::Limited::new(answer, ANSWER_MAX_BYTES).collect();
        let body = timeout(REST_WAIT_MAX, body).await.ok().and_then(Result::ok);
        Ok(Answer { status, wait, body: body.map(http_body_util::Collected::to_bytes) })
    }
}

impl Answer {
    /// What the status means for what was posted. What only the operator can mend is refused for
    /// good.
    pub(crate) fn judge(&self) -> Result<(), DeliverFault> {
        let why = self.status.to_string();
        match self.status {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => {
                Err(DeliverFault::Never(format!("{why}: redirects are not followed")))
            }
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS => Err(self.later(why)),
            status if status.is_client_error() => Err(DeliverFault::Never(why)),
            _ => Err(self.later(why)),
        }
    }

    /// Not now; and not before the time that it named.
    pub(crate) fn later(&self, why: String) -> DeliverFault {
        match self.wait {
            Some(wait) => DeliverFault::Wait { why, wait },
            None => DeliverFault::Later(why),
        }
    }
}

/// Why nothing is posted to a URL; `None` where it may be used. A name's addresses are looked at when
/// it is dialled.
pub fn refusal(url: &Url, allow_cleartext: bool) -> Option<&'static str> {
    match url.scheme() {
        "https" => {}
        "http" if allow_cleartext => {}
        "http" => return Some("it is in cleartext: use `https:`, or set `allow_cleartext`"),
        _ => return Some("it begins neither with `https:` nor with `http:`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("it carries user information");
    }
    let address = match url.host() {
        None => return Some("it has no host"),
        Some(Host::Domain(_)) => return None,
        Some(Host::Ipv4(address)) => IpAddr::from(address),
        Some(Host::Ipv6(address)) => IpAddr::from(address),
    };
    (!Reach::Servers.admits(address)).then_some(FORBIDDEN)
}
