//! Secrets and where they live. A [`Secret`] has no `Debug`, `Serialize` or `Clone`, so that no
//! log, answer or record can take one by accident; a [`SecretRef`] names its place and is harmless.

use std::{env, fmt, fs::File, path::PathBuf, sync::Arc};

use lockgate_model::{ConnectionName, Reason, Refusal, SecretName};
pub use lockgate_vault::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::vault::Vault;

/// What the reader of a configuration says where a secret itself may stand in place of its
/// reference, so that the place is not quoted.
pub const REFERENCE_WANTED: &str = "a secret is named by reference: `env:NAME`, `file:/absolute/path`, `sealed:NAME` or \
     `vault:PATH#FIELD`";

/// Where a secret lives: `env:NAME`, `file:/absolute/path`, `sealed:NAME` or `vault:PATH#FIELD`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// An environment variable of the gateway's own process.
    Env(String),
    /// A file; one trailing line break is not part of the secret.
    File(PathBuf),
    /// The vault. Only connections' credentials may be there.
    Sealed(SecretName),
    /// A server outside. Only connections' credentials may be there.
    Kept(Kept),
}

/// A field of a secret in a key-value engine of HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The path, from the engine's mount on: `secret/staff`.
    pub path: String,
    /// The field.
    pub field: String,
}

impl SecretRef {
    /// Reads a reference; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let fits = !name.is_empty() && !name.contains(['=', '\0']);
            return fits.then(|| Self::Env(name.to_owned()));
        }
        if let Some(name) = text.strip_prefix("sealed:") {
            return SecretName::new(name).ok().map(Self::Sealed);
        }
        if let Some(kept) = text.strip_prefix("vault:") {
            return Kept::parse(kept).map(Self::Kept);
        }
        let path = PathBuf::from(text.strip_prefix("file:")?);
        path.is_absolute().then_some(Self::File(path))
    }

    /// Fetches a connection's credential from its place.
    ///
    /// # Errors
    /// As [`Self::resolve`] and [`Vault::fetch`].
    pub async fn fetch(
        &self,
        vault: &Vault,
        connection: &ConnectionName,
    ) -> Result<Arc<Secret>, Refusal> {
        match self {
            Self::Sealed(_) | Self::Kept(_) => vault.fetch(connection, self).await,
            Self::Env(_) | Self::File(_) => self.resolve().map(Arc::new),
        }
    }

    /// Whether it is on this machine, and not in a vault.
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Env(_) | Self::File(_))
    }

    /// Reads the secret from its place on this machine.
    ///
    /// # Errors
    /// [`Reason::CredentialUnavailable`] where the place is empty or can't be read, or is another; the
    /// detail names the place only.
    pub fn resolve(&self) -> Result<Secret, Refusal> {
        let read = match self {
            Self::Env(name) => env::var(name).ok().and_then(|text| Secret::of_text(text).ok()),
            Self::File(path) => File::open(path).ok().and_then(|file| Secret::read(file).ok()),
            Self::Sealed(_) | Self::Kept(_) => None,
        };
        read.ok_or_else(|| {
            let detail = format!("nothing to read at `{self}`");
            Refusal::new(Reason::CredentialUnavailable, detail)
        })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Sealed(name) => write!(f, "sealed:{name}"),
            Self::Kept(kept) => write!(f, "vault:{}#{}", kept.path, kept.field),
        }
    }
}

impl Kept {
    /// Reads `PATH#FIELD`. A path has two steps or more, each of characters that a URL takes as they are.
    fn parse(text: &str) -> Option<Self> {
        let (path, field) = text.split_once('#')?;
        let plain = |step: &str| {
            let known = |c: u8| c.is_ascii_alphanumeric() || b"-._~@:+=,".contains(&c);
            !step.is_empty() && step != "." && step != ".." && step.bytes().all(known)
        };
        let fits = path.contains('/') && path.split('/').all(plain);
        let named = !field.is_empty() && !field.chars().any(char::is_control);
        (fits && named).then(|| Self { path: path.to_owned(), field: field.to_owned() })
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
        for good in [
            "env:TOKEN",
            "file:/run/secrets/token",
            "sealed:staff-token",
            "vault:secret/staff#token",
            "vault:team-a/kv/db/main.prod#user name",
        ] {
            assert_eq!(SecretRef::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "hunter2",
            "env:",
            "env:A=B",
            "file:",
            "file:relative",
            "sealed:",
            "sealed:a b",
            "vault:",
            "vault:secret/staff",
            "vault:staff#token",
            "vault:secret/staff#",
            "vault:#token",
            "vault:/secret/staff#token",
            "vault:secret//staff#token",
            "vault:secret/staff/#token",
            "vault:secret/../sys/seal#token",
            "vault:secret/%2e%2e/sys#token",
            "vault:secret/staff?version=1#token",
            "vault:secret/staff#a\nb",
        ] {
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
