//! A connection's name: the one handle by which config, policy, URL and record mean the same
//! protected MCP server.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// 1 to 63 characters of `a-z`, `0-9` and `-`, starting with a letter or digit, so that it can
/// stand in a URL path, a file name and a Cedar entity id without escaping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ConnectionName(Arc<str>);

/// Why a text is no [`ConnectionName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no connection name: use 1 to 63 of a-z, 0-9 and -, starting with a letter or digit"
)]
pub struct NameFault(String);

impl ConnectionName {
    /// Checks and keeps `text`.
    ///
    /// # Errors
    /// [`NameFault`] where a character or the length is off.
    pub fn new(text: &str) -> Result<Self, NameFault> {
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let fits =
            (1..=63).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-');
        if fits { Ok(Self(text.into())) } else { Err(NameFault(text.to_owned())) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ConnectionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectionName;

    #[test]
    fn names_that_fit_nowhere_else_are_refused() {
        for good in ["a", "0", "pay-roll", &"x".repeat(63)] {
            assert!(ConnectionName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a/b", "a b", "é", &"x".repeat(64)] {
            assert!(ConnectionName::new(bad).is_err(), "{bad}");
        }
    }
}
