//! X1 to X8: what a child is given, what it may do, and how it ends.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use lockgate_gateway::{
    secret::SecretRef,
    upstream::{
        Verb,
        stdio::command::{CommandFault, check},
    },
};
use lockgate_model::{Era, Reason};
use serde_json::{Value, json};

use crate::rig::{Rig, python, request, result, runs, within_5_s};

fn pid(state: &Value) -> u64 {
    state["pid"].as_u64().unwrap()
}

/// The processes that this one has started, as (id, state letter).
fn own_children() -> Vec<(u64, char)> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.chars().next()?;
        (fields.next()? == own).then_some((pid, state))
    });
    processes.collect()
}

/// Whether this process runs `test` alone. Counting what the whole process has started makes sense
/// in no other, so where it does not, another one is started that does, and must pass.
fn runs_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut process = Command::new(std::env::current_exe().unwrap());
    let status = process.args(["--exact", test]).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "{test}, in a process of its own");
    false
}

/// Set in a process that runs one test alone.
const ALONE: &str = "LOCKGATE_TEST_ALONE";

#[tokio::test]
async fn x1_x2_only_the_settings_reach_the_command_line() {
    let odd = ["; id", "$(id)", "`id`", "a\nb", "-rf", "--", "*", "", "ü"];
    let rig = Rig::with(|settings, _| settings.args.extend(odd.map(str::to_owned)));
    let hostile = json!({
        "command": "/bin/sh", "args": ["-c", "id"], "env": { "X": "1" }, "cwd": "/tmp",
    });
    let initialize = request(0, "initialize", hostile.clone());
    let answer = rig.send(Era::Legacy, Verb::Post, None, &initialize).await.unwrap();
    assert!(answer.headers().contains_key("mcp-session-id"));
    let session = rig.session().await;
    let state = rig.result(&session, "state", hostile).await;
    assert_eq!(state["argv"], json!(odd), "X2");
    assert_eq!(state["environment"], json!([]), "X1");
    assert_eq!(state["cwd"], "/", "X1");
}

#[tokio::test]
async fn x3_the_environment_is_what_the_settings_say() {
    let rig = Rig::with(|settings, _| {
        settings.env.insert("OWN_PATH".into(), SecretRef::Env("PATH".into()));
        settings.cwd = Some("/usr".into());
    });
    let session = rig.session().await;
    let state = rig.result(&session, "state", json!({})).await;
    let path = format!("OWN_PATH={}", std::env::var("PATH").unwrap());
    assert_eq!(state["environment"], json!([path]), "X3");
    assert_eq!(state["descriptors"], json!([0, 1, 2]), "X3: no open file is inherited");
    assert_eq!(state["group"], state["pid"], "a process group of its own");
    assert_eq!(state["cwd"], "/usr");
}

#[tokio::test]
async fn x3_a_missing_secret_is_a_refusal() {
    let rig = Rig::with(|settings, _| {
        settings.env.insert("TOKEN".into(), SecretRef::File("/nonexistent".into()));
    });
    let refusal = rig.try_session().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CredentialUnavailable);
}

#[tokio::test]
async fn x4_a_command_is_checked_at_every_start() {
    let mut command = Default::default();
    let rig = Rig::with(|settings, _| {
        let own = Path::new(&settings.args[0]).with_file_name("python3");
        fs::copy(python(), &own).unwrap();
        settings.command = own.clone();
        settings.env.insert("PYTHONHOME".into(), home(&own));
        command = own;
    });
    rig.session().await;
    fs::set_permissions(&command, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(check(&command), Err(CommandFault::Swappable(_))), "X4 at load");
    let refusal = rig.try_session().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::ChildUnavailable, "X4 at start");
}

/// Where a copied interpreter finds its library.
fn home(copy: &Path) -> SecretRef {
    let code = "import sys; print(sys.base_prefix, end='')";
    let prefix = Command::new(python()).args(["-c", code]).output().unwrap().stdout;
    let file = copy.with_file_name("home");
    fs::write(&file, prefix).unwrap();
    SecretRef::File(file)
}

#[tokio::test]
async fn x5_lines_that_are_no_messages_are_dropped() {
    let rig = Rig::new();
    let session = rig.session().await;
    let after = rig.result(&session, "garbage", json!({})).await;
    assert_eq!(after, json!({ "after": "garbage" }), "X5");
}

#[tokio::test]
async fn x5_children_that_break_the_rules_are_killed() {
    for (method, reason) in
        [("chatter", Reason::UpstreamInvalid), ("endless", Reason::UpstreamTooLarge)]
    {
        let rig = Rig::with(|_, limits| limits.answer_max_bytes = 1 << 20);
        let session = rig.session().await;
        let child = pid(&rig.result(&session, "state", json!({})).await);
        let refusal = rig.legacy(&session, &request(1, method, json!({}))).await.err().unwrap();
        assert_eq!(refusal.reason, reason, "X5 {method}");
        within_5_s(method, || !runs(child)).await;
        let answer = rig.legacy(&session, &request(2, "state", json!({}))).await.unwrap();
        assert_eq!(answer.status(), 404, "X5 {method}: the session is gone");
    }
}

