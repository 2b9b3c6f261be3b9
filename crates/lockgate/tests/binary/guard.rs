//! `lockgate guard`: what people and their scripts see of it.

use std::path::Path;

use serde_json::Value;

use crate::folder::{Folder, fed};

const PACK: &str = "\
pack: payroll
version: 1
rules:
  - name: payroll
    note: this touches the payroll
    keywords: [payroll]
    match: [SELECT * FROM payroll]
    no_match: [SELECT 1]
";

#[test]
fn facts_are_shown_with_their_places() {
    let folder = Folder::new();
    folder.write("payroll.yaml", PACK);
    for (name, arguments) in [
        ("where-always-true", &["--kind", "sql", "DELETE FROM users WHERE id = id"][..]),
        ("text-that-names-it", &["--kind", "sql", "SELECT 'drop table users'"]),
        ("behind-a-shell", &["bash -c 'kubectl delete ns prod'"]),
        ("nothing-in-it", &["good morning"]),
        ("as-json", &["--json", "--kind", "shell", "rm${IFS}-rf /"]),
        ("own-rule", &["--pack", "payroll.yaml", "SELECT * FROM payroll"]),
        ("no-such-kind", &["--kind", "cobol", "x"]),
    ] {
        let arguments = [&["guard", "explain"], arguments].concat();
        insta::assert_snapshot!(format!("guard-{name}"), folder.run(&arguments));
    }
}

#[test]
fn a_corpus_is_read_line_by_line_and_keeps_its_fields() {
    let folder = Folder::new();
    let corpus = r#"{"id":1,"text":"DROP TABLE t","kind":"sql","mine":{"b":1,"a":2}}

{"id":2,"text":"{\"command\":\"git push --force origin main\"}","kind":"toolcall"}
{"id":3,"text":"kubectl get pods","kind":"kubectl"}
{"id":4,"text":"ls"}
"#;
    let output = fed(&folder, &["guard", "explain", "--jsonl"], corpus);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let destructive: Vec<&Value> = lines.iter().map(|line| &line["destructive"]).collect();
    assert_eq!(destructive, [true, true, false, false]);
    assert!(
        text.starts_with(r#"{"id":1,"text":"DROP TABLE t","kind":"sql","mine":{"b":1,"a":2},"#)
    );
    assert!(lines[1]["facts"].as_array().unwrap().contains(&"git.force".into()), "{}", lines[1]);

    let wrong = fed(&folder, &["guard", "explain", "--jsonl"], "{\"text\":\"ls\"}\n{\"id\":1}\n");
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(wrong.status.code() == Some(2) && said.contains("line 2: no `text`"), "{said}");
}

#[test]
fn a_pack_is_tried_against_its_own_examples() {
    let folder = Folder::new();
    folder.write("payroll.yaml", PACK);
    folder.write("wrong.yaml", &PACK.replace("[SELECT 1]", "[DROP payroll]"));
    let run = |arguments: &[&str]| folder.run(&[&["guard", "rules", "test"], arguments].concat());
    insta::assert_snapshot!("guard-packs", run(&["payroll.yaml", "wrong.yaml"]));
    insta::assert_snapshot!("guard-packs-json", run(&["payroll.yaml", "--json"]));
    assert_eq!(folder.exit(&["guard", "rules", "test", "payroll.yaml"]), 0);
    assert_eq!(folder.exit(&["guard", "rules", "test", "nowhere.yaml"]), 1);
}

#[test]
fn the_committed_reference_of_labels_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/labels.md");
    let output = Folder::new().command().args(["guard", "labels"]).output().unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    if std::env::var_os("LOCKGATE_RENEW").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    assert!(
        std::fs::read_to_string(&file).unwrap_or_default() == now,
        "docs/labels.md is not what the code says; renew it with\n\n  \
         LOCKGATE_RENEW=1 cargo nextest run -p lockgate committed_reference\n"
    );
}
