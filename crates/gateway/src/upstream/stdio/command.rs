//! Whether a configured command may be run: an absolute path that nobody else can swap.
//!
//! Every directory and link on the way is looked at, so that what was checked stays what is run
//! without holding the file open. It never runs anything, and it trusts what the file says.

use std::{
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use lockgate_model::{Reason, Refusal};
use rustix::process::geteuid;

/// Links followed before a path counts as a loop, as Linux itself counts.
const LINKS_MAX: u32 = 40;
const OTHER_WRITABLE: u32 = 0o002;
const STICKY: u32 = 0o1000;
const EXECUTABLE: u32 = 0o111;

/// Why a command is not run.
#[derive(Debug, thiserror::Error)]
pub enum CommandFault {
    /// It is not an absolute path.
    #[error("`{0}` is not an absolute path")]
    Relative(PathBuf),
    /// A file or directory on the way can be changed by any user of the machine.
    #[error("`{0}` can be changed by any user of this machine")]
    Swappable(PathBuf),
    /// It is no executable file.
    #[error("`{0}` is no executable file")]
    NotExecutable(PathBuf),
    /// It can't be looked at.
    #[error("`{0}` can't be read: {1}")]
    Unreadable(PathBuf, io::Error),
}

impl From<CommandFault> for Refusal {
    fn from(fault: CommandFault) -> Self {
        Self::new(Reason::ChildUnavailable, fault.to_string())
    }
}

/// Checks that `command` is absolute and executable, and that neither it nor anything on the way
/// to it can be replaced by any user of the machine. A shared directory is good only with the
/// sticky bit, and only where the entry is the gateway's own or root's.
///
/// # Errors
/// [`CommandFault`] names the first file or directory that is not good.
pub fn check(command: &Path) -> Result<(), CommandFault> {
    if !command.is_absolute() {
        return Err(CommandFault::Relative(command.to_owned()));
    }
    let mut ahead: Vec<OsString> = Vec::new();
    let mut here = PathBuf::from("/");
    let mut links = 0;
    push_parts(&mut ahead, command);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(part);
        let metadata = look(&next)?;
        check_entry(&here, &metadata)?;
        if metadata.is_symlink() {
            links += 1;
            let target = fs::read_link(&next).map_err(|e| CommandFault::Unreadable(next, e))?;
            if links > LINKS_MAX {
                return Err(CommandFault::NotExecutable(command.to_owned()));
            }
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            push_parts(&mut ahead, &target);
        } else {
            here = next;
        }
    }
    check_file(here)
}

fn push_parts(ahead: &mut Vec<OsString>, path: &Path) {
    let parts = path.components().rev().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    ahead.extend(parts);
}

fn look(path: &Path) -> Result<Metadata, CommandFault> {
    fs::symlink_metadata(path).map_err(|error| CommandFault::Unreadable(path.to_owned(), error))
}

/// Whether another user could put something else in the place of this entry of `folder`.
fn check_entry(folder: &Path, entry: &Metadata) -> Result<(), CommandFault> {
    let mode = look(folder)?.mode();
    let own = entry.uid() == 0 || entry.uid() == geteuid().as_raw();
    if mode & OTHER_WRITABLE == 0 || (mode & STICKY != 0 && own) {
        return Ok(());
    }
    Err(CommandFault::Swappable(folder.to_owned()))
}

fn check_file(path: PathBuf) -> Result<(), CommandFault> {
    let metadata = look(&path)?;
    if !metadata.is_file() || metadata.mode() & EXECUTABLE == 0 {
        return Err(CommandFault::NotExecutable(path));
    }
    if metadata.mode() & OTHER_WRITABLE != 0 {
        return Err(CommandFault::Swappable(path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::{PermissionsExt as _, symlink},
        path::Path,
    };

    use super::{CommandFault, check};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// X4: a command that others can swap, or that is found by search, is refused.
    #[test]
    fn x4_only_absolute_commands_that_nobody_can_swap() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["good", "writable", "data"] {
            fs::write(at(name), "#!/bin/sh\n").unwrap();
            chmod(&at(name), 0o755);
        }
        chmod(&at("writable"), 0o757);
        chmod(&at("data"), 0o644);
        fs::create_dir(at("open")).unwrap();
        fs::copy(at("good"), at("open/inner")).unwrap();
        symlink(at("good"), at("open/link")).unwrap();
        symlink(at("open/link"), at("chain")).unwrap();
        symlink("good", at("beside")).unwrap();
        symlink("loop", at("loop")).unwrap();
        chmod(&at("open"), 0o777);

        for name in ["good", "beside", "../../bin/sh", "./good"] {
            let path = if name.contains("..") { "/usr/../bin/sh".into() } else { at(name) };
            assert!(check(&path).is_ok(), "X4 twin {name}: {:?}", check(&path));
        }
        for relative in ["sh", "./sh", "bin/sh", ""] {
            assert!(
                matches!(check(Path::new(relative)), Err(CommandFault::Relative(_))),
                "{relative}"
            );
        }
        for name in ["writable", "open/inner", "open/link", "chain"] {
            assert!(matches!(check(&at(name)), Err(CommandFault::Swappable(_))), "X4 {name}");
        }
        for name in ["data", "", "loop"] {
            assert!(matches!(check(&at(name)), Err(CommandFault::NotExecutable(_))), "X4 {name}");
        }
        assert!(matches!(check(&at("absent")), Err(CommandFault::Unreadable(..))));
    }
}
