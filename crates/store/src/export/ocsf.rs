//! Calls and refusals as OCSF events of the class API Activity (6003).
//!
//! A refusal is a failed API Activity too, not an Authentication (3002): nobody logs on at a
//! resource server, a peer calls an API and is turned away. Authentication also demands a `user`,
//! which a refused token does not give; and with one class, one question in the SIEM finds both.
//!
//! What OCSF has no word for stands under `unmapped`, in Lockgate's words.

use lockgate_model::{OutcomeStatus, RefusalEvent, Verdict};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

use super::{Call, End};
use crate::journal::Record;

/// The OCSF schema's version. Names move between versions, so it never follows a dependency.
pub const OCSF_VERSION: &str = "1.6.0";

const CLASS: u64 = 6003;

/// OCSF's `activity_id`: what kind of thing was asked for.
#[derive(Clone, Copy)]
enum Activity {
    Unknown = 0,
    Read = 2,
    Other = 99,
}

/// Whether it may be: OCSF's `action_id`, with the words of verdict and disposition.
#[derive(Clone, Copy)]
enum Action {
    Allowed = 1,
    Denied = 2,
}

/// OCSF's `status_id`.
#[derive(Clone, Copy)]
enum Status {
    Unknown = 0,
    Success = 1,
    Failure = 2,
}

/// The fields in which calls and refusals differ, in the order in which they are written.
#[derive(Serialize)]
struct Activities<'a> {
    time: i64,
    class_uid: u64,
    class_name: &'static str,
    category_uid: u64,
    category_name: &'static str,
    activity_id: u64,
    activity_name: &'a str,
    type_uid: u64,
    type_name: String,
    severity_id: u64,
    severity: &'static str,
    action_id: u64,
    action: &'static str,
    disposition_id: u64,
    disposition: &'static str,
    status_id: u64,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    message: String,
    actor: Value,
    api: Api<'a>,
    src_endpoint: Value,
    dst_endpoint: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    authorizations: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Value>,
    metadata: Value,
    unmapped: Value,
}

#[derive(Serialize)]
struct Api<'a> {
    operation: &'a str,
    service: Value,
    request: Asked<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Answered<'a>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

#[derive(Serialize)]
struct Answered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// As it came: numbers keep their digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// One call as one event.
///
/// # Errors
/// Where it can't be written as JSON.
pub(crate) fn of_call(call: &Call) -> Result<String, serde_json::Error> {
    write_call(call, true)
}

/// The same without what was asked and answered, where that is too large for a receiver.
///
/// # Errors
/// Where it can't be written as JSON.
pub(crate) fn of_call_without_bodies(call: &Call) -> Result<String, serde_json::Error> {
    write_call(call, false)
}

fn write_call(call: &Call, bodies: bool) -> Result<String, serde_json::Error> {
    let intent = &call.intent;
    let action = if intent.verdict.is_allow() { Action::Allowed } else { Action::Denied };
    let (outcome, reason) = (call.outcome(), call.reason());
    let status = status(call);
    let activity = activity(&intent.action);
    let what = if intent.target.is_empty() { &intent.method } else { &intent.target };
    let message = format!(
        "{}/{} {} {what} at {}",
        intent.issuer,
        intent.subject,
        action.word(),
        intent.connection
    );
    let arguments = (bodies && !intent.arguments.is_null()).then_some(&intent.arguments);
    let answer = call.result().filter(|_| bodies);
    let policy = |id: &String| json!({ "decision": action.word(), "policy": { "uid": id } });
    serde_json::to_string(&Activities {
        activity_name: &intent.action,
        status_code: reason.or_else(|| Some(outcome_word(outcome?.status))),
        status_detail: Some(call.end.as_str()),
        duration: outcome.map(|outcome| outcome.elapsed_us / 1000),
        actor: actor(call),
        api: Api {
            operation: &intent.method,
            service: json!({ "name": intent.connection }),
            request: Asked { uid: &intent.call, data: arguments },
            response: outcome.map(|_| Answered { error: reason, data: answer }),
        },
        resources: resources(&intent.action, &intent.target),
        authorizations: intent.verdict.policies().iter().map(policy).collect(),
        trace: Some(json!({ "uid": intent.trace })),
        metadata: metadata(call.seq, &call.hash.to_string(), &intent.call, !bodies),
        unmapped: unmapped(call),
        ..common(
            call.time.millis(),
            activity,
            action,
            status,
            message,
            &intent.peer,
            Some(&intent.connection),
        )
    })
}

