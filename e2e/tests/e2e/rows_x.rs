//! Class X: servers that the gateway runs as children.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{CHILD_SECRET, Gateway, Plan},
    mcp::{Caller, LEGACY, meta},
    rig::{CREDENTIAL, MintIssuer},
    room::{issuer_settings, wait_for_tools},
    rows::Rows,
    tools,
    wire::expect_status,
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::rows_x_sandbox;

/// Arguments that a shell would take for something else.
const ARGUMENTS: [&str; 7] = ["plain", "; id", "$(id)", "a\nb", "-rf", "`id`", "*"];

struct Class {
    rows: Rows,
    issuer: MintIssuer,
    gateway: Gateway,
    starts: PathBuf,
}

#[test]
fn class_x() {
    let mut class = Class::start().unwrap();
    class.settings();
    class.started_as_configured();
    class.noise();
    class.crashes();
    class.ends();
    rows_x_sandbox::rows(&mut class.rows);
    class.rows.finish();
}

fn stdio(name: &str, arguments: &[&str]) -> Value {
    json!({
        // The child says what its environment is, and the test wants to see all of it.
        "name": name, "issuers": ["idp"], "pins": "on_first_use", "masking": { "mask": [] },
        "upstream": { "stdio": { "command": tools::beside("stdio-fixture").unwrap(),
            "args": arguments, "env": { "CHILD_SECRET": "env:ROWS_CHILD_SECRET" } } },
    })
}

impl Class {
    fn start() -> anyhow::Result<Self> {
        let issuer = MintIssuer::start()?;
        let folder = tempfile::tempdir()?.keep();
        let starts = folder.join("starts");
        let settings = json!({
            "issuers": [issuer_settings("idp", &issuer)],
            "limits": { "answer_max_bytes": 1_048_576 },
            "connections": [
                stdio("plain", &ARGUMENTS),
                stdio("noise", &["noise"]),
                stdio("endless", &["endless"]),
                stdio("secrets", &["secrets"]),
                stdio("stubborn", &["stubborn"]),
                stdio("crash", &["crash", &starts.to_string_lossy()]),
            ],
        });
        let policies = "permit (principal, action, resource);".to_owned();
        let gateway = Gateway::start(&Plan { settings, policies, file_max: None })?;
        let class = Self { rows: Rows::new("X"), issuer, gateway, starts };
        for name in ["plain", "noise", "endless", "secrets", "stubborn"] {
            wait_for_tools(&class.caller(name)?)?;
        }
        Ok(class)
    }

    fn caller(&self, connection: &str) -> anyhow::Result<Caller> {
        let claims = self.issuer.claims(&self.gateway.url(connection));
        Ok(self.gateway.caller(connection, Some(&self.issuer.token("rsa", &claims)?)))
    }

    /// What the child says about itself.
    fn child(&self, connection: &str) -> anyhow::Result<Value> {
        let caller = self.caller(connection)?;
        let reply = caller.send(&caller.call("self", json!({})))?;
        expect_status(&reply, 200)?;
        let answer = reply.json()?;
        let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
        Ok(serde_json::from_str(text.with_context(|| format!("{answer}"))?)?)
    }

    fn settings(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        let swappable = folder.path().join("swappable");
        std::fs::copy(tools::beside("stdio-fixture").unwrap(), &swappable).unwrap();
        std::fs::set_permissions(&swappable, std::fs::Permissions::from_mode(0o777)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&swappable, &link).unwrap();
        let (swappable, link) = (swappable.to_string_lossy(), link.to_string_lossy());
        for command in ["stdio-fixture", "./stdio-fixture", "../x", "", &swappable, &link] {
            let outcome = (|| {
                let mut connection = stdio("relative", &[]);
                connection["upstream"]["stdio"]["command"] = json!(command);
                let plan = Plan {
                    settings: json!({ "connections": [connection] }),
                    policies: String::new(),
                    file_max: None,
                };
                let gateway = Gateway::prepare(&plan)?;
                // Refused by one of them is enough: whether a file can be swapped, the start looks at.
                for verb in ["check", "serve"] {
                    let (code, said) = gateway.command_within(&[verb], Duration::from_secs(5))?;
                    if code == 2 {
                        return Ok(());
                    }
                    ensure!(verb == "check", "`lockgate serve` ended with {code}: {said}");
                }
                Ok(())
            })();
            self.rows.row(4, &format!("command {command:?}"), outcome);
        }
        let outcome = (|| {
            let caller = self.caller("plain")?;
            let before = self.child("plain")?;
            let params = meta(json!({ "name": "self", "arguments": {}, "command": "/bin/sh",
                "_meta": { "command": "/bin/sh", "env": { "LD_PRELOAD": "x" }, "cwd": "/" } }));
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            let request = caller.mirrored("tools/call", Some("self"), body.to_string());
            let request = request.header("X-Lockgate-Command", "/bin/sh");
            expect_status(&caller.send(&request)?, 200)?;
            let init = json!({ "protocolVersion": LEGACY, "capabilities": {}, "command": "/bin/sh",
                "args": ["-c", "id"], "clientInfo": { "name": "x", "version": "1" } });
            caller.send(&caller.legacy(None, &json!(1), "initialize", init))?;
            let after = self.child("plain")?;
            for part in ["args", "env", "cwd"] {
                ensure!(before[part] == after[part], "{part}: {after}");
            }
            Ok(())
        })();
        self.rows.row(1, "command, env and cwd from a caller", outcome);
    }

