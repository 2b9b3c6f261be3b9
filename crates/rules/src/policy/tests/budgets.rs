//! How often permits permit: which of a call's permits have a budget, and what is no budget.

use super::{faults::errors, *};
use crate::policy::Budget;

const POLICIES: &str = "
@id(\"ten\") @budget(\"10 per 1h\") permit (principal in Group::\"dev/few\", action, resource);
@id(\"three\") @budget(\"3 per 1d\")
permit (principal in Group::\"dev/few\", action == Action::\"staff/query_employees\", resource);
@id(\"any\") permit (principal in Group::\"dev/many\", action, resource);
";

#[test]
fn a_call_is_counted_where_all_its_permits_have_a_budget_p24() {
    let policies = compile(POLICIES);
    let budgets = |ids: &[&str]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let found = policies.budgets(&ids)?;
        Some(found.into_iter().map(|one| (one.policy.clone(), one.most, one.window_ms)).collect())
    };
    let ten = || ("ten".to_owned(), 10, 3_600_000);
    let three = || ("three".to_owned(), 3, 86_400_000);
    assert_eq!(budgets(&["ten"]), Some(vec![ten()]));
    assert_eq!(budgets(&["ten", "three"]), Some(vec![ten(), three()]));
    assert_eq!(budgets(&["any", "ten"]), None, "a permit without one permits however often");
    assert_eq!(budgets(&["any"]), None);
    assert_eq!(budgets(&[]), None, "the protocol itself");
    // It says nothing of whether the permit applies, and lists show what it permits.
    for (action, expected) in [
        (Action::CallTool("query_employees".into()), "allow: ten three"),
        (Action::ListTool("query_employees".into()), "allow: ten three"),
    ] {
        assert_eq!(Asked::new("dev/few", action).of(&policies), expected);
    }
    let asked = Asked::new("dev/few", Action::CallTool("query_employees".into()));
    let notes = policies.explain(&asked.question()).notes;
    assert_eq!(notes[0], "`ten` permits it 10 per 1h to each identity");
    let one = Budget { policy: "ten".into(), most: 10, window_ms: 3_600_000 };
    assert_eq!(policies.budgets(&["ten".to_owned()]).unwrap(), [&one]);
}

#[test]
fn what_is_no_budget_is_an_error() {
    let permit = "permit (principal in Group::\"dev/few\", action, resource);";
    for good in ["1 per 1s", "1000000 per 30d", "10 per 90m"] {
        compile(&format!("@budget(\"{good}\") {permit}"));
    }
    for bad in [
        "",
        "10",
        "10 per",
        "10 per 1",
        "0 per 1h",
        "-1 per 1h",
        "+1 per 1h",
        "1000001 per 1h",
        "10 per 0s",
        "10 per 31d",
        "10 per 1w",
        "10  per 1h",
        "10 per 1h ",
        "10/1h",
        "ten per 1h",
        "99999999999999999999 per 1h",
    ] {
        let faults = errors(&format!("@budget(\"{bad}\") {permit}"));
        assert!(faults[0].message.contains("`@budget` is no number"), "{bad}: {faults:?}");
    }
    for (text, what) in [
        ("@budget(\"10 per 1h\") forbid (principal, action, resource);", "on a forbid"),
        (
            "@budget(\"10 per 1h\") permit (principal, action == Action::\"reveal\", resource);",
            "about values",
        ),
    ] {
        let faults = errors(text);
        assert!(faults[0].message.contains(what), "{faults:?}");
    }
}
