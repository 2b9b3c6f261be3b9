//! `lockgate journal key`: the public half of the key that signs tree heads.

use crate::{
    failure::{Exit, Outcome},
    place::Place,
    terminal::Terminal,
};

/// Print the public key that signs the recording
///
/// In the form of C2SP signed notes. Keep it away from this machine, and give it to `journal verify
/// --key`: then nobody who owns the data folder can put a recording of their own in its place.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal key\n  \
    lockgate journal key --folder /var/lib/lockgate > lockgate.vkey")]
pub(crate) struct Key {
    #[command(flatten)]
    place: Place,
}

/// Answers.
pub(crate) fn run(key: &Key, terminal: Terminal) -> Outcome {
    let place = key.place.open()?;
    let verifier = place.verifier()?.to_string();
    if terminal.json {
        terminal.json(&serde_json::json!({ "key": verifier }))?;
    } else {
        terminal.data(verifier);
    }
    Ok(Exit::Ok)
}
