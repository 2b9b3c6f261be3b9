//! What only a file has: its mode, its settings, and what is left in it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use lockgate_model::KeptChange;
use lockgate_store::{
    db::{DbFault, DbPlace},
    index::{Index, IndexFault},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    contract::Fresh,
    events::{decided, intent, kept, opened, records, records_from, session},
};

#[tokio::test]
async fn files_are_the_owners_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("index.db");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let index = Index::open(&DbPlace::Sqlite(file)).await.unwrap();
    index.apply("n1", &records([opened(1, "alice")])).await.unwrap();
    let mut count = 0;
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
        count += 1;
    }
    assert_eq!(count, 3, "the file, its log and the log's index");
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("index.db");
    fs::write(&file, "x".repeat(10_000)).unwrap();
    let fault = Index::open(&DbPlace::Sqlite(file)).await.unwrap_err();
    assert!(matches!(fault, IndexFault::Db(DbFault::Database { .. })), "{fault:?}");
}

#[tokio::test]
async fn urls_are_never_shown() {
    for url in [
        "postgres://u:hunter2@[",
        "mysql://u:hunter2@h/d",
        "hunter2",
        "postgres://u:hunter2@127.0.0.1:1/d",
    ] {
        let place = DbPlace::Postgres(url.into());
        let shown = format!("{place:?}");
        let fault = Index::open(&place).await.unwrap_err();
        for shown in [shown, fault.to_string(), format!("{fault:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}

#[tokio::test]
async fn erased_words_leave_no_bytes() {
    let fresh = Fresh::sqlite().await;
    let DbPlace::Sqlite(file) = &fresh.place else { panic!("a file") };
    let events = (0..300).flat_map(|n| {
        let secret = if n == 150 { "zzsecretwordzz" } else { "ordinary" };
        let mut call = intent(n, n, json!({"q": format!("{secret} {n}")}));
        call.subject = format!("{secret}subject");
        call.facts = vec![format!("{secret}fact")];
        [opened(n, &format!("{secret}subject")), decided(call)]
    });
    fresh.index.apply("n1", &records(events)).await.unwrap();
    let bytes = || {
        let log = file.with_extension("db-wal");
        let mut bytes = fs::read(file).unwrap();
        bytes.extend(fs::read(log).unwrap_or_default());
        bytes.windows(12).filter(|part| part == b"secretwordzz").count()
    };
    assert!(bytes() > 2, "the test sees nothing");
    let erase = kept(KeptChange::Erase { session: session(150) });
    fresh.index.apply("n1", &records_from(601, [erase])).await.unwrap();
    assert_eq!(bytes(), 0);
}
