//! The description against the running API: a tool of others asks everything that the description
//! allows, and a good deal that it does not.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tokio::net::TcpListener;

use crate::rig::{Rig, closed, intent, message, opened, outcome, refused};

/// What it needs, at the versions that were tried.
const LOCK: &str = include_str!("../schemathesis.txt");

/// Streams that end with their token are no answers to it.
const STREAMS: &str = "tail$";
/// A text may be one that can't be looked for, as a quote that is never closed.
const UNCHECKED: &str = "positive_data_acceptance";

/// The tool, installed below the target folder once for each state of the lock file.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (program, state) = (folder.join("venv/bin/st"), folder.join("installed"));
    if fs::read_to_string(&state).is_ok_and(|installed| installed == LOCK) {
        return program;
    }
    fs::write(folder.join("requirements.txt"), LOCK).unwrap();
    run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&folder));
    run(Command::new(folder.join("venv/bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"])
        .current_dir(&folder));
    fs::write(state, LOCK).unwrap();
    program
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} ended with {}:\n{said}{complained}",
        output.status
    );
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_true_of_what_runs() {
    let program = tokio::task::spawn_blocking(installed).await.unwrap();
    let rig = Rig::new().await;
    for n in 1..=3 {
        rig.append(&opened(n, "db"));
        rig.append(&intent(n, n, "db", "select 1"));
        rig.append(&message(n, n, "half"));
        rig.append(&outcome(n, n, "whole"));
        rig.append(&refused("db"));
    }
    rig.append(&closed(1));
    rig.catch_up().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(Arc::clone(&rig.console).serve(listener));
    let folder = rig.folder.path().to_owned();
    let said = tokio::task::spawn_blocking(move || {
        run(Command::new(program)
            .arg("run")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json"))
            .args(["--url", &url, "--header", "Authorization: Bearer admin"])
            .args(["--exclude-path-regex", STREAMS, "--exclude-checks", UNCHECKED])
            .args(["--max-examples", "25", "--seed", "1", "--no-color"])
            .args(["--generation-database", "none", "--request-timeout", "20"])
            .current_dir(folder))
    });
    let said = said.await.unwrap();
    println!("{said}");
    serving.abort();
    // It got through to what it asked about.
    let looks = rig.looks();
    for how in ["search", "show", "replay", "export"] {
        assert!(looks.iter().any(|look| look.1 == how), "{how}");
    }
}
