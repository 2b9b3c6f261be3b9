//! `lockgate journal bundle`: one session with its proofs, in a file of its own.

use std::path::PathBuf;

use lockgate_store::journal;

use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    terminal::Terminal,
};

/// Write one session as an evidence file
///
/// Holds the session's records, a proof for each, and the signed tree head that they lead to.
/// `lockgate journal verify --bundle FILE` checks it anywhere, without the rest of the recording.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal bundle s4f0c… --out evidence.json\n  \
    lockgate journal bundle s4f0c… > evidence.json")]
pub(crate) struct Bundle {
    #[command(flatten)]
    place: Place,
    /// The session
    #[arg(value_name = "SESSION")]
    session: String,
    /// Write to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Answers.
pub(crate) fn run(bundle: &Bundle, terminal: Terminal) -> Outcome {
    let place = bundle.place.open()?;
    let gathered = journal::Bundle::gather(
        &place.journal,
        &place.keys,
        place.elsewhere.as_ref(),
        &bundle.session,
    )
    .map_err(Failure::unreachable)?;
    place.viewed("bundle", Some(&bundle.session), "wrote an evidence file")?;
    let text = serde_json::to_string(&gathered).map_err(Failure::bug)?;
    match &bundle.out {
        Some(file) => {
            crate::place::write_private(file, text.as_bytes()).map_err(|error| {
                Failure::unreachable(format_args!("can't write `{}`: {error}", file.display()))
            })?;
            terminal.talk(format_args!("wrote `{}`", file.display()));
        }
        None => terminal.data(text),
    }
    Ok(Exit::Ok)
}
