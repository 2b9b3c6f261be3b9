//! Headers in, identity out: exactly one bearer token, verified with the keys of an issuer that the
//! connection trusts. Runs on every request; nothing is remembered but the work of verifying.
//!
//! Never reads a token from anywhere but the `Authorization` header (RFC 6750 §2.1), never says to
//! the client which check failed, never logs a token.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::{HeaderMap, header::AUTHORIZATION};
use lockgate_model::{Digest, Identity, Limits, Reason, Refusal, Revocation, Timestamp};
use serde_json::{Map, Value};

use crate::{
    clock,
    egress::EgressFault,
    hash::sha256,
    introspection::Introspector,
    keys::{Key, KeyFault, KeyStatus, Keyring},
    settings::IssuerSettings,
    token::{Algorithm, Cache, Jws, Rules, RulesFault, Verified, introspected},
};

/// Verified tokens remembered at once, all issuers together.
const CACHED_TOKENS_MAX: usize = 10_000;
/// Keys are looked after this often; the keyring decides whether there is something to do.
const KEYS_EVERY: Duration = Duration::from_secs(10);
/// An issuer is asked about a token in use at most this often.
const ASKED_EVERY_MIN: Duration = Duration::from_secs(1);

/// Whose tokens a connection takes, and for whom they must be meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Short names of the issuers that the connection trusts.
    pub issuers: Vec<String>,
    /// The connection's public URL and its configured aliases; compared byte for byte.
    pub audiences: Vec<String>,
}

/// Verifies the callers of all connections. One per set of issuer settings; shared by every
/// request.
#[derive(Debug)]
pub struct Authenticator {
    issuers: Vec<Arc<Issuer>>,
    token_max_bytes: usize,
    cache: Cache<Verified>,
}

/// One issuer: what is demanded of its tokens, and its keys.
#[derive(Debug)]
struct Issuer {
    rules: Rules,
    keyring: Arc<Keyring>,
    /// Where it is asked about its tokens.
    introspector: Option<Introspector>,
}

/// The state of one issuer's keys, for readiness and alarms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The issuer's short name.
    pub issuer: String,
    /// Its keys.
    pub keys: KeyStatus,
}

/// Why a set of issuers can't be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerFault {
    /// Two issuers share a name or an issuer URL.
    #[error("`{0}` is configured as an issuer twice")]
    Twice(String),
    /// One issuer's rules contradict themselves.
    #[error("issuer `{issuer}`: {fault}")]
    Rules {
        /// The issuer's short name.
        issuer: String,
        /// What is wrong.
        fault: RulesFault,
    },
    /// One issuer's URLs or certificate authorities can't be used.
    #[error("issuer `{issuer}`: {fault}")]
    Egress {
        /// The issuer's short name.
        issuer: String,
        /// What is wrong.
        fault: EgressFault,
    },
}

impl Authenticator {
    /// Checks the settings of all issuers. Keys are not fetched here: see [`Self::warm`].
    ///
    /// Issuers whose settings are the same in `previous` keep their keys.
    ///
    /// # Errors
    /// [`IssuerFault`] names the issuer.
    pub fn new(
        issuers: &[IssuerSettings],
        limits: &Limits,
        previous: Option<&Self>,
    ) -> Result<Self, IssuerFault> {
        let mut known = BTreeSet::new();
        for word in issuers.iter().flat_map(|issuer| [&issuer.name, &issuer.issuer]) {
            if !known.insert(word) {
                return Err(IssuerFault::Twice(word.clone()));
            }
        }
        let kept = |settings: &IssuerSettings| {
            let mut before = previous?.issuers.iter();
            before.find(|issuer| issuer.rules.settings() == settings).cloned()
        };
        let made = issuers.iter().map(|settings| match kept(settings) {
            Some(issuer) => Ok(issuer),
            None => Issuer::new(settings).map(Arc::new),
        });
        Ok(Self {
            issuers: made.collect::<Result<_, _>>()?,
            token_max_bytes: usize::try_from(limits.token_max_bytes).unwrap_or(usize::MAX),
            cache: Cache::new(CACHED_TOKENS_MAX),
        })
    }

    /// Verifies the one bearer token in `headers` for a connection with this `access`.
    ///
    /// Waits only where the issuer's keys have to be fetched, or the issuer is asked about the token.
    ///
    /// # Errors
    /// A [`Refusal`] with a `token.*`, `groups.*` or `issuer.*` reason or, for two `Authorization`
    /// headers, [`Reason::HttpMalformed`].
    pub async fn authenticate(
        &self,
        headers: &HeaderMap,
        access: &Access,
        now: Timestamp,
    ) -> Result<Arc<Identity>, Refusal> {
        let token = bearer(headers)?;
        let digest = sha256(token);
        if let Some(issuer) = self.who_reads(token, access)? {
            let verified = issuer.read(token, digest, self.token_max_bytes).await?;
            return self.check(&verified, access, now);
        }
        let remembered = self.remembered(&digest, now);
        let fresh = remembered.is_none();
        let verified = match remembered {
            Some(verified) => verified,
            None => self.verify(token, access, now).await?,
        };
        let identity = self.check(&verified, access, now)?;
        if fresh {
            self.cache.put(digest, Arc::clone(&verified));
        }
        self.confirm(token, digest, &verified, access).await?;
        Ok(identity)
    }

