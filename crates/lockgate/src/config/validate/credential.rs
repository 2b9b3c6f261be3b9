//! What the types can't rule out of a token that the gateway fetches for an upstream.

use lockgate_gateway::settings::{
    ClientAuthentication, CredentialSettings, HttpSettings, TokenGrant, UpstreamSettings,
};

use super::{Section, check_dialled};
use crate::config::settings::Settings;

/// Below `upstream.http`.
const AT: &str = "upstream.http.credential";

pub(super) fn check(http: &HttpSettings, settings: &Settings, at: &mut Section<'_>) {
    let Some(credential) = &http.credential else { return };
    let twice = http.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
    at.check(
        !twice,
        "upstream.http.headers",
        "`Authorization` is fixed here, and `credential` sets it too",
        "keep one of them",
    );
    let private = credential.allow_private;
    if let Some(issuer) = &credential.issuer {
        check_dialled(issuer, &format!("{AT}.issuer"), private, at);
    }
    if let Some(url) = &credential.token_endpoint {
        check_dialled(url.as_str(), &format!("{AT}.token_endpoint"), private, at);
    }
    if let Some(url) = &credential.authorization_endpoint {
        check_dialled(url.as_str(), &format!("{AT}.authorization_endpoint"), private, at);
    }
    of_users(credential, settings, at);
    client(credential, at);
    exchange(credential, at);
    for scope in &credential.scopes {
        let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        at.check(
            !scope.is_empty() && scope.bytes().all(token),
            &format!("{AT}.scopes"),
            format!("`{}` is no scope", scope.escape_default()),
            "one scope an entry, without spaces, quotes and backslashes (RFC 6749 §3.3)",
        );
    }
}

/// Whether callers' tokens are exchanged for the upstream's.
pub(super) fn exchanges(upstream: &UpstreamSettings) -> bool {
    let UpstreamSettings::Http(http) = upstream else { return false };
    http.credential.as_ref().is_some_and(|one| one.grant == TokenGrant::TokenExchange)
}

/// Users are asked on a page, and sent to an endpoint that goes with the one for tokens.
fn of_users(credential: &CredentialSettings, settings: &Settings, at: &mut Section<'_>) {
    let of_users = credential.grant == TokenGrant::AuthorizationCode;
    let asks = credential.authorization_endpoint.is_some();
    at.check(
        of_users || !asks,
        &format!("{AT}.authorization_endpoint"),
        "no user is asked with this `grant`",
        "leave it out, or say `grant: authorization_code`",
    );
    at.check(
        !of_users || asks == credential.token_endpoint.is_some(),
        AT,
        "of `authorization_endpoint` and `token_endpoint` it has one",
        "name both, or neither and the `issuer`",
    );
    let pages = settings.admin_api.as_ref().is_some_and(|api| api.login.is_some());
    at.check(
        !of_users || pages,
        &format!("{AT}.grant"),
        "there is no page on which users could connect their accounts",
        "set `admin_api.login`",
    );
}

/// Whoever asks for a token has one secret, and the way to show it that goes with it.
fn client(credential: &CredentialSettings, at: &mut Section<'_>) {
    let (secret, key) = (credential.client_secret.is_some(), credential.private_key.is_some());
    at.check(
        !credential.client_id.is_empty(),
        &format!("{AT}.client_id"),
        "it is empty",
        "name the client",
    );
    // What a user consents to is bound to this gateway by PKCE, so that it may be a public client.
    let public = credential.grant == TokenGrant::AuthorizationCode && !secret && !key;
    at.check(
        public || secret != key,
        AT,
        if secret {
            "it has a secret and a private key"
        } else {
            "it has no secret and no private key"
        },
        "give the client one of `client_secret` and `private_key`, by reference",
    );
    // The server's own metadata must not say who is shown a secret: the next day it may name a thief.
    let named = credential.issuer.is_some() || credential.token_endpoint.is_some();
    at.check(
        named || !secret,
        AT,
        "the server itself would say where the secret is sent",
        "name the `issuer` or the `token_endpoint`, or give the client a `private_key`, which is never sent",
    );
    let method = credential.token_endpoint_auth_method;
    let fits = method.is_none_or(|method| match method {
        ClientAuthentication::PrivateKeyJwt => key,
        ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => secret,
        ClientAuthentication::None => public,
    });
    at.check(
        (secret == key && !public) || fits,
        &format!("{AT}.token_endpoint_auth_method"),
        "the client has no secret of this kind",
        "`private_key_jwt` goes with `private_key`, `client_secret_…` with `client_secret`, and `none` \
         with neither",
    );
    at.check(
        key || credential.key_id.is_none(),
        &format!("{AT}.key_id"),
        "there is no private key that it could name",
        "leave it out, or give the client a `private_key`",
    );
}

/// Callers' tokens go where the configuration says, and what is for an exchange alone needs one.
fn exchange(credential: &CredentialSettings, at: &mut Section<'_>) {
    let exchanges = credential.grant == TokenGrant::TokenExchange;
    let named = credential.issuer.is_some() || credential.token_endpoint.is_some();
    at.check(
        named || !exchanges,
        AT,
        "the server itself would say where callers' tokens are sent",
        "name the `issuer` or the `token_endpoint` that exchanges them",
    );
    for (setting, is_there) in [
        ("audience", credential.audience.is_some()),
        ("requested_token_type", credential.requested_token_type.is_some()),
    ] {
        at.check(
            exchanges || !is_there,
            &format!("{AT}.{setting}"),
            "no token is exchanged here",
            "leave it out, or write `grant: token_exchange`",
        );
    }
    at.check(
        credential.audience.as_ref().is_none_or(|audience| !audience.is_empty()),
        &format!("{AT}.audience"),
        "it is empty",
        "name the server as the issuer knows it, or leave it out",
    );
}
