//! `lockgate policy explain`: who may call what, and why. Offline, by the same judge as in service.
//!
//! The identity is taken on trust here, so the answer is about the policies, never about a person.

use std::{
    collections::BTreeMap,
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use lockgate_gateway::{
    clock,
    token::{Jws, Rules},
};
use lockgate_model::{
    Action, ClaimValue, ConnectionName, Digest, Group, Identity, Timestamp, TokenFacts, Verdict,
};
use lockgate_rules::policy::{Explanation, Question};
use serde_json::{Value, json};

use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::{Exit, Failure, Outcome},
    offline,
    terminal::{Style, Terminal, inert},
};

/// How long the assumed token lives, in seconds.
const ASSUMED_LIFETIME_S: i64 = 300;

/// Say who may call what, and why
///
/// The identity comes from flags, or from the claims of a token in a file, which is NOT verified.
/// Exits with 0 where the call is allowed, 1 where it is denied or needs approval.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate policy explain --issuer corp --subject ann --group dba --connection staff --tool query --args '{\"limit\":5}'\n  \
    lockgate policy explain --token token.jwt --connection staff --action read_resource --target file:///notes")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    what: What,
}

/// Who asks.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who asks")]
struct Who {
    /// Short name of the issuer; the only configured one where absent
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// The token's subject
    #[arg(long, value_name = "TEXT", required_unless_present = "token")]
    subject: Option<String>,
    /// A group, by the name in the token; may be repeated
    #[arg(long = "group", value_name = "NAME")]
    groups: Vec<String>,
    /// The OAuth client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// A claim as name=value, where the value is JSON or plain text; may be repeated
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// Take all of this from a token in a file, without verifying it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "groups", "client", "claims"])]
    token: Option<PathBuf>,
    /// Address of the caller
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    peer: IpAddr,
}

/// What is asked for.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is asked for")]
struct What {
    /// The connection
    #[arg(long, value_name = "NAME")]
    connection: String,
    /// Call this tool
    #[arg(long, value_name = "NAME", required_unless_present = "action")]
    tool: Option<String>,
    /// The tool's arguments
    #[arg(long = "args", value_name = "JSON", default_value = "{}")]
    arguments: String,
    /// Another action than calling a tool, such as read_resource or get_prompt
    #[arg(long, value_name = "KIND", conflicts_with = "tool")]
    action: Option<String>,
    /// What the action is about: a URI, a prompt, a task, a method
    #[arg(long, value_name = "TEXT", default_value = "")]
    target: String,
}

/// Answers.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let loaded = load(&args.config).map_err(Failure::usage)?;
    let compiled = offline::compile(&loaded)?;
    let connection = super::shape_of(&loaded, &args.what.connection)?.name;
    let now = clock::now();
    let identity = identity(&args.who, &loaded, now, terminal)?;
    let action = action(&args.what)?;
    let arguments: Value = serde_json::from_str(&args.what.arguments)
        .map_err(|error| Failure::usage_text(format!("--args is no JSON: {error}")))?;
    let question = Question {
        identity: &identity,
        connection: &connection,
        action: &action,
        arguments: &arguments,
        facts: &[],
        approvals: &[],
        peer: args.who.peer,
        now,
    };
    let explanation = compiled.policies.explain(&question);
    if terminal.json {
        terminal.json(&as_json(&identity, &connection, &action, &explanation))?;
    } else {
        as_text(&identity, &connection, &action, &explanation, terminal);
    }
    Ok(if explanation.verdict.is_allow() { Exit::Ok } else { Exit::No })
}

fn action(what: &What) -> Result<Action, Failure> {
    if let Some(tool) = &what.tool {
        return Ok(Action::CallTool(tool.clone()));
    }
    let target = what.target.clone();
    Ok(match what.action.as_deref().unwrap_or_default() {
        "call_tool" => Action::CallTool(target),
        "list_tool" => Action::ListTool(target),
        "read_resource" => Action::ReadResource(target),
        "list_resource" => Action::ListResource(target),
        "subscribe_resource" => Action::SubscribeResource(target),
        "get_prompt" => Action::GetPrompt(target),
        "list_prompt" => Action::ListPrompt(target),
        "complete" => Action::Complete(target),
        "subscribe" => Action::Subscribe,
        "task" => Action::Task(target),
        "set_log_level" => Action::SetLogLevel,
        "server_request" => Action::ServerRequest(target),
        other => {
            let known = [
                "call_tool",
                "list_tool",
                "read_resource",
                "list_resource",
                "subscribe_resource",
                "get_prompt",
                "list_prompt",
                "complete",
                "subscribe",
                "task",
                "set_log_level",
                "server_request",
            ];
            let help = crate::config::suggestion(other, &known);
            return Err(Failure::usage_text(format!("there is no action `{other}`; {help}")));
        }
    })
}

