//! A PostgreSQL of the tests' own: a temporary cluster on a Unix socket, never as root, gone with
//! whoever started it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use lockgate_store::db::DbPlace;
use rustix::process::{Pid, Signal, getuid, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

pub(crate) struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    server: Option<Child>,
    databases: AtomicU32,
}

impl Cluster {
    /// Makes and starts one.
    pub(crate) async fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("lockgate-pg").tempdir().unwrap();
        if getuid().is_root() {
            run(Command::new("chown").arg(user()).arg(folder.path()));
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.args(["--no-sync", "-E", "UTF8", "--locale", "C", "-A", "trust", "-U", "lockgate"]);
        run(initdb.arg("-D").arg(folder.path().join("data")));
        let mut cluster = Self { folder, programs, server: None, databases: AtomicU32::new(0) };
        cluster.resume().await;
        cluster
    }

    /// Starts the server, and waits until it answers.
    pub(crate) async fn resume(&mut self) {
        let mut postgres = unprivileged(&self.programs.join("postgres"));
        postgres.arg("-D").arg(self.folder.path().join("data"));
        postgres.arg("-k").arg(self.folder.path());
        for setting in ["listen_addresses=", "fsync=off", "max_connections=60"] {
            postgres.args(["-c", setting]);
        }
        self.server = Some(postgres.stderr(Stdio::null()).spawn().unwrap());
        let start = Instant::now();
        while PgConnection::connect(&self.url("postgres")).await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the server at once, whatever it is doing, as a crash would.
    pub(crate) fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
        // Immediate shutdown: no checkpoint, recovery on the next start; its children end too.
        let _ = pid.map(|pid| kill_process(pid, Signal::QUIT));
        let _ = server.wait();
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> DbPlace {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        DbPlace::Postgres(self.url(&name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://lockgate@localhost/{database}?host={}", self.folder.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// `program` as a user that PostgreSQL accepts, ended with the thread that starts it.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if getuid().is_root() {
        let user = user();
        command.args([&format!("--reuid={user}"), "--clear-groups"]);
        command.arg(format!("--regid={}", group(user)));
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn user() -> &'static str {
    let known = fs::read_to_string("/etc/passwd").unwrap();
    if known.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

fn group(user: &str) -> String {
    let output = Command::new("id").args(["-g", user]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The folder of the newest PostgreSQL; installed where it is missing and may be.
fn programs() -> PathBuf {
    if let Some(found) = installed() {
        return found;
    }
    assert!(
        getuid().is_root(),
        "these tests need PostgreSQL's server (`initdb` in /usr/lib/postgresql/*/bin): \
         install the package `postgresql`, or run them as root and they do it themselves"
    );
    run(Command::new("apt-get").arg("update"));
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "--no-install-recommends", "postgresql"]);
    run(install.env("DEBIAN_FRONTEND", "noninteractive"));
    installed().expect("apt-get installed `postgresql`, but there is no initdb")
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| {
        let path = version.ok()?.path();
        let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
        Some((number, path.join("bin")))
    });
    let found = folders.filter(|(_, folder)| folder.join("initdb").exists());
    found.max_by_key(|(number, _)| *number).map(|(_, folder)| folder)
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
