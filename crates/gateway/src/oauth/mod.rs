//! Tokens that the gateway gets for an upstream from its authorization server (OAuth 2.0).
//!
//! `held` decides when, and is pure; `endpoint` asks; [`TokenSource`] ties the two together, one question
//! at a time. What can't be had is refused by a reason of its own: there is no empty credential, and no
//! old token past its end. Nothing here sees a caller's token, or speaks to the upstream's MCP endpoint.

mod assertion;
mod endpoint;
mod held;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use endpoint::{Client, Endpoint, Form, refusal};
pub use held::Token;
use held::{Held, Look};
use lockgate_model::{ConnectionName, Reason, Refusal};
use tokio::time::{Instant, timeout};
use url::Url;

use crate::{
    discovery::Fetcher,
    egress::EgressFault,
    settings::{CredentialSettings, HttpSettings, TokenGrant},
    vault::Vault,
};

/// Everything that getting a token takes must have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(15);

/// Where one connection's token comes from. Clones share the one token.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    connection: ConnectionName,
    settings: CredentialSettings,
    /// The upstream's MCP endpoint.
    resource: Url,
    vault: Arc<Vault>,
    /// Goes to the authorization server.
    issuer: Fetcher,
    /// Goes to the upstream's metadata.
    upstream: Fetcher,
    held: Mutex<Held>,
    turn: tokio::sync::Mutex<()>,
}

impl TokenSource {
    /// The source for an upstream with these settings. Dials nothing.
    ///
    /// # Errors
    /// [`EgressFault`] where an address may not be dialled, or certificate authorities can't be read.
    pub fn new(
        connection: ConnectionName,
        credential: &CredentialSettings,
        http: &HttpSettings,
        vault: Arc<Vault>,
    ) -> Result<Self, EgressFault> {
        let issuer = Fetcher::new(credential.allow_private, credential.ca.clone())?;
        let places =
            [credential.issuer.as_deref(), credential.token_endpoint.as_ref().map(Url::as_str)];
        for url in places.into_iter().flatten() {
            issuer.check(url)?;
        }
        Ok(Self(Arc::new(Inner {
            connection,
            settings: credential.clone(),
            resource: http.url.clone(),
            vault,
            issuer,
            upstream: Fetcher::new(http.allow_private, http.ca.clone())?,
            held: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })))
    }

    /// A token that can be used now. Waits only where there is none.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub async fn token(&self) -> Result<Arc<Token>, Refusal> {
        let now = Instant::now();
        let look = self.0.held().look(now);
        match look {
            Look::Use(token) => Ok(token),
            Look::Renew(token) => {
                drop(self.ask(now));
                Ok(token)
            }
            Look::Ask => self
                .ask(now)
                .await
                .map_err(|_| Refusal::new(Reason::Internal, "getting a token was cut off"))?,
            Look::Refuse(refusal) => Err(refusal),
        }
    }

    /// Notes that the upstream refused a call with this `Authorization`, and tells whether another
    /// token may be tried.
    pub fn reject(&self, sent: &[u8]) -> bool {
        self.0.held().reject(sent, Instant::now())
    }

    /// Asks in a task of its own, so that a caller who goes away takes nothing with him; those who ask
    /// at the same time wait for the first.
    fn ask(&self, since: Instant) -> tokio::task::JoinHandle<Result<Arc<Token>, Refusal>> {
        let source = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _turn = source.turn.lock().await;
            let look = source.held().look_again(since, Instant::now());
            match look {
                Look::Use(token) | Look::Renew(token) => return Ok(token),
                Look::Refuse(refusal) => return Err(refusal),
                Look::Ask => {}
            }
            let late = |_| {
                let detail = format!("no token within {} s", WAIT_MAX.as_secs());
                Refusal::new(Reason::CredentialIssuerUnreachable, detail)
            };
            let asked = timeout(WAIT_MAX, source.fetch()).await.map_err(late);
            match asked.and_then(|asked| asked) {
                Ok(token) => {
                    let token = Arc::new(token);
                    source.held().got(Arc::clone(&token));
                    Ok(token)
                }
                Err(refusal) => {
                    tracing::warn!(connection = source.connection.as_str(), %refusal, "no token");
                    source.held().failed(Instant::now(), refusal.clone());
                    Err(refusal)
                }
            }
        })
    }
}

impl Inner {
    async fn fetch(&self) -> Result<Token, Refusal> {
        let settings = &self.settings;
        let (endpoint, resource) = self.locate().await?;
        // The settings were checked: there is one of the two.
        let place = settings.secrets().next();
        let place = place.ok_or_else(|| {
            Refusal::new(Reason::CredentialUnavailable, "neither a secret nor a key is configured")
        })?;
        let secret = place.fetch(&self.vault, &self.connection).await?;
        let mut form: Form = match settings.grant {
            TokenGrant::ClientCredentials => vec![("grant_type", "client_credentials".to_owned())],
        };
        if !settings.scopes.is_empty() {
            form.push(("scope", settings.scopes.join(" ")));
        }
        if settings.resource {
            form.push(("resource", resource));
        }
        endpoint.ask(&self.issuer, &Client { settings, secret: &secret }, form).await
    }

    /// Where tokens are given, and the name of the resource that they are for.
    async fn locate(&self) -> Result<(Endpoint, String), Refusal> {
        let resource = self.resource.to_string();
        if let Some(url) = &self.settings.token_endpoint {
            let audience = self.settings.issuer.clone().unwrap_or_else(|| url.to_string());
            return Ok((Endpoint { url: url.clone(), audience, auth_methods: None }, resource));
        }
        let (issuer, resource) = match &self.settings.issuer {
            Some(issuer) => (issuer.clone(), resource),
            None => {
                let found = self.upstream.resource(&self.resource).await.map_err(refusal)?;
                let first = found.issuers.into_iter().next();
                (first.unwrap_or_default(), found.resource)
            }
        };
        let metadata = self.issuer.metadata(&issuer).await.map_err(refusal)?;
        let found = metadata.token_endpoint.ok_or_else(|| {
            let detail = format!("{issuer}: its metadata has no `token_endpoint`");
            Refusal::new(Reason::CredentialIssuerInvalid, detail)
        })?;
        let url = self.issuer.check(&found).map_err(|fault| refusal(fault.into()))?;
        Ok((Endpoint { url, audience: issuer, auth_methods: metadata.auth_methods }, resource))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
