//! The secrets that this gateway's own vault holds: fetched from the database, and opened.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use lockgate_model::{Reason, Refusal, SecretName, Timestamp};
use lockgate_store::secrets::{SecretRow, Secrets, VaultNode};
use lockgate_vault::{About, KeyId, Keyring, Purpose, Sealed, Secret, VaultFault};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use super::{
    Found,
    keys::{KeyPlaces, KeysFault},
};

/// How long the database may take.
pub(super) const ASK_MAX: Duration = Duration::from_secs(5);
/// The keys are read again at most this often, where a secret names one that is not known.
pub(super) const KEYS_EVERY: Duration = Duration::from_secs(1);

/// Keys that a server outside wraps are used for so long before it must unwrap them again: who takes
/// the vault its keys away there is heard within this time.
const WRAPPED_MAX: Duration = Duration::from_secs(300);

/// An open vault.
pub(super) struct Opened {
    pub(super) secrets: Arc<Secrets>,
    places: KeyPlaces,
    pub(super) keys: ArcSwap<Keyring>,
    keys_read: Mutex<Instant>,
}

impl Opened {
    pub(super) fn new(secrets: Arc<Secrets>, places: KeyPlaces, keys: Keyring) -> Self {
        let (keys, keys_read) = (ArcSwap::from_pointee(keys), Mutex::new(Instant::now()));
        Self { secrets, places, keys, keys_read }
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
        let secret = Arc::new(self.unseal(&about, &sealed).await?);
        Ok(Found { only: connection, secret })
    }

    /// Reads the keys again where there may be others by now, and says in the database that this gateway
    /// runs and has them.
    ///
    /// # Errors
    /// [`KeysFault`]; where other keys can't be read, those that are here were announced.
    pub(super) async fn announce(
        &self,
        instance: &str,
        node: &str,
        now: Timestamp,
    ) -> Result<(), KeysFault> {
        let read = self.renew().await;
        let keys = self.keys.load().ids().iter().map(ToString::to_string).collect();
        let node = VaultNode { instance: instance.to_owned(), node: node.to_owned(), keys };
        self.secrets.announce(&node, now).await?;
        read
    }

    async fn renew(&self) -> Result<(), KeysFault> {
        let mut read = self.keys_read.lock().await;
        if self.places.may_differ(&self.keys.load(), &self.secrets).await? {
            let begun = Instant::now();
            self.keys.store(Arc::new(self.places.read(&self.secrets).await?));
            *read = begun;
        }
        Ok(())
    }

    /// Opens a sealed text for exactly what `about` says.
    ///
    /// # Errors
    /// [`Reason::CredentialUnreachable`] and [`Reason::CredentialRefused`].
    pub(super) async fn unseal(&self, about: &About<'_>, sealed: &str) -> Result<Secret, Refusal> {
        let name = about.name;
        let sealed = Sealed::parse(sealed).map_err(|fault| refused(name, &fault))?;
        if self.places.are_wrapped() {
            self.read_keys(name, WRAPPED_MAX).await?;
        }
        match self.keys.load().open(about, &sealed) {
            // A rotation that began after the keys were read.
            Err(VaultFault::UnknownKey { .. }) => {}
            opened => return opened.map_err(|fault| refused(name, &fault)),
        }
        self.read_keys(name, KEYS_EVERY).await?;
        self.keys.load().open(about, &sealed).map_err(|fault| refused(name, &fault))
    }

    /// The key under which everything new is sealed.
    ///
    /// # Errors
    /// [`Reason::CredentialUnreachable`], also where it is not here.
    pub(super) async fn sealing_key(&self, name: &str) -> Result<KeyId, Refusal> {
        let named = timeout(ASK_MAX, self.secrets.sealing_key()).await;
        let named = named.map_err(|_| unreachable(name, "the vault's database does not answer"))?;
        let Some(named) = named.map_err(|fault| unreachable(name, fault))? else {
            return Ok(self.keys.load().newest());
        };
        let key = KeyId::parse(&named).ok_or_else(|| unreachable(name, "no key seals"))?;
        if !self.keys.load().has(key) {
            self.read_keys(name, KEYS_EVERY).await?;
        }
        let here = self.keys.load().has(key);
        here.then_some(key).ok_or_else(|| unreachable(name, format!("the key {key} is not here")))
    }

