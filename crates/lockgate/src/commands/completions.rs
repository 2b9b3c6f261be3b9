//! `lockgate completions`: a completion script for a shell, from the command line's own types.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{
    cli::Cli,
    failure::{Exit, Outcome},
    terminal::Terminal,
};

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate completions bash > /etc/bash_completion.d/lockgate\n  \
    lockgate completions zsh > ~/.zfunc/_lockgate")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lockgate", &mut script);
    terminal.bytes(&script);
    Ok(Exit::Ok)
}
