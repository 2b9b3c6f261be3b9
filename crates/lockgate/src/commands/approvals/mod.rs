//! `lockgate approvals`: answer calls that wait for a person, through the admin API and with one's own
//! token: an answer is somebody's, and whoever owns the machine is nobody in particular.

pub(super) mod show;

use std::time::Duration;

use lockgate_model::Timestamp;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::api::{Api, ApiArgs, at};
use crate::{
    failure::{Exit, Failure, Outcome},
    moment,
    terminal::{Style, Terminal, inert},
};

/// How often it is looked for new questions.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// Answer calls that wait for a person
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    LOCKGATE_TOKEN=… lockgate approvals list\n  \
    LOCKGATE_TOKEN=… lockgate approvals approve a4f0c…")]
pub(crate) enum Command {
    /// List approvals, newest first
    List(List),
    /// Show what is asked: who, what exactly, and why it is held
    Show(One),
    /// Say yes to exactly what is shown
    Approve(Approve),
    /// Say no
    Reject(Reject),
    /// Take your own question back
    Withdraw(One),
    /// Print questions as they come
    Watch(Watch),
}

/// List approvals, newest first
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate approvals list\n  \
    lockgate approvals list --state spent --json")]
pub(crate) struct List {
    #[command(flatten)]
    api: ApiArgs,
    /// Only in this state; `all` for every one
    #[arg(long, value_name = "STATE", default_value = "pending", value_parser = ["all", "pending", "approved", "rejected", "expired", "withdrawn", "spent", "void", "emergency", "unreviewed", "reviewed"])]
    state: String,
    /// Only of this connection
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
}

/// One approval
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate approvals show a4f0c…\n  \
    lockgate approvals show a4f0c… --json")]
pub(crate) struct One {
    #[command(flatten)]
    api: ApiArgs,
    /// The approval
    #[arg(value_name = "APPROVAL")]
    id: String,
}

/// Say yes to exactly what is shown
///
/// Shows who asks for what, and asks. The yes is to these arguments, for one call.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate approvals approve a4f0c…\n  \
    lockgate approvals approve a4f0c… --until 2026-11-26T12:00:00Z --yes")]
pub(crate) struct Approve {
    #[command(flatten)]
    one: One,
    /// Only up to this time, if that is sooner than the policy's own
    #[arg(long, value_name = "TIME", value_parser = moment::instant)]
    until: Option<Timestamp>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Say no
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate approvals reject a4f0c… --reason 'not during the freeze'\n  \
    lockgate approvals reject a4f0c… --reason 'wrong table' --json")]
pub(crate) struct Reject {
    #[command(flatten)]
    one: One,
    /// Why; the caller reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Print questions as they come
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate approvals watch\n  \
    lockgate approvals watch --json")]
pub(crate) struct Watch {
    #[command(flatten)]
    api: ApiArgs,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::List(list) => print_list(&list, terminal),
        Command::Show(one) => {
            let content = Api::open(&one.api)?.get(&format!("/approvals/{}", one.id))?;
            show::print(&content, terminal)?;
            Ok(Exit::Ok)
        }
        Command::Approve(approve) => say_yes(&approve, terminal),
        Command::Reject(Reject { one, reason }) => {
            answer(&one, "reject", &json!({ "reason": reason }), terminal)
        }
        Command::Withdraw(one) => answer(&one, "withdraw", &json!({}), terminal),
        Command::Watch(watch) => follow(&watch, terminal),
    }
}

fn print_list(list: &List, terminal: Terminal) -> Outcome {
    let mut query = format!("/approvals?limit=200{}", state(&list.state));
    if let Some(connection) = &list.connection {
        let pair = [("connection", connection)];
        query.push('&');
        query
            .push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(pair).finish());
    }
    let found = Api::open(&list.api)?.get(&query)?;
    let items = at(&found, "/items").as_array().cloned().unwrap_or_default();
    print_all(&items, "nothing waits for you", terminal)
}

/// Prints approvals, or says that there are none.
pub(super) fn print_all(items: &[Value], none: &str, terminal: Terminal) -> Outcome {
    if terminal.json {
        terminal.json(&items)?;
        return Ok(Exit::Ok);
    }
    items.iter().for_each(|item| terminal.data(line(item, terminal)));
    if items.is_empty() {
        terminal.talk(none);
    }
    Ok(Exit::Ok)
}

