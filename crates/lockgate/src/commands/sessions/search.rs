//! `lockgate sessions search`: calls by the words of their arguments and answers.

use lockgate_store::index::{CallRow, VerdictKind};

use super::{Which, failed};
use crate::{
    failure::{Exit, Outcome},
    moment,
    terminal::{Style, Terminal, inert},
};

/// Search calls by the words of their arguments and answers
///
/// All words must occur in one call; `"quoted words"` must follow one another; a `*` behind a word
/// takes every word that begins so. What is searched is what the client saw.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions search 'salary 2026*' --since 7d\n  \
    lockgate sessions search '\"drop table\"' --connection staff --json")]
pub(crate) struct Search {
    /// The words
    #[arg(value_name = "QUERY")]
    query: String,
    #[command(flatten)]
    which: Which,
    /// Only calls of this session
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
}

/// Answers.
pub(crate) fn run(search: &Search, terminal: Terminal) -> Outcome {
    let mut filter = search.which.filter(Some(&search.query))?;
    filter.session.clone_from(&search.session);
    let page = search.which.page()?;
    let place = search.which.place.open()?;
    place.viewed("search", search.session.as_deref(), "searched calls by words")?;
    let found = place.ask(async |index| index.calls(&filter, page).await.map_err(failed))?;
    if terminal.json {
        terminal.json(&found)?;
        return Ok(Exit::Ok);
    }
    for row in &found.rows {
        terminal.data(line(row, terminal));
    }
    if found.rows.is_empty() {
        terminal.talk("no call matches");
    }
    if let Some(next) = found.next {
        terminal.talk(format_args!("\nhint: there are more; go on with --cursor {next}"));
    }
    Ok(Exit::Ok)
}

/// A call on one line.
pub(super) fn line(row: &CallRow, terminal: Terminal) -> String {
    let verdict = match row.verdict {
        VerdictKind::Allow => terminal.styled(Style::Good, "ALLOW"),
        VerdictKind::Ask => terminal.styled(Style::Bold, "ASK  "),
        VerdictKind::Deny => terminal.styled(Style::Bad, "DENY "),
    };
    let reason = row.reason.map(|reason| format!(" {}", reason.code())).unwrap_or_default();
    let status = match row.status {
        Some(status) => format!("{status:?}").to_lowercase(),
        None if row.verdict == VerdictKind::Allow => "outcome unknown".to_owned(),
        None => String::new(),
    };
    let what = inert(format!("{} {}", row.method, row.target).trim_end());
    let who = inert(&format!("{}/{} at {}", row.issuer, row.subject, row.connection));
    let took = row.elapsed_us.map(|us| format!(" in {} ms", us / 1000)).unwrap_or_default();
    let session = row.session.as_deref().unwrap_or("-");
    format!(
        "{}  {verdict} {who}: {what}  {status}{reason}{took}  {session}",
        moment::text(row.time)
    )
}
