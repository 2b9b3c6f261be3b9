//! A gateway that is aborted leaves no image of its memory behind, whatever limits it was started
//! under.

use std::{
    fs,
    os::unix::{
        fs::chown,
        process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan, binary},
    rig::CREDENTIAL,
};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;

use crate::secrets::contains;

/// A user that no process of the machine has.
const USER: u32 = 48_130;

#[test]
fn an_aborted_gateway_leaves_no_core() {
    let plan = Plan { settings: json!({}), policies: String::new(), file_max: None };
    let gateway = Gateway::prepare(&plan).unwrap();
    let folder = gateway.folder();
    for path in [folder.to_owned(), folder.join("lockgate.yaml"), folder.join("policies")] {
        given(&path);
    }
    let serve = format!("exec {} serve --config lockgate.yaml", binary().unwrap().display());
    let mut child = dumping(&serve, folder);
    wait_for("the gateway", || gateway.ready().is_ok());
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(limit.split_whitespace().filter(|word| *word == "0").count(), 2, "{limit}");
    // The limit binds no handler that the system pipes dumps to; what binds it keeps other
    // processes of the same user out as well.
    assert!(!looks_into(child.id()), "its memory can be looked into");
    let ended = abort(&mut child);
    assert!(!ended.core_dumped(), "{ended}");
    assert_eq!(cores(folder), Vec::<String>::new());

    // The twin: this machine does dump what lets it.
    let folder = tempfile::tempdir().unwrap();
    given(folder.path());
    let mut twin = dumping("exec sleep 60", folder.path());
    became(&twin, b"sleep\0");
    wait_for("it to be looked into", || looks_into(twin.id()));
    let ended = abort(&mut twin);
    assert!(ended.core_dumped(), "the twin was not dumped: {ended}");
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    if pattern.starts_with("core") {
        assert_eq!(cores(folder.path()).len(), 1, "no image of the twin");
    }
}

/// Nothing here runs as root, who may look into everything.
fn as_user(command: &mut Command) -> &mut Command {
    if geteuid().is_root() { command.uid(USER).gid(USER) } else { command }
}

fn given(path: &Path) {
    if geteuid().is_root() {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
}

/// Whether another process of the same user sees its memory.
fn looks_into(pid: u32) -> bool {
    let script = format!("head -c 1 /proc/{pid}/environ | grep -q .");
    let mut command = Command::new("sh");
    as_user(command.args(["-c", &script]).stderr(Stdio::null())).status().unwrap().success()
}

/// Runs `script` in `folder`, with a secret in its environment and no limit on core dumps.
fn dumping(script: &str, folder: &Path) -> Child {
    let script = format!("ulimit -c unlimited; {script}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder).env("ROWS_CREDENTIAL", CREDENTIAL);
    command.env_remove("LOCKGATE_BIN").stdout(Stdio::null()).stderr(Stdio::null());
    as_user(&mut command).spawn().unwrap()
}

/// Waits until it is the program that the shell becomes. A process has its new name and no memory yet
/// for a moment, and that of who started it before it is a shell: only its arguments tell.
fn became(child: &Child, begins: &[u8]) {
    let arguments = format!("/proc/{}/cmdline", child.id());
    wait_for("the shell to end", || fs::read(&arguments).unwrap().starts_with(begins));
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn abort(child: &mut Child) -> ExitStatus {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::ABORT).unwrap();
    child.wait().unwrap()
}

/// Files that hold the secret, and so the memory.
fn cores(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    let held = files.filter(|path| contains(&fs::read(path).unwrap(), CREDENTIAL.as_bytes()));
    held.map(|path| path.display().to_string()).collect()
}
