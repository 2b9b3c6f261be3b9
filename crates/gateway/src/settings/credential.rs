//! How a connection's settings name a credential that is more than a fixed text: a token from an
//! authorization server, or a certificate for TLS. Every secret in it stands elsewhere, by reference.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::secret::SecretRef;

/// A token that the gateway gets for an upstream from an OAuth 2.0 authorization server.
///
/// Where neither `issuer` nor `token_endpoint` stands, the upstream's own metadata names the
/// authorization server (RFC 9728).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CredentialSettings {
    /// How the token is got.
    pub grant: TokenGrant,
    /// The authorization server's exact `issuer`; its endpoints are found by its metadata (RFC 8414,
    /// OpenID Connect Discovery).
    #[serde(default)]
    pub issuer: Option<String>,
    /// Where tokens are asked for, instead of looking for metadata.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub token_endpoint: Option<Url>,
    /// Where users are asked, instead of looking for metadata; for `authorization_code`, beside
    /// `token_endpoint`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub authorization_endpoint: Option<Url>,
    /// The gateway's name at the authorization server.
    pub client_id: String,
    /// The client's secret, by reference.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub client_secret: Option<SecretRef>,
    /// The client's private key by reference, instead of a secret: PEM of PKCS #8, RSA of 2048 bits or
    /// more, P-256, P-384 or Ed25519.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub private_key: Option<SecretRef>,
    /// The `kid` under which the authorization server knows the private key.
    #[serde(default)]
    pub key_id: Option<String>,
    /// How the client shows who it is; what the authorization server's metadata names, where absent.
    #[serde(default)]
    pub token_endpoint_auth_method: Option<ClientAuthentication>,
    /// What is asked for. Where empty, users are asked for what the server itself names, if it is also
    /// asked who gives tokens for it; else it is the authorization server's default.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether the upstream's URL is named in `resource`, so that the token is for it alone
    /// (RFC 8707).
    #[serde(default = "CredentialSettings::default_resource")]
    pub resource: bool,
    /// By what name the authorization server knows the upstream (RFC 8693 §2.1); for an exchange alone.
    #[serde(default)]
    pub audience: Option<String>,
    /// What kind of token an exchange must give; the authorization server's choice where absent.
    #[serde(default)]
    pub requested_token_type: Option<TokenKind>,
    /// Allows private and loopback addresses, and `http:`, for the authorization server.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file of the certificate authorities to trust for it instead of the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// How a token is got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TokenGrant {
    /// With the client's own credentials, one token for all callers (RFC 6749 §4.4).
    ClientCredentials,
    /// In exchange for the caller's token, one for each (RFC 8693). What the gateway asks for itself, the
    /// list of tools above all, goes with the client's own credentials.
    TokenExchange,
    /// With what each user lets the gateway do, a token for each of them (RFC 6749 §4.1, with PKCE).
    AuthorizationCode,
}

/// A kind of token that can be sent as a bearer token (RFC 8693 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TokenKind {
    /// An access token in whatever form.
    AccessToken,
    /// A JWT.
    Jwt,
}

/// How a client shows who it is, in the words of the registry (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ClientAuthentication {
    /// Its secret in `Authorization` (RFC 6749 §2.3.1).
    ClientSecretBasic,
    /// Its secret in the form.
    ClientSecretPost,
    /// An assertion that it signs with its private key (RFC 7523 §2.2).
    PrivateKeyJwt,
    /// Not at all: a public client, which has its `client_id` alone.
    None,
}

/// The certificate by which the gateway shows itself in TLS. Both are read again every 5 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CertificateSettings {
    /// The certificate chain in PEM, leaf first, by reference.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub certificate: SecretRef,
    /// Its private key in PEM (PKCS #8, PKCS #1 or SEC 1), by reference.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub key: SecretRef,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::AccessToken, Self::Jwt];

    /// Its name on the wire.
    pub const fn urn(self) -> &'static str {
        match self {
            Self::AccessToken => "urn:ietf:params:oauth:token-type:access_token",
            Self::Jwt => "urn:ietf:params:oauth:token-type:jwt",
        }
    }
}

impl CredentialSettings {
    const fn default_resource() -> bool {
        true
    }

    /// Where its secrets are.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.client_secret.iter().chain(&self.private_key)
    }
}
