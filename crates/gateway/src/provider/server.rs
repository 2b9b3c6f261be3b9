//! The few calls of the HTTP API that are used, each bounded in time and size.
//!
//! <https://openbao.org/api-docs/> and <https://developer.hashicorp.com/vault/api-docs> have them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use lockgate_vault::Secret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

use super::{
    ProviderFault, ServerSettings,
    login::{Login, Session},
};
use crate::{
    body,
    egress::{self, Client, EgressFault, EgressRules},
    secret::Kept,
};

/// Each call must be answered within this time.
const CALL_MAX: Duration = Duration::from_secs(3);
/// Where it can't be reached, nobody else tries within this time.
const AWAY: Duration = Duration::from_secs(1);
/// A connection must stand within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// An answer is at most this long, in bytes: what a key-value engine keeps under one path.
const ANSWER_MAX_BYTES: usize = 2 * 1024 * 1024;

/// A HashiCorp Vault or OpenBao server, and the session there.
pub struct Server {
    settings: ServerSettings,
    client: Client,
    /// With `/v1/` at its end.
    base: String,
    namespace: Option<HeaderValue>,
    login: Login,
    /// Since when it can't be reached, and why.
    away: Mutex<Option<(Instant, ProviderFault)>>,
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

/// Borrowed from the answer, so that no field but the wanted one is copied.
type Fields<'a> = HashMap<String, &'a RawValue>;

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
            client: egress::client(&rules)?,
            base: format!("{}/v1/", url.as_str().trim_end_matches('/')),
            namespace,
            login: Login::new(settings.login.clone()),
            away: Mutex::default(),
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
        let field = fields.get(&kept.field).ok_or_else(|| missing("it has no such field"))?;
        let text: String =
            serde_json::from_str(field.get()).map_err(|_| missing("the field is no text"))?;
        Secret::of_text(text).map_err(|fault| missing(&fault.to_string()))
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

    /// One call, and its answer where that is a success. Who waited behind a call that nobody answered
    /// is not kept waiting once more.
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
        let away = || self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let known = away().clone().filter(|(since, _)| since.elapsed() < AWAY);
        if let Some((_, fault)) = known {
            return Err(fault);
        }
        let answered = self.send(method, path, session, body).await;
        *away() = match &answered {
            Err(fault @ ProviderFault::Unreachable(_)) => Some((Instant::now(), fault.clone())),
            _ => None,
        };
        answered
    }

    async fn send(
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
        let answered = async {
            let answer = self.client.send(request).await;
            let answer = answer.map_err(|refusal| unusable(&refusal.detail))?;
            judge(answer.status())?;
            let read = body::read(answer.into_body(), ANSWER_MAX_BYTES).await;
            read.map_err(|_| unusable("its answer broke off, or is too long"))
        };
        let late = |_| unusable(&format!("no answer within {} s", CALL_MAX.as_secs()));
        timeout(CALL_MAX, answered).await.map_err(late)?
    }
}

/// Reads an answer.
///
/// # Errors
/// [`ProviderFault::Unreachable`]: something else answers there.
pub(super) fn parse<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, ProviderFault> {
    // The library's words may quote what it read.
    serde_json::from_slice(answer).map_err(|_| unusable("its answer is not of the known form"))
}

/// As [`parse`], of the part under `data`.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_data<T: DeserializeOwned>(answer: &[u8]) -> Result<T, ProviderFault> {
    Ok(parse::<Envelope<T>>(answer)?.data)
}

/// A body of JSON.
///
/// # Errors
/// [`ProviderFault::Unreachable`], which does not happen to our own types.
pub(super) fn json(value: &impl Serialize) -> Result<Bytes, ProviderFault> {
    let bytes = serde_json::to_vec(value).map(Zeroizing::new);
    // Wiped when the last part of it was sent.
    bytes.map(Bytes::from_owner).map_err(|_| unusable("it can't be asked that"))
}

fn judge(status: StatusCode) -> Result<(), ProviderFault> {
    let number = status.as_u16();
    match number {
        200 | 204 => Ok(()),
        400 | 401 | 403 => Err(ProviderFault::Refused(format!("the server refuses it ({number})"))),
        404 => Err(ProviderFault::Missing("the server has nothing there (404)".to_owned())),
        // Sealed, standby, over its limits, or behind a redirect.
        _ => Err(unusable(&format!("the server answers with status {number}"))),
    }
}

pub(super) fn unusable(why: &str) -> ProviderFault {
    ProviderFault::Unreachable(why.to_owned())
}
