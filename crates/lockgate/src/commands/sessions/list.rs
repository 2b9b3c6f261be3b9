//! `lockgate sessions list`: sessions in a table, newest first.

use lockgate_store::index::SessionRow;

use super::{Which, failed};
use crate::{
    failure::{Exit, Outcome},
    moment,
    terminal::{Style, Terminal, inert},
};

/// List sessions, newest first
///
/// A session is one MCP session, or, where the protocol has none, what one identity did with one
/// client on one connection without 15 idle minutes in between.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions list --since 2h\n  \
    lockgate sessions list --group corp/contractors --verdict deny --json")]
pub(crate) struct List {
    #[command(flatten)]
    which: Which,
    /// Only sessions that have not ended
    #[arg(long)]
    open: bool,
    /// Only sessions with a call that holds these words
    #[arg(long, value_name = "QUERY")]
    text: Option<String>,
}

/// Answers.
pub(crate) fn run(list: &List, terminal: Terminal) -> Outcome {
    let mut filter = list.which.filter(list.text.as_deref())?;
    filter.open = list.open.then_some(true);
    let page = list.which.page()?;
    let place = list.which.place.open()?;
    if list.text.is_some() {
        place.viewed("search", None, "searched sessions by words")?;
    }
    let found = place.ask(async |index| index.sessions(&filter, page).await.map_err(failed))?;
    if terminal.json {
        terminal.json(&found)?;
        return Ok(Exit::Ok);
    }
    for row in &found.rows {
        terminal.data(line(row, terminal));
    }
    if found.rows.is_empty() {
        terminal.talk("no session matches");
    }
    if let Some(next) = found.next {
        terminal.talk(format_args!("\nhint: there are more; go on with --cursor {next}"));
    }
    Ok(Exit::Ok)
}

fn line(row: &SessionRow, terminal: Terminal) -> String {
    let who = if row.erased {
        "(erased)".to_owned()
    } else {
        inert(&format!("{}/{}", row.issuer, row.subject))
    };
    let denied = match row.denied {
        0 => "0 denied".to_owned(),
        count => terminal.styled(Style::Bad, &format!("{count} denied")),
    };
    let connection = inert(&row.connection);
    format!(
        "{}  {}  {who:<28} {connection:<16} {:>5} calls  {denied}  {}",
        row.id,
        moment::text(row.opened),
        row.calls,
        terminal.styled(Style::Dim, &state(row)),
    )
}

/// What became of a session, in a few words.
pub(super) fn state(row: &SessionRow) -> String {
    let mut words = match (&row.closed, &row.why) {
        (Some(_), Some(why)) => inert(why),
        (Some(_), None) => "closed".to_owned(),
        (None, _) => "open".to_owned(),
    };
    for (marked, word) in [(row.held, "on hold"), (row.retired, "retired")] {
        if marked {
            words.push_str(", ");
            words.push_str(word);
        }
    }
    words
}
