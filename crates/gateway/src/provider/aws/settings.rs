//! What an operator says of an AWS account. Holds no secret, only references.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::secret::SecretRef;

/// An account in a region of AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AwsSettings {
    /// The region of the secrets and keys: `eu-central-1`.
    pub region: String,
    /// The access key, by reference, together with `secret_key`. Where both are absent, the machine's
    /// own: the environment's keys, its web identity (IAM roles for service accounts), the
    /// container's (ECS, EKS Pod Identity), or the instance's.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub access_key: Option<SecretRef>,
    /// The secret key, by reference: `env:NAME` or `file:/absolute/path`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub secret_key: Option<SecretRef>,
    /// Where Secrets Manager is, in place of the region's public address: an endpoint in a VPC.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub secrets_manager: Option<Url>,
    /// Where KMS is, in place of the region's public address.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub kms: Option<Url>,
    /// Allows private and loopback addresses, and `http:`: what an endpoint in a VPC resolves to.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

impl AwsSettings {
    /// Whether this can be a region: what becomes part of a host's name.
    pub fn is_region(&self) -> bool {
        let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        (1..=32).contains(&self.region.len()) && self.region.bytes().all(letter)
    }

    /// The public address of a service in the region.
    pub(super) fn public(&self, service: &str) -> String {
        // The partition in China has a domain of its own.
        let domain =
            if self.region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://{service}.{}.{domain}/", self.region)
    }
}
