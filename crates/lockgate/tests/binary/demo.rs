//! The demo's story, told by the real binary.

use serde_json::Value;

use crate::folder::Folder;

#[test]
fn the_story_comes_out_as_told() {
    let folder = Folder::new();
    let output = folder.run(&["demo", "--once", "--data", "demo"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert!(output.contains("All came out as told"), "{output}");
    for part in [
        "keep-the-board",
        "guard-prod-sql",
        "contractors-never-delete",
        "token.expired",
        "token.lifetime",
        "deletes-of-jobs-wait",
        "dev/reviewer says YES",
        "ms after the command began",
        "access.revoked",
        "/approvals",
    ] {
        assert!(output.contains(part), "{part} in {output}");
    }
    the_journal_can_be_asked(&folder);
    an_altered_record_is_noticed(&folder);
}

/// What `journal show` prints of the story, in lines.
fn shown(folder: &Folder, filter: &[&str]) -> Vec<String> {
    let arguments = [&["journal", "show", "--config", "demo/lockgate.yaml"], filter].concat();
    let output = folder.run(&arguments);
    let (_, data) = output.split_once("--- stdout\n").unwrap();
    let (data, _) = data.split_once("--- stderr").unwrap();
    data.lines().map(str::to_owned).collect()
}

fn the_journal_can_be_asked(folder: &Folder) {
    let denied = shown(folder, &["--subject", "contractor", "--verdict", "deny"]);
    assert_eq!(denied.len(), 2, "{denied:?}");
    assert!(denied[0].contains("DENY") && denied[0].contains("contractors-never-delete"));
    assert!(denied[1].contains("REFUSED") && denied[1].contains("access.revoked"));
    let refused = shown(folder, &["--connection", "staff", "--verdict", "deny"]);
    assert_eq!(refused.len(), 6, "three by policy, three for their token: {refused:?}");
    let ci = shown(folder, &["--subject", "ci-job"]);
    assert_eq!(ci.len(), 8, "four calls and their ends: {ci:?}");
    assert!(shown(folder, &["--connection", "other"]).is_empty());
    let last = shown(folder, &["--last", "3", "--json"]);
    assert_eq!(last.len(), 3);
    let records: Vec<Value> = last.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[0]["hash"], records[1]["prev"], "each names the one before");
}

fn an_altered_record_is_noticed(folder: &Folder) {
    let verify = ["journal", "verify", "--config", "demo/lockgate.yaml"];
    let output = folder.run(&verify);
    assert!(output.starts_with("exit 0") && output.contains("whole and unchanged"), "{output}");
    let path = folder.file("demo/data/journal/00000000000000000001.segment");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let output = folder.run(&verify);
    assert!(output.starts_with("exit 1") && output.contains("NOT whole"), "{output}");
}
