//! From a durable record to the right to send, once. A call that policies hold needs a grant: one
//! that was given for exactly this call is used at once, else people are asked, and the call waits.

use std::sync::Arc;

use lockgate_mcp::json::digest;
use lockgate_model::{
    Approval, ApprovalEvent, ApprovalStep, Digest, Event, Group, Reason, Refusal, State, Subject,
    Terms,
};
use lockgate_store::approvals::{ApprovalFault, Approvals};
use serde_json::json;

use super::{
    access::{ByAccess, by_access},
    intent::{Held, Recorded, unavailable},
    judge::{self, Basis, judge_again},
    outcome::OpenCall,
    respond::Stop,
};
use crate::{
    clearance::{Clearance, Entry, Grant, SpendFault},
    clock,
    session::Owner,
};

/// Who says in the record that a call asks, or uses a grant.
const GATEWAY: &str = "gateway";

/// How far a recorded call has come.
pub enum Cleared {
    /// It may be sent.
    Now(Box<Right>),
    /// It waits for people.
    Waits(Box<Waiting>),
}

/// A call that may be sent.
pub struct Right {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// The right to send it.
    pub clearance: Clearance,
}

/// A call that waits for people.
pub struct Waiting {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// Its record.
    entry: Entry,
    /// Where people are asked.
    pub approvals: Arc<Approvals>,
    /// The question.
    pub approval: Approval,
    terms: Terms,
}

/// Clears the call, or finds whom to ask.
///
/// # Errors
/// The verdict's own reason where it doesn't allow; `limit.sessions` where it would open a session
/// too many; a reason of approval where its question was answered with no, or can't be asked.
pub async fn clear(recorded: Recorded) -> Result<Cleared, Stop> {
    let Recorded { caller, item, entry, gateway, held } = recorded;
    if let Some(held) = held {
        let open = OpenCall::begin(gateway, caller, item, Arc::clone(entry.call()))?;
        return Box::pin(ask(open, entry, held)).await;
    }
    let clearance = entry.clear().map_err(|refusal| Stop::from(refusal).of(&item))?;
    let open = OpenCall::begin(gateway, caller, item, Arc::clone(clearance.call()))?;
    if open.item.call.method == "initialize" {
        let owner = Owner::new(&open.caller.identity, open.caller.connection.name());
        let limits = open.caller.snapshot.limits();
        if let Err(refusal) = open.gateway.sessions.admit(&owner, limits) {
            return Err(open.refuse(refusal));
        }
    }
    Ok(Cleared::Now(Box::new(Right { open, clearance })))
}

async fn ask(open: OpenCall, entry: Entry, held: Held) -> Result<Cleared, Stop> {
    let Some(approvals) = open.gateway.approvals().cloned() else {
        let refusal = Refusal::new(Reason::ApprovalUnavailable, "the approvals can't be opened");
        return Err(open.refuse(refusal));
    };
    let (open, entry) = match by_access(open, entry, &approvals, &held.ask).await? {
        ByAccess::Goes(right) => return Ok(Cleared::Now(right)),
        ByAccess::None(open, entry) => (*open, entry),
    };
    let settings = &open.caller.snapshot.blueprint.settings.approvals;
    let (answer_ms, grant_ms) = (settings.answer_max_ms.into(), settings.grant_max_ms.into());
    let terms = Terms::of(&held.ask, answer_ms, grant_ms, clock::now());
    let subject = subject(&open, held);
    let asked = question(&open, &approvals, &subject, &terms, entry.call()).await;
    match asked {
        Ok(approval) => Waiting { open, entry, approvals, approval, terms }.proceed().await,
        Err(refusal) => Err(open.refuse(refusal)),
    }
}

/// What is asked for: this call and no other.
fn subject(open: &OpenCall, held: Held) -> Subject {
    let (identity, call) = (&open.caller.identity, &open.item.call);
    let (target, arguments) = match &open.item.recorded_target {
        None => (call.action.target().to_owned(), call.arguments_digest),
        // With a credential in it, it stands as on the record; the digest tells it from others.
        Some(hidden) => (hidden.clone(), digest(&json!([call.arguments, call.action.target()]))),
    };
    Subject {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        client: identity.client.clone(),
        connection: open.caller.connection.name().to_string(),
        action: call.action.kind().to_owned(),
        target,
        definition: held.definition,
        arguments,
        policies: held.ask.policies,
    }
}

/// The live question about the subject; a new one is on record before anybody can answer it.
async fn question(
    open: &OpenCall,
    approvals: &Approvals,
    subject: &Subject,
    terms: &Terms,
    call: &str,
) -> Result<Approval, Refusal> {
    let settings = &open.caller.snapshot.blueprint.settings.approvals;
    let (id, now) = (format!("a{}", clock::random_id()?), clock::now());
    let asked = approvals.ask(&id, subject, terms, call, now, settings.identity_max).await;
    let asked = asked.map_err(refusal)?;
    if asked.new {
        let step = ApprovalStep::Asked {
            groups: terms.groups.clone(),
            quorum: terms.quorum,
            policies: subject.policies.clone(),
            answer_by: terms.answer_by,
        };
        let event = event(open, &asked.approval.id, call, step);
        let journal = &open.gateway.ground.journal;
        journal.append(now, &Event::Approval(Box::new(event))).map_err(unavailable)?;
    }
    Ok(asked.approval)
}

