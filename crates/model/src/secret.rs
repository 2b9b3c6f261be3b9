//! A sealed secret's name: the one handle by which config, vault, command line and record mean the
//! same secret. Its value is nowhere in this room.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// 1 to 128 characters of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`, starting with a letter or digit, so
/// that it can stand in a reference, a command line and a record without escaping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SecretName(Arc<str>);

/// Why a text is no [`SecretName`]. It is not quoted: it may be the secret, in the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "that is no secret's name: use 1 to 128 of A-Z, a-z, 0-9, ., _ and -, starting with a letter or \
     digit"
)]
pub struct SecretNameFault;

impl SecretName {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// [`SecretNameFault`] where a character or the length is off.
    pub fn new(text: &str) -> Result<Self, SecretNameFault> {
        let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with(['.', '_', '-']);
        if fits { Ok(Self(text.into())) } else { Err(SecretNameFault) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::SecretName;

    #[test]
    fn names_that_fit_nowhere_else_are_refused() {
        for good in ["a", "0", "pay-roll.token_2", "STAFF", &"x".repeat(128)] {
            assert!(SecretName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", ".a", "_a", "a/b", "a b", "a:b", "é", &"x".repeat(129)] {
            assert!(SecretName::new(bad).is_err(), "{bad}");
        }
    }
}