#[tokio::test]
async fn x7_the_whole_group_is_gone_within_5_s() {
    let rig = Rig::new();
    let session = rig.session().await;
    let pids = rig.result(&session, "stubborn", json!({})).await;
    let pids: Vec<u64> = serde_json::from_value(pids["pids"].clone()).unwrap();
    assert!(pids.iter().all(|pid| runs(*pid)), "X7 twin: they run until they are ended");
    let answer = rig.send(Era::Legacy, Verb::Delete, Some(&session), &Value::Null).await.unwrap();
    assert_eq!(answer.status(), 200);
    within_5_s("child ignores TERM, and so does its own", || !pids.iter().any(|p| runs(*p))).await;
    let answer = rig.send(Era::Legacy, Verb::Delete, Some(&session), &Value::Null).await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn x7_a_child_that_reads_nothing_holds_nobody_for_ever() {
    let rig = Rig::with(|_, limits| limits.answer_wait_max_ms = 1_000);
    let session = rig.session().await;
    let child = pid(&rig.result(&session, "state", json!({})).await);
    rig.result(&session, "deaf", json!({})).await;
    let large = json!({ "filler": "x".repeat(1 << 20) });
    for id in 10..30 {
        let refusal = rig.legacy(&session, &request(id, "silent", large.clone())).await.err();
        assert_eq!(refusal.unwrap().reason, Reason::UpstreamTimeout, "X7 full pipe");
        if id == 12 {
            break;
        }
    }
    rig.upstream.shutdown().await;
    assert!(!runs(child), "X7: shutdown waits until it is gone");
}

#[tokio::test]
async fn x7_crash_loops_are_slowed_down() {
    if !runs_alone("children::x7_crash_loops_are_slowed_down") {
        return;
    }
    let rig = Rig::with(|settings, _| settings.args.push("exit-at-once".into()));
    let mut reasons = Vec::new();
    for _ in 0..4 {
        reasons.push(rig.try_session().await.unwrap_err().reason);
    }
    let refused = reasons.iter().filter(|reason| **reason == Reason::ChildUnavailable).count();
    assert!(reasons.starts_with(&[Reason::UpstreamEnded]), "X7 twin: the first start is free");
    assert!(refused >= 1, "X7: {reasons:?}");
    within_5_s("no zombies", || own_children().is_empty()).await;
}

#[tokio::test]
async fn x7_nothing_is_left_after_200_children() {
    if !runs_alone("children::x7_nothing_is_left_after_200_children") {
        return;
    }
    let rig = Rig::with(|settings, _| {
        settings.args = vec!["-c".into(), ECHO.into()];
        settings.command = "/bin/sh".into();
    });
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    rig.upstream.shutdown().await;
    let before = count();
    for round in 0..20 {
        let mut sessions = Vec::new();
        for _ in 0..10 {
            sessions.push(rig.session().await);
        }
        assert_eq!(own_children().len(), 10, "round {round}");
        // Ended by the client, by the gateway, and with the last round by losing the upstream.
        for session in sessions.iter().take(5) {
            rig.send(Era::Legacy, Verb::Delete, Some(session), &Value::Null).await.unwrap();
        }
        rig.upstream.shutdown().await;
        within_5_s("X7: no zombies", || own_children().is_empty()).await;
    }
    within_5_s("X7: descriptors closed", || count() <= before).await;
}

/// Answers `initialize` and then reads until its input ends.
const ECHO: &str = r#"read line
echo '{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}'
while read line; do :; done"#;

#[tokio::test]
async fn x7_losing_the_upstream_ends_its_children() {
    let rig = Rig::new();
    let session = rig.session().await;
    let own = pid(&rig.result(&session, "state", json!({})).await);
    let answer = rig.modern(&request(1, "state", json!({}))).await.unwrap();
    let shared = pid(&result(answer));
    assert!(runs(own) && runs(shared) && own != shared);
    let upstream = rig.upstream;
    drop(upstream);
    within_5_s("X7", || !runs(own) && !runs(shared)).await;
}

/// X8: children die with the gateway, however it dies.
#[tokio::test]
async fn x8_children_die_with_the_gateway() {
    let mut gateway = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "children::x8_gateway", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = None;
    for line in std::io::BufRead::lines(std::io::BufReader::new(gateway.stdout.take().unwrap())) {
        child = line.unwrap().split("child runs as ").nth(1).map(|pid| pid.parse().unwrap());
        if child.is_some() {
            break;
        }
    }
    let child = child.expect("the gateway told of its child");
    assert!(runs(child), "X8 twin: it runs while the gateway runs");
    gateway.kill().unwrap();
    gateway.wait().unwrap();
    within_5_s("X8", || !runs(child)).await;
}

#[tokio::test]
#[ignore = "the gateway's part of x8, in a process that is killed"]
async fn x8_gateway() {
    let rig = Rig::new();
    let session = rig.session().await;
    // It would outlive the end of its input.
    let pids = rig.result(&session, "deaf", json!({})).await;
    assert_eq!(pids, json!({}));
    let (child, _) = own_children()[0];
    println!("\nchild runs as {child}");
    tokio::time::sleep(Duration::from_secs(60)).await;
}