    /// How often the issuer of a token is asked about it again while it is in use; `None` where it is not
    /// asked.
    pub fn asks_every(&self, identity: &Identity) -> Option<Duration> {
        let mut issuers = self.issuers.iter();
        let issuer = issuers.find(|one| one.rules.settings().name == identity.issuer)?;
        issuer.introspector.as_ref().map(|asked| asked.serves_for().max(ASKED_EVERY_MIN))
    }

    /// Which limits of its issuer a token is over that was taken all the same, because they are not
    /// enforced yet.
    pub fn excess(&self, identity: &Identity, now: Timestamp) -> Vec<Refusal> {
        let mut issuers = self.issuers.iter().map(|issuer| &issuer.rules);
        let rules = issuers.find(|rules| rules.settings().name == identity.issuer);
        rules.map(|rules| rules.excess(identity, now)).unwrap_or_default()
    }

    /// What an issuer tells, of those who may: what is revoked by it. Waits only where the issuer's keys
    /// have to be fetched.
    ///
    /// # Errors
    /// As [`Rules::hear`], [`Reason::TokenIssuer`] for an issuer from whom nothing is taken, and the
    /// reasons of its keys.
    pub async fn hear(&self, told: &[u8], now: Timestamp) -> Result<Vec<Revocation>, Refusal> {
        let jws = Jws::read(told, self.token_max_bytes)?;
        let iss = jws.iss()?;
        let tells = |issuer: &&Arc<Issuer>| {
            let settings = issuer.rules.settings();
            settings.issuer == iss && settings.events.is_some()
        };
        let issuer = self.issuers.iter().find(tells).ok_or_else(|| {
            Refusal::new(Reason::TokenIssuer, "no issuer from whom events are taken")
        })?;
        let key = issuer.key(jws.kid.as_deref(), jws.algorithm, now).await?;
        issuer.rules.hear(&jws, &key, now)
    }

    /// Fetches the keys of every issuer that has none yet, all at once. What fails shows in
    /// [`Self::status`].
    pub async fn warm(&self, now: Timestamp) {
        let fetches = self.issuers.iter().map(|issuer| issuer.keyring.refresh(now));
        futures_util::future::join_all(fetches).await;
    }

    /// Keeps every issuer's keys fresh, so that no request has to wait for them; runs until
    /// dropped.
    pub async fn keep_fresh(&self) {
        loop {
            self.warm(clock::now()).await;
            tokio::time::sleep(KEYS_EVERY).await;
        }
    }

    /// The state of every issuer's keys.
    pub fn status(&self, now: Timestamp) -> Vec<IssuerStatus> {
        let status = |issuer: &Arc<Issuer>| IssuerStatus {
            issuer: issuer.rules.settings().name.clone(),
            keys: issuer.keyring.status(now),
        };
        self.issuers.iter().map(status).collect()
    }

    /// A token that was verified before, under a key that the issuer still has.
    fn remembered(&self, digest: &Digest, now: Timestamp) -> Option<Arc<Verified>> {
        let verified = self.cache.get(digest)?;
        let name = &verified.identity.issuer;
        let issuer = self.issuers.iter().find(|i| i.rules.settings().name == *name)?;
        let signed = verified.signed.as_ref()?;
        let key = issuer.keyring.at_hand(signed.kid.as_deref(), signed.algorithm, now)?;
        (key.digest() == signed.key).then_some(verified)
    }

    /// The issuer that has to read a token, because it is no JWT; `None` for a JWT, and where nobody is
    /// asked.
    fn who_reads(&self, token: &[u8], access: &Access) -> Result<Option<&Issuer>, Refusal> {
        let asked = |issuer: &&Arc<Issuer>| {
            let name = &issuer.rules.settings().name;
            issuer.introspector.is_some() && access.issuers.contains(name)
        };
        let is_jwt = token.iter().filter(|byte| **byte == b'.').count() == 2;
        let mut issuers = self.issuers.iter().filter(|issuer| !is_jwt && asked(issuer));
        match (issuers.next(), issuers.next()) {
            (issuer, None) => Ok(issuer.map(|issuer| &**issuer)),
            // The configuration allows no two; a token must not be shown to one that it is not of.
            _ => Err(Refusal::new(Reason::TokenIssuer, "it does not say whose token it is")),
        }
    }

