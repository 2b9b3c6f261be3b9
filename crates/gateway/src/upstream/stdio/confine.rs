//! What a child's process does to itself before it becomes the command: limits on what it uses,
//! and bounds around the files that it sees.
//!
//! Runs in the launcher, never in the gateway. It only ever takes away, and says so where it can't.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, Scope,
};
use rustix::{
    io::{FdFlags, fcntl_setfd},
    process::{Resource, Rlimit, getrlimit, setrlimit},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
        remove_capability_from_bounding_set, set_capabilities,
    },
};

use super::{command, launcher::SUBCOMMAND};
use crate::settings::{FileSettings, SandboxSettings};

/// Where bubblewrap is looked for; never in `PATH`.
const BWRAP: [&str; 2] = ["/usr/bin/bwrap", "/usr/local/bin/bwrap"];

/// What programs need of the system before they can do anything: themselves, their libraries, and
/// how names, users and certificates are looked up. Not all of `/etc`, where secrets stand.
const SYSTEM: [&str; 33] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
];

/// Devices that hold nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// The first version of Landlock is needed; what later ones add is used where the kernel has it.
const ABI_NEEDED: ABI = ABI::V1;
const ABI_KNOWN: ABI = ABI::V5;

/// Why a process can't be bounded as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfineFault {
    /// The system refuses a limit.
    #[error("can't limit its resources: {0}")]
    Limit(rustix::io::Errno),
    /// The kernel has no Landlock, or it is switched off.
    #[error("can't bound its files: this kernel offers no Landlock: {0}")]
    Files(RulesetError),
    /// A path of the settings can't be opened by its user.
    #[error("can't bound its files: {0}")]
    Path(landlock::PathFdError),
    /// The rights of root can't be given up.
    #[error("can't give up root's capabilities: {0}")]
    Capabilities(rustix::io::Errno),
    /// There is no bubblewrap.
    #[error("can't take the network away: there is no /usr/bin/bwrap; install bubblewrap")]
    NoBwrap,
    /// Bubblewrap can't be run.
    #[error("can't take the network away: {0}")]
    Network(io::Error),
}

/// Bounds what the process and whatever it starts may use. A limit is never raised.
pub(super) fn limit(settings: &SandboxSettings) -> Result<(), ConfineFault> {
    let memory_max_bytes = u64::from(settings.memory_max_mib) << 20;
    let limits = [
        (Resource::Core, Some(0)),
        (Resource::Data, Some(memory_max_bytes)),
        (Resource::Nofile, Some(settings.open_files_max.into())),
        (Resource::Nproc, settings.processes_max().map(u64::from)),
        (Resource::Cpu, settings.cpu_max_s.map(u64::from)),
    ];
    for (resource, max) in limits {
        let Some(max) = max else { continue };
        let max = getrlimit(resource).maximum.map_or(max, |hard| hard.min(max));
        setrlimit(resource, Rlimit { current: Some(max), maximum: Some(max) })
            .map_err(ConfineFault::Limit)?;
    }
    Ok(())
}

/// Leaves the process the files of the system, of `program` and of the settings, and no signals or
/// abstract sockets to the outside where the kernel can bound those.
pub(super) fn bound_files(
    files: &FileSettings,
    home: Option<&Path>,
    program: Option<&Path>,
) -> Result<(), ConfineFault> {
    let read = AccessFs::from_read(ABI_KNOWN);
    let write = AccessFs::from_all(ABI_KNOWN);
    let mut rules = ruleset().map_err(ConfineFault::Files)?;
    for path in SYSTEM {
        rules = allow_present(rules, path, read)?;
    }
    for path in DEVICES {
        rules = allow_present(rules, path, read | AccessFs::WriteFile | AccessFs::IoctlDev)?;
    }
    for path in files.read.iter().map(AsRef::as_ref).chain(program) {
        rules = allow(rules, PathFd::new(path).map_err(ConfineFault::Path)?, read)?;
    }
    for path in files.write.iter().map(AsRef::as_ref).chain(home) {
        rules = allow(rules, PathFd::new(path).map_err(ConfineFault::Path)?, write)?;
    }
    rules.restrict_self().map_err(ConfineFault::Files)?;
    give_up_capabilities().map_err(ConfineFault::Capabilities)
}

/// Some files show more to root than Landlock's rules say, such as those of other processes; so a
/// root whose files are bounded keeps none of its powers, over `exec` neither.
fn give_up_capabilities() -> rustix::io::Result<()> {
    if capabilities(None)?.permitted.is_empty() {
        return Ok(());
    }
    // One after the other, up to the last that this kernel has.
    let each = (0..u64::BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit));
    for capability in each.take_while(|one| capability_is_in_bounding_set(*one).is_ok()) {
        remove_capability_from_bounding_set(capability)?;
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

fn ruleset() -> Result<RulesetCreated, RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI_NEEDED))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_KNOWN))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()
}

/// A path that not every system has.
fn allow_present(
    rules: RulesetCreated,
    path: &str,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ConfineFault> {
    match PathFd::new(path) {
        Ok(opened) => allow(rules, opened, access),
        Err(_) => Ok(rules),
    }
}

fn allow(
    rules: RulesetCreated,
    path: PathFd,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ConfineFault> {
    rules.add_rule(PathBeneath::new(path, access)).map_err(ConfineFault::Files)
}

/// Becomes bubblewrap with an empty network, which starts this program again with `arguments`.
/// Comes back only where it can't.
///
/// Landlock forbids the mounts that bubblewrap makes, so the files are bounded only after it.
pub(super) fn become_offline(arguments: impl IntoIterator<Item = OsString>) -> ConfineFault {
    let Some(bwrap) = BWRAP.into_iter().find(|path| command::check(Path::new(path)).is_ok()) else {
        return ConfineFault::NoBwrap;
    };
    // By descriptor, so that it stays the same file while an upgrade replaces the one on disk.
    let own = match File::open("/proc/self/exe") {
        Ok(own) => own,
        Err(error) => return ConfineFault::Network(error),
    };
    if let Err(error) = fcntl_setfd(own.as_fd(), FdFlags::empty()) {
        return ConfineFault::Network(error.into());
    }
    let error = Command::new(bwrap)
        .args(["--unshare-net", "--die-with-parent", "--dev-bind", "/", "/", "--"])
        .arg(format!("/proc/self/fd/{}", own.as_raw_fd()))
        .arg(SUBCOMMAND)
        .args(arguments)
        .exec();
    ConfineFault::Network(error)
}
