//! What identity providers tell of their own accord, over HTTP: `POST /events` takes security events
//! (RFC 8935), `POST /events/logout` back-channel logouts (OpenID Connect Back-Channel Logout 1.0 §2.5).
//!
//! Neither has a token: what is told is signed with the issuer's published keys, or is nothing. It is
//! verified by the data path's own verifier, and whatever it revokes is on the record first. What was
//! told before changes nothing when it is told again. What an issuer tells when it is asked (RFC 8936) is
//! taken here too, by [`Console::hear`].

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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

use crate::{brake::Brake, console::Console, gate, problem::Problem, revoke, serve::Line};

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
    brake: Brake,
}

/// Why something is not taken (RFC 8935 §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untaken {
    /// The word for it.
    pub code: &'static str,
    /// One sentence for the transmitter.
    pub why: String,
    /// Whether it may be taken when it is told again.
    pub later: bool,
    refusal: Option<Refusal>,
}

/// Both paths.
pub(crate) fn router(console: &Arc<Console>) -> Router {
    let ear = Arc::new(Ear {
        console: Arc::clone(console),
        places: Semaphore::new(AT_WORK_MAX),
        brake: Brake::default(),
    });
    Router::new().route(EVENTS, post(event)).route(LOGOUT, post(logout)).with_state(ear)
}

async fn event(State(ear): State<Arc<Ear>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let line = head.extensions.get::<Line>().cloned();
    let taken = async {
        is(&head.headers, "application/secevent+jwt")?;
        ear.take(read(body).await?).await
    };
    let taken = taken.await;
    ear.answered(taken, StatusCode::ACCEPTED, line).await
}

async fn logout(State(ear): State<Arc<Ear>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let line = head.extensions.get::<Line>().cloned();
    let taken = async {
        is(&head.headers, "application/x-www-form-urlencoded")?;
        let form = read(body).await?;
        let mut tokens = form_urlencoded::parse(&form).filter(|(name, _)| name == "logout_token");
        match (tokens.next(), tokens.next()) {
            (Some((_, token)), None) => ear.take(token.into_owned().into()).await,
            _ => Err(unread("there must be one `logout_token`")),
        }
    };
    let taken = taken.await;
    ear.answered(taken, StatusCode::OK, line).await
}

impl Ear {
    async fn take(&self, told: Bytes) -> Result<(), Untaken> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(later("too much is told at once"));
        };
        self.console.hear(told).await
    }

    /// What is refused is on record, as far as that does not come too often.
    async fn answered(
        &self,
        taken: Result<(), Untaken>,
        well: StatusCode,
        line: Option<Line>,
    ) -> Response {
        let mut response = match &taken {
            Ok(()) => well.into_response(),
            Err(untaken) => {
                let status = self.status(untaken, line).await;
                let said = json!({ "err": untaken.code, "description": untaken.why });
                (status, Json(said)).into_response()
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn status(&self, untaken: &Untaken, line: Option<Line>) -> StatusCode {
        if untaken.later {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        if self.brake.is_too_much(Instant::now()) {
            return StatusCode::TOO_MANY_REQUESTS;
        }
        if let Some(refusal) = &untaken.refusal {
            tracing::info!(%refusal, "refused: an event");
            gate::refused(&self.console, "events", refusal, line.map(|line| line.peer)).await;
        }
        StatusCode::BAD_REQUEST
    }
}

impl Console {
    /// Takes what an identity provider tells, signed: what it revokes takes effect, for good, before this is
    /// done.
    ///
    /// # Errors
    /// [`Untaken`], after which nothing has happened.
    pub async fn hear(self: &Arc<Self>, told: Bytes) -> Result<(), Untaken> {
        let revoked = (self.edge.revoker.hear)(told).await.map_err(refused)?;
        revoke::make(self, revoked).await.map_err(|problem: Problem| {
            tracing::error!(%problem, "what an identity provider told did not take effect");
            later("it can't be taken at the moment")
        })
    }
}

/// Which check failed is for log and record; the transmitter is told as much as RFC 8935 has words for.
fn refused(refusal: Refusal) -> Untaken {
    let code = match refusal.reason {
        Reason::IssuerUnavailable => return later("the issuer's keys can't be had"),
        Reason::TokenIssuer => "invalid_issuer",
        Reason::TokenAudience => "invalid_audience",
        Reason::TokenSignature | Reason::TokenKeyUnknown => "invalid_key",
        _ => "invalid_request",
    };
    let why = "it is not taken".to_owned();
    Untaken { code, why, later: false, refusal: Some(refusal) }
}

fn unread(why: &str) -> Untaken {
    Untaken { code: "invalid_request", why: why.to_owned(), later: false, refusal: None }
}

fn later(why: &str) -> Untaken {
    let code = "temporarily_unavailable";
    Untaken { code, why: why.to_owned(), later: true, refusal: None }
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
