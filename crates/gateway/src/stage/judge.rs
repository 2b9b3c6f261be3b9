//! May this caller do this, here and now? Pins first, because policy is compiled against what was
//! accepted; then policy. What fails is a denial with its own reason. Lists are judged by the same
//! questions, item by item.

use std::sync::Arc;

use lockgate_mcp::{call, definition::Kind};
use lockgate_model::{
    Action, Approval, Ask, Deny, Digest, Group, Reason, Refusal, Subject, Verdict,
};
use lockgate_rules::policy::Question;
use lockgate_store::pins::PinKind;
use serde_json::Value;

use super::{
    guard,
    parse::{Item, Parsed},
    resolve::Caller,
    respond::Stop,
    restore::restore,
    secrets,
};
use crate::{clock, gateway::Gateway, session::Handle, snapshot::Snapshot};

/// A decided call.
pub struct Judged {
    /// Who asks, and where.
    pub caller: Arc<Caller>,
    /// What is asked.
    pub item: Item,
    /// What was decided.
    pub verdict: Verdict,
    /// Whether the caller may know that the target exists.
    pub visible: bool,
    /// The accepted definition that it was decided on.
    pub definition: Option<Digest>,
    /// The version that decided.
    pub snapshot: Arc<Snapshot>,
    /// What its caller is told of it besides.
    pub said: Option<String>,
}

/// Decides.
///
/// # Errors
/// [`Reason::Internal`] where a new version could not be had; a denial is no error but a verdict.
pub async fn judge(gateway: &Arc<Gateway>, parsed: Parsed) -> Result<Judged, Stop> {
    let Parsed { caller, mut item } = parsed;
    let granted = granted(&caller).await;
    let (definition, pinned) = pinned(&caller, &item).await;
    if Kind::of_method(&item.call.method).is_some() {
        // A list shows what is accepted. Where the look fails, it shows what was accepted before.
        drop(caller.connection.pins.refresh().await);
    }
    let snapshot = gateway.settled(&caller).await?;
    let restored = restore(gateway, &snapshot, &caller, &mut item);
    item.facts = guard::read(&snapshot, &caller, &item);
    note_excess(gateway, &snapshot, &caller, &mut item);
    let searched = restored.and(secrets::search(gateway, &snapshot, &caller, &mut item));
    item.earlier = gateway.history.earlier(&caller.identity, clock::now());
    let mut verdict = match searched {
        Ok(()) => decide(&snapshot, &caller, &item),
        Err(refusal) => Verdict::Deny(Deny { reason: refusal.reason, policies: Vec::new() }),
    };
    let (mut refused, mut said) = (None, None);
    if verdict.is_allow() {
        refused = barred(gateway, &caller, &item, &snapshot, pinned);
        if refused.is_none()
            && let Err(refusal) = spend(gateway, &snapshot, &caller, verdict.policies()).await
        {
            (refused, said) = (Some(refusal.reason), Some(refusal.detail.into_owned()));
        }
    }
    if let Some(reason) = refused {
        let policies = verdict.policies().to_vec();
        verdict = Verdict::Deny(Deny { reason, policies });
    }
    let mut visible = false;
    if let (Verdict::Deny(deny), Err(refusal)) = (&mut verdict, granted)
        && deny.reason == Reason::CatalogueMissing
        && snapshot.policies.may_reach(&caller.identity, caller.connection.name())
    {
        // The first grant shows what there is; until then every name is told the same.
        (deny.reason, visible) = (refusal.reason, true);
    }
    visible |= verdict.is_allow() || is_visible(&snapshot, &caller, &item);
    Ok(Judged { caller, item, verdict, visible, definition, snapshot, said })
}

/// Uses the budget by which a call is permitted, where all of its permits have one: the last thing before
/// it may be made.
///
/// # Errors
/// [`Reason::BudgetSpent`], and [`Reason::BudgetUnavailable`].
pub async fn spend(
    gateway: &Gateway,
    snapshot: &Snapshot,
    caller: &Caller,
    permits: &[String],
) -> Result<(), Refusal> {
    match snapshot.policies.budgets(permits) {
        None => Ok(()),
        Some(budgets) => gateway.budgets.spend(&budgets, &caller.identity, clock::now()).await,
    }
}

