//! The secrets that this gateway's own vault holds: fetched from the database, and opened.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use lockgate_model::{Reason, Refusal, SecretName};
use lockgate_store::secrets::{SecretRow, Secrets};
use lockgate_vault::{About, KeySource, Keyring, Purpose, Sealed, Secret, VaultFault};
use tokio::time::{Instant, timeout};

use super::Found;

/// How long the database may take.
const ASK_MAX: Duration = Duration::from_secs(5);
/// The keys are read again at most this often, where a secret names one that is not known.
pub(super) const KEYS_EVERY: Duration = Duration::from_secs(1);

/// An open vault.
pub(super) struct Opened {
    secrets: Arc<Secrets>,
    source: KeySource,
    keys: ArcSwap<Keyring>,
    keys_read: Mutex<Instant>,
}

impl Opened {
    pub(super) fn new(secrets: Arc<Secrets>, source: KeySource, keys: Keyring) -> Self {
        let (keys, keys_read) = (ArcSwap::from_pointee(keys), Mutex::new(Instant::now()));
        Self { secrets, source, keys, keys_read }
    }

    /// The newest version of a secret.
    ///
    /// # Errors
    /// As [`super::Vault::fetch`].
    pub(super) async fn ask(&self, name: &SecretName) -> Result<Found, Refusal> {
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
        Ok(Found { only: connection, secret })
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

pub(super) fn unreachable(name: impl std::fmt::Display, why: impl std::fmt::Display) -> Refusal {
    let detail = format!("the secret `{name}` can't be had: {why}");
    Refusal::new(Reason::CredentialUnreachable, detail)
}

fn refused(name: &str, fault: &VaultFault) -> Refusal {
    let detail = format!("the secret `{name}` does not open: {fault}");
    Refusal::new(Reason::CredentialRefused, detail)
}
