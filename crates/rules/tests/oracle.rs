//! The guard against parsers that others wrote: sqlparser's and bash's. What one of them reads as a
//! change is never harmless here; what bash accepts can be read here. PostgreSQL's own parser is
//! asked in the end-to-end tests, where Python brings it.
//!
//! They recurse over their input, so that only short and shallow texts are given to them.
#![cfg(test)]

use std::process::Command;

use lockgate_rules::guard::{Dialect, Kind, inspect_text};
use serde_json::Value;
use sqlparser::{
    ast::Statement,
    dialect::{Dialect as Grammar, MsSqlDialect, MySqlDialect, SQLiteDialect},
    parser::Parser,
};

const CORPUS: &str = include_str!("../corpus/commands.jsonl");

/// The texts of one kind, without those that are too deep for recursive parsers.
fn corpus(kind: &str) -> Vec<String> {
    let entries = CORPUS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let chosen = entries.filter(|entry| entry["kind"] == kind);
    let texts = chosen.map(|entry| entry["text"].as_str().unwrap().to_owned());
    texts.filter(|text| text.len() < 2000 && text.matches('(').count() < 50).collect()
}

/// Whether the guard takes a text for a mere read.
fn is_harmless(text: &str, dialect: Option<Dialect>) -> bool {
    let labels = inspect_text(text, Kind::Sql, dialect).labels();
    let reads = ["sql", "sql.read", "sql.multiple", "sql.transaction"];
    labels.iter().all(|label| reads.contains(&label.as_str()) || label.contains(':'))
}

#[test]
fn what_sqlparser_reads_as_a_change_is_never_harmless() {
    let grammars: [(&dyn Grammar, Dialect); 3] = [
        (&MySqlDialect {}, Dialect::MySql),
        (&MsSqlDialect {}, Dialect::TSql),
        (&SQLiteDialect {}, Dialect::Sqlite),
    ];
    let (mut parsed, mut wrong) = (0u32, Vec::new());
    for text in corpus("sql") {
        for (grammar, dialect) in grammars {
            let Ok(statements) = Parser::parse_sql(grammar, &text) else { continue };
            parsed += 1;
            let changes = statements.iter().any(|statement| {
                matches!(
                    statement,
                    Statement::Delete(_)
                        | Statement::Update { .. }
                        | Statement::Insert(_)
                        | Statement::Drop { .. }
                        | Statement::Truncate { .. }
                        | Statement::AlterTable { .. }
                        | Statement::CreateTable(_)
                        | Statement::Merge { .. }
                        | Statement::Kill { .. }
                )
            });
            if changes && is_harmless(&text, Some(dialect)) {
                wrong.push(format!("{dialect:?}: {text}"));
            }
        }
    }
    println!("{parsed} readings by sqlparser");
    assert!(parsed > 300, "{parsed}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_bash_accepts_can_be_read() {
    let (mut accepted, mut wrong) = (0u32, Vec::new());
    for text in corpus("shell").into_iter().chain(corpus("git")).chain(corpus("cloud")) {
        // `-n` reads and runs nothing.
        let bash =
            Command::new("bash").args(["-n", "-c", &text]).output().expect("bash is installed");
        if !bash.status.success() || !bash.stderr.is_empty() {
            continue;
        }
        accepted += 1;
        if inspect_text(&text, Kind::Shell, None).has("shell.unparsed") {
            wrong.push(text);
        }
    }
    assert!(accepted > 500, "{accepted}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
