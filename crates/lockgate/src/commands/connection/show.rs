//! `lockgate connection show`: one connection, its settings, and who made which version of it.

use lockgate_model::ConnectionName;
use serde_json::json;

use crate::{
    config::{ConfigArgs, Loaded, suggestion},
    failure::{Exit, Failure, Outcome},
    registered::{self, load_all},
    serve::runtime,
    shown::{Shown, Version},
    terminal::{Style, Terminal, inert},
};

/// Show one connection with its versions
///
/// Secrets stand in its settings by reference; a value is never shown.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate connection show staff\n  \
    lockgate connection show staff --json")]
pub(crate) struct Show {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = ConnectionName::new)]
    name: ConnectionName,
}

/// Answers.
pub(super) fn run(show: &Show, terminal: Terminal) -> Outcome {
    let loaded = load_all(&show.config)?;
    let all: Vec<Shown> = Shown::all(&loaded)?;
    let found: Vec<&Shown> = all.iter().filter(|one| one.name == show.name.as_str()).collect();
    if found.is_empty() {
        return Err(unknown(&loaded, &show.name));
    }
    let versions = versions(&loaded, &show.name)?;
    if terminal.json {
        return terminal
            .json(&json!({ "connections": found, "versions": versions }))
            .map(|()| Exit::Ok);
    }
    for one in found {
        let name = terminal.styled(Style::Bold, &inert(&one.name));
        terminal.data(format_args!("{name}  {}", one.line()));
        let settings = one.settings.as_ref().map(|tree| format!("{tree:#}")).unwrap_or_default();
        settings.lines().for_each(|line| terminal.data(inert(line)));
    }
    versions.iter().for_each(|version| terminal.data(version.line()));
    Ok(Exit::Ok)
}

/// There is no connection of this name.
pub(super) fn unknown(loaded: &Loaded, name: &ConnectionName) -> Failure {
    let known: Vec<&str> = loaded
        .settings
        .connections
        .iter()
        .map(|one| one.name.as_str())
        .chain(loaded.registered.iter().map(|one| one.row.name.as_str()))
        .collect();
    let help = match known.as_slice() {
        [] => "none is there yet; `lockgate connection add` registers one".to_owned(),
        known => suggestion(name.as_str(), known),
    };
    Failure::no(format_args!("there is no connection named `{name}`; {help}"))
}

fn versions(loaded: &Loaded, name: &ConnectionName) -> Result<Vec<Version>, Failure> {
    if loaded.registered(name.as_str()).is_none() {
        return Ok(Vec::new());
    }
    let history = registered::ask(loaded, async |connections| connections.history(name).await);
    Ok(runtime()?.block_on(history)?.into_iter().map(Version::from).collect())
}
