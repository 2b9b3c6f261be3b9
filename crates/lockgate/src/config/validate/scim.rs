//! People and groups that are provisioned: by whom, where, and of an issuer of people.

use lockgate_gateway::{secret::SecretRef, settings::IssuerSettings};

use super::Section;
use crate::config::settings::Settings;

/// Everything that is wrong with how this issuer is provisioned, and with how it names people.
pub(super) fn check(issuer: &IssuerSettings, all: &Settings, at: &mut Section<'_>) {
    let named = &issuer.subject_claim;
    at.check(
        !named.is_empty() && !named.starts_with('/'),
        "subject_claim",
        format!("`{named}` is no claim"),
        "name one, such as `oid`",
    );
    let Some(scim) = &issuer.scim else { return };
    at.check(
        SecretRef::is_local(&scim.token),
        "scim.token",
        "the vault holds credentials of connections alone",
        "name the token as `env:NAME` or `file:/absolute/path`",
    );
    at.check(
        all.admin_api.is_some(),
        "scim",
        "nobody can be provisioned: there is no admin API",
        "configure `admin_api`, on which `/scim/v2` stands",
    );
    at.check(
        issuer.profile.is_none(),
        "scim",
        "jobs and services are not provisioned",
        "leave it out here",
    );
}
