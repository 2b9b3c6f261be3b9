//! One question to a token endpoint (RFC 6749 §3.2) and its answer: who asks, what for, and what came of
//! it. Quotes nothing of an answer but its error code, since the rest may hold a secret.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use lockgate_model::{Reason, Refusal};
use lockgate_vault::Secret;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::{
    client::{Form, Shown},
    held::Token,
};
use crate::{
    discovery::{FetchFault, Fetcher},
    settings::{ClientAuthentication, CredentialSettings, TokenKind},
};

/// The longest access token, in bytes: what servers take as a header at all.
const TOKEN_MAX_BYTES: usize = 16 * 1024;

/// The grant type of an exchange (RFC 8693 §2.1).
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The errors by which an exchange says no to the caller, not to the gateway (RFC 8693 §2.2.2; RFC 6749
/// §4.1.2.1, §5.2).
const NOT_FOR_CALLER: [&str; 4] =
    ["invalid_request", "invalid_grant", "invalid_target", "access_denied"];

/// Where tokens are given, and how.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) url: Url,
    /// Whom assertions are for: the issuer, or where that is not known the endpoint itself.
    pub(super) audience: String,
    /// How clients may show who they are; `None` where that is not told.
    pub(super) auth_methods: Option<Vec<String>>,
}

/// The secret of whoever asks, as the settings refer to it: the client's secret or its private key.
pub(super) struct Client<'a> {
    pub(super) settings: &'a CredentialSettings,
    /// `None` of a public client.
    pub(super) secret: Option<&'a Secret>,
}

/// A token as it is given (RFC 6749 §5.1).
#[derive(Deserialize)]
pub(super) struct Given {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    /// Of an exchange (RFC 8693 §2.2.1).
    issued_token_type: Option<String>,
    /// What asks for the next one (§6).
    pub(super) refresh_token: Option<String>,
}

/// Why none is given.
pub(super) struct NotGiven {
    pub(super) refusal: Refusal,
    /// The authorization server's own word for it (RFC 6749 §5.2).
    pub(super) code: Option<String>,
}

/// An error as it is told (RFC 6749 §5.2).
#[derive(Deserialize)]
struct Told {
    error: String,
}

