//! Access for a window of time: asked for ahead, or taken in an emergency. Who may, and whom that
//! concerns, is the policies' word; it is on record before it can be answered or used.

use aws_lc_rs::rand;
use lockgate_model::{
    ACCESS, Access, Approval, ApprovalEvent, ApprovalStep, ConnectionName, Event, Subject, Terms,
    is_reason,
};
use lockgate_store::approvals::{ApprovalFault, content_digest};

use crate::{
    edge::Offer,
    gate::Caller,
    inquiry::approvals,
    look::append,
    problem::{Code, Problem},
};

/// What somebody wants.
pub(crate) struct Wanted {
    pub(crate) connection: String,
    pub(crate) tool: Option<String>,
    /// For so long from now, in milliseconds.
    pub(crate) for_ms: u64,
    pub(crate) reason: String,
    /// At once, without asking before.
    pub(crate) emergency: bool,
}

/// Asks for it, or takes it.
pub(crate) async fn request(caller: &Caller, wanted: Wanted) -> Result<Approval, Problem> {
    let (console, identity) = (caller.console(), caller.identity());
    let offer = offer(caller, &wanted)?;
    check(&wanted, &offer)?;
    let now = console.now();
    let ends = now.plus_millis(i64::try_from(wanted.for_ms).unwrap_or(i64::MAX));
    let groups = identity.groups.iter().map(ToString::to_string).collect();
    let Wanted { connection, tool, reason, emergency, .. } = wanted;
    let access = Access { reason, ends, emergency, groups };
    let subject = Subject {
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        client: None,
        connection,
        action: ACCESS.to_owned(),
        target: tool.unwrap_or_default(),
        definition: None,
        arguments: content_digest(&access),
        policies: offer.lift.policies.clone(),
    };
    let terms = Terms::of_access(&offer.lift, offer.answer_ms, ends, now);
    let approval = Approval::access(new_id('a')?, subject, terms, access, now);
    let approvals = approvals(caller)?;
    record(caller, &approval).await?;
    let Err(fault) = approvals.request(&approval, offer.live_max).await else {
        return Ok(approval);
    };
    step(caller, &approval, ApprovalStep::Void { why: fault.to_string() }).await?;
    Err(match fault {
        ApprovalFault::TooMany { .. } => Problem::new(Code::AccessInvalid, fault.to_string()),
        fault => fault.into(),
    })
}

fn offer(caller: &Caller, wanted: &Wanted) -> Result<Offer, Problem> {
    let (identity, tool) = (caller.identity(), wanted.tool.as_deref());
    let offer = ConnectionName::new(&wanted.connection).ok().and_then(|connection| {
        (caller.console().edge.offer)(identity, &connection, tool, wanted.emergency)
    });
    // The same for what does not exist and what is not theirs to ask for.
    offer.ok_or_else(|| Code::AccessUnknown.into())
}

fn check(wanted: &Wanted, offer: &Offer) -> Result<(), Problem> {
    let invalid = |why: String| Err(Problem::new(Code::AccessInvalid, why));
    if !is_reason(&wanted.reason) {
        return invalid("`reason` must be one line of 1 to 512 characters".to_owned());
    }
    let most_ms = offer.most_ms;
    if wanted.for_ms == 0 || wanted.for_ms > most_ms {
        let most = most_ms / 1000;
        return invalid(format!("`for_ms` must be from 1 to {most_ms}: at most {most} seconds"));
    }
    Ok(())
}

async fn record(caller: &Caller, approval: &Approval) -> Result<(), Problem> {
    let Some(access) = approval.access.clone() else { return Err(Code::Internal.into()) };
    if access.emergency {
        let (approval, by) = (&approval.id, caller.by());
        tracing::warn!(approval, by, reason = access.reason, "break-glass: access without asking");
    }
    let access = ApprovalStep::Access {
        connection: approval.subject.connection.clone(),
        target: approval.subject.target.clone(),
        access,
        groups: approval.terms.groups.clone(),
        quorum: approval.terms.quorum,
        policies: approval.subject.policies.clone(),
    };
    step(caller, approval, access).await
}

async fn step(caller: &Caller, approval: &Approval, step: ApprovalStep) -> Result<(), Problem> {
    let (approval, call, by) = (approval.id.clone(), String::new(), caller.by());
    let event = ApprovalEvent { approval, call, session: None, by, step };
    append(caller.console(), Event::Approval(Box::new(event))).await.map(drop)
}

/// An id: the letter of its kind and 128 random bits.
pub(crate) fn new_id(kind: char) -> Result<String, Problem> {
    let mut bits = [0; 16];
    rand::fill(&mut bits).map_err(|_| Code::Internal)?;
    Ok(format!("{kind}{:032x}", u128::from_be_bytes(bits)))
}
