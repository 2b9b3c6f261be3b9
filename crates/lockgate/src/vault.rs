//! The vault as commands and the service open it: its database, its keys, and who refers to its secrets.
//!
//! Opens no sealed text; that is for the gateway, and for `lockgate vault status`, which tells only
//! whether it can be done.

use std::collections::BTreeMap;

use lockgate_gateway::{
    clock,
    secret::SecretRef,
    settings::GatewaySettings,
    vault::{KeyPlaces, KeysFault},
};
use lockgate_model::{Event, SecretName, VaultChange, VaultEvent};
use lockgate_store::{
    db::{DbFault, DbPlace},
    secrets::{SecretRow, Secrets},
};
use lockgate_vault::{KeyId, Keyring};

use crate::{config::Loaded, failure::Failure, offline, orders::Author};

/// A vault that can be asked.
pub(crate) struct OpenVault {
    /// The sealed texts.
    pub(crate) secrets: Secrets,
    /// Where the keys are.
    pub(crate) places: KeyPlaces,
    /// The keys.
    pub(crate) keys: Keyring,
}

/// Why it can't be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenFault {
    /// Its database.
    #[error("vault: {0}")]
    Db(#[from] DbFault),
    /// Its keys.
    #[error(transparent)]
    Keys(#[from] KeysFault),
}

impl OpenVault {
    /// Opens the database, then reads the keys. Before anything is sealed, a key file that is missing
    /// is made; after, that would hide that nothing can be opened any more.
    ///
    /// # Errors
    /// [`OpenFault`]
    pub(crate) async fn open(place: &DbPlace, places: KeyPlaces) -> Result<Self, OpenFault> {
        let secrets = Secrets::open(place).await?;
        let keys = match secrets.sealing_key().await? {
            None => places.read_or_create(&secrets, clock::now()).await?,
            Some(_) => places.read(&secrets).await?,
        };
        Ok(Self { secrets, places, keys })
    }

    /// As [`Self::open`], where the configuration says.
    ///
    /// # Errors
    /// As [`Self::open`], and where the reference to the database's URL leads nowhere.
    pub(crate) async fn of(loaded: &Loaded) -> Result<Self, Failure> {
        let keys = offline::vault_keys(loaded, offline::vault_providers(loaded)?);
        let place = offline::vault_place(loaded)?;
        Self::open(&place, keys).await.map_err(Failure::unreachable)
    }

    /// As [`Self::of`]; `None` where nothing was ever put into a vault, and nothing is made.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(crate) async fn existing(loaded: &Loaded) -> Result<Option<Self>, Failure> {
        let Some(secrets) = offline::existing_secrets(loaded).await? else { return Ok(None) };
        let places = offline::vault_keys(loaded, offline::vault_providers(loaded)?);
        if secrets.sealing_key().await.map_err(Failure::unreachable)?.is_none() {
            return Ok(None);
        }
        let keys = places.read(&secrets).await.map_err(Failure::unreachable)?;
        Ok(Some(Self { secrets, places, keys }))
    }

    /// The key under which everything new is sealed.
    ///
    /// # Errors
    /// Where the database can't be read, or it is not among the keys here.
    pub(crate) async fn sealing(&self) -> Result<KeyId, Failure> {
        let named = self.secrets.sealing_key().await.map_err(Failure::unreachable)?;
        let Some(named) = named else { return Ok(self.keys.newest()) };
        match KeyId::parse(&named).filter(|key| self.keys.has(*key)) {
            Some(key) => Ok(key),
            None => Err(Failure::unreachable(format_args!(
                "the vault seals under the key {named}, which is not at `{}`: a wrong key file, or \
                 one of before a rotation",
                self.places
            ))),
        }
    }
}

/// The gateways that run on this vault and do not have a key, by their names.
///
/// # Errors
/// Where the database can't be read.
pub(crate) async fn without(secrets: &Secrets, key: KeyId) -> Result<Vec<String>, DbFault> {
    let id = key.to_string();
    let nodes = secrets.nodes(clock::now()).await?.into_iter();
    Ok(nodes.filter(|node| !node.keys.contains(&id)).map(|node| node.node).collect())
}

/// Puts a change of the vault on the record, in its author's name; then does it. Where that fails, the
/// record says so too.
///
/// # Errors
/// Where it can't be recorded, and what `carry_out` says.
pub(crate) fn on_record<T>(
    author: &Author,
    change: VaultChange,
    carry_out: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    let event = |change| Event::Vault(VaultEvent { by: author.by.clone(), change });
    let failed = |failure: &Failure| event(VaultChange::Failed { why: failure.summary() });
    author.change(event(change), failed, carry_out)?
}

/// Every secret, in the order of their names.
///
/// # Errors
/// Where the database can't be read.
pub(crate) async fn rows(secrets: &Secrets) -> Result<Vec<SecretRow>, DbFault> {
    let mut rows: Vec<SecretRow> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.name.clone()).unwrap_or_default();
        let page = secrets.page(&after).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// Every secret that a connection refers to, with those connections.
pub(crate) fn references(gateway: &GatewaySettings) -> BTreeMap<SecretName, Vec<String>> {
    let mut found: BTreeMap<SecretName, Vec<String>> = BTreeMap::new();
    for connection in &gateway.connections {
        for place in connection.upstream.secrets() {
            if let SecretRef::Sealed(name) = place {
                let users = found.entry(name.clone()).or_default();
                if users.last().is_none_or(|last| *last != connection.name.as_str()) {
                    users.push(connection.name.to_string());
                }
            }
        }
    }
    found
}

/// What keeps a connection from using a secret that it refers to, one sentence each; `None` is a vault
/// that nothing was ever put into.
///
/// # Errors
/// Where the database can't be read.
pub(crate) async fn unusable(
    secrets: Option<&Secrets>,
    gateway: &GatewaySettings,
) -> Result<Vec<String>, DbFault> {
    let mut found = Vec::new();
    for (name, users) in references(gateway) {
        let row = match secrets {
            Some(secrets) => secrets.find(name.as_str()).await?,
            None => None,
        };
        let row = row.filter(|row| row.sealed.is_some());
        for user in users {
            match row.as_ref().map(|row| row.connection.as_deref()) {
                None => found.push(format!(
                    "connection `{user}` needs the secret `{name}`, which is not in the vault; \
                     `lockgate secret set {name}` puts it there"
                )),
                Some(Some(only)) if only != user => found.push(format!(
                    "connection `{user}` may not use the secret `{name}`, which is for `{only}` alone"
                )),
                Some(_) => {}
            }
        }
    }
    Ok(found)
}
