//! `lockgate vault`: the keys under which secrets are sealed, and whether everything opens.

mod forget;
mod rotate;
mod status;

use crate::{failure::Outcome, terminal::Terminal};

/// Look after the keys under which secrets are sealed
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate vault status\n  \
    lockgate vault rotate")]
pub(crate) enum Command {
    /// Say which keys there are, and whether every secret and grant opens; exits with 1 where one does not
    Status(status::Status),
    /// Seal under a new key from now on, and wrap everything under it
    Rotate(rotate::Rotate),
    /// Take a key that nothing is sealed under out of the key file
    Forget(forget::Forget),
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Status(status) => status::run(&status, terminal),
        Command::Rotate(rotate) => rotate::run(&rotate, terminal),
        Command::Forget(forget) => forget::run(&forget, terminal),
    }
}
