//! Errors and warnings: what is refused, where it points, and what it says to do.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::{source, staff, try_compile};
use crate::policy::{
    Compiled, ConnectionShape, IssuerShape, Policies, PolicyErrors, PolicyFault, SOURCE_MAX_BYTES,
};

const PERMIT: &str = "permit(principal in Group::\"dev/any\", action, resource);";

pub(super) fn errors(text: &str) -> Vec<PolicyFault> {
    try_compile(text, &[staff()]).err().map_or_else(Vec::new, |errors| errors.faults)
}

fn warnings(text: &str) -> Vec<PolicyFault> {
    try_compile(text, &[staff()]).unwrap_or_else(|e| panic!("{:#?}", e.faults)).warnings
}

/// `message [the marked text] help`.
fn short(fault: &PolicyFault, text: &str) -> String {
    let marked = fault.span.map_or("", |span| &text[span.offset()..span.offset() + span.len()]);
    format!("{} [{marked}] {}", fault.message, fault.help.as_deref().unwrap_or_default())
}

fn all(faults: &[PolicyFault], text: &str) -> String {
    faults.iter().map(|fault| short(fault, text)).collect::<Vec<_>>().join("\n")
}

fn rendered(errors: &PolicyErrors) -> String {
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100);
    handler.render_report(&mut out, errors).unwrap();
    out
}