pub(super) fn event(
    open: &OpenCall,
    approval: &str,
    call: &str,
    step: ApprovalStep,
) -> ApprovalEvent {
    ApprovalEvent {
        approval: approval.to_owned(),
        call: call.to_owned(),
        session: open.item.recording.as_ref().map(|recording| recording.id().to_owned()),
        by: GATEWAY.to_owned(),
        step,
    }
}

impl Waiting {
    /// What the question's state means for the call: the right to send it, more waiting, or an end.
    ///
    /// # Errors
    /// As [`clear`].
    pub async fn proceed(mut self) -> Result<Cleared, Stop> {
        match self.approval.state.clone() {
            State::Pending => Ok(Cleared::Waits(Box::new(self))),
            State::Approved { .. } => self.spend().await,
            State::Rejected { reason, .. } => {
                let refusal = Refusal::new(Reason::ApprovalRejected, format!("rejected: {reason}"));
                Err(self.open.refuse(refusal).saying(&reason))
            }
            State::Void { .. }
            | State::Withdrawn
            | State::Expired
            | State::Emergency { .. }
            | State::Unreviewed
            | State::Reviewed => {
                let refusal = Refusal::new(Reason::ApprovalVoid, "nobody approved it in time");
                Err(self.open.refuse(refusal))
            }
            // Another call was faster: this one needs a grant of its own.
            State::Spent { .. } => {
                let Self { open, approvals, approval, terms, entry } = &self;
                let asked = question(open, approvals, &approval.subject, terms, entry.call()).await;
                match asked {
                    Ok(approval) => {
                        self.approval = approval;
                        Box::pin(self.proceed()).await
                    }
                    Err(refusal) => Err(self.open.refuse(refusal)),
                }
            }
        }
    }

    /// The question as it is now.
    ///
    /// # Errors
    /// [`Reason::ApprovalUnavailable`]
    pub async fn look(&mut self) -> Result<(), Refusal> {
        let now = clock::now();
        self.approval = self.approvals.get(&self.approval.id, now).await.map_err(refusal)?;
        Ok(())
    }

    /// Whether the call could be made if it were approved at this moment: by which policies, and in
    /// which version.
    ///
    /// # Errors
    /// Why it may not be made any more.
    pub async fn stands(&mut self) -> Result<(Vec<String>, Digest), Refusal> {
        let groups =
            self.approval.terms.groups.iter().filter_map(|name| Group::parse(name)).collect();
        let (gateway, caller) = (Arc::clone(&self.open.gateway), Arc::clone(&self.open.caller));
        let basis = Basis::Question(&self.approval.subject);
        judge_again(&gateway, &caller, &mut self.open.item, basis, groups).await
    }

    /// Uses the grant, if the call may be made with it now.
    async fn spend(mut self) -> Result<Cleared, Stop> {
        let (policies, snapshot) = match self.stands().await {
            Ok(judged) => judged,
            Err(refusal) => return Err(self.void(refusal).await),
        };
        let (gateway, caller) = (&self.open.gateway, &self.open.caller);
        let in_force = gateway.snapshot();
        if let Err(refusal) = judge::spend(gateway, &in_force, caller, &policies).await {
            // The grant is still there when there is something left.
            let said = refusal.detail.clone();
            return Err(self.open.refuse(refusal).saying(&said));
        }
        let step = ApprovalStep::Spent { policies, snapshot };
        let event = event(&self.open, &self.approval.id, self.entry.call(), step);
        let journal = &self.open.gateway.ground.journal;
        match Grant::spend(&self.approvals, journal, event, clock::now()).await {
            Ok(grant) => match self.entry.lift(grant) {
                Ok(clearance) => Ok(Cleared::Now(Box::new(Right { open: self.open, clearance }))),
                Err(refusal) => Err(self.open.refuse(refusal)),
            },
            // Somebody else used it, or its time passed just now.
            Err(SpendFault::Approval(ApprovalFault::Act(_))) => match self.look().await {
                Ok(()) => Box::pin(self.proceed()).await,
                Err(refusal) => Err(self.open.refuse(refusal)),
            },
            Err(SpendFault::Approval(fault)) => Err(self.open.refuse(refusal(fault))),
            Err(SpendFault::Journal(refusal)) => Err(self.open.refuse(refusal)),
        }
    }

    /// It is for something that is not so any more: nobody may answer it, or use it.
    pub async fn void(self, refusal: Refusal) -> Stop {
        let why = refusal.detail.to_string();
        let act = lockgate_model::Act::Void { why: why.clone() };
        if self.approvals.act(&self.approval.id, &act, clock::now()).await.is_ok() {
            let step = ApprovalStep::Void { why };
            let event = event(&self.open, &self.approval.id, self.entry.call(), step);
            let event = Event::Approval(Box::new(event));
            if let Err(fault) = self.open.gateway.ground.journal.append(clock::now(), &event) {
                tracing::error!(%fault, "a void approval is not recorded");
            }
        }
        self.open.refuse(refusal)
    }
}

pub(super) fn refusal(fault: ApprovalFault) -> Refusal {
    let reason = match fault {
        ApprovalFault::TooMany { .. } => Reason::ApprovalTooMany,
        _ => Reason::ApprovalUnavailable,
    };
    Refusal::new(reason, fault.to_string())
}
