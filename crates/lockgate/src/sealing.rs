//! A value on its way into the vault: sealed as the next version of a secret, then put.
//!
//! Puts nothing on the record: whoever calls does that between the two, in their own way.

use lockgate_gateway::clock;
use lockgate_model::{SecretName, VaultChange};
use lockgate_store::secrets::{NewSecret, SecretRow};
use lockgate_vault::{About, KeyId, Purpose, Sealed, Secret};

use crate::{failure::Failure, vault::OpenVault};

/// What a secret is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    /// The one connection that may use it.
    pub(crate) connection: Option<String>,
    /// As whoever lists secrets reads it.
    pub(crate) description: String,
}

/// A version that is sealed and waits to be put.
pub(crate) struct Version {
    pub(crate) name: SecretName,
    pub(crate) number: u64,
    terms: Terms,
    key: KeyId,
    sealed: Sealed,
}

impl Version {
    /// Seals a value as the version after `before`.
    ///
    /// # Errors
    /// Where the vault can't be asked, or lacks its key.
    pub(crate) async fn seal(
        vault: &OpenVault,
        name: &SecretName,
        before: Option<&SecretRow>,
        terms: Terms,
        value: &Secret,
    ) -> Result<Self, Failure> {
        let key = vault.sealing().await?;
        let number = before.map_or(0, |row| row.version) + 1;
        let about = About {
            purpose: Purpose::Credential,
            connection: terms.connection.as_deref(),
            name: name.as_str(),
            version: number,
        };
        let sealed = vault.keys.seal(key, &about, value).map_err(Failure::unreachable)?;
        Ok(Self { name: name.clone(), number, terms, key, sealed })
    }

    /// As the record names it.
    pub(crate) fn change(&self) -> VaultChange {
        VaultChange::Set {
            secret: self.name.to_string(),
            version: self.number,
            connection: self.terms.connection.clone(),
        }
    }

    /// Puts it.
    ///
    /// # Errors
    /// Where the database can't be written, or has another version by now.
    pub(crate) async fn put(&self, vault: &OpenVault, author: &str) -> Result<(), Failure> {
        let new = NewSecret {
            name: self.name.as_str(),
            version: self.number,
            connection: self.terms.connection.as_deref(),
            sealing_key: &self.key.to_string(),
            sealed: &self.sealed.to_text(),
            description: &self.terms.description,
            author,
            now: clock::now(),
        };
        vault.secrets.put(&new).await.map_err(Failure::unreachable)
    }
}
