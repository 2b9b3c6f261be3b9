//! What a program behind a connection may use of the machine it runs on. Settings alone; they are
//! applied by the process that becomes the program.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Bounds around one stdio server and whatever it starts.
///
/// The limits hold always. What else is asked for here is applied, or the server is not started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SandboxSettings {
    /// The user id as which it runs; needs a gateway that was started as root.
    pub user: Option<u32>,
    /// The group id as which it runs; the number of `user` where absent.
    pub group: Option<u32>,
    /// A folder of its own: its `HOME` and `TMPDIR`, made where it is missing. Its absolute path.
    pub home: Option<PathBuf>,
    /// The only files that it may use; every file that its user may where absent. Needs a Linux
    /// with Landlock.
    pub files: Option<FileSettings>,
    /// What it may reach over the network.
    pub network: Network,
    /// Memory that each of its processes may write to (`RLIMIT_DATA`), in MiB.
    pub memory_max_mib: u32,
    /// Files and sockets that each of its processes may have open.
    pub open_files_max: u32,
    /// Processes and threads that its user may have; 512 for a `user` of its own, else unbounded.
    /// Root is not bound by it.
    pub processes_max: Option<u32>,
    /// Processor time after which each of its processes is killed, in seconds.
    pub cpu_max_s: Option<u32>,
}

/// The files that a server may use besides the system's programs and libraries, its own program
/// and its `home`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileSettings {
    /// Files and folders that it may read, and run programs from; absolute paths.
    pub read: Vec<PathBuf>,
    /// Files and folders that it may change as well; absolute paths.
    pub write: Vec<PathBuf>,
}

/// What a server may reach over the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Network {
    /// What the gateway's host reaches.
    #[default]
    Host,
    /// Nothing: a network of its own without a way out. Needs bubblewrap (`bwrap`).
    None,
}

impl SandboxSettings {
    /// Whether more is asked for than limits, so that this machine may be unable to give it.
    pub const fn needs_machine(&self) -> bool {
        self.user.is_some() || self.files.is_some() || matches!(self.network, Network::None)
    }

    /// The bound on processes that holds.
    pub fn processes_max(&self) -> Option<u32> {
        self.processes_max.or(self.user.map(|_| 512))
    }
}

impl Default for SandboxSettings {
    fn default() -> Self {
        Self {
            user: None,
            group: None,
            home: None,
            files: None,
            network: Network::Host,
            memory_max_mib: 4_096,
            open_files_max: 1_024,
            processes_max: None,
            cpu_max_s: None,
        }
    }
}
