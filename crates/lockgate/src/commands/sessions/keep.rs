//! `lockgate sessions hold`, `release` and `erase`: what is kept of a session.

use lockgate_model::{Event, KeptChange, KeptEvent};

use super::find;
use crate::{
    failure::{Exit, Failure, Outcome},
    orders,
    place::Place,
    terminal::{Terminal, inert},
};

/// Keep a session whatever retention says
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions hold s4f0c… --reason 'case 17'\n  \
    lockgate sessions hold s4f0c… --reason 'case 17' --json")]
pub(crate) struct Hold {
    #[command(flatten)]
    what: What,
}

/// End the hold on a session
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions release s4f0c… --reason 'case 17 is closed'\n  \
    lockgate sessions release s4f0c… --reason 'case 17 is closed' --json")]
pub(crate) struct Release {
    #[command(flatten)]
    what: What,
}

/// Destroy a session's key, so that nobody reads its content again
///
/// Works on every copy of the recording. Chain, tree and signatures still verify. There is no way
/// back.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate sessions erase s4f0c… --reason 'request 42 of its subject'\n  \
    lockgate sessions erase s4f0c… --reason 'request 42 of its subject' --yes")]
pub(crate) struct Erase {
    #[command(flatten)]
    what: What,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Which session, and why.
#[derive(Debug, clap::Args)]
struct What {
    /// The session
    #[arg(value_name = "SESSION")]
    session: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    place: Place,
}

/// Answers.
pub(crate) fn hold(hold: &Hold, terminal: Terminal) -> Outcome {
    change(&hold.what, |session| KeptChange::Hold { session }, "held", terminal)
}

/// Answers.
pub(crate) fn release(release: &Release, terminal: Terminal) -> Outcome {
    change(&release.what, |session| KeptChange::Release { session }, "released", terminal)
}

/// Answers.
pub(crate) fn erase(erase: &Erase, terminal: Terminal) -> Outcome {
    let session = inert(&erase.what.session);
    if !erase.yes {
        let question = format!("Destroy what was recorded of `{session}` for good?");
        if !terminal.confirm(&question)? {
            return Ok(Exit::No);
        }
    }
    change(&erase.what, |session| KeptChange::Erase { session }, "erased", terminal)
}

fn change(
    what: &What,
    change: impl FnOnce(String) -> KeptChange,
    done: &str,
    terminal: Terminal,
) -> Outcome {
    let place = what.place.open()?;
    let row = find(&place, &what.session)?;
    let Some(loaded) = &place.loaded else {
        return Err(Failure::usage_text("only the recording of a configuration can be changed"));
    };
    let kept = KeptEvent {
        by: orders::local_user(),
        change: change(row.id.clone()),
        reason: what.reason.clone(),
    };
    orders::carry_out(loaded, Event::Kept(kept))?;
    if terminal.json {
        terminal.json(&serde_json::json!({ "session": row.id, "change": done }))?;
    } else {
        terminal.data(format_args!("{done} {}", row.id));
    }
    Ok(Exit::Ok)
}
