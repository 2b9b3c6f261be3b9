//! `lockgate journal`: the recording itself: read, checked, and given out as evidence.

mod bundle;
mod export;
mod key;
mod reindex;
mod show;
mod verify;

use crate::{failure::Outcome, terminal::Terminal};

/// Read and check the recording
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate journal show --last 20\n  \
    lockgate journal verify --heads heads-kept-elsewhere.txt")]
pub(crate) enum Command {
    /// Print what happened, oldest first
    Show(show::Show),
    /// Check that nothing is missing or changed, without a network
    Verify(verify::Verify),
    /// Write one session as an evidence file
    Bundle(bundle::Bundle),
    /// Write the recording in a form that other tools read
    Export(export::Export),
    /// Make the index again from the recording
    Reindex(reindex::Reindex),
    /// Print the public key that signs the recording
    Key(key::Key),
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Show(show) => show::run(&show, terminal),
        Command::Verify(verify) => verify::run(&verify, terminal),
        Command::Bundle(bundle) => bundle::run(&bundle, terminal),
        Command::Export(export) => export::run(&export, terminal),
        Command::Reindex(reindex) => reindex::run(&reindex, terminal),
        Command::Key(key) => key::run(&key, terminal),
    }
}
