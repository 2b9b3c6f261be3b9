//! Who sees which data: only whom a permit shows it that names the action, class by class.

use super::*;

fn shows(text: &str, groups: &[&str], tool: &str, class: &str) -> bool {
    let action = Action::Reveal { class: class.into(), target: tool.into() };
    let asked = Asked { identity: identity(groups), ..Asked::new("dev/any", action) };
    let policies = compile(text);
    let shown = policies.judge(&asked.question()).is_allow();
    let may = policies.may_reveal(&asked.identity, &asked.connection);
    assert!(may || !shown, "what may not be asked for is not shown");
    shown
}

const FRAUD: &str = "permit(principal in Group::\"dev/fraud\", action == Action::\"reveal\", resource) \
                     when { context.classes.contains(\"pii.email\") && context.target == \"query_employees\" };";

#[test]
fn a_class_is_shown_to_whom_policy_shows_it() {
    let all = "permit(principal, action, resource);";
    let tree = "permit(principal, action == Action::\"reveal\", resource) \
                when { context.classes.contains(\"pii\") };";
    let never = "forbid(principal, action, resource) when { context.issuer == \"dev\" };";
    for (row, text, groups, tool, class, shown) in [
        ("nothing permits", String::new(), ["dev/fraud"], "query_employees", "pii.email", false),
        (
            "a permit for every action",
            all.to_owned(),
            ["dev/fraud"],
            "query_employees",
            "pii.email",
            false,
        ),
        ("the class", FRAUD.to_owned(), ["dev/fraud"], "query_employees", "pii.email", true),
        ("another class", FRAUD.to_owned(), ["dev/fraud"], "query_employees", "pci.card", false),
        ("the class above", FRAUD.to_owned(), ["dev/fraud"], "query_employees", "pii", false),
        (
            "a class that begins alike",
            FRAUD.to_owned(),
            ["dev/fraud"],
            "query_employees",
            "pii.emails",
            false,
        ),
        (
            "a class below",
            FRAUD.to_owned(),
            ["dev/fraud"],
            "query_employees",
            "pii.email.work",
            true,
        ),
        ("another tool", FRAUD.to_owned(), ["dev/fraud"], "other", "pii.email", false),
        ("another group", FRAUD.to_owned(), ["dev/eng"], "query_employees", "pii.email", false),
        ("a tree", tree.to_owned(), ["dev/eng"], "other", "pii.national_id.de", true),
        ("not the tree", tree.to_owned(), ["dev/eng"], "other", "secret.aws", false),
        (
            "a forbid for every action",
            format!("{FRAUD}{never}"),
            ["dev/fraud"],
            "query_employees",
            "pii.email",
            false,
        ),
    ] {
        assert_eq!(shows(&text, &groups, tool, class), shown, "{row}");
    }
}

#[test]
fn a_token_becomes_its_value_only_where_policy_says_so() {
    let action = || Action::Restore { class: "pii.email".into(), target: "find".into() };
    let asked = Asked { identity: identity(&["dev/eng"]), ..Asked::new("dev/any", action()) };
    let permit = |action: &str| {
        format!("permit(principal, {action}, resource) when {{ context.target == \"find\" }};")
    };
    for (row, text, restored) in [
        ("a permit for every action", "permit(principal, action, resource);".to_owned(), false),
        ("to see is not to restore", permit("action == Action::\"reveal\""), false),
        ("a permit that names it", permit("action == Action::\"restore\""), true),
    ] {
        assert_eq!(compile(&text).judge(&asked.question()).is_allow(), restored, "{row}");
    }
}
