//! `lockgate revoke list`: who and what is out, and who is not any more.

use lockgate_gateway::clock;
use lockgate_model::{KeptRevocation, Revocation};

use crate::{
    config::ConfigArgs,
    failure::{Exit, Outcome},
    moment,
    registered::load_all,
    revoked,
    terminal::{Style, Terminal, inert},
};

/// List what is revoked, newest first
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate revoke list\n  \
    lockgate revoke list --all --json")]
pub(crate) struct List {
    #[command(flatten)]
    config: ConfigArgs,
    /// Also what was lifted, or ended by itself
    #[arg(long)]
    all: bool,
}

/// Answers.
pub(super) fn run(list: &List, terminal: Terminal) -> Outcome {
    let loaded = load_all(&list.config)?;
    let found = revoked::list(&loaded, (!list.all).then(clock::now))?;
    if terminal.json {
        terminal.json(&found)?;
        return Ok(Exit::Ok);
    }
    for kept in &found {
        terminal.data(line(kept, terminal));
    }
    if found.is_empty() {
        terminal.talk("nothing is revoked");
    }
    Ok(Exit::Ok)
}

fn line(kept: &KeptRevocation, terminal: Terminal) -> String {
    let Revocation { id, target, issued_until, reason, by, at, until } = &kept.revocation;
    let mut state = match (&kept.lifted, until) {
        (Some(lifted), _) => format!("lifted {} by {}", moment::text(lifted.at), lifted.by),
        (None, Some(until)) => format!("until {}", moment::text(*until)),
        (None, None) => "until it is lifted".to_owned(),
    };
    if let Some(line) = issued_until {
        state.push_str(&format!(", for tokens issued up to {}", moment::text(*line)));
    }
    let dim = terminal.styled(Style::Dim, &inert(&format!("by {by}, {state}")));
    let (target, reason) = (inert(&target.to_string()), inert(reason));
    format!("{id}  {}  {target:<32} {reason}  {dim}", moment::text(*at))
}
