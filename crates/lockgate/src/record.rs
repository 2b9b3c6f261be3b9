//! One record of the journal as one line for people. What was recorded is shown inert: it can't
//! steer the terminal.

use lockgate_model::{
    ApprovalEvent, ApprovalStep, ConnectionVersion, ConnectionsChange, ConnectionsEvent,
    DirectoryChange, DirectoryEvent, Event, IntentEvent, KeptChange, OpenedEvent, OutcomeEvent,
    RefusalEvent, RevocationsChange, RevocationsEvent, VaultChange, VaultEvent, Verdict,
};
use lockgate_store::journal::Record;

use crate::{moment, terminal::inert};

/// Characters of arguments or answers that a line shows at most.
const EXCERPT_MAX_CHARS: usize = 60;

/// `time #seq what`.
pub(crate) fn line(record: &Record, event: &Event) -> String {
    format!("{} #{:<4} {}", moment::text(record.time), record.seq, inert(&words(event)))
}

/// An event of a session, without its time; `full` with whole arguments and answers behind it.
pub(crate) fn timeline(event: &Event, full: bool) -> String {
    let mut text = words(event);
    let body = match event {
        Event::Intent(intent) if !intent.arguments.is_null() => Some(intent.arguments.to_string()),
        Event::Message(message) => message.body.as_ref().map(ToString::to_string),
        Event::Outcome(outcome) => outcome.body.as_ref().map(ToString::to_string),
        _ => None,
    };
    if let Some(body) = body.filter(|_| full) {
        text.push(' ');
        text.push_str(&body);
    }
    inert(&text)
}

fn words(event: &Event) -> String {
    match event {
        Event::Started { version, torn_bytes: 0 } => format!("started  version {version}"),
        Event::Started { version, torn_bytes } => {
            format!("started  version {version}; dropped a torn tail of {torn_bytes} bytes")
        }
        Event::Snapshot { version, summary } => {
            format!("snapshot {} {summary}", short(&version.to_string()))
        }
        Event::Pins { connection, summary } => format!("pins     {connection}: {summary}"),
        Event::Refused(refused) => refusal(refused),
        Event::Intent(intent) => decision(intent),
        Event::Opened(opened) => {
            let OpenedEvent { session, issuer, subject, connection, .. } = opened.as_ref();
            format!("opened   {} {issuer}/{subject} at {connection}", short(session))
        }
        Event::Closed { session, why } => format!("closed   {} {why}", short(session)),
        Event::Approval(approval) => asked(approval),
        Event::Viewed(viewed) => {
            format!("viewed   {} by {}: {}", viewed.how, viewed.by, viewed.detail)
        }
        Event::Kept(kept) => {
            format!("kept     {} by {}: {}", change(&kept.change), kept.by, kept.reason)
        }
        Event::Vault(VaultEvent { by, change }) => format!("vault    {} by {by}", vault(change)),
        Event::Connections(ConnectionsEvent { by, change }) => {
            format!("register {} by {by}", connections(change))
        }
        Event::Revocations(RevocationsEvent { by, change }) => {
            format!("revoke   {} by {by}", revocations(change))
        }
        Event::Directory(DirectoryEvent { by, change }) => {
            format!("groups   {} by {by}", directory(change))
        }
        Event::Resent(resent) => {
            format!("resent   {} after {}", short(&resent.call), resent.reason.code())
        }
        Event::Message(message) => {
            let body = message.body.as_ref().map(|body| excerpt(body.get())).unwrap_or_default();
            format!("message  {} {body}", short(&message.call))
        }
        Event::Outcome(outcome) => end(outcome),
    }
}

fn asked(approval: &ApprovalEvent) -> String {
    let ApprovalEvent { approval: id, call, by, step, .. } = approval;
    let what = match step {
        ApprovalStep::Asked { groups, policies, .. } => {
            format!("asked of {} [{}]", groups.join(", "), policies.join(", "))
        }
        ApprovalStep::Approve { .. } => format!("{by} says YES"),
        ApprovalStep::Reject { reason } => format!("{by} says NO: {reason}"),
        ApprovalStep::Access { connection, access, .. } if access.emergency => {
            format!("{by} takes access to {connection} by BREAK-GLASS: {}", access.reason)
        }
        ApprovalStep::Access { connection, access, .. } => {
            format!("{by} asks for access to {connection}: {}", access.reason)
        }
        ApprovalStep::Used { policies, emergency, .. } => {
            let how = if *emergency { "break-glass" } else { "access" };
            format!("passed by {how} [{}]", policies.join(", "))
        }
        ApprovalStep::Withdraw => format!("{by} takes it back"),
        ApprovalStep::Spent { policies, .. } => format!("used [{}]", policies.join(", ")),
        ApprovalStep::Void { why } => format!("void: {why}"),
        ApprovalStep::Expired => "its time has passed".to_owned(),
    };
    format!("approval {} {what}, for {}", short(id), short(call))
}

