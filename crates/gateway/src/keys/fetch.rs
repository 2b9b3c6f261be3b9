//! Going out for an issuer's keys: discovery (OpenID Connect Discovery §4, RFC 8414 §3) and the JWK
//! set. Small answers in short time, from allowed addresses, or none.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use lockgate_mcp::json::{Document, JsonLimits};
use lockgate_model::Refusal;
use tokio::time::timeout;
use url::Url;

use super::KeySet;
use crate::egress::{self, Client, EgressFault, EgressRules};

/// A discovery document or key set is at most this long.
const BODY_MAX_BYTES: usize = 256 * 1024;
/// Each of them must have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// A connection must stand within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(3);

/// Where one issuer's keys come from.
#[derive(Debug)]
pub(super) struct Source {
    client: Client,
    rules: EgressRules,
    issuer: String,
    /// The configured URL; discovery is not used then.
    jwks_url: Option<Url>,
}

/// Why a fetch brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFault {
    /// No connection, or not an allowed one.
    #[error("{url}: {refusal}")]
    Unreachable {
        /// What was asked for.
        url: String,
        /// What happened.
        refusal: Refusal,
    },
    /// An answer that can't be used.
    #[error("{url}: {what}")]
    Unusable {
        /// What was asked for.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// The metadata points where the gateway doesn't go.
    #[error("discovery: {0}")]
    Forbidden(#[from] EgressFault),
}

impl Source {
    pub(super) fn new(
        issuer: &str,
        jwks_url: Option<&Url>,
        rules: EgressRules,
    ) -> Result<Self, EgressFault> {
        let jwks_url = match jwks_url {
            Some(url) => Some(egress::check_url(url.as_str(), &rules)?),
            None => {
                egress::check_url(issuer, &rules)?;
                None
            }
        };
        Ok(Self { client: egress::client(&rules)?, rules, issuer: issuer.to_owned(), jwks_url })
    }

    /// The rules for an issuer's keys.
    pub(super) fn rules(allow_private: bool, ca: Option<std::path::PathBuf>) -> EgressRules {
        EgressRules { allow_private, ca, connect_wait_max: CONNECT_WAIT_MAX }
    }

    /// The issuer's keys as they are published now.
    pub(super) async fn keys(&self) -> Result<KeySet, FetchFault> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let body = self.get(&url).await?;
        KeySet::parse(&body).map_err(|what| unusable(&url, what))
    }

    /// Asks the issuer's well-known places in turn for its `jwks_uri`.
    async fn discover(&self) -> Result<Url, FetchFault> {
        let [oidc, oauth] = well_known(&self.issuer, &self.rules)?;
        match self.metadata(&oidc).await {
            Ok(url) => Ok(url),
            // The first fault is the one to show: most issuers have only the first place.
            Err(fault) => self.metadata(&oauth).await.map_err(|_| fault),
        }
    }

    async fn metadata(&self, url: &Url) -> Result<Url, FetchFault> {
        let body = self.get(url).await?;
        let document = Document::strict(&body, JsonLimits::default())
            .map_err(|fault| unusable(url, fault.to_string()))?;
        let text = |name: &str| document.root().get(name).and_then(|node| node.text());
        // Without this, whoever can put one document on the host can name keys for every issuer.
        if text("issuer").as_deref() != Some(&self.issuer) {
            return Err(unusable(url, "its `issuer` is another".to_owned()));
        }
        let jwks_uri =
            text("jwks_uri").ok_or_else(|| unusable(url, "it has no `jwks_uri`".to_owned()))?;
        Ok(egress::check_url(&jwks_uri, &self.rules)?)
    }

    /// One answer with status 200, whole, within the limits.
    async fn get(&self, url: &Url) -> Result<Bytes, FetchFault> {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|error| unusable(url, error.to_string()))?;
        let exchange = async {
            let unreachable = |refusal| FetchFault::Unreachable { url: url.to_string(), refusal };
            let answer = self.client.send(request).await.map_err(unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(unusable(url, format!("status {}", answer.status().as_u16())));
            }
            let body = Limited::new(answer.into_body(), BODY_MAX_BYTES).collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|error| unusable(url, error.to_string()))
        };
        let late = |_| unusable(url, format!("no answer within {} s", WAIT_MAX.as_secs()));
        timeout(WAIT_MAX, exchange).await.map_err(late)?
    }
}

fn unusable(url: &Url, what: String) -> FetchFault {
    FetchFault::Unusable { url: url.to_string(), what }
}

/// OIDC appends to the issuer's path; RFC 8414 puts its part in front of it.
fn well_known(issuer: &str, rules: &EgressRules) -> Result<[Url; 2], EgressFault> {
    let oidc = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let mut oauth = egress::check_url(issuer, rules)?;
    let path =
        format!("/.well-known/oauth-authorization-server{}", oauth.path().trim_end_matches('/'));
    oauth.set_path(&path);
    Ok([egress::check_url(&oidc, rules)?, oauth])
}
