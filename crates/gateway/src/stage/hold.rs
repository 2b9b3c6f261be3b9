//! A call that waits for people: its client hears from it while it waits, and is told to come again
//! before it gives up. Nothing is sent before the decision, and nothing after the client has left.
//! The wait ends with the caller's right to it: at the end of their token, and where a new version of
//! the configuration, the policies or the issuers' keys no longer lets them make the call.
//!
//! Never holds anything of the server's: no connection is taken before there is a grant.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName},
};
use lockgate_mcp::{answer, sse};
use lockgate_model::{Era, OutcomeStatus, Reason, Refusal};
use tokio::{
    sync::mpsc,
    time::{Instant, interval_at, sleep_until},
};

use super::{
    clear::{Cleared, Right, Waiting},
    respond::Stop,
};
use crate::{body::AnswerBody, clock, gateway::Phase, shelter::Shelter};

/// How often a client hears that its call still waits.
const HEAR_EVERY: Duration = Duration::from_secs(10);
/// A modern client comes back so often by itself; their drivers give up at ten rounds.
const LEGS_MAX: u32 = 9;

/// Why the waiting ends.
enum End {
    /// The question is not pending any more.
    Decided,
    /// It was long enough for one request.
    Late,
    /// The client left.
    Gone,
    /// The call may not wait any longer.
    Cut(Refusal),
    /// It may not be made any more, whatever people say.
    Void(Refusal),
}

