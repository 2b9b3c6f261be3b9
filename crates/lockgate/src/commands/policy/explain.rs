//! `lockgate policy explain`: who may call what, and why. Offline, by the same judge as in service.
//!
//! The identity is taken on trust here, so the answer is about the policies, never about a person.

use lockgate_gateway::{clock, snapshot::Guard};
use lockgate_model::{Action, ConnectionName, Identity, Verdict};
use lockgate_rules::{
    guard,
    policy::{Explanation, Question},
};
use serde_json::{Value, json};

use super::who::Who;
use crate::{
    config::{ConfigArgs, Loaded},
    failure::{Exit, Failure, Outcome},
    moment, offline,
    registered::load_all,
    serve::build_failure,
    terminal::{Style, Terminal, inert},
};

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
    /// For `reveal` and `restore`: the data class, such as pii.email
    #[arg(long, value_name = "NAME", default_value = "")]
    class: String,
    /// What the caller did before, as CONNECTION/TOOL or CONNECTION; may be repeated
    #[arg(long, value_name = "NAME")]
    earlier: Vec<String>,
}

/// Answers.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let loaded = load_all(&args.config)?;
    let compiled = offline::compile(&loaded)?;
    let connection = super::shape_of(&loaded, &args.what.connection)?.name;
    let now = clock::now();
    let identity = args.who.identity(&loaded, now, terminal)?;
    let action = action(&args.what)?;
    let arguments: Value = serde_json::from_str(&args.what.arguments)
        .map_err(|error| Failure::usage_text(format!("--args is no JSON: {error}")))?;
    let facts = facts(&loaded, &connection, &action, &arguments)?;
    let question = Question {
        identity: &identity,
        connection: &connection,
        action: &action,
        arguments: &arguments,
        facts: &facts,
        earlier: &args.what.earlier,
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

/// What the guard finds in the arguments, as in service.
fn facts(
    loaded: &Loaded,
    connection: &ConnectionName,
    action: &Action,
    arguments: &Value,
) -> Result<Vec<String>, Failure> {
    let Action::CallTool(tool) = action else { return Ok(Vec::new()) };
    let shapes = offline::shapes(loaded)?;
    let shape = shapes.iter().find(|shape| shape.name == *connection);
    let tools = shape.and_then(|shape| shape.tools.as_deref()).unwrap_or_default();
    let schema = tools.iter().find(|shape| shape.name == *tool).map(|shape| &shape.input_schema);
    let settings = loaded.gateway.connections.iter().find(|one| one.name == *connection);
    let guard = settings.map(Guard::build).transpose().map_err(build_failure)?.unwrap_or_default();
    Ok(guard::inspect(&guard.profile(connection, tool, schema), arguments).labels())
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
        name @ ("reveal" | "restore") if what.class.is_empty() => {
            let why =
                format!("`{name}` is about a data class; name it with --class, such as pii.email");
            return Err(Failure::usage_text(why));
        }
        "reveal" => Action::Reveal { class: what.class.clone(), target },
        "restore" => Action::Restore { class: what.class.clone(), target },
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
                "reveal",
                "restore",
            ];
            let help = crate::config::suggestion(other, &known);
            return Err(Failure::usage_text(format!("there is no action `{other}`; {help}")));
        }
    })
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
        .map(|p| {
            json!({ "id": p.id, "file": p.file, "line": p.line, "text": p.text,
            "owner": p.owner, "until": p.until.map(moment::text) })
        })
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
        let ends = policy.until.map(|until| format!("ends {}", moment::text(until)));
        let owner = policy.owner.as_ref().map(|owner| format!("owner {}", inert(owner)));
        for note in owner.into_iter().chain(ends) {
            terminal.data(format_args!("        {note}"));
        }
        for line in policy.text.lines() {
            terminal.data(terminal.styled(Style::Dim, &format!("        {line}")));
        }
    }
    for note in &explanation.notes {
        terminal.data(format_args!("  note  {note}"));
    }
}
