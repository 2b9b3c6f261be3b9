//! The whole journey of a request, one stage after the other. Each stage is a file under
//! [`crate::stage`] and takes the type that the stage before gave.

use std::{net::IpAddr, sync::Arc, time::Instant};

use futures_util::future::join_all;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use lockgate_model::{ConnectionName, Era, Identity, Reason, Refusal, Timestamp};

use crate::{
    body::AnswerBody,
    clock,
    framing::Bad,
    gateway::Gateway,
    proxy,
    shelter::Shelter,
    stage::{
        accept::{self, Accepted},
        admit, answer, arm,
        clear::{self, Cleared, Right},
        hold, intent, judge,
        parse::{self, Parsed, Spoken},
        resolve,
        respond::{self, Stop},
        send,
    },
};

/// What is known of a request while it travels, for its record.
pub struct Trail {
    /// The request's own id, minted here; whatever id the client sent is data.
    pub request: Arc<str>,
    /// Whose request it is: the socket's other end, or whom a configured proxy names (P23).
    pub peer: IpAddr,
    /// When its head had been read.
    pub began: Instant,
    /// The wall clock at that moment.
    pub now: Timestamp,
    /// The connection, once the path named one.
    pub connection: Option<ConnectionName>,
    /// The caller, once the token was good.
    pub identity: Option<Arc<Identity>>,
    /// The web origin to answer, once it was found to be allowed.
    pub origin: Option<HeaderValue>,
}

/// From the head of one HTTP request to the head of its answer.
///
/// `framing` is what the guard on the socket thinks of this head.
pub async fn request(
    gateway: &Arc<Gateway>,
    peer: IpAddr,
    framing: Result<(), Refusal>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let mut trail = match Trail::begin(peer) {
        Ok(trail) => trail,
        Err(refusal) => return respond::unrecorded(&refusal),
    };
    gateway.metrics.request();
    let closes = accept::is_last(&request);
    let mut response = match travel(gateway, &mut trail, framing, request).await {
        Ok(response) => response,
        Err(stop) => respond::stop(gateway, &trail, stop),
    };
    respond::dress(&mut response, &trail, closes || gateway.is_draining());
    response
}

async fn travel(
    gateway: &Arc<Gateway>,
    trail: &mut Trail,
    framing: Result<(), Refusal>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Stop> {
    let snapshot = gateway.snapshot();
    trail.peer = proxy::caller(snapshot.proxies(), trail.peer, request.headers())?;
    drop(snapshot);
    let arrival = match accept::accept(gateway, trail, framing, request)? {
        Accepted::Call(arrival) => arrival,
        Accepted::Answered(response) => return Ok(*response),
    };
    let authenticated = admit::admit(gateway, trail, arrival).await?;
    let resolved = resolve::resolve(gateway, trail, authenticated).await?;
    match parse::parse(gateway, resolved).await? {
        Spoken::One(parsed) => sheltered(gateway, *parsed).await,
        Spoken::Batch(entries) => batch(gateway, trail, entries).await,
    }
}

/// A call of the legacy era goes on when its client leaves; in the modern era that cancels it.
async fn sheltered(gateway: &Arc<Gateway>, parsed: Parsed) -> Result<Response<AnswerBody>, Stop> {
    match parsed.item.call.era {
        // Apart, so that an idle connection keeps no room for a call.
        Era::Modern => Box::pin(call(gateway, parsed)).await,
        Era::Legacy => {
            let wait_ms = parsed.caller.connection.limits.orphan_max_ms;
            let gateway = Arc::clone(gateway);
            Shelter::new(wait_ms, async move { call(&gateway, parsed).await }).await
        }
    }
}

/// One call, from its judgement to its answer.
async fn call(gateway: &Arc<Gateway>, parsed: Parsed) -> Result<Response<AnswerBody>, Stop> {
    let judged = judge::judge(gateway, parsed).await?;
    let recorded = intent::record(gateway, judged).await?;
    match clear::clear(recorded).await? {
        Cleared::Now(right) => go_on(*right).await,
        Cleared::Waits(waiting) => Ok(hold::start(*waiting, go_on)),
    }
}

/// A call that may be sent, to its answer.
async fn go_on(right: Right) -> Result<Response<AnswerBody>, Stop> {
    let armed = arm::arm(right).await?;
    let sent = send::send(armed).await?;
    let answered = answer::answer(sent).await?;
    Ok(respond::respond(answered))
}

/// Every entry takes the path on its own; the answers are gathered in order (J15).
async fn batch(
    gateway: &Arc<Gateway>,
    trail: &Trail,
    entries: Vec<Parsed>,
) -> Result<Response<AnswerBody>, Stop> {
    let answers = join_all(entries.into_iter().map(|entry| async move {
        let id = entry.item.call.id.clone();
        match sheltered(gateway, entry).await {
            Ok(response) => respond::gather(response, id).await,
            Err(stop) => respond::gather_stop(gateway, trail, &stop),
        }
    }));
    Ok(respond::batch(answers.await.into_iter().flatten().collect()))
}

/// What became of a connection that broke: where the parser gave up on a head, the refusal that the
/// client was told is recorded here.
pub fn broken(gateway: &Gateway, peer: IpAddr, found: Option<Bad>, fault: &hyper::Error) {
    if !fault.is_parse() {
        tracing::debug!(%peer, %fault, "connection ended");
        return;
    }
    let refusal = match found {
        Some(bad) => Refusal::new(bad.reason, bad.detail),
        None => Refusal::new(Reason::HttpMalformed, "no HTTP request"),
    };
    if let Ok(trail) = Trail::begin(peer) {
        respond::record_refusal(gateway, &trail, &refusal);
    }
}

impl Trail {
    fn begin(peer: IpAddr) -> Result<Self, Refusal> {
        Ok(Self {
            request: clock::random_id()?.into(),
            peer: peer.to_canonical(),
            began: Instant::now(),
            now: clock::now(),
            connection: None,
            identity: None,
            origin: None,
        })
    }
}
