//! Tokens that the gateway gets for an upstream from its authorization server (OAuth 2.0).
//!
//! `held` decides when, and is pure; `endpoint` asks; `slot` ties the two together, one question at a
//! time; `exchanged` has a slot for each caller whose token is exchanged, where that is the way. What can't
//! be had is refused by a reason of its own: there is no empty credential, and no old token past its end.
//! A caller's token goes to the configured authorization server and nowhere else. Nothing here speaks to
//! the upstream's MCP endpoint.

mod assertion;
pub(crate) mod client;
mod endpoint;
mod exchanged;
mod grants;
mod held;
mod slot;

use std::sync::{Arc, Mutex, PoisonError};

use client::Form;
use endpoint::{Client, Endpoint, refusal};
use exchanged::Exchanged;
pub use grants::{Answered, Asked, Grant, Grants};
pub use held::Token;
use lockgate_model::{ConnectionName, Reason, Refusal, Timestamp};
use lockgate_vault::Secret;
use slot::Slot;
use url::Url;

use crate::{
    clock,
    discovery::{Fetcher, Metadata},
    egress::EgressFault,
    settings::{CredentialSettings, HttpSettings, TokenGrant},
    stage::resolve::Caller,
    vault::Vault,
};

/// Where one connection's tokens come from. Clones share them.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    server: Server,
    /// What the gateway got for itself, or for all callers.
    own: Arc<Slot>,
    /// What it got for each caller.
    exchanged: Mutex<Exchanged>,
}

/// The authorization server of one connection, as it is configured or found.
struct Server {
    connection: ConnectionName,
    settings: CredentialSettings,
    /// The upstream's MCP endpoint.
    resource: Url,
    vault: Arc<Vault>,
    /// Goes to the authorization server.
    issuer: Fetcher,
    /// Goes to the upstream's metadata.
    upstream: Fetcher,
}

/// What was found of it.
struct Located {
    endpoint: Endpoint,
    /// The name of the resource that tokens are for.
    resource: String,
    /// What the server itself wants tokens for, where it is asked who gives them.
    scopes: Vec<String>,
    /// Where endpoints are not configured.
    metadata: Option<Metadata>,
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
        Ok(Self(Arc::new(Inner {
            server: Server::new(connection, credential, http, vault)?,
            own: Arc::default(),
            exchanged: Mutex::default(),
        })))
    }

    /// A token that can be used now, for the gateway itself or, with a connection that exchanges tokens,
    /// for this caller. Waits only where there is none.
    ///
    /// # Errors
    /// A `credential.*` reason, or [`Reason::TokenExpired`] where the caller's own token is over.
    pub async fn token(&self, caller: Option<&Caller>) -> Result<Arc<Token>, Refusal> {
        let (source, connection) = (&self.0, &self.0.server.connection);
        let Some(caller) = source.exchanging_for(caller) else {
            let asking = Arc::clone(source);
            return source.own.token(connection, || async move { asking.fetch(None).await }).await;
        };
        let (now, facts) = (clock::now(), &caller.identity.token);
        let over = || Refusal::new(Reason::TokenExpired, "the caller's token is over");
        if now >= facts.refused_from {
            return Err(over());
        }
        let none = || Refusal::new(Reason::CredentialUnavailable, "the caller has no token");
        let asking = Arc::clone(source);
        let question = || {
            let subject = caller.pass.token().ok_or_else(none);
            async move { asking.fetch(Some(subject?)).await }
        };
        let token = source.slot(caller, now).token(connection, question).await;
        token.map_err(|refusal| match refusal.reason {
            // Within the leeway of the issuer here, which the authorization server has not: a new token helps.
            Reason::CredentialExchangeRefused if clock::now() >= facts.expires_at => over(),
            _ => refusal,
        })
    }

    /// Notes that the upstream refused a call with this `Authorization`, and tells whether another
    /// token may be tried.
    pub fn reject(&self, caller: Option<&Caller>, sent: &[u8]) -> bool {
        match self.0.exchanging_for(caller) {
            Some(caller) => self.0.slot(caller, clock::now()).reject(sent),
            None => self.0.own.reject(sent),
        }
    }
}

