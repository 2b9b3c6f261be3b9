//! `lockgate vault forget`: a key that nothing needs any more goes.

use lockgate_model::VaultChange;
use lockgate_vault::{KeyFault, KeyId};

use crate::{
    config::{ConfigArgs, load},
    failure::{Exit, Failure, Outcome},
    orders::Author,
    serve::{process, runtime},
    terminal::Terminal,
    vault::{OpenVault, on_record, without},
};

/// Take a key that nothing is sealed under out of the key file
///
/// Backups of the database from before the rotation can't be opened without it.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate vault forget 2f0c94d1a07e5b36\n  \
    lockgate vault forget 2f0c94d1a07e5b36 --yes")]
pub(crate) struct Forget {
    #[command(flatten)]
    config: ConfigArgs,
    /// The key's id
    #[arg(value_name = "KEY", value_parser = key)]
    key: KeyId,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Takes it out.
pub(super) fn run(forget: &Forget, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load(&forget.config).map_err(Failure::usage)?;
    let (key, runtime) = (forget.key, runtime()?);
    let (vault, sealing, under) = runtime.block_on(async {
        let vault = OpenVault::existing(&loaded).await?;
        let vault = vault.ok_or_else(|| Failure::no("nothing was ever sealed in the vault"))?;
        let sealing = vault.sealing().await?;
        let counts = vault.secrets.keys().await.map_err(Failure::unreachable)?;
        let under = counts.iter().find(|(id, _)| *id == key.to_string()).map_or(0, |(_, n)| *n);
        Ok::<_, Failure>((vault, sealing, under))
    })?;
    let behind = runtime.block_on(without(&vault.secrets, sealing));
    if let [node, ..] = behind.map_err(Failure::unreachable)?.as_slice() {
        return Err(Failure::no(format_args!(
            "the gateway `{node}` does not have the key {sealing}, which seals: give it that one first"
        )));
    }
    if !vault.keys.has(key) {
        return Err(Failure::no(KeyFault::Unknown(key)));
    }
    if key == sealing || under > 0 {
        return Err(Failure::no(format_args!(
            "the key {key} is needed: {} `lockgate vault rotate` first",
            if key == sealing {
                "it seals;".to_owned()
            } else {
                format!("{under} secrets are under it;")
            }
        )));
    }
    if !forget.yes {
        let question = format!("Forget the key {key}? Backups of before are lost with it.");
        if !terminal.confirm(&question)? {
            return Ok(Exit::No);
        }
    }
    // Nothing can have been sealed under it since it was looked: only the key that seals does, and a
    // rotation never goes back.
    let change = VaultChange::ForgetKey { key: key.to_string() };
    on_record(&Author::local(&loaded), change, || {
        let forgot = runtime.block_on(vault.places.forget(&vault.secrets, key));
        forgot.map_err(Failure::unreachable)
    })?;
    if terminal.json {
        terminal.json(&serde_json::json!({ "forgot": key.to_string() }))?;
    } else {
        terminal.data(format_args!("forgot {key}"));
    }
    Ok(Exit::Ok)
}

fn key(text: &str) -> Result<KeyId, &'static str> {
    KeyId::parse(text)
        .ok_or("write the id as `lockgate vault status` shows it: 16 digits of 0-9 and a-f")
}
