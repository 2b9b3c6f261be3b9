//! Faults of the disk, injected where no file system can be made to show them: a pipe takes every
//! write and fails every sync, `/dev/full` fails every write.

use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_model::{Event, Timestamp};
use tempfile::TempDir;

use super::{Journal, JournalFault, JournalOptions, Keys, Position, read};

fn event(torn_bytes: u64) -> Event {
    Event::Started { version: "test".into(), torn_bytes }
}

fn keys(folder: &Path) -> Keys {
    Keys::open_or_create(&folder.join("keys"), folder).unwrap()
}

fn open(folder: &Path) -> Journal {
    Journal::open(folder, &keys(folder), JournalOptions::default()).unwrap().0
}

fn append(journal: &Journal, number: u64) -> Result<Position, JournalFault> {
    journal.append(Timestamp::from_millis(1), &event(number))
}

/// Puts a file that fails in the place of the journal's own.
fn replace_file(journal: &Journal, file: File) {
    journal.shared.lock().segment.file = Arc::new(file);
}

/// A file that takes writes and can't be synced; its reader must live as long.
fn unsyncable() -> (File, impl Sized) {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let drain = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    (File::from(OwnedFd::from(writer)), drain)
}

fn numbers(folder: &Path) -> Vec<u64> {
    let number = |record: super::Record| match record.event().unwrap().unwrap() {
        Event::Started { torn_bytes, .. } => torn_bytes,
        other => panic!("{other:?}"),
    };
    read(folder, &keys(folder)).unwrap().map(|record| number(record.unwrap())).collect()
}

fn segments(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".segment"));
    names.sort();
    names
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn i2_after_a_failed_sync_records_are_written_again_elsewhere() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let first = append(&journal, 1).unwrap();
    journal.synced(first).await.unwrap();

    // These two reach a file that takes them and then can't be synced.
    let (file, _drain) = unsyncable();
    replace_file(&journal, file);
    append(&journal, 2).unwrap();
    let third = append(&journal, 3).unwrap();
    journal.synced(third).await.unwrap();
    let fourth = append(&journal, 4).unwrap();
    journal.synced(fourth).await.unwrap();

    assert_eq!(numbers(folder.path()), [1, 2, 3, 4]);
    assert_eq!(
        segments(folder.path()),
        ["00000000000000000001.segment", "00000000000000000002.segment"]
    );
    assert_eq!(journal.stats().failures, 1);
    drop(journal);
    let (_, recovery) =
        Journal::open(folder.path(), &keys(folder.path()), JournalOptions::default()).unwrap();
    assert_eq!((recovery.last_seq, recovery.torn_bytes), (4, 0));
}

#[tokio::test]
async fn a_failed_segment_without_a_durable_record_is_replaced() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let (file, _drain) = unsyncable();
    replace_file(&journal, file);
    let first = append(&journal, 1).unwrap();
    journal.synced(first).await.unwrap();
    assert_eq!(numbers(folder.path()), [1]);
    assert_eq!(segments(folder.path()), ["00000000000000000001.segment"]);
}

#[tokio::test]
async fn i2_a_failed_write_refuses_the_record_and_the_next_file_takes_over() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    append(&journal, 1).unwrap();
    replace_file(&journal, File::options().write(true).open("/dev/full").unwrap());
    assert!(matches!(append(&journal, 2), Err(JournalFault::Unavailable(_))));
    eventually("available again", || journal.available().is_ok());
    let third = append(&journal, 3).unwrap();
    assert_eq!(third.seq(), 2, "the refused record has no place in the journal");
    journal.synced(third).await.unwrap();
    assert_eq!(numbers(folder.path()), [1, 3]);
}

#[tokio::test]
async fn i2_while_nothing_can_be_written_everybody_is_refused_and_then_nobody() {
    let root = TempDir::new().unwrap();
    let (folder, away) = (root.path().join("journal"), root.path().join("away"));
    let journal = open(&folder);
    let first = append(&journal, 1).unwrap();
    journal.synced(first).await.unwrap();

    fs::rename(&folder, &away).unwrap();
    let (file, _drain) = unsyncable();
    replace_file(&journal, file);
    let second = append(&journal, 2).unwrap();
    assert!(matches!(journal.synced(second).await, Err(JournalFault::Unavailable(_))));
    assert!(journal.synced(first).await.is_ok(), "what was durable stays so");
    assert!(append(&journal, 0).is_err() && journal.available().is_err());

    fs::rename(&away, &folder).unwrap();
    eventually("available again", || journal.available().is_ok());
    let third = append(&journal, 3).unwrap();
    journal.synced(third).await.unwrap();
    assert_eq!(numbers(&folder), [1, 2, 3]);
}

#[test]
fn records_that_wait_for_a_slow_disk_are_bounded() {
    let folder = TempDir::new().unwrap();
    let options = JournalOptions { pending_max_bytes: 10_000, ..JournalOptions::default() };
    let (journal, _) = Journal::open(folder.path(), &keys(folder.path()), options).unwrap();
    let refused = (0..1_000_000).find(|number| append(&journal, *number).is_err());
    // Where the disk is faster than this loop nothing has to be refused.
    if refused.is_some() {
        eventually("caught up", || append(&journal, 0).is_ok());
    }
    assert!(journal.shared.lock().pending.len() <= 1 + 10_000 / 256);
}
