//! The command line as types. Says what can be asked; the answers are in `commands`.

use clap::{Parser, Subcommand};

use crate::commands;

/// Lockgate: the layer-7 access gateway for MCP.
///
/// Checks the OIDC token of every call, decides by group and tool, records before it forwards, and
/// shows each caller only what it may see.
///
/// Exit codes: 0 ok, 1 the answer is no, 2 usage or configuration, 3 cannot reach, 70 bug.
#[derive(Debug, Parser)]
#[command(
    name = "lockgate",
    version,
    arg_required_else_help = true,
    before_help = "Examples:\n  lockgate demo\n  lockgate serve --config lockgate.yaml"
)]
pub(crate) struct Cli {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

// Every command; each has its file under `commands`. No doc comment: it would replace the help
// above.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    Serve(commands::serve::Args),
    /// Ask the running gateway whether it serves
    Health(commands::health::Args),
    /// Check the configuration and the policies, without a network
    Check(commands::check::Args),
    /// Show what the configuration says, and from where
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Register MCP servers beside those of the configuration
    #[command(subcommand)]
    Connection(commands::connection::Command),
    /// Register connections as documents say
    Apply(commands::apply::Args),
    /// Ask and write policies
    #[command(subcommand)]
    Policy(commands::policy::Command),
    /// Say what a command would do, and test rules of your own
    #[command(subcommand)]
    Guard(commands::guard::Command),
    /// Say what an answer would look like to somebody who may not see all of it
    #[command(subcommand)]
    Mask(commands::mask::Command),
    /// Answer calls that wait for a person
    #[command(subcommand)]
    Approvals(Box<commands::approvals::Command>),
    /// Ask for access for a window of time, or take it in an emergency
    #[command(subcommand)]
    Access(Box<commands::access::Command>),
    /// Take access away at once, whatever the token says
    #[command(subcommand)]
    Revoke(Box<commands::revoke::Command>),
    /// List who has a session open now, and what for
    WhoIsIn(commands::who_is_in::WhoIsIn),
    /// Look at and accept the tools of a server
    #[command(subcommand)]
    Pins(commands::pins::Command),
    /// Put credentials for servers into the vault
    #[command(subcommand)]
    Secret(Box<commands::secret::Command>),
    /// Look after the keys under which secrets are sealed
    #[command(subcommand)]
    Vault(commands::vault::Command),
    /// Seal the data folder into one file, while the gateway runs
    Backup(commands::backup::Backup),
    /// Make a data folder out of a backup
    Restore(commands::restore::Restore),
    /// Find and read sessions
    #[command(subcommand)]
    Sessions(Box<commands::sessions::Command>),
    /// Show one session again, as it happened
    Replay(commands::replay::Replay),
    /// Read and check the recording
    #[command(subcommand)]
    Journal(commands::journal::Command),
    /// Settings for MCP clients
    #[command(subcommand)]
    Client(commands::client::Command),
    /// Walk through the story on this machine, with everything that it needs
    Demo(commands::demo::Args),
    /// Print a completion script for a shell
    Completions(commands::completions::Args),
}
