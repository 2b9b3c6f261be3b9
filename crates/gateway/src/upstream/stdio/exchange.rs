//! One POST on a child: what it holds goes out as lines, and what comes back is its answer.

use std::{sync::Arc, time::Duration};

use ::http::StatusCode;
use bytes::Bytes;
use lockgate_mcp::{
    message::{self, Body, Message},
    request, sse,
};
use lockgate_model::{Era, Reason, Refusal, RequestId};
use tokio::time::{sleep, timeout};

use super::{
    child::Child,
    empty, json,
    queue::{Arrival, Inlet, Outlet, queue},
    remap,
    router::Exchange,
    stream,
};
use crate::upstream::Answer;

/// A legacy server may leave the question whether it is a modern one unanswered for ever, and its
/// asker only goes on when he hears something.
const DISCOVER_WAIT: Duration = Duration::from_secs(10);

/// A server need not answer what was cancelled; where it has not by then, the POST ends without.
const CANCEL_WAIT: Duration = Duration::from_secs(2);

/// The events of one answer, or of a session's own stream. Dropping it gives up what is open.
pub struct Events {
    inlet: Inlet,
    first: Option<Arrival>,
    /// Responses that are still to come; `None` for the session's own stream, which has no last.
    outstanding: Option<usize>,
    child: Arc<Child>,
    _open: Vec<Open>,
}

/// A request that the child has and has not answered. Dropping it takes it off the child's table,
/// and tells the child where its answer is of no use any more.
struct Open {
    child: Arc<Child>,
    id: RequestId,
    number: u64,
    cancels: bool,
}

/// What a POST comes to on a child.
struct Prepared {
    /// To be written in this order.
    lines: Vec<Bytes>,
    /// The requests among them, already waiting for their responses.
    open: Vec<Open>,
    /// Requests of this session that the client cancels.
    cancelled: Vec<RequestId>,
    /// How long the answer may take to begin.
    wait: Duration,
}

/// Sends the message or batch in `body` and waits for the beginning of the answer.
pub(super) async fn exchange(
    child: &Arc<Child>,
    era: Era,
    body: &Bytes,
) -> Result<Answer, Refusal> {
    child.touch();
    let (outlet, mut inlet) = queue(child.queue_max_bytes());
    let Prepared { lines, mut open, cancelled, wait } = prepare(child, era, body, &outlet)?;
    // From here on only the child's table can end the queue.
    drop(outlet);
    let begin = async {
        for line in &lines {
            child.process.write(line).await?;
        }
        cancelled.into_iter().for_each(|id| end_later(child, id));
        Ok::<_, Refusal>(if open.is_empty() { None } else { inlet.next().await })
    };
    let Ok(first) = timeout(wait, begin).await else {
        // The one who gives up tells, whatever the era.
        open.iter_mut().for_each(|open| open.cancels = true);
        return Err(Refusal::new(Reason::UpstreamTimeout, "the child did not answer in time"));
    };
    match first? {
        None if open.is_empty() => Ok(empty(StatusCode::ACCEPTED)),
        None => Err(Refusal::new(Reason::UpstreamEnded, "the child gave no answer")),
        Some(Arrival::Failed(refusal)) => Err(refusal),
        Some(Arrival::Response { body, error }) if open.len() == 1 => {
            Ok(json(status(era, error), body))
        }
        Some(first) => {
            let outstanding = Some(open.len());
            let child = Arc::clone(child);
            Ok(stream(Events { inlet, first: Some(first), outstanding, child, _open: open }))
        }
    }
}

fn prepare(
    child: &Arc<Child>,
    era: Era,
    body: &Bytes,
    outlet: &Outlet,
) -> Result<Prepared, Refusal> {
    let mut prepared = Prepared {
        lines: Vec::new(),
        open: Vec::new(),
        cancelled: Vec::new(),
        wait: child.answer_wait(),
    };
    match message::parse_client(body, child.host.json_limits())? {
        Body::One(message) => prepared.add(child, era, body.clone(), &message, outlet)?,
        Body::Batch(messages) => {
            for message in &messages {
                let text = body.slice_ref(message.raw().as_bytes());
                prepared.add(child, era, text, message, outlet)?;
            }
        }
    }
    Ok(prepared)
}

