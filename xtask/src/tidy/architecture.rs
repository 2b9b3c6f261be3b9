//! The map of the code stays short, and every folder is on it.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use super::Finding;

const FILE: &str = "ARCHITECTURE.md";
const LINES_MAX: usize = 200;

pub(super) fn check(text: &Option<String>, files: &[PathBuf]) -> Vec<Finding> {
    let Some(text) = text else {
        return vec![Finding::new(FILE, 1, "the map of the code is missing")];
    };
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > LINES_MAX {
        let message = format!("the map has {lines} lines; at most {LINES_MAX}");
        findings.push(Finding::new(FILE, lines, message));
    }
    for folder in folders(files) {
        if !names_folder(text, folder) {
            findings.push(Finding::new(FILE, 1, format!("`{folder}/` is not on the map")));
        }
    }
    findings
}

/// As `folder/`, or as the last name of a path in code quotes.
fn names_folder(text: &str, folder: &str) -> bool {
    [format!("{folder}/"), format!("`{folder}`"), format!("/{folder}`")]
        .iter()
        .any(|spelling| text.contains(spelling))
}

/// The folders that the map must name: those at the top, the crates, and those inside a crate's
/// `src` that hold more than tests.
fn folders(files: &[PathBuf]) -> BTreeSet<&str> {
    let product = files.iter().filter(|file| !file.ends_with("tests.rs"));
    product.filter_map(|file| folder_of(file)).collect()
}

fn folder_of(file: &Path) -> Option<&str> {
    match names(file)[..] {
        ["crates", _, "src", folder, _, ..] | ["crates", folder, _, ..] => Some(folder),
        [folder, _, ..] if !folder.starts_with('.') => Some(folder),
        _ => None,
    }
}

fn names(path: &Path) -> Vec<&str> {
    let name = |part| match part {
        Component::Normal(name) => std::ffi::OsStr::to_str(name),
        _ => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::{LINES_MAX, check};

    #[test]
    fn folders_that_are_not_on_the_map_are_found() {
        let files = [
            "crates/store/src/lib.rs",
            "crates/store/src/pins/mod.rs",
            "crates/store/src/list/tests.rs",
            "e2e/a.rs",
            ".ci/run",
            "README.md",
        ];
        let files = files.map(Into::into);
        let map = "`crates/store` with `pins/`, and `e2e`".to_owned();
        assert_eq!(check(&Some(map.clone()), &files), []);
        assert_eq!(check(&Some(map.replace("pins/", "")), &files).len(), 1);
        assert_eq!(check(&Some(map.replace("`e2e`", "e2e")), &files).len(), 1);
        assert_eq!(check(&None, &files).len(), 1);
        assert_eq!(check(&Some(map + &"\n".repeat(LINES_MAX + 1)), &files).len(), 1);
    }
}