impl Endpoint {
    /// Asks for a token: in exchange for `subject`, a caller's token, or else for the client itself.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub(super) async fn ask(
        &self,
        fetcher: &Fetcher,
        client: &Client<'_>,
        mut form: Form,
        subject: Option<&Secret>,
    ) -> Result<Token, Refusal> {
        let asked = Instant::now();
        match subject {
            Some(subject) => exchange(&mut form, client.settings, subject),
            None => form.push(("grant_type", "client_credentials".to_owned())),
        }
        let exchanges = subject.is_some();
        let given =
            self.give(fetcher, client, form).await.map_err(|not| not.for_caller(exchanges))?;
        if let Some(subject) = subject {
            self.check_exchanged(&given, client.settings, subject)?;
        }
        let token = Token::new(self.authorization(&given)?, asked, given.lifetime());
        token.ok_or_else(|| self.invalid("its token is over as soon as it is given"))
    }

    /// Asks for what is given beside a token, too.
    ///
    /// # Errors
    /// A `credential.*` reason, with the server's own word where it said no.
    pub(super) async fn give(
        &self,
        fetcher: &Fetcher,
        client: &Client<'_>,
        form: Form,
    ) -> Result<Given, NotGiven> {
        let request = self.request(client, form)?;
        let (status, body) = fetcher.ask(&self.url, request).await.map_err(refusal)?;
        if status != StatusCode::OK {
            return Err(self.declined(status, &body));
        }
        let given: Given = serde_json::from_slice(&body).map_err(|_| {
            self.invalid("its answer holds no access token in the form of RFC 6749")
        })?;
        if !given.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.invalid("its token is no bearer token").into());
        }
        Ok(given)
    }

    /// What an exchange gave must be another token, and one that goes to servers as it is.
    fn check_exchanged(
        &self,
        given: &Given,
        settings: &CredentialSettings,
        subject: &Secret,
    ) -> Result<(), Refusal> {
        let wanted = settings.requested_token_type;
        let fits = |kind: &TokenKind| wanted.is_none_or(|wanted| wanted == *kind);
        let mut fitting = TokenKind::ALL.iter().filter(|kind| fits(kind));
        if !fitting.any(|kind| given.issued_token_type.as_deref() == Some(kind.urn())) {
            return Err(self.invalid("its `issued_token_type` is not what was asked for"));
        }
        // The caller's own token never goes upstream, whoever says so.
        if given.access_token == subject.expose() {
            return Err(self.invalid("it gave the caller's own token back"));
        }
        Ok(())
    }

    /// The whole value of `Authorization` for a token.
    ///
    /// # Errors
    /// [`Reason::CredentialIssuerInvalid`] where no header carries it.
    pub(super) fn authorization(&self, given: &Given) -> Result<Secret, Refusal> {
        let fits = given.access_token.bytes().all(|byte| byte.is_ascii_graphic())
            && (1..=TOKEN_MAX_BYTES).contains(&given.access_token.len());
        let secret = Secret::of_text(format!("Bearer {}", given.access_token)).ok();
        secret.filter(|_| fits).ok_or_else(|| self.invalid("no header carries its token"))
    }

    /// A question of this client, which shows who it is.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub(super) fn request(
        &self,
        client: &Client<'_>,
        form: Form,
    ) -> Result<Request<Full<Bytes>>, Refusal> {
        let (settings, methods) = (client.settings, self.auth_methods.as_deref());
        let shown = Shown {
            id: &settings.client_id,
            secret: client.secret,
            key_id: settings.key_id.as_deref(),
            method: settings.token_endpoint_auth_method.unwrap_or_else(|| {
                ClientAuthentication::usual(settings.private_key.is_some(), methods)
            }),
        };
        shown.request(&self.url, &self.audience, form)
    }

    fn declined(&self, status: StatusCode, body: &[u8]) -> NotGiven {
        let url = &self.url;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let detail = format!("{url}: status {}", status.as_u16());
            return Refusal::new(Reason::CredentialIssuerUnreachable, detail).into();
        }
        if !status.is_client_error() {
            return self.invalid(&format!("status {}", status.as_u16())).into();
        }
        let told = serde_json::from_slice::<Told>(body).ok().map(|told| told.error);
        let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.');
        let code = told.filter(|code| code.len() <= 64 && code.bytes().all(plain));
        let word = code.clone().unwrap_or_else(|| format!("status {}", status.as_u16()));
        let detail = format!("{url}: no token is given: {word}");
        NotGiven { refusal: Refusal::new(Reason::CredentialIssuerRefused, detail), code }
    }

    /// What comes from there can't be used.
    pub(super) fn invalid(&self, what: &str) -> Refusal {
        Refusal::new(Reason::CredentialIssuerInvalid, format!("{}: {what}", self.url))
    }
}

/// RFC 8693 §2.1; what the gateway took from the caller is always an access token.
fn exchange(form: &mut Form, settings: &CredentialSettings, subject: &Secret) {
    form.push(("grant_type", EXCHANGE.to_owned()));
    form.push(("subject_token", subject.expose().to_owned()));
    form.push(("subject_token_type", TokenKind::AccessToken.urn().to_owned()));
    if let Some(kind) = settings.requested_token_type {
        form.push(("requested_token_type", kind.urn().to_owned()));
    }
}

impl Given {
    /// How long the token lives, where that is told.
    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.expires_in.map(Duration::from_secs)
    }
}

impl NotGiven {
    /// The refusal: where a caller's token was to be exchanged, some words are a no to the caller.
    fn for_caller(self, exchanges: bool) -> Refusal {
        let Self { mut refusal, code } = self;
        if exchanges && code.is_some_and(|code| NOT_FOR_CALLER.contains(&&*code)) {
            refusal.reason = Reason::CredentialExchangeRefused;
        }
        refusal
    }
}

impl From<Refusal> for NotGiven {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, code: None }
    }
}

/// What a fetch that brought nothing means for the call.
pub(super) fn refusal(fault: FetchFault) -> Refusal {
    let reason = match &fault {
        FetchFault::Forbidden(_) => Reason::CredentialIssuerForbidden,
        FetchFault::Unreachable { refusal, .. } if refusal.reason == Reason::EgressDenied => {
            Reason::CredentialIssuerForbidden
        }
        FetchFault::Unreachable { .. } => Reason::CredentialIssuerUnreachable,
        FetchFault::Unusable { .. } => Reason::CredentialIssuerInvalid,
    };
    Refusal::new(reason, fault.to_string())
}
