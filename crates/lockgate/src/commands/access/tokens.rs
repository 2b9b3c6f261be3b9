//! `lockgate access tokens`: which issuers and clients mint tokens that are over a limit, from the
//! recording. What the limits would refuse is known before they do.

use lockgate_model::Timestamp;
use lockgate_store::index::{LongToken, RefusedToken};
use serde_json::json;

use crate::{
    failure::{Exit, Failure, Outcome},
    moment,
    place::Place,
    terminal::{Style, Terminal, inert},
};

/// List who mints tokens that live longer, or are older, than allowed
///
/// Under `token_limits: warn` such tokens are taken, and listed here by issuer and client. Where the
/// limits are enforced, the refused requests are.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate access tokens\n  \
    lockgate access tokens --since 7d --json")]
pub(crate) struct Tokens {
    #[command(flatten)]
    place: Place,
    /// Not before: a date, a time (RFC 3339), or how long ago: `2h`, `7d`
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = moment::parse)]
    since: Timestamp,
}

/// Answers.
pub(super) fn run(tokens: &Tokens, terminal: Terminal) -> Outcome {
    let place = tokens.place.open()?;
    let (taken, refused) = place.ask(async |index| {
        let taken = index.long_tokens(tokens.since).await.map_err(Failure::unreachable)?;
        let refused = index.refused_tokens(tokens.since).await.map_err(Failure::unreachable)?;
        Ok((taken, refused))
    })?;
    if terminal.json {
        terminal.json(&json!({ "taken": taken, "refused": refused }))?;
        return Ok(Exit::Ok);
    }
    taken.iter().for_each(|one| terminal.data(taken_line(one, terminal)));
    refused.iter().for_each(|one| terminal.data(refused_line(one, terminal)));
    if taken.is_empty() && refused.is_empty() {
        terminal.talk("no token was over a limit");
    }
    Ok(Exit::Ok)
}

fn taken_line(one: &LongToken, terminal: Terminal) -> String {
    let LongToken { limit, issuer, client, calls, subjects, last } = one;
    let client = inert(client.as_deref().unwrap_or("(no client)"));
    let counts = format!("{calls} calls of {subjects}, last {}", moment::text(*last));
    let taken = terminal.styled(Style::Good, "taken");
    format!("{taken}    {limit:<14}  {issuer}  {client}  {}", terminal.styled(Style::Dim, &counts))
}

fn refused_line(one: &RefusedToken, terminal: Terminal) -> String {
    let RefusedToken { limit, detail, requests, last } = one;
    let counts = format!("{requests} requests, last {}", moment::text(*last));
    let refused = terminal.styled(Style::Bad, "refused");
    format!("{refused}  {limit:<14}  {}  {}", inert(detail), terminal.styled(Style::Dim, &counts))
}
