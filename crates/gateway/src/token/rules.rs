//! What one issuer's tokens must satisfy. The signature and the shape of the claims are checked
//! once for each token; time, limits, audience and client on every use.

use std::sync::Arc;

use lockgate_model::{Digest, Identity, Reason, Refusal, Revocation, Timestamp, TokenFacts};
use serde_json::{Map, Value};

use super::{Algorithm, Jws, Profile, TokenType, claims, groups, introspected, profile, told};
use crate::{
    keys::Key,
    settings::{IssuerSettings, TokenLimits},
};

/// The longest leeway, in seconds.
const LEEWAY_MAX_S: u8 = 60;

/// One issuer's settings, found to make sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    settings: IssuerSettings,
}

/// Why an issuer's settings make no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesFault {
    /// No algorithm, so that no token could ever be accepted.
    #[error("`algorithms` is empty")]
    Algorithms,
    /// No token type, so that no token could ever be accepted.
    #[error("`token_types` is empty")]
    TokenTypes,
    /// A leeway that would hide a wrong clock.
    #[error("`leeway_s` is {0}, at most 60 is allowed")]
    Leeway(u8),
    /// Not an RFC 6901 pointer to a claim.
    #[error("`groups_claim`: `{0}` is no JSON pointer; write it as `/groups`")]
    Pointer(String),
    /// A required claim that is no RFC 6901 pointer, or for which no value is accepted.
    #[error("`require`: `{0}` is no JSON pointer with values; write `/repository_id: [\"74\"]`")]
    Require(String),
    /// Tokens of everybody on the platform would be let in.
    #[error("the profile is not pinned: every job of the platform could get in")]
    Unpinned(Profile),
}

/// A token whose signature held, or that its issuer told of, with what has to be checked on every use.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whom it speaks for.
    pub identity: Arc<Identity>,
    /// Under which key it was verified; `None` where its issuer told what it means.
    pub signed: Option<Signed>,
    audiences: Vec<String>,
    clients: Vec<String>,
    issued_at: Timestamp,
    not_before: Option<Timestamp>,
}

/// A key under which a token was verified.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its id.
    pub kid: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The digest of the key itself.
    pub key: Digest,
}

impl Rules {
    /// Checks `settings` for contradictions.
    ///
    /// # Errors
    /// [`RulesFault`] says which setting.
    pub fn new(settings: IssuerSettings) -> Result<Self, RulesFault> {
        if settings.algorithms.is_empty() {
            return Err(RulesFault::Algorithms);
        }
        if settings.token_types.is_empty() {
            return Err(RulesFault::TokenTypes);
        }
        if settings.leeway_s > LEEWAY_MAX_S {
            return Err(RulesFault::Leeway(settings.leeway_s));
        }
        let is_pointer = |text: &str| text.len() > 1 && text.starts_with('/');
        if let Some(bad) = settings.groups_claim.iter().find(|text| !is_pointer(text)) {
            return Err(RulesFault::Pointer(bad.clone()));
        }
        let mut require = settings.require.iter();
        if let Some((bad, _)) = require.find(|(text, of)| !is_pointer(text) || of.is_empty()) {
            return Err(RulesFault::Require(bad.clone()));
        }
        if let Some(open) = settings.profile.filter(|profile| !profile.is_pinned(&settings)) {
            return Err(RulesFault::Unpinned(open));
        }
        Ok(Self { settings })
    }

    /// The settings behind it.
    pub const fn settings(&self) -> &IssuerSettings {
        &self.settings
    }

    /// Refuses, before any key is looked for, what this issuer doesn't sign with.
    ///
    /// # Errors
    /// [`Reason::TokenHeader`].
    pub fn admit(&self, jws: &Jws<'_>) -> Result<(), Refusal> {
        let refusal = |detail: &'static str| Err(Refusal::new(Reason::TokenHeader, detail));
        if !self.settings.algorithms.contains(&jws.algorithm) {
            return refusal("the issuer is not configured for this algorithm");
        }
        if !self.settings.token_types.contains(&jws.token_type) {
            return refusal(match jws.token_type {
                TokenType::Id => "it is an ID token, not an access token",
                TokenType::Told => "it tells of something, and is no access token",
                TokenType::AtJwt | TokenType::Jwt => "the token type is not accepted",
            });
        }
        Ok(())
    }

