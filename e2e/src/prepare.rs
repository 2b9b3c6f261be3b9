//! Installs the Node and Python parts below the target folder, once for each state of their lock
//! files. Needs npm, Python 3 and the registries that these are set up for; a second run needs
//! nothing. What breaks disks on purpose comes from Debian, where the tests may install it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use sha2::{Digest as _, Sha256};

use crate::{repository, target};

/// Where the parts are installed.
pub fn folder() -> PathBuf {
    target().join("e2e")
}

/// Installs what is missing; tests that run at the same time wait for each other.
///
/// # Errors
/// In one sentence, what is missing on this machine or could not be installed.
pub fn prepare() -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    let lock = File::create(folder().join("lock"))?;
    lock.lock()?;
    install("node", &["package.json", "package-lock.json", ".npmrc"], |folder| {
        // The locked versions, or an error; never newer ones.
        run(Command::new("npm").args(["ci", "--no-fund", "--no-audit"]).current_dir(folder))
    })?;
    install("python", &["requirements.txt"], packages)
}

/// Installs Presidio's analyzer, which one test needs.
///
/// # Errors
/// In one sentence, what could not be installed.
pub fn presidio() -> anyhow::Result<()> {
    fs::create_dir_all(folder())?;
    let lock = File::create(folder().join("lock-presidio"))?;
    lock.lock()?;
    install("presidio", &["requirements.txt"], packages)
}

/// A virtual environment with what `requirements.txt` beside it names.
fn packages(folder: &Path) -> anyhow::Result<()> {
    run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(folder))?;
    run(Command::new(folder.join("venv/bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
        .current_dir(folder))
}

/// Programs that the tests of broken disks, of pages, of proxies and of contained programs start, with the Debian packages
/// that hold them.
const DEBIAN: &[(&str, &str)] = &[
    ("bwrap", "bubblewrap"),
    ("chromium", "chromium"),
    ("eatmydata", "eatmydata"),
    ("faketime", "faketime"),
    ("haproxy", "haproxy"),
    ("mkfs.ext4", "e2fsprogs"),
    ("strace", "strace"),
];

/// Installs the Debian packages that are missing. Only root can, and only root can run the tests
/// that need them: [`crate::disk::may_mount`].
///
/// # Errors
/// In one sentence, what could not be installed.
pub fn debian() -> anyhow::Result<()> {
    // Where nothing is missing, no right to write anywhere is needed.
    if missing().is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder())?;
    let lock = File::create(folder().join("lock"))?;
    lock.lock()?;
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "--yes"]);
        command
    };
    run(apt().arg("update"))?;
    let packages = missing.iter().map(|(_, package)| package);
    run(apt().args(["install", "--no-install-recommends"]).args(packages))
        .with_context(|| format!("can't install {missing:?}"))
}

/// Programs of the system that are not there, each with its package.
fn missing() -> Vec<&'static (&'static str, &'static str)> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let held =
        |program: &str| path.split(':').any(|folder| Path::new(folder).join(program).exists());
    DEBIAN.iter().filter(|(program, _)| !held(program)).collect()
}

fn install(
    part: &str,
    locks: &[&str],
    installer: impl Fn(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (from, to) = (repository().join("e2e").join(part), folder().join(part));
    let mut state = Sha256::new();
    for lock in locks {
        state.update(fs::read(from.join(lock)).with_context(|| format!("no e2e/{part}/{lock}"))?);
    }
    let state: String = state.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let done = to.join("installed");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == state) {
        return Ok(());
    }
    fs::create_dir_all(&to)?;
    for lock in locks {
        fs::copy(from.join(lock), to.join(lock))?;
    }
    installer(&to).with_context(|| format!("can't install e2e/{part}"))?;
    Ok(fs::write(done, state)?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("`{program}` can't be started: is it installed?"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{program}` ended with {}:\n{said}", output.status);
    Ok(())
}