impl Inner {
    /// The caller, where tokens are for each caller alone.
    fn exchanging_for<'a>(&self, caller: Option<&'a Caller>) -> Option<&'a Caller> {
        caller.filter(|_| self.server.settings.grant == TokenGrant::TokenExchange)
    }

    fn slot(&self, caller: &Caller, now: Timestamp) -> Arc<Slot> {
        let mut exchanged = self.exchanged.lock().unwrap_or_else(PoisonError::into_inner);
        exchanged.slot(&caller.identity.token, now)
    }

    /// Asks for a token: in exchange for a caller's, or for the client itself.
    async fn fetch(&self, subject: Option<Secret>) -> Result<Token, Refusal> {
        let server = &self.server;
        let Located { endpoint, resource, .. } = server.locate().await?;
        let secret = server.secret().await?;
        let mut form = Form::new();
        server.wish(&mut form, &server.settings.scopes, resource);
        if let Some(audience) = &server.settings.audience {
            form.push(("audience", audience.clone()));
        }
        let client = server.client(secret.as_deref());
        endpoint.ask(&server.issuer, &client, form, subject.as_ref()).await
    }
}

impl Server {
    fn new(
        connection: ConnectionName,
        credential: &CredentialSettings,
        http: &HttpSettings,
        vault: Arc<Vault>,
    ) -> Result<Self, EgressFault> {
        let issuer = Fetcher::new(credential.allow_private, credential.ca.clone())?;
        let endpoints = [&credential.token_endpoint, &credential.authorization_endpoint];
        let endpoints = endpoints.into_iter().flatten().map(Url::as_str);
        for url in credential.issuer.as_deref().into_iter().chain(endpoints) {
            issuer.check(url)?;
        }
        Ok(Self {
            connection,
            settings: credential.clone(),
            resource: http.url.clone(),
            vault,
            issuer,
            upstream: Fetcher::new(http.allow_private, http.ca.clone())?,
        })
    }

    /// The client's secret or its private key; a public client has none.
    async fn secret(&self) -> Result<Option<Arc<Secret>>, Refusal> {
        match self.settings.secrets().next() {
            Some(place) => place.fetch(&self.vault, &self.connection).await.map(Some),
            None => Ok(None),
        }
    }

    fn client<'a>(&'a self, secret: Option<&'a Secret>) -> Client<'a> {
        Client { settings: &self.settings, secret }
    }

    /// Adds what the token is wanted for.
    fn wish(&self, form: &mut Form, scopes: &[String], resource: String) {
        if !scopes.is_empty() {
            form.push(("scope", scopes.join(" ")));
        }
        if self.settings.resource {
            form.push(("resource", resource));
        }
    }

    /// Where tokens are given, and the name of the resource that they are for.
    async fn locate(&self) -> Result<Located, Refusal> {
        let resource = self.resource.to_string();
        if let Some(url) = &self.settings.token_endpoint {
            let audience = self.settings.issuer.clone().unwrap_or_else(|| url.to_string());
            let endpoint = Endpoint { url: url.clone(), audience, auth_methods: None };
            return Ok(Located { endpoint, resource, scopes: Vec::new(), metadata: None });
        }
        let (issuer, resource, scopes) = match &self.settings.issuer {
            Some(issuer) => (issuer.clone(), resource, Vec::new()),
            None => {
                let found = self.upstream.resource(&self.resource).await.map_err(refusal)?;
                let first = found.issuers.into_iter().next();
                (first.unwrap_or_default(), found.resource, found.scopes)
            }
        };
        let metadata = self.issuer.metadata(&issuer).await.map_err(refusal)?;
        let found = metadata.token_endpoint.as_deref().ok_or_else(|| {
            let detail = format!("{issuer}: its metadata has no `token_endpoint`");
            Refusal::new(Reason::CredentialIssuerInvalid, detail)
        })?;
        let url = self.issuer.check(found).map_err(|fault| refusal(fault.into()))?;
        let auth_methods = metadata.auth_methods.clone();
        let endpoint = Endpoint { url, audience: issuer, auth_methods };
        Ok(Located { endpoint, resource, scopes, metadata: Some(metadata) })
    }
}
