//! A data folder at one moment, though it is written to; and back, whole or not at all.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lockgate_model::{ConnectionName, Event, KeptChange, KeptEvent, Timestamp};
use lockgate_store::{
    backup::{About, BackupFault, Draft, Taken, What},
    connections::{ConnectionChange, Connections},
    db::DbPlace,
    journal::{Journal, JournalOptions, Keys, Report, Verify, verify},
};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

use super::support::{message, opened};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn open(data: &Path) -> Journal {
    let folder = data.join("journal");
    let keys = Keys::open_or_create(&data.join("keys"), &folder).unwrap();
    let options = JournalOptions { segment_max_bytes: 64 * 1024, ..JournalOptions::default() };
    Journal::open(&folder, &keys, options).unwrap().0
}

fn checked(data: &Path) -> Report {
    let (folder, keys) = (data.join("journal"), Keys::open(&data.join("keys")).unwrap());
    let (elsewhere, signer, exported) = (None, None, None);
    verify(&Verify { folder: &folder, keys: &keys, elsewhere, signer, exported }, |_| {}).unwrap()
}

async fn taken(data: &Path, leave_out: &[&str]) -> Result<Vec<u8>, BackupFault> {
    let about = About::new(NOW, false, false);
    let taken = Taken::now(What { data, leave_out, about }).await?;
    let (mut last, total) = (0, taken.bytes());
    let written = taken.write(Vec::new(), |bytes| last = bytes)?;
    assert_eq!(last, total);
    Ok(written)
}

fn restored(bytes: &[u8], folder: &Path) -> Result<About, BackupFault> {
    let draft = Draft::of(bytes, folder)?;
    let about = draft.about.clone();
    draft.name_it().map(|()| about)
}

/// Opens, fills, closes and erases sessions, one after the other.
async fn busy(journal: &Journal, number: u64) {
    let session = format!("s{number}");
    opened(journal, &session).unwrap();
    for part in 0..6 {
        message(journal, &session, &format!("[{number},{part}]")).unwrap();
    }
    let closed = Event::Closed { session: session.clone(), why: "done".into() };
    let position = journal.append(NOW, &closed).unwrap();
    journal.synced(position).await.unwrap();
    if number.is_multiple_of(2) {
        let change = KeptChange::Erase { session };
        let kept = KeptEvent { by: "local:ann".into(), change, reason: "a test".into() };
        journal.keep(NOW, kept).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_whole_while_the_journal_is_written_to() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let journal = open(&data);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writer = tokio::spawn(async move {
        let mut number = 0;
        while !stopped.load(Ordering::Relaxed) {
            busy(&journal, number).await;
            number += 1;
        }
        number
    });
    let (mut records, mut erased) = (0, 0);
    for number in 0..12 {
        let backup = taken(&data, &[]).await.unwrap();
        let copy = folder.path().join(format!("copy-{number}"));
        restored(&backup, &copy).unwrap();
        let report = checked(&copy);
        assert_eq!(report.findings, [], "backup {number}");
        assert!(report.last_seq >= records, "backup {number}");
        (records, erased) = (report.last_seq, report.erased);
        // Whoever goes on from it begins a segment of its own.
        drop(open(&copy));
        assert_eq!(checked(&copy).findings, [], "backup {number}, gone on");
    }
    stop.store(true, Ordering::Relaxed);
    println!("12 backups, the last one with {records} records, {erased} of them erased");
    assert!(writer.await.unwrap() > 10 && records > 100 && erased > 10, "{records} {erased}");
    assert!(!data.join("backup").exists() && !data.join("journal/backup").exists());
}

#[tokio::test]
async fn what_stands_beside_the_journal_is_taken_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    drop(open(&data));
    let place = DbPlace::Sqlite(data.join("connections.sqlite"));
    let connections = Connections::open(&place).await.unwrap();
    let name = ConnectionName::new("staff").unwrap();
    let change = ConnectionChange { name, before: 0, settings: Some("{}".into()) };
    // The database stays open: what is in its log counts.
    connections.change(&[change], "local:ann", false, NOW).await.unwrap();
    for (path, text) in [
        ("pins/staff.json", "pins"),
        ("pins/.seen/staff.json", "seen"),
        ("pins/staff.json.new", "a draft"),
        ("orders/1.order", "an order"),
        ("keys/vault.key", "a key"),
        ("delivery/siem.json", "a place"),
        ("backup/left", "of a process that was killed"),
        ("journal/backup/left", "of a process that was killed"),
    ] {
        fs::create_dir_all(data.join(path).parent().unwrap()).unwrap();
        fs::write(data.join(path), text).unwrap();
    }
    let backup = taken(&data, &["orders", "keys/vault.key"]).await.unwrap();
    let copy = folder.path().join("deep/copy");
    let about = restored(&backup, &copy).unwrap();
    assert_eq!((about.taken, about.database_apart, about.vault_key), (NOW, false, false));
    let mut names = names(&copy, &copy);
    names.retain(|name| !name.ends_with(".segment"));
    assert_eq!(
        names,
        [
            "connections.sqlite",
            "delivery/siem.json",
            "journal/heads",
            "journal/session.keys",
            "keys/recording.key",
            "keys/signing.key",
            "pins/.seen/staff.json",
            "pins/staff.json",
        ]
    );
    let place = DbPlace::Sqlite(copy.join("connections.sqlite"));
    let register = Connections::open(&place).await.unwrap().all().await.unwrap();
    assert_eq!(register.rows[0].settings.as_deref(), Some("{}"));
}