impl Prepared {
    fn add(
        &mut self,
        child: &Arc<Child>,
        era: Era,
        text: Bytes,
        message: &Message<'_>,
        outlet: &Outlet,
    ) -> Result<(), Refusal> {
        let Message::Request(request) = message else {
            // On a shared child such an id is another client's, or nobody's. In the modern era a
            // client cancels by leaving.
            let foreign = era == Era::Modern && message.method().is_some_and(names_a_request);
            if !foreign {
                self.cancelled.extend(cancelled_id(message));
                self.lines.push(text);
            }
            return Ok(());
        };
        if request.method == "server/discover" {
            self.wait = self.wait.min(DISCOVER_WAIT);
        }
        let listens = request.method == "subscriptions/listen";
        let (id, token, line, original) = match era {
            Era::Legacy => (request.id.clone(), request.progress_token(), text, None),
            Era::Modern => {
                let minted = child.mint();
                let (line, original) = remap::disguise(&text, request, minted);
                let token = original.wants_progress().then_some(RequestId::Number(minted));
                (RequestId::Number(minted), token, line, Some(original))
            }
        };
        let exchange = Exchange { outlet: outlet.clone(), token, original, listens };
        let number = child.router.open(id.clone(), exchange)?;
        let cancels = era == Era::Modern;
        self.open.push(Open { child: Arc::clone(child), id, number, cancels });
        self.lines.push(line);
        Ok(())
    }
}

fn cancelled_id(message: &Message<'_>) -> Option<RequestId> {
    let cancels = message.method() == Some("notifications/cancelled");
    message::id_of(message.params().filter(|_| cancels)?.get("requestId")?)
}

fn end_later(child: &Arc<Child>, id: RequestId) {
    let Some(number) = child.router.number(&id) else { return };
    let child = Arc::clone(child);
    tokio::spawn(async move {
        sleep(CANCEL_WAIT).await;
        let refusal = Refusal::new(Reason::UpstreamEnded, "the client cancelled the request");
        child.router.fail(&id, number, refusal);
    });
}

fn names_a_request(method: &str) -> bool {
    matches!(method, "notifications/cancelled" | "notifications/progress")
}

/// The HTTP status of a response, as a server over HTTP would choose it.
fn status(era: Era, error: Option<i64>) -> StatusCode {
    match (era, error) {
        (Era::Modern, Some(-32_601)) => StatusCode::NOT_FOUND,
        (Era::Modern, Some(-32_022..=-32_020)) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

impl Events {
    /// The stream of messages that belong to no request of the session.
    pub(super) fn session(inlet: Inlet, child: &Arc<Child>) -> Self {
        let child = Arc::clone(child);
        Self { inlet, first: None, outstanding: None, child, _open: Vec::new() }
    }

    /// The next event; `None` after the last response, or when the session has ended.
    pub async fn next(&mut self) -> Option<Result<sse::Event, Refusal>> {
        if self.outstanding == Some(0) {
            return None;
        }
        let arrival = match self.first.take() {
            Some(first) => first,
            None => self.inlet.next().await?,
        };
        self.child.touch();
        match arrival {
            Arrival::Message(message) => Some(Ok(sse::Event::carrying(&message))),
            Arrival::Response { body, .. } => {
                self.outstanding = self.outstanding.map(|left| left.saturating_sub(1));
                Some(Ok(sse::Event::carrying(&body)))
            }
            Arrival::Failed(refusal) => {
                self.outstanding = Some(0);
                Some(Err(refusal))
            }
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let outstanding = self.child.router.forget(&self.id, self.number);
        if outstanding && self.cancels {
            self.child.process.write_now(&request::cancelled(&self.id));
        }
    }
}
