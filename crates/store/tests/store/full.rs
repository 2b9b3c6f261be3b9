//! I2: a full disk refuses records, loses none, and is used again as soon as there is room.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{append, keys, texts};
use lockgate_store::journal::{Journal, JournalOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

const FOLDER: &str = "JOURNAL_TEST_FULL";

/// Fills the disk, sees every record refused, makes room, and sees them accepted again.
fn fill_and_free(folder: &Path, free: impl FnOnce()) {
    let options = JournalOptions { reserve_bytes: 32 * 1024, ..JournalOptions::default() };
    let (journal, _) = Journal::open(folder, &keys(folder), options).unwrap();
    let text = "x".repeat(1_000);
    let mut accepted = 0;
    let full = Instant::now();
    while append(&journal, &text).is_ok() {
        accepted += 1;
        assert!(full.elapsed() < Duration::from_secs(30), "the disk is never full");
    }
    // A replacement may find room once more; from then on there is none.
    std::thread::sleep(Duration::from_millis(600));
    while append(&journal, &text).is_ok() {
        accepted += 1;
    }
    std::thread::sleep(Duration::from_millis(600));
    assert!((0..100).all(|_| append(&journal, &text).is_err()), "records on a full disk");

    free();
    let start = Instant::now();
    while append(&journal, &text).is_err() {
        assert!(start.elapsed() < Duration::from_secs(1), "room is not used");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(journal);
    assert_eq!(texts(folder).unwrap().len(), accepted + 1);
}

#[test]
fn i2_a_full_file_system() {
    let folder = TempDir::new().unwrap();
    let mount = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !mount(
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(folder.path()),
    ) {
        // The file size limit below shows the same without the right to mount.
        return;
    }
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![0; 700_000]).unwrap();
    let result = std::panic::catch_unwind(|| {
        fill_and_free(&folder.path().join("journal"), || fs::remove_file(&ballast).unwrap());
    });
    assert!(mount(Command::new("umount").arg(folder.path())));
    result.unwrap();
}

#[test]
fn i2_the_limit_of_a_file() {
    let folder = TempDir::new().unwrap();
    // The signal that comes with the limit ends a process that does not ignore it.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; exec \"$0\" --exact full::limited_writer"])
        .arg(env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        // Its own count of tests is none of ours.
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(texts(folder.path()).unwrap().len() > 10);
}

/// The other side of the test above: does nothing unless told a folder.
#[test]
fn limited_writer() {
    let Some(folder) = env::var_os(FOLDER) else { return };
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(40_000), ..before }).unwrap();
    fill_and_free(Path::new(&folder), || setrlimit(Resource::Fsize, before).unwrap());
}
