//! Access taken away: who or what is out, since when and until when; and the list that every request is
//! held against. Deny wins: one that applies is enough, whatever else is said.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ConnectionName, Digest, Group, NameFault, Timestamp};

mod list;

pub use list::RevocationList;

/// Longest reason, in bytes.
pub const REVOCATION_REASON_MAX_BYTES: usize = 500;

/// One decision to take access away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Its id, by which it can be lifted.
    pub id: String,
    /// Who or what is out.
    pub target: Revoked,
    /// Only tokens issued up to this moment, by their `iat`, and tokens that don't say when; whoever
    /// signs in again is let in. Every token where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_until: Option<Timestamp>,
    /// Why, in the words of its author.
    pub reason: String,
    /// Who decided it: `issuer/subject`, `local:user`, or the identity provider that told of it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// It ends by itself here; never where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// Who or what a revocation is about. Issuers stand by their short name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Revoked {
    /// Everybody, or everybody of one issuer.
    Everyone {
        /// Everybody of this one alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer: Option<String>,
    },
    /// A person or workload.
    Subject {
        /// Who vouches for it.
        issuer: String,
        /// The token's `sub`.
        subject: String,
    },
    /// An OAuth client.
    Client {
        /// Who vouches for it.
        issuer: String,
        /// Its id, as the token names it.
        client: String,
    },
    /// Whoever is in a group.
    Group(Group),
    /// What one login at the issuer led to: tokens with this `sid` (OpenID Connect Front-Channel
    /// Logout 1.0 §3).
    Login {
        /// Who vouches for it.
        issuer: String,
        /// The `sid` claim.
        sid: String,
    },
    /// The token with this id, as its issuer numbers them.
    TokenId {
        /// Who issued it.
        issuer: String,
        /// The `jti` claim.
        jti: String,
    },
    /// The token with these claims, whatever its signature looks like: the digest that the record of
    /// each call names.
    Token(Digest),
    /// One recorded session. What its caller does next begins another.
    Session(String),
    /// A connection, for everybody.
    Connection(ConnectionName),
}

/// Why words say of nobody that they are out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevokedFault {
    /// Not a kind that there is.
    #[error(
        "`{0}` is not what can be revoked: everyone, person, client, group, login, jti, token, session \
         or connection"
    )]
    Kind(String),
    /// There is no issuer before the name.
    #[error("`{0}` names no issuer; write the issuer's name, a slash, and the name: `corp/dana`")]
    Issuer(String),
    /// Not a digest.
    #[error("a token's digest is 64 digits of 0-9 and a-f")]
    Digest,
    /// No id.
    #[error("a session has an id")]
    Session,
    /// Not a connection's name.
    #[error(transparent)]
    Connection(#[from] NameFault),
}

/// A revocation as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRevocation {
    /// The decision.
    #[serde(flatten)]
    pub revocation: Revocation,
    /// By whom it was lifted, and when; it counts no more from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<Lifted>,
}

/// The end of a revocation before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifted {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Revocation {
    /// Whether it is about a token issued at this time, at the moment `now`.
    pub fn applies(&self, issued_at: Option<Timestamp>, now: Timestamp) -> bool {
        let in_time = self.until.is_none_or(|until| now < until);
        // Who doesn't say when a token was issued can't show that it is newer.
        let old = self.issued_until.is_none_or(|line| issued_at.is_none_or(|at| at <= line));
        in_time && old
    }

    /// Whether nobody can be kept out by it any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

impl KeptRevocation {
    /// Whether it still keeps anybody out.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.lifted.is_none() && !self.revocation.is_over(now)
    }
}

impl Revoked {
    /// Its kind in one word, as lists and the command line name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Everyone { .. } => "everyone",
            Self::Subject { .. } => "person",
            Self::Client { .. } => "client",
            Self::Group(_) => "group",
            Self::Login { .. } => "login",
            Self::TokenId { .. } => "jti",
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::Connection(_) => "connection",
        }
    }

    /// Which of its kind; empty for everyone.
    pub fn name(&self) -> String {
        match self {
            Self::Everyone { issuer } => issuer.clone().unwrap_or_default(),
            Self::Subject { issuer, subject: name }
            | Self::Client { issuer, client: name }
            | Self::Login { issuer, sid: name }
            | Self::TokenId { issuer, jti: name }
            | Self::Group(Group { issuer, name }) => format!("{issuer}/{name}"),
            Self::Token(digest) => digest.to_string(),
            Self::Session(id) => id.clone(),
            Self::Connection(name) => name.to_string(),
        }
    }

    /// What [`Self::kind`] and [`Self::name`] say, read again.
    ///
    /// # Errors
    /// [`RevokedFault`], in words for whoever wrote it.
    pub fn of(kind: &str, name: &str) -> Result<Self, RevokedFault> {
        // A group's form is that of everything which an issuer names.
        let issued = || {
            let named = Group::parse(name).map(|Group { issuer, name }| (issuer, name));
            named.ok_or_else(|| RevokedFault::Issuer(name.to_owned()))
        };
        Ok(match kind {
            "everyone" => Self::Everyone { issuer: (!name.is_empty()).then(|| name.to_owned()) },
            "person" => issued().map(|(issuer, subject)| Self::Subject { issuer, subject })?,
            "client" => issued().map(|(issuer, client)| Self::Client { issuer, client })?,
            "group" => issued().map(|(issuer, name)| Self::Group(Group { issuer, name }))?,
            "login" => issued().map(|(issuer, sid)| Self::Login { issuer, sid })?,
            "jti" => issued().map(|(issuer, jti)| Self::TokenId { issuer, jti })?,
            "token" => Self::Token(Digest::from_hex(name).ok_or(RevokedFault::Digest)?),
            "session" if !name.is_empty() => Self::Session(name.to_owned()),
            "session" => return Err(RevokedFault::Session),
            "connection" => Self::Connection(ConnectionName::new(name)?),
            _ => return Err(RevokedFault::Kind(kind.to_owned())),
        })
    }

    /// The issuer that it names.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Everyone { issuer } => issuer.as_deref(),
            Self::Subject { issuer, .. }
            | Self::Client { issuer, .. }
            | Self::Login { issuer, .. }
            | Self::TokenId { issuer, .. }
            | Self::Group(Group { issuer, .. }) => Some(issuer),
            Self::Token(_) | Self::Session(_) | Self::Connection(_) => None,
        }
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            name if name.is_empty() => f.write_str(self.kind()),
            name => write!(f, "{} {name}", self.kind()),
        }
    }
}

#[cfg(test)]
mod tests;
