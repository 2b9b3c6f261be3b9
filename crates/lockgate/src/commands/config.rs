//! `lockgate config`: the effective settings and their origin, and the schema for editors.

use serde::Serialize;
use serde_json::Value;

use crate::{
    config::{ConfigArgs, Entry, Settings},
    failure::{Exit, Failure, Outcome},
    registered::load_seen,
    terminal::{Style, Terminal},
};

/// Show what the configuration says, and from where
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate config show --origin\n  \
    lockgate config schema > lockgate.schema.json")]
pub(crate) enum Command {
    /// Print every effective setting
    Show(Show),
    /// Print the JSON Schema of the configuration file
    #[command(before_help = "Examples:\n  \
        lockgate config schema\n  \
        lockgate config schema > lockgate.schema.json")]
    Schema,
}

/// Print every effective setting
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate config show --origin\n  \
    LOCKGATE_LOG_LEVEL=debug lockgate config show --origin --json")]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigArgs,
    /// Say where each value came from: a flag, a variable, file and line, or default
    #[arg(long)]
    origin: bool,
}

/// A setting without its origin.
#[derive(Serialize)]
struct Plain<'a> {
    key: &'a str,
    value: &'a Value,
}

/// Answers.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Show(show) => print_settings(&show, terminal),
        Command::Schema => terminal.json(&schemars::schema_for!(Settings)).map(|()| Exit::Ok),
    }
}

fn print_settings(show: &Show, terminal: Terminal) -> Outcome {
    let loaded = load_seen(&show.config)?;
    for warning in &loaded.warnings {
        terminal.talk(format_args!("warning: {warning}"));
    }
    let entries = loaded.entries().map_err(Failure::usage)?;
    match (terminal.json, show.origin) {
        (true, true) => terminal.json(&entries)?,
        (true, false) => {
            let plain = entries.iter().map(|Entry { key, value, .. }| Plain { key, value });
            terminal.json(&plain.collect::<Vec<_>>())?;
        }
        (false, origin) => entries.iter().for_each(|entry| {
            let setting = format!("{} = {}", entry.key, entry.value);
            let from = format!("  # {}", entry.origin);
            let from = if origin { terminal.styled(Style::Dim, &from) } else { String::new() };
            terminal.data(format_args!("{setting}{from}"));
        }),
    }
    Ok(Exit::Ok)
}