/// One refused request as one event.
///
/// # Errors
/// Where it can't be written as JSON.
pub(crate) fn of_refusal(
    record: &Record,
    refused: &RefusalEvent,
) -> Result<String, serde_json::Error> {
    let who = refused.identity.as_deref().unwrap_or("nobody known");
    let message = format!("{who} refused: {}", refused.detail);
    let connection = refused.connection.as_deref();
    let time = record.time.millis();
    let (activity, status) = (Activity::Unknown, Status::Failure);
    let code = refused.reason.code();
    serde_json::to_string(&Activities {
        status_code: Some(code),
        status_detail: Some(&refused.detail),
        actor: refused_actor(refused.identity.as_deref()),
        api: Api {
            operation: "request",
            service: json!({ "name": connection.unwrap_or("lockgate") }),
            request: Asked { uid: &refused.request, data: None },
            response: Some(Answered { error: Some(code), data: None }),
        },
        metadata: metadata(record.seq, &record.hash.to_string(), &refused.request, false),
        unmapped: json!({ "lockgate": { "kind": "refused" } }),
        ..common(time, activity, Action::Denied, status, message, &refused.peer, connection)
    })
}

/// What every event has. Fields that are left empty here are the caller's.
fn common<'a>(
    time: i64,
    activity: Activity,
    action: Action,
    status: Status,
    message: String,
    peer: &str,
    connection: Option<&str>,
) -> Activities<'a> {
    let (severity_id, severity) = match (action, status) {
        (Action::Denied, _) => (3, "Medium"),
        (Action::Allowed, Status::Failure) => (2, "Low"),
        (Action::Allowed, _) => (1, "Informational"),
    };
    let blocked = matches!(action, Action::Denied);
    // A peer is an address; what is no address is only named.
    let place = if peer.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "name" };
    Activities {
        time,
        class_uid: CLASS,
        class_name: "API Activity",
        category_uid: CLASS / 1000,
        category_name: "Application Activity",
        activity_id: activity as u64,
        activity_name: activity.caption(),
        type_uid: CLASS * 100 + activity as u64,
        type_name: format!("API Activity: {}", activity.caption()),
        severity_id,
        severity,
        action_id: action as u64,
        action: if blocked { "Denied" } else { "Allowed" },
        disposition_id: action as u64,
        disposition: if blocked { "Blocked" } else { "Allowed" },
        status_id: status as u64,
        status: status.caption(),
        status_code: None,
        status_detail: None,
        duration: None,
        message,
        actor: Value::Null,
        api: Api {
            operation: "",
            service: Value::Null,
            request: Asked { uid: "", data: None },
            response: None,
        },
        src_endpoint: json!({ place: peer }),
        dst_endpoint: json!({ "svc_name": connection.unwrap_or("lockgate") }),
        resources: Vec::new(),
        authorizations: Vec::new(),
        trace: None,
        metadata: Value::Null,
        unmapped: Value::Null,
    }
}

fn actor(call: &Call) -> Value {
    let intent = &call.intent;
    let groups: Vec<_> = intent.groups.iter().map(|group| json!({ "name": group })).collect();
    let mut user = json!({ "uid": intent.subject, "domain": intent.issuer });
    if !groups.is_empty() {
        set(&mut user, "groups", groups.into());
    }
    let mut actor = json!({ "user": user, "idp": { "name": intent.issuer } });
    if let Some(client) = &intent.client {
        set(&mut actor, "app_uid", client.as_str().into());
    }
    if let Some(session) = &intent.session {
        set(&mut actor, "session", json!({ "uid": session, "issuer": intent.issuer }));
    }
    actor
}

