//! The vault as calls use it: a secret fetched by its reference, from our own vault or from a server
//! outside, and kept for a few seconds.
//!
//! Nothing here changes a secret. What can't be had is refused, by a reason of its own, and never
//! replaced by what was had before.

mod grants;
mod keys;
mod sealed;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

pub(crate) use grants::{Fresh, Holder, KeptGrant};
pub use keys::{KEYS_WANTED, KeyPlace, KeyPlaces, KeysFault};
use lockgate_model::{ConnectionName, Reason, Refusal, Timestamp};
use lockgate_store::secrets::Secrets;
use lockgate_vault::{Keyring, Secret};
use sealed::{Opened, unreachable};
use tokio::time::Instant;

use crate::{
    provider::{ProviderFault, Providers},
    secret::SecretRef,
};

/// How long a secret is used without asking again where it is kept: a change of it takes effect within
/// this time.
const FRESH: Duration = Duration::from_secs(5);
/// Where a secret is kept by somebody who can't be reached, nobody else asks for it within this time.
const AWAY: Duration = Duration::from_secs(1);
/// Secrets that are kept open at most.
const CACHE_MAX: usize = 1_024;
/// Questions at a time; those for one secret wait for each other.
const TURNS: usize = 16;

/// Where secrets are fetched. Nothing sealed can be had before it is opened.
#[derive(Default)]
pub struct Vault {
    opened: OnceLock<Opened>,
    providers: OnceLock<Providers>,
    known: Mutex<HashMap<SecretRef, Known>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

/// What was found a moment ago: a secret, or nobody who has it.
#[derive(Clone)]
struct Known {
    /// When it was asked for; where nobody was reached, when that was known.
    at: Instant,
    found: Result<Found, Refusal>,
}

/// A secret that was found.
#[derive(Clone)]
struct Found {
    /// The one connection that may use it.
    only: Option<String>,
    secret: Arc<Secret>,
}

impl Vault {
    /// Lets sealed secrets be fetched from now on.
    pub fn open(&self, secrets: Arc<Secrets>, places: KeyPlaces, keys: Keyring) {
        // The first one stays: there is one vault.
        drop(self.opened.set(Opened::new(secrets, places, keys)));
    }

    /// Lets secrets be fetched from these from now on.
    pub fn ask_at(&self, providers: Providers) {
        // The first ones stay: they are told once.
        drop(self.providers.set(providers));
    }

    /// The newest version of a secret, for this connection.
    ///
    /// # Errors
    /// [`Reason::CredentialMissing`], [`Reason::CredentialUnreachable`] and
    /// [`Reason::CredentialRefused`]; [`Reason::CredentialUnavailable`] as [`SecretRef::resolve`]. The
    /// detail names the reference only.
    pub async fn fetch(
        &self,
        connection: &ConnectionName,
        place: &SecretRef,
    ) -> Result<Arc<Secret>, Refusal> {
        if let Some(found) = self.known(place) {
            return found?.handed_to(connection, place);
        }
        let turn = usize::try_from(self.hasher.hash_one(place)).unwrap_or_default() % TURNS;
        let _turn = match self.turns.get(turn) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if let Some(found) = self.known(place) {
            return found?.handed_to(connection, place);
        }
        let begun = Instant::now();
        let found = self.ask(place).await;
        match &found {
            Ok(_) => self.keep(place, Known { at: begun, found: found.clone() }),
            // Those who waited for their turn behind a silent server are not kept waiting one by one.
            Err(refusal) if refusal.reason == Reason::CredentialUnreachable => {
                self.keep(place, Known { at: Instant::now(), found: found.clone() });
            }
            Err(_) => {}
        }
        found?.handed_to(connection, place)
    }

    /// Forgets what was found and is not in use any more, and keeps the session at the server alive. To
    /// be called every few seconds.
    pub async fn tend(&self) {
        self.cache().retain(|_, known| known.is_fresh());
        if let Some(providers) = self.providers.get() {
            providers.tend().await;
        }
    }

    /// Says to whoever rotates the vault's key that this gateway runs, and which keys it has. To be called
    /// every 5 s; nothing happens before the vault is open.
    ///
    /// # Errors
    /// [`KeysFault`]
    pub async fn announce(
        &self,
        instance: &str,
        node: &str,
        now: Timestamp,
    ) -> Result<(), KeysFault> {
        match self.opened.get() {
            Some(opened) => opened.announce(instance, node, now).await,
            None => Ok(()),
        }
    }

    async fn ask(&self, place: &SecretRef) -> Result<Found, Refusal> {
        match place {
            SecretRef::Sealed(name) => {
                let opened = self.opened.get();
                let opened =
                    opened.ok_or_else(|| unreachable(name, "the vault is not open yet"))?;
                opened.ask(name).await
            }
            SecretRef::Kept(_) | SecretRef::Aws(_) => self.ask_outside(place).await,
            SecretRef::Env(_) | SecretRef::File(_) => {
                place.resolve().map(|secret| Found { only: None, secret: Arc::new(secret) })
            }
        }
    }

    async fn ask_outside(&self, place: &SecretRef) -> Result<Found, Refusal> {
        let fault = match self.providers.get() {
            None => ProviderFault::Unreachable("nobody outside was named yet".to_owned()),
            Some(providers) => match providers.read(place).await {
                Ok(secret) => return Ok(Found { only: None, secret: Arc::new(secret) }),
                Err(fault) => fault,
            },
        };
        let reason = match fault {
            ProviderFault::Unreachable(_) => Reason::CredentialUnreachable,
            ProviderFault::Missing(_) => Reason::CredentialMissing,
            ProviderFault::Refused(_) => Reason::CredentialRefused,
        };
        Err(Refusal::new(reason, format!("`{place}` can't be had: {fault}")))
    }

    fn known(&self, place: &SecretRef) -> Option<Result<Found, Refusal>> {
        let cache = self.cache();
        cache.get(place).filter(|known| known.is_fresh()).map(|known| known.found.clone())
    }

    fn keep(&self, place: &SecretRef, known: Known) {
        let mut cache = self.cache();
        if cache.len() >= CACHE_MAX {
            cache.retain(|_, known| known.is_fresh());
        }
        // Where that many are in use, the others are fetched each time.
        if cache.len() < CACHE_MAX || cache.contains_key(place) {
            cache.insert(place.clone(), known);
        }
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<SecretRef, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < if self.found.is_ok() { FRESH } else { AWAY }
    }
}

impl Found {
    fn handed_to(
        self,
        connection: &ConnectionName,
        place: &SecretRef,
    ) -> Result<Arc<Secret>, Refusal> {
        match self.only {
            Some(only) if only != connection.as_str() => {
                let detail = format!("the secret `{place}` is not for connection `{connection}`");
                Err(Refusal::new(Reason::CredentialRefused, detail))
            }
            _ => Ok(self.secret),
        }
    }
}
