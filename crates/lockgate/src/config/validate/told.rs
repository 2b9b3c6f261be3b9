//! What identity providers tell beside their tokens: security events, and people and groups. By whom, where,
//! and that there is somebody to take it.

use lockgate_gateway::{secret::SecretRef, settings::IssuerSettings};

use super::{Section, check_dialled};
use crate::config::settings::Settings;

/// Everything that is wrong with what this issuer may tell, and with how it names people.
pub(super) fn check(issuer: &IssuerSettings, all: &Settings, at: &mut Section<'_>) {
    let named = &issuer.subject_claim;
    at.check(
        !named.is_empty() && !named.starts_with('/'),
        "subject_claim",
        format!("`{named}` is no claim"),
        "name one, such as `oid`",
    );
    let told = [("events", issuer.events.is_some()), ("scim", issuer.scim.is_some())];
    for (key, _) in told.into_iter().filter(|(_, told)| *told) {
        at.check(
            all.admin_api.is_some(),
            key,
            "nobody takes what the issuer tells: there is no admin API",
            "configure `admin_api`, on whose listener it is taken",
        );
    }
    if let Some(poll) = issuer.events.as_ref().and_then(|events| events.poll.as_ref()) {
        check_dialled(poll.url.as_str(), "events.poll.url", issuer.allow_private, at);
        local(&poll.token, "events.poll.token", at);
    }
    let Some(scim) = &issuer.scim else { return };
    local(&scim.token, "scim.token", at);
    at.check(
        issuer.profile.is_none(),
        "scim",
        "jobs and services are not provisioned",
        "leave it out here",
    );
}

fn local(token: &SecretRef, key: &str, at: &mut Section<'_>) {
    at.check(
        token.is_local(),
        key,
        "the vault holds credentials of connections alone",
        "name the token as `env:NAME` or `file:/absolute/path`",
    );
}
