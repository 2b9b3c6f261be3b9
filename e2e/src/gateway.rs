//! The real binary in a folder of its own: configuration and policies written, started, watched
//! until it is ready, and ended the way a test wants it.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{mcp::Caller, record::Records, rig::CREDENTIAL, wire::Request};

/// A secret that stdio children get in their environment.
pub const CHILD_SECRET: &str = "child-secret-5d41402abc4b";

/// How long a gateway may take to be ready.
const READY_WAIT: Duration = Duration::from_secs(30);

/// What a gateway is started with.
pub struct Plan {
    /// The whole configuration apart from addresses, data and policies. YAML contains JSON.
    pub settings: Value,
    /// The policies.
    pub policies: String,
    /// Largest file that it may write, in bytes (`RLIMIT_FSIZE`).
    pub file_max: Option<u64>,
}

/// A gateway that was started.
pub struct Gateway {
    folder: TempDir,
    child: Option<Child>,
    /// Where clients reach it.
    pub address: SocketAddr,
    /// Where operators reach it.
    pub admin: SocketAddr,
    file_max: Option<u64>,
    variables: Vec<(&'static str, PathBuf)>,
    kept: bool,
}

impl Gateway {
    /// Writes the files, starts the binary and waits until it is ready.
    ///
    /// # Errors
    /// Where it can't be built or does not become ready; the log is in the message.
    pub fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut gateway = Self::prepare(plan)?;
        gateway.run()?;
        gateway.wait_ready()?;
        Ok(gateway)
    }

    /// Writes the files, without starting anything.
    ///
    /// # Errors
    /// Where a file can't be written.
    pub fn prepare(plan: &Plan) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lockgate-e2e-").tempdir()?;
        let (address, admin) = (free_address()?, free_address()?);
        let (file_max, variables) = (plan.file_max, Vec::new());
        let gateway =
            Self { folder, child: None, address, admin, file_max, variables, kept: false };
        fs::create_dir(gateway.folder.path().join("policies"))?;
        gateway.write_policies(&plan.policies)?;
        gateway.write_settings(&plan.settings)?;
        Ok(gateway)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its data folder. A test may mount something there before the first start.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Sets a variable of the environment in which it runs from the next start on.
    pub fn variable(&mut self, name: &'static str, value: &Path) {
        self.variables.push((name, value.to_owned()));
    }

