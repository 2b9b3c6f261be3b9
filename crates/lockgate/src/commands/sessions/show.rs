//! `lockgate sessions show`: one session, from its opening to its end.

use lockgate_model::Event;
use lockgate_store::index::SessionRow;

use super::{failed, list::state};
use crate::{
    failure::{Exit, Failure, Outcome},
    moment,
    place::{Opened, Place},
    record::line,
    terminal::{Style, Terminal, inert},
};

/// Print one session: who, where, and every call with its verdict
///
/// With --json each line is one record of the session, with its hash.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions show s4f0c…\n  \
    lockgate sessions show s4f0c… --json | jq .event")]
pub(crate) struct Show {
    /// The session
    #[arg(value_name = "SESSION")]
    session: String,
    #[command(flatten)]
    place: Place,
}

/// Answers.
pub(crate) fn run(show: &Show, terminal: Terminal) -> Outcome {
    let place = show.place.open()?;
    let row = find(&place, &show.session)?;
    place.viewed("show", Some(&row.id), "read a session")?;
    if !terminal.json {
        let who = inert(&format!("{}/{}", row.issuer, row.subject));
        let client = row.client.as_deref().map(|client| format!(" with {}", inert(client)));
        let groups = inert(&row.groups.join(", "));
        terminal.data(terminal.styled(Style::Bold, &row.id));
        terminal.data(format_args!("who         {who}{}", client.unwrap_or_default()));
        terminal.data(format_args!("groups      {groups}"));
        terminal.data(format_args!(
            "connection  {} on {}",
            inert(&row.connection),
            inert(&row.node)
        ));
        terminal.data(format_args!(
            "when        {} to {}, {}",
            moment::text(row.opened),
            moment::text(row.closed.unwrap_or(row.last)),
            state(&row)
        ));
        terminal.data(format_args!(
            "calls       {}, {} denied, {} with errors, {} bytes of answers\n",
            row.calls, row.denied, row.errors, row.bytes
        ));
        if row.erased {
            terminal.data("its content was erased");
        }
    }
    for record in place.session(&row)? {
        let (record, event) = record?;
        if terminal.json {
            terminal.data(record.line());
        } else if !matches!(event, Event::Opened(_)) {
            terminal.data(line(&record, &event));
        }
    }
    Ok(Exit::Ok)
}

/// A session's row.
///
/// # Errors
/// Where there is none, in words that say how to find one.
pub(crate) fn find(place: &Opened, session: &str) -> Result<SessionRow, Failure> {
    let row = place.ask(async |index| index.session(session).await.map_err(failed))?;
    row.ok_or_else(|| {
        let session = inert(session);
        Failure::usage_text(format_args!(
            "there is no session `{session}`; `lockgate sessions list` shows them"
        ))
    })
}
