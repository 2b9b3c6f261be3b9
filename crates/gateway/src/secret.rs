//! Secrets and where they live. A [`Secret`] has no `Debug`, `Serialize` or `Clone`, so that no
//! log, answer or record can take one by accident; a [`SecretRef`] names its place and is harmless.

use std::{env, fmt, fs, path::PathBuf};

use lockgate_model::{Reason, Refusal};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What the reader of a configuration says where a secret itself may stand in place of its
/// reference, so that the place is not quoted.
pub const REFERENCE_WANTED: &str =
    "a secret is named by reference: `env:NAME` or `file:/absolute/path`";

/// The longest secret that is read, in bytes.
const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// Where a secret lives: `env:NAME` or `file:/absolute/path`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// An environment variable of the gateway's own process.
    Env(String),
    /// A file; one trailing line break is not part of the secret.
    File(PathBuf),
}

/// The bytes of a secret, for the one place that sends them.
pub struct Secret(Box<str>);

impl SecretRef {
    /// Reads `env:NAME` or `file:/absolute/path`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let fits = !name.is_empty() && !name.contains(['=', '\0']);
            return fits.then(|| Self::Env(name.to_owned()));
        }
        let path = PathBuf::from(text.strip_prefix("file:")?);
        path.is_absolute().then_some(Self::File(path))
    }

    /// Fetches the secret from its place.
    ///
    /// # Errors
    /// [`Reason::CredentialUnavailable`] where the place is empty or can't be read; the detail
    /// names the place only.
    pub fn resolve(&self) -> Result<Secret, Refusal> {
        let text = match self {
            Self::Env(name) => env::var(name).ok(),
            Self::File(path) => fs::metadata(path)
                .ok()
                .filter(|meta| meta.len() <= SECRET_MAX_BYTES)
                .and_then(|_| fs::read_to_string(path).ok()),
        };
        let text = text.unwrap_or_default();
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            let detail = format!("nothing to read at `{self}`");
            return Err(Refusal::new(Reason::CredentialUnavailable, detail));
        }
        Ok(Secret(text.into()))
    }
}

impl Secret {
    /// The secret itself. Call it only where the bytes leave for the upstream.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not quoted back: it may be the secret itself, written in the wrong place.
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom(REFERENCE_WANTED))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::SecretRef;

    #[test]
    fn only_references_are_read() {
        for good in ["env:TOKEN", "file:/run/secrets/token"] {
            assert_eq!(SecretRef::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "hunter2", "env:", "env:A=B", "file:", "file:relative", "vault:x"] {
            assert_eq!(SecretRef::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_line_break_is_not_part_of_a_file_secret() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"s3cret\r\n").unwrap();
        let secret = SecretRef::File(file.path().to_owned()).resolve().unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert!(SecretRef::File("/nonexistent".into()).resolve().is_err());
    }
}
