//! Secrets and where they live. A [`Secret`] has no `Debug`, `Serialize` or `Clone`, so that no
//! log, answer or record can take one by accident; a [`SecretRef`] names its place and is harmless.

use std::{env, fmt, fs::File, path::PathBuf, sync::Arc};

use lockgate_model::{ConnectionName, Reason, Refusal, SecretName};
pub use lockgate_vault::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::vault::Vault;

/// What the reader of a configuration says where a secret itself may stand in place of its
/// reference, so that the place is not quoted.
pub const REFERENCE_WANTED: &str = "a secret is named by reference: `env:NAME`, `file:/absolute/path`, `sealed:NAME`, \
     `vault:PATH#FIELD` or `aws-sm:NAME`";

/// Where a secret lives: `env:NAME`, `file:/absolute/path`, `sealed:NAME`, `vault:PATH#FIELD`,
/// `aws-sm:NAME` or `aws-sm:NAME#FIELD`.
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
    /// AWS Secrets Manager. Only connections' credentials may be there.
    Aws(AwsSecret),
}

/// A field of a secret in a key-value engine of HashiCorp Vault or OpenBao.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    /// The path, from the engine's mount on: `secret/staff`.
    pub path: String,
    /// The field.
    pub field: String,
}

/// A secret in AWS Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AwsSecret {
    /// Its name or ARN.
    pub id: String,
    /// Of a secret that is a JSON object, the text of this field; else all of it.
    pub field: Option<String>,
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
        if let Some(secret) = text.strip_prefix("aws-sm:") {
            return AwsSecret::parse(secret).map(Self::Aws);
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
            Self::Sealed(_) | Self::Kept(_) | Self::Aws(_) => vault.fetch(connection, self).await,
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
            Self::Sealed(_) | Self::Kept(_) | Self::Aws(_) => None,
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
            Self::Aws(AwsSecret { id, field: None }) => write!(f, "aws-sm:{id}"),
            Self::Aws(AwsSecret { id, field: Some(field) }) => write!(f, "aws-sm:{id}#{field}"),
        }
    }
}

impl Kept {
    /// Reads `PATH#FIELD`. A path has two steps or more, each of characters that a URL takes as they are.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (path, field) = text.split_once('#')?;
        let plain = |step: &str| {
            let known = |c: u8| c.is_ascii_alphanumeric() || b"-._~@:+=,".contains(&c);
            !step.is_empty() && step != "." && step != ".." && step.bytes().all(known)
        };
        let fits = path.contains('/') && path.split('/').all(plain);
        (fits && is_field(field)).then(|| Self { path: path.to_owned(), field: field.to_owned() })
    }
}

impl AwsSecret {
    /// The longest name or ARN, in bytes.
    const ID_MAX: usize = 2_048;

    /// Reads `NAME`, `NAME#FIELD`, or an ARN in place of the name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, field) = match text.split_once('#') {
            Some((id, field)) => (id, Some(field)),
            None => (text, None),
        };
        // What AWS allows in names, and the colons of ARNs.
        let known = |c: u8| c.is_ascii_alphanumeric() || b"/_+=.@-:".contains(&c);
        let fits = (1..=Self::ID_MAX).contains(&id.len()) && id.bytes().all(known);
        let field = field.map(str::to_owned);
        (fits && field.as_deref().is_none_or(is_field)).then(|| Self { id: id.to_owned(), field })
    }

    /// The region that an ARN names.
    pub fn region(&self) -> Option<&str> {
        self.id.strip_prefix("arn:")?.split(':').nth(2)
    }
}

fn is_field(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
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
            "aws-sm:prod/staff",
            "aws-sm:prod/staff#api token",
            "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:staff-a1B2c3#token",
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
            "aws-sm:",
            "aws-sm:#token",
            "aws-sm:staff#",
            "aws-sm:the staff",
            "aws-sm:staff?x",
            "aws-sm:staff#a\nb",
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
