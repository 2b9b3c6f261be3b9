//! Asking issuers about tokens: a client that can show who it is, and one issuer that a token without a
//! name can be of.

use lockgate_gateway::{
    secret::SecretRef,
    settings::{ClientAuthentication, IntrospectionSettings, IssuerSettings},
};

use super::{Section, check_dialled};
use crate::config::settings::Settings;

/// Where it stands in an issuer.
const AT: &str = "introspection";
/// Longest time that an answer serves, in milliseconds.
const CACHE_MAX_MS: u32 = 300_000;

/// Everything that is wrong with how this issuer is asked.
pub(super) fn check(issuer: &IssuerSettings, at: &mut Section<'_>) {
    let Some(asked) = &issuer.introspection else { return };
    if let Some(url) = &asked.endpoint {
        check_dialled(url.as_str(), &format!("{AT}.endpoint"), issuer.allow_private, at);
    }
    client(asked, at);
    at.check(
        asked.cache_max_ms <= CACHE_MAX_MS,
        &format!("{AT}.cache_max_ms"),
        format!("a token that was taken back could be used for {} ms more", asked.cache_max_ms),
        "say at most 300000",
    );
}

fn client(asked: &IntrospectionSettings, at: &mut Section<'_>) {
    let (secret, key) = (asked.client_secret.is_some(), asked.private_key.is_some());
    at.check(
        !asked.client_id.is_empty(),
        &format!("{AT}.client_id"),
        "it is empty",
        "name the client",
    );
    // Whoever may ask without showing who they are could try out tokens (RFC 7662 §2.1).
    at.check(
        secret != key,
        AT,
        if secret { "it has a secret and a private key" } else { "it has no secret" },
        "give the client one of `client_secret` and `private_key`, by reference",
    );
    at.check(
        asked.secret().is_none_or(SecretRef::is_local),
        AT,
        "the vault holds credentials of connections alone",
        "name the secret as `env:NAME` or `file:/absolute/path`",
    );
    let fits = asked.auth_method.is_none_or(|method| match method {
        ClientAuthentication::PrivateKeyJwt => key,
        ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => secret,
        ClientAuthentication::None => false,
    });
    at.check(
        fits,
        &format!("{AT}.auth_method"),
        "the client has no secret of this kind",
        "`private_key_jwt` goes with `private_key`, and `client_secret_…` with `client_secret`",
    );
}

/// A token that is no JWT does not say whose it is, and is shown to nobody but its issuer.
pub(super) fn check_trust(names: &[String], all: &Settings, at: &mut Section<'_>) {
    let asked =
        all.issuers.iter().filter(|one| one.introspection.is_some() && names.contains(&one.name));
    let asked: Vec<&str> = asked.map(|one| one.name.as_str()).collect();
    at.check(
        asked.len() <= 1,
        "issuers",
        format!("a token that is no JWT could be of any of {}", asked.join(", ")),
        "trust one issuer with `introspection` here",
    );
}
