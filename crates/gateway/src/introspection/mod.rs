//! Asking an issuer whether a token is good (RFC 7662): one question at a time for each token, and an
//! answer that serves for a short while.
//!
//! Whatever is no clear yes lets nobody in: a no is [`Reason::TokenInactive`], and no answer is
//! [`Reason::IssuerUnavailable`]. The token goes to the configured issuer and nowhere else, and is not
//! kept; it is known by its SHA-256.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use lockgate_model::{Digest, Reason, Refusal};
use serde_json::{Map, Value};
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};
use url::Url;

use crate::{
    discovery::{FetchFault, Fetcher},
    egress::EgressFault,
    oauth::client::Shown,
    settings::{ClientAuthentication, IntrospectedTokens, IntrospectionSettings, IssuerSettings},
    token::{Cache, Verified, introspected},
};

/// Tokens of which the last answer is kept, one issuer.
const TOKENS_MAX: usize = 10_000;
/// Questions that wait for an answer, one issuer.
const ASKED_MAX: usize = 64;
/// A question that got no answer is not asked again for this long.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// The issuer's metadata is looked at again after this time.
const LOCATED_FOR: Duration = Duration::from_secs(600);

/// Asks one issuer.
#[derive(Debug)]
pub(crate) struct Introspector {
    settings: IntrospectionSettings,
    /// The issuer's `iss`.
    issuer: String,
    fetcher: Fetcher,
    located: Mutex<Option<(Located, Instant)>>,
    answers: Cache<Slot>,
    places: Semaphore,
}

/// The last answer about one token, and until when it serves. Locked while it is asked for.
type Slot = Mutex<Option<(Result<Arc<Verified>, Refusal>, Instant)>>;

/// Where the issuer is asked.
#[derive(Clone, Debug)]
struct Located {
    url: Url,
    /// How clients may show there who they are.
    methods: Option<Vec<String>>,
}

impl Introspector {
    /// For an issuer that is asked. Dials nothing yet.
    ///
    /// # Errors
    /// [`EgressFault`] where its URLs or certificate authorities can't be used.
    pub(crate) fn new(
        settings: &IntrospectionSettings,
        issuer: &IssuerSettings,
    ) -> Result<Self, EgressFault> {
        let fetcher = Fetcher::new(issuer.allow_private, issuer.ca.clone())?;
        fetcher.check(settings.endpoint.as_ref().map_or(&issuer.issuer, |url| url.as_str()))?;
        Ok(Self {
            settings: settings.clone(),
            issuer: issuer.issuer.clone(),
            fetcher,
            located: Mutex::default(),
            answers: Cache::new(TOKENS_MAX),
            places: Semaphore::new(ASKED_MAX),
        })
    }

    /// Whether it is asked about JWTs too.
    pub(crate) fn is_about_all(&self) -> bool {
        self.settings.tokens == IntrospectedTokens::All
    }

    /// How long an answer serves.
    pub(crate) fn serves_for(&self) -> Duration {
        Duration::from_millis(self.settings.cache_max_ms.into())
    }

    /// What `judge` makes of the claims that the issuer tells of `token`, where it is good.
    ///
    /// # Errors
    /// [`Reason::TokenInactive`], [`Reason::IssuerUnavailable`], and what `judge` says.
    pub(crate) async fn ask(
        &self,
        token: &[u8],
        digest: Digest,
        judge: impl FnOnce(&Map<String, Value>) -> Result<Arc<Verified>, Refusal> + Send,
    ) -> Result<Arc<Verified>, Refusal> {
        let slot = self.answers.get_or_default(digest);
        let mut held = slot.lock().await;
        let asked = Instant::now();
        if let Some((answer, until)) = &*held
            && asked < *until
        {
            return answer.clone();
        }
        let _place = self.places.try_acquire().map_err(|_| {
            Refusal::new(Reason::IssuerUnavailable, "the issuer is asked too much at once")
        })?;
        let answer = match self.told(token).await {
            Ok(told) => judge(&told),
            Err(refusal) => Err(refusal),
        };
        let unanswered =
            matches!(&answer, Err(refusal) if refusal.reason == Reason::IssuerUnavailable);
        // Who waited meanwhile is not made to wait as long again.
        let until =
            if unanswered { Instant::now() + FAILED_FOR } else { asked + self.serves_for() };
        *held = Some((answer.clone(), until));
        answer
    }

    async fn told(&self, token: &[u8]) -> Result<Map<String, Value>, Refusal> {
        let answer = self.question(token).await.and_then(|(status, body)| match status {
            StatusCode::OK => introspected::read(&body),
            // Of these, 401 says that the gateway's own secret is no good.
            other => Err(unavailable(format!("status {}", other.as_u16()))),
        });
        if let Err(refusal) = &answer
            && refusal.reason == Reason::IssuerUnavailable
        {
            tracing::warn!(issuer = self.issuer, %refusal, "a token could not be asked about");
        }
        answer
    }

    async fn question(&self, token: &[u8]) -> Result<(StatusCode, bytes::Bytes), Refusal> {
        let token =
            str::from_utf8(token).ok().filter(|token| is_token(token)).ok_or_else(|| {
                Refusal::new(Reason::TokenMalformed, "it has characters that no token has")
            })?;
        let Located { url, methods } = self.locate().await?;
        let secret = self.settings.secret().map(crate::secret::SecretRef::resolve).transpose();
        let secret = secret.map_err(|refusal| unavailable(refusal.detail.to_string()))?;
        let shown = Shown {
            id: &self.settings.client_id,
            secret: secret.as_ref(),
            key_id: self.settings.key_id.as_deref(),
            method: self.settings.auth_method.unwrap_or_else(|| {
                ClientAuthentication::usual(self.settings.private_key.is_some(), methods.as_deref())
            }),
        };
        let form =
            vec![("token", token.to_owned()), ("token_type_hint", "access_token".to_owned())];
        let request = shown.request(&url, &self.issuer, form);
        let request = request.map_err(|refusal| unavailable(refusal.detail.to_string()))?;
        self.fetcher.ask(&url, request).await.map_err(unreachable)
    }

    async fn locate(&self) -> Result<Located, Refusal> {
        if let Some(url) = &self.settings.endpoint {
            return Ok(Located { url: url.clone(), methods: None });
        }
        let mut located = self.located.lock().await;
        if let Some((known, until)) = &*located
            && Instant::now() < *until
        {
            return Ok(known.clone());
        }
        let metadata = self.fetcher.metadata(&self.issuer).await.map_err(unreachable)?;
        let url = metadata.introspection_endpoint.ok_or_else(|| {
            unavailable("its metadata has no `introspection_endpoint`".to_owned())
        })?;
        let url = self.fetcher.check(&url).map_err(|fault| unreachable(fault.into()))?;
        let methods = metadata.introspection_auth_methods.or(metadata.auth_methods);
        let found = Located { url, methods };
        *located = Some((found.clone(), Instant::now() + LOCATED_FOR));
        Ok(found)
    }
}

/// The characters of a bearer token (RFC 6750 §2.1).
fn is_token(token: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    !token.is_empty() && token.bytes().all(known)
}

fn unreachable(fault: FetchFault) -> Refusal {
    unavailable(fault.to_string())
}

fn unavailable(what: String) -> Refusal {
    Refusal::new(Reason::IssuerUnavailable, what)
}
