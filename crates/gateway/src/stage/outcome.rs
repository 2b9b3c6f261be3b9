//! How a call ends, recorded before the client sees it. A call that was sent is an [`OpenCall`]
//! until its end is recorded; one that is dropped is recorded as cancelled.

use std::{collections::BTreeMap, sync::Arc};

use lockgate_model::{
    Event, MessageEvent, OutcomeEvent, OutcomeStatus, Reason, Refusal, Timestamp,
};
use lockgate_store::journal::Position;
use serde_json::value::RawValue;

use super::{
    intent::unavailable,
    parse::{Item, Part},
    resolve::Caller,
    respond::Stop,
};
use crate::{
    clock,
    gateway::Gateway,
    hash::sha256,
    session::{Awaited, Session},
    settings::Durability,
};

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
        let mut open = Self { caller, item, gateway, call, closed: false };
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

    /// The legacy session that it belongs to.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.item.session.as_ref()
    }

    /// Records one message of a stream, as the client is about to see it.
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`]; the message must not be sent then.
    pub async fn message(&self, body: &[u8]) -> Result<(), Refusal> {
        let event = MessageEvent {
            call: self.call.to_string(),
            session: None,
            bytes: body.len() as u64,
            body_digest: sha256(body),
            body: Some(raw(body)?),
        };
        self.write(&Event::Message(Box::new(event))).await
    }

    /// Records a good end, with the answer that the client is about to see.
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`]; the answer must not be sent then.
    pub async fn close(&mut self, status: OutcomeStatus, body: &[u8]) -> Result<(), Refusal> {
        let event = self.event(status, None, body)?;
        self.closed = true;
        self.release();
        self.write(&event).await
    }

    /// Records that the gateway refused or cut it, and gives what the client is told.
    pub fn refuse(mut self, refusal: Refusal) -> Stop {
        self.end(OutcomeStatus::Refused, &refusal);
        Stop::from(refusal).of(&self.item).recorded()
    }

    /// Records that the upstream failed, and gives what the client is told.
    pub fn fail(mut self, refusal: Refusal) -> Stop {
        self.end(OutcomeStatus::Failed, &refusal);
        Stop::from(refusal).of(&self.item).recorded()
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
        let event = self.event(status, reason, &[]);
        // What follows is an error or nothing, so that a missing record gives nothing away.
        if let Ok(event) = event
            && let Err(fault) = self.gateway.ground.journal.append(clock::now(), &event)
        {
            tracing::error!(%fault, "the end of a call is not recorded");
        }
    }

    fn event(
        &self,
        status: OutcomeStatus,
        reason: Option<Reason>,
        body: &[u8],
    ) -> Result<Event, Refusal> {
        let elapsed = self.caller.began.elapsed().as_micros();
        Ok(Event::Outcome(Box::new(OutcomeEvent {
            call: self.call.to_string(),
            session: None,
            status,
            reason,
            elapsed_us: u64::try_from(elapsed).unwrap_or(u64::MAX),
            bytes: body.len() as u64,
            body_digest: (!body.is_empty()).then(|| sha256(body)),
            masked: BTreeMap::new(),
            body: if body.is_empty() { None } else { Some(raw(body)?) },
        })))
    }

    async fn write(&self, event: &Event) -> Result<(), Refusal> {
        let position = self.append(clock::now(), event)?;
        if self.caller.connection.settings.durability == Durability::Strict {
            self.gateway.ground.journal.synced(position).await.map_err(unavailable)?;
        }
        Ok(())
    }

    fn append(&self, now: Timestamp, event: &Event) -> Result<Position, Refusal> {
        self.gateway.ground.journal.append(now, event).map_err(unavailable)
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
