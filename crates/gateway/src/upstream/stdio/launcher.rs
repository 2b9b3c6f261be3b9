//! The last step before a child's own program runs: a process of the gateway's own executable that
//! binds its life to the gateway's and then becomes the command.
//!
//! It exists because a process can ask only for itself to die with its parent. It never reads
//! configuration, never opens a file and never starts a shell.

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

/// The hidden subcommand under which the binary calls [`main`].
pub const SUBCOMMAND: &str = "stdio-child";

/// How the gateway starts [`main`] in a process of its own.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The executable.
    pub program: PathBuf,
    /// What stands before the launcher's own arguments.
    pub arguments: Vec<OsString>,
}

impl Launcher {
    /// The running executable with [`SUBCOMMAND`]. Through `/proc`, so that it stays the same file
    /// while an upgrade replaces the one on disk.
    pub fn this_program() -> Self {
        Self { program: PathBuf::from("/proc/self/exe"), arguments: vec![SUBCOMMAND.into()] }
    }
}

/// Becomes the command: `arguments` are the gateway's process id, the command, and the command's
/// own arguments. Returns only on failure, with exit code 126 where the gateway is gone or the
/// process can't be bound to it, and 127 where the command can't be run.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut arguments = arguments.into_iter();
    let parent = arguments.next().and_then(|text| text.to_str()?.parse::<i32>().ok());
    let (Some(parent), Some(program)) = (parent, arguments.next()) else {
        return failed(126, "expected the gateway's process id and a command");
    };
    if let Err(error) = bind_to_parent() {
        return failed(126, &format!("can't bind the process to the gateway: {error}"));
    }
    // The gateway may have died before the signal was asked for; then another process is the
    // parent by now, and nobody would ever end this one.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(parent) {
        return failed(126, "the gateway is gone");
    }
    // The gateway's own files close by themselves; what it inherited from whoever started it
    // is not for the child either.
    set_fds_cloexec(3, &[]);
    let error = Command::new(&program).args(arguments).exec();
    failed(127, &format!("can't run {}: {error}", program.display()))
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
