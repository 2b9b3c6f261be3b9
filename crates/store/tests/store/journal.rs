//! What the journal promises while everything works: one line a record, durable when it says so,
//! many records a sync, one writer.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{append, open_small, texts};
use lockgate_model::{Digest, Event, MessageEvent, Timestamp};
use lockgate_store::journal::{Journal, JournalFault, JournalOptions, read};
use serde_json::value::RawValue;
use tempfile::TempDir;

#[tokio::test]
async fn records_come_back_in_order_over_segments_and_restarts() {
    let folder = TempDir::new().unwrap();
    for run in 0..3 {
        let journal = open_small(folder.path());
        for number in 0..20 {
            let position = append(&journal, &format!("{run}/{number}")).unwrap();
            assert_eq!(position.seq(), run * 20 + number + 1);
            journal.synced(position).await.unwrap();
        }
    }
    let expected: Vec<_> = (0..60).map(|n| format!("{}/{}", n / 20, n % 20)).collect();
    assert_eq!(texts(folder.path()).unwrap(), expected);
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
    }
    assert!(fs::read_dir(folder.path()).unwrap().count() > 4, "several segments");
}

#[test]
fn an_appended_record_can_be_read_at_once() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    for number in 0..100 {
        append(&journal, "x").unwrap();
        assert_eq!(texts(folder.path()).unwrap().len(), number + 1);
    }
}

#[tokio::test]
async fn a_record_that_somebody_waits_for_is_synced_at_once() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        let position = append(&journal, "x").unwrap();
        journal.synced(position).await.unwrap();
        fastest = fastest.min(start.elapsed());
    }
    assert!(fastest < Duration::from_millis(15), "{fastest:?}");
}

#[tokio::test]
async fn a_record_that_nobody_waits_for_is_synced_soon() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    append(&journal, "x").unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(journal.stats().syncs, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_records_share_a_sync() {
    let folder = TempDir::new().unwrap();
    let (journal, _) = Journal::open(folder.path(), JournalOptions::default()).unwrap();
    let journal = Arc::new(journal);
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                for number in 0..25 {
                    let position = append(&journal, &format!("{task}/{number}")).unwrap();
                    journal.synced(position).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let stats = journal.stats();
    assert_eq!(stats.appended, 64 * 25);
    assert!(stats.syncs * 4 < stats.appended, "{stats:?}");
    assert_eq!(texts(folder.path()).unwrap().len(), 64 * 25);
}

#[test]
fn a_second_writer_is_refused_until_the_first_has_left() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let second = Journal::open(folder.path(), JournalOptions::default());
    assert!(matches!(second, Err(JournalFault::Locked { .. })));
    drop(journal);
    assert!(Journal::open(folder.path(), JournalOptions::default()).is_ok());
}

#[test]
fn l1_hostile_text_stays_one_record_on_one_line() {
    let huge = "x".repeat(1_000_000);
    let rows = [
        "a\r\nb",
        "nul\0",
        "line\u{2028}paragraph\u{2029}next\u{85}",
        "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}",
        "\"},\"event\":{}}\n{\"seq\":1,",
        "\u{feff}\u{202e}",
        &huge,
        "plain",
    ];
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    for row in rows {
        append(&journal, row).unwrap();
    }
    assert_eq!(texts(folder.path()).unwrap(), rows);
    drop(journal);
    assert_eq!(lines(&folder), rows.len());
}

#[test]
fn l1_raw_bodies_stay_one_line_and_say_the_same() {
    let body = "{\r\n  \"text\": \"a\\nb\",\n\t\"number\": 1.0\n}";
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let raw: Box<RawValue> = serde_json::from_str(body).unwrap();
    let event = Event::Message(Box::new(MessageEvent {
        call: "c".into(),
        session: None,
        bytes: body.len() as u64,
        body_digest: Digest::from_bytes([0; 32]),
        body: Some(raw),
    }));
    journal.append(Timestamp::from_millis(1), &event).unwrap();
    drop(journal);
    assert_eq!(lines(&folder), 1);
    let record = read(folder.path()).unwrap().next().unwrap().unwrap();
    let Event::Message(message) = record.event().unwrap() else { panic!("a message") };
    assert_eq!(message.body.unwrap().get(), body.replace(['\r', '\n'], " "));
}

#[test]
fn an_event_beyond_the_limit_is_refused_alone() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let refused = append(&journal, &"x".repeat(64 * 1024 * 1024));
    assert!(matches!(refused, Err(JournalFault::TooLarge { .. })));
    assert_eq!(append(&journal, "next").unwrap().seq(), 1);
}

fn lines(folder: &TempDir) -> usize {
    let files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    files.map(|file| fs::read(file).unwrap().iter().filter(|byte| **byte == b'\n').count()).sum()
}
