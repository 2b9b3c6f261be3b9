//! `lockgate secret`: the credentials that the gateway holds in its vault. They go in, and are used; no
//! command gives one back.

mod list;
mod remove;
mod set;
mod value;

use crate::{failure::Outcome, terminal::Terminal};

/// Put credentials for servers into the vault
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate secret set staff-token --connection staff < token\n  \
    lockgate secret list")]
pub(crate) enum Command {
    /// Seal a new secret, read from standard input or a file
    Set(set::Set),
    /// Seal another value of a secret, as its next version
    Rotate(set::Rotate),
    /// List secrets and who uses them, never their values
    List(list::List),
    /// Remove a secret for good
    Remove(remove::Remove),
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Set(set) => set::run(&set, terminal),
        Command::Rotate(rotate) => set::rotate(&rotate, terminal),
        Command::List(list) => list::run(&list, terminal),
        Command::Remove(remove) => remove::run(&remove, terminal),
    }
}
