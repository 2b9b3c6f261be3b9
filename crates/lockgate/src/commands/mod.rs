//! One file a command. Each reads what it needs, answers, and returns how it went.
//!
//! No command prints but through the terminal it is given.

pub(crate) mod access;
mod api;
pub(crate) mod apply;
pub(crate) mod approvals;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod client;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connection;
pub(crate) mod demo;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod journal;
pub(crate) mod mask;
pub(crate) mod pins;
pub(crate) mod policy;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod revoke;
pub(crate) mod secret;
pub(crate) mod serve;
pub(crate) mod sessions;
pub(crate) mod vault;
pub(crate) mod who_is_in;

use crate::{cli::Command, failure::Outcome, terminal::Terminal};

/// Runs one command to its end.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(&args, terminal),
        Command::Health(args) => health::run(&args, terminal),
        Command::Check(args) => check::run(&args, terminal),
        Command::Config(command) => config::run(command, terminal),
        Command::Connection(command) => connection::run(command, terminal),
        Command::Apply(args) => apply::run(&args, terminal),
        Command::Policy(command) => policy::run(command, terminal),
        Command::Guard(command) => guard::run(command, terminal),
        Command::Mask(command) => mask::run(command, terminal),
        Command::Approvals(command) => approvals::run(*command, terminal),
        Command::Access(command) => access::run(*command, terminal),
        Command::Revoke(command) => revoke::run(*command, terminal),
        Command::WhoIsIn(args) => who_is_in::run(&args, terminal),
        Command::Pins(command) => pins::run(command, terminal),
        Command::Secret(command) => secret::run(*command, terminal),
        Command::Vault(command) => vault::run(command, terminal),
        Command::Journal(command) => journal::run(command, terminal),
        Command::Backup(args) => backup::run(&args, terminal),
        Command::Restore(args) => restore::run(&args, terminal),
        Command::Sessions(command) => sessions::run(*command, terminal),
        Command::Replay(args) => replay::run(&args, terminal),
        Command::Client(command) => client::run(&command, terminal),
        Command::Demo(args) => demo::run(&args, terminal),
        Command::Completions(args) => completions::run(&args, terminal),
    }
}
