//! The configuration of web servers that are told.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use crate::deliver::{HttpSettings, Reference};

/// Fewest bytes of a secret (Standard Webhooks, "Signature scheme").
const SECRET_MIN_BYTES: usize = 24;
/// Most.
const SECRET_MAX_BYTES: usize = 64;

/// A web server that is told of questions, each signed as Standard Webhooks 1.0 says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookSettings {
    /// Its name in `/readyz` and the log: 1 to 63 of `a-z`, `0-9` and `-`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub name: lockgate_model::ConnectionName,
    /// Where each question is posted.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub url: Url,
    /// The signing secret, by reference: `whsec_` and 24 to 64 bytes in base64.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub secret: Reference,
    /// Allows `http:`, for a receiver on the same machine or in a network of its own.
    #[serde(default)]
    pub allow_cleartext: bool,
    /// Further headers: the receiver's credential, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, String>"))]
    pub headers: BTreeMap<String, Reference>,
    /// PEM file of the certificate authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A signing secret, resolved.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

/// What is wrong with a signing secret. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a signing secret is `whsec_` and 24 to 64 bytes in base64; make one with `openssl rand -base64 32`"
)]
pub struct WebhookSecretFault;

impl WebhookSecret {
    /// Reads it.
    ///
    /// # Errors
    /// [`WebhookSecretFault`]
    pub fn parse(text: &str) -> Result<Self, WebhookSecretFault> {
        let coded = text.trim().strip_prefix("whsec_").ok_or(WebhookSecretFault)?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(coded).map_err(|_| WebhookSecretFault)?);
        let fits = (SECRET_MIN_BYTES..=SECRET_MAX_BYTES).contains(&bytes.len());
        if fits { Ok(Self(bytes)) } else { Err(WebhookSecretFault) }
    }

    /// For the one place that signs.
    pub(in crate::notify) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret")
    }
}

impl WebhookSettings {
    /// The receiver, as every other that is posted to.
    pub(in crate::notify) fn receiver(&self) -> HttpSettings {
        HttpSettings {
            url: self.url.clone(),
            allow_cleartext: self.allow_cleartext,
            headers: self.headers.clone(),
            ca: self.ca.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WebhookSecret;

    #[test]
    fn secrets_are_whole_and_long_enough() {
        // The example of the specification.
        assert!(WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").is_ok());
        for bad in ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_!"] {
            let fault = WebhookSecret::parse(bad).unwrap_err().to_string();
            assert!(!fault.contains("MfKQ"), "{fault}");
        }
    }
}
