//! The vault: a server that can be asked, and references that lead there.

use lockgate_gateway::{
    provider::{AwsSettings, LoginSettings, ServerSettings, WrappingKey},
    secret::{AwsSecret, Kept, SecretRef},
    settings::{ConnectionSettings, UpstreamSettings},
    vault::KeyPlace,
};

use super::{Finding, Section, check_dialled};
use crate::config::settings::Settings;

/// Everything that is wrong with it for all connections.
pub(super) fn check(settings: &Settings, found: &mut Vec<Finding>) {
    let mut section = Section { path: Vec::new(), found };
    section.check(
        settings.recording.index.as_ref().is_none_or(SecretRef::is_local),
        "recording.index",
        "the vault can't hold what it is opened with",
        "name it as `env:NAME` or `file:/absolute/path`",
    );
    let older = settings.vault.older_keys.iter().map(|place| ("vault.older_keys", place));
    for (key, place) in older.chain(settings.vault.keys.iter().map(|place| ("vault.keys", place))) {
        let (known, place_of_it) = match place {
            KeyPlace::Here(_) => continue,
            KeyPlace::Wrapped(WrappingKey::Transit { .. }) => {
                (settings.vault.server.is_some(), "vault.server")
            }
            KeyPlace::Wrapped(WrappingKey::Kms(_)) => (settings.vault.aws.is_some(), "vault.aws"),
        };
        let help = format!("say under `{place_of_it}` where it is");
        section.check(known, key, format!("`{place}` is nowhere"), &help);
    }
    if let Some(one) = &settings.vault.server {
        server(one, &mut Section { path: vec!["vault".to_owned(), "server".to_owned()], found });
    }
    if let Some(one) = &settings.vault.aws {
        aws(one, &mut Section { path: vec!["vault".to_owned(), "aws".to_owned()], found });
    }
}

fn server(one: &ServerSettings, at: &mut Section<'_>) {
    check_dialled(one.url.as_str(), "url", one.allow_private, at);
    at.check(
        one.url.query().is_none(),
        "url",
        "its address ends before the `?`",
        "write it as `https://vault.internal.example.com:8200`",
    );
    at.check(
        one.login.secret().is_local(),
        "login",
        "the server can't hold what it is opened with",
        "name it as `env:NAME` or `file:/absolute/path`",
    );
    let mount = match &one.login {
        LoginSettings::Token(_) => None,
        LoginSettings::AppRole(role) => Some(&role.mount),
        LoginSettings::Kubernetes(role) => Some(&role.mount),
    };
    for (key, mount) in mount
        .map(|mount| ("login", mount))
        .into_iter()
        .chain(one.mounts.keys().map(|mount| ("mounts", mount)))
    {
        at.check(
            is_mount(mount),
            key,
            format!("nothing can be mounted at `{mount}`"),
            "write the path alone, as `secret` or `team-a/kv`",
        );
    }
    for (mount, version) in &one.mounts {
        let what = format!("there is no version {version} of the key-value engine");
        at.check(matches!(version, 1 | 2), "mounts", what, &format!("write `{mount}: 2`"));
    }
}

fn aws(one: &AwsSettings, at: &mut Section<'_>) {
    at.check(
        one.is_region(),
        "region",
        format!("there is no region `{}`", one.region.escape_default()),
        "write it as `eu-central-1`",
    );
    for (key, url) in [("secrets_manager", &one.secrets_manager), ("kms", &one.kms)] {
        if let Some(url) = url {
            check_dialled(url.as_str(), key, one.allow_private, at);
        }
    }
    at.check(
        one.access_key.is_some() == one.secret_key.is_some(),
        "access_key",
        "one of `access_key` and `secret_key` signs nothing",
        "name both, or none where the machine has an identity of its own",
    );
    for (key, place) in [("access_key", &one.access_key), ("secret_key", &one.secret_key)] {
        at.check(
            place.as_ref().is_none_or(SecretRef::is_local),
            key,
            "nobody outside can hold what it is opened with",
            "name it as `env:NAME` or `file:/absolute/path`",
        );
    }
}

/// Plain steps, as in a reference.
fn is_mount(text: &str) -> bool {
    SecretRef::parse(&format!("vault:{text}/name#field")).is_some()
}

/// Everything that is wrong with it for one connection.
pub(super) fn connection(one: &ConnectionSettings, all: &Settings, at: &mut Section<'_>) {
    let (key, places) = match &one.upstream {
        UpstreamSettings::Http(http) => ("upstream.http.headers", &http.headers),
        UpstreamSettings::Stdio(stdio) => ("upstream.stdio.env", &stdio.env),
    };
    for place in places.values() {
        match place {
            SecretRef::Kept(kept) => at_server(kept, place, key, all, at),
            SecretRef::Aws(secret) => at_aws(secret, place, key, all, at),
            SecretRef::Env(_) | SecretRef::File(_) | SecretRef::Sealed(_) => {}
        }
    }
}

fn at_server(kept: &Kept, place: &SecretRef, key: &str, all: &Settings, at: &mut Section<'_>) {
    let Some(server) = &all.vault.server else {
        let what = format!("`{place}` leads to no server");
        at.check(false, key, what, "say under `vault.server` where it is");
        return;
    };
    at.check(
        server.mount_of(&kept.path).is_some(),
        key,
        format!("`{place}` is below no key-value engine"),
        "add the path at which it is mounted to `vault.server.mounts`, as `secret: 2`",
    );
}

fn at_aws(secret: &AwsSecret, place: &SecretRef, key: &str, all: &Settings, at: &mut Section<'_>) {
    let Some(aws) = &all.vault.aws else {
        let what = format!("`{place}` leads to no account");
        at.check(false, key, what, "say under `vault.aws` where it is");
        return;
    };
    at.check(
        secret.region().is_none_or(|region| region == aws.region),
        key,
        format!("`{place}` is not in the region `{}`", aws.region),
        "replicate it there: one region is asked",
    );
}
