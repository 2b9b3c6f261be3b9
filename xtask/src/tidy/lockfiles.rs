//! Lock files name versions and hashes, never a machine's own registry.

use std::path::Path;

use super::Finding;

pub(super) fn applies(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let requirements = name.starts_with("requirements") && name.ends_with(".txt");
    requirements || matches!(name, "package-lock.json" | ".npmrc" | "uv.lock" | "Cargo.lock")
}

pub(super) fn check(path: &Path, text: &str) -> Vec<Finding> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| names_registry(line))
        .map(|(index, _)| Finding::new(path, index + 1, "a lock file names no registry's address"))
        .collect()
}

fn names_registry(line: &str) -> bool {
    let line = line.trim_start();
    let address = line.contains("://");
    let public = line.contains("registry+https://github.com/rust-lang/crates.io-index");
    let keys = ["\"resolved\"", "registry", "--index-url", "--extra-index-url", "source =", "-i "];
    address && !public && keys.iter().any(|key| line.starts_with(key))
}

#[cfg(test)]
mod tests {
    use super::{applies, check};

    #[test]
    fn registries_are_found() {
        for (line, found) in [
            ("      \"resolved\": \"https://npm.example/a.tgz\",", true),
            ("registry=https://npm.example/", true),
            ("--index-url https://pypi.example/simple", true),
            ("source = \"registry+https://mirror.example/index\"", true),
            ("source = \"registry+https://github.com/rust-lang/crates.io-index\"", false),
            ("        \"url\": \"https://example.org/funding\"", false),
            ("mcp==1.2.3 --hash=sha256:00", false),
        ] {
            assert_eq!(!check("package-lock.json".as_ref(), line).is_empty(), found, "{line}");
        }
        assert!(applies("e2e/node/package-lock.json".as_ref()));
        assert!(!applies("e2e/node/package.json".as_ref()));
    }
}