    /// Its process id; 0 while it does not run.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Replaces the policies' file at once.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write_policies(&self, text: &str) -> anyhow::Result<()> {
        replace(&self.folder.path().join("policies/rows.cedar"), text)
    }

    /// Replaces the configuration file at once, addresses and folders filled in.
    ///
    /// # Errors
    /// Where it can't be written.
    pub fn write_settings(&self, settings: &Value) -> anyhow::Result<()> {
        let mut settings = settings.clone();
        let fields = settings.as_object_mut().context("settings are an object")?;
        let listen = fields.entry("listen").or_insert_with(|| json!({}));
        let listen = listen.as_object_mut().context("`listen` is an object")?;
        listen.entry("address").or_insert_with(|| json!(self.address.to_string()));
        fields.entry("public_url").or_insert_with(|| json!(format!("http://{}", self.address)));
        fields.insert("admin".into(), json!({ "address": self.admin.to_string() }));
        fields.insert("log".into(), json!({ "format": "json", "level": "info" }));
        fields.insert("data".into(), json!(self.data()));
        fields.insert("policies".into(), json!(self.folder.path().join("policies")));
        let text = serde_json::to_string_pretty(&settings)?;
        replace(&self.folder.path().join("lockgate.yaml"), &text)
    }

    /// Starts the binary, without waiting for it.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn run(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.log_path())?;
        let mut command = match self.file_max {
            // The shell's unit is 1 KiB blocks; the signal is ignored so that writes fail instead.
            Some(bytes) => {
                let mut command = Command::new("bash");
                let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$@\"", bytes / 1024);
                command.args(["-c", &script, "bash"]).arg(binary()?);
                command
            }
            None => Command::new(binary()?),
        };
        let child = command
            .args(["serve", "--config"])
            .arg(self.folder.path().join("lockgate.yaml"))
            .current_dir(self.folder.path())
            .env("ROWS_CREDENTIAL", CREDENTIAL)
            .env("ROWS_CHILD_SECRET", CHILD_SECRET)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // Names no setting of the gateway, which would say so.
            .env_remove("LOCKGATE_BIN")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Waits until `/readyz` says yes.
    ///
    /// # Errors
    /// Where it ends or takes too long; the log is in the message.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < READY_WAIT {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("the gateway ended with {status}:\n{}", self.log());
            }
            // Calls that policies hold are refused until people can be asked.
            let asks = |body: &str| !body.contains("they are not open yet");
            if self.ready().is_ok_and(|(status, body)| status == 200 && asks(&body)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let why = self.ready().map_or_else(|fault| fault.to_string(), |(_, body)| body);
        bail!("not ready in {READY_WAIT:?}: {why}\n{}", self.log())
    }

    /// Status and body of `/readyz`.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn ready(&self) -> anyhow::Result<(u16, String)> {
        self.ask_admin("/readyz")
    }

    /// Status and body of an admin page.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn ask_admin(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let request = Request::new("GET", path, "").header("Host", &self.admin.to_string());
        let reply = crate::wire::exchange(self.admin, &request.bytes())?;
        Ok((reply.status, reply.text()))
    }

    /// Someone who calls `connection`.
    pub fn caller(&self, connection: &str, token: Option<&str>) -> Caller {
        let path = format!("/c/{connection}/mcp");
        Caller { address: self.address, path, token: token.map(str::to_owned) }
    }

    /// The URL under which clients know `connection`: the audience of its tokens.
    pub fn url(&self, connection: &str) -> String {
        format!("http://{}/c/{connection}/mcp", self.address)
    }

    /// Its journal, read from the beginning.
    pub fn records(&self) -> Records {
        Records::new(self.data())
    }

    /// Runs another command of the binary beside it, and gives its exit code and output.
    ///
    /// # Errors
    /// Where it can't be started, or takes longer than half a minute.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<(i32, String)> {
        self.command_within(arguments, Duration::from_secs(30))
    }

    /// As [`Gateway::command`], with this much time; -1 for a command that had to be killed.
    ///
    /// # Errors
    /// Where it can't be started.
    pub fn command_within(
        &self,
        arguments: &[&str],
        wait: Duration,
    ) -> anyhow::Result<(i32, String)> {
        let mut command = Command::new(binary()?);
        command.args(arguments).current_dir(self.folder.path());
        command.env("ROWS_CREDENTIAL", CREDENTIAL).env("ROWS_CHILD_SECRET", CHILD_SECRET);
        let said = crate::tools::run(command, wait)?;
        Ok((said.code, said.text))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.pid())?).context("it does not run")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Kills it without warning and waits until it is gone.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself and gives its exit code.
    ///
    /// # Errors
    /// Where it takes longer than `wait`.
    pub fn wait_end(&mut self, wait: Duration) -> anyhow::Result<Option<i32>> {
        let begun = Instant::now();
        let child = self.child.as_mut().context("it does not run")?;
        while begun.elapsed() < wait {
            if let Some(status) = child.try_wait()? {
                self.child = None;
                return Ok(status.code());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("still running after {wait:?}")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("gateway.log")
    }

    /// Leaves the folder on disk when the test ends, and says where.
    pub fn keep(&mut self) -> PathBuf {
        self.kept = true;
        self.folder.disable_cleanup(true);
        self.folder.path().to_owned()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.kept {
            let folder = self.keep();
            crate::say(&format!("the gateway's folder is kept: {}", folder.display()));
        }
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The binary under test: `LOCKGATE_BIN`, or the debug build, made where it isn't current.
///
/// # Errors
/// Where the build fails.
pub fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| build().map_err(|fault| format!("{fault:#}")));
    built.as_deref().map_err(|fault| anyhow::anyhow!("{fault}"))
}

fn build() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("LOCKGATE_BIN") {
        let path = PathBuf::from(path);
        ensure!(path.is_file(), "LOCKGATE_BIN names no file: {}", path.display());
        return Ok(path);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "lockgate"])
        .current_dir(crate::repository())
        .status()?;
    ensure!(status.success(), "`cargo build -p lockgate` failed");
    Ok(crate::target().join("debug/lockgate"))
}

/// Where addresses are given from: below what systems give to sockets that name no port, so that no
/// connection of another test takes one before its server listens there.
const PORTS: Range<u32> = 12_000..32_000;

/// A loopback address that was free a moment ago; no other test of this process is given it.
///
/// # Errors
/// Where none is free.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Processes that run at the same time begin at different ones.
    let first = std::process::id().wrapping_mul(64);
    for _ in PORTS {
        let nth = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + nth % (PORTS.end - PORTS.start);
        if let Ok(free) = TcpListener::bind(("127.0.0.1", u16::try_from(port)?)) {
            return Ok(free.local_addr()?);
        }
    }
    bail!("no port is free")
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    Ok(fs::rename(fresh, path)?)
}
