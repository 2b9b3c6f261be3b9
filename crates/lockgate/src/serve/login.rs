//! How people log in to the pages: the issuer's endpoints, found by discovery, and the token for a
//! code. The pages themselves know nothing of the network.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use lockgate_console::{ApiSettings, Begin, Finish, Login, LoginSettings, Unfinished};
use lockgate_gateway::{
    egress::{self, Client, EgressRules},
    settings::IssuerSettings,
};
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::keep::resolve;
use crate::{config::Settings, exchange::exchange, failure::Failure};

/// An answer of the issuer must have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// A connection must stand within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// Everything that a login takes.
struct Issuer {
    client: Client,
    rules: EgressRules,
    /// The issuer's URL.
    issuer: String,
    settings: LoginSettings,
    /// The client's secret; absent for a public client.
    secret: Option<String>,
    audience: String,
}

/// Why the issuer gave no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Unreachable(String),
    #[error("the issuer answered {0}")]
    Status(StatusCode),
    #[error("the issuer's answer is no JSON")]
    Unread,
}

/// The login that is configured, ready to be used. Dials nothing yet.
///
/// # Errors
/// Where the issuer is not configured, or the client's secret can't be had.
pub(super) fn login(api: &ApiSettings, settings: &Settings) -> Result<Option<Login>, Failure> {
    let Some(login) = &api.login else { return Ok(None) };
    let known = settings.issuers.iter().find(|one| one.name == login.issuer);
    let unknown = || {
        Failure::usage_text(format_args!("admin_api.login: no issuer is named `{}`", login.issuer))
    };
    let issuer = Arc::new(Issuer::new(known.ok_or_else(unknown)?, login, api)?);
    let other = Arc::clone(&issuer);
    Ok(Some(Login {
        origin: login.url.clone(),
        begin: Box::new(move |begin| {
            let issuer = Arc::clone(&issuer);
            Box::pin(async move { issuer.begin(&begin).await })
        }),
        finish: Box::new(move |finish| {
            let issuer = Arc::clone(&other);
            Box::pin(async move { issuer.finish(&finish).await })
        }),
    }))
}

impl Issuer {
    fn new(
        issuer: &IssuerSettings,
        login: &LoginSettings,
        api: &ApiSettings,
    ) -> Result<Self, Failure> {
        let rules = EgressRules {
            allow_private: issuer.allow_private,
            ca: issuer.ca.clone(),
            connect_wait_max: CONNECT_WAIT_MAX,
        };
        Ok(Self {
            client: egress::client(&rules).map_err(Failure::unreachable)?,
            rules,
            issuer: issuer.issuer.clone(),
            settings: login.clone(),
            secret: login.client_secret.as_ref().map(resolve).transpose()?,
            audience: api.audience.clone(),
        })
    }

    /// The URL at which the issuer asks who somebody is (OpenID Connect Core §3.1.2.1).
    async fn begin(&self, begin: &Begin) -> Result<String, String> {
        let metadata = self.metadata().await?;
        let mut url = self.endpoint(&metadata, "authorization_endpoint")?;
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &begin.redirect)
            .append_pair("scope", &self.settings.scopes.join(" "))
            .append_pair("state", &begin.state)
            .append_pair("code_challenge", &begin.challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("resource", &self.audience);
        Ok(url.into())
    }

    /// The access token for a code (RFC 6749 §4.1.3).
    async fn finish(&self, finish: &Finish) -> Result<String, Unfinished> {
        let metadata = self.metadata().await.map_err(Unfinished::Away)?;
        self.is_own(&metadata, finish)?;
        let url = self.endpoint(&metadata, "token_endpoint").map_err(Unfinished::Away)?;
        let form = self.form(finish);
        let request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(form)));
        let request = request.map_err(|error| Unfinished::Away(error.to_string()))?;
        let answer = match self.ask(request).await {
            Ok(answer) => answer,
            // It does not take the code, or the verifier that goes with it.
            Err(Fault::Status(status)) if status.is_client_error() => {
                return Err(Unfinished::Refused(format!("the issuer answered {status}")));
            }
            Err(fault) => return Err(Unfinished::Away(fault.to_string())),
        };
        let token = answer.get("access_token").and_then(Value::as_str);
        let none = || Unfinished::Away("the issuer gave no access token".to_owned());
        token.map(str::to_owned).ok_or_else(none)
    }

    /// Whether the answer is this issuer's, so that no other one's code is shown to it (RFC 9207 §2.4).
    fn is_own(&self, metadata: &Value, finish: &Finish) -> Result<(), Unfinished> {
        let says = metadata.get("authorization_response_iss_parameter_supported");
        let own = match &finish.issuer {
            Some(issuer) => *issuer == self.issuer,
            None => says.is_none_or(|says| *says != Value::Bool(true)),
        };
        let foreign = || Unfinished::Refused("the answer is another issuer's".to_owned());
        own.then_some(()).ok_or_else(foreign)
    }

    fn form(&self, finish: &Finish) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", &finish.code)
            .append_pair("redirect_uri", &finish.redirect)
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("code_verifier", &finish.verifier)
            .append_pair("resource", &self.audience);
        if let Some(secret) = &self.secret {
            form.append_pair("client_secret", secret);
        }
        form.finish()
    }

    /// What the issuer publishes of itself.
    async fn metadata(&self) -> Result<Value, String> {
        let place =
            format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let request = Request::get(place).body(Full::default());
        let metadata = self.ask(request.map_err(|error| error.to_string())?).await;
        let metadata = metadata.map_err(|fault| fault.to_string())?;
        if metadata.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("the metadata is another issuer's".to_owned());
        }
        Ok(metadata)
    }

    /// An endpoint, at an address that the issuer's rules allow.
    fn endpoint(&self, metadata: &Value, name: &str) -> Result<Url, String> {
        let url = metadata.get(name).and_then(Value::as_str);
        let url = url.ok_or_else(|| format!("the metadata has no `{name}`"))?;
        egress::check_url(url, &self.rules).map_err(|fault| fault.to_string())
    }

    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Value, Fault> {
        let answer = exchange(&self.client, request, WAIT_MAX, ANSWER_MAX_BYTES).await;
        let (status, body) = answer.map_err(Fault::Unreachable)?;
        // What an error says may quote the code.
        if !status.is_success() {
            return Err(Fault::Status(status));
        }
        serde_json::from_slice(&body).map_err(|_| Fault::Unread)
    }
}
