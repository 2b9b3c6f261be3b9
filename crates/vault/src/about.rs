//! What a secret is for. A sealed text opens for exactly that.

use aws_lc_rs::digest::{Context, SHA256};

/// What a secret is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A credential that an operator gave the gateway for its upstreams.
    Credential,
    /// What a user let the gateway do for them at a server.
    Grant,
}

/// What one version of a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// What it is used for.
    pub purpose: Purpose,
    /// The one connection that may use it; any where `None`.
    pub connection: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// Its version, from 1.
    pub version: u64,
}

impl Purpose {
    /// Never renamed: sealed texts are bound to it.
    const fn word(self) -> &'static str {
        match self {
            Self::Credential => "credential",
            Self::Grant => "grant",
        }
    }
}

impl About<'_> {
    /// SHA-256 of everything but the version, each part with its length before it, so that none can
    /// reach into the next.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(b"lockgate sealed secret");
        let (given, connection) = (self.connection.is_some(), self.connection.unwrap_or_default());
        context.update(&[u8::from(given)]);
        for part in [self.purpose.word(), connection, self.name] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::{About, Purpose};

    #[test]
    fn no_part_reaches_into_another() {
        let of = |connection, name| {
            About { purpose: Purpose::Credential, connection, name, version: 1 }.digest()
        };
        let all = [of(None, "ab"), of(Some(""), "ab"), of(Some("a"), "b"), of(Some("ab"), "")];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
        assert_eq!(of(Some("a"), "b"), of(Some("a"), "b"));
    }
}
