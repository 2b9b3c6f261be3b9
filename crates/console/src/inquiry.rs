//! Questions to people: who may see and answer them, what they are about, and the answer, on record
//! before it takes effect.

use std::sync::Arc;

use http::Uri;
use lockgate_model::{
    Act, Approval, ApprovalEvent, ApprovalStep, ConnectionName, Digest, Event, Identity,
    IntentEvent, SECRET_IN_ARGUMENTS, Subject, ViewedEvent, is_hidden,
};
use lockgate_store::approvals::{ApprovalFault, ApprovalFilter, Approvals, Counts};

use crate::{
    gate::Caller,
    look::{append, detail},
    problem::{Code, Problem},
    recording::Wanted,
    settings::Role,
};

/// Text longer than this is not taken in at a glance, in bytes.
const LONG_BYTES: usize = 2_000;

/// How far behind the index a call is looked for, in pieces of the recording.
const LAG_PIECES_MAX: usize = 16;

/// What there is to know about a question.
pub(crate) struct Content {
    pub(crate) approval: Approval,
    /// The call that asked, as recorded; `None` where its record can't be read here.
    pub(crate) intent: Option<Box<IntentEvent>>,
    /// What the server says of the tool or prompt, in the accepted definition that the question is
    /// about; `None` where it says nothing, or that definition is not the accepted one any more.
    pub(crate) description: Option<String>,
    pub(crate) counts: Counts,
    /// The last call of the same target that was approved: anybody's, and this caller's.
    pub(crate) last: Option<Box<IntentEvent>>,
    pub(crate) last_own: Option<Box<IntentEvent>>,
}

/// The approvals that the caller may see, the newest first.
pub(crate) async fn list(
    caller: &Caller,
    filter: &ApprovalFilter,
) -> Result<Vec<Approval>, Problem> {
    let found = approvals(caller)?.list(filter, caller.console().now()).await?;
    Ok(found.into_iter().filter(|approval| may_see(approval, caller)).collect())
}

/// One approval with its call; that somebody looked is on record first.
pub(crate) async fn show(caller: &Caller, id: &str, uri: &Uri) -> Result<Content, Problem> {
    let approval = seen(caller, id).await?;
    let viewed = ViewedEvent {
        by: caller.by(),
        how: "approval".to_owned(),
        viewed: None,
        detail: detail(uri),
    };
    append(caller.console(), Event::Viewed(viewed)).await?;
    let counts = approvals(caller)?.counts(&approval.subject).await?;
    let last = last_approved(caller, &approval, false).await?;
    let last_own = last_approved(caller, &approval, true).await?;
    let intent = intent(caller, &approval.call).await;
    let description = description(caller, &approval.subject).await;
    Ok(Content { approval, intent, description, counts, last, last_own })
}

async fn description(caller: &Caller, subject: &Subject) -> Option<String> {
    let (digest, pins) = (subject.definition?, caller.console().edge.pins.clone());
    let connection = ConnectionName::new(&subject.connection).ok()?;
    let pins = tokio::task::spawn_blocking(move || pins.load(&connection)).await.ok()?;
    let pins = pins.inspect_err(|fault| tracing::warn!(%fault, "pins can't be read")).ok()??;
    let pin = pins.definitions.into_iter().find(|pin| pin.digest == digest)?;
    pin.definition.get("description")?.as_str().map(str::to_owned)
}

/// The newest call of the same target whose grant was used before this one was asked.
async fn last_approved(
    caller: &Caller,
    approval: &Approval,
    own: bool,
) -> Result<Option<Box<IntentEvent>>, Problem> {
    let subject = &approval.subject;
    let filter = ApprovalFilter {
        state: Some("spent".to_owned()),
        connection: Some(subject.connection.clone()),
        target: Some(subject.target.clone()),
        caller: own.then(|| subject.caller()),
        before: Some((approval.asked_at, approval.id.clone())),
        limit: 1,
    };
    let found = approvals(caller)?.list(&filter, caller.console().now()).await?;
    match found.first() {
        Some(found) => Ok(intent(caller, &found.call).await),
        None => Ok(None),
    }
}

