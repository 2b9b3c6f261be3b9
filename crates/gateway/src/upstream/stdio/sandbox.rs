//! A server's bounds seen from the gateway: whether this machine can give them, and what stays open.
//!
//! It starts nothing but the launcher without a command, and bounds nothing itself.

use std::{
    fs::DirBuilder,
    io,
    os::unix::{
        fs::{DirBuilderExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::{Command, Stdio},
};

use lockgate_model::{Reason, Refusal};
use rustix::process::geteuid;

use super::launcher::{Launcher, Plan, SUBCOMMAND};
use crate::settings::{SandboxSettings, StdioSettings};

/// Applies the bounds to a process that does nothing else, and so finds out here what would keep
/// the server from starting.
///
/// # Errors
/// [`Reason::ChildUnavailable`] says what this machine can't give, and how to mend it.
pub fn check(launcher: &Launcher, settings: &StdioSettings) -> Result<(), Refusal> {
    let sandbox = &settings.sandbox;
    if !sandbox.needs_machine() {
        return Ok(());
    }
    let told = try_out(launcher, settings).unwrap_or_else(|error| not_started(sandbox, &error));
    if told.is_empty() {
        return Ok(());
    }
    Err(Refusal::new(Reason::ChildUnavailable, format!("its sandbox can't be had here: {told}")))
}

/// What deserves a look about a server's bounds, in words for its operator.
pub(super) fn warning(settings: &StdioSettings) -> Option<&'static str> {
    let root = geteuid().is_root() && settings.sandbox.user.is_none();
    root.then_some("its server runs as root, as the gateway does; give it a `sandbox.user`")
}

/// As whom a process starts, and in which folder of its own.
pub(super) fn dress(command: &mut Command, sandbox: &SandboxSettings) -> io::Result<()> {
    if let Some(home) = &sandbox.home {
        make_home(home, sandbox)?;
        command.env("HOME", home).env("TMPDIR", home);
    }
    if let Some(user) = sandbox.user {
        command.uid(user);
    }
    if let Some(group) = sandbox.group.or(sandbox.user) {
        command.gid(group);
    }
    Ok(())
}

/// What went wrong; empty where nothing did.
fn try_out(launcher: &Launcher, settings: &StdioSettings) -> io::Result<String> {
    let plan = Plan { gateway: None, sandbox: settings.sandbox.clone() };
    let mut command = Command::new(&launcher.program);
    command.arg(SUBCOMMAND).arg(plan.to_argument()?).env_clear().current_dir("/");
    command.stdin(Stdio::null());
    dress(&mut command, &settings.sandbox)?;
    let output = command.output()?;
    if output.status.success() {
        return Ok(String::new());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().trim_start_matches(SUBCOMMAND).trim_start_matches(": ");
    Ok(if said.is_empty() { output.status.to_string() } else { said.to_owned() })
}

fn not_started(sandbox: &SandboxSettings, error: &io::Error) -> String {
    match (sandbox.user, error.kind()) {
        (Some(user), io::ErrorKind::PermissionDenied) => {
            format!("only a gateway that was started as root can run it as user {user}")
        }
        _ => error.to_string(),
    }
}

/// The server's own folder, for itself alone. One that is there is left as it is.
fn make_home(home: &Path, sandbox: &SandboxSettings) -> io::Result<()> {
    let named = |error: io::Error| {
        io::Error::new(error.kind(), format!("its home `{}`: {error}", home.display()))
    };
    if home.is_dir() {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(home).map_err(named)?;
    chown(home, sandbox.user, sandbox.group.or(sandbox.user)).map_err(named)
}
