//! Fetching from a real database with a real key file.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use lockgate_model::{ConnectionName, Reason, SecretName, Timestamp};
use lockgate_store::{
    db::DbPlace,
    secrets::{NewSecret, Secrets},
};
use lockgate_vault::{About, KeySource, Purpose, Secret};
use tempfile::TempDir;

use super::{AWAY, CACHE_MAX, FRESH, Found, KeyPlace, KeyPlaces, Known, Vault, sealed::KEYS_EVERY};
use crate::{provider::Providers, secret::SecretRef};

struct Rig {
    vault: Vault,
    secrets: Arc<Secrets>,
    source: KeySource,
    keys: PathBuf,
    folder: TempDir,
}

impl Rig {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = DbPlace::Sqlite(folder.path().join("vault.sqlite"));
        let secrets = Arc::new(Secrets::open(&place).await.unwrap());
        let keys = folder.path().join("vault.key");
        let source = KeySource::File(keys.clone());
        let vault = Vault::default();
        let places = KeyPlaces::new(vec![KeyPlace::file(keys.clone())], Providers::default());
        vault.open(Arc::clone(&secrets), places, source.read_or_create().unwrap());
        Self { vault, secrets, source, keys, folder }
    }

    async fn set(&self, name: &str, version: u64, connection: Option<&str>, value: &str) {
        let keys = self.source.read().unwrap();
        let about = About { purpose: Purpose::Credential, connection, name, version };
        let value = Secret::of_text(value.to_owned()).unwrap();
        let sealed = keys.seal(keys.newest(), &about, &value).unwrap();
        let new = NewSecret {
            name,
            version,
            connection,
            sealing_key: &keys.newest().to_string(),
            sealed: &sealed.to_text(),
            description: "",
            author: "local:ann",
            now: Timestamp::from_millis(0),
        };
        self.secrets.put(&new).await.unwrap();
    }

    /// The value, or the reason of the refusal.
    async fn fetch(&self, connection: &str, name: &str) -> Result<String, Reason> {
        let connection = ConnectionName::new(connection).unwrap();
        let fetched = self.vault.fetch(&connection, &sealed(name)).await;
        fetched.map(|secret| secret.expose().to_owned()).map_err(|refusal| refusal.reason)
    }
}

fn sealed(name: &str) -> SecretRef {
    SecretRef::Sealed(SecretName::new(name).unwrap())
}

async fn later(by: Duration) {
    tokio::time::sleep(by).await;
}

#[tokio::test]
async fn what_can_not_be_had_is_refused_by_name() {
    let rig = Rig::new().await;
    assert_eq!(rig.fetch("staff", "a").await, Err(Reason::CredentialMissing));
    rig.set("a", 1, None, "hunter2").await;
    rig.set("b", 1, Some("staff"), "hunter3").await;
    assert_eq!(rig.fetch("staff", "a").await.unwrap(), "hunter2");
    assert_eq!(rig.fetch("staff", "b").await.unwrap(), "hunter3");
    // From the database, and from what is known.
    for _ in 0..2 {
        assert_eq!(rig.fetch("other", "b").await, Err(Reason::CredentialRefused));
    }
    let closed = Vault::default();
    let connection = ConnectionName::new("staff").unwrap();
    let refusal = closed.fetch(&connection, &sealed("a")).await.err().unwrap();
    assert_eq!(refusal.reason, Reason::CredentialUnreachable);
    rig.secrets.close().await;
    assert_eq!(rig.fetch("staff", "c").await, Err(Reason::CredentialUnreachable));
    assert!(rig.folder.path().exists());
}

#[tokio::test]
async fn a_change_takes_effect_and_nothing_old_serves_in_its_place() {
    let rig = Rig::new().await;
    rig.set("a", 1, None, "first").await;
    assert_eq!(rig.fetch("staff", "a").await.unwrap(), "first");
    rig.set("a", 2, None, "second").await;
    later(FRESH).await;
    assert_eq!(rig.fetch("staff", "a").await.unwrap(), "second");
    rig.secrets.remove("a", 2, "local:ann", Timestamp::from_millis(1)).await.unwrap();
    rig.set("b", 1, None, "other").await;
    assert_eq!(rig.fetch("staff", "b").await.unwrap(), "other");
    rig.secrets.close().await;
    later(FRESH).await;
    assert_eq!(rig.fetch("staff", "b").await, Err(Reason::CredentialUnreachable));
    // That nobody was reached is known for a moment, too.
    rig.vault.tend().await;
    assert_eq!(rig.vault.cache().len(), 1);
    later(AWAY).await;
    rig.vault.tend().await;
    assert!(rig.vault.cache().is_empty());
}

#[tokio::test]
async fn a_rotation_beside_a_running_gateway_is_noticed() {
    let rig = Rig::new().await;
    rig.set("a", 1, None, "hunter2").await;
    let keys = rig.source.add().unwrap();
    let old = keys.ids()[0].to_string();
    rig.secrets.seal_under(&old, &keys.newest().to_string()).await.unwrap();
    rig.set("a", 2, None, "hunter3").await;
    later(KEYS_EVERY).await;
    assert_eq!(rig.fetch("staff", "a").await.unwrap(), "hunter3");
    // A key file that was lost meanwhile: neither empty nor old.
    rig.source.add().unwrap();
    let (newest, third) = (keys.newest().to_string(), rig.source.read().unwrap().newest());
    rig.secrets.seal_under(&newest, &third.to_string()).await.unwrap();
    rig.set("b", 1, None, "hunter4").await;
    fs::remove_file(&rig.keys).unwrap();
    later(KEYS_EVERY).await;
    assert_eq!(rig.fetch("staff", "b").await, Err(Reason::CredentialUnreachable));
}

#[tokio::test]
async fn not_everything_is_kept() {
    let rig = Rig::new().await;
    let known = Known {
        at: tokio::time::Instant::now(),
        found: Ok(Found { only: None, secret: Arc::new(Secret::of_text("x".into()).unwrap()) }),
    };
    for number in 0..CACHE_MAX + 9 {
        rig.vault.keep(&sealed(&format!("s{number}")), known.clone());
    }
    assert_eq!(rig.vault.cache().len(), CACHE_MAX);
}
