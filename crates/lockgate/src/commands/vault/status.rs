//! `lockgate vault status`: the keys, and whether every secret and every user's grant opens.

use lockgate_gateway::provider::Providers;
use lockgate_store::secrets::{GrantOf, GrantRow, SealedOf, SecretRow, Secrets};
use lockgate_vault::{About, KeyId, Keyring, Purpose, Sealed};
use serde::Serialize;

use crate::{
    config::ConfigArgs,
    failure::{Exit, Failure, Outcome},
    offline,
    registered::load_all,
    serve::{process, runtime},
    terminal::{Style, Terminal},
    vault::{OpenVault, unusable, without},
};

/// Say which keys there are, and whether every secret and grant opens; exits with 1 where one does not
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate vault status\n  \
    lockgate vault status --json")]
pub(crate) struct Status {
    #[command(flatten)]
    config: ConfigArgs,
}

/// What there is to say.
#[derive(Serialize)]
struct Report {
    /// Where the keys are.
    keys_at: String,
    /// The keys, the oldest first.
    keys: Vec<Key>,
    /// Secrets in the vault.
    secrets: u64,
    /// Those that still are to be wrapped under the key that seals.
    to_rewrap: u64,
    /// What is wrong, one sentence each.
    wrong: Vec<String>,
}

#[derive(Serialize)]
struct Key {
    id: String,
    /// Whether everything new is sealed under it.
    seals: bool,
    /// Whether it is there, or only named by sealed texts.
    present: bool,
    secrets: u64,
}

/// Answers.
pub(super) fn run(status: &Status, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load_all(&status.config)?;
    let report = runtime()?.block_on(async {
        let vault = OpenVault::existing(&loaded).await?;
        let mut report = match &vault {
            Some(vault) => report(vault).await?,
            None => Report::nothing(offline::vault_keys(&loaded, Providers::default()).to_string()),
        };
        let secrets = vault.as_ref().map(|vault| &vault.secrets);
        let unusable = unusable(secrets, &loaded.gateway).await;
        report.wrong.extend(unusable.map_err(Failure::unreachable)?);
        Ok::<_, Failure>(report)
    })?;
    let exit = if report.wrong.is_empty() { Exit::Ok } else { Exit::No };
    if terminal.json {
        return terminal.json(&report).map(|()| exit);
    }
    print(&report, terminal);
    Ok(exit)
}

impl Report {
    /// Nothing was ever sealed.
    const fn nothing(keys_at: String) -> Self {
        Self { keys_at, keys: Vec::new(), secrets: 0, to_rewrap: 0, wrong: Vec::new() }
    }
}

async fn report(vault: &OpenVault) -> Result<Report, Failure> {
    let counts = vault.secrets.keys().await.map_err(Failure::unreachable)?;
    let named = vault.secrets.sealing_key().await.map_err(Failure::unreachable)?;
    let sealing = named.unwrap_or_else(|| vault.keys.newest().to_string());
    let key = |id: &str, present| Key {
        id: id.to_owned(),
        seals: id == sealing,
        present,
        secrets: counts.iter().find(|(key, _)| key == id).map_or(0, |(_, count)| *count),
    };
    let ids: Vec<String> = vault.keys.ids().iter().map(ToString::to_string).collect();
    let mut keys: Vec<Key> = ids.iter().map(|id| key(id, true)).collect();
    let named = counts.iter().map(|(id, _)| id).chain([&sealing]);
    for id in named.filter(|id| !ids.contains(id)) {
        if !keys.iter().any(|key| key.id == *id) {
            keys.push(key(id, false));
        }
    }
    let secrets = counts.iter().map(|(_, count)| count).sum();
    let to_rewrap = keys.iter().filter(|key| !key.seals).map(|key| key.secrets).sum();
    let mut wrong = unopened(&vault.secrets, &vault.keys).await?;
    wrong.extend(unopened_grants(&vault.secrets, &vault.keys).await?);
    if let Some(key) = KeyId::parse(&sealing) {
        let behind = without(&vault.secrets, key).await.map_err(Failure::unreachable)?;
        let words = |node| format!("the gateway `{node}` does not have the key {key}, which seals");
        wrong.extend(behind.into_iter().map(words));
    }
    Ok(Report { keys_at: vault.places.to_string(), keys, secrets, to_rewrap, wrong })
}

/// Opens every secret, and says which do not.
async fn unopened(secrets: &Secrets, keys: &Keyring) -> Result<Vec<String>, Failure> {
    let (mut after, mut wrong) = (String::new(), Vec::new());
    loop {
        let page = secrets.page(&after).await.map_err(Failure::unreachable)?;
        let Some(last) = page.last() else { return Ok(wrong) };
        after.clone_from(&last.name);
        wrong.extend(page.iter().filter_map(|row| fault(row, keys)));
    }
}

/// Opens every grant of a user, and says which do not.
async fn unopened_grants(secrets: &Secrets, keys: &Keyring) -> Result<Vec<String>, Failure> {
    let (mut after, mut wrong) = (None, Vec::new());
    loop {
        let page = secrets.grants_after(after.as_ref()).await.map_err(Failure::unreachable)?;
        wrong.extend(page.iter().filter_map(|(of, row)| grant_fault(of, row, keys)));
        let Some((last, _)) = page.into_iter().last() else { return Ok(wrong) };
        after = Some(last);
    }
}

fn fault(row: &SecretRow, keys: &Keyring) -> Option<String> {
    let about = About {
        purpose: Purpose::Credential,
        connection: row.connection.as_deref(),
        name: &row.name,
        version: row.version,
    };
    let sealed = Sealed::parse(row.sealed.as_deref()?);
    let opened = sealed.and_then(|sealed| keys.open(&about, &sealed));
    opened.err().map(|fault| format!("the secret `{}` does not open: {fault}", row.name))
}

fn grant_fault(of: &GrantOf, row: &GrantRow, keys: &Keyring) -> Option<String> {
    let name = of.name_at(&row.place);
    let connection = Some(of.connection.as_str());
    let about = About { purpose: Purpose::Grant, connection, name: &name, version: row.version };
    let sealed = Sealed::parse(row.sealed.as_deref()?);
    let opened = sealed.and_then(|sealed| keys.open(&about, &sealed));
    opened.err().map(|fault| format!("{} does not open: {fault}", SealedOf::Grant(of.clone())))
}

fn print(report: &Report, terminal: Terminal) {
    terminal.data(format_args!("keys at {}", report.keys_at));
    for Key { id, seals, present, secrets } in &report.keys {
        let what = match (seals, present) {
            (true, true) => "seals",
            (false, true) => "opens only",
            (_, false) => "MISSING",
        };
        terminal.data(format_args!("  {id}  {what}, {secrets} secrets under it"));
    }
    terminal.data(format_args!("{} secrets", report.secrets));
    if report.to_rewrap > 0 {
        terminal.talk(format_args!(
            "note: {} secrets are still under a key of before; `lockgate vault rotate` goes on",
            report.to_rewrap
        ));
    }
    for wrong in &report.wrong {
        terminal.data(terminal.styled(Style::Bad, wrong));
    }
    if report.wrong.is_empty() {
        terminal.data(terminal.styled(Style::Good, "every secret opens, and none is missing"));
    }
}
