//! How a call ends, recorded before the client sees it. A call that was sent is an [`OpenCall`]
//! until its end is recorded; one that is dropped is recorded as cancelled.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use lockgate_model::{Digest, Event, MessageEvent, OutcomeEvent, OutcomeStatus, Reason, Refusal};
use lockgate_store::journal::Position;
use serde_json::value::RawValue;

use super::{
    intent::unavailable,
    mask::Counts,
    parse::{Item, Part},
    resolve::Caller,
    respond::Stop,
};
use crate::{
    clock,
    gateway::Gateway,
    hash::sha256,
    revocations::Asking,
    session::{Awaited, Session},
    settings::Durability,
};

/// How a body stands in its event: in it, or apart from it under its digest.
struct Recorded {
    digest: Digest,
    inline: Option<Box<RawValue>>,
}

/// A recorded call whose end is not recorded yet.
pub struct OpenCall {
    /// Who asks, and where.
    pub caller: Arc<Caller>,
    /// What is asked.
    pub item: Item,
    /// Where its end goes.
    pub gateway: Arc<Gateway>,
    call: Arc<str>,
    closed: bool,
    /// What was masked so far in its messages.
    masked: Mutex<Counts>,
}

impl OpenCall {
    /// Opens a recorded call.
    ///
    /// # Errors
    /// [`Reason::RpcInvalid`] where its session has a request with the same id open (J11).
    pub fn begin(
        gateway: Arc<Gateway>,
        caller: Arc<Caller>,
        item: Item,
        call: Arc<str>,
    ) -> Result<Self, Stop> {
        let mut open =
            Self { caller, item, gateway, call, closed: false, masked: Mutex::default() };
        if let (Some(session), Some(awaited)) = (&open.item.session, open.awaited())
            && let Err(refusal) = session.begin_call(awaited)
        {
            // The id belongs to the other call, which is still open.
            open.item.session = None;
            return Err(open.refuse(refusal));
        }
        Ok(open)
    }

    /// What the answer to this request must be.
    pub fn awaited(&self) -> Option<Awaited> {
        let id = self.item.call.id.clone().filter(|_| self.item.part == Part::Request)?;
        let method = self.item.call.method.clone();
        Some(Awaited { id, method, era: self.item.call.era })
    }

