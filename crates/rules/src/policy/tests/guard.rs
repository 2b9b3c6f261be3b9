//! The guard's starter policies, and facts as policies see them.

use proptest::prelude::*;
use serde_json::json;

use super::{Asked, compile, group, short, source, staff, try_compile};
use crate::{
    guard::{Profile, inspect, labels},
    policy::{ConnectionShape, IssuerShape, Policies, Production, guard_starter},
};

const PERMIT: &str = "permit (principal, action, resource == Connection::\"staff\");";

/// The starter policies with everything else permitted, on a connection with this label.
fn starter(env: &str) -> Policies {
    let reviewers = group("dev/reviewers");
    let shape = ConnectionShape { labels: [("env".to_owned(), env.to_owned())].into(), ..staff() };
    let sources =
        [source("all.cedar", PERMIT), source("guard.cedar", &guard_starter(Some(&reviewers)))];
    let compiled = Policies::compile(&sources, &[shape], &[IssuerShape::of_people("dev")]);
    let compiled = compiled.unwrap_or_else(|errors| panic!("{:#?}", errors.faults));
    assert!(compiled.warnings.is_empty(), "{:#?}", compiled.warnings);
    compiled.policies
}

#[test]
fn production_forbids_staging_asks_and_development_records() {
    for (env, facts, expected) in [
        ("prod", &["sql", "sql.ddl", "sql.ddl.drop"][..], "policy.forbidden: guard-prod-sql"),
        ("production", &["git.force"], "policy.forbidden: guard-prod-git"),
        ("staging", &["sql.ddl.drop"], "ask dev/reviewers: guard-staging-sql"),
        ("dev", &["sql.ddl.drop"], "allow: all.cedar:1"),
        ("prod", &["sql", "sql.read", "sql.write", "suspect.sql.ddl.drop"], "allow: all.cedar:1"),
    ] {
        let mut asked = Asked::tool("dev/engineers", "query_employees", json!({}));
        asked.facts = facts.iter().map(|fact| (*fact).to_owned()).collect();
        assert_eq!(asked.of(&starter(env)), expected, "{env} {facts:?}");
        asked.approvals = vec![group("dev/reviewers")];
        let granted = asked.of(&starter(env));
        assert_eq!(
            granted.starts_with("allow"),
            !env.starts_with("prod") || expected.starts_with("allow")
        );
    }
}

#[test]
fn every_danger_of_the_reference_is_forbidden_in_production_and_no_note_is() {
    let production = Production::new().unwrap();
    for label in labels::LABELS {
        let danger = labels::is_danger(label.name);
        assert_eq!(production.allows(&[label.name.to_owned()]), !danger, "{}", label.name);
    }
}

#[test]
fn p19_a_list_of_tables_and_columns_holds_for_what_is_read_in_full() {
    let text = format!(
        "{PERMIT}\nforbid (principal, action in Action::\"call_tool\", resource) unless {{
           [\"employees\", \"payments\"].containsAll(context.tables) &&
           [\"id\", \"name\", \"amount\"].containsAll(context.columns)
         }};"
    );
    let policies = compile(&text);
    for (sql, allowed) in [
        ("SELECT id, name FROM employees", true),
        ("SELECT e.id, p.amount FROM employees e JOIN payments p ON e.id = p.id", true),
        ("SELECT 1", true),
        ("SELECT id FROM salaries", false),
        ("SELECT id FROM employees, salaries", false),
        ("SELECT id FROM \"Salaries\"", false),
        ("SELECT id FROM hr.salaries", false),
        ("SELECT (SELECT max(id) FROM salaries) FROM employees", false),
        ("SELECT id FROM employees UNION SELECT id FROM salaries", false),
        ("WITH x AS (SELECT id FROM salaries) SELECT id FROM x", false),
        ("SELECT salary FROM employees", false),
        ("SELECT * FROM employees", false),
        ("SELECT id FROM employees WHERE salary > 5", false),
        ("SELECT id FROM employees ORDER BY status", false),
        ("DELETE FROM employees WHERE id = 1", true),
        ("UPDATE employees SET name = 'x' WHERE id = 1", true),
        ("UPDATE employees SET salary = 1 WHERE id = 1", false),
        ("DELETE FROM salaries WHERE id = 1", false),
        ("not sql at all", false),
        ("EXEC whatever", false),
    ] {
        let arguments = json!({ "sql": sql });
        let mut asked = Asked::tool("dev/engineers", "query_employees", arguments.clone());
        asked.facts = inspect(&Profile::default(), &arguments).labels();
        let verdict = policies.judge(&asked.question());
        assert_eq!(verdict.is_allow(), allowed, "{sql}: {} {:?}", short(&verdict), asked.facts);
    }
}

#[test]
fn p26_a_tool_that_calls_itself_read_only_is_read_like_any_other() {
    let policies = starter("prod");
    let arguments = json!({ "sql": "DELETE FROM employees", "readOnlyHint": true });
    let mut asked = Asked::tool("dev/engineers", "query_employees", arguments.clone());
    asked.facts = inspect(&Profile::default(), &arguments).labels();
    assert!(asked.of(&policies).contains("guard-prod-sql"));
}

#[test]
fn conditions_on_tables_are_checked_like_any_other() {
    assert!(
        try_compile(
            "forbid (principal, action, resource) when { context.tables.contains(1) };",
            &[staff()]
        )
        .is_err()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Facts only tighten: another one never turns a denial into a permission.
    #[test]
    fn a_fact_more_never_permits_more(
        some in prop::collection::btree_set(0..labels::LABELS.len(), 0..6),
        more in 0..labels::LABELS.len(),
        env in prop::sample::select(vec!["prod", "staging", "dev"]),
    ) {
        thread_local!(static STARTERS: Vec<(&'static str, Policies)> =
            ["prod", "staging", "dev"].map(|env| (env, starter(env))).into());
        STARTERS.with(|starters| {
            let (_, policies) = starters.iter().find(|(name, _)| *name == env).unwrap();
            let mut asked = Asked::tool("dev/engineers", "query_employees", json!({}));
            asked.facts = some.iter().map(|at| labels::LABELS[*at].name.to_owned()).collect();
            let before = policies.judge(&asked.question());
            asked.facts.push(labels::LABELS[more].name.to_owned());
            let after = policies.judge(&asked.question());
            prop_assert!(before.is_allow() || !after.is_allow());
            Ok(())
        })?;
    }
}
