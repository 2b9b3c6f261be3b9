//! I9: a process that is killed at any instant loses no record that it appended.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{append, keys, open_small, small, texts};
use lockgate_store::journal::Journal;
use tempfile::TempDir;

const ROUNDS: u64 = 20;
const FOLDER: &str = "JOURNAL_TEST_FOLDER";

#[test]
fn i9_a_killed_process_loses_no_appended_record() {
    let folder = TempDir::new().unwrap();
    let mut seen = 0;
    for round in 0..ROUNDS {
        let appended = run_and_kill(folder.path(), Duration::from_millis(5 + 7 * (round % 5)));
        let (journal, recovery) =
            Journal::open(folder.path(), &keys(folder.path()), small()).unwrap();
        drop(journal);
        let last = appended.iter().max().copied().unwrap_or(seen);
        assert!(recovery.last_seq >= last, "round {round}: {last} was lost, {recovery:?}");
        assert!(appended.iter().all(|seq| *seq > seen), "round {round}: a number twice");
        assert_eq!(texts(folder.path()).unwrap().len() as u64, recovery.last_seq);
        seen = recovery.last_seq;
    }
    assert!(seen > ROUNDS * 10, "only {seen} records in all rounds");
}

/// Runs this binary as a writer, kills it `after` its first record, and gives what it appended.
fn run_and_kill(folder: &Path, after: Duration) -> Vec<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "kill::writer", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let number =
        |line: std::io::Result<String>| line.unwrap().strip_prefix("appended ")?.parse().ok();
    let first = lines.by_ref().find_map(number);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap()
    });
    let appended = first.into_iter().chain(lines.filter_map(number)).collect();
    killer.join().unwrap();
    appended
}

/// The other side of the test above: does nothing unless told a folder.
#[test]
fn writer() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let journal = open_small(Path::new(&folder));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Ok(position) = append(&journal, &"x".repeat(300)) {
                    let line = format!("appended {}\n", position.seq());
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
