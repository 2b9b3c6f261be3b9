//! A stream of the upstream on its way to the client, event by event: decided on, recorded, handed
//! on. It ends with the answer, with its caller's right to see it, or with the upstream; a request
//! never goes without a final message.

use std::{ops::ControlFlow, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use lockgate_mcp::{
    answer,
    message::{self, Body, Message},
    sse,
};
use lockgate_model::{Era, OutcomeStatus, Reason, Refusal, Revision};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

use super::{
    inspect::{inspect, invalid, permit_request},
    judge::decide,
    mask::{self, Counts},
    outcome::OpenCall,
    parse::Part,
    pieces::{Piece, Pieces},
    respond,
};
use crate::{body::AnswerBody, clock, decline, gateway::Phase, upstream::EventStream};

/// After the answer, the upstream has this long to end its stream, so that its connection can be
/// used again.
const LINGER: Duration = Duration::from_secs(1);

/// A stream on its way.
struct Relay {
    open: OpenCall,
    /// Headers of the upstream's answer.
    headers: HeaderMap,
    events: EventStream,
    /// The client's end; `None` once it has gone.
    client: Option<mpsc::Sender<Bytes>>,
    deadline: Instant,
    /// Why the stream ends at its deadline.
    at_deadline: Reason,
    /// Whether the client has an event id from which it can resume.
    resumable: bool,
    /// Notifications that wait for what comes after them.
    pieces: Pieces,
    /// When the caller's issuer is asked about the token again.
    asked_at: Option<Instant>,
}

/// How a stream came to its end.
enum End {
    /// With the answer, which is recorded and handed on.
    Answered,
    /// The upstream ended it.
    Upstream,
    /// The gateway ends it.
    Cut(Refusal),
    /// Something of the upstream's is wrong.
    Failed(Refusal),
    /// The client has gone, and with it the call.
    Cancelled,
}

/// Begins to hand on `events`; the task ends with the stream.
pub fn start(open: OpenCall, headers: HeaderMap, events: EventStream) -> AnswerBody {
    let (client, pieces) = mpsc::channel(1);
    let (deadline, at_deadline) = deadline(&open);
    let relay = Relay {
        open,
        headers,
        events,
        client: Some(client),
        deadline,
        at_deadline,
        resumable: false,
        pieces: Pieces::default(),
        asked_at: None,
    };
    tokio::spawn(relay.run());
    AnswerBody::Stream(pieces)
}

/// The earlier of the token's end and the longest age of a stream.
fn deadline(open: &OpenCall) -> (Instant, Reason) {
    let age_ms = u64::from(open.caller.connection.limits.stream_age_max_ms);
    let left = open.caller.identity.token.refused_from.millis_since(clock::now());
    let left_ms = u64::try_from(left).unwrap_or(0);
    let reason = if left_ms < age_ms { Reason::StreamExpired } else { Reason::StreamAge };
    (Instant::now() + Duration::from_millis(left_ms.min(age_ms)), reason)
}

impl Relay {
    async fn run(mut self) {
        self.ask_later();
        let end = self.relay().await;
        self.finish(end).await;
    }

    async fn relay(&mut self) -> End {
        let mut phase = self.open.gateway.phase();
        let last = if self.is_open_ended() { Phase::Draining } else { Phase::Ending };
        let mut drained = pin!(async { drop(phase.wait_for(|phase| *phase >= last).await) });
        let mut version = self.open.gateway.version();
        let mut parted = pin!(Arc::clone(&self.open.caller).parted());
        loop {
            let client = self.client.clone();
            let gone = async {
                match &client {
                    Some(client) => client.closed().await,
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                () = sleep_until(self.deadline) => {
                    return End::Cut(Refusal::new(self.at_deadline, "the stream has to end"));
                }
                refusal = self.open.revoked() => return End::Cut(refusal),
                refusal = &mut parted => return End::Cut(refusal),
                () = &mut drained => {
                    return End::Cut(Refusal::new(Reason::Draining, "the gateway shuts down"));
                }
                () = due(self.asked_at) => {
                    if let Some(refusal) = self.no_longer_permitted().await {
                        return End::Cut(refusal);
                    }
                    self.ask_later();
                    continue;
                }
                Ok(()) = version.changed() => {
                    if let Some(refusal) = self.no_longer_permitted().await {
                        return End::Cut(refusal);
                    }
                    continue;
                }
                () = gone => match self.client_left() {
                    ControlFlow::Continue(()) => continue,
                    ControlFlow::Break(end) => return end,
                },
                () = due(self.pieces.due()) => {
                    if let Err(refusal) = self.let_go().await {
                        return End::Failed(refusal);
                    }
                    continue;
                }
                event = self.events.next() => event,
            };
            drop(client);
            let passed = match event {
                None => return End::Upstream,
                Some(Err(refusal)) => Err(refusal),
                Some(Ok(event)) => self.event(event).await,
            };
            match passed {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return End::Answered,
                Err(refusal) => return End::Failed(refusal),
            }
        }
    }

    /// An issuer that is asked about tokens may take one back while it is in use.
    fn ask_later(&mut self) {
        let snapshot = self.open.gateway.snapshot();
        let every = snapshot.authenticator.asks_every(&self.open.caller.identity);
        self.asked_at = every.map(|every| Instant::now() + every);
    }

    /// Every open stream has to be let in and permitted by a new snapshot too.
    async fn no_longer_permitted(&self) -> Option<Refusal> {
        let snapshot = self.open.gateway.snapshot();
        let caller = &self.open.caller;
        let name = caller.connection.name();
        let revocations = &self.open.gateway.revocations;
        let again = caller.pass.check(&snapshot, revocations, name, &caller.identity);
        if let Err(refusal) = again.await {
            return Some(refusal);
        }
        let verdict = decide(&snapshot, caller, &self.open.item);
        (!verdict.is_allow()).then(|| {
            Refusal::new(Reason::PolicyForbidden, "a new policy does not permit the stream")
        })
    }

    /// A legacy call goes on without its client for a while; everything else ends.
    fn client_left(&mut self) -> ControlFlow<End> {
        self.client = None;
        if self.open.item.call.era == Era::Modern || self.open.item.part == Part::Listen {
            return ControlFlow::Break(End::Cancelled);
        }
        let wait = Duration::from_millis(self.open.caller.connection.limits.orphan_max_ms.into());
        self.deadline = self.deadline.min(Instant::now() + wait);
        ControlFlow::Continue(())
    }

    /// One event: breaks with the answer to the request.
    async fn event(&mut self, event: sse::Event) -> Result<ControlFlow<()>, Refusal> {
        let Some(data) = event.message() else {
            // Comments and priming events pass; data of another type is nothing that MCP has.
            self.let_go().await?;
            if event.data().is_none_or(<[u8]>::is_empty) {
                self.note_id(&event);
                let quiet = mask::is_quiet(&self.open, &event);
                let silent = || {
                    Bytes::from(match &event.id {
                        Some(id) => sse::encode(b"", Some(id)),
                        None => sse::comment(""),
                    })
                };
                self.give(if quiet { event.raw.into() } else { silent() }).await;
            }
            return Ok(ControlFlow::Continue(()));
        };
        let data = Bytes::copy_from_slice(data);
        let limits = self.open.caller.connection.json;
        let body = message::parse_server(&data, limits)?;
        match body {
            Body::One(message) => self.message(&event, &message, &data, true).await,
            Body::Batch(messages) if self.open.item.revision == Revision::V2025_03_26 => {
                for message in &messages {
                    let raw = data.slice_ref(message.raw().as_bytes());
                    if self.message(&event, message, &raw, false).await?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
                Ok(ControlFlow::Continue(()))
            }
            Body::Batch(_) => Err(invalid("a batch outside revision 2025-03-26")),
        }
    }

    /// One message: `alone` says that the event's own bytes carry nothing else.
    async fn message(
        &mut self,
        event: &sse::Event,
        message: &Message<'_>,
        data: &Bytes,
        alone: bool,
    ) -> Result<ControlFlow<()>, Refusal> {
        let bytes = match message {
            Message::Response(response) => {
                self.let_go().await?;
                return self.response(event, response.id.as_ref(), data, alone).await;
            }
            Message::Request(request) => {
                self.let_go().await?;
                if !self.may_ask(request).await? {
                    return Ok(ControlFlow::Continue(()));
                }
                data
            }
            Message::Notification(notification) => {
                if crate::pin::tells_of_change(&notification.method) {
                    self.open.caller.connection.stale.mark();
                }
                if let Some(short) = Pieces::may_wait(&self.open, data).filter(|_| alone) {
                    let pieces = self.pieces.push(&self.open, event.clone(), data, short).await?;
                    self.pass(pieces).await?;
                    return Ok(ControlFlow::Continue(()));
                }
                self.let_go().await?;
                data
            }
        };
        let (shown, masked) = mask::mask(&self.open, bytes.clone()).await?;
        let unchanged = alone && shown == *bytes;
        self.show(event, &shown, masked, unchanged).await?;
        Ok(ControlFlow::Continue(()))
    }

    /// Lets every notification go that waits.
    async fn let_go(&mut self) -> Result<(), Refusal> {
        let pieces = self.pieces.take(&self.open, true)?;
        self.pass(pieces).await
    }

    async fn pass(&mut self, pieces: Vec<Piece>) -> Result<(), Refusal> {
        for Piece { event, shown, masked } in pieces {
            let unchanged = event.message().is_some_and(|message| *message == *shown);
            self.show(&event, &shown, masked, unchanged).await?;
        }
        Ok(())
    }

    /// Records a message and hands it on.
    async fn show(
        &mut self,
        event: &sse::Event,
        shown: &Bytes,
        masked: Counts,
        unchanged: bool,
    ) -> Result<(), Refusal> {
        let as_it_came = unchanged && mask::is_quiet(&self.open, event);
        self.open.note_masked(masked);
        self.open.message(shown).await?;
        self.note_id(event);
        self.give(framed(event, shown, as_it_came)).await;
        Ok(())
    }

    /// A request of the server: noted, so that its answer finds its way, or declined.
    async fn may_ask(&self, request: &message::Request<'_>) -> Result<bool, Refusal> {
        let session = self.open.session();
        let permitted = match (self.open.item.call.era, session) {
            (Era::Modern, _) => Err(Refusal::new(
                Reason::ServerRequestDenied,
                "a request on the wire, which this era does not have",
            )),
            (Era::Legacy, None) => Err(Refusal::new(
                Reason::ServerRequestDenied,
                "a request outside a session, where no answer can be told apart",
            )),
            (Era::Legacy, Some(session)) => {
                permit_request(&self.open, &request.method).and_then(|()| {
                    if session.ask(&request.id) {
                        Ok(())
                    } else {
                        Err(invalid("a request whose id is open, or one too many"))
                    }
                })
            }
        };
        if let Err(refusal) = permitted {
            decline::decline(&self.open, request, &refusal).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// A response: the answer to this request, or, on a resumed stream, to an earlier one.
    async fn response(
        &mut self,
        event: &sse::Event,
        id: Option<&lockgate_model::RequestId>,
        data: &Bytes,
        alone: bool,
    ) -> Result<ControlFlow<()>, Refusal> {
        let own = self.open.awaited();
        let session = self.open.session().cloned();
        let (awaited, resumed) = match (own, id, &session) {
            (Some(own), Some(id), _) if own.id == *id => (own, false),
            (None, Some(id), Some(session)) => match session.awaited(id) {
                Some(awaited) => (awaited, true),
                None => return Err(invalid("an answer to a request that nobody made")),
            },
            _ => return Err(invalid("an answer to a request that nobody made")),
        };
        let inspected = inspect(&self.open, &awaited, &self.headers, data.clone()).await?;
        let unchanged = inspected.body == *data;
        self.open.note_masked(inspected.masked);
        if resumed {
            self.open.message(&inspected.body).await?;
            session.iter().for_each(|session| session.end_call(&awaited.id));
        } else {
            self.open.close(inspected.status, inspected.body.clone()).await?;
        }
        self.note_id(event);
        let as_it_came = alone && unchanged && mask::is_quiet(&self.open, event);
        self.give(framed(event, &inspected.body, as_it_came)).await;
        Ok(if resumed { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    fn note_id(&mut self, event: &sse::Event) {
        if let (Some(id), Some(session)) = (&event.id, self.open.session()) {
            session.note_event(id);
            self.resumable = true;
        }
    }

    /// Hands bytes to the client, at the client's pace.
    async fn give(&mut self, bytes: Bytes) {
        if let Some(client) = &self.client
            && tokio::time::timeout_at(self.deadline, client.send(bytes)).await.is_err()
        {
            // The client reads nothing; what follows the deadline is decided by the loop.
            self.client = None;
        }
    }

    /// Whether the stream has no answer of its own accord: notifications until someone ends it.
    fn is_open_ended(&self) -> bool {
        self.open.item.part == Part::Listen || self.is_subscription()
    }

    fn is_subscription(&self) -> bool {
        self.open.item.call.method == "subscriptions/listen"
    }

    async fn finish(mut self, end: End) {
        let cancelled = matches!(end, End::Cancelled);
        if !cancelled && let Err(refusal) = self.let_go().await {
            return self.last_words(OutcomeStatus::Failed, &refusal).await;
        }
        match end {
            End::Answered => {
                self.client = None;
                let to_its_end = async { while let Some(Ok(_)) = self.events.next().await {} };
                // Only so that the connection can be used again.
                drop(timeout(LINGER, to_its_end).await);
            }
            // Its record is written when the call is dropped.
            End::Cancelled => {}
            End::Upstream if self.open.item.part == Part::Listen => {
                // The stream is the client's to open again; a missing record is told by the journal.
                drop(self.open.close(OutcomeStatus::Accepted, Bytes::new()).await);
            }
            End::Upstream if self.resumable && self.open.item.revision >= Revision::V2025_11_25 => {
                self.open.leave_resumable();
            }
            End::Upstream => {
                let refusal = Refusal::new(Reason::UpstreamEnded, "the stream ended early");
                self.last_words(OutcomeStatus::Failed, &refusal).await;
            }
            End::Failed(refusal) => self.last_words(OutcomeStatus::Failed, &refusal).await,
            End::Cut(refusal) => self.last_words(OutcomeStatus::Cut, &refusal).await,
        }
    }

    /// Ends the stream with a message for the request, where it has one.
    async fn last_words(&mut self, status: OutcomeStatus, refusal: &Refusal) {
        self.open.end(status, refusal);
        let Some(id) = self.open.awaited().map(|awaited| awaited.id) else { return };
        let words = if self.is_subscription() && status == OutcomeStatus::Cut {
            answer::listen_complete(&id)
        } else {
            respond::error_body(Some(&id), refusal.reason)
        };
        self.deadline = Instant::now() + LINGER;
        self.give(sse::encode(&words, None).into()).await;
    }
}

/// At this time, or never.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The event as it came, or one of our own with the same id around other data.
fn framed(event: &sse::Event, data: &[u8], as_it_came: bool) -> Bytes {
    if as_it_came {
        return Bytes::copy_from_slice(&event.raw);
    }
    sse::encode(data, event.id.as_deref()).into()
}
