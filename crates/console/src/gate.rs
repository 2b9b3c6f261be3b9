//! What every request passes: its size, its token, its place, and, by the extractors, its role.
//!
//! A handler gets its caller only as [`Somebody`], an [`Auditor`] or an [`Admin`], and reads or changes nothing
//! without one, so that a path whose role was forgotten does not compile.

use std::{net::IpAddr, sync::Arc, time::Duration};

use aws_lc_rs::rand;
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use lockgate_model::{Event, Identity, Refusal, RefusalEvent};

use crate::{
    console::Console,
    problem::{Code, Problem},
    serve::Line,
    settings::Role,
    slots::Slot,
};

/// Bytes of a request target.
const URI_MAX_BYTES: usize = 8 * 1024;
/// How often an open stream asks whether its caller may still be there.
const STANDING_EVERY: Duration = Duration::from_millis(500);

/// Recorded content is inert wherever it is shown, and stored nowhere on its way.
const HEADERS: [(HeaderName, &str); 3] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"),
];

/// Who is asking, with their place among the open requests.
#[derive(Clone)]
pub(crate) struct Caller {
    standing: Standing,
    /// Held as long as the answer is being given, streams included.
    _slot: Arc<Slot>,
}

/// Somebody's right to be here, which ends.
#[derive(Clone)]
pub(crate) struct Standing {
    console: Arc<Console>,
    identity: Arc<Identity>,
    /// Whether they could read the recording when they came; then they must go on to.
    reads: bool,
}

/// A caller who may read the recording.
pub(crate) struct Auditor(pub(crate) Caller);

/// A caller who may change what is kept.
pub(crate) struct Admin(pub(crate) Caller);

/// Anyone with a good token: what they may see and do, each approval says.
#[derive(Clone)]
pub(crate) struct Somebody(pub(crate) Caller);

impl Caller {
    /// Who it is.
    pub(crate) fn identity(&self) -> &Identity {
        &self.standing.identity
    }

    pub(crate) fn console(&self) -> &Arc<Console> {
        &self.standing.console
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// As it stands in the record: issuer and subject, and nothing in it that moves a cursor or
    /// turns the direction of text.
    pub(crate) fn by(&self) -> String {
        let identity = &self.standing.identity;
        let mut by = format!("{}/", identity.issuer);
        for c in identity.subject.chars() {
            // Debug spells out what is not printable, and quotes as well, which are harmless.
            match c {
                '"' | '\'' | '\\' => by.push(c),
                other => by.extend(other.escape_debug()),
            }
        }
        by
    }

    fn of(parts: &Parts, role: Role) -> Result<Self, Problem> {
        // Absent only where the gate is not in front of the path.
        let caller = parts.extensions.get::<Self>().ok_or(Code::Internal)?;
        if caller.console().admits(&caller.standing.identity, role) {
            return Ok(caller.clone());
        }
        tracing::info!(by = caller.by(), ?role, "refused: the role is missing");
        Err(Problem::new(Code::RoleMissing, role.missing()))
    }
}

impl Standing {
    fn new(console: Arc<Console>, identity: Arc<Identity>) -> Self {
        let reads = console.admits(&identity, Role::Auditor);
        Self { console, identity, reads }
    }

    /// Whether the token still stands, and with it the right to read.
    pub(crate) fn holds(&self) -> bool {
        let reads = !self.reads || self.console.admits(&self.identity, Role::Auditor);
        self.left_ms() > 0 && reads && !(self.console.edge.revoker.is_out)(&self.identity)
    }

    /// Done within a second of when it no longer holds.
    pub(crate) async fn gone(&self) {
        while self.holds() {
            let left = Duration::from_millis(u64::try_from(self.left_ms()).unwrap_or_default());
            tokio::time::sleep(left.min(STANDING_EVERY)).await;
        }
    }

    fn left_ms(&self) -> i64 {
        self.identity.token.refused_from.millis_since(self.console.now())
    }
}

impl<S: Sync> FromRequestParts<S> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Caller::of(parts, Role::Auditor).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Caller::of(parts, Role::Admin).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Somebody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Absent only where the gate is not in front of the path.
        let caller = parts.extensions.get::<Caller>().ok_or(Code::Internal)?;
        Ok(Self(caller.clone()))
    }
}

/// Lets a request in, and sets what every answer says.
pub(crate) async fn pass(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let line = request.extensions().get::<Line>().cloned();
    let entered = match shown(&request) {
        Ok(shown) => enter(console, shown, line).await,
        Err(problem) => Err(problem),
    };
    let mut response = match entered {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What the request shows of its caller.
fn shown(request: &Request) -> Result<HeaderMap, Problem> {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    if target.len() > URI_MAX_BYTES {
        return Err(Code::UriTooLong.into());
    }
    let mut shown = HeaderMap::new();
    for line in request.headers().get_all(header::AUTHORIZATION) {
        shown.append(header::AUTHORIZATION, line.clone());
    }
    Ok(shown)
}

/// Verifies the token, and gives its owner a place among the open requests.
pub(crate) async fn enter(
    console: Arc<Console>,
    shown: HeaderMap,
    line: Option<Line>,
) -> Result<Caller, Problem> {
    let identity = match (console.edge.verify)(shown).await {
        Ok(identity) => identity,
        Err(refusal) => {
            refused(&console, "admin API", &refusal, line.map(|line| line.peer)).await;
            return Err(refusal.into());
        }
    };
    let slot = console.slots.take(&identity).ok_or(Code::TooMany)?;
    let standing = Standing::new(console, identity);
    if let Some(line) = line {
        line.is_used_by(standing.clone());
    }
    Ok(Caller { standing, _slot: Arc::new(slot) })
}

/// Puts on the record that somebody tried to get in, and by which door.
pub(crate) async fn refused(
    console: &Console,
    door: &str,
    refusal: &Refusal,
    peer: Option<IpAddr>,
) {
    let mut id = [0_u8; 16];
    if rand::fill(&mut id).is_err() {
        tracing::error!("the system gives no randomness");
    }
    let event = Event::Refused(RefusalEvent {
        request: format!("{:032x}", u128::from_be_bytes(id)),
        peer: peer.map(|peer| peer.to_string()).unwrap_or_default(),
        connection: None,
        identity: None,
        reason: refusal.reason,
        detail: format!("{door}: {}", refusal.detail),
    });
    // It is refused already; a journal that can't be written shows nothing to anybody.
    if let Err(fault) = (console.edge.keeper.append)(event).await {
        tracing::error!(%fault, "a refusal is not recorded");
    }
}
