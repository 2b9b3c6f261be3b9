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
        if !text.contains(&folder) {
            findings.push(Finding::new(FILE, 1, format!("`{folder}` is not on the map")));
        }
    }
    findings
}

/// The folders that the map must name, each with its slash: those at the top, the crates, and the
/// folders inside a crate's `src`.
fn folders(files: &[PathBuf]) -> BTreeSet<String> {
    let mut folders = BTreeSet::new();
    for file in files {
        let parts: Vec<_> = file.parent().map(names).unwrap_or_default();
        match parts[..] {
            ["crates", _, "src", folder, ..] | ["crates", folder, ..] => {
                folders.insert(format!("{folder}/"));
            }
            [folder, ..] if !folder.starts_with('.') => {
                folders.insert(format!("{folder}/"));
            }
            _ => {}
        }
    }
    folders
}

fn names(path: &Path) -> Vec<&str> {
    let name = |part| match part {
        Component::Normal(name) => name.to_str(),
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
            "e2e/a.rs",
            ".ci/run",
            "README.md",
        ];
        let files = files.map(Into::into);
        let map = "crates/ store/ with pins/, and e2e/".to_owned();
        assert_eq!(check(&Some(map.clone()), &files), []);
        assert_eq!(check(&Some(map.replace("pins/", "")), &files).len(), 1);
        assert_eq!(check(&Some(map.replace("e2e/", "e2e")), &files).len(), 1);
        assert_eq!(check(&None, &files).len(), 1);
        assert_eq!(check(&Some(map + &"\n".repeat(LINES_MAX + 1)), &files).len(), 1);
    }
}