fn identity(
    who: &Who,
    loaded: &Loaded,
    now: Timestamp,
    terminal: Terminal,
) -> Result<Identity, Failure> {
    if let Some(file) = &who.token {
        terminal.talk("WARNING: the token is NOT verified; its claims are taken as they stand");
        return unverified(file, loaded);
    }
    let issuer = issuer_name(who, loaded)?;
    let group = |name: &String| Group { issuer: issuer.clone(), name: name.clone() };
    Ok(Identity {
        subject: who.subject.clone().unwrap_or_default(),
        client: who.client.clone(),
        groups: who.groups.iter().map(group).collect(),
        claims: claims(&who.claims)?,
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: Some(now),
            expires_at: now.plus_millis(ASSUMED_LIFETIME_S * 1000),
            refused_from: now.plus_millis(ASSUMED_LIFETIME_S * 1000),
        },
        issuer,
    })
}

/// The issuer that was named, or the only one there is.
fn issuer_name(who: &Who, loaded: &Loaded) -> Result<String, Failure> {
    let known: Vec<&str> = loaded.gateway.issuers.iter().map(|i| i.name.as_str()).collect();
    match (who.issuer.as_deref(), known.as_slice()) {
        (Some(name), _) if known.contains(&name) => Ok(name.to_owned()),
        (Some(name), _) => {
            let help = crate::config::suggestion(name, &known);
            Err(Failure::usage_text(format!("there is no issuer named `{name}`; {help}")))
        }
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(Failure::usage_text(format!("name the --issuer, one of {known:?}"))),
    }
}

fn claims(given: &[String]) -> Result<BTreeMap<String, ClaimValue>, Failure> {
    let one = |text: &String| {
        let (name, value) = text.split_once('=').ok_or_else(|| {
            Failure::usage_text(format!("`--claim {text}` has no value; write name=value"))
        })?;
        Ok((name.to_owned(), claim_value(value)))
    };
    given.iter().map(one).collect()
}

/// JSON where it is some, else the text itself.
fn claim_value(text: &str) -> ClaimValue {
    let words = |items: &[Value]| {
        items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    };
    let known = match serde_json::from_str::<Value>(text) {
        Ok(Value::Bool(flag)) => Some(ClaimValue::Flag(flag)),
        Ok(Value::Number(number)) => number.as_i64().map(ClaimValue::Number),
        Ok(Value::String(text)) => Some(ClaimValue::Text(text)),
        Ok(Value::Array(items)) => words(&items).map(ClaimValue::List),
        _ => None,
    };
    known.unwrap_or_else(|| ClaimValue::Text(text.to_owned()))
}

fn as_json(
    identity: &Identity,
    connection: &ConnectionName,
    action: &Action,
    explanation: &Explanation,
) -> Value {
    let policies: Vec<Value> = explanation
        .policies
        .iter()
        .map(|p| json!({ "id": p.id, "file": p.file, "line": p.line, "text": p.text }))
        .collect();
    json!({
        "issuer": identity.issuer,
        "subject": identity.subject,
        "groups": identity.groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "connection": connection,
        "action": action.kind(),
        "target": action.target(),
        "verdict": explanation.verdict,
        "policies": policies,
        "notes": explanation.notes,
    })
}

fn as_text(
    identity: &Identity,
    connection: &ConnectionName,
    action: &Action,
    explanation: &Explanation,
    terminal: Terminal,
) {
    let (style, word, why) = match &explanation.verdict {
        Verdict::Allow { .. } => (Style::Good, "ALLOW", "permitted by policy".to_owned()),
        Verdict::Ask(ask) => {
            (Style::Bad, "ASK", format!("needs approval by {}", ask.approvers.join(", ")))
        }
        Verdict::Deny(deny) => (Style::Bad, "DENY", deny.reason.code().to_owned()),
    };
    let groups: Vec<String> = identity.groups.iter().map(ToString::to_string).collect();
    terminal.data(format_args!("{}: {why}", terminal.styled(style, word)));
    terminal.data(format_args!("  who   {}/{}", identity.issuer, inert(&identity.subject)));
    terminal.data(format_args!("        in {}", inert(&groups.join(", "))));
    let target = inert(action.target());
    terminal.data(format_args!("  what  {} {target} on {connection}", action.kind()));
    for policy in &explanation.policies {
        terminal.data(format_args!("  by    {} ({}:{})", policy.id, policy.file, policy.line));
        for line in policy.text.lines() {
            terminal.data(terminal.styled(Style::Dim, &format!("        {line}")));
        }
    }
    for note in &explanation.notes {
        terminal.data(format_args!("  note  {note}"));
    }
}
/// The identity that a token claims, read as in service but for its signature.
fn unverified(file: &Path, loaded: &Loaded) -> Result<Identity, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage_text(format!("the token in `{}`: {why}", file.display()))
    };
    let text = fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let max_bytes = usize::try_from(loaded.gateway.limits.token_max_bytes).unwrap_or(usize::MAX);
    let jws = Jws::read(text.trim().as_bytes(), max_bytes).map_err(|refusal| wrong(&refusal))?;
    let iss = jws.iss().map_err(|refusal| wrong(&refusal))?;
    let issuer = loaded.gateway.issuers.iter().find(|issuer| issuer.issuer == iss);
    let issuer = issuer.ok_or_else(|| wrong(&format_args!("no issuer `{iss}` is configured")))?;
    let rules = Rules::new(issuer.clone()).map_err(|fault| wrong(&fault))?;
    rules.claimed(&jws).map_err(|refusal| wrong(&refusal))
}
