//! The right to send, once. An [`Entry`] is proof that an intent is on disk; a [`Clearance`] is
//! made from an entry whose verdict allows, and `Upstream::send` takes it by value. There is no
//! other way to make either, so nothing reaches an upstream unrecorded or undecided.

use std::sync::Arc;

use lockgate_model::{Deny, Event, IntentEvent, Reason, Refusal, Timestamp, Verdict};
use lockgate_store::journal::Journal;

/// An intent that is durable in the journal.
#[derive(Debug)]
pub struct Entry {
    call: Arc<str>,
    verdict: Verdict,
}

/// The right to send one call to its upstream. Not `Clone`: used up by sending.
#[derive(Debug)]
pub struct Clearance {
    call: Arc<str>,
}

impl Entry {
    /// Records `intent` and waits until it is on disk.
    ///
    /// # Errors
    /// [`Reason::JournalUnavailable`] where the journal can't make it durable.
    pub async fn record(
        journal: &Journal,
        now: Timestamp,
        intent: IntentEvent,
    ) -> Result<Self, Refusal> {
        let call: Arc<str> = intent.call.as_str().into();
        let verdict = intent.verdict.clone();
        let position = journal
            .append(now, &Event::Intent(Box::new(intent)))
            .map_err(|fault| Refusal::new(Reason::JournalUnavailable, fault.to_string()))?;
        journal
            .synced(position)
            .await
            .map_err(|fault| Refusal::new(Reason::JournalUnavailable, fault.to_string()))?;
        Ok(Self { call, verdict })
    }

    /// The call's id, as in the record.
    pub fn call(&self) -> &Arc<str> {
        &self.call
    }

    /// Clears the call for sending.
    ///
    /// # Errors
    /// The verdict's own reason where it doesn't allow.
    pub fn clear(self) -> Result<Clearance, Refusal> {
        match self.verdict {
            Verdict::Allow { .. } => Ok(Clearance { call: self.call }),
            Verdict::Ask(_) => {
                Err(Refusal::new(Reason::ApprovalUnavailable, "the call is held for approval"))
            }
            Verdict::Deny(Deny { reason, .. }) => {
                Err(Refusal::new(reason, "the verdict is a denial"))
            }
        }
    }
}

impl Clearance {
    /// The call's id, as in the record.
    pub fn call(&self) -> &Arc<str> {
        &self.call
    }
}
