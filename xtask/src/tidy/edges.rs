//! Which room sees which: the edges of the floor plan, and no other.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::Finding;
use crate::repo;

/// Each room with the rooms that it may see, tests included. `model` sees none; what builds or
/// tests the whole sees what it needs.
const EDGES: [(&str, &[&str]); 11] = [
    ("lockgate-model", &[]),
    ("lockgate-mcp", &["model"]),
    ("lockgate-rules", &["model"]),
    ("lockgate-store", &["model"]),
    ("lockgate-vault", &["model"]),
    ("lockgate-gateway", &["model", "mcp", "rules", "store", "vault"]),
    ("lockgate-console", &["model", "rules", "store", "vault"]),
    ("lockgate", &["model", "mcp", "rules", "store", "vault", "gateway", "console"]),
    ("lockgate-e2e", &["model", "mcp", "rules", "store"]),
    ("lockgate-fuzz", &["model", "mcp", "rules", "store", "vault", "gateway", "console"]),
    ("xtask", &[]),
];

/// A package of the workspace.
#[derive(Deserialize)]
pub(super) struct Package {
    pub(super) name: String,
    manifest_path: PathBuf,
    pub(super) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    /// `None` for the product's own, else `dev` or `build`.
    pub(super) kind: Option<String>,
    /// Present where it is a package of the workspace.
    pub(super) path: Option<PathBuf>,
}

impl Package {
    /// Its manifest, relative to the root.
    pub(super) fn manifest(&self) -> PathBuf {
        let path = self.manifest_path.strip_prefix(repo::root());
        path.unwrap_or(&self.manifest_path).to_owned()
    }
}

/// Asks cargo.
pub(super) fn packages() -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let args = ["metadata", "--no-deps", "--format-version", "1"];
    let text = repo::output(repo::cargo().args(args))?;
    let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata")?;
    Ok(metadata.packages)
}

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_one).collect()
}

fn check_one(package: &Package) -> Vec<Finding> {
    let name = &package.name;
    let finding = |message: String| Finding::new(package.manifest(), 1, message);
    let Some((_, seen)) = EDGES.iter().find(|(room, _)| room == name) else {
        return vec![finding(format!("`{name}` is not on the floor plan; draw its edges first"))];
    };
    let rooms = package.dependencies.iter().filter(|dependency| dependency.path.is_some());
    rooms
        .map(|room| &*room.name)
        .filter(|room| !room.strip_prefix("lockgate-").is_some_and(|room| seen.contains(&room)))
        .map(|room| finding(format!("`{name}` may not see `{room}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Dependency, Package, check};

    fn package(name: &str, sees: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).into(),
            kind: None,
            path: name.starts_with("lockgate").then(Default::default),
        };
        let dependencies = sees.iter().map(dependency).collect();
        Package { name: name.into(), manifest_path: "Cargo.toml".into(), dependencies }
    }

    #[test]
    fn edges_that_are_not_drawn_are_found() {
        for (name, sees, found) in [
            ("lockgate-mcp", &["lockgate-model", "serde"][..], 0),
            ("lockgate-model", &["lockgate-mcp"], 1),
            ("lockgate-gateway", &["lockgate-mcp", "lockgate-store"], 0),
            ("lockgate-gateway", &["lockgate-console"], 1),
            ("lockgate-console", &["lockgate-gateway", "lockgate-mcp"], 2),
            ("lockgate-rules", &["lockgate-store"], 1),
            ("lockgate-e2e", &["lockgate"], 1),
            ("lockgate-attic", &[], 1),
        ] {
            assert_eq!(check(&[package(name, sees)]).len(), found, "{name} {sees:?}");
        }
    }
}