/// Answers at once, with a stream in which the call waits. `go_on` takes the call further.
pub fn start<F>(
    waiting: Waiting,
    go_on: impl FnOnce(Right) -> F + Send + 'static,
) -> Response<AnswerBody>
where
    F: Future<Output = Result<Response<AnswerBody>, Stop>> + Send + 'static,
{
    let (client, pieces) = mpsc::channel(1);
    tokio::spawn(run(waiting, client, go_on));
    let mut response = Response::new(AnswerBody::Stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

async fn run<F>(
    mut waiting: Waiting,
    client: mpsc::Sender<Bytes>,
    go_on: impl FnOnce(Right) -> F + Send + 'static,
) where
    F: Future<Output = Result<Response<AnswerBody>, Stop>> + Send + 'static,
{
    let hold = u64::from(waiting.open.caller.snapshot.blueprint.settings.approvals.hold_max_ms);
    let deadline = Instant::now() + Duration::from_millis(hold);
    loop {
        let stop = match wait(&mut waiting, &client, deadline).await {
            End::Decided => match Box::pin(waiting.proceed()).await {
                Ok(Cleared::Now(right)) => return Box::pin(sent(*right, client, go_on)).await,
                Ok(Cleared::Waits(again)) => {
                    waiting = *again;
                    continue;
                }
                Err(stop) => stop,
            },
            // Its record is written when the call is dropped; the question stays for the retry.
            End::Gone => return,
            End::Late => return come_again(waiting, &client).await,
            End::Cut(refusal) => waiting.open.refuse(refusal),
            End::Void(refusal) => waiting.void(refusal).await,
        };
        return give(&client, &stop.body().1).await;
    }
}

async fn wait(waiting: &mut Waiting, client: &mpsc::Sender<Bytes>, deadline: Instant) -> End {
    let gateway = std::sync::Arc::clone(&waiting.open.gateway);
    let left = waiting.open.caller.identity.token.refused_from.millis_since(clock::now());
    let expires = Instant::now() + Duration::from_millis(u64::try_from(left).unwrap_or(0));
    let mut phase = gateway.phase();
    let mut version = gateway.version();
    let mut drains = pin!(async { drop(phase.wait_for(|now| *now >= Phase::Draining).await) });
    let mut hear = interval_at(Instant::now() + HEAR_EVERY, HEAR_EVERY);
    let mut heard = 0;
    let mut changed = waiting.approvals.waiter(Some(&waiting.approval.id));
    loop {
        // On the heap while it lasts: what waits for minutes is kept small.
        if let Err(refusal) = Box::pin(waiting.look()).await {
            return End::Cut(refusal);
        }
        if waiting.approval.state != lockgate_model::State::Pending {
            return End::Decided;
        }
        tokio::select! {
            biased;
            () = client.closed() => return End::Gone,
            () = sleep_until(expires) => {
                let detail = "the token expired while the call waited";
                return End::Cut(Refusal::new(Reason::StreamExpired, detail));
            }
            refusal = waiting.open.revoked() => return match refusal.reason {
                // It may still be found to stand.
                Reason::RevocationsUnconfirmed => End::Cut(refusal),
                _ => End::Void(refusal),
            },
            () = sleep_until(deadline) => return End::Late,
            () = &mut drains => return End::Late,
            Ok(()) = version.changed() => {
                if let Err(refusal) = Box::pin(waiting.stands()).await {
                    return End::Void(refusal);
                }
            }
            _ = hear.tick() => {
                heard += 1;
                still_waits(waiting, client, heard).await;
            }
            () = changed.look() => {}
        }
    }
}

/// Lets the client hear that its call still waits: most reset their patience by progress alone.
async fn still_waits(waiting: &Waiting, client: &mpsc::Sender<Bytes>, heard: u32) {
    let bytes = match &waiting.open.item.progress {
        Some(token) => {
            let note = Bytes::from(answer::progress(token, heard, &pending_text(waiting)));
            if waiting.open.message(&note).await.is_err() {
                return;
            }
            sse::encode(&note, None)
        }
        None => sse::comment("waiting for approval"),
    };
    // A client that reads nothing is told when it has left.
    drop(client.try_send(bytes.into()));
}

/// The decision is yes: the call goes on, and its answer follows in the same stream.
async fn sent<F>(
    right: Right,
    client: mpsc::Sender<Bytes>,
    go_on: impl FnOnce(Right) -> F + Send + 'static,
) where
    F: Future<Output = Result<Response<AnswerBody>, Stop>> + Send + 'static,
{
    let wait_ms = right.open.caller.connection.limits.orphan_max_ms;
    let (era, work) = (right.open.item.call.era, go_on(right));
    let answered = match era {
        Era::Modern => {
            let mut work = pin!(work);
            tokio::select! {
                answered = &mut work => answered,
                () = client.closed() => return,
            }
        }
        Era::Legacy => tokio::select! {
            answered = Shelter::new(wait_ms, work) => answered,
            () = client.closed() => return,
        },
    };
    match answered {
        Ok(response) => pass_on(response, &client).await,
        Err(stop) => give(&client, &stop.body().1).await,
    }
}

async fn pass_on(response: Response<AnswerBody>, client: &mpsc::Sender<Bytes>) {
    match response.into_body() {
        AnswerBody::Whole(None) => {}
        AnswerBody::Whole(Some(bytes)) => give(client, &bytes).await,
        AnswerBody::Stream(mut pieces) => {
            while let Some(piece) = pieces.recv().await {
                if client.send(piece).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The client is told before it gives up: by the era's own way of asking again, or in words that a
/// model understands.
async fn come_again(mut waiting: Waiting, client: &mpsc::Sender<Bytes>) {
    let text = pending_text(&waiting);
    let item = &waiting.open.item;
    let again = match (&item.call.id, item.call.era) {
        (Some(id), Era::Modern) if item.leg < LEGS_MAX => {
            let identity = &waiting.open.caller.identity;
            let state = waiting.open.gateway.legs.state(item.leg + 1, identity, &item.call);
            Some(answer::ask_again(id, &state))
        }
        _ => None,
    };
    let refusal = Refusal::new(Reason::ApprovalPending, "nobody has decided it yet");
    let body = match again {
        Some(body) => {
            waiting.open.end(OutcomeStatus::Refused, &refusal);
            body
        }
        None => waiting.open.refuse(refusal).saying(&text).body().1,
    };
    give(client, &body).await;
}

/// What the caller is told while it waits. Names nobody, and nothing of the call.
fn pending_text(waiting: &Waiting) -> String {
    let (approval, settings) =
        (&waiting.approval, &waiting.open.caller.snapshot.blueprint.settings.approvals);
    let place = match &settings.url {
        Some(url) => format!("{}/{}", url.as_str().trim_end_matches('/'), approval.id),
        None => approval.id.clone(),
    };
    let missing: Vec<&str> = approval.missing().into_iter().map(|(group, _)| group).collect();
    let reason = approval.terms.reason.as_deref().map(|why| format!(" ({why})"));
    format!(
        "It needs the approval of {}{}: {place}. Nothing was sent. When it is approved, repeat the \
         identical call within {} min; do not change its arguments.",
        missing.join(", "),
        reason.unwrap_or_default(),
        approval.terms.grant_ms.div_ceil(60_000),
    )
}

async fn give(client: &mpsc::Sender<Bytes>, body: &[u8]) {
    // A client that has left is told nothing.
    drop(client.send(sse::encode(body, None).into()).await);
}
