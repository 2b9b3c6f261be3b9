//! The last step before a child's own program runs: a process of the gateway's own executable that
//! binds its life to the gateway's, bounds itself, and then becomes the command.
//!
//! It exists because a process can ask only for itself to die with its parent, and be bounded
//! without unsafe code only by itself. It never reads configuration and never starts a shell.

use std::{
    ffi::OsString,
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, ExitCode},
};

use close_fds::set_fds_cloexec;
use rustix::{
    process::{Signal, getppid, set_parent_process_death_signal},
    thread::set_no_new_privs,
};
use serde::{Deserialize, Serialize};

use super::confine::{become_offline, bound_files, limit};
use crate::settings::{Network, SandboxSettings};

/// The hidden subcommand under which the binary calls [`main`].
pub const SUBCOMMAND: &str = "stdio-child";

/// How the gateway starts [`main`] in a process of its own, with [`SUBCOMMAND`] as its first
/// argument.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
}

/// What a launcher is told, as its first argument: nothing secret, since other users can see it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The gateway's process id, with which the child is to die.
    pub(super) gateway: Option<u32>,
    /// What bounds the child.
    pub(super) sandbox: SandboxSettings,
}

impl Launcher {
    /// The running executable. Through `/proc`, so that it stays the same file while an upgrade
    /// replaces the one on disk.
    pub fn this_program() -> Self {
        Self { program: PathBuf::from("/proc/self/exe") }
    }
}

impl Plan {
    pub(super) fn to_argument(&self) -> io::Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// Becomes the command: `arguments` are the gateway's plan as JSON, the command, and the command's
/// own arguments. Without a command it ends with exit code 0 once everything of the plan is done.
///
/// Else it returns only on failure, with exit code 126 where the gateway is gone or the process
/// can't be bound as the plan says, and 127 where the command can't be run.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let plan = arguments.next().and_then(|text| serde_json::from_str(text.to_str()?).ok());
    let Some(plan) = plan else {
        return failed(126, "expected the gateway's plan and a command");
    };
    let command: Vec<OsString> = arguments.collect();
    if let Err(why) = prepare(plan, &command) {
        return failed(126, &why);
    }
    // The gateway's own files close by themselves; what it inherited from whoever started it
    // is not for the child either.
    set_fds_cloexec(3, &[]);
    let Some((program, arguments)) = command.split_first() else { return ExitCode::SUCCESS };
    let error = Command::new(program).args(arguments).exec();
    failed(127, &format!("can't run {}: {error}", program.display()))
}

fn prepare(mut plan: Plan, command: &[OsString]) -> Result<(), String> {
    bind_to_parent().map_err(|error| format!("can't bind the process to the gateway: {error}"))?;
    // The gateway may have died before the signal was asked for; then another process is the
    // parent by now, and nobody would ever end this one.
    let parent = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
    if plan.gateway.is_some() && parent != plan.gateway {
        return Err("the gateway is gone".to_owned());
    }
    limit(&plan.sandbox).map_err(|fault| fault.to_string())?;
    if plan.sandbox.network == Network::None {
        // Bubblewrap is the parent of what comes next, and dies with the gateway in its place.
        plan.gateway = None;
        plan.sandbox.network = Network::Host;
        let plan = plan.to_argument().map_err(|error| error.to_string())?;
        let arguments = std::iter::once(plan.into()).chain(command.iter().cloned());
        return Err(become_offline(arguments).to_string());
    }
    if let Some(files) = &plan.sandbox.files {
        let program = command.first().map(AsRef::as_ref);
        bound_files(files, plan.sandbox.home.as_deref(), program)
            .map_err(|fault| fault.to_string())?;
    }
    Ok(())
}

/// Asks for SIGKILL when the gateway dies. Gaining privileges on exec would void that request,
/// so it is switched off as well.
fn bind_to_parent() -> rustix::io::Result<()> {
    set_no_new_privs(true)?;
    set_parent_process_death_signal(Some(Signal::KILL))
}

fn failed(code: u8, why: &str) -> ExitCode {
    // Standard error is the gateway's log of this child; where even that fails, the exit code is
    // all there is.
    drop(writeln!(io::stderr(), "{SUBCOMMAND}: {why}"));
    ExitCode::from(code)
}
