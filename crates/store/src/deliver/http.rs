//! Batches of JSON lines by POST. A batch carries an id that is the same each time it is sent, so
//! that a receiver can drop what it has already.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
};
use http_body_util::BodyExt as _;
use object_store::client::HttpRequestBody;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::{DeliverFault, message::Message, secret::Headers, settings::HttpSettings};
use crate::client::{Client, root};

/// The header of the batch's id (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The rest of an answer is read for this long, so that its connection can be used again.
const REST_WAIT_MAX: Duration = Duration::from_secs(5);

/// A web server that takes JSON lines.
pub(crate) struct Http {
    client: Client,
    url: http::Uri,
    headers: Headers,
}

impl Http {
    /// Dials nothing yet.
    pub(crate) fn new(settings: &HttpSettings, headers: Headers) -> Result<Self, DeliverFault> {
        let host = settings.url.host_str().unwrap_or_default();
        let fault = |why: String| DeliverFault::Setting { what: format!("sink at `{host}`"), why };
        match settings.url.scheme() {
            "https" => {}
            "http" if settings.allow_cleartext => {}
            "http" => return Err(fault("use https, or set `allow_cleartext`".to_owned())),
            _ => return Err(fault("its URL begins neither with https nor with http".to_owned())),
        }
        if host.is_empty()
            || !settings.url.username().is_empty()
            || settings.url.password().is_some()
        {
            return Err(fault("its URL needs a host, and no user information".to_owned()));
        }
        let url = settings.url.as_str().parse();
        let url = url.map_err(|_| fault("its URL has no HTTP form".to_owned()))?;
        Ok(Self { client: Client::new(settings.ca.as_deref()).map_err(fault)?, url, headers })
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
        let later = |why: String| DeliverFault::Later(why);
        let mut request = Request::new(HttpRequestBody::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.expose().clone();
        let headers = request.headers_mut();
        headers.extend(more);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(USER_AGENT, HeaderValue::from_static("lockgate"));
        let answer = self.client.send(request).await.map_err(|fault| later(root(&fault)))?;
        let status = answer.status();
        let _ =
            timeout(REST_WAIT_MAX, http_body_util::Limited::new(answer, 64 * 1024).collect()).await;
        judge(status)
    }
}

/// What a status means for the batch. What only the operator can mend is refused for good.
fn judge(status: StatusCode) -> Result<(), DeliverFault> {
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::CONFLICT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS => Err(DeliverFault::Later(status.to_string())),
        status if status.is_redirection() => {
            Err(DeliverFault::Never(format!("{status}: redirects are not followed")))
        }
        status if status.is_client_error() => Err(DeliverFault::Never(status.to_string())),
        status => Err(DeliverFault::Later(status.to_string())),
    }
}
