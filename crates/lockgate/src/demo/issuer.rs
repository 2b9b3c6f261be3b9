//! A development OIDC issuer on loopback: discovery, keys, logins, and tokens for made-up people.
//!
//! It exists only inside `lockgate demo`: its key is drawn at start and kept in memory, and it
//! hands a token to whoever asks from this machine.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use lockgate_gateway::clock;
use lockgate_model::Timestamp;
use serde_json::{Value, json};

use super::{
    REVIEW,
    login::{CLIENT, Login},
};
use crate::plain_http;

/// The issuer's short name in the configuration, and so the first half of every group.
pub(crate) const NAME: &str = "dev";

/// How long a usual token lives, in seconds.
const LIFETIME_S: i64 = 3_600;
/// How long the token lives that Lockgate refuses for its age, in seconds: three weeks.
const WEEKS_S: i64 = 21 * 86_400;
const KEY_ID: &str = "demo-1";

/// The people and machines of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persona {
    /// Reads and writes.
    Engineer,
    /// Reads employees only.
    Contractor,
    /// A machine that reads payments.
    CiJob,
    /// Reads employees, and sees their e-mails.
    FraudAnalyst,
    /// Looks at everything, changes nothing.
    Reviewer,
}

/// How a token's times stand to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Issued now, for an hour.
    Usual,
    /// Expired ten minutes ago.
    Expired,
    /// Issued now, for three weeks.
    Weeks,
}

/// The issuer with its key.
pub(crate) struct Issuer {
    key: EcdsaKeyPair,
    url: String,
    audience: String,
    login: Login,
}

impl Persona {
    /// Everyone, in the order in which they are shown.
    pub(crate) const ALL: [Self; 5] =
        [Self::Engineer, Self::Contractor, Self::CiJob, Self::FraudAnalyst, Self::Reviewer];

    /// The name in URLs and in the story; the token's `sub`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Engineer => "engineer",
            Self::Contractor => "contractor",
            Self::CiJob => "ci-job",
            Self::FraudAnalyst => "fraud-analyst",
            Self::Reviewer => "reviewer",
        }
    }

    /// Who has this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|persona| persona.name() == name)
    }

    /// The one group in the token.
    const fn group(self) -> &'static str {
        match self {
            Self::Engineer => "engineers",
            Self::Contractor => "contractors",
            Self::CiJob => "ci",
            Self::FraudAnalyst => "fraud",
            Self::Reviewer => "reviewers",
        }
    }
}

impl Life {
    /// `iat` and `exp`.
    fn times(self, now: Timestamp) -> (i64, i64) {
        let now = now.seconds();
        match self {
            Self::Usual => (now, now + LIFETIME_S),
            Self::Expired => (now - 2 * LIFETIME_S, now - 600),
            Self::Weeks => (now, now + WEEKS_S),
        }
    }
}

impl Issuer {
    /// An issuer at `url` with a fresh ES256 key, whose tokens are for `audience`. Browsers that log in
    /// are sent back to `redirect`.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn new(
        url: String,
        audience: String,
        redirect: String,
    ) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Self { key, url, audience, login: Login::new(redirect) })
    }

    /// A signed access token (RFC 9068) for the sample server.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn token(
        &self,
        persona: Persona,
        life: Life,
        now: Timestamp,
    ) -> Result<String, aws_lc_rs::error::Unspecified> {
        self.token_for(&self.audience, persona, life, now)
    }

    /// The same, for another audience.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub(crate) fn token_for(
        &self,
        audience: &str,
        persona: Persona,
        life: Life,
        now: Timestamp,
    ) -> Result<String, aws_lc_rs::error::Unspecified> {
        let (issued, expires) = life.times(now);
        let head = json!({ "alg": "ES256", "typ": "at+jwt", "kid": KEY_ID });
        let claims = json!({
            "iss": self.url,
            "sub": persona.name(),
            "aud": audience,
            "client_id": CLIENT,
            "groups": [persona.group()],
            "iat": issued,
            "exp": expires,
            "jti": clock::random_id().map_err(|_| aws_lc_rs::error::Unspecified)?,
        });
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }

    /// Answers discovery, keys, logins and token requests.
    pub(crate) fn answer(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        if !is_local(request) {
            return plain_http::text(StatusCode::FORBIDDEN, "this issuer is for this machine\n");
        }
        let (path, body) = (request.uri().path(), request.body());
        let persona = path.strip_prefix("/token/").and_then(Persona::named);
        match (request.method(), path, persona) {
            (&Method::GET, "/.well-known/openid-configuration", _) => {
                plain_http::json(StatusCode::OK, &self.discovery())
            }
            (&Method::GET, "/jwks", _) => plain_http::json(StatusCode::OK, &self.keys()),
            (&Method::GET, "/authorize", _) => {
                self.login.ask(request.uri().query().unwrap_or_default())
            }
            (&Method::POST, "/authorize", _) => self.login.choose(body, clock::now()),
            (&Method::POST, "/token", _) => self.for_code(body),
            (&Method::POST, _, Some(persona)) => {
                match self.token(persona, Life::Usual, clock::now()) {
                    Ok(token) => plain_http::text(StatusCode::OK, token),
                    Err(_) => plain_http::text(StatusCode::INTERNAL_SERVER_ERROR, "no token\n"),
                }
            }
            _ => plain_http::text(StatusCode::NOT_FOUND, "not here\n"),
        }
    }

    /// A token for a code (RFC 6749 §4.1.4).
    fn for_code(&self, form: &[u8]) -> Response<Full<Bytes>> {
        let Some(persona) = self.login.take(form, clock::now()) else {
            return plain_http::json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_grant" }));
        };
        match self.token_for(REVIEW, persona, Life::Usual, clock::now()) {
            Ok(token) => {
                let answer = json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": LIFETIME_S,
                });
                plain_http::json(StatusCode::OK, &answer)
            }
            Err(_) => plain_http::text(StatusCode::INTERNAL_SERVER_ERROR, "no token\n"),
        }
    }

    fn discovery(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "jwks_uri": format!("{url}/jwks"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "code_challenge_methods_supported": ["S256"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    /// The public key as a JWK set (RFC 7517, RFC 7518 §6.2).
    fn keys(&self) -> Value {
        // An uncompressed point: 4, then x and y of 32 bytes each.
        let point = self.key.public_key().as_ref();
        let coordinate = |range| BASE64.encode(point.get(range).unwrap_or_default());
        json!({ "keys": [{
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID,
            "x": coordinate(1..33), "y": coordinate(33..65),
        }] })
    }
}

/// Whether the request names loopback as its host, so that no web page can reach it by a name of
/// its own.
fn is_local(request: &Request<Bytes>) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.and_then(|host| host.rsplit_once(':')).map(|(name, _)| name);
    matches!(name, Some("127.0.0.1" | "localhost"))
}
