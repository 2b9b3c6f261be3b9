//! The vault beside the calls: opened as soon as it can be had, and tended.

use std::{sync::Arc, time::Duration};

use lockgate_gateway::{clock, vault::KeyPlaces};
use lockgate_store::db::DbPlace;
use tokio::time::sleep;
use tracing::warn;

use super::beside::{Ground, lock};
use crate::vault::{OpenFault, OpenVault};

/// A vault that is away is tried again this often.
const OPEN_EVERY: Duration = Duration::from_secs(2);
/// How often what was fetched and is not in use any more is forgotten, and this gateway announced.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// Tries to let the gateway fetch sealed secrets.
///
/// # Errors
/// Why it can't be opened yet.
pub(super) async fn open(
    ground: &Ground,
    place: &DbPlace,
    keys: &KeyPlaces,
) -> Result<(), OpenFault> {
    let opened = OpenVault::open(place, keys.clone()).await;
    *lock(&ground.parts.vault) = opened.as_ref().err().map(ToString::to_string);
    let OpenVault { secrets, places, keys } = opened?;
    ground.gateway.ground.vault.open(Arc::new(secrets), places, keys);
    Ok(())
}

/// Opens it where `first`, the first try, failed, and tends it. Runs until the gateway ends.
pub(super) async fn keep(
    ground: Ground,
    place: DbPlace,
    keys: KeyPlaces,
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
        tried = open(&ground, &place, &keys).await;
    }
    let instance = match clock::random_id() {
        Ok(instance) => instance,
        Err(refusal) => return warn!(%refusal, "the vault can't be tended"),
    };
    let (vault, node) = (&ground.gateway.ground.vault, &ground.settings.node);
    loop {
        let announced = vault.announce(&instance, node, clock::now()).await;
        *lock(&ground.parts.vault) = announced.err().map(|fault| fault.to_string());
        sleep(TEND_EVERY).await;
        vault.tend().await;
    }
}