/// Limits of the issuer that the token is over, where they only warn: facts of the call.
fn note_excess(gateway: &Gateway, snapshot: &Snapshot, caller: &Caller, item: &mut Item) {
    for over in snapshot.authenticator.excess(&caller.identity, clock::now()) {
        gateway.metrics.token_over(&caller.identity.issuer, over.reason);
        item.facts.token(over.reason.code(), over.detail.into_owned());
    }
}

/// Where the gateway is about to look at the server itself, and callers let it act for them there: whether
/// this one does. Then it looks with their grant.
async fn granted(caller: &Caller) -> Result<(), Refusal> {
    match caller.connection.credential.grants() {
        Some(grants) if !caller.connection.pins.is_fresh() => grants.expect(&caller.person()).await,
        Some(_) | None => Ok(()),
    }
}

/// What lets a call pass that was held.
#[derive(Clone, Copy)]
pub enum Basis<'a> {
    /// The answers to the question about exactly this call.
    Question(&'a Subject),
    /// Access for a window of time.
    Access(&'a Approval),
}

impl Basis<'_> {
    fn covers(&self, ask: &Ask, action: &Action) -> bool {
        match self {
            Self::Question(subject) => ask.policies == subject.policies,
            Self::Access(access) => access.stands_for(ask, action.kind(), action.target()),
        }
    }
}

/// Decides again about a call that was held, with the approval that it has now: by the policies, pins
/// and token of this moment.
///
/// # Errors
/// Why it may not be made any more.
pub async fn judge_again(
    gateway: &Arc<Gateway>,
    caller: &Arc<Caller>,
    item: &mut Item,
    basis: Basis<'_>,
    approvals: Vec<Group>,
) -> Result<(Vec<String>, Digest), Refusal> {
    let void = |why: &'static str| Refusal::new(Reason::ApprovalVoid, why);
    let snapshot = gateway.snapshot();
    let name = caller.connection.name();
    gateway.revocations.check(caller.asking(item))?;
    caller.pass.check(&snapshot, &gateway.revocations, name, &caller.identity).await?;
    if clock::now() >= caller.identity.token.refused_from {
        return Err(Refusal::new(Reason::TokenExpired, "the token expired while the call waited"));
    }
    let (definition, pinned) = pinned(caller, item).await;
    if matches!(basis, Basis::Question(subject) if definition != subject.definition) {
        return Err(void("the definition of what is called changed"));
    }
    // By whom it would be held now: another policy was not approved.
    item.approvals = Vec::new();
    match decide(&snapshot, caller, item) {
        Verdict::Ask(ask) if !basis.covers(&ask, &item.call.action) => {
            return Err(void("other policies hold the call now"));
        }
        _ => item.approvals = approvals,
    }
    if let Some(reason) = barred(gateway, caller, item, &snapshot, pinned) {
        return Err(Refusal::new(reason, "the call is not permitted any more"));
    }
    match decide(&snapshot, caller, item) {
        Verdict::Allow { policies } => Ok((policies, snapshot.version)),
        Verdict::Ask(_) => Err(void("the policies ask for another approval now")),
        Verdict::Deny(Deny { reason, .. }) => {
            Err(Refusal::new(reason, "the policies do not permit the call any more"))
        }
    }
}

/// The accepted definition of what is called, or why it can't be called.
async fn pinned(caller: &Caller, item: &Item) -> (Option<Digest>, Option<Refusal>) {
    let Some((kind, name)) = pin_of(&item.call.action) else { return (None, None) };
    match caller.connection.pins.check_call(kind, name).await {
        Ok(digest) => (Some(digest), None),
        Err(refusal) => (None, Some(refusal)),
    }
}

