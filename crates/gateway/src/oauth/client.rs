//! How a client shows who it is at an authorization server (RFC 6749 §2.3, RFC 7523 §2.2), whatever it
//! asks there.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::Full;
use lockgate_model::{Reason, Refusal};
use lockgate_vault::Secret;
use url::{Url, form_urlencoded};

use super::assertion::assertion;
use crate::settings::ClientAuthentication;

/// The parts of a question that are not about the client.
pub(crate) type Form = Vec<(&'static str, String)>;

/// A client, and how it shows who it is.
pub(crate) struct Shown<'a> {
    pub(crate) id: &'a str,
    /// Its secret or its private key; `None` of a public client.
    pub(crate) secret: Option<&'a Secret>,
    /// The name of the private key.
    pub(crate) key_id: Option<&'a str>,
    pub(crate) method: ClientAuthentication,
}

impl Shown<'_> {
    /// A question to `url`. `audience` is whom assertions are for.
    ///
    /// # Errors
    /// A `credential.*` reason.
    pub(crate) fn request(
        &self,
        url: &Url,
        audience: &str,
        mut form: Form,
    ) -> Result<Request<Full<Bytes>>, Refusal> {
        let mut authorization = None;
        match (self.method, self.secret) {
            (ClientAuthentication::None, _) | (_, None) => {
                form.push(("client_id", self.id.to_owned()));
            }
            (ClientAuthentication::ClientSecretBasic, Some(secret)) => {
                authorization = Some(basic(self.id, secret)?);
            }
            (ClientAuthentication::ClientSecretPost, Some(secret)) => {
                form.push(("client_id", self.id.to_owned()));
                form.push(("client_secret", secret.expose().to_owned()));
            }
            (ClientAuthentication::PrivateKeyJwt, Some(secret)) => {
                let made = assertion(self.id, audience, secret, self.key_id)?;
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                form.push(("client_id", self.id.to_owned()));
                form.push(("client_assertion_type", kind.to_owned()));
                form.push(("client_assertion", made));
            }
        }
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(url.as_str())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| {
                let detail = format!("{url}: it has no HTTP form");
                Refusal::new(Reason::CredentialIssuerInvalid, detail)
            })?;
        if let Some(authorization) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, authorization);
        }
        Ok(request)
    }
}

impl ClientAuthentication {
    /// What a private key asks for, or else the metadata's `methods`.
    pub(crate) fn usual(has_key: bool, methods: Option<&[String]>) -> Self {
        let takes =
            |name: &str| methods.is_some_and(|methods| methods.iter().any(|one| one == name));
        if has_key {
            Self::PrivateKeyJwt
        } else if takes("client_secret_post") && !takes("client_secret_basic") {
            Self::ClientSecretPost
        } else {
            Self::ClientSecretBasic
        }
    }
}

/// RFC 6749 §2.3.1: both parts are encoded as in a form first.
fn basic(client: &str, secret: &Secret) -> Result<HeaderValue, Refusal> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = BASE64_STANDARD.encode(format!("{}:{}", encode(client), encode(secret.expose())));
    let mut value = HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| {
        Refusal::new(Reason::CredentialUnavailable, "the client's secret fits no header")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
