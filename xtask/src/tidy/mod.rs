//! Checks that keep the plan of the house true: one rule a file.

mod architecture;
mod attributes;
mod dependencies;
mod docs;
mod edges;
mod lockfiles;
mod protocol;
mod sizes;
mod source;

use std::{fmt, fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::repo;
use source::Source;

/// A place where a rule is broken.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    file: PathBuf,
    /// From 1.
    line: usize,
    message: String,
}

impl Finding {
    fn new(file: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { file: file.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.message)
    }
}

/// Checks everything, prints what is found, and tells whether nothing was.
pub(crate) fn run() -> Result<bool> {
    let files = repo::files()?;
    let mut findings = Vec::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = read(path)?;
        let source = Source::new(path, &text);
        findings.extend(sizes::check(&source));
        findings.extend(docs::check(&source));
        findings.extend(attributes::check(&source));
        findings.extend(protocol::check(&source));
    }
    for path in files.iter().filter(|path| lockfiles::applies(path)) {
        findings.extend(lockfiles::check(path, &read(path)?));
    }
    let packages = edges::packages()?;
    findings.extend(edges::check(&packages));
    findings.extend(dependencies::check(&packages));
    findings.extend(architecture::check(&read("ARCHITECTURE.md".as_ref()).ok(), &files));

    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", files.len(), findings.len());
    Ok(findings.is_empty())
}

fn read(path: &std::path::Path) -> Result<String> {
    fs::read_to_string(repo::root().join(path))
        .with_context(|| format!("can't read {}", path.display()))
}