/// Asks policy about a message: what it does, and all that it wants to watch.
pub fn decide(snapshot: &Snapshot, caller: &Caller, item: &Item) -> Verdict {
    let facts = item.facts.labels();
    let about = About { facts: &facts, earlier: &item.earlier, approvals: &item.approvals };
    let verdict = question(snapshot, caller, &item.call.action, &item.call.arguments, about);
    let denied = |watch| {
        let verdict = ask(snapshot, caller, watch, &Value::Null);
        (!verdict.is_allow()).then_some(verdict)
    };
    match verdict {
        Verdict::Allow { .. } => item.watches.iter().find_map(denied).unwrap_or(verdict),
        refused => refused,
    }
}

/// Asks policy one question about one caller.
pub fn ask(snapshot: &Snapshot, caller: &Caller, action: &Action, arguments: &Value) -> Verdict {
    question(snapshot, caller, action, arguments, About::default())
}

/// What is known of a call besides its arguments.
#[derive(Default)]
struct About<'a> {
    facts: &'a [String],
    earlier: &'a [String],
    approvals: &'a [Group],
}

fn question(
    snapshot: &Snapshot,
    caller: &Caller,
    action: &Action,
    arguments: &Value,
    about: About<'_>,
) -> Verdict {
    snapshot.policies.judge(&Question {
        identity: &caller.identity,
        connection: caller.connection.name(),
        action,
        arguments,
        facts: about.facts,
        earlier: about.earlier,
        approvals: about.approvals,
        peer: caller.peer,
        now: clock::now(),
    })
}

/// What stands in the way of a call that policy permits.
fn barred(
    gateway: &Gateway,
    caller: &Caller,
    item: &Item,
    snapshot: &Snapshot,
    pinned: Option<Refusal>,
) -> Option<Reason> {
    if let Some(refusal) = pinned {
        return Some(refusal.reason);
    }
    let name = caller.connection.name();
    let owns = |kind, id: &str| gateway.sessions.owns(kind, id, &caller.identity, name);
    let foreign = |watch: &Action| matches!(watch, Action::Task(id) if !owns(Handle::Task, id));
    if item.watches.iter().any(foreign) {
        return Some(Reason::TargetUnknown);
    }
    // A state goes on where it began: same caller, same target (C13).
    if item.state.as_ref().is_some_and(|state| !owns(Handle::State, &state_key(item, state))) {
        return Some(Reason::RpcParams);
    }
    match &item.call.action {
        Action::CallTool(name) => {
            let connection = snapshot.connection(caller.connection.name())?;
            let tool = connection.tools.get(name);
            // Headers that can't be checked against their arguments (V12).
            tool.is_none_or(|tool| tool.param_headers.is_none()).then_some(Reason::TargetUnknown)
        }
        Action::Task(_) if !item.knows_tasks => Some(Reason::CapabilityMissing),
        // A list of tasks can't be told apart by creator, and a foreign task does not exist.
        Action::Task(task) => {
            (task.is_empty() || !owns(Handle::Task, task)).then_some(Reason::TargetUnknown)
        }
        // A prompt that is not shown can't be asked about either (P10).
        Action::Complete(target) if call::is_name(target) => {
            let shown = ask(snapshot, caller, &Action::ListPrompt(target.clone()), &Value::Null);
            (!shown.is_allow()).then_some(Reason::TargetUnknown)
        }
        _ => None,
    }
}

/// What a `requestState` is bound to besides its caller.
pub fn state_key(item: &Item, state: &str) -> String {
    format!("{}\n{}\n{state}", item.call.method, item.call.action.target())
}

/// Whether a refused caller may be told that the target exists: where a list would show it.
fn is_visible(snapshot: &Snapshot, caller: &Caller, item: &Item) -> bool {
    let shown = match &item.call.action {
        Action::CallTool(name) => Action::ListTool(name.clone()),
        Action::GetPrompt(name) => Action::ListPrompt(name.clone()),
        Action::Complete(name) if call::is_name(name) => Action::ListPrompt(name.clone()),
        Action::Task(_) => return !item.knows_tasks,
        _ => return true,
    };
    ask(snapshot, caller, &shown, &Value::Null).is_allow()
}

fn pin_of(action: &Action) -> Option<(PinKind, &str)> {
    match action {
        Action::CallTool(name) => Some((PinKind::Tool, name)),
        Action::GetPrompt(name) => Some((PinKind::Prompt, name)),
        _ => None,
    }
}
