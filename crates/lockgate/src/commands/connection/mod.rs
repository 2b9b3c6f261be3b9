//! `lockgate connection`: the MCP servers that the gateway protects, registered beside those of the
//! configuration file.

mod add;
mod discover;
mod list;
mod remove;
mod show;
mod test;

use crate::{failure::Outcome, terminal::Terminal};

/// Register MCP servers beside those of the configuration
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate connection add staff --url https://staff.example.com/mcp --header Authorization=sealed:staff-token\n  \
    lockgate connection list")]
pub(crate) enum Command {
    /// Register a connection
    Add(Box<add::Add>),
    /// List every connection, where it comes from, and whether it is served
    List(list::List),
    /// Find MCP servers in the configurations of clients
    Discover(discover::Discover),
    /// Show one connection with its versions
    Show(show::Show),
    /// Reach a server and say what is wrong
    Test(test::Test),
    /// Remove a registered connection
    Remove(remove::Remove),
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Add(add) => add::run(&add, terminal),
        Command::List(list) => list::run(&list, terminal),
        Command::Discover(discover) => discover::run(&discover, terminal),
        Command::Show(show) => show::run(&show, terminal),
        Command::Test(test) => test::run(&test, terminal),
        Command::Remove(remove) => remove::run(&remove, terminal),
    }
}