/// `identity` is `issuer/subject`, and an issuer's name holds no slash.
fn refused_actor(identity: Option<&str>) -> Value {
    match identity.and_then(|identity| identity.split_once('/')) {
        Some((issuer, subject)) => {
            json!({ "user": { "uid": subject, "domain": issuer }, "idp": { "name": issuer } })
        }
        None => json!({ "app_name": "unknown" }),
    }
}

fn resources(action: &str, target: &str) -> Vec<Value> {
    if target.is_empty() { Vec::new() } else { vec![json!({ "name": target, "type": action })] }
}

fn metadata(seq: u64, hash: &str, correlation: &str, truncated: bool) -> Value {
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": { "name": "Lockgate", "vendor_name": "Lockgate" },
        "profiles": ["security_control", "trace"],
        "log_name": "journal",
        "sequence": seq,
        "uid": hash,
        "correlation_uid": correlation,
    });
    if truncated {
        set(&mut metadata, "is_truncated", true.into());
    }
    metadata
}

fn unmapped(call: &Call) -> Value {
    let intent = &call.intent;
    let verdict = match &intent.verdict {
        Verdict::Allow { .. } => "allow",
        Verdict::Ask(_) => "ask",
        Verdict::Deny(_) => "deny",
    };
    let mut lockgate = json!({
        "kind": "call",
        "verdict": verdict,
        "ended": call.end.as_str(),
        "era": intent.era,
        "token": intent.token,
        "snapshot": intent.snapshot,
        "arguments_digest": intent.arguments_digest,
        "messages": call.messages,
    });
    if !intent.facts.is_empty() {
        set(&mut lockgate, "facts", json!(intent.facts));
    }
    if let Some(definition) = intent.definition {
        set(&mut lockgate, "definition", json!(definition));
    }
    if let Some(outcome) = call.outcome() {
        set(&mut lockgate, "elapsed_us", outcome.elapsed_us.into());
        set(&mut lockgate, "bytes", call.answer_bytes().into());
        if !outcome.masked.is_empty() {
            set(&mut lockgate, "masked", json!(outcome.masked));
        }
    }
    json!({ "lockgate": lockgate })
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value);
    }
}

fn status(call: &Call) -> Status {
    match &call.end {
        End::Recorded(outcome) => match outcome.status {
            OutcomeStatus::Result | OutcomeStatus::Accepted => Status::Success,
            OutcomeStatus::Failed => Status::Unknown,
            _ => Status::Failure,
        },
        End::NotForwarded => Status::Failure,
        End::Open | End::Unknown | End::Apart => Status::Unknown,
    }
}

fn activity(action: &str) -> Activity {
    match action {
        "list_tool" | "list_resource" | "list_prompt" | "read_resource" | "get_prompt"
        | "complete" | "subscribe" | "subscribe_resource" => Activity::Read,
        // What a tool does is the server's own affair.
        _ => Activity::Other,
    }
}

/// The word for a status, as in the record.
pub(super) const fn outcome_word(status: OutcomeStatus) -> &'static str {
    match status {
        OutcomeStatus::Result => "result",
        OutcomeStatus::Error => "error",
        OutcomeStatus::Accepted => "accepted",
        OutcomeStatus::Refused => "refused",
        OutcomeStatus::Cancelled => "cancelled",
        OutcomeStatus::Cut => "cut",
        OutcomeStatus::Failed => "failed",
    }
}

impl Activity {
    const fn caption(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Read => "Read",
            Self::Other => "Other",
        }
    }
}

impl Action {
    const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

impl Status {
    const fn caption(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Success => "Success",
            Self::Failure => "Failure",
        }
    }
}
