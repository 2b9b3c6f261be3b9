//! `lockgate secret list`: names, versions, authors, times and users of secrets. Never a value, which it
//! does not even have.

use lockgate_model::SecretName;
use serde::Serialize;

use crate::{
    config::ConfigArgs,
    failure::{Exit, Failure, Outcome},
    moment, offline,
    registered::load_all,
    serve::runtime,
    terminal::{Style, Terminal, inert},
    vault,
};

/// List secrets and who uses them, never their values
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate secret list\n  \
    lockgate secret list --json")]
pub(crate) struct List {
    #[command(flatten)]
    config: ConfigArgs,
}

/// A secret as it is shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    version: u64,
    /// The one connection that may use it.
    connection: Option<String>,
    /// Those that refer to it.
    used_by: Vec<String>,
    description: String,
    author: String,
    created: String,
    updated: String,
}

/// Answers.
pub(super) fn run(list: &List, terminal: Terminal) -> Outcome {
    let loaded = load_all(&list.config)?;
    let users = vault::references(&loaded.gateway);
    let rows = runtime()?.block_on(async {
        let Some(secrets) = offline::existing_secrets(&loaded).await? else {
            return Ok(Vec::new());
        };
        vault::rows(&secrets).await.map_err(Failure::unreachable)
    })?;
    let shown: Vec<Shown> = rows
        .into_iter()
        .map(|row| {
            let used_by =
                SecretName::new(&row.name).ok().and_then(|name| users.get(&name).cloned());
            Shown {
                version: row.version,
                connection: row.connection,
                used_by: used_by.unwrap_or_default(),
                description: row.description,
                author: row.author,
                created: moment::text(row.created),
                updated: moment::text(row.updated),
                name: row.name,
            }
        })
        .collect();
    if terminal.json {
        return terminal.json(&shown).map(|()| Exit::Ok);
    }
    if shown.is_empty() {
        terminal.talk("no secret is in the vault");
    }
    for one in &shown {
        terminal.data(line(one, terminal));
    }
    Ok(Exit::Ok)
}

fn line(one: &Shown, terminal: Terminal) -> String {
    let Shown { name, version, author, updated, .. } = one;
    let only = one.connection.iter().map(|only| format!("for {only} alone"));
    let used = if one.used_by.is_empty() {
        "used by no connection".to_owned()
    } else {
        format!("used by {}", one.used_by.join(", "))
    };
    let about = (!one.description.is_empty()).then(|| format!("“{}”", one.description));
    let rest: Vec<String> = only.chain([used]).chain(about).collect();
    let head = format!("{}  v{version}", inert(name));
    let head = terminal.styled(Style::Bold, &head);
    format!("{head}  {updated}  by {}  {}", inert(author), inert(&rest.join("; ")))
}
