//! Records what was decided: durable before anything is forwarded, at least written for what is
//! refused. No record, no call.

use std::sync::Arc;

use lockgate_mcp::trace::TraceParent;
use lockgate_model::{Action, Ask, Deny, Digest, Event, IntentEvent, Reason, Refusal, Verdict};
use lockgate_store::journal::JournalFault;
use serde_json::Value;

use super::{
    guard,
    judge::Judged,
    parse::{Item, Part},
    resolve::Caller,
    respond::{Grounds, Stop},
};
use crate::{clearance::Entry, clock, gateway::Gateway, hash::sha256, record, recording};

/// A recorded call.
pub struct Recorded {
    /// Who asks, and where.
    pub caller: Arc<Caller>,
    /// What is asked.
    pub item: Item,
    /// The proof of the record, with the verdict.
    pub entry: Entry,
    /// Where its outcome goes.
    pub gateway: Arc<Gateway>,
    /// What it needs before it may be sent.
    pub held: Option<Held>,
}

/// A call that needs approval.
pub struct Held {
    /// Whose.
    pub ask: Ask,
    /// The accepted definition that it was judged on.
    pub definition: Option<Digest>,
}

/// Records the verdict.
///
/// # Errors
/// [`Reason::JournalUnavailable`], or the verdict's own reason where it does not allow.
pub async fn record(gateway: &Arc<Gateway>, mut judged: Judged) -> Result<Recorded, Stop> {
    join(gateway, &judged.caller, &mut judged.item)?;
    let event = event(&judged);
    if judged.verdict.is_allow() || can_wait(&judged) {
        // Before it is sent, so that nothing that follows from its answer is judged without it.
        let Judged { caller, item, .. } = &judged;
        let connection = caller.connection.name();
        gateway.history.note(&caller.identity, connection, &item.call.action, clock::now());
        let entry = Entry::record(&gateway.ground.journal, clock::now(), event).await;
        let Judged { caller, item, verdict, definition, .. } = judged;
        let entry = entry.map_err(|refusal| Stop::from(refusal).of(&item))?;
        let held = match verdict {
            Verdict::Ask(ask) => Some(Held { ask, definition }),
            Verdict::Allow { .. } | Verdict::Deny(_) => None,
        };
        return Ok(Recorded { caller, item, entry, gateway: Arc::clone(gateway), held });
    }
    gateway
        .ground
        .journal
        .append(clock::now(), &Event::Intent(Box::new(event)))
        .map_err(unavailable)?;
    Err(Stop::verdict(&judged))
}

/// Whether a person can be asked about it: a request that its caller may know of, and that does
/// something once.
fn can_wait(judged: &Judged) -> bool {
    let asks = matches!(judged.verdict, Verdict::Ask(_));
    let once = matches!(
        judged.item.call.action,
        Action::CallTool(_) | Action::ReadResource(_) | Action::GetPrompt(_)
    );
    asks && once && judged.visible && judged.item.part == Part::Request
}

/// Finds the recorded session of a call, and puts a new one on the record.
fn join(gateway: &Gateway, caller: &Caller, item: &mut Item) -> Result<(), Refusal> {
    let now = clock::now();
    let (recordings, connection) = (&gateway.recordings, caller.connection.name());
    let (recording, new) = match &item.session {
        Some(session) => (Arc::clone(&session.recording), false),
        None if item.call.method == "initialize" => {
            (recordings.begin(&caller.identity, connection, now)?, true)
        }
        None => recordings.current(&caller.identity, connection, now)?,
    };
    if new {
        let opened = recording::opened(&recording, item.call.era);
        if let Err(fault) = gateway.ground.journal.append(now, &opened) {
            recordings.close(&recording);
            return Err(unavailable(fault));
        }
    }
    item.recording = Some(recording);
    Ok(())
}

fn event(judged: &Judged) -> IntentEvent {
    let Judged { caller, item, verdict, definition, snapshot, .. } = judged;
    let request = &caller.request;
    IntentEvent {
        call: item.nth.map_or_else(|| request.to_string(), |nth| format!("{request}-{nth}")),
        id: item.call.id.clone(),
        action: item.call.action.kind().to_owned(),
        target: record::inert(item.recorded_target.as_deref().unwrap_or(item.call.action.target())),
        arguments: item.recorded.as_ref().unwrap_or(&item.call.arguments).clone(),
        arguments_digest: item.call.arguments_digest,
        body_digest: sha256(&item.body),
        definition: *definition,
        restored: item.restored.clone(),
        facts: item.facts.labels().iter().map(|fact| record::inert(fact)).collect(),
        verdict: verdict.clone(),
        snapshot: snapshot.version,
        ..about(caller, item, &item.call.method, String::new())
    }
}

/// An intent about a message that goes with `item`, without a target and denied.
pub fn about(caller: &Caller, item: &Item, method: &str, call: String) -> IntentEvent {
    let identity = &caller.identity;
    let trace = item.traceparent.as_deref().and_then(TraceParent::parse);
    // Without a trace of the caller's own, the request's id begins one.
    let trace =
        trace.map_or_else(|| caller.request.to_string(), |parent| format!("{:032x}", parent.trace));
    let none = Digest::from_bytes([0; 32]);
    IntentEvent {
        call,
        trace,
        peer: caller.peer.to_string(),
        issuer: identity.issuer.clone(),
        subject: record::inert(&identity.subject),
        client: identity.client.as_deref().map(record::inert),
        groups: identity.groups.iter().map(|group| record::inert(&group.to_string())).collect(),
        token: identity.token.id,
        token_issued_at: identity.token.issued_at,
        connection: caller.connection.name().to_string(),
        session: item.recording.as_ref().map(|recording| recording.id().to_owned()),
        mcp_session: item.session.as_ref().map(|session| sha256(session.key.as_str().as_bytes())),
        era: item.call.era,
        id: None,
        method: method.to_owned(),
        action: Action::Protocol.kind().to_owned(),
        target: String::new(),
        arguments: Value::Null,
        arguments_digest: none,
        body_digest: none,
        definition: None,
        facts: Vec::new(),
        restored: Vec::new(),
        verdict: Verdict::Deny(Deny { reason: Reason::Internal, policies: Vec::new() }),
        snapshot: caller.snapshot.version,
    }
}

/// What a failure of the journal means for a call.
pub fn unavailable(fault: JournalFault) -> Refusal {
    Refusal::new(Reason::JournalUnavailable, fault.to_string())
}

impl Stop {
    /// The refusal that a verdict stands for.
    fn verdict(judged: &Judged) -> Self {
        let (reason, detail) = match &judged.verdict {
            Verdict::Allow { .. } => (Reason::Internal, "an allowed call was refused"),
            Verdict::Ask(_) => (Reason::ApprovalUnavailable, "nobody can be asked about it"),
            Verdict::Deny(Deny { reason, .. }) => (*reason, "the call is not permitted"),
        };
        // Where no definition was accepted yet, every name gets the same answer.
        let tells = judged.visible || reason == Reason::CatalogueMissing;
        let reason = if tells { reason } else { Reason::TargetUnknown };
        let mut stop = Self::from(Refusal::new(reason, detail)).of(&judged.item);
        stop.grounds = Box::new(Grounds {
            policies: judged.verdict.policies().to_vec(),
            found: guard::sentences(&judged.item.facts),
            said: judged.said.clone(),
        });
        stop.told(&judged.caller).recorded()
    }
}
