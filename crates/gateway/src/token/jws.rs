//! A compact JWS (RFC 7515 §7.1), read so strictly that no two readers could differ on it. Nothing
//! read here is believed before [`super::Rules`] has seen the signature hold.
//!
//! Never follows `jku`, `x5u`, `jwk` or `x5c`: keys come from the issuer's published set alone.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_mcp::json::{Document, JsonLimits};
use lockgate_model::{Digest, Reason, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::hash::sha256;

use super::Algorithm;

/// Nesting and size of the two JSON parts. Real tokens have a few levels and tens of claims.
const JSON_LIMITS: JsonLimits = JsonLimits { depth: 16, items: 4096 };

/// A `kid` longer than this names no key.
const KID_MAX_BYTES: usize = 256;

/// Header parameters whose meaning we don't implement, so that ignoring one would misread the token.
const REFUSED_PARAMETERS: [&str; 5] = ["crit", "b64", "zip", "cty", "enc"];

/// What a token says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TokenType {
    /// An access token that says so in its header (RFC 9068).
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// A JWT that says neither: `typ` is `JWT` or absent, and no claim marks it as an ID token.
    #[serde(rename = "JWT")]
    Jwt,
    /// An OIDC ID token, known by claims that only such a token has.
    #[serde(rename = "id")]
    Id,
    /// No token to be let in with, but something that the issuer tells: a logout token or a security
    /// event (RFC 8417). No issuer can be configured to take one for a token.
    #[serde(skip)]
    Told,
}

/// A token whose form is right. Its claims are only what someone wrote.
#[derive(Debug)]
pub struct Jws<'a> {
    /// The `alg` of the header.
    pub algorithm: Algorithm,
    /// The `kid` of the header.
    pub kid: Option<String>,
    /// What it says it is.
    pub token_type: TokenType,
    claims: Map<String, Value>,
    signed: &'a [u8],
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Reads `token`, at most `max_bytes` long.
    ///
    /// # Errors
    /// [`Reason::TokenMalformed`] for the form, [`Reason::TokenHeader`] for the header,
    /// [`Reason::TokenClaims`] for a payload that is no strict JSON object.
    pub fn read(token: &'a [u8], max_bytes: usize) -> Result<Self, Refusal> {
        if token.len() > max_bytes {
            return Err(Refusal::new(Reason::TokenMalformed, "the token is too long"));
        }
        let mut parts = token.split(|c| *c == b'.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::new(Reason::TokenMalformed, "a token has three parts"));
        };
        let signature = decode(signature)?;
        let signed = token.get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = object(&decode(header)?, Reason::TokenHeader)?;
        let claims = object(&decode(payload)?, Reason::TokenClaims)?;
        let algorithm = algorithm(&header)?;
        let kid = kid(&header)?;
        let token_type = token_type(&header, &claims)?;
        Ok(Self { algorithm, kid, token_type, claims, signed, signature })
    }

    /// SHA-256 of `header.payload`: the same for every signature over them.
    pub fn id(&self) -> Digest {
        sha256(self.signed)
    }

    /// Who claims to have issued it.
    ///
    /// # Errors
    /// [`Reason::TokenIssuer`] where `iss` is absent or no text.
    pub fn iss(&self) -> Result<&str, Refusal> {
        let iss = self.claims.get("iss").and_then(Value::as_str);
        iss.ok_or_else(|| Refusal::new(Reason::TokenIssuer, "the token names no issuer"))
    }

    pub(super) const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The bytes that are signed, and the signature over them.
    pub(super) fn signature(&self) -> (&[u8], &[u8]) {
        (self.signed, &self.signature)
    }
}

/// Unpadded base64url in its one canonical spelling.
fn decode(part: &[u8]) -> Result<Vec<u8>, Refusal> {
    BASE64_URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| Refusal::new(Reason::TokenMalformed, "a part is not canonical base64url"))
}

fn object(bytes: &[u8], reason: Reason) -> Result<Map<String, Value>, Refusal> {
    let document =
        Document::strict(bytes, JSON_LIMITS).map_err(|fault| Refusal::new(reason, fault.detail))?;
    match document.root().to_value() {
        Value::Object(map) => Ok(map),
        _ => Err(Refusal::new(reason, "a part is no JSON object")),
    }
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    if let Some(name) = REFUSED_PARAMETERS.iter().find(|name| header.contains_key(**name)) {
        return Err(Refusal::new(Reason::TokenHeader, format!("the header has `{name}`")));
    }
    header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(Algorithm::parse)
        .ok_or_else(|| Refusal::new(Reason::TokenHeader, "`alg` names no supported algorithm"))
}

fn kid(header: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if kid.len() <= KID_MAX_BYTES => Ok(Some(kid.clone())),
        Some(_) => Err(Refusal::new(Reason::TokenHeader, "`kid` is no short text")),
    }
}

/// `typ` in the header decides; where it says nothing, the claims that only ID tokens have.
fn token_type(
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<TokenType, Refusal> {
    let typ = match header.get("typ") {
        None => "jwt".to_owned(),
        Some(Value::String(typ)) => typ.to_ascii_lowercase(),
        Some(_) => return Err(Refusal::new(Reason::TokenHeader, "`typ` is no text")),
    };
    match typ.strip_prefix("application/").unwrap_or(&typ) {
        "at+jwt" => Ok(TokenType::AtJwt),
        "logout+jwt" | "secevent+jwt" => Ok(TokenType::Told),
        "jwt" => untyped(claims),
        _ => Err(Refusal::new(Reason::TokenHeader, "`typ` is not an access token's")),
    }
}

/// Tells ID tokens from access tokens by the claims of OpenID Connect Core §2 and of providers that
/// repeat the type in the payload (`typ`, `token_use`). Refresh tokens are neither.
pub(super) fn untyped(claims: &Map<String, Value>) -> Result<TokenType, Refusal> {
    let text = |name| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let says = |word| [text("typ"), text("token_use")].iter().any(|t| t.eq_ignore_ascii_case(word));
    if claims.contains_key("events") {
        return Ok(TokenType::Told);
    }
    if ["refresh", "offline", "logout"].into_iter().any(says) {
        return Err(Refusal::new(Reason::TokenHeader, "the claims are not an access token's"));
    }
    let id = says("id") || ["nonce", "at_hash", "c_hash"].iter().any(|n| claims.contains_key(*n));
    Ok(if id { TokenType::Id } else { TokenType::Jwt })
}
