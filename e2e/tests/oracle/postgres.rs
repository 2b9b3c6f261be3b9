//! PostgreSQL's own parser, over the corpus and generated statements.

use std::time::Duration;

use lockgate_e2e::tools;
use lockgate_rules::guard::{Dialect, Kind, inspect_text};
use serde_json::Value;

/// Generated statements; more than half are valid.
const GENERATED: &str = "20000";
/// Labels of what only reads.
const READS: [&str; 4] = ["sql", "sql.read", "sql.multiple", "sql.transaction"];

#[test]
fn what_postgres_reads_as_a_change_is_never_harmless() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/rules/corpus/commands.jsonl");
    let mut command = tools::python("postgres.py").unwrap();
    command.args([corpus, GENERATED]);
    let said = tools::run(command, Duration::from_secs(300)).unwrap();
    assert_eq!(said.code, 0, "{}", said.text);
    let (mut read, mut wrong) = (0u32, Vec::new());
    for line in said.text.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let text = entry["text"].as_str().unwrap();
        read += 1;
        for dialect in [None, Some(Dialect::Postgres)] {
            let labels = inspect_text(text, Kind::Sql, dialect).labels();
            let harmless = |label: &String| READS.contains(&label.as_str()) || label.contains(':');
            let missed = entry["changes"] == true && labels.iter().all(harmless);
            if missed || labels.iter().any(|label| label == "sql.unparsed") {
                wrong.push(format!("{dialect:?}: {text:?}: {labels:?}"));
            }
        }
    }
    println!("{read} statements that PostgreSQL accepts, {} wrong", wrong.len());
    assert!(read > 5_000, "{read}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
