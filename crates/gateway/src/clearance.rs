//! The right to send, once; a second time only after a 401. An [`Entry`] is proof that an intent is
//! on disk; a [`Clearance`] is made from an entry whose verdict allows, and `Upstream::send` takes it
//! by value. There is no other way to make either, so nothing reaches an upstream unrecorded or undecided.

use std::sync::Arc;

use lockgate_model::{
    Act, ApprovalEvent, Deny, Event, IntentEvent, Reason, Refusal, Timestamp, Verdict,
};
use lockgate_store::{
    approvals::{ApprovalFault, Approvals},
    journal::{Journal, JournalFault},
};

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
    /// It was used once, and given back.
    returned: bool,
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

    /// Clears a call that was held, by the grant that was used for it.
    ///
    /// # Errors
    /// [`Reason::Internal`] where the grant was used for another call, or this one was not held.
    pub fn lift(self, grant: Grant) -> Result<Clearance, Refusal> {
        match self.verdict {
            Verdict::Ask(_) if grant.call == self.call => {
                Ok(Clearance { call: self.call, returned: false })
            }
            _ => Err(Refusal::new(Reason::Internal, "a grant for another call")),
        }
    }

    /// Clears the call for sending.
    ///
    /// # Errors
    /// The verdict's own reason where it doesn't allow.
    pub fn clear(self) -> Result<Clearance, Refusal> {
        match self.verdict {
            Verdict::Allow { .. } => Ok(Clearance { call: self.call, returned: false }),
            Verdict::Ask(_) => {
                Err(Refusal::new(Reason::ApprovalPending, "the call is held for approval"))
            }
            Verdict::Deny(Deny { reason, .. }) => {
                Err(Refusal::new(reason, "the verdict is a denial"))
            }
        }
    }
}

/// What lets one call that was held pass, on record and durable: a grant that was consumed for it
/// ([`Grant::spend`]), or access that is in force ([`Grant::standing`]).
#[derive(Debug)]
pub struct Grant {
    call: Arc<str>,
}

/// Why a grant was not used.
#[derive(Debug)]
pub enum SpendFault {
    /// It could not be taken.
    Approval(ApprovalFault),
    /// It was taken, and that could not be recorded.
    Journal(Refusal),
}

impl Grant {
    /// Uses the grant that `event` names for the call that `event` names.
    ///
    /// # Errors
    /// [`SpendFault`]; after the second kind the grant is used up for nothing.
    pub async fn spend(
        approvals: &Approvals,
        journal: &Journal,
        event: ApprovalEvent,
        now: Timestamp,
    ) -> Result<Self, SpendFault> {
        let act = Act::Spend { call: event.call.clone() };
        approvals.act(&event.approval, &act, now).await.map_err(SpendFault::Approval)?;
        Self::record(journal, event, now).await.map_err(SpendFault::Journal)
    }

    /// Lets the call that `event` names go by the access that it names, which must be in force.
    ///
    /// # Errors
    /// [`Reason::ApprovalVoid`] where it is not in force any more, and what
    /// [`Entry::record`] gives where that can't be recorded.
    pub async fn standing(
        approvals: &Approvals,
        journal: &Journal,
        event: ApprovalEvent,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let access = approvals.get(&event.approval, now).await;
        let access =
            access.map_err(|fault| Refusal::new(Reason::ApprovalUnavailable, fault.to_string()))?;
        if !access.is_in_force() {
            return Err(Refusal::new(Reason::ApprovalVoid, "the access has ended"));
        }
        Self::record(journal, event, now).await
    }

    async fn record(
        journal: &Journal,
        event: ApprovalEvent,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let call: Arc<str> = event.call.as_str().into();
        let unavailable =
            |fault: JournalFault| Refusal::new(Reason::JournalUnavailable, fault.to_string());
        let position = journal.append(now, &Event::Approval(Box::new(event)));
        journal.synced(position.map_err(unavailable)?).await.map_err(unavailable)?;
        Ok(Self { call })
    }
}

impl Clearance {
    /// The call's id, as in the record.
    pub fn call(&self) -> &Arc<str> {
        &self.call
    }

    /// The right back, for who was told by a 401 that nothing was done with what was sent; `None` where
    /// it was given back before, so that no call is sent a third time.
    pub(crate) fn give_back(self) -> Option<Self> {
        (!self.returned).then_some(Self { returned: true, ..self })
    }
}
