//! Class X, the rows of what a child may use of the machine: as whom it runs, which files it sees,
//! what it reaches, and how much it takes.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    prepare,
    rig::MintIssuer,
    room::{issuer_settings, wait_for_tools},
    rows::Rows,
    tools,
    wire::expect_status,
};
use rustix::process::geteuid;
use serde_json::{Value, json};

/// A user that no process of the machine has, so that its processes are the child's alone.
const USER: u32 = 48_123;
const PROCESSES_MAX: u64 = 24;
const CPU_MAX_S: u64 = 1;
/// A process that was killed is told of, and another one started, within this time on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(30);

struct Room {
    issuer: MintIssuer,
    gateway: Gateway,
    folder: PathBuf,
}

/// Every row here; entered into the book of the class.
pub(crate) fn rows(rows: &mut Rows) {
    prepare::debian().unwrap();
    let room = Room::start().unwrap();
    room.files(rows);
    room.network(rows);
    room.amounts(rows);
    if geteuid().is_root() {
        room.user(rows);
    }
    impossible(rows);
}

fn stdio(name: &str, sandbox: &Value) -> Value {
    json!({
        "name": name, "issuers": ["idp"], "pins": "on_first_use", "masking": { "mask": [] },
        "upstream": { "stdio": {
            "command": tools::beside("stdio-fixture").unwrap(), "sandbox": sandbox,
        } },
    })
}

impl Room {
    fn start() -> anyhow::Result<Self> {
        let issuer = MintIssuer::start()?;
        let folder = tempfile::tempdir()?.keep();
        for name in ["shown", "given", "hidden"] {
            fs::create_dir(folder.join(name))?;
            fs::write(folder.join(name).join("file"), name)?;
        }
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        let files = json!({ "read": [folder.join("shown")], "write": [folder.join("given")] });
        let mut connections = vec![
            stdio("open", &json!({})),
            stdio("files", &json!({ "files": files, "home": folder.join("home") })),
            stdio("offline", &json!({ "network": "none", "files": files })),
            stdio("small", &json!({ "memory_max_mib": 256, "open_files_max": 64 })),
            stdio("brief", &json!({ "cpu_max_s": CPU_MAX_S })),
        ];
        if geteuid().is_root() {
            let home = folder.join("own-home");
            let own = json!({ "user": USER, "home": home, "processes_max": PROCESSES_MAX });
            connections.push(stdio("own", &own));
            let all = json!({ "user": USER + 1, "home": folder.join("all-home"),
                "network": "none", "files": files });
            connections.push(stdio("all", &all));
        }
        let names: Vec<_> = connections.iter().map(|one| one["name"].clone()).collect();
        let settings = json!({
            "issuers": [issuer_settings("idp", &issuer)], "connections": connections,
        });
        let policies = "permit (principal, action, resource);".to_owned();
        let gateway = Gateway::start(&Plan { settings, policies, file_max: None })?;
        let room = Self { issuer, gateway, folder };
        for name in names.iter().filter_map(Value::as_str) {
            wait_for_tools(&room.caller(name)?)?;
        }
        Ok(room)
    }

    fn caller(&self, connection: &str) -> anyhow::Result<Caller> {
        let claims = self.issuer.claims(&self.gateway.url(connection));
        Ok(self.gateway.caller(connection, Some(&self.issuer.token("rsa", &claims)?)))
    }

    /// What a tool of the child tells.
    fn ask(&self, connection: &str, tool: &str, arguments: Value) -> anyhow::Result<Value> {
        let caller = self.caller(connection)?;
        let reply = caller.send(&caller.call(tool, arguments))?;
        expect_status(&reply, 200)?;
        let answer = reply.json()?;
        let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
        Ok(serde_json::from_str(text.with_context(|| format!("{answer}"))?)?)
    }

