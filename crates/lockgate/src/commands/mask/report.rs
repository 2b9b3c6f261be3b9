//! `lockgate mask report`: a map of where sensitive data lives, from what was masked so far.

use lockgate_model::Timestamp;
use lockgate_store::index::MaskedRow;

use crate::{
    failure::{Exit, Failure, Outcome},
    moment,
    place::Place,
    terminal::{Style, Terminal, inert},
};

/// Count what was masked, by connection and by tool
///
/// Counts values by class, from the index; what policy revealed to its caller is not among them. The
/// index holds no value.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate mask report --since 7d\n  \
    lockgate mask report --connection staff --json")]
pub(crate) struct Report {
    #[command(flatten)]
    place: Place,
    /// Only this connection
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    /// Not before: a date, a time (RFC 3339), or how long ago: `2h`, `3 days`
    #[arg(long, value_name = "WHEN", value_parser = moment::parse)]
    since: Option<Timestamp>,
}

/// Answers.
pub(super) fn run(report: &Report, terminal: Terminal) -> Outcome {
    let (connection, since) = (report.connection.as_deref(), report.since);
    let place = report.place.open()?;
    let rows = place
        .ask(async |index| index.masked(connection, since).await.map_err(Failure::unreachable))?;
    if terminal.json {
        terminal.json(&rows)?;
        return Ok(Exit::Ok);
    }
    let mut last = None;
    for row in &rows {
        if last != Some(&row.connection) {
            terminal.data(terminal.styled(Style::Bold, &inert(&row.connection)));
            last = Some(&row.connection);
        }
        terminal.data(line(row));
    }
    if rows.is_empty() {
        terminal.talk("nothing was masked");
    }
    Ok(Exit::Ok)
}

fn line(row: &MaskedRow) -> String {
    let classes: Vec<String> =
        row.classes.iter().map(|(class, count)| format!("{} {count}", inert(class))).collect();
    let target = if row.target.is_empty() { "(lists and the protocol)" } else { &row.target };
    format!("  {:<28} {:>7} calls  {}", inert(target), row.calls, classes.join(", "))
}
