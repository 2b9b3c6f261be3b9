//! Clicks in Slack: a request of its interactivity, taken only where Slack signed it, and answered
//! within its three seconds.
//!
//! A click is nobody's answer by itself. Whoever clicked must be logged in to the pages, and answers
//! as they would there: with the token of that login, verified now, and the groups that it names
//! now. What Slack says of a person is only used to look for that login.

mod act;
mod said;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    routing::post,
};
use http::{HeaderMap, StatusCode};
use lockgate_model::Timestamp;
use lockgate_store::notify::Slack;
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    console::Console,
    problem::{Code, Problem},
};

/// Where Slack posts, as the app's interactivity URL says.
const PATH: &str = "/slack/actions";
/// Bytes of a request: it repeats the message, which is ours.
const BODY_MAX_BYTES: usize = 128 * 1024;
/// It must have come within this time: Slack waits for three seconds in all.
const BODY_WAIT_MAX: Duration = Duration::from_secs(2);
/// Clicks at work at once.
const AT_WORK_MAX: usize = 32;
/// A signature is remembered for so long, in milliseconds: longer than its time is good, also where
/// it lies ahead.
const SEEN_MAX_MS: i64 = 601_000;
/// Signatures that are remembered; while there are so many, no other is taken.
const SEEN_MAX: usize = 10_000;

/// Where clicks come in.
struct Desk {
    console: Arc<Console>,
    /// Signatures that were taken, with the time.
    seen: Mutex<HashMap<String, Timestamp>>,
    places: Arc<Semaphore>,
}

/// The one path, where there is an app.
pub(crate) fn router(console: &Arc<Console>) -> Option<Router> {
    let desk = Desk {
        console: Arc::clone(console),
        seen: Mutex::default(),
        places: Arc::new(Semaphore::new(AT_WORK_MAX)),
    };
    let router = Router::new().route(PATH, post(receive)).with_state(Arc::new(desk));
    (!console.edge.slack.is_empty()).then_some(router)
}

/// Takes one request; what it asks for is done after the answer.
async fn receive(State(desk): State<Arc<Desk>>, request: Request) -> Result<StatusCode, Problem> {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    let apps = desk.signers(&head.headers, &body)?;
    let said = said::read(&body).ok_or(Code::BodyInvalid)?;
    let app = apps.into_iter().find(|app| app.is_in(&said.channel));
    let app =
        app.ok_or_else(|| Problem::new(Code::BodyInvalid, "no question is in this channel"))?;
    let place = Arc::clone(&desk.places).try_acquire_owned().map_err(|_| Code::TooMany)?;
    let console = Arc::clone(&desk.console);
    tokio::spawn(async move {
        act::act(&console, &app, said).await;
        drop(place);
    });
    Ok(StatusCode::OK)
}

async fn read(body: Body) -> Result<Bytes, Problem> {
    let body = timeout(BODY_WAIT_MAX, to_bytes(body, BODY_MAX_BYTES)).await;
    Ok(body.map_err(|_| Code::BodyTooSlow)?.map_err(|_| Code::BodyTooLarge)?)
}

impl Desk {
    /// The apps for which Slack signed this request, which was not here before.
    fn signers(&self, headers: &HeaderMap, body: &[u8]) -> Result<Vec<Arc<Slack>>, Problem> {
        let now = self.console.now();
        let (time, signature) =
            (only(headers, "x-slack-request-timestamp"), only(headers, "x-slack-signature"));
        let mut apps = self.console.edge.slack.clone();
        apps.retain(|app| {
            let verified = app.verify(time, signature, body, now);
            verified.inspect_err(|fault| tracing::debug!(%fault, "not signed for an app")).is_ok()
        });
        let fresh = !apps.is_empty() && self.is_new(signature, now)?;
        if fresh {
            return Ok(apps);
        }
        tracing::info!("refused: a request that Slack did not sign, or did before");
        Err(Code::SignatureRefused.into())
    }

    /// Whether a good signature was not here before; from now on it was.
    fn is_new(&self, signature: &str, now: Timestamp) -> Result<bool, Problem> {
        // Every change is whole before the lock is released.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|_, at| now.millis_since(*at) < SEEN_MAX_MS);
        if seen.len() >= SEEN_MAX {
            return Err(Code::TooMany.into());
        }
        Ok(seen.insert(signature.to_owned(), now).is_none())
    }
}

/// A header that stands there once; nothing otherwise.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    }
}