/// Applies an answer. `read` is the digest of the arguments that whoever answers has seen.
pub(crate) async fn answer(
    caller: &Caller,
    id: &str,
    read: Option<Digest>,
    act: Act,
) -> Result<Approval, Problem> {
    let approval = seen(caller, id).await?;
    if read.is_some_and(|read| read != approval.subject.arguments) {
        return Err(Code::ApprovalOther.into());
    }
    let now = caller.console().now();
    // What would be refused is refused before anything is on record.
    approval.apply(&act, now).map_err(ApprovalFault::Act)?;
    let event = ApprovalEvent {
        approval: approval.id.clone(),
        call: approval.call.clone(),
        session: None,
        by: caller.by(),
        step: step(&act)?,
    };
    append(caller.console(), Event::Approval(Box::new(event))).await?;
    Ok(approvals(caller)?.act(&approval.id, &act, now).await?)
}

fn step(act: &Act) -> Result<ApprovalStep, Problem> {
    match act {
        Act::Approve { until, .. } => Ok(ApprovalStep::Approve { until: *until }),
        Act::Reject { reason, .. } => Ok(ApprovalStep::Reject { reason: reason.clone() }),
        Act::Withdraw { .. } => Ok(ApprovalStep::Withdraw),
        // The gateway's own, which nobody can ask for here.
        Act::Spend { .. } | Act::Void { .. } | Act::Look => Err(Code::Internal.into()),
    }
}

/// Whether this identity's answer counts.
pub(crate) fn may_answer(approval: &Approval, identity: &Identity) -> bool {
    let asked = |name: &String| identity.groups.iter().any(|group| group.to_string() == *name);
    identity.subject != approval.subject.subject && approval.terms.groups.iter().any(asked)
}

/// What is easily overlooked in a text, which stands for a call with these facts.
pub(crate) fn warnings(text: &str, facts: &[String]) -> Vec<String> {
    let mut warnings = Vec::new();
    if facts.iter().any(|fact| fact == SECRET_IN_ARGUMENTS) {
        let masked =
            "credentials in them are masked here; the call is made with those that were sent";
        warnings.push(masked.to_owned());
    }
    let hidden = text.chars().filter(|c| is_hidden(*c)).count();
    if hidden > 0 {
        warnings.push(format!(
            "characters that are invisible, or change the direction of the text: {hidden}"
        ));
    }
    let foreign = text.chars().filter(|c| !c.is_ascii() && c.is_alphabetic()).count();
    if foreign > 0 {
        warnings.push(format!("letters that are not among the basic Latin ones: {foreign}"));
    }
    if text.len() > LONG_BYTES {
        warnings.push(format!("it is {} bytes long; read it to its end", text.len()));
    }
    warnings
}

/// The approval, for whoever may know that there is one.
async fn seen(caller: &Caller, id: &str) -> Result<Approval, Problem> {
    let approval = approvals(caller)?.get(id, caller.console().now()).await?;
    if may_see(&approval, caller) { Ok(approval) } else { Err(Code::ApprovalUnknown.into()) }
}

fn may_see(approval: &Approval, caller: &Caller) -> bool {
    let identity = caller.identity();
    let asked = (&approval.subject.issuer, &approval.subject.subject);
    asked == (&identity.issuer, &identity.subject)
        || may_answer(approval, identity)
        || caller.console().admits(identity, Role::Approver)
}

/// The recorded call. What can't be read is not there: the answer says so.
async fn intent(caller: &Caller, call: &str) -> Option<Box<IntentEvent>> {
    // No call asked for access.
    if call.is_empty() {
        return None;
    }
    let (edge, recording) = (&caller.console().edge, &caller.console().recording);
    // Asked before the row, so that what comes between is read rather than missed.
    let applied = edge.index.applied(&edge.node).await.ok()?;
    let (seq, pieces) = match edge.index.call(call).await.ok()? {
        Some(row) if row.erased || row.node != edge.node => return None,
        Some(row) => (row.seq, 1),
        // Reviewers may be as quick as the index.
        None => (applied.saturating_add(1), LAG_PIECES_MAX),
    };
    let wanted = Wanted { call: Some(call.to_owned()), ..Wanted::default() };
    let mut place = recording.at(seq);
    for _ in 0..pieces {
        let (next, piece) = place.piece(wanted.clone()).await;
        let piece = piece.ok()?;
        let found = piece.records.into_iter().find_map(|shown| match shown.event {
            Some(Event::Intent(intent)) => Some(intent),
            _ => None,
        });
        if found.is_some() || piece.at_end {
            return found;
        }
        place = next;
    }
    None
}

/// Where approvals are kept.
pub(crate) fn approvals(caller: &Caller) -> Result<Arc<Approvals>, Problem> {
    (caller.console().edge.approvals)().ok_or_else(|| Code::ApprovalsUnavailable.into())
}