    fn tries(&self, connection: &str, tool: &str, path: &Path) -> anyhow::Result<bool> {
        let told = self.ask(connection, tool, json!({ "path": path }))?;
        let failed = told["failed"].as_str();
        ensure!(failed.is_none_or(|why| why.contains("denied")), "{told}");
        Ok(failed.is_none())
    }

    fn files(&self, rows: &mut Rows) {
        let at = |name: &str| self.folder.join(name).join("file");
        for connection in ["files", "offline"] {
            let outcome = (|| {
                for (tool, path) in [
                    ("read", at("hidden")),
                    ("read", self.gateway.folder().join("lockgate.yaml")),
                    ("read", "/etc/shadow".into()),
                    ("read", format!("/proc/{}/environ", self.gateway.pid()).into()),
                    ("write", at("shown")),
                    ("write", "/tmp/lockgate-sandbox".into()),
                ] {
                    let got = self.tries(connection, tool, &path)?;
                    ensure!(!got, "{tool} of {}", path.display());
                }
                Ok(())
            })();
            rows.row(7, &format!("files outside of `{connection}`'s"), outcome);
            let outcome = (|| {
                for (tool, path) in [
                    ("read", at("shown")),
                    ("read", at("given")),
                    ("write", at("given")),
                    ("read", "/etc/passwd".into()),
                    ("write", "/dev/null".into()),
                ] {
                    let got = self.tries(connection, tool, &path)?;
                    ensure!(got, "{tool} of {}", path.display());
                }
                Ok(())
            })();
            rows.twin(7, &format!("its own files, for `{connection}`"), outcome);
        }
        let home = self.folder.join("home");
        let outcome = (|| {
            let env = self.ask("files", "self", json!({}))?["env"].clone();
            let expected = json!({ "HOME": home, "TMPDIR": home });
            ensure!(env == expected, "{env}");
            ensure!(fs::metadata(&home)?.mode() & 0o777 == 0o700, "its home is open to others");
            ensure!(self.tries("files", "write", &home.join("new"))?, "its home is not its own");
            Ok(())
        })();
        rows.row(3, "nothing but a home of its own", outcome);
        let outcome = self.tries("open", "read", &at("hidden"));
        rows.twin(
            7,
            "no bounds asked for",
            outcome.and_then(|got| {
                ensure!(got, "refused");
                Ok(())
            }),
        );
    }

    fn network(&self, rows: &mut Rows) {
        let outcome = (|| {
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let address = json!({ "address": listener.local_addr()?.to_string() });
            let told = self.ask("files", "dial", address.clone())?;
            ensure!(told["failed"].is_null(), "the twin can't dial: {told}");
            let told = self.ask("offline", "dial", address)?;
            ensure!(told["failed"].is_string(), "dialled without a network");
            Ok(())
        })();
        rows.row(7, "no network", outcome);
    }

    fn amounts(&self, rows: &mut Rows) {
        let outcome = (|| {
            let told = self.ask("small", "allocate", json!({ "number": 512 }))?;
            ensure!(told["failed"].is_string(), "512 MiB under a limit of 256");
            let told = self.ask("small", "allocate", json!({ "number": 128 }))?;
            ensure!(told["done"] == 128 << 20, "{told}");
            self.ask("open", "allocate", json!({ "number": 512 })).map(drop)
        })();
        rows.row(7, "memory", outcome);
        let outcome = (|| {
            let pid = self.ask("small", "self", json!({}))?["pid"].to_string();
            let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
            for (name, value) in [
                ("Max core file size", "0"),
                ("Max open files", "64"),
                ("Max data size", "268435456"),
            ] {
                let line = limits.lines().find_map(|line| line.strip_prefix(name));
                let soft_and_hard = line.unwrap_or_default().split_whitespace().take(2);
                ensure!(soft_and_hard.eq([value, value]), "{name}: {limits}");
            }
            Ok(())
        })();
        rows.row(7, "core dumps, open files and memory are limited for good", outcome);
        rows.row(7, "processor time", self.processor_time());
    }

