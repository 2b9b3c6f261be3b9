//! The configuration of shipping. Holds no secret, only references to them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::{deliver::Reference, retain::RetentionRule};

/// Where closed segments of the recording are copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShipSettings {
    /// The store of the copies.
    pub to: ShipTarget,
    /// Before every object's name. Nodes that share a store need one each.
    #[serde(default)]
    pub prefix: String,
    /// How much of what was copied also stays on this machine; everything where absent.
    #[serde(default)]
    pub keep_local: RetentionRule,
    /// Segments that are brought back are kept up to this size. In bytes.
    #[serde(default = "ShipSettings::default_cache_max_bytes")]
    pub cache_max_bytes: u64,
}

/// The store of the copies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ShipTarget {
    /// A folder, such as a mounted network drive. It must exist.
    Folder(PathBuf),
    /// A bucket of Amazon S3, or of a server that speaks its protocol.
    S3(S3Settings),
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct S3Settings {
    /// Its name. Give it a rule that removes unfinished multipart uploads.
    pub bucket: String,
    /// Its region.
    #[serde(default = "S3Settings::default_region")]
    pub region: String,
    /// The server, where it is not Amazon's; buckets are then named in the path.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub endpoint: Option<Url>,
    /// Allows `http:`, for a server on the same machine or in a network of its own.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// The access key's id, by reference. Without keys the machine's role is used.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub access_key: Option<Reference>,
    /// The secret access key, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub secret_key: Option<Reference>,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// The resolved keys of a bucket. No `Debug`, `Serialize` or `Clone`.
pub struct S3Keys {
    access_key: Box<str>,
    secret_key: Box<str>,
}

impl S3Keys {
    /// Keeps the values of the two references.
    pub fn new(access_key: &str, secret_key: &str) -> Self {
        Self { access_key: access_key.into(), secret_key: secret_key.into() }
    }

    /// Id and secret, for the one place that signs with them.
    pub(super) const fn expose(&self) -> (&str, &str) {
        (&self.access_key, &self.secret_key)
    }
}

impl ShipSettings {
    const fn default_cache_max_bytes() -> u64 {
        1024 * 1024 * 1024
    }
}

impl S3Settings {
    fn default_region() -> String {
        "us-east-1".to_owned()
    }
}
