//! The `lockgate` binary: command line, configuration and wiring.
//!
//! Starts the other rooms and joins them; decides nothing about a call itself.

mod cli;
mod commands;
mod config;
mod demo;
mod exchange;
mod failure;
mod lines;
mod look;
mod moment;
mod offline;
mod orders;
mod passphrase;
mod place;
mod plain_http;
mod probe;
mod record;
mod registered;
mod revoked;
mod sealing;
mod serve;
mod shown;
mod terminal;
mod vault;

use std::{env, process::ExitCode};

use clap::Parser;
use lockgate_gateway::upstream::stdio::launcher;

use crate::{cli::Cli, failure::Exit, terminal::Terminal};

fn main() -> ExitCode {
    // The gateway starts its stdio servers through this. Their arguments are none of clap's.
    if env::args_os().nth(1).is_some_and(|first| first == launcher::SUBCOMMAND) {
        return launcher::main(env::args_os().skip(2));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version are data, everything else is a usage error; clap prints each to
            // its stream.
            let _ = refused.print();
            return if refused.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let terminal = Terminal::of_process(cli.json);
    match commands::run(cli.command, terminal) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            terminal.talk(format_args!("{:?}", failure.report));
            failure.exit.into()
        }
    }
}
