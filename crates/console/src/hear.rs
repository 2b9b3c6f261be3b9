//! What identity providers tell of their own accord, over HTTP: `POST /events` takes security events
//! (RFC 8935), `POST /events/logout` back-channel logouts (OpenID Connect Back-Channel Logout 1.0 §2.5).
//!
//! Neither has a token: what is told is signed with the issuer's published keys, or is nothing. It is
//! verified by the data path's own verifier, and whatever it revokes is on the record first. What was
//! told before changes nothing when it is told again.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::post,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use lockgate_model::{Reason, Refusal};
use serde_json::json;
use tokio::{sync::Semaphore, time::timeout};
use url::form_urlencoded;

use crate::{console::Console, problem::Problem, revoke};

/// Where security events are pushed.
const EVENTS: &str = "/events";
/// Where logouts are told: the `backchannel_logout_uri` of the OAuth client.
const LOGOUT: &str = "/events/logout";
/// Bytes of what is told.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// It must have come within this time.
const BODY_WAIT_MAX: Duration = Duration::from_secs(5);
/// What is told at once; more is asked to come again.
const AT_WORK_MAX: usize = 32;

/// Where it is told.
struct Ear {
    console: Arc<Console>,
    places: Semaphore,
}

/// Why something is not taken (RFC 8935 §2.4).
struct Untaken {
    status: StatusCode,
    code: &'static str,
    why: String,
}

/// Both paths.
pub(crate) fn router(console: &Arc<Console>) -> Router {
    let ear = Arc::new(Ear { console: Arc::clone(console), places: Semaphore::new(AT_WORK_MAX) });
    Router::new().route(EVENTS, post(event)).route(LOGOUT, post(logout)).with_state(ear)
}

async fn event(State(ear): State<Arc<Ear>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let taken = async {
        is(&head.headers, "application/secevent+jwt")?;
        ear.take(read(body).await?).await
    };
    answered(taken.await, StatusCode::ACCEPTED)
}

async fn logout(State(ear): State<Arc<Ear>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let taken = async {
        is(&head.headers, "application/x-www-form-urlencoded")?;
        let form = read(body).await?;
        let mut tokens = form_urlencoded::parse(&form).filter(|(name, _)| name == "logout_token");
        match (tokens.next(), tokens.next()) {
            (Some((_, token)), None) => ear.take(token.into_owned().into()).await,
            _ => Err(unread("there must be one `logout_token`")),
        }
    };
    answered(taken.await, StatusCode::OK)
}

impl Ear {
    async fn take(&self, told: Bytes) -> Result<(), Untaken> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(later("too much is told at once"));
        };
        let revoked = (self.console.edge.revoker.hear)(told).await.map_err(refused)?;
        revoke::make(&self.console, revoked).await.map_err(|problem: Problem| {
            tracing::error!(%problem, "what an identity provider told did not take effect");
            later("it can't be taken at the moment")
        })
    }
}

/// Which check failed is for the log; the transmitter is told as much as RFC 8935 has words for.
fn refused(refusal: Refusal) -> Untaken {
    tracing::info!(%refusal, "refused: an event");
    let code = match refusal.reason {
        Reason::IssuerUnavailable => return later("the issuer's keys can't be had"),
        Reason::TokenIssuer => "invalid_issuer",
        Reason::TokenAudience => "invalid_audience",
        Reason::TokenSignature | Reason::TokenKeyUnknown => "invalid_key",
        _ => "invalid_request",
    };
    Untaken { status: StatusCode::BAD_REQUEST, code, why: "it is not taken".to_owned() }
}

fn unread(why: &str) -> Untaken {
    Untaken { status: StatusCode::BAD_REQUEST, code: "invalid_request", why: why.to_owned() }
}

fn later(why: &str) -> Untaken {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Untaken { status, code: "temporarily_unavailable", why: why.to_owned() }
}

fn is(headers: &HeaderMap, media_type: &str) -> Result<(), Untaken> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.and_then(|said| said.split(';').next()).unwrap_or_default().trim();
    let fits = said.eq_ignore_ascii_case(media_type);
    fits.then_some(()).ok_or_else(|| unread(&format!("the body must be {media_type}")))
}

async fn read(body: Body) -> Result<Bytes, Untaken> {
    let read = timeout(BODY_WAIT_MAX, to_bytes(body, BODY_MAX_BYTES)).await;
    read.ok().and_then(Result::ok).ok_or_else(|| unread("the body is too large, or too slow"))
}

fn answered(taken: Result<(), Untaken>, well: StatusCode) -> Response {
    let mut response = match taken {
        Ok(()) => well.into_response(),
        Err(Untaken { status, code, why }) => {
            (status, Json(json!({ "err": code, "description": why }))).into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
