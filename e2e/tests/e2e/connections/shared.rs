//! Two gateways on one PostgreSQL: what is registered by the one is served and refused by both.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    rig::{MintIssuer, Upstream},
    room::{POLICIES, Room, connection, issuer_settings},
    say,
};
use rustix::process::{Pid, Signal, getuid, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::{add, run, until};

/// A server of PostgreSQL on a socket of its own.
struct Postgres {
    folder: TempDir,
    server: Child,
}

#[test]
fn gateways_of_one_database_serve_the_same() {
    let postgres = Postgres::start();
    let url = postgres.folder.path().join("url");
    fs::write(&url, postgres.url()).unwrap();
    let (one, two) = (room("one", &url), room("two", &url));
    // Registered through the first, to the first one's upstream.
    add(&one, "extra", &[]).unwrap();
    let own_ms = until(&one, "extra", 200).unwrap();
    let other_ms = until(&two, "extra", 200).unwrap();
    run(&two, 0, &["connection", "remove", "extra", "--yes"]);
    until(&two, "extra", 404).unwrap();
    until(&one, "extra", 404).unwrap();
    say(&format!("connections: served after {own_ms} ms, by the other after {other_ms} ms more"));
}

fn room(node: &str, url: &Path) -> Room {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let settings = json!({
        "node": node,
        "recording": { "index": format!("file:{}", url.display()) },
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": [connection("main", &upstream.url())],
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let gateway = Gateway::start(&plan).unwrap();
    let records = gateway.records();
    Room { issuer, upstream, gateway, records, settings: plan.settings }
}

impl Postgres {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("lockgate-pg").tempdir().unwrap();
        let (at, data) = (folder.path(), folder.path().join("data"));
        if getuid().is_root() {
            done(Command::new("chown").arg("postgres").arg(at));
            fs::set_permissions(at, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut initdb = program("initdb");
        initdb.args(["--no-sync", "-E", "UTF8", "--locale", "C", "-A", "trust", "-U", "lockgate"]);
        done(initdb.arg("-D").arg(&data));
        let mut postgres = program("postgres");
        postgres.arg("-D").arg(&data).arg("-k").arg(at);
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off"]);
        let server = postgres.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Self { folder, server };
        for _ in 0..600 {
            let mut ready = program("pg_isready");
            let ready = ready.arg("-h").arg(started.folder.path()).args(["-U", "lockgate"]);
            if ready.output().unwrap().status.success() {
                return started;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("PostgreSQL does not answer");
    }

    fn url(&self) -> String {
        format!("postgres://lockgate@localhost/postgres?host={}", self.folder.path().display())
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
fn program(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("the package `postgresql`");
    let programs = versions.flatten().map(|version| version.path().join("bin"));
    let found: Option<PathBuf> = programs.filter(|one| one.join("initdb").exists()).max();
    let mut command = Command::new("setpriv");
    if getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]);
    command.arg(found.expect("the package `postgresql`").join(name)).current_dir("/");
    command
}

fn done(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}
