//! Which files a Snapshot is made from, and which changes on disk may mean a new one.
//!
//! Knows names only; reads nothing.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use lockgate_gateway::{secret::SecretRef, settings::UpstreamSettings};

use crate::{config::Loaded, offline};

/// Everything that was read, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inputs {
    files: BTreeSet<PathBuf>,
    policies: PathBuf,
    pins: PathBuf,
}

impl Inputs {
    /// The configuration itself, and every file that it names.
    pub(crate) fn of(loaded: &Loaded) -> Self {
        let settings = &loaded.settings;
        let mut files = vec![loaded.file.clone()];
        files.extend(settings.listen.tls.iter().flat_map(|t| [&t.certificate, &t.key]).cloned());
        files.extend(settings.issuers.iter().filter_map(|issuer| issuer.ca.clone()));
        for connection in &settings.connections {
            let secrets = match &connection.upstream {
                UpstreamSettings::Http(http) => {
                    files.extend(http.ca.clone());
                    &http.headers
                }
                UpstreamSettings::Stdio(stdio) => &stdio.env,
            };
            files.extend(secrets.values().filter_map(|secret| match secret {
                SecretRef::File(file) => Some(file.clone()),
                SecretRef::Env(_)
                | SecretRef::Sealed(_)
                | SecretRef::Kept(_)
                | SecretRef::Aws(_) => None,
            }));
        }
        Self {
            files: files.iter().map(|file| absolute(file)).collect(),
            policies: absolute(&settings.policies),
            pins: absolute(&offline::pins_folder(&settings.data)),
        }
    }

    /// The folders to watch. Folders rather than files: editors replace files, and Kubernetes swaps
    /// a `..data` symlink beside them.
    pub(crate) fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders: BTreeSet<PathBuf> =
            self.files.iter().filter_map(|file| Some(file.parent()?.to_owned())).collect();
        folders.extend([self.policies.clone(), self.pins.clone()]);
        // A secret's folder may come later; until then the secret is missed where it is needed.
        folders.retain(|folder| folder.is_dir());
        folders
    }

    /// Whether a change at `path` matters. A log beside the configuration does not.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        let is_in = |folder: &Path| path.parent() == Some(folder);
        let ends_in = |extension: &str| path.extension().is_some_and(|found| found == extension);
        self.files.contains(path)
            || (is_in(&self.policies) && ends_in("cedar"))
            || (is_in(&self.pins) && ends_in("json"))
            || path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
    }
}

/// Changes are reported by absolute paths.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Inputs;

    #[test]
    fn only_what_was_read_matters() {
        let inputs = Inputs {
            files: ["/etc/lockgate.yaml".into(), "/run/secrets/token".into()].into(),
            policies: "/etc/policies".into(),
            pins: "/data/pins".into(),
        };
        for path in [
            "/etc/lockgate.yaml",
            "/run/secrets/token",
            "/etc/policies/new.cedar",
            "/data/pins/staff.json",
            "/etc/policies/..data",
        ] {
            assert!(inputs.concerns(Path::new(path)), "{path}");
        }
        for path in
            ["/etc/gateway.log", "/etc/policies/.new.cedar.swp", "/data/pins/staff.json.new"]
        {
            assert!(!inputs.concerns(Path::new(path)), "{path}");
        }
    }
}
