//! A real PostgreSQL of a test's own, and links to it that can be cut.

use std::{
    fs,
    io::{self, Read, Write},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, getuid, kill_process};
use tempfile::TempDir;

/// A server of PostgreSQL on a socket of its own.
pub struct Postgres {
    folder: TempDir,
    server: Child,
}

/// Another way to a server, over which nothing moves while it is paused, as over a network that lost its
/// packets.
pub struct Link {
    folder: TempDir,
    paused: Arc<AtomicBool>,
}

impl Postgres {
    /// Starts an empty server.
    ///
    /// # Errors
    /// Where the package `postgresql` is not there, or the server does not come up.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("lockgate-pg").tempdir()?;
        let (at, data) = (folder.path(), folder.path().join("data"));
        if getuid().is_root() {
            done(Command::new("chown").arg("postgres").arg(at))?;
            fs::set_permissions(at, fs::Permissions::from_mode(0o755))?;
        }
        let mut initdb = program("initdb")?;
        initdb.args(["--no-sync", "-E", "UTF8", "--locale", "C", "-A", "trust", "-U", "lockgate"]);
        done(initdb.arg("-D").arg(&data))?;
        let mut postgres = program("postgres")?;
        postgres.arg("-D").arg(&data).arg("-k").arg(at);
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let server = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let started = Self { folder, server };
        for _ in 0..600 {
            let mut ready = program("pg_isready")?;
            let ready = ready.arg("-h").arg(started.folder.path()).args(["-U", "lockgate"]);
            if ready.output()?.status.success() {
                return Ok(started);
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL does not answer")
    }

    /// Its URL.
    pub fn url(&self) -> String {
        url(self.folder.path())
    }

    /// A link to it.
    ///
    /// # Errors
    /// Where its socket can't be made.
    pub fn link(&self) -> anyhow::Result<Link> {
        let folder = tempfile::Builder::new().prefix("lockgate-pg-link").tempdir()?;
        let listener = UnixListener::bind(folder.path().join(SOCKET))?;
        let (paused, server) = (Arc::<AtomicBool>::default(), self.folder.path().join(SOCKET));
        let shared = Arc::clone(&paused);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&server) else { continue };
                let (Ok(client_end), Ok(server_end)) = (client.try_clone(), server.try_clone())
                else {
                    continue;
                };
                let (to, from) = (Arc::clone(&shared), Arc::clone(&shared));
                thread::spawn(move || carry(client, server, &to));
                thread::spawn(move || carry(server_end, client_end, &from));
            }
        });
        Ok(Link { folder, paused })
    }
}

impl Link {
    /// The URL of the server over this link.
    pub fn url(&self) -> String {
        url(self.folder.path())
    }

    /// Stops everything on the way, in both directions, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }
}

const SOCKET: &str = ".s.PGSQL.5432";

fn url(folder: &Path) -> String {
    format!("postgres://lockgate@localhost/postgres?host={}", folder.display())
}

fn carry(mut from: UnixStream, mut to: UnixStream, paused: &AtomicBool) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer)?;
        while paused.load(Ordering::Acquire) {
            thread::sleep(Duration::from_millis(5));
        }
        if count == 0 {
            return to.shutdown(std::net::Shutdown::Write);
        }
        to.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ = pid.map(|pid| kill_process(pid, Signal::QUIT));
        let _ = self.server.wait();
    }
}

/// One of PostgreSQL's programs, as a user that it accepts, ended with the thread that starts it.
fn program(name: &str) -> anyhow::Result<Command> {
    let versions = fs::read_dir("/usr/lib/postgresql").context("the package `postgresql`")?;
    let programs = versions.flatten().map(|version| version.path().join("bin"));
    let found: Option<PathBuf> = programs.filter(|one| one.join("initdb").exists()).max();
    let mut command = Command::new("setpriv");
    if getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]);
    command.arg(found.context("the package `postgresql`")?.join(name)).current_dir("/");
    Ok(command)
}

fn done(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(())
}