    fn started_as_configured(&mut self) {
        let child = self.child("plain");
        let outcome =
            child.as_ref().map_err(|fault| anyhow::anyhow!("{fault:#}")).and_then(|child| {
                ensure!(child["args"] == json!(ARGUMENTS), "{}", child["args"]);
                Ok(())
            });
        self.rows.twin(2, "arguments are literal", outcome);
        let outcome = child.and_then(|child| {
            let env = child["env"].as_object().context("an environment")?.clone();
            let names: Vec<_> = env.keys().map(String::as_str).collect();
            let known = ["CHILD_SECRET", "HOME", "LANG", "PATH", "TMPDIR"];
            ensure!(names.iter().all(|name| known.contains(name)), "inherited: {names:?}");
            ensure!(env["CHILD_SECRET"] == CHILD_SECRET, "its own secret is missing");
            let files = child["files"].to_string();
            for word in ["journal", "socket:", ".yaml", "pins"] {
                ensure!(!files.contains(word), "inherited files: {files}");
            }
            Ok(())
        });
        self.rows.row(3, "environment and open files", outcome);
        let reused = self.child("plain").and_then(|one| {
            let two = self.child("plain")?;
            ensure!(one["pid"] == two["pid"], "another process for a modern call");
            let caller = self.caller("plain")?;
            let session = caller.initialize(LEGACY)?;
            let params = json!({ "name": "self", "arguments": {} });
            let call = caller.legacy(Some(&session), &json!(1), "tools/call", params);
            let text = caller.send(&call)?.text();
            ensure!(
                !text.contains(&format!("\\\"pid\\\":{}", one["pid"])),
                "a shared session: {text}"
            );
            Ok(())
        });
        self.rows.twin(7, "shared in the modern era, one a legacy session", reused);
    }

    fn noise(&mut self) {
        let outcome = self.child("noise").map(drop);
        self.rows.twin(5, "answers among noise", outcome);
        let log = self.gateway.log();
        self.rows.row(
            5,
            "noise is not spoken",
            whether(!log.contains('\u{1b}'), "an escape in the log"),
        );
        let outcome = (|| {
            let caller = self.caller("endless")?;
            let begun = Instant::now();
            let reply = caller.send(&caller.call("self", json!({})))?;
            ensure!(reply.status == 502 || reply.json()?["error"].is_object(), "{}", reply.text());
            ensure!(begun.elapsed() < Duration::from_secs(15), "took {:?}", begun.elapsed());
            let memory = resident_kb(self.gateway.pid())?;
            ensure!(memory < 200_000, "{memory} kB resident");
            self.child("plain").map(drop)
        })();
        self.rows.row(5, "an endless line", outcome);
        let log = self.gateway.log();
        let outcome = whether(!log.contains(CHILD_SECRET), "the child's secret stands in the log");
        self.rows.row(6, "its secret on stderr", outcome);
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        self.rows.row(6, "1 MB on stderr", whether(longest < 16 * 1024, "a log line is too long"));
        self.rows.row(
            6,
            "the gateway's own secret",
            whether(!log.contains(CREDENTIAL), "in the log"),
        );
    }

    fn crashes(&mut self) {
        let outcome = (|| {
            let caller = self.caller("crash")?;
            let begun = Instant::now();
            let mut tries = 0;
            while begun.elapsed() < Duration::from_secs(4) {
                let reply = caller.send(&caller.call("self", json!({})))?;
                let refused = reply.status >= 500 || reply.json()?["error"].is_object();
                ensure!(refused, "{}: {}", reply.status, reply.text());
                tries += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            let starts = std::fs::read_to_string(&self.starts)?.lines().count();
            ensure!(starts <= 12, "started {starts} times for {tries} calls in 4 s");
            Ok(())
        })();
        self.rows.row(7, "a crash loop backs off", outcome);
    }

    fn ends(&mut self) {
        let pids = |class: &Self| -> anyhow::Result<Vec<u32>> {
            let mut pids = Vec::new();
            for name in ["plain", "stubborn"] {
                let pid = class.child(name)?["pid"].as_u64().context("a pid")?;
                pids.push(u32::try_from(pid)?);
            }
            pids.extend(children_of(pids[1]));
            Ok(pids)
        };
        let outcome = pids(self).and_then(|pids| {
            ensure!(pids.len() == 3, "no grandchild: {pids:?}");
            self.gateway.kill()?;
            let left = wait_gone(&pids[..2], Duration::from_secs(3));
            ensure!(left.is_empty(), "still alive after the gateway was killed: {left:?}");
            // The grandchild has no parent to die with; it would be the next start's to find.
            wait_gone(&pids[2..], Duration::from_secs(1)).into_iter().for_each(kill);
            Ok(())
        });
        self.rows.row(8, "the gateway is killed", outcome);
        let outcome = (|| {
            self.gateway.run()?;
            self.gateway.wait_ready()?;
            wait_for_tools(&self.caller("stubborn")?)?;
            let pids = pids(self)?;
            self.gateway.signal(Signal::TERM)?;
            self.gateway.wait_end(Duration::from_secs(20))?;
            let left = wait_gone(&pids, Duration::from_secs(5));
            left.iter().copied().for_each(kill);
            ensure!(left.is_empty(), "still alive after the drain: {left:?} of {pids:?}");
            Ok(())
        })();
        self.rows.row(7, "a group that ignores TERM", outcome);
    }
}

fn whether(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    ensure!(holds, otherwise);
    Ok(())
}

fn children_of(pid: u32) -> Vec<u32> {
    let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    list.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn is_alive(pid: u32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; only its parent has not looked yet.
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn wait_gone(pids: &[u32], wait: Duration) -> Vec<u32> {
    let begun = Instant::now();
    loop {
        let left: Vec<_> = pids.iter().copied().filter(|pid| is_alive(*pid)).collect();
        if left.is_empty() || begun.elapsed() > wait {
            return left;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn resident_kb(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}
