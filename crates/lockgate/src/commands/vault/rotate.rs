//! `lockgate vault rotate`: a new key seals, and everything is wrapped under it.
//!
//! Each step leaves every secret readable, wherever it is cut off: the new key is in the file before
//! anything is sealed under it, and the old one stays. Run again, it goes on where it was.

use std::time::{Duration, Instant};

use lockgate_gateway::{clock, vault::KeysFault};
use lockgate_model::VaultChange;
use lockgate_store::secrets::{Rewrapped, SealedOf, SealedRow};
use lockgate_vault::{KeyFault, KeyId, Sealed};
use tokio::time::sleep;

use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::{Exit, Failure, Outcome},
    orders::Author,
    serve::{process, runtime},
    terminal::Terminal,
    vault::{OpenVault, on_record, without},
};

/// How long gateways may take to have a new key: longer than one that is gone counts as one that runs.
const GATEWAYS_MAX: Duration = Duration::from_secs(25);
/// How often they are looked at.
const GATEWAYS_EVERY: Duration = Duration::from_millis(250);

/// Seal under a new key from now on, and wrap everything under it
///
/// Running gateways go on meanwhile; all of them must have the new key before it seals. Cut off at any moment, everything still opens; run it again
/// and it goes on. Keys of before stay until `lockgate vault forget`. Where somebody put a new key
/// behind the others already, as on several gateways or with keys in a variable, that one is used.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate vault rotate\n  \
    lockgate vault rotate --json")]
pub(crate) struct Rotate {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Rotates, or goes on with what was begun.
pub(super) fn run(rotate: &Rotate, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load(&rotate.config).map_err(Failure::usage)?;
    let runtime = runtime()?;
    let (mut vault, from, left) = runtime.block_on(begun(&loaded))?;
    let goes_on = left > 0;
    let to = if goes_on { from } else { runtime.block_on(next(&mut vault, from))? };
    if !goes_on {
        runtime.block_on(wait_for_gateways(&vault, to, terminal))?;
        let change = VaultChange::RotateKey { from: from.to_string(), to: to.to_string() };
        on_record(&Author::local(&loaded), change, || {
            let (from, to) = (from.to_string(), to.to_string());
            let named = runtime.block_on(vault.secrets.seal_under(&from, &to));
            named.map_err(Failure::unreachable)
        })?;
    }
    let done = runtime.block_on(async {
        let done = rewrap(&vault, to, terminal).await?;
        vault.secrets.close().await;
        Ok::<_, Failure>(done)
    })?;
    if terminal.json {
        terminal.json(&serde_json::json!({ "key": to.to_string(), "rewrapped": done }))?;
        return Ok(Exit::Ok);
    }
    terminal.data(format_args!("the key {to} seals; {done} secrets were wrapped under it"));
    for old in vault.keys.ids().into_iter().filter(|key| *key != to) {
        terminal.talk(format_args!(
            "note: nothing here needs the key {old} any more; backups of before do. `lockgate vault \
             forget {old}` takes it out"
        ));
    }
    Ok(Exit::Ok)
}

/// The vault, the key that seals, and how many secrets are not under it.
async fn begun(loaded: &Loaded) -> Result<(OpenVault, KeyId, usize), Failure> {
    let vault = OpenVault::existing(loaded).await?;
    let vault = vault.ok_or_else(|| Failure::no("nothing was ever sealed in the vault"))?;
    let sealing = vault.sealing().await?;
    let left = vault.secrets.not_under(&sealing.to_string()).await.map_err(Failure::unreachable)?;
    Ok((vault, sealing, left.len()))
}

/// The key that follows: one that is there already, or a new one.
async fn next(vault: &mut OpenVault, sealing: KeyId) -> Result<KeyId, Failure> {
    if vault.keys.newest() == sealing {
        let added = vault.places.add(&vault.secrets, clock::now()).await;
        vault.keys = added.map_err(|fault| match fault {
            KeysFault::Here(KeyFault::ReadOnly(..)) => Failure::usage_text(fault),
            _ => Failure::unreachable(fault),
        })?;
    }
    Ok(vault.keys.newest())
}

/// Waits until every gateway that runs has the key `to`: one that does not could open nothing of what is
/// sealed under it.
async fn wait_for_gateways(
    vault: &OpenVault,
    to: KeyId,
    terminal: Terminal,
) -> Result<(), Failure> {
    let (begun, mut told) = (Instant::now(), false);
    loop {
        let behind = without(&vault.secrets, to).await.map_err(Failure::unreachable)?;
        let [first, ..] = behind.as_slice() else { return Ok(()) };
        if begun.elapsed() >= GATEWAYS_MAX {
            return Err(Failure::unreachable(format_args!(
                "the gateway `{first}` does not have the key {to}, so nothing was rotated: put it \
                 there, and run this again"
            )));
        }
        if !told {
            told = true;
            terminal.talk(format_args!("waiting for {} to read the key {to}", behind.join(", ")));
        }
        sleep(GATEWAYS_EVERY).await;
    }
}

/// Wraps everything under `to`; gives how many it were.
async fn rewrap(vault: &OpenVault, to: KeyId, terminal: Terminal) -> Result<u64, Failure> {
    let key = to.to_string();
    let counts = vault.secrets.keys().await.map_err(Failure::unreachable)?;
    let total = counts.iter().filter(|(id, _)| *id != key).map(|(_, count)| count).sum();
    let bar = terminal.count_bar("wrapping", total);
    let mut done = 0;
    loop {
        let rows = vault.secrets.not_under(&key).await.map_err(Failure::unreachable)?;
        if rows.is_empty() {
            bar.finish_and_clear();
            return Ok(done);
        }
        let all = rows.iter().map(|row| again(vault, row, to, &key));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        // What somebody changed meanwhile was sealed under the new key, or is found again.
        let put = vault.secrets.rewrap(&all).await.map_err(Failure::unreachable)?;
        done += put;
        bar.inc(put);
    }
}

fn again<'a>(
    vault: &OpenVault,
    row: &'a SealedRow,
    to: KeyId,
    key: &'a str,
) -> Result<Rewrapped<'a>, Failure> {
    let sealed = Sealed::parse(&row.sealed);
    let sealed = sealed.and_then(|sealed| vault.keys.rewrap(&sealed, to)).map_err(|fault| {
        let mend = match &row.of {
            SealedOf::Secret(name) => format!("`lockgate secret rotate {name}` or `remove` it"),
            SealedOf::Grant(_) => "let its user disconnect it".to_owned(),
        };
        Failure::unreachable(format_args!(
            "{} can't be wrapped anew: {fault}; {mend}, and go on",
            row.of
        ))
    })?;
    Ok(Rewrapped { before: row, sealing_key: key, sealed: sealed.to_text() })
}
