//! Who is asking: what a verified token says, and nothing that was not verified.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{Digest, Person, Timestamp};

/// The caller of one request, as one configured issuer vouches for it.
///
/// The key of a person or workload is (`issuer`, `subject`); the same subject text at two issuers
/// is two identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The issuer's short name in the configuration, not its URL.
    pub issuer: String,
    /// What the issuer vouches for.
    pub kind: IdentityKind,
    /// The token's `sub`.
    pub subject: String,
    /// The OAuth client that presented the token, where the token names one.
    pub client: Option<String>,
    /// Groups that this issuer asserts; each is qualified by the issuer.
    pub groups: Vec<Group>,
    /// Scalar claims and lists of text, for policy; never credentials.
    pub claims: BTreeMap<String, ClaimValue>,
    /// What is known of the token itself.
    pub token: TokenFacts,
}

impl Identity {
    /// Whose it is, by their names alone.
    pub fn person(&self) -> Person {
        Person { issuer: self.issuer.clone(), subject: self.subject.clone() }
    }

    /// The login at the issuer that the token came from: its `sid` claim.
    pub fn sid(&self) -> Option<&str> {
        match self.claims.get("sid") {
            Some(ClaimValue::Text(sid)) => Some(sid),
            _ => None,
        }
    }
}

/// Who stands behind an identity. An issuer vouches for one or the other, never for both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IdentityKind {
    /// A person, through some client: `User` in policies.
    #[default]
    Person,
    /// A job or a service that acts on its own: `Workload` in policies. What it began ends with its
    /// token.
    Workload,
}

/// A group as one issuer means it, so that one issuer can't assert another's groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Group {
    /// The issuer's short name in the configuration.
    pub issuer: String,
    /// The name in the token, byte for byte.
    pub name: String,
}

impl Group {
    /// Reads `issuer/name`, as [`fmt::Display`] writes it: split at the first slash, as no issuer's name
    /// has one; the group may. `None` where either part is missing.
    pub fn parse(text: &str) -> Option<Self> {
        let (issuer, name) = text.split_once('/')?;
        let complete = !issuer.is_empty() && !name.is_empty();
        complete.then(|| Self { issuer: issuer.to_owned(), name: name.to_owned() })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.issuer, self.name)
    }
}

/// A claim in the few shapes that policy can compare exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimValue {
    /// A JSON string.
    Text(String),
    /// A whole number within 64 bits.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// A list of strings.
    List(Vec<String>),
}

/// Times and name of a verified token. Never the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// SHA-256 of `header.payload`, without the signature, so that two signatures over the same
    /// claims are one token.
    pub id: Digest,
    /// The `jti` claim, where the issuer gives one.
    pub jti: Option<String>,
    /// The `iat` claim.
    pub issued_at: Option<Timestamp>,
    /// The `exp` claim; a token without one never becomes an identity.
    pub expires_at: Timestamp,
    /// The instant from which the token is refused: `exp` plus the issuer's leeway. Streams end
    /// here too.
    pub refused_from: Timestamp,
}