    /// A process that takes more is killed; whoever waited for it is told, and another one serves.
    fn processor_time(&self) -> anyhow::Result<()> {
        let pid = self.ask("brief", "self", json!({}))?["pid"].clone();
        let (caller, begun) = (self.caller("brief")?, Instant::now());
        let reply = caller.send(&caller.call("spin", json!({})))?;
        let took = begun.elapsed();
        ensure!(reply.status >= 500, "it got {}: {}", reply.status, reply.text());
        ensure!(took < WAIT_MAX, "it was told after {took:?}");
        let gone = || !Path::new(&format!("/proc/{pid}")).exists();
        ensure!(gone(), "the process goes on");
        while self.ask("brief", "self", json!({})).is_err() {
            ensure!(begun.elapsed() < WAIT_MAX, "no other process serves");
        }
        let other = self.ask("brief", "self", json!({}))?["pid"].clone();
        ensure!(other != pid, "the same process serves");
        Ok(())
    }

    fn user(&self, rows: &mut Rows) {
        let outcome = (|| {
            let told = self.ask("own", "self", json!({}))?;
            ensure!(told["user"] == USER && told["group"] == USER, "{told}");
            let status = fs::read_to_string(format!("/proc/{}/status", told["pid"]))?;
            let groups = status.lines().find_map(|line| line.strip_prefix("Groups:"));
            ensure!(groups.is_some_and(|groups| groups.trim().is_empty()), "groups: {groups:?}");
            ensure!(!self.tries("own", "read", Path::new("/etc/shadow"))?, "reads root's files");
            ensure!(self.tries("own", "write", &self.folder.join("own-home/new"))?, "its home");
            Ok(())
        })();
        rows.row(7, "a user of its own", outcome);
        let outcome = (|| {
            let told = self.ask("own", "fork", json!({ "number": 200 }))?;
            let forked = told["done"].as_u64().with_context(|| told.to_string())?;
            ensure!((1..PROCESSES_MAX).contains(&forked), "{forked} of 200 processes");
            let told = self.ask("own", "fork", json!({ "number": 4 }))?;
            ensure!(told["done"] == 4, "nothing is left to it afterwards: {told}");
            Ok(())
        })();
        rows.row(7, "a fork bomb", outcome);
        let outcome = (|| {
            let told = self.ask("all", "self", json!({}))?;
            ensure!(told["user"] == USER + 1, "{told}");
            let hidden = self.folder.join("hidden/file");
            ensure!(!self.tries("all", "read", &hidden)?, "reads outside");
            ensure!(self.tries("all", "read", &self.folder.join("shown/file"))?, "its own file");
            Ok(())
        })();
        rows.row(7, "user, files and network at once", outcome);
    }
}

/// What this machine can't give keeps the gateway from starting, and `check` says so.
fn impossible(rows: &mut Rows) {
    let mut cases =
        vec![("files", json!({ "files": { "read": ["/nowhere/at/all"] } }), "/nowhere")];
    if !geteuid().is_root() {
        cases.push(("user", json!({ "user": USER }), "started as root"));
    }
    for (name, sandbox, word) in cases {
        let outcome = (|| {
            let issuer = MintIssuer::start()?;
            let settings = json!({
                "issuers": [issuer_settings("idp", &issuer)], "connections": [stdio(name, &sandbox)],
            });
            let plan = Plan { settings, policies: String::new(), file_max: None };
            let gateway = Gateway::prepare(&plan)?;
            let (code, said) = gateway.command_within(&["serve"], Duration::from_secs(5))?;
            ensure!(code == 2 && said.contains(word), "`serve` ended with {code}: {said}");
            let (code, said) = gateway.command_within(&["check"], Duration::from_secs(5))?;
            ensure!(code == 0 && said.contains(word), "`check` ended with {code}: {said}");
            Ok(())
        })();
        rows.row(7, &format!("a sandbox that can't be had: {name}"), outcome);
    }
}
