//! The vault beside the calls: opened as soon as it can be had, and tended.

use std::{sync::Arc, time::Duration};

use lockgate_gateway::provider::Server;
use lockgate_store::db::DbPlace;
use lockgate_vault::KeySource;
use tokio::time::sleep;
use tracing::warn;

use super::beside::{Ground, lock};
use crate::{
    failure::Failure,
    vault::{OpenFault, OpenVault},
};

/// A vault that is away is tried again this often.
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// How often what was fetched and is not in use any more is forgotten.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// Lets the gateway fetch secrets from the server of the configuration, where there is one.
///
/// # Errors
/// Where its settings can't be used.
pub(super) fn ask_at(ground: &Ground) -> Result<(), Failure> {
    if let Some(settings) = &ground.settings.vault.server {
        let wrong = |fault| Failure::usage_text(format_args!("vault.server: {fault}"));
        ground.gateway.ground.vault.ask_at(Server::new(settings).map_err(wrong)?);
    }
    Ok(())
}

/// Tries to let the gateway fetch sealed secrets.
///
/// # Errors
/// Why it can't be opened yet.
pub(super) async fn open(
    ground: &Ground,
    place: &DbPlace,
    source: &KeySource,
) -> Result<(), OpenFault> {
    let opened = OpenVault::open(place, source.clone()).await;
    *lock(&ground.parts.vault) = opened.as_ref().err().map(ToString::to_string);
    let OpenVault { secrets, source, keys } = opened?;
    ground.gateway.ground.vault.open(Arc::new(secrets), source, keys);
    Ok(())
}

/// Opens it where `first`, the first try, failed, and tends it. Runs until the gateway ends.
pub(super) async fn keep(
    ground: Ground,
    place: DbPlace,
    source: KeySource,
    first: Result<(), OpenFault>,
) {
    let mut tried = first;
    let mut known = None;
    while let Err(fault) = tried {
        let why = fault.to_string();
        if known.replace(why.clone()).as_ref() != Some(&why) {
            warn!(%why, "the vault can't be opened; it is tried again");
        }
        sleep(OPEN_EVERY).await;
        tried = open(&ground, &place, &source).await;
    }
    loop {
        sleep(TEND_EVERY).await;
        ground.gateway.ground.vault.tend().await;
    }
}
