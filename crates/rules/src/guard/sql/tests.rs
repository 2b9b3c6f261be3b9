//! Statements and what they would do.

use crate::guard::{Dialect, Kind, inspect_text, tests::have_their_facts};

/// Text, and labels that must be there; a label with `!` must not, and neither may any below it.
const ROWS: &[(&str, &str)] = &[
    ("SELECT 1", "sql.read !sql.write"),
    ("SELECT 'drop table users'", "sql.read !sql.ddl !sql.unparsed"),
    ("DrOp/**/TaBlE users", "sql.ddl.drop"),
    ("DROP\u{a0}TABLE users", "sql.ddl.drop"),
    ("ＤＲＯＰ ＴＡＢＬＥ users", "sql.ddl.drop sql.obfuscated"),
    ("DR\u{200b}OP TABLE users", "sql.ddl.drop sql.obfuscated"),
    ("SELECT 1;-- x\nDROP TABLE users", "sql.ddl.drop sql.multiple"),
    ("SELECT 1 -- DROP TABLE users", "!sql.ddl"),
    ("SELECT 1 /* DROP /* TABLE */ users */", "!sql.ddl"),
    ("EXEC('DR'+'OP TABLE users')", "sql.execute sql.ddl.drop"),
    ("EXPLAIN DELETE FROM users", "sql.read !sql.write"),
    ("EXPLAIN ANALYZE DELETE FROM users", "sql.write.unbounded"),
    ("EXPLAIN (ANALYZE, BUFFERS) DELETE FROM users", "sql.write.unbounded"),
    ("EXPLAIN (ANALYZE off) DELETE FROM users", "!sql.write"),
    ("WITH x AS (DELETE FROM users RETURNING *) SELECT * FROM x", "sql.write.unbounded sql.read"),
    ("WITH x AS (SELECT 1) DELETE FROM users WHERE id = 5", "sql.write !sql.write.unbounded"),
    ("DO $$ BEGIN EXECUTE 'DROP TABLE x'; END $$", "sql.execute sql.ddl.drop"),
    ("DELETE FROM users WHERE 1=1", "sql.write.unbounded"),
    ("DELETE FROM users WHERE id = id", "sql.write.unbounded"),
    ("DELETE FROM users WHERE NOT false", "sql.write.unbounded"),
    ("DELETE FROM users WHERE name = 'x' OR 'a' = 'a'", "sql.write.unbounded"),
    ("DELETE FROM users WHERE name IS NULL OR name IS NOT NULL", "sql.write.unbounded"),
    ("DELETE FROM users WHERE id > 0", "sql.write.unbounded"),
    ("DELETE FROM users WHERE name LIKE '%'", "sql.write.unbounded"),
    ("DELETE FROM users WHERE id IN (SELECT id FROM users)", "sql.write.unbounded"),
    ("DELETE FROM users WHERE id BETWEEN 1 AND 5", "sql.write !sql.write.unbounded"),
    ("DELETE FROM users WHERE EXISTS (SELECT 1)", "sql.write.unbounded"),
    ("DELETE FROM users WHERE id = 5 AND 1=1", "sql.write !sql.write.unbounded"),
    (
        "DELETE FROM users WHERE created < now() - interval '90 days'",
        "sql.write !sql.write.unbounded",
    ),
    ("UPDATE users SET x = 1", "sql.write.unbounded"),
    ("UPDATE users SET x = 1 WHERE id = 7", "!sql.write.unbounded"),
    ("SELECT * FROM t FOR UPDATE", "!sql.write"),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET x = 2",
        "sql.write !sql.write.unbounded !sql.unparsed",
    ),
    ("CREATE TABLE a (id int REFERENCES b ON DELETE CASCADE)", "!sql.write !sql.ddl.drop"),
    (
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
        "sql.write !sql.write.unbounded",
    ),
    ("MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", "sql.write.unbounded"),
    ("COPY (SELECT * FROM t) TO PROGRAM 'rm -rf /'", "sql.execute.program"),
    ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "sql.server"),
    ("SELECT * FROM t DROP TABLE u", "sql.ddl.drop"),
    ("IF EXISTS (SELECT 1 FROM t) DROP TABLE t", "sql.ddl.drop"),
    ("SELECT deleted, updated_at FROM t WHERE dropped = true", "!sql.write !sql.ddl"),
    ("hello world", "sql.unparsed"),
    ("SELECT 'it''s'", "!sql.unparsed"),
    ("SELECT 'it\\'s; drop table x'", "!sql.unparsed"),
    ("SELECT 'unterminated", "sql.unparsed"),
    ("/*!50000 DROP TABLE users */", "sql.ddl.drop"),
    ("SELECT U&'\\0044ROP'", "!sql.ddl"),
    ("DELETE TOP (100) PERCENT FROM users", "sql.write.unbounded"),
    ("SELECT REPLACE(name, 'a', 'b') FROM t", "!sql.write"),
    ("ALTER TABLE t ALTER COLUMN c DROP NOT NULL", "sql.ddl.alter !sql.ddl.drop"),
    ("ALTER TABLE t DROP COLUMN c", "sql.ddl.drop"),
    ("DROP TABLE #tmp", "sql.ddl.temporary !sql.ddl.drop"),
    (
        "BEGIN; UPDATE t SET a = 1 WHERE id = 3; COMMIT;",
        "sql.write !sql.write.unbounded !sql.unparsed",
    ),
];

#[test]
fn statements_have_their_facts() {
    have_their_facts(Kind::Sql, ROWS);
}

#[test]
fn a_dialect_settles_what_is_ambiguous() {
    let text = "SELECT 1 # 2; DROP TABLE users";
    assert!(!inspect_text(text, Kind::Sql, Some(Dialect::MySql)).has("sql.ddl.drop"));
    assert!(inspect_text(text, Kind::Sql, Some(Dialect::Postgres)).has("sql.ddl.drop"));
    assert!(inspect_text(text, Kind::Sql, None).has("sql.ddl.drop"));
    // Elsewhere than in PostgreSQL, `E` is a column and its alias ends at the second quote.
    let text = r"SELECT E'\'; DROP TABLE users; --'";
    assert!(!inspect_text(text, Kind::Sql, Some(Dialect::Postgres)).has("sql.ddl.drop"));
    for dialect in [Some(Dialect::TSql), Some(Dialect::Sqlite), Some(Dialect::Oracle), None] {
        assert!(inspect_text(text, Kind::Sql, dialect).has("sql.ddl.drop"), "{dialect:?}");
    }
}
