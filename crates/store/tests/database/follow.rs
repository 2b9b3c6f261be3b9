//! The index behind a real journal.

use std::{fs, path::Path, sync::Arc, time::Duration};

use lockgate_model::{Event, OutcomeStatus};
use lockgate_store::{
    index::{Filter, Index, Indexer, Query, catch_up},
    journal::{Journal, JournalOptions, Keys},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    contract::Fresh,
    events::{at, contents, decided, found, intent, opened, outcome},
};

pub(crate) fn open(folder: &Path) -> Journal {
    let options = JournalOptions { segment_max_bytes: 20_000, ..JournalOptions::default() };
    Journal::open(folder, &keys(folder), options).unwrap().0
}

/// The keys of the journal in `folder`, made with it.
pub(crate) fn keys(folder: &Path) -> Keys {
    Keys::open_or_create(&folder.join("keys"), folder).unwrap()
}

/// Appends `count` sessions of one call each, and gives the last record's number.
pub(crate) fn write(journal: &Journal, first: u64, count: u64) -> u64 {
    let mut last = 0;
    for n in first..first + count {
        for event in [
            opened(n, "alice"),
            decided(intent(n, n, json!({"q": format!("word{n}")}))),
            outcome(n, n, OutcomeStatus::Result, "answer"),
        ] {
            last = journal.append(at(n), &event).unwrap().seq();
        }
    }
    last
}

pub(crate) async fn until(indexer: &Indexer, seq: u64) {
    let mut progress = indexer.watch();
    let reached = progress.wait_for(|progress| progress.applied >= seq && !progress.failing);
    tokio::time::timeout(Duration::from_secs(60), reached).await.expect("never caught up").unwrap();
}

/// What a rebuild from the journal gives.
pub(crate) async fn rebuilt(folder: &Path) -> (Fresh, u64) {
    let fresh = Fresh::sqlite().await;
    let last = catch_up(&fresh.index, folder, &keys(folder), None, "n1", |_| {}).await.unwrap();
    (fresh, last)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_follows_and_equals_a_rebuild() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    write(&journal, 0, 700);
    let fresh = Fresh::sqlite().await;
    let indexer =
        Indexer::start(Arc::clone(&fresh.index), folder.path(), &keys(folder.path()), None, "n1");
    for round in 1..4 {
        let last = write(&journal, round * 1_000, 30);
        until(&indexer, last).await;
        assert_eq!(indexer.progress().lag(last + 5), 5);
        let text = Query::parse(&format!("word{}", round * 1_000 + 29)).ok();
        assert_eq!(found(&fresh.index, Filter { text, ..Filter::default() }).await.len(), 1);
    }
    drop(indexer);
    let (other, last) = rebuilt(folder.path()).await;
    assert_eq!(last, 2_370);
    assert_eq!(contents(&fresh.index).await, contents(&other.index).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_at_the_mark_and_a_cleared_index_begins_again() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let fresh = Fresh::sqlite().await;
    let mut last = 0;
    for round in 0..3 {
        last = write(&journal, round * 100, 50);
        let indexer = Indexer::start(
            Arc::clone(&fresh.index),
            folder.path(),
            &keys(folder.path()),
            None,
            "n1",
        );
        until(&indexer, last).await;
    }
    let (other, _) = rebuilt(folder.path()).await;
    assert_eq!(contents(&fresh.index).await, contents(&other.index).await);

    let indexer =
        Indexer::start(Arc::clone(&fresh.index), folder.path(), &keys(folder.path()), None, "n1");
    until(&indexer, last).await;
    fresh.index.clear("n1").await.unwrap();
    let last = write(&journal, 1_000, 1);
    until(&indexer, last).await;
    let (other, _) = rebuilt(folder.path()).await;
    assert_eq!(contents(&fresh.index).await, contents(&other.index).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_can_not_be_read_is_told_and_read_again() {
    let folder = TempDir::new().unwrap();
    let place = folder.path().join("journal");
    let fresh = Fresh::sqlite().await;
    let keys = keys(&place);
    let away = folder.path().join("away");
    fs::rename(&place, &away).unwrap();
    let indexer = Indexer::start(Arc::clone(&fresh.index), &place, &keys, None, "n1");
    let mut progress = indexer.watch();
    let failing = progress.wait_for(|progress| progress.failing);
    tokio::time::timeout(Duration::from_secs(10), failing).await.unwrap().unwrap();
    assert!(catch_up(&fresh.index, &place, &keys, None, "n1", |_| {}).await.is_err());
    fs::rename(&away, &place).unwrap();
    let last = write(&open(&place), 0, 10);
    until(&indexer, last).await;
}

#[tokio::test]
async fn a_dropped_indexer_leaves_no_thread() {
    let threads = || {
        fs::read_dir("/proc/self/task")
            .unwrap()
            .filter(|task| {
                let name = task.as_ref().unwrap().path().join("comm");
                fs::read_to_string(name).is_ok_and(|name| name.trim() == "index-reader")
            })
            .count()
    };
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let last = write(&journal, 0, 1);
    let fresh = Fresh::sqlite().await;
    let before = threads();
    let indexer =
        Indexer::start(Arc::clone(&fresh.index), folder.path(), &keys(folder.path()), None, "n1");
    until(&indexer, last).await;
    drop(indexer);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(threads() <= before);
}

#[tokio::test]
async fn an_index_that_was_open_elsewhere_takes_turns() {
    let fresh = Fresh::sqlite().await;
    let second = Index::open(&fresh.place).await.unwrap();
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let last = write(&journal, 0, 500);
    journal.append(at(1), &Event::Started { version: "x".into(), torn_bytes: 0 }).unwrap();
    let keys = keys(folder.path());
    let (one, two) = tokio::join!(
        catch_up(&fresh.index, folder.path(), &keys, None, "n1", |_| {}),
        catch_up(&second, folder.path(), &keys, None, "n1", |_| {}),
    );
    assert_eq!((one.unwrap(), two.unwrap()), (last + 1, last + 1));
    let (other, _) = rebuilt(folder.path()).await;
    assert_eq!(contents(&fresh.index).await, contents(&other.index).await);
}
