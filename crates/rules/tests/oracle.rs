//! The guard against parsers that others wrote: PostgreSQL's own, sqlparser's, and bash's. What one of
//! them reads as a change is never harmless here; what bash accepts can be read here.
//!
//! They recurse over their input, so that only short and shallow texts are given to them.

use std::process::Command;

use lockgate_rules::guard::{Dialect, Kind, inspect_text};
use serde_json::Value;
use sqlparser::{
    ast::Statement,
    dialect::{Dialect as Grammar, MsSqlDialect, MySqlDialect, SQLiteDialect},
    parser::Parser,
};

const CORPUS: &str = include_str!("../corpus/commands.jsonl");
/// Generated statements.
const GENERATED: u64 = 20_000;

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

/// Statement `number`: a verb in a wrapping, with case, space and comments changed.
fn generate(number: u64) -> String {
    const VERBS: [&str; 20] = [
        "DELETE FROM t",
        "DELETE FROM t WHERE a = 1",
        "DELETE FROM ONLY t USING u WHERE t.a = u.a",
        "UPDATE t SET a = 1",
        "UPDATE ONLY t SET (a, b) = (1, 2) WHERE c = 'x'",
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t SELECT * FROM u ON CONFLICT DO NOTHING",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "TRUNCATE t , u CASCADE",
        "DROP TABLE IF EXISTS t",
        "ALTER TABLE t DROP COLUMN a",
        "GRANT SELECT ON t TO x",
        "SELECT pg_terminate_backend ( 1 )",
        "SELECT a , setval ( 's' , 1 ) FROM t",
        "COPY t FROM PROGRAM 'x'",
        "SELECT 1",
        "SELECT a FROM t WHERE b = 'DELETE FROM t'",
        "SELECT \"DROP\" FROM \"TABLE\"",
        "CALL f ( 1 )",
        "VALUES ( 1 )",
    ];
    const WRAPS: [&str; 16] = [
        "{}",
        "WITH x AS ( {} RETURNING * ) SELECT * FROM x",
        "WITH x AS ( SELECT 1 ) , y AS MATERIALIZED ( {} RETURNING 1 ) SELECT 2",
        "EXPLAIN ANALYZE {}",
        "EXPLAIN ( ANALYZE , BUFFERS ) {}",
        "EXPLAIN {}",
        "PREPARE p AS {}",
        "SELECT 1 ; {}",
        "{} ; SELECT 1",
        "BEGIN ; {} ; COMMIT",
        "CREATE TABLE y AS WITH x AS ( {} RETURNING * ) SELECT * FROM x",
        "COPY ( {} RETURNING * ) TO STDOUT",
        "DO $$ BEGIN {} ; END $$",
        "DO $a$ BEGIN EXECUTE $b$ {} $b$ ; END $a$",
        "WITH RECURSIVE x AS ( SELECT 1 ) {}",
        "DECLARE c CURSOR FOR {}",
    ];
    const SPACES: [&str; 9] =
        [" ", "  ", "\n", "\t", "/**/", "/* DROP TABLE t */", "--x\n", "/*a/*b*/c*/", "\r\n"];
    let mut random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |bound: usize| {
        random ^= random >> 12;
        random ^= random << 25;
        random ^= random >> 27;
        (random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    };
    let verb = VERBS[below(VERBS.len())];
    let plain = WRAPS[below(WRAPS.len())].replace("{}", verb);
    let mut out = String::new();
    let mut quoted = false;
    for character in plain.chars() {
        quoted ^= matches!(character, '\'' | '"');
        match character {
            ' ' if !quoted => out.push_str(SPACES[below(SPACES.len())]),
            c if !quoted && below(2) == 0 => out.push(c.to_ascii_lowercase()),
            c => out.push(c),
        }
    }
    out
}