    /// Asks the issuer of a token that was verified, where it is to be asked about those too.
    async fn confirm(
        &self,
        token: &[u8],
        digest: Digest,
        verified: &Arc<Verified>,
        access: &Access,
    ) -> Result<(), Refusal> {
        let issuer = self.trusted(access, |issuer| issuer.name == verified.identity.issuer)?;
        let Some(asked) = issuer.introspector.as_ref().filter(|asked| asked.is_about_all()) else {
            return Ok(());
        };
        let judge = |told: &Map<String, Value>| {
            introspected::agrees(told, &verified.identity, issuer.rules.settings())?;
            Ok(Arc::clone(verified))
        };
        asked.ask(token, digest, judge).await.map(drop)
    }

    /// Reads the token, believes its `iss` just enough to pick the issuer whose keys must verify it.
    async fn verify(
        &self,
        token: &[u8],
        access: &Access,
        now: Timestamp,
    ) -> Result<Arc<Verified>, Refusal> {
        let jws = Jws::read(token, self.token_max_bytes)?;
        let iss = jws.iss()?;
        let issuer = self.trusted(access, |issuer| issuer.issuer == iss)?;
        issuer.rules.admit(&jws)?;
        let key = issuer.key(jws.kid.as_deref(), jws.algorithm, now).await?;
        issuer.rules.verify(&jws, &key).map(Arc::new)
    }

    /// What is checked on every use of a verified token.
    fn check(
        &self,
        verified: &Verified,
        access: &Access,
        now: Timestamp,
    ) -> Result<Arc<Identity>, Refusal> {
        let issuer = self.trusted(access, |issuer| issuer.name == verified.identity.issuer)?;
        issuer.rules.check(verified, &access.audiences, now)?;
        Ok(verified.identity.clone())
    }

    /// The connection's issuer that fits.
    fn trusted(
        &self,
        access: &Access,
        fits: impl Fn(&IssuerSettings) -> bool,
    ) -> Result<&Issuer, Refusal> {
        let ours = |issuer: &&Arc<Issuer>| {
            let settings = issuer.rules.settings();
            fits(settings) && access.issuers.contains(&settings.name)
        };
        self.issuers
            .iter()
            .find(ours)
            .map(|issuer| &**issuer)
            .ok_or_else(|| Refusal::new(Reason::TokenIssuer, "no issuer of this connection"))
    }
}

impl Issuer {
    fn new(settings: &IssuerSettings) -> Result<Self, IssuerFault> {
        let issuer = || settings.name.clone();
        let rules = Rules::new(settings.clone())
            .map_err(|fault| IssuerFault::Rules { issuer: issuer(), fault })?;
        let keyring = Keyring::new(settings)
            .map_err(|fault| IssuerFault::Egress { issuer: issuer(), fault })?;
        let introspector = settings.introspection.as_ref();
        let introspector = introspector.map(|asked| Introspector::new(asked, settings)).transpose();
        let introspector =
            introspector.map_err(|fault| IssuerFault::Egress { issuer: issuer(), fault })?;
        Ok(Self { rules, keyring, introspector })
    }

    /// What a token means that only this issuer can read.
    async fn read(
        &self,
        token: &[u8],
        digest: Digest,
        max_bytes: usize,
    ) -> Result<Arc<Verified>, Refusal> {
        let malformed = || Refusal::new(Reason::TokenMalformed, "the token is too long");
        let asked = self.introspector.as_ref().filter(|_| token.len() <= max_bytes);
        let asked = asked.ok_or_else(malformed)?;
        asked.ask(token, digest, |told| self.rules.introspected(told, digest).map(Arc::new)).await
    }

    async fn key(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Key>, Refusal> {
        self.keyring.key(kid, algorithm, now).await.map_err(|fault| match fault {
            KeyFault::Unknown => {
                Refusal::new(Reason::TokenKeyUnknown, "the issuer has no such key")
            }
            KeyFault::Unavailable => {
                Refusal::new(Reason::IssuerUnavailable, "the issuer's keys can't be had")
            }
        })
    }
}

/// The token of the one `Authorization: Bearer` header; the scheme in any case, one space.
fn bearer(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value =
        values.next().ok_or_else(|| Refusal::new(Reason::TokenMissing, "there is no token"))?;
    if values.next().is_some() {
        return Err(Refusal::new(Reason::HttpMalformed, "there are two Authorization headers"));
    }
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len()).unwrap_or_default();
    // What follows the one space is looked at as a token, which has no spaces in it.
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return Err(Refusal::new(Reason::TokenMalformed, "Authorization is not one bearer token"));
    }
    Ok(token)
}

#[cfg(test)]
mod tests;