#[tokio::test]
async fn two_do_not_work_in_one_folder() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let about = About::new(NOW, false, false);
    let what = || What { data: folder.path(), leave_out: &[], about: about.clone() };
    let first = Taken::now(what()).await.unwrap();
    assert!(matches!(Taken::now(what()).await, Err(BackupFault::Busy(_))));
    drop(first);
    Taken::now(what()).await.unwrap();
}

#[tokio::test]
async fn it_is_restored_to_an_empty_place_whole_or_not_at_all() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    drop(open(&data));
    let backup = taken(&data, &[]).await.unwrap();
    let to = folder.path().join("to");
    assert!(matches!(restored(&backup, &data), Err(BackupFault::NotEmpty(_))));
    fs::create_dir(&to).unwrap();
    for cut in [0, 100, 600, 1_100, backup.len() / 2] {
        restored(&backup[..cut], &to).unwrap_err();
        assert_eq!(names(folder.path(), &to), [""; 0], "{cut}");
        assert!(!folder.path().join("to.restoring").exists(), "{cut}");
    }
    // One that is never given its name leaves nothing.
    drop(Draft::of(backup.as_slice(), &to).unwrap());
    assert!(!folder.path().join("to.restoring").exists());
    fs::create_dir(folder.path().join("to.restoring")).unwrap();
    assert!(matches!(restored(&backup, &to), Err(BackupFault::Unfinished(_))));
    fs::remove_dir(folder.path().join("to.restoring")).unwrap();
    restored(&backup, &to).unwrap();
    assert_eq!(checked(&to).findings, []);
}

const ABOUT: &str = r#"{"format":1,"taken":1,"database_apart":false,"vault_key":true,"files":1}"#;

/// An archive of these files; a name may be anything.
fn archive(files: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, kind, text) in files {
        let mut header = Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(text.len() as u64);
        header.set_cksum();
        archive.append(&header, text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn what_is_no_data_folder_is_refused() {
    const FILE: EntryType = EntryType::Regular;
    let about = ("backup.json", FILE, ABOUT);
    let folder = TempDir::new().unwrap();
    for (what, files, expected) in [
        ("nothing", vec![], "it opens, and does not hold a data folder: it is empty"),
        (
            "no word of itself",
            vec![("keys/recording.key", FILE, "k")],
            "it opens, and does not hold a data folder: it does not begin with `backup.json`",
        ),
        (
            "another format",
            vec![("backup.json", FILE, r#"{"format":2,"new":1}"#)],
            "what is in it has format 2, which is not known here",
        ),
        (
            "a name that leads out",
            vec![about, ("../out", FILE, "x")],
            "it opens, and does not hold a data folder: `../out` is no file of it",
        ),
        (
            "a name that leads out at the end",
            vec![about, ("keys/../../out", FILE, "x")],
            "it opens, and does not hold a data folder: `keys/../../out` is no file of it",
        ),
        (
            "a name from the root",
            vec![about, ("/tmp/out", FILE, "x")],
            "it opens, and does not hold a data folder: `/tmp/out` is no file of it",
        ),
        (
            "less than it says",
            vec![about],
            "it opens, and does not hold a data folder: 0 of its 1 files are there",
        ),
        (
            "a link",
            vec![about, ("keys", EntryType::Symlink, "")],
            "it opens, and does not hold a data folder: `keys` is no file of it",
        ),
    ] {
        let to = folder.path().join("to");
        let fault = restored(&archive(&files), &to).unwrap_err();
        assert_eq!(fault.to_string(), expected, "{what}");
        assert!(names(folder.path(), folder.path()).is_empty(), "{what}");
    }
    let twice = archive(&[about, ("a", FILE, "x"), ("a", FILE, "y")]);
    let fault = restored(&twice, &folder.path().join("to")).unwrap_err().to_string();
    assert!(fault.contains("File exists"), "{fault}");
    // A valid twin.
    restored(&archive(&[about, ("a/b", FILE, "x")]), &folder.path().join("to")).unwrap();
    assert_eq!(names(folder.path(), folder.path()), ["to/a/b"]);
}

/// The files in `folder` by their names below `root`, in their order.
fn names(root: &Path, folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        if path.is_dir() {
            found.extend(names(root, &path));
        } else {
            found.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    found.sort();
    found
}