fn state(name: &str) -> String {
    if name == "all" { String::new() } else { format!("&state={name}") }
}

/// An approval in one line.
pub(super) fn line(item: &Value, terminal: Terminal) -> String {
    let text = |key: &str| inert(at(item, &format!("/{key}")).as_str().unwrap_or_default());
    let style = match at(item, "/state").as_str() {
        Some("pending") => Style::Bold,
        Some("approved" | "spent" | "reviewed") => Style::Good,
        Some("rejected" | "emergency" | "unreviewed") => Style::Bad,
        _ => Style::Dim,
    };
    format!(
        "{}  {}  {:<9}  {:<28} {:<16} {}",
        text("id"),
        text("asked"),
        terminal.styled(style, &text("state")),
        format!("{}/{}", text("issuer"), text("subject")),
        text("connection"),
        what(item),
    )
}

/// The tool, resource or prompt, or what the access is to.
pub(super) fn what(item: &Value) -> String {
    let target = inert(at(item, "/target").as_str().unwrap_or_default());
    match (at(item, "/access").is_null(), target.as_str()) {
        (true, _) => target,
        (false, "") => "access".to_owned(),
        (false, tool) => format!("access to {tool}"),
    }
}

fn say_yes(approve: &Approve, terminal: Terminal) -> Outcome {
    let api = Api::open(&approve.one.api)?;
    let path = format!("/approvals/{}", approve.one.id);
    let content = api.get(&path)?;
    if !terminal.json {
        show::print(&content, terminal)?;
    }
    // As on the page: nobody says yes to what they could not see.
    if at(&content, "/canonical").is_null() {
        return Err(Failure::no("nothing was approved: its arguments can't be read on this node"));
    }
    let question = if at(&content, "/approval/access").is_null() {
        "approve exactly this, once?"
    } else {
        "approve exactly this access?"
    };
    let agreed = approve.yes || terminal.ask(question).unwrap_or(false);
    if !agreed {
        terminal.talk("nothing was approved; answer y, or give --yes");
        return Ok(Exit::No);
    }
    let digest = at(&content, "/approval/arguments_digest");
    let body = match approve.until {
        None => json!({ "arguments_digest": digest }),
        Some(until) => json!({ "arguments_digest": digest, "until": moment::text(until) }),
    };
    finish(&api.post(&format!("{path}/approve"), &body)?, terminal)
}

fn answer(one: &One, verb: &str, body: &Value, terminal: Terminal) -> Outcome {
    let api = Api::open(&one.api)?;
    finish(&api.post(&format!("/approvals/{}/{verb}", one.id), body)?, terminal)
}

fn finish(approval: &Value, terminal: Terminal) -> Outcome {
    if terminal.json {
        terminal.json(approval)?;
    } else {
        terminal.data(line(approval, terminal));
        let missing = at(approval, "/missing").as_array().map(Vec::as_slice).unwrap_or_default();
        for group in missing.iter().filter(|_| at(approval, "/state") == "pending") {
            let (group, people) = (at(group, "/group").as_str(), at(group, "/people"));
            let group = inert(group.unwrap_or_default());
            terminal.talk(format_args!("note: {people} more of `{group}` must approve"));
        }
    }
    Ok(Exit::Ok)
}

fn follow(watch: &Watch, terminal: Terminal) -> Outcome {
    let api = Api::open(&watch.api)?;
    let mut known = std::collections::HashSet::new();
    loop {
        let mut items = Vec::new();
        for state in ["pending", "emergency"] {
            let found = api.get(&format!("/approvals?limit=200&state={state}"))?;
            items.extend(at(&found, "/items").as_array().cloned().unwrap_or_default());
        }
        for item in items.iter().rev() {
            let id =
                at(item, "/id").as_str().ok_or_else(|| Failure::bug("an approval without id"))?;
            if known.insert(id.to_owned()) {
                if terminal.json {
                    terminal.data(item);
                } else {
                    terminal.data(line(item, terminal));
                }
            }
        }
        std::thread::sleep(WATCH_EVERY);
    }
}
