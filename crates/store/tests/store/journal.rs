//! What the journal promises while everything works: one line a record, durable when it says so,
//! many records a sync, one writer.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::support::{
    append, keys, message, open_small, recorded, segments, texts, verified, wait_packed,
};
use lockgate_model::{Digest, Event, Timestamp};
use lockgate_store::journal::{Journal, JournalFault, JournalOptions, read, read_from};
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
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
    assert!(segments(folder.path()).len() > 4, "several segments");
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
    let (journal, _) =
        Journal::open(folder.path(), &keys(folder.path()), JournalOptions::default()).unwrap();
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
    let second = Journal::open(folder.path(), &keys(folder.path()), JournalOptions::default());
    assert!(matches!(second, Err(JournalFault::Locked { .. })));
    drop(journal);
    assert!(Journal::open(folder.path(), &keys(folder.path()), JournalOptions::default()).is_ok());
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
    assert!(lines(&folder).iter().all(|line| !line.contains(['\n', '\r'])));
}

#[test]
fn l1_raw_bodies_stay_one_line_and_say_the_same() {
    let short = "{\r\n  \"text\": \"a\\nb\",\n\t\"number\": 1.0\n}";
    let long = short.replace("a\\nb", &"x".repeat(100_000));
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    for body in [short, &long] {
        message(&journal, "s", body).unwrap();
    }
    drop(journal);
    assert!(lines(&folder).iter().all(|line| !line.contains(['\n', '\r'])));
    let bodies: Vec<_> = read(folder.path(), &keys(folder.path()))
        .unwrap()
        .map(|record| match record.unwrap().event().unwrap().unwrap() {
            Event::Message(message) => message.body.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    for (body, was) in bodies.iter().zip([short, &long]) {
        assert_eq!(body.get(), was.replace(['\r', '\n'], " "));
    }
}

#[test]
fn a_session_has_a_body_once_in_a_segment() {
    let folder = TempDir::new().unwrap();
    let (journal, _) =
        Journal::open(folder.path(), &keys(folder.path()), JournalOptions::default()).unwrap();
    let body = format!("\"{}\"", "x".repeat(100_000));
    for session in ["a", "a", "b", "a"] {
        message(&journal, session, &body).unwrap();
    }
    let stats = journal.stats();
    assert_eq!(stats.bodies_known, 2);
    assert!((200_000..210_000).contains(&stats.bytes), "{stats:?}");
    let whole = read(folder.path(), &keys(folder.path())).unwrap();
    assert!(whole.map(|record| record.unwrap().body.unwrap()).all(|read| read.get() == body));
}

#[test]
fn a_reader_follows_the_writer_over_segments() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let mut reader = read(folder.path(), &keys(folder.path())).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut last = 0;
    // How much a segment holds until the writer closes it is a matter of time.
    while segments(folder.path()).len() < 4 {
        last += 1;
        assert!(reader.next().is_none());
        let position = append(&journal, "x").unwrap();
        if last % 7 == 0 {
            runtime.block_on(journal.synced(position)).unwrap();
        }
        assert_eq!(reader.next().unwrap().unwrap().seq, last);
    }
    for from in [1, last / 2, last] {
        let first = read_from(folder.path(), &keys(folder.path()), from).unwrap().next();
        assert_eq!(first.unwrap().unwrap().seq, from);
    }
    assert!(read_from(folder.path(), &keys(folder.path()), last + 1).unwrap().next().is_none());
}

#[test]
fn packing_changes_no_record_and_takes_less_room() {
    let folder = TempDir::new().unwrap();
    let options = JournalOptions { body_apart_min_bytes: 1_000, ..JournalOptions::default() };
    let fill = |journal: &Journal| {
        for number in 0..400 {
            let body = format!("[{number},\"{}\"]", "text ".repeat(number % 300));
            message(journal, ["a", "b", "c"][number % 3], &body).unwrap();
        }
    };
    let (journal, _) = Journal::open(folder.path(), &keys(folder.path()), options.clone()).unwrap();
    fill(&journal);
    drop(journal);
    let (before, bytes) = (recorded(folder.path()), size(&folder));
    let (journal, _) = Journal::open(folder.path(), &keys(folder.path()), options).unwrap();
    wait_packed(folder.path());
    drop(journal);
    assert_eq!(recorded(folder.path()), before);
    assert!(size(&folder) * 3 < bytes, "{} of {bytes}", size(&folder));
    assert_eq!(verified(folder.path()).findings, []);
}

fn size(folder: &TempDir) -> u64 {
    segments(folder.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

#[test]
fn an_event_beyond_the_limit_is_refused_alone() {
    let folder = TempDir::new().unwrap();
    let journal = open_small(folder.path());
    let refused = append(&journal, &"x".repeat(64 * 1024 * 1024));
    assert!(matches!(refused, Err(JournalFault::TooLarge { .. })));
    // A body that is kept apart has the same limit, or no reader would take its block.
    let event = Event::Started { version: "1".into(), torn_bytes: 0 };
    let (now, digest) = (Timestamp::from_millis(1), Digest::from_bytes([0; 32]));
    let body = vec![b' '; 64 * 1024 * 1024 + 1].into();
    let refused = journal.append_with_body(now, &event, digest, body);
    assert!(matches!(refused, Err(JournalFault::TooLarge { .. })));
    assert_eq!(append(&journal, "next").unwrap().seq(), 1);
}

fn lines(folder: &TempDir) -> Vec<String> {
    let records = read(folder.path(), &keys(folder.path())).unwrap();
    records.map(|record| record.unwrap().line()).collect()
}
