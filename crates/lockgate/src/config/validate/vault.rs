//! The vault: a server that can be asked, and references that lead there.

use lockgate_gateway::{
    provider::{LoginSettings, ServerSettings},
    secret::SecretRef,
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
        section.check(
            settings.vault.server.is_some() || !matches!(place, KeyPlace::Transit { .. }),
            key,
            format!("`{place}` is at no server"),
            "say under `vault.server` where it is",
        );
    }
    if let Some(one) = &settings.vault.server {
        server(one, &mut Section { path: vec!["vault".to_owned(), "server".to_owned()], found });
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
        let SecretRef::Kept(kept) = place else { continue };
        let Some(server) = &all.vault.server else {
            let what = format!("`{place}` leads to no server");
            at.check(false, key, what, "say under `vault.server` where it is");
            continue;
        };
        at.check(
            server.mount_of(&kept.path).is_some(),
            key,
            format!("`{place}` is below no key-value engine"),
            "add the path at which it is mounted to `vault.server.mounts`, as `secret: 2`",
        );
    }
}
