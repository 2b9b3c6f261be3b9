//! `lockgate access`: ask for access for a window of time, or take it in an emergency, with one's own
//! token and through the admin API. Reviewers answer with `lockgate approvals`. And whose access is
//! wider or longer than it should be, by the policies and the recording.

mod review;
mod tokens;

use serde_json::{Value, json};

use super::{
    api::{Api, ApiArgs, at},
    approvals::{line, print_all, show::words},
};
use crate::{
    failure::{Exit, Outcome},
    moment,
    terminal::{Terminal, inert},
};

/// States of access that is asked for, in force, or still to be looked at.
const LIVE: [&str; 4] = ["pending", "approved", "emergency", "unreviewed"];

/// Ask for access for a window of time, take it in an emergency, and look at what there is
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate access request staff --tool delete_row --for 2h --reason 'case 42'\n  \
    lockgate access list")]
pub(crate) enum Command {
    /// Ask those whom the policies name; it is in force once they approve
    Request(Window),
    /// Take access at once, where the policies let you; others look at it afterwards
    BreakGlass(Window),
    /// List access that is asked for or in force
    List(List),
    /// Give access back, or take the question back
    End(End),
    /// List access that ends soon, that nobody uses, or that somebody has more than once
    Review(review::Review),
    /// List who mints tokens that live longer, or are older, than allowed
    Tokens(tokens::Tokens),
}

/// What access, for how long, and why
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate access request staff --for 2h --reason 'clean up after case 42'\n  \
    lockgate access break-glass staff --tool restart --for 30m --reason 'pager: db down'")]
pub(crate) struct Window {
    #[command(flatten)]
    api: ApiArgs,
    /// The connection
    #[arg(value_name = "CONNECTION")]
    connection: String,
    /// Only this tool; all of the connection where absent
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// For how long from now, as in `30m` or `2h`; it ends by itself
    #[arg(long = "for", value_name = "TIME", value_parser = moment::length_ms)]
    for_ms: u64,
    /// Why; those who are asked read it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// List access that is asked for or in force
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate access list\n  \
    lockgate access list --json")]
pub(crate) struct List {
    #[command(flatten)]
    api: ApiArgs,
}

/// Give access back, or take the question back
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate access end a4f0c…\n  \
    lockgate access end a4f0c… --json")]
pub(crate) struct End {
    #[command(flatten)]
    api: ApiArgs,
    /// The access
    #[arg(value_name = "APPROVAL")]
    id: String,
}

/// Asks, takes, lists or ends.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Request(window) => ask(&window, "access", terminal),
        Command::BreakGlass(window) => ask(&window, "break-glass", terminal),
        Command::List(list) => print_list(&list, terminal),
        Command::End(End { api, id }) => {
            let ended = Api::open(&api)?.post(&format!("/approvals/{id}/withdraw"), &json!({}))?;
            print(&ended, terminal)
        }
        Command::Review(review) => review::run(&review, terminal),
        Command::Tokens(tokens) => tokens::run(&tokens, terminal),
    }
}

fn ask(window: &Window, way: &str, terminal: Terminal) -> Outcome {
    let Window { api, connection, tool, for_ms, reason } = window;
    let body = json!({
        "connection": connection,
        "tool": tool,
        "for_ms": for_ms,
        "reason": reason,
    });
    let made = Api::open(api)?.post(&format!("/approvals/{way}"), &body)?;
    print(&made, terminal)?;
    if !terminal.json {
        let groups = words(at(&made, "/groups"));
        let ends = inert(at(&made, "/access/ends").as_str().unwrap_or_default());
        terminal.talk(if at(&made, "/state") == "pending" {
            format!("note: it is in force once {groups} approve, and ends at {ends}")
        } else {
            format!(
                "note: it is in force until {ends}; {groups} are told, and look at it afterwards"
            )
        });
    }
    Ok(Exit::Ok)
}

fn print_list(list: &List, terminal: Terminal) -> Outcome {
    let api = Api::open(&list.api)?;
    let mut items = Vec::new();
    for state in LIVE {
        let found = api.get(&format!("/approvals?limit=200&state={state}"))?;
        let found = at(&found, "/items").as_array().cloned().unwrap_or_default();
        items.extend(found.into_iter().filter(|item| !at(item, "/access").is_null()));
    }
    print_all(&items, "no access is asked for or in force", terminal)
}

fn print(access: &Value, terminal: Terminal) -> Outcome {
    if terminal.json {
        terminal.json(access)?;
    } else {
        terminal.data(line(access, terminal));
    }
    Ok(Exit::Ok)
}
