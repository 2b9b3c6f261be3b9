//! What an operator says of a HashiCorp Vault or OpenBao server. Holds no secret, only references.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::secret::SecretRef;

/// A HashiCorp Vault or OpenBao server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerSettings {
    /// Where it is: `https://vault.internal.example.com:8200`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// Allows private and loopback addresses, and `http:`.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The namespace in which everything named here is.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How the gateway logs in.
    pub login: LoginSettings,
    /// The key-value engines that references may point into, by the path at which they are mounted,
    /// and the version of each: 1 or 2.
    #[serde(default = "ServerSettings::default_mounts")]
    pub mounts: BTreeMap<String, u8>,
}

/// How the gateway logs in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum LoginSettings {
    /// With a token that somebody else got, by reference: `env:NAME` or `file:/absolute/path`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    Token(SecretRef),
    /// With the AppRole method.
    AppRole(AppRole),
    /// With the Kubernetes method.
    Kubernetes(Kubernetes),
}

/// A login with the AppRole method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppRole {
    /// Where the method is mounted.
    #[serde(default = "AppRole::default_mount")]
    pub mount: String,
    /// The id of the role.
    pub role_id: String,
    /// The secret id, by reference: `env:NAME` or `file:/absolute/path`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub secret_id: SecretRef,
}

/// A login with the Kubernetes method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kubernetes {
    /// Where the method is mounted.
    #[serde(default = "Kubernetes::default_mount")]
    pub mount: String,
    /// The role.
    pub role: String,
    /// The token of the service account, by reference.
    #[serde(default = "Kubernetes::default_token")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub token: SecretRef,
}

impl ServerSettings {
    /// The mount below which a path is, with its version; of two, the longer one.
    pub fn mount_of(&self, path: &str) -> Option<(&str, u8)> {
        let mounts = self.mounts.iter().filter(|(mount, _)| {
            path.strip_prefix(mount.as_str()).is_some_and(|below| below.starts_with('/'))
        });
        let mounts = mounts.map(|(mount, version)| (mount.as_str(), *version));
        mounts.max_by_key(|(mount, _)| mount.len())
    }

    fn default_mounts() -> BTreeMap<String, u8> {
        [("secret".to_owned(), 2)].into()
    }
}

impl LoginSettings {
    /// Where the secret of the login is.
    pub const fn secret(&self) -> &SecretRef {
        match self {
            Self::Token(token) => token,
            Self::AppRole(role) => &role.secret_id,
            Self::Kubernetes(role) => &role.token,
        }
    }
}

impl AppRole {
    fn default_mount() -> String {
        "approle".to_owned()
    }
}

impl Kubernetes {
    fn default_mount() -> String {
        "kubernetes".to_owned()
    }

    fn default_token() -> SecretRef {
        SecretRef::File("/var/run/secrets/kubernetes.io/serviceaccount/token".into())
    }
}