    /// Verifies the signature with `key`, then reads the claims. Says nothing yet about time,
    /// audience and client: see [`Self::check`].
    ///
    /// # Errors
    /// [`Reason::TokenSignature`], [`Reason::TokenIssuer`], [`Reason::TokenPin`],
    /// [`Reason::TokenProposed`], [`Reason::TokenClaims`], [`Reason::TokenBound`], [`Reason::TokenAudience`], [`Reason::TokenExpired`] and
    /// [`Reason::TokenLifetime`] where `exp` or `iat` is absent, and the `groups.*` reasons.
    pub fn verify(&self, jws: &Jws<'_>, key: &Key) -> Result<Verified, Refusal> {
        self.admit(jws)?;
        self.verify_signature(jws, key)?;
        let (kid, algorithm) = (jws.kid.clone(), jws.algorithm);
        self.read(jws.claims(), jws.id(), Some(Signed { kid, algorithm, key: key.digest() }))
    }

    /// Believes what the issuer told of the token with this digest, which only the issuer can read (RFC
    /// 7662 §2.2). Says nothing yet about time, audience and client: see [`Self::check`].
    ///
    /// # Errors
    /// As [`Self::verify`], and [`Reason::TokenHeader`] for what is no access token.
    pub fn introspected(
        &self,
        told: &Map<String, Value>,
        token: Digest,
    ) -> Result<Verified, Refusal> {
        let told = introspected::claims(told, &self.settings)?;
        self.read(&told, token, None)
    }

    /// Reads what the issuer tells of its own accord, where its signature holds: what it revokes.
    ///
    /// # Errors
    /// [`Reason::TokenHeader`] for anything but a logout token or a security event,
    /// [`Reason::TokenSignature`], [`Reason::TokenIssuer`], and as [`told::revocations`].
    pub fn hear(
        &self,
        jws: &Jws<'_>,
        key: &Key,
        now: Timestamp,
    ) -> Result<Vec<Revocation>, Refusal> {
        if jws.token_type != TokenType::Told || !self.settings.algorithms.contains(&jws.algorithm) {
            let detail = "it is no logout token or security event that this issuer signs";
            return Err(Refusal::new(Reason::TokenHeader, detail));
        }
        self.verify_signature(jws, key)?;
        told::revocations(jws.claims(), &self.settings, now)
    }

    fn verify_signature(&self, jws: &Jws<'_>, key: &Key) -> Result<(), Refusal> {
        let (signed, signature) = jws.signature();
        if !key.verifies(jws.algorithm, signed, signature) {
            return Err(Refusal::new(Reason::TokenSignature, "the signature does not verify"));
        }
        if jws.iss()? != self.settings.issuer {
            return Err(Refusal::new(Reason::TokenIssuer, "the token is another issuer's"));
        }
        Ok(())
    }

    fn read(
        &self,
        token: &Map<String, Value>,
        id: Digest,
        signed: Option<Signed>,
    ) -> Result<Verified, Refusal> {
        // A proof of possession can't be checked here, and a bound token without its proof is
        // stolen goods (RFC 7800, RFC 9449, RFC 8705).
        if token.contains_key("cnf") {
            return Err(Refusal::new(Reason::TokenBound, "the token is bound to a key"));
        }
        Ok(Verified {
            identity: Arc::new(self.identity(token, id)?),
            signed,
            audiences: claims::audiences(token)?,
            clients: claims::clients(token)?,
            issued_at: issued_at(token)?,
            not_before: claims::time(token, "nbf")?,
        })
    }

    /// The identity as the token claims it. Believe it only after [`Self::verify`]; by itself it
    /// is for telling people what the policies would say to it.
    ///
    /// # Errors
    /// Where a claim is absent or can't be relied on, as [`Self::verify`].
    pub fn claimed(&self, jws: &Jws<'_>) -> Result<Identity, Refusal> {
        self.identity(jws.claims(), jws.id())
    }

    fn identity(&self, token: &Map<String, Value>, id: Digest) -> Result<Identity, Refusal> {
        profile::check(token, &self.settings)?;
        let expires_at =
            claims::time(token, "exp")?.ok_or_else(|| absent(Reason::TokenExpired, "exp"))?;
        let issued_at = issued_at(token)?;
        let named = &self.settings.subject_claim;
        let subject =
            claims::name(token, named)?.ok_or_else(|| absent(Reason::TokenClaims, named))?;
        let facts = TokenFacts {
            id,
            jti: claims::name(token, "jti")?,
            issued_at: Some(issued_at),
            expires_at,
            refused_from: self.refused_from(issued_at, expires_at),
        };
        Ok(Identity {
            issuer: self.settings.name.clone(),
            kind: self.settings.kind(),
            subject,
            client: claims::clients(token)?.first().cloned(),
            groups: groups::read(token, &self.settings)?,
            claims: claims::comparable(token),
            token: facts,
        })
    }

