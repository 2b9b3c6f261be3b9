//! Holds that are lifted for a window of time: what a call's verdict says of it, and what somebody is
//! offered ahead of any call.

use lockgate_model::Lift;

use super::*;
use crate::policy::Way;

const PERMIT: &str = "@id(\"p\") permit(principal in Group::\"dev/any\", action, resource);";

fn hold(id: &str, annotations: &str, action: &str) -> String {
    format!(
        "@id(\"{id}\") @approvers(\"dev/a\") {annotations} forbid(principal, {action}, resource) \
         unless {{ context.approvals.contains(Group::\"dev/a\") }};"
    )
}

fn ask(text: &str, groups: &[&str]) -> (Option<u64>, bool) {
    let mut asked = Asked::new("dev/any", Action::Subscribe);
    asked.identity = identity(groups);
    match compile(text).judge(&asked.question()) {
        Verdict::Ask(ask) => (ask.access_ms, ask.emergency),
        other => panic!("{other:?}"),
    }
}

fn lift(text: &str, groups: &[&str], tool: Option<&str>, way: Way) -> Option<Lift> {
    compile(text).lift(&identity(groups), &name("staff"), tool, way)
}

#[test]
fn a_call_says_how_it_could_pass() {
    let plain = hold("plain", "", "action");
    let hours = hold("hours", "@access(\"8h\")", "action");
    let minutes = hold("minutes", "@access(\"30m\") @quorum(\"2\")", "action");
    let glass = hold("glass", "@break_glass(\"dev/oncall, dev/leads\")", "action");
    let both = hold("both", "@access(\"1d\") @break_glass(\"dev/oncall\")", "action");
    for (row, holds, groups, expected) in [
        ("neither", vec![&plain], vec!["dev/any", "dev/oncall"], (None, false)),
        ("access", vec![&hours], vec!["dev/any"], (Some(28_800_000), false)),
        ("the shortest", vec![&hours, &minutes], vec!["dev/any"], (Some(1_800_000), false)),
        ("not all of them", vec![&hours, &plain], vec!["dev/any"], (None, false)),
        ("not in its group", vec![&glass], vec!["dev/any"], (None, false)),
        ("in its group", vec![&glass], vec!["dev/any", "dev/leads"], (None, true)),
        ("days", vec![&both], vec!["dev/any", "dev/oncall"], (Some(86_400_000), true)),
        (
            "not all by it",
            vec![&both, &hours],
            vec!["dev/any", "dev/oncall"],
            (Some(28_800_000), false),
        ),
    ] {
        let holds: Vec<&str> = holds.into_iter().map(String::as_str).collect();
        let text = format!("{PERMIT} {}", holds.join(" "));
        assert_eq!(ask(&text, &groups), expected, "{row}");
    }
}

#[test]
fn somebody_is_offered_what_the_policies_let_them_lift() {
    let call = "action == Action::\"staff/query_employees\"";
    let text = [
        PERMIT,
        &hold("hours", "@access(\"8h\") @quorum(\"2\") @reason(\"writes\")", call),
        &hold("never", "", call),
        &hold("glass", "@break_glass(\"dev/oncall\")", "action == Action::\"subscribe\""),
    ]
    .join(" ");
    let (any, oncall) = (["dev/any"], ["dev/any", "dev/oncall"]);
    let offered = lift(&text, &any, None, Way::Asked).unwrap();
    assert_eq!(offered.policies, ["hours"]);
    assert_eq!(offered.groups, ["dev/a"]);
    assert_eq!((offered.quorum, offered.most_ms), (2, Some(28_800_000)));
    assert_eq!(offered.reason.as_deref(), Some("writes"));
    assert_eq!(lift(&text, &any, Some("query_employees"), Way::Asked), Some(offered));

    let glass = lift(&text, &oncall, None, Way::Emergency).unwrap();
    assert_eq!((glass.policies, glass.most_ms), (vec!["glass".to_owned()], None));
    for (row, groups, tool, way) in [
        ("not in the group", &any[..], None, Way::Emergency),
        ("a tool that no such policy holds", &oncall, Some("query_employees"), Way::Emergency),
        ("no such tool", &any, Some("nothing"), Way::Asked),
        ("nothing is permitted", &["dev/oncall"], None, Way::Asked),
        ("nor in an emergency", &["dev/oncall"], None, Way::Emergency),
    ] {
        assert_eq!(lift(&text, groups, tool, way), None, "{row}");
    }
    let elsewhere = compile(&text).lift(&identity(&any), &name("other"), None, Way::Asked);
    assert_eq!(elsewhere, None);
}