    /// Reads the keys again, unless that was done within this time.
    async fn read_keys(&self, name: &str, within: Duration) -> Result<(), Refusal> {
        let mut read = self.keys_read.lock().await;
        if read.elapsed() >= within {
            let begun = Instant::now();
            let keys = self.places.read(&self.secrets).await;
            self.keys.store(Arc::new(keys.map_err(|fault| unreachable(name, &fault))?));
            *read = begun;
        }
        Ok(())
    }
}

pub(super) fn unreachable(name: impl std::fmt::Display, why: impl std::fmt::Display) -> Refusal {
    let detail = format!("the secret `{name}` can't be had: {why}");
    Refusal::new(Reason::CredentialUnreachable, detail)
}

pub(super) fn refused(name: &str, fault: &VaultFault) -> Refusal {
    let detail = format!("the secret `{name}` does not open: {fault}");
    Refusal::new(Reason::CredentialRefused, detail)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lockgate_model::{Reason, SecretName, Timestamp};
    use lockgate_store::{
        db::DbPlace,
        secrets::{NewSecret, Secrets, WrappedKey},
    };
    use lockgate_vault::{About, Keyring, Purpose, Secret, VaultKey};
    use serde_json::json;

    use super::{Opened, WRAPPED_MAX};
    use crate::{
        provider::{Providers, Server},
        vault::{KeyPlace, KeyPlaces},
    };

    /// A server of which nobody answers at its address.
    fn away() -> Providers {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", free.local_addr().unwrap());
        let login = json!({ "token": "file:/etc/hostname" });
        let settings = json!({ "url": url, "allow_private": true, "login": login });
        let server = Server::new(&serde_json::from_value(settings).unwrap()).unwrap();
        Providers { server: Some(Arc::new(server)), aws: None }
    }

    #[tokio::test]
    async fn wrapped_keys_are_not_used_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let place = DbPlace::Sqlite(folder.path().join("vault.sqlite"));
        let secrets = Arc::new(Secrets::open(&place).await.unwrap());
        let key = VaultKey::random().unwrap();
        let wrapped = WrappedKey {
            id: key.id().to_string(),
            place: "transit:lockgate".into(),
            number: 1,
            wrapped: "vault:v1:".into(),
        };
        secrets.add_wrapped_key(&wrapped, Timestamp::from_millis(0)).await.unwrap();
        let keys = Keyring::of(vec![key]).unwrap();
        let about = About { purpose: Purpose::Credential, connection: None, name: "a", version: 1 };
        let sealed = keys.seal(keys.newest(), &about, &Secret::of_text("hunter2".into()).unwrap());
        let new = NewSecret {
            name: "a",
            version: 1,
            connection: None,
            sealing_key: &keys.newest().to_string(),
            sealed: &sealed.unwrap().to_text(),
            description: "",
            author: "local:ann",
            now: Timestamp::from_millis(0),
        };
        secrets.put(&new).await.unwrap();
        let places = vec![KeyPlace::parse("transit:lockgate").unwrap()];
        let opened = Opened::new(secrets, KeyPlaces::new(places, away()), keys);
        let name = SecretName::new("a").unwrap();
        assert_eq!(opened.ask(&name).await.unwrap().secret.expose(), "hunter2");
        *opened.keys_read.lock().await -= WRAPPED_MAX;
        let refusal = opened.ask(&name).await.err().unwrap();
        assert_eq!(refusal.reason, Reason::CredentialUnreachable);
        assert!(refusal.detail.contains("`transit:lockgate` can't be had"), "{}", refusal.detail);
    }
}
