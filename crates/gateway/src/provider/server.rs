//! The few calls of the HTTP API that are used, each bounded in time and size.
//!
//! <https://openbao.org/api-docs/> and <https://developer.hashicorp.com/vault/api-docs> have them.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use lockgate_vault::Secret;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    ProviderFault, ServerSettings,
    login::{Login, Session},
    wire::{self, CONNECT_WAIT_MAX, Fields, Wire, parse, unusable},
};
use crate::{
    egress::{self, EgressFault, EgressRules},
    secret::Kept,
};

/// A HashiCorp Vault or OpenBao server, and the session there.
pub struct Server {
    settings: ServerSettings,
    wire: Wire,
    /// With `/v1/` at its end.
    base: String,
    namespace: Option<HeaderValue>,
    login: Login,
}

/// What every answer has around its own.
#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

/// What version 2 of the key-value engine has around the fields, beside their metadata; none where this
/// version was deleted.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    data: Option<Fields<'a>>,
}

impl Server {
    /// From its settings. Nothing is dialled here.
    ///
    /// # Errors
    /// [`EgressFault`] where its address may not be dialled, or its authorities can't be read.
    pub fn new(settings: &ServerSettings) -> Result<Self, EgressFault> {
        let rules = EgressRules {
            allow_private: settings.allow_private,
            ca: settings.ca.clone(),
            connect_wait_max: CONNECT_WAIT_MAX,
        };
        let url = egress::check_url(settings.url.as_str(), &rules)?;
        let namespace = settings.namespace.as_deref().map(HeaderValue::from_str).transpose();
        let namespace = namespace.map_err(|_| EgressFault::Url {
            url: url.to_string(),
            why: "its namespace is nothing that a header carries",
        })?;
        Ok(Self {
            wire: Wire::new(egress::client(&rules)?),
            base: format!("{}/v1/", url.as_str().trim_end_matches('/')),
            namespace,
            login: Login::new(settings.login.clone()),
            settings: settings.clone(),
        })
    }

    /// A field of a secret in a key-value engine, its newest version.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub async fn read(&self, kept: &Kept) -> Result<Secret, ProviderFault> {
        let missing = |what: &str| ProviderFault::Missing(what.to_owned());
        let (mount, version) = self
            .settings
            .mount_of(&kept.path)
            .ok_or_else(|| missing("its path is below none of `vault.server.mounts`"))?;
        let below = kept.path.get(mount.len() + 1..).unwrap_or_default();
        let path = match version {
            1 => kept.path.clone(),
            _ => format!("{mount}/data/{below}"),
        };
        let answer = self.ask(&Method::GET, &path, Bytes::new()).await?;
        let fields = match version {
            1 => parse::<Envelope<Fields<'_>>>(&answer)?.data,
            _ => {
                let version = parse::<Envelope<Version<'_>>>(&answer)?.data;
                version.data.ok_or_else(|| missing("its newest version was deleted"))?
            }
        };
        wire::field(&fields, &kept.field)
    }

    /// Keeps the session alive. To be called every few seconds.
    pub async fn tend(&self) {
        self.login.tend(self).await;
    }

    /// Asks within a session. One that was ended there is made anew, once.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ProviderFault> {
        let session = self.login.session(self).await?;
        match self.call(method, path, Some(&session), body.clone()).await {
            Err(ProviderFault::Refused(why)) => {
                match self.login.instead_of(self, &session).await? {
                    Some(fresh) => self.call(method, path, Some(&fresh), body).await,
                    None => Err(ProviderFault::Refused(why)),
                }
            }
            answered => answered,
        }
    }

    /// One call, and its answer where that is a success.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn call(
        &self,
        method: &Method,
        path: &str,
        session: Option<&Session>,
        body: Bytes,
    ) -> Result<Bytes, ProviderFault> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            // An agent in between takes none that lacks it.
            .header("x-vault-request", "true")
            .header(header::ACCEPT, "application/json");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(session) = session {
            request = request.header("x-vault-token", session.token());
        }
        let request = request.body(Full::new(body));
        let request = request.map_err(|_| unusable("it can't be asked for that path"))?;
        self.wire.ask(request, judge).await
    }
}

/// As [`parse`], of the part under `data`.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_data<T: DeserializeOwned>(answer: &[u8]) -> Result<T, ProviderFault> {
    Ok(parse::<Envelope<T>>(answer)?.data)
}

fn judge(status: StatusCode, _: &[u8]) -> Result<(), ProviderFault> {
    let number = status.as_u16();
    match number {
        200 | 204 => Ok(()),
        400 | 401 | 403 => Err(ProviderFault::Refused(format!("the server refuses it ({number})"))),
        404 => Err(ProviderFault::Missing("the server has nothing there (404)".to_owned())),
        // Sealed, standby, over its limits, or behind a redirect.
        _ => Err(unusable(&format!("the server answers with status {number}"))),
    }
}