fn revocations(change: &RevocationsChange) -> String {
    match change {
        RevocationsChange::Revoked(all) => {
            let each =
                all.iter().map(|one| format!("{} {}: {}", short(&one.id), one.target, one.reason));
            each.collect::<Vec<_>>().join(", ")
        }
        RevocationsChange::Lifted { id, reason } => format!("lift {}: {reason}", short(id)),
        RevocationsChange::Failed { why } => {
            format!("the change before did not take effect: {why};")
        }
    }
}

fn directory(change: &DirectoryChange) -> String {
    let verb = |stays: &bool| if *stays { "keep" } else { "remove" };
    match change {
        DirectoryChange::User { id, subject, stays } => {
            format!("{} person {subject} ({})", verb(stays), short(id))
        }
        DirectoryChange::Group { id, name, stays, joined, left } => format!(
            "{} group {name} ({}), {} joined and {} left",
            verb(stays),
            short(id),
            joined.len(),
            left.len()
        ),
        DirectoryChange::Failed { why } => {
            format!("the change before did not take effect: {why};")
        }
    }
}

fn change(change: &KeptChange) -> String {
    match change {
        KeptChange::Erase { session } => format!("erase {}", short(session)),
        KeptChange::Hold { session } => format!("hold {}", short(session)),
        KeptChange::Release { session } => format!("release {}", short(session)),
        KeptChange::Retire { through_seq, .. } => format!("retire up to #{through_seq}"),
    }
}

fn vault(change: &VaultChange) -> String {
    match change {
        VaultChange::Set { secret, version, connection: None } => {
            format!("set {secret}, version {version}")
        }
        VaultChange::Set { secret, version, connection: Some(only) } => {
            format!("set {secret}, version {version}, for {only} alone")
        }
        VaultChange::Remove { secret, version } => format!("remove {secret}, version {version}"),
        VaultChange::RotateKey { from, to } => format!("rotate from key {from} to {to}"),
        VaultChange::ForgetKey { key } => format!("forget key {key}"),
        VaultChange::Connect { connection, user } => {
            format!("connect {connection} for {user}")
        }
        VaultChange::Disconnect { connection, user } => {
            format!("disconnect {connection} for {user}")
        }
        VaultChange::Failed { why } => format!("the change before did not take effect: {why};"),
    }
}

fn connections(change: &ConnectionsChange) -> String {
    let one = |version: &ConnectionVersion| {
        let ConnectionVersion { connection, version, settings } = version;
        let word = if settings.is_some() { "put" } else { "remove" };
        format!("{word} {connection}, version {version}")
    };
    match change {
        ConnectionsChange::Made(all) => all.iter().map(one).collect::<Vec<_>>().join("; "),
        ConnectionsChange::Failed { why } => {
            format!("the change before did not take effect: {why};")
        }
    }
}

fn refusal(refused: &RefusalEvent) -> String {
    let who = refused.identity.as_deref().unwrap_or("nobody known");
    let connection = refused.connection.as_deref().unwrap_or("no connection");
    let RefusalEvent { peer, reason, detail, .. } = refused;
    format!("REFUSED  {who} from {peer} at {connection}: {} ({detail})", reason.code())
}

fn decision(intent: &IntentEvent) -> String {
    let word = match &intent.verdict {
        Verdict::Allow { .. } => "ALLOW",
        Verdict::Ask(_) => "ASK",
        Verdict::Deny(_) => "DENY",
    };
    let why = match (&intent.verdict, intent.verdict.policies()) {
        (Verdict::Deny(deny), []) => format!(" ({})", deny.reason.code()),
        (Verdict::Deny(deny), ids) => format!(" ({} by {})", deny.reason.code(), ids.join(", ")),
        (_, []) => String::new(),
        (_, ids) => format!(" (by {})", ids.join(", ")),
    };
    let what = match intent.target.as_str() {
        "" => intent.method.clone(),
        target if intent.arguments.is_null() => format!("{} {target}", intent.method),
        target => format!("{} {target} {}", intent.method, excerpt(&intent.arguments.to_string())),
    };
    let restored: Vec<&str> = intent.restored.iter().map(|one| one.class.as_str()).collect();
    let restored = match restored.as_slice() {
        [] => String::new(),
        restored => format!(", put back {}", restored.join(", ")),
    };
    let IntentEvent { call, issuer, subject, connection, .. } = intent;
    let call = short(call);
    format!("{word:<8} {call} {issuer}/{subject} at {connection}: {what}{why}{restored}")
}

fn end(outcome: &OutcomeEvent) -> String {
    let status = format!("{:?}", outcome.status).to_lowercase();
    let reason = outcome.reason.map(|reason| format!(" {}", reason.code())).unwrap_or_default();
    let body = outcome.body.as_ref().map(|body| excerpt(body.get())).unwrap_or_default();
    let OutcomeEvent { call, elapsed_us, bytes, masked, .. } = outcome;
    let masked: Vec<String> =
        masked.iter().map(|(class, count)| format!("{class} {count}")).collect();
    let masked = match masked.as_slice() {
        [] => String::new(),
        masked => format!(", masked {}", masked.join(", ")),
    };
    let call = short(call);
    format!("end      {call} {status}{reason} in {elapsed_us} us, {bytes} bytes{masked} {body}")
}

/// Enough of an id to tell two calls apart by eye.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
