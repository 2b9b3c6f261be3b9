//! Secrets and keys that somebody outside keeps: HashiCorp Vault or OpenBao over its HTTP API, and AWS's
//! Secrets Manager and KMS.
//!
//! Asks, and gives what it was answered; what is kept for how long is the vault's business. Goes through
//! `egress` only, follows no redirect, and quotes nothing of an answer.

mod aws;
mod login;
mod server;
mod settings;
mod transit;
mod wire;

use std::{fmt, sync::Arc};

pub use aws::{Aws, AwsSettings};
use lockgate_vault::{KeyId, Secret, VaultKey};
pub use server::Server;
pub use settings::{AppRole, Kubernetes, LoginSettings, ServerSettings};

use crate::secret::{AwsSecret, Kept, SecretRef};

/// Everybody outside who can be asked.
#[derive(Clone, Default)]
pub struct Providers {
    /// `vault.server`.
    pub server: Option<Arc<Server>>,
    /// `vault.aws`.
    pub aws: Option<Arc<Aws>>,
}

/// A key that never leaves whoever keeps it, and wraps the vault's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrappingKey {
    /// In the transit engine of `vault.server`.
    Transit {
        /// Where the engine is mounted.
        mount: String,
        /// The key there.
        name: String,
    },
    /// In the KMS of `vault.aws`: the key's id or ARN, or `alias/NAME` or its ARN.
    Kms(String),
}

/// Why something can't be had. The words name places, never values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFault {
    /// No connection, no answer in time, or one that says to try later.
    #[error("{0}")]
    Unreachable(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// It may not be read, or nobody may log in.
    #[error("{0}")]
    Refused(String),
}

impl Providers {
    /// What a reference leads to.
    ///
    /// # Errors
    /// [`ProviderFault`]; [`ProviderFault::Missing`] also for a place that is not outside.
    pub async fn read(&self, place: &SecretRef) -> Result<Secret, ProviderFault> {
        match place {
            SecretRef::Kept(kept) => self.server()?.read(kept).await,
            SecretRef::Aws(secret) => self.aws()?.read(secret).await,
            SecretRef::Env(_) | SecretRef::File(_) | SecretRef::Sealed(_) => {
                Err(ProviderFault::Missing("nobody outside keeps it".to_owned()))
            }
        }
    }

    /// Has a key wrapped.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub async fn wrap(&self, under: &WrappingKey, key: &VaultKey) -> Result<String, ProviderFault> {
        match under {
            WrappingKey::Transit { mount, name } => self.server()?.wrap(mount, name, key).await,
            WrappingKey::Kms(name) => self.aws()?.wrap(name, key).await,
        }
    }

    /// Has the key of this id unwrapped.
    ///
    /// # Errors
    /// [`ProviderFault`]; [`ProviderFault::Refused`] also where what comes back is another key.
    pub async fn unwrap(
        &self,
        under: &WrappingKey,
        id: KeyId,
        wrapped: &str,
    ) -> Result<VaultKey, ProviderFault> {
        match under {
            WrappingKey::Transit { mount, name } => {
                self.server()?.unwrap(mount, name, id, wrapped).await
            }
            WrappingKey::Kms(name) => self.aws()?.unwrap(name, id, wrapped).await,
        }
    }

    /// Keeps sessions alive. To be called every few seconds.
    pub async fn tend(&self) {
        if let Some(server) = &self.server {
            server.tend().await;
        }
    }

    fn server(&self) -> Result<&Server, ProviderFault> {
        let none = || ProviderFault::Unreachable("there is no `vault.server`".to_owned());
        self.server.as_deref().ok_or_else(none)
    }

    fn aws(&self) -> Result<&Aws, ProviderFault> {
        let none = || ProviderFault::Unreachable("there is no `vault.aws`".to_owned());
        self.aws.as_deref().ok_or_else(none)
    }
}

impl WrappingKey {
    /// Reads `transit:NAME`, `transit:MOUNT/NAME` or `kms:KEY`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("transit:") {
            let (mount, name) = path.rsplit_once('/').unwrap_or(("transit", path));
            // As plain as the paths of references.
            Kept::parse(&format!("{mount}/{name}#key"))?;
            return Some(Self::Transit { mount: mount.to_owned(), name: name.to_owned() });
        }
        let key = AwsSecret::parse(text.strip_prefix("kms:")?)?;
        key.field.is_none().then_some(Self::Kms(key.id))
    }
}

impl fmt::Display for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transit { mount, name } if mount == "transit" => write!(f, "transit:{name}"),
            Self::Transit { mount, name } => write!(f, "transit:{mount}/{name}"),
            Self::Kms(key) => write!(f, "kms:{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WrappingKey;

    #[test]
    fn wrapping_keys_are_named_by_where_they_are() {
        let arn =
            "kms:arn:aws:kms:eu-central-1:123456789012:key/1efa4033-5e73-4953-b2d6-27be0344d1df";
        for good in ["transit:lockgate", "transit:team/transit/lockgate", "kms:alias/lockgate", arn]
        {
            assert_eq!(WrappingKey::parse(good).unwrap().to_string(), good);
        }
        for bad in
            ["transit:", "transit:../lockgate", "transit:a b", "kms:", "kms:a b", "kms:a#b", "kms"]
        {
            assert_eq!(WrappingKey::parse(bad), None, "{bad}");
        }
    }
}