    /// Who asks for it, as revocations are asked.
    pub fn asking(&self) -> Asking<'_> {
        self.caller.asking(&self.item)
    }

    /// Done as soon as its caller is out, with why.
    pub async fn revoked(&self) -> Refusal {
        self.gateway.revocations.ends(self.asking()).await
    }

    /// The legacy session that it belongs to.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.item.session.as_ref()
    }

    /// Notes what was masked in something that the client is about to see.
    pub fn note_masked(&self, counts: Counts) {
        let mut masked = self.masked.lock().unwrap_or_else(PoisonError::into_inner);
        for (class, count) in counts {
            let sum = masked.entry(class).or_default();
            *sum = sum.saturating_add(count);
        }
    }

    /// Records one message of a stream, as the client is about to see it.
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`]; the message must not be sent then.
    pub async fn message(&self, body: &Bytes) -> Result<(), Refusal> {
        let Recorded { digest, inline } = self.recorded(body)?;
        let event = MessageEvent {
            call: self.call.to_string(),
            session: self.recording(),
            bytes: body.len() as u64,
            body_digest: digest,
            body: inline,
        };
        self.write(&Event::Message(Box::new(event)), digest, body.clone()).await
    }

    /// Records a good end, with the answer that the client is about to see.
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`]; the answer must not be sent then.
    pub async fn close(&mut self, status: OutcomeStatus, body: Bytes) -> Result<(), Refusal> {
        let recorded = (!body.is_empty()).then(|| self.recorded(&body)).transpose()?;
        let digest = recorded.as_ref().map(|recorded| recorded.digest);
        let event = self.event(status, None, body.len(), recorded);
        self.closed = true;
        self.release();
        match digest {
            Some(digest) => self.write(&event, digest, body).await,
            None => self.settled(self.append(&event)?).await,
        }
    }

    /// Records that the gateway refused or cut it, and gives what the client is told.
    pub fn refuse(mut self, refusal: Refusal) -> Stop {
        self.end(OutcomeStatus::Refused, &refusal);
        Stop::from(refusal).of(&self.item).told(&self.caller).recorded()
    }

    /// Records that the gateway ended it on its way, and gives what the client is told.
    pub fn cut(mut self, refusal: Refusal) -> Stop {
        self.end(OutcomeStatus::Cut, &refusal);
        Stop::from(refusal).of(&self.item).recorded()
    }

    /// Records that the upstream failed, and gives what the client is told.
    pub fn fail(mut self, refusal: Refusal) -> Stop {
        self.end(OutcomeStatus::Failed, &refusal);
        Stop::from(refusal).of(&self.item).told(&self.caller).recorded()
    }

    /// Records a bad end.
    pub fn end(&mut self, status: OutcomeStatus, refusal: &Refusal) {
        self.closed = true;
        self.release();
        self.gateway.metrics.refused(self.caller.connection.name(), refusal.reason);
        tracing::info!(
            call = &*self.call,
            connection = self.caller.connection.name().as_str(),
            reason = refusal.reason.code(),
            detail = &*refusal.detail,
            "call failed"
        );
        self.write_bad_end(status, Some(refusal.reason));
    }

    /// Records that the stream ended without the answer, which the client may still fetch: the
    /// request stays open in its session.
    pub fn leave_resumable(&mut self) {
        self.closed = true;
        self.write_bad_end(OutcomeStatus::Failed, Some(Reason::UpstreamEnded));
    }

    fn write_bad_end(&self, status: OutcomeStatus, reason: Option<Reason>) {
        let event = self.event(status, reason, 0, None);
        // What follows is an error or nothing, so that a missing record gives nothing away.
        if let Err(fault) = self.gateway.ground.journal.append(clock::now(), &event) {
            tracing::error!(%fault, "the end of a call is not recorded");
        }
    }

    fn event(
        &self,
        status: OutcomeStatus,
        reason: Option<Reason>,
        bytes: usize,
        body: Option<Recorded>,
    ) -> Event {
        let elapsed = self.caller.began.elapsed().as_micros();
        Event::Outcome(Box::new(OutcomeEvent {
            call: self.call.to_string(),
            session: self.recording(),
            status,
            reason,
            elapsed_us: u64::try_from(elapsed).unwrap_or(u64::MAX),
            bytes: bytes as u64,
            body_digest: body.as_ref().map(|body| body.digest),
            masked: self.masked.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            body: body.and_then(|body| body.inline),
        }))
    }

    /// How a body stands in its event.
    fn recorded(&self, body: &[u8]) -> Result<Recorded, Refusal> {
        let apart = self.gateway.ground.journal.keeps_apart(body.len());
        let inline = if apart { None } else { Some(raw(body)?) };
        Ok(Recorded { digest: sha256(body), inline })
    }

    /// The recorded session that it belongs to.
    pub fn recording(&self) -> Option<String> {
        self.item.recording.as_ref().map(|recording| recording.id().to_owned())
    }

    /// Writes an event with a body. A disk that can't keep up slows the call down here.
    async fn write(&self, event: &Event, digest: Digest, body: Bytes) -> Result<(), Refusal> {
        let journal = &self.gateway.ground.journal;
        journal.room().await;
        let position = if journal.keeps_apart(body.len()) {
            let written = journal.append_with_body(clock::now(), event, digest, body);
            written.map_err(unavailable)?
        } else {
            self.append(event)?
        };
        self.settled(position).await
    }

    /// Waits for the disk where the connection wants that.
    async fn settled(&self, position: Position) -> Result<(), Refusal> {
        if self.caller.connection.settings.durability == Durability::Strict {
            self.gateway.ground.journal.synced(position).await.map_err(unavailable)?;
        }
        Ok(())
    }

    fn append(&self, event: &Event) -> Result<Position, Refusal> {
        self.gateway.ground.journal.append(clock::now(), event).map_err(unavailable)
    }

    fn release(&self) {
        if let (Some(session), Some(id), Part::Request) =
            (&self.item.session, &self.item.call.id, self.item.part)
        {
            session.end_call(id);
        }
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.closed {
            self.release();
            self.write_bad_end(OutcomeStatus::Cancelled, None);
        }
    }
}

fn raw(body: &[u8]) -> Result<Box<RawValue>, Refusal> {
    serde_json::from_slice(body)
        .map_err(|_| Refusal::new(Reason::UpstreamInvalid, "an answer that can't be recorded"))
}
