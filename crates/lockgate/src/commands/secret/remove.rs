//! `lockgate secret remove`: a sealed text goes for good.

use lockgate_gateway::clock;
use lockgate_model::{SecretName, VaultChange};

use super::set::unknown;
use crate::{
    config::ConfigArgs,
    failure::{Exit, Failure, Outcome},
    offline,
    orders::Author,
    registered::load_all,
    serve::runtime,
    terminal::Terminal,
    vault::{on_record, references},
};

/// Remove a secret for good
///
/// Connections that refer to it are refused within 5 s. Its name and the count of its versions stay,
/// so that no copy of an old version can take the place of a new one.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate secret remove staff-token\n  \
    lockgate secret remove staff-token --yes")]
pub(crate) struct Remove {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = SecretName::new)]
    name: SecretName,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Removes it.
pub(super) fn run(remove: &Remove, terminal: Terminal) -> Outcome {
    let loaded = load_all(&remove.config)?;
    let (name, runtime) = (&remove.name, runtime()?);
    let found = runtime.block_on(async {
        let Some(secrets) = offline::existing_secrets(&loaded).await? else { return Ok(None) };
        let row = secrets.find(name.as_str()).await.map_err(Failure::unreachable)?;
        let live = row.filter(|row| row.sealed.is_some());
        Ok::<_, Failure>(live.map(|row| (secrets, row.version)))
    })?;
    let Some((secrets, version)) = found else { return Err(unknown(name)) };
    let users = references(&loaded.gateway).remove(name).unwrap_or_default();
    if !remove.yes {
        let question = if users.is_empty() {
            format!("Remove the secret `{name}` for good?")
        } else {
            format!("Remove the secret `{name}`, which {} use, for good?", users.join(", "))
        };
        if !terminal.confirm(&question)? {
            return Ok(Exit::No);
        }
    }
    let change = VaultChange::Remove { secret: name.to_string(), version };
    let author = Author::local(&loaded);
    on_record(&author, change, || {
        runtime.block_on(async {
            let removed = secrets.remove(name.as_str(), version, &author.by, clock::now()).await;
            removed.map_err(Failure::unreachable)?;
            secrets.close().await;
            Ok(())
        })
    })?;
    for user in &users {
        terminal.talk(format_args!("note: connection `{user}` still refers to it, and is refused"));
    }
    if terminal.json {
        terminal.json(&serde_json::json!({ "name": name, "version": version }))?;
    } else {
        terminal.data(format_args!("removed {name}"));
    }
    Ok(Exit::Ok)
}
