//! `lockgate connection list`: both sources as one list.

use crate::{
    config::ConfigArgs,
    failure::{Exit, Outcome},
    registered::load_all,
    shown::Shown,
    terminal::{Style, Terminal, inert},
};

/// List every connection, where it comes from, and whether it is served
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate connection list\n  \
    lockgate connection list --json")]
pub(crate) struct List {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Answers.
pub(super) fn run(list: &List, terminal: Terminal) -> Outcome {
    let loaded = load_all(&list.config)?;
    let all = Shown::all(&loaded)?;
    if terminal.json {
        return terminal.json(&all).map(|()| Exit::Ok);
    }
    if all.is_empty() {
        terminal.talk("there is no connection; `lockgate connection add` registers one");
    }
    for one in &all {
        let name = terminal.styled(Style::Bold, &inert(&one.name));
        terminal.data(format_args!("{name}  {}", one.line()));
    }
    Ok(Exit::Ok)
}