#[test]
fn errors_show_the_place_and_the_way_out() {
    let text = "// Staff.\npermit (\n  principal in Group::\"dev/any\",\n  \
                action == Action::\"staff/list_payment\",\n  resource\n);\n\n\
                permit (principal, action == Action::\"staff/query_employees\", resource)\n\
                when { context.arguments.limt < 10 };\n";
    let errors = try_compile(text, &[staff()]).unwrap_err();
    insta::assert_snapshot!(rendered(&errors), @r#"
      x the policies can't be used: 2 errors

    Error: 
      x `staff` has no tool `list_payment`
       ,-[test.cedar:4:21]
     3 |   principal in Group::"dev/any",
     4 |   action == Action::"staff/list_payment",
       :                     ^^^^^^^^^^|^^^^^^^^^
       :                               `-- here
     5 |   resource
       `----
      help: did you mean `list_payments`?

    Error: 
      x attribute `arguments.limt` in context for Action::"staff/query_employees" not found
       ,-[test.cedar:9:8]
     8 | permit (principal, action == Action::"staff/query_employees", resource)
     9 | when { context.arguments.limt < 10 };
       :        ^^^^^^^^^^^|^^^^^^^^^^
       :                   `-- here
       `----
      help: did you mean `limit`?
    "#);
}

#[test]
fn misspelt_names_are_errors_with_the_nearest_name() {
    let rows = [
        "permit(principal, action == Action::\"staff/Delete_employee\", resource);",
        "permit(principal, action == Action::\"staf/delete_employee\", resource);",
        "permit(principal, action == Action::\"delete_employee\", resource);",
        "permit(principal, action == Action::\"read_resorce\", resource);",
        "permit(principal, action == Action::\"call_tool\", resource);",
        "permit(principal, action, resource == Connection::\"stuff\");",
        "permit(principal in Group::\"engineers\", action, resource);",
        "permit(principal in Group::\"def/engineers\", action, resource);",
        "permit(principal == User::\"corp/ann\", action, resource);",
        "permit(principal == User::\"ci/x\", action, resource);",
        "forbid(principal == Workload::\"dev/ann\", action, resource);",
        "permit(principal in Group::\"dev/x\", action, resource) when { context.local[\"Europe/Berln\"].hour > 8 };",
        "permit(principal in Group::\"dev/x\", action, resource) when { context.local[\"europe/berlin\"].hour > 8 };",
        "permit(principal in Group::\"dev/x\", action, resource) when { context.local[\"Europe/Berlin\"].hours > 8 };",
        "permit(principal in Grup::\"dev/x\", action, resource);",
        "forbid(principal, action in Action::\"call_tool\", resource) when { context.arguments has limt };",
        "forbid(principal, action, resource) when { resource.labels has evn };",
        "forbid(principal, action, resource) when { resource.labels.env == \"x\" };",
        "forbid(principal, action, resource) when { context.pear.isLoopback() };",
        "permit(principal, action == Action::\"staff/query_employees\", resource) when { context.arguments has limit && context.arguments.limit == \"10\" };",
        "permit(principal, action == Action::\"staff/list_payments\", resource) when { context.target == \"x\" };",
    ];
    let found: Vec<_> = rows.iter().map(|text| all(&errors(text), text)).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    `staff` has no tool `Delete_employee` ["staff/Delete_employee"] did you mean `delete_employee`?
    unknown connection `staf` ["staf/delete_employee"] did you mean `staff`?
    unknown action `delete_employee` ["delete_employee"] a tool's action names its connection: `staff/delete_employee`
    unknown action `read_resorce` ["read_resorce"] did you mean `read_resource`?
    no call is `call_tool` itself: it is a group ["call_tool"] write `action in Action::"call_tool"` for every tool
    unknown connection `stuff` ["stuff"] did you mean `staff`?
    `Group::"engineers"` names no issuer ["engineers"] write `Group::"dev/engineers"`
    unknown issuer `def` ["def/engineers"] did you mean `dev`?
    unknown issuer `corp` ["corp/ann"] 
    `ci` vouches for jobs or services, so this is nobody ["ci/x"] write `Workload::"ci/x"`
    `dev` vouches for people, so this is nobody ["dev/ann"] write `User::"dev/ann"`
    there is no time zone `Europe/Berln` ["Europe/Berln"] did you mean `Europe/Berlin`?
    there is no time zone `europe/berlin` ["europe/berlin"] did you mean `Europe/Berlin`?
    attribute `local["Europe/Berlin"].hours` in context for Action::"complete" not found [context.local["Europe/Berlin"].hours] did you mean `hour`?
    unknown entity type `Grup` [Grup::] did you mean `Group`?
    no tool in its scope has an argument `limt` [limt] did you mean `limit`?
    no connection has a label `evn` [evn] did you mean `env`?
    unable to guarantee safety of access to optional attribute `labels.env` on entity type `Connection` [resource.labels.env] try testing for the attribute's presence with `e.labels has env && ..`
    attribute `pear` in context for Action::"complete" not found [context.pear.isLoopback()] did you mean `peer`?
    the types Long and String are not compatible [context.arguments.limit == "10"] both operands to a `==` expression must have compatible types. Types must be exactly equal to be compatible
    attribute `target` in context for Action::"staff/list_payments" not found [context.target] did you mean `tables`?
    "#);
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let twice = format!("@id(\"a\") {PERMIT}\n@id(\"a\") {PERMIT}");
    let large = " ".repeat(SOURCE_MAX_BYTES + 1);
    let rows = [
        ("P21 BOM", format!("\u{feff}{PERMIT}")),
        ("P21 size", large),
        ("P21 twin ids", twice),
        ("syntax", "permit(principal action, resource);".to_owned()),
        ("NUL", format!("{PERMIT}\0")),
        ("not Cedar", "roles: [admin]".to_owned()),
        ("empty id", format!("@id(\"\") {PERMIT}")),
        ("id like a fallback", format!("@id(\"test.cedar:2\") {PERMIT} {PERMIT}")),
        ("slot", "permit(principal in ?principal, action, resource);".to_owned()),
        ("approvers of a permit", format!("@approvers(\"dev/a\") {PERMIT}")),
        ("approvers without issuer", "@approvers(\"dba\") forbid(principal, action, resource) unless { context.approvals.contains(Group::\"dev/dba\") };".to_owned()),
        ("access without approvers", format!("@access(\"8h\") {PERMIT}")),
        ("access for too long", "@approvers(\"dev/a\") @access(\"31d\") forbid(principal, action, resource) unless { context.approvals.contains(Group::\"dev/a\") };".to_owned()),
        ("break-glass of nobody", "@approvers(\"dev/a\") @break_glass(\"corp/a\") forbid(principal, action, resource) unless { context.approvals.contains(Group::\"dev/a\") };".to_owned()),
        ("break-glass without issuer", "@approvers(\"dev/a\") @break_glass(\"oncall\") forbid(principal, action, resource) unless { context.approvals.contains(Group::\"dev/a\") };".to_owned()),
        ("approvers of nobody", "@approvers(\"corp/a\") forbid(principal, action, resource) unless { context.approvals.contains(Group::\"dev/a\") };".to_owned()),
        ("reason of a permit", format!("@reason(\" \") {PERMIT}")),
        ("until", format!("@until(\"2026-12-01\") {PERMIT}")),
        ("until", format!("@until(\"2026-12-01T00:00:00\") {PERMIT}")),
        ("until", format!("@until(\"2026-12-01T01:00:00+01:00\") {PERMIT}")),
        ("until", format!("@until(\"2026-12-01T00:00:00z\") {PERMIT}")),
        ("until", format!("@until(\"2026-12-01T00:00:00.000Z\") {PERMIT}")),
        ("until", format!("@until(\"2026-02-30T00:00:00Z\") {PERMIT}")),
        ("until", format!("@until(\"tomorrow\") {PERMIT}")),
        ("until", format!("@until(\"\") {PERMIT}")),
        ("until on a forbid", "@until(\"2026-12-01T00:00:00Z\") forbid(principal, action, resource);".to_owned()),
    ];
    let found: Vec<_> =
        rows.iter().map(|(row, text)| format!("{row}: {}", all(&errors(text), text))).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    P21 BOM: the file starts with a byte order mark [﻿] save it as UTF-8 without BOM
    P21 size: `test.cedar` is larger than 1048576 bytes [] split it into several files
    P21 twin ids: a second policy with the id `a` ["a"] the first is on line 1 of test.cedar
    syntax: unexpected token `action` [action] 
    NUL: invalid token [] 
    not Cedar: unexpected token `:` [:] 
    empty id: an `@id` can't be empty [@id("") permit(principal in Group::"dev/any", action, resource);] 
    id like a fallback: a second policy with the id `test.cedar:2` [permit(principal in Group::"dev/any", action, resource);] the first is on line 1 of test.cedar
    slot: a policy can't have slots such as `?principal` [permit(principal in ?principal, action, resource);] write one policy for each group
    approvers of a permit: `@approvers` on a permit holds nothing [@approvers("dev/a") permit(principal in Group::"dev/any", action, resource);] put it on a `forbid … unless { context.approvals.contains(Group::"…") }`
    approvers without issuer: `@approvers` names no groups ["dba"] write qualified groups, separated by commas: `@approvers("dev/reviewers")`
    access without approvers: `@access` without `@approvers` [@access] say who approves: `@approvers("dev/reviewers")`
    access for too long: `@access` is no time ["31d"] write a time of at most 30 days as "30s", "10m", "2h" or "1d"
    break-glass of nobody: unknown issuer `corp` ["corp/a"] 
    break-glass without issuer: `@break_glass` names no groups ["oncall"] write qualified groups, separated by commas: `@break_glass("dev/reviewers")`
    approvers of nobody: unknown issuer `corp` ["corp/a"] 
    reason of a permit: `@reason` can't be shown [@reason] write one line of at most 256 characters
    until: `@until` is no time in UTC ["2026-12-01"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["2026-12-01T00:00:00"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["2026-12-01T01:00:00+01:00"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["2026-12-01T00:00:00z"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["2026-12-01T00:00:00.000Z"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["2026-02-30T00:00:00Z"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC ["tomorrow"] write it as "2026-12-31T00:00:00Z"
    until: `@until` is no time in UTC [""] write it as "2026-12-31T00:00:00Z"
    until on a forbid: `@until` on a forbid would open something by itself [@until] only a permit can end; take the forbid out when its time comes
    "#);
    let twins = [source("a.cedar", PERMIT), source("a.cedar", PERMIT)];
    let errors =
        Policies::compile(&twins, &[staff()], &[IssuerShape::of_people("dev")]).unwrap_err();
    assert_eq!(errors.faults[0].message, "two policy files have the same name");
}

#[test]
fn what_looks_like_a_slip_is_a_warning() {
    let rows = [
        ("twin", PERMIT.to_owned()),
        ("twin", "forbid(principal, action, resource);".to_owned()),
        ("twin", format!("@id(\"a\") @owner(\"me\") {PERMIT}")),
        ("P20 everything", "permit(principal, action, resource);".to_owned()),
        ("P20 spaces", "permit ( principal,\n action , resource ) ;".to_owned()),
        ("P20 twin", "permit(principal, action, resource) when { context.issuer == \"dev\" };".to_owned()),
        ("P20 empty", "permit(principal, action, resource) when { context.issuer like \"\" };".to_owned()),
        ("P20 wildcard", "permit(principal, action, resource) when { context.issuer like \"*\" };".to_owned()),
        ("P20 twin", "permit(principal, action, resource) when { context.issuer like \"d*\" };".to_owned()),
        ("P21 unknown key", format!("@approver(\"dev/x\") {PERMIT}")),
        ("until twin", format!("@until(\"2026-12-01T00:00:00Z\") {PERMIT}")),
        ("approvers in vain", "@approvers(\"dev/a\") forbid(principal, action, resource);".to_owned()),
        ("never", "forbid(principal, action == Action::\"subscribe\", resource) when { context.issuer == \"a\" && false };".to_owned()),
        ("no such argument", "forbid(principal, action, resource) when { context has arguments.sql || context.issuer == \"x\" };".to_owned()),
        ("look-alike", "permit(principal in Group::\"dev/\u{430}dmins\", action, resource);".to_owned()),
    ];
    let found: Vec<_> =
        rows.iter().map(|(row, text)| format!("{row}: {}", all(&warnings(text), text))).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    twin: 
    twin: 
    twin: 
    P20 everything: every verified identity may do everything on every connection [permit(principal, action, resource);] name a group, an action or a connection
    P20 spaces: every verified identity may do everything on every connection [permit ( principal,
     action , resource ) ;] name a group, an action or a connection
    P20 twin: 
    P20 empty: a pattern that matches everything or only "" [like] write the text to match, with `*` for any text
    P20 wildcard: a pattern that matches everything or only "" [like] write the text to match, with `*` for any text
    P20 twin: 
    P21 unknown key: unknown annotation `@approver` [@approver] known are @id, @owner, @until, @budget, @approvers, @quorum, @expires, @reason, @access and @break_glass
    until twin: 
    approvers in vain: this policy forbids even what its approvers have approved [@approvers("dev/a") forbid(principal, action, resource);] add `unless { context.approvals.contains(Group::"…") }`
    never: this forbid can never apply [forbid(principal, action == Action::"subscribe", resource) when { context.issuer == "a" && false };] compare its scope and conditions with the schema
    no such argument: no tool in its scope has an argument `sql` [sql] 
    look-alike: identifier `dev/аdmins` contains mixed scripts [permit(principal in Group::"dev/аdmins", action, resource);]
    "#);
}

#[test]
fn a_catalogue_that_is_not_known_yet_stops_nothing() {
    let waiting = ConnectionShape { tools: None, ..staff() };
    let other = ConnectionShape { name: super::name("other"), ..staff() };
    let text = "forbid(principal, action in [Action::\"staff/any\", Action::\"other/list_payments\"], resource);";
    let Compiled { policies, warnings } = try_compile(text, &[waiting, other]).unwrap();
    insta::assert_snapshot!(all(&warnings, text), @r#"the tools of `staff` are not known yet ["staff/any"] until they are, none of them is callable and this can't be checked"#);
    let mut asked = super::Asked::tool("dev/any", "list_payments", serde_json::json!({}));
    asked.connection = super::name("other");
    assert_eq!(asked.of(&policies), "policy.forbidden: test.cedar:1");
}

/// A policy of one connection is not checked against the arguments of another one's tools.
#[test]
fn connections_are_checked_apart() {
    let other = ConnectionShape {
        name: super::name("other"),
        tools: Some(vec![super::tool("x", serde_json::json!({}), serde_json::json!([]))]),
        ..staff()
    };
    let mut counted = staff();
    let limit = serde_json::json!({"limit": {"type": "integer"}});
    counted.tools = Some(vec![super::tool("x", limit, serde_json::json!(["limit"]))]);
    let text = "permit(principal, action in Action::\"call_tool\", resource == Connection::\"staff\") \
                when { context.arguments.limit < 5 };";
    try_compile(text, &[counted, other]).unwrap();
}
