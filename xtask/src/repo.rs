//! Where the repository is, and which files belong to it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Paths of all files that belong to the repository, relative to its root, sorted: committed ones,
/// and new ones that git does not ignore.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let listed = output(Command::new("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "-z",
    ]))?;
    let paths = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    // A removed file is listed until its removal is committed.
    let mut paths: Vec<_> = paths.filter(|path| root().join(path).is_file()).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

/// Runs `command` in the root and gives what it wrote.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .current_dir(root())
        .output()
        .with_context(|| format!("can't run {}", command.get_program().display()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed:\n{complaint}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