    /// Whether the token may be used `now` by whoever is known as one of `audiences`.
    ///
    /// # Errors
    /// [`Reason::TokenAudience`], [`Reason::TokenClient`], [`Reason::TokenAge`],
    /// [`Reason::TokenExpired`], [`Reason::TokenNotYet`], [`Reason::TokenLifetime`].
    pub fn check(
        &self,
        token: &Verified,
        audiences: &[String],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ours =
            |name: &String| audiences.contains(name) || self.settings.audiences.contains(name);
        if !token.audiences.iter().any(ours) {
            return Err(Refusal::new(Reason::TokenAudience, "the token is for another audience"));
        }
        self.check_clients(&token.clients)?;
        self.check_times(token, now)
    }

    /// Every client that the token names must be allowed, wherever it is named.
    fn check_clients(&self, clients: &[String]) -> Result<(), Refusal> {
        let allowed = &self.settings.clients;
        if allowed.is_empty() || !clients.is_empty() && clients.iter().all(|c| allowed.contains(c))
        {
            return Ok(());
        }
        Err(Refusal::new(Reason::TokenClient, "the client is not one of the issuer's allowed ones"))
    }

    fn check_times(&self, token: &Verified, now: Timestamp) -> Result<(), Refusal> {
        let facts = &token.identity.token;
        let early = now.plus_millis(self.leeway_ms());
        if token.issued_at > early || token.not_before.is_some_and(|from| from > early) {
            return Err(Refusal::new(Reason::TokenNotYet, "the token is not valid yet"));
        }
        if now >= facts.expires_at.plus_millis(self.leeway_ms()) {
            return Err(Refusal::new(Reason::TokenExpired, "the token has expired"));
        }
        match self.excess(&token.identity, now).into_iter().next() {
            Some(over) if self.settings.token_limits == TokenLimits::Enforce => Err(over),
            _ => Ok(()),
        }
    }

    /// Which of the issuer's limits the token is over: a refusal where they are enforced.
    pub fn excess(&self, identity: &Identity, now: Timestamp) -> Vec<Refusal> {
        let IssuerSettings { name, max_token_lifetime_s, max_token_age_s, .. } = &self.settings;
        let TokenFacts { issued_at: Some(issued_at), expires_at, .. } = identity.token else {
            return Vec::new();
        };
        let client = identity.client.as_deref().unwrap_or("without a name");
        let mut over = Vec::new();
        let lives_ms = expires_at.millis_since(issued_at);
        if lives_ms > i64::from(*max_token_lifetime_s) * 1000 {
            let lives_s = lives_ms / 1000;
            let detail = format!(
                "a token of `{name}` for the client {client} lives {lives_s} s; \
                 {max_token_lifetime_s} s are allowed"
            );
            over.push(Refusal::new(Reason::TokenLifetime, detail));
        }
        if let Some(age_s) = max_token_age_s.filter(|age_s| now >= aged(issued_at, *age_s)) {
            let detail = format!(
                "a token of `{name}` for the client {client} is used more than {age_s} s after \
                 it was issued"
            );
            over.push(Refusal::new(Reason::TokenAge, detail));
        }
        over
    }

    fn refused_from(&self, issued_at: Timestamp, expires_at: Timestamp) -> Timestamp {
        let expired = expires_at.plus_millis(self.leeway_ms());
        match (self.settings.max_token_age_s, self.settings.token_limits) {
            (Some(age_s), TokenLimits::Enforce) => expired.min(aged(issued_at, age_s)),
            _ => expired,
        }
    }

    fn leeway_ms(&self) -> i64 {
        i64::from(self.settings.leeway_s) * 1000
    }
}

/// When a token issued then has this age.
fn aged(issued_at: Timestamp, age_s: u32) -> Timestamp {
    issued_at.plus_millis(i64::from(age_s) * 1000)
}

/// Without `iat` nobody can say how long the token lives.
fn issued_at(token: &Map<String, Value>) -> Result<Timestamp, Refusal> {
    claims::time(token, "iat")?.ok_or_else(|| absent(Reason::TokenLifetime, "iat"))
}

fn absent(reason: Reason, name: &str) -> Refusal {
    Refusal::new(reason, format!("the token has no `{name}`"))
}
