//! The files and folders that a configuration names, and where those start that are not absolute.
//!
//! Looks at none of them.

use std::path::{Path, PathBuf};

use lockgate_gateway::settings::{ConnectionSettings, UpstreamSettings};
use lockgate_store::{
    deliver::{HeadSettings, Receiver},
    ship::ShipTarget,
};

use super::{Settings, overlay::Override};

/// Lets every relative path of the file start at the file's folder. A path from a flag or a
/// variable starts at the working folder, as the shell that wrote it expects.
pub(super) fn anchor(settings: &mut Settings, base: &Path, overrides: &[Override]) {
    for (setting, path) in single(settings) {
        if !overrides.iter().any(|over| over.path.join(".") == setting) {
            *path = base.join(&*path);
        }
    }
    for path in listed(settings) {
        *path = base.join(&*path);
    }
}

/// Lets every relative path of a connection start at `base`.
pub(crate) fn anchor_connection(connection: &mut ConnectionSettings, base: &Path) {
    for path in local_paths(connection) {
        *path = base.join(&*path);
    }
}

/// The files and folders that a connection names on the machine, and that need not be absolute.
pub(crate) fn local_paths(
    connection: &mut ConnectionSettings,
) -> impl Iterator<Item = &mut PathBuf> {
    let ConnectionSettings { upstream, guard, .. } = connection;
    let own = match upstream {
        UpstreamSettings::Http(http) => {
            [http.ca.as_mut(), http.credential.as_mut().and_then(|one| one.ca.as_mut())]
        }
        UpstreamSettings::Stdio(stdio) => [stdio.cwd.as_mut(), None],
    };
    own.into_iter().flatten().chain(&mut guard.packs)
}

/// Paths that a flag or a variable may give, with their settings.
fn single(settings: &mut Settings) -> Vec<(&'static str, &mut PathBuf)> {
    let mut all = vec![("data", &mut settings.data), ("policies", &mut settings.policies)];
    if let Some(tls) = &mut settings.listen.tls {
        all.push(("listen.tls.certificate", &mut tls.certificate));
        all.push(("listen.tls.key", &mut tls.key));
    }
    let server = settings.vault.server.as_mut().and_then(|server| server.ca.as_mut());
    all.extend(server.map(|ca| ("vault.server.ca", ca)));
    let aws = settings.vault.aws.as_mut().and_then(|aws| aws.ca.as_mut());
    all.extend(aws.map(|ca| ("vault.aws.ca", ca)));
    all.extend(settings.recording.ship.as_mut().and_then(|ship| match &mut ship.to {
        ShipTarget::Folder(folder) => Some(("recording.ship.to.folder", folder)),
        ShipTarget::S3(s3) => Some(("recording.ship.to.s3.ca", s3.ca.as_mut()?)),
    }));
    all
}

/// Paths in lists.
fn listed(settings: &mut Settings) -> Vec<&mut PathBuf> {
    let Settings { issuers, recognisers, approvals, recording, connections, .. } = settings;
    let deliver = &mut recording.deliver;
    let sinks = deliver.sinks.iter_mut().map(|sink| match &mut sink.to {
        Receiver::Syslog(syslog) => syslog.ca.as_mut(),
        Receiver::Http(http) => http.ca.as_mut(),
    });
    let heads = deliver.heads.iter_mut().map(|heads| match heads {
        HeadSettings::File(file) => Some(file),
        HeadSettings::Syslog(syslog) => syslog.ca.as_mut(),
        HeadSettings::Http(http) => http.ca.as_mut(),
    });
    let trusted = issuers.iter_mut().map(|one| one.ca.as_mut());
    let trusted = trusted.chain(recognisers.iter_mut().map(|one| one.ca.as_mut()));
    let trusted = trusted.chain(approvals.webhooks.iter_mut().map(|one| one.ca.as_mut()));
    let trusted = trusted.chain(approvals.slack.iter_mut().map(|one| one.ca.as_mut()));
    let trusted = trusted.chain(approvals.mail.iter_mut().map(|one| one.ca.as_mut()));
    let of_connections = connections.iter_mut().flat_map(local_paths);
    trusted.chain(sinks).chain(heads).flatten().chain(of_connections).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::{Settings, anchor};
    use crate::config::overlay::{Override, Source};

    #[test]
    fn every_path_of_the_file_starts_at_its_folder() {
        let url = "https://a.example.com";
        let written = json!({
            "data": "rel/1", "policies": "rel/2",
            "listen": { "tls": { "certificate": "rel/3", "key": "rel/4" } },
            "issuers": [{ "name": "corp", "issuer": url, "ca": "rel/5" }],
            "vault": { "server": { "url": url, "ca": "rel/6", "login": { "token": "env:T" } } },
            "recognisers": [{ "name": "names", "url": url, "ca": "rel/7" }],
            "approvals": {
                "webhooks": [{ "name": "w", "url": url, "secret": "env:S", "ca": "rel/8" }],
                "mail": [{ "name": "m", "server": "smtps://mail.example.com", "ca": "rel/9",
                    "from": "a@example.com", "to": ["b@example.com"] }],
            },
            "recording": {
                "ship": { "to": { "s3": { "bucket": "b", "ca": "rel/10" } } },
                "deliver": {
                    "sinks": [
                        { "name": "a", "to": { "syslog": { "address": "h:1", "ca": "rel/11" } } },
                        { "name": "b", "to": { "http": { "url": url, "ca": "rel/12" } } },
                    ],
                    "heads": [
                        { "file": "rel/13" },
                        { "syslog": { "address": "h:1", "ca": "rel/14" } },
                        { "http": { "url": url, "ca": "rel/15" } },
                    ],
                },
            },
            "connections": [
                { "name": "a", "upstream": { "http": { "url": url, "ca": "rel/16",
                    "credential": { "grant": "client_credentials", "client_id": "c", "issuer": url,
                        "client_secret": "env:C", "ca": "rel/17" } } },
                  "guard": { "packs": ["rel/18"] } },
                { "name": "b", "upstream": { "stdio": { "command": "/bin/x", "cwd": "rel/19" } } },
            ],
        });
        let mut settings: Settings = serde_json::from_value(written).unwrap();
        let over = |path: &str| Override {
            path: path.split('.').map(str::to_owned).collect(),
            text: String::new(),
            source: Source::Flag("--given"),
        };
        anchor(&mut settings, Path::new("/etc/base"), &[over("data"), over("vault.server.ca")]);
        let anchored = serde_json::to_string(&settings).unwrap();
        for number in 1..=19 {
            let from_file = ![1, 6].contains(&number);
            let starts = if from_file { "/etc/base/" } else { "" };
            assert!(
                anchored.contains(&format!("\"{starts}rel/{number}\"")),
                "{number}: {anchored}"
            );
        }
        let folder = json!({ "recording": { "ship": { "to": { "folder": "rel/20" } } } });
        let mut settings: Settings = serde_json::from_value(folder).unwrap();
        anchor(&mut settings, Path::new("/etc/base"), &[]);
        let anchored = serde_json::to_string(&settings).unwrap();
        assert!(anchored.contains("\"/etc/base/rel/20\""), "{anchored}");
    }
}
