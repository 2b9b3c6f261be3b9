//! The vault as calls use it: a sealed secret fetched by name, opened, and kept for a few seconds.
//!
//! Nothing here changes a secret. What can't be had is refused, by a reason of its own, and never
//! replaced by what was had before.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use lockgate_model::{ConnectionName, Reason, Refusal, SecretName};
use lockgate_store::secrets::{SecretRow, Secrets};
use lockgate_vault::{About, KeySource, Keyring, Purpose, Sealed, Secret, VaultFault};
use tokio::time::{Instant, timeout};

/// How long a secret is used without asking the database again: a change of it takes effect within
/// this time.
const FRESH: Duration = Duration::from_secs(5);
/// Secrets that are kept open at most.
const CACHE_MAX: usize = 1_024;
/// How long the database may take.
const ASK_MAX: Duration = Duration::from_secs(5);
/// The keys are read again at most this often, where a secret names one that is not known.
const KEYS_EVERY: Duration = Duration::from_secs(1);
/// Questions to the database at a time; those for one secret wait for each other.
const TURNS: usize = 16;

/// Where sealed secrets are fetched. Nothing can be had before it is opened.
#[derive(Default)]
pub struct Vault {
    opened: OnceLock<Opened>,
    known: Mutex<HashMap<SecretName, Known>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    hasher: RandomState,
}

struct Opened {
    secrets: Arc<Secrets>,
    source: KeySource,
    keys: ArcSwap<Keyring>,
    keys_read: Mutex<Instant>,
}

/// A secret that was opened a moment ago.
#[derive(Clone)]
struct Known {
    at: Instant,
    /// The one connection that may use it.
    only: Option<String>,
    secret: Arc<Secret>,
}

impl Vault {
    /// Lets secrets be fetched from now on.
    pub fn open(&self, secrets: Arc<Secrets>, source: KeySource, keys: Keyring) {
        let (keys, keys_read) = (ArcSwap::from_pointee(keys), Mutex::new(Instant::now()));
        // The first one stays: there is one vault.
        drop(self.opened.set(Opened { secrets, source, keys, keys_read }));
    }

    /// The newest version of a secret, for this connection.
    ///
    /// # Errors
    /// [`Reason::CredentialMissing`], [`Reason::CredentialUnreachable`] and
    /// [`Reason::CredentialRefused`]; the detail names the secret only.
    pub async fn fetch(
        &self,
        connection: &ConnectionName,
        name: &SecretName,
    ) -> Result<Arc<Secret>, Refusal> {
        if let Some(known) = self.known(name) {
            return known.handed_to(connection, name);
        }
        let turn = usize::try_from(self.hasher.hash_one(name)).unwrap_or_default() % TURNS;
        let turn = match self.turns.get(turn) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        if let Some(known) = self.known(name) {
            return known.handed_to(connection, name);
        }
        let opened = self.opened.get();
        let opened = opened.ok_or_else(|| unreachable(name, "the vault is not open yet"))?;
        let known = opened.ask(name).await?;
        self.keep(name, &known);
        drop(turn);
        known.handed_to(connection, name)
    }

    /// Forgets what was opened and is not in use any more. To be called every few seconds.
    pub fn sweep(&self) {
        self.cache().retain(|_, known| known.is_fresh());
    }

    fn known(&self, name: &SecretName) -> Option<Known> {
        self.cache().get(name).filter(|known| known.is_fresh()).cloned()
    }

    fn keep(&self, name: &SecretName, known: &Known) {
        let mut cache = self.cache();
        if cache.len() >= CACHE_MAX {
            cache.retain(|_, known| known.is_fresh());
        }
        // Where that many are in use, the others are fetched each time.
        if cache.len() < CACHE_MAX || cache.contains_key(name) {
            cache.insert(name.clone(), known.clone());
        }
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<SecretName, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    async fn ask(&self, name: &SecretName) -> Result<Known, Refusal> {
        let at = Instant::now();
        let found = match timeout(ASK_MAX, self.secrets.find(name.as_str())).await {
            Ok(Ok(found)) => found,
            Ok(Err(fault)) => return Err(unreachable(name, &fault)),
            Err(_) => return Err(unreachable(name, "the vault's database does not answer")),
        };
        let Some(SecretRow { version, connection, sealed: Some(sealed), .. }) = found else {
            let detail = format!("no secret `{name}` is sealed in the vault");
            return Err(Refusal::new(Reason::CredentialMissing, detail));
        };
        let about = About {
            purpose: Purpose::Credential,
            connection: connection.as_deref(),
            name: name.as_str(),
            version,
        };
        let secret = Arc::new(self.unseal(&about, &sealed)?);
        Ok(Known { at, only: connection, secret })
    }

    fn unseal(&self, about: &About<'_>, sealed: &str) -> Result<Secret, Refusal> {
        let name = about.name;
        let sealed = Sealed::parse(sealed).map_err(|fault| refused(name, &fault))?;
        match self.keys.load().open(about, &sealed) {
            // A rotation that began after the keys were read.
            Err(VaultFault::UnknownKey { .. }) => {}
            opened => return opened.map_err(|fault| refused(name, &fault)),
        }
        self.read_keys(name)?;
        self.keys.load().open(about, &sealed).map_err(|fault| refused(name, &fault))
    }

    /// Reads the keys again, unless that was done a moment ago.
    fn read_keys(&self, name: &str) -> Result<(), Refusal> {
        let mut read = self.keys_read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.elapsed() >= KEYS_EVERY {
            let keys = self.source.read().map_err(|fault| unreachable(name, &fault))?;
            self.keys.store(Arc::new(keys));
            *read = Instant::now();
        }
        Ok(())
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }

    fn handed_to(
        self,
        connection: &ConnectionName,
        name: &SecretName,
    ) -> Result<Arc<Secret>, Refusal> {
        match self.only {
            Some(only) if only != connection.as_str() => {
                let detail = format!("the secret `{name}` is not for connection `{connection}`");
                Err(Refusal::new(Reason::CredentialRefused, detail))
            }
            _ => Ok(self.secret),
        }
    }
}

fn unreachable(name: impl std::fmt::Display, why: impl std::fmt::Display) -> Refusal {
    let detail = format!("the secret `{name}` can't be had: {why}");
    Refusal::new(Reason::CredentialUnreachable, detail)
}

fn refused(name: &str, fault: &VaultFault) -> Refusal {
    let detail = format!("the secret `{name}` does not open: {fault}");
    Refusal::new(Reason::CredentialRefused, detail)
}

#[cfg(test)]
mod tests;
