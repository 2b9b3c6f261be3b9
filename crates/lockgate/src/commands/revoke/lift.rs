//! `lockgate revoke lift`: access given back.

use serde_json::json;

use super::out::reason;
use crate::{
    config::ConfigArgs,
    failure::{Exit, Outcome},
    registered::load_all,
    revoked,
    terminal::Terminal,
};

/// Give access back
///
/// What was cut stays cut: its owners call again.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke lift r4f0c… --reason 'it was somebody else'\n  \
    lockgate revoke lift r4f0c… --reason 'incident 42 is over' --json")]
pub(crate) struct Lift {
    #[command(flatten)]
    config: ConfigArgs,
    /// The revocation, as `lockgate revoke list` shows it
    #[arg(value_name = "REVOCATION")]
    id: String,
    /// Why; it is on the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

/// Lifts it.
pub(super) fn run(lift: &Lift, terminal: Terminal) -> Outcome {
    let loaded = load_all(&lift.config)?;
    revoked::lift(&loaded, &lift.id, &lift.reason)?;
    if terminal.json {
        terminal.json(&json!({ "id": lift.id }))?;
    } else {
        terminal.data(format_args!("lifted {}", lift.id));
    }
    Ok(Exit::Ok)
}
