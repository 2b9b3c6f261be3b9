//! `lockgate who-is-in`: the sessions that are open now, on every gateway that shares the index.

use lockgate_gateway::clock;
use lockgate_model::Timestamp;
use lockgate_store::index::{Filter, PAGE_MAX, Page, SessionRow};

use super::sessions::Whose;
use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    terminal::{Style, Terminal, inert},
};

/// Most sessions that are printed.
const SESSIONS_MAX: usize = 10_000;

/// List who has a session open now, and what for
///
/// A session ends with its MCP session, or, where the protocol has none, after 15 idle minutes.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate who-is-in\n  \
    lockgate who-is-in --group corp/contractors --json")]
pub(crate) struct WhoIsIn {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    whose: Whose,
}

/// Answers.
pub(crate) fn run(who: &WhoIsIn, terminal: Terminal) -> Outcome {
    let filter = Filter { open: Some(true), ..who.whose.filter() };
    let found = who.place.open()?.ask(async |index| {
        let (mut found, mut page) = (Vec::new(), Page::first(PAGE_MAX));
        while found.len() < SESSIONS_MAX {
            let listing = index.sessions(&filter, page).await.map_err(Failure::unreachable)?;
            found.extend(listing.rows);
            let Some(next) = listing.next else { break };
            page = Page::new(PAGE_MAX, Some(&next.to_string())).map_err(Failure::bug)?;
        }
        Ok(found)
    })?;
    if terminal.json {
        terminal.json(&found)?;
        return Ok(Exit::Ok);
    }
    let now = clock::now();
    for row in &found {
        terminal.data(line(row, now, terminal));
    }
    match found.len() {
        0 => terminal.talk("nobody"),
        SESSIONS_MAX.. => {
            terminal.talk("note: there are more; say whose with --subject or --group")
        }
        _ => {}
    }
    Ok(Exit::Ok)
}

fn line(row: &SessionRow, now: Timestamp, terminal: Terminal) -> String {
    let who = inert(&format!("{}/{}", row.issuer, row.subject));
    let client = row.client.as_deref().map(inert).unwrap_or_default();
    let connection = inert(&row.connection);
    let ago = |at: Timestamp| crate::moment::length(now.millis_since(at));
    let times = format!("since {}, last {} ago, on {}", ago(row.opened), ago(row.last), row.node);
    let times = terminal.styled(Style::Dim, &inert(&times));
    format!("{}  {who:<28} {client:<16} {connection:<16} {:>5} calls  {times}", row.id, row.calls)
}
