//! A data folder goes into one file and comes out of it, and what can't be is said in words.

use std::fs;

use crate::{
    folder::Folder,
    vault::{folder, run, set},
};

const PASSPHRASE: &str = "correct horse battery staple\n";

/// A folder with a recording, a vault and a passphrase.
fn filled() -> Folder {
    let folder = folder();
    assert!(set(&folder, &["set", "staff-token"], "hunter2").starts_with("exit 0"));
    folder.write("passphrase", PASSPHRASE);
    folder
}

fn backup(folder: &Folder, arguments: &[&str]) -> String {
    let given = ["backup", "lockgate.backup", "--passphrase-file", "passphrase"];
    sizeless(&run(folder, &[&given, arguments].concat()))
}

fn restore(folder: &Folder, arguments: &[&str]) -> String {
    let given = ["restore", "lockgate.backup", "--passphrase-file", "passphrase"];
    run(folder, &[&given, arguments].concat())
}

/// Sizes differ from run to run.
fn sizeless(text: &str) -> String {
    let sized = |line: &str| {
        let at = line.rfind(", ").filter(|_| line.ends_with(" bytes"));
        at.map_or(line.to_owned(), |at| format!("{}, [size] bytes", &line[..at]))
    };
    text.lines().map(sized).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_backup_is_taken_and_restored() {
    let folder = filled();
    insta::assert_snapshot!("backup", backup(&folder, &[]));
    insta::assert_snapshot!("restore-over", restore(&folder, &[]));
    insta::assert_snapshot!("restore", restore(&folder, &["--to", "again"]));
    assert!(!folder.file("again/keys/vault.key").exists(), "the key went with it");
    let verified = run(&folder, &["journal", "verify", "--folder", "again"]);
    assert!(verified.starts_with("exit 0"), "{verified}");
    insta::assert_snapshot!(
        "restore-record",
        run(&folder, &["journal", "show", "--folder", "again"])
    );
    // With the vault's key in it, where the configuration says.
    assert!(backup(&folder, &["--with-vault-key"]).starts_with("exit 0"));
    fs::remove_dir_all(folder.file("lockgate-data")).unwrap();
    insta::assert_snapshot!("restore-json", restore(&folder, &["--json"]));
    insta::assert_snapshot!("restore-status", run(&folder, &["vault", "status"]));
}

#[test]
fn what_can_not_be_taken_is_said() {
    let folder = folder();
    folder.write("passphrase", PASSPHRASE);
    insta::assert_snapshot!("backup-nothing", backup(&folder, &[]));
    assert!(set(&folder, &["set", "staff-token"], "hunter2").starts_with("exit 0"));
    insta::assert_snapshot!("backup-unasked", run(&folder, &["backup", "lockgate.backup"]));
    folder.write("short", "hunter2hunt\n");
    let short = ["backup", "lockgate.backup", "--passphrase-file", "short"];
    insta::assert_snapshot!("backup-short", run(&folder, &short));
    let within = ["backup", "lockgate-data/b", "--passphrase-file", "passphrase"];
    insta::assert_snapshot!("backup-within", run(&folder, &within));
    fs::remove_file(folder.file("lockgate-data/keys/vault.key")).unwrap();
    insta::assert_snapshot!("backup-no-key", backup(&folder, &["--with-vault-key"]));
    assert!(!folder.file("lockgate.backup").exists());
    let record = run(&folder, &["journal", "show"]);
    assert!(!record.contains("backup"), "what was refused is on the record: {record}");
}

#[test]
fn what_can_not_be_restored_is_refused_whole() {
    let folder = filled();
    // Long enough for several chunks.
    folder.write("lockgate-data/pins/long.json", &"x".repeat(100_000));
    assert!(backup(&folder, &[]).starts_with("exit 0"));
    let whole = fs::read(folder.file("lockgate.backup")).unwrap();
    let to = &["--to", "again"];
    folder.write("passphrase", "correct horse battery stable\n");
    insta::assert_snapshot!("restore-passphrase", restore(&folder, to));
    folder.write("passphrase", PASSPHRASE);
    let changed = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (name, bytes, expected) in [
        ("foreign", b"PK\x03\x04".to_vec(), "it is no backup of Lockgate"),
        ("another format", changed(16), "it has format 0, which is not known here"),
        ("another salt", changed(18), "or its head was changed"),
        ("a bit in the first chunk", changed(100), "chunk 1 was changed"),
        ("a bit at the end", changed(whole.len() - 1), "was changed, is out of its order"),
        ("cut in the head", whole[..30].to_vec(), "cut short: chunk 0 is not there"),
        ("cut behind a chunk", whole[..66 + 65_552].to_vec(), "cut short: chunk 2 is not there"),
        ("more behind it", [&*whole, b"x"].concat(), "was changed, is out of its order"),
    ] {
        fs::write(folder.file("lockgate.backup"), bytes).unwrap();
        let said = restore(&folder, to).replace("\n  │ ", " ");
        assert!(said.starts_with("exit 1") && said.contains(expected), "{name}: {said}");
        assert!(!folder.file("again").exists() && !folder.file("again.restoring").exists());
    }
    fs::write(folder.file("lockgate.backup"), whole).unwrap();
    assert!(restore(&folder, to).starts_with("exit 0"));
}
