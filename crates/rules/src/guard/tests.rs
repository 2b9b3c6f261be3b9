//! The arguments of calls: where commands are found in them, and where they are not.

use serde_json::{Value, json};

use super::{Kind, Profile, inspect, inspect_text};

/// Each text must have the labels that stand with it, and none of those with `!`.
pub(super) fn have_their_facts(kind: Kind, rows: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (text, expected) in rows {
        let labels = inspect_text(text, kind, None).labels();
        for label in expected.split(' ') {
            let good = match label.strip_prefix('!') {
                Some(label) => !labels.iter().any(|one| one == label),
                None => labels.iter().any(|one| one == label),
            };
            if !good {
                wrong.push(format!("{text}: {label} in {labels:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn dangers(arguments: &Value) -> Vec<String> {
    inspect(&Profile::default(), arguments).dangers().map(|fact| fact.label.to_string()).collect()
}

#[test]
fn p15_commands_are_found_behind_encodings_and_in_pieces() {
    for arguments in [
        json!({"sql": "DROP TABLE x"}),
        json!({"payload": "{\"sql\":\"DROP TABLE x\"}"}),
        json!({"payload": "{\"inner\":\"{\\\"sql\\\":\\\"DROP TABLE x\\\"}\"}"}),
        json!({"data": "RFJPUCBUQUJMRSB1c2Vycw=="}),
        json!({"data": "UkZKUFVDQlVRVUpNUlNCMWMyVnljdz09"}),
        json!({"q": "DROP%2520TABLE%2520users"}),
        json!({"part1": "DROP TA", "part2": "BLE users"}),
        json!({"sql": ["DROP", "TABLE", "users"]}),
        json!({"command": "H4sIAAAAAAAAAyvKVdAtSlPQBwBkXKyJBwAAAA=="}),
    ] {
        assert!(!dangers(&arguments).is_empty(), "{arguments}");
    }
}

#[test]
fn p16_nothing_is_too_big_to_be_a_fact() {
    let long = "x".repeat(300 * 1024);
    assert_eq!(dangers(&json!({ "sql": long })), ["guard.limit"]);
    let many: Vec<Value> = (0..60_000).map(Value::from).collect();
    assert!(dangers(&json!({ "many": many })).contains(&"guard.limit".to_owned()));
    let deep = "sh -c '".to_string() + &"bash -c \"$(".repeat(40) + "id" + &")\"".repeat(40) + "'";
    assert!(!dangers(&json!({ "command": deep })).is_empty());
}

#[test]
fn text_for_people_is_no_command() {
    let arguments = json!({"message": "DROP TABLE users", "title": "rm -rf /"});
    let facts = inspect(&Profile::default(), &arguments);
    assert_eq!(facts.dangers().count(), 0);
    assert!(facts.has("suspect.sql.ddl.drop") && facts.has("suspect.shell.delete.recursive"));
}

#[test]
fn an_admin_and_a_schema_say_what_an_argument_carries() {
    let arguments =
        json!({"message": "DROP TABLE users", "body": "SELEC 1", "sql": "DROP TABLE x"});
    let roles = [("message".to_owned(), Kind::Sql), ("sql".to_owned(), Kind::Prose)];
    let schema = json!({"properties": {"body": {"description": "The SQL query to run"}}});
    let profile = Profile { roles: &roles, schema: Some(&schema), ..Profile::default() };
    let facts = inspect(&profile, &arguments);
    let found: Vec<_> = facts.dangers().map(|fact| (&*fact.label, &*fact.path)).collect();
    assert!(found.contains(&("sql.ddl.drop", "/message")), "{found:?}");
    assert!(found.contains(&("sql.unparsed", "/body")), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_fact_names_its_place_and_quotes_no_literal() {
    let arguments = json!({"a/b": [{"sql": "DELETE FROM users WHERE 'hunter2' = 'hunter2'"}]});
    let facts = inspect(&Profile::default(), &arguments);
    let fact = facts.dangers().next().unwrap();
    assert_eq!(
        (&*fact.label, &*fact.path, fact.span.clone()),
        ("sql.write.unbounded", "/a~1b/0/sql", 0..45)
    );
    assert_eq!(
        fact.note,
        "this would delete every row of users: the WHERE of this DELETE is always true"
    );
    for fact in facts.list() {
        assert!(!fact.note.contains("hunter2"), "{fact:?}");
    }
    let secret = inspect_text("mysql -p'hunter2' -e 'DROP DATABASE x'", Kind::Shell, None);
    assert!(secret.has("sql.ddl.drop"));
    assert!(secret.list().iter().all(|fact| !fact.note.contains("hunter2")));
}

#[test]
fn labels_come_with_their_ancestors_and_names() {
    let labels = inspect_text("SELECT salary FROM hr.people", Kind::Sql, None).labels();
    assert_eq!(labels, ["sql", "sql.column:salary", "sql.read", "sql.table:people"]);
}

#[test]
fn tools_that_are_a_program_take_its_arguments() {
    for (tool, arguments, label) in [
        ("kubectl", json!({"args": ["delete", "ns", "prod"]}), "k8s.delete"),
        ("run_git", json!({"args": "push --force"}), "git.force"),
        ("drop_database", json!({"name": "x"}), "call.delete"),
        ("http", json!({"method": "DELETE", "url": "https://example.com/a"}), "http.delete"),
    ] {
        let profile = Profile { tool: Some(tool), ..Profile::default() };
        assert!(inspect(&profile, &arguments).has(label), "{tool} {arguments}");
    }
}
