//! Verdicts: who may do what with which arguments.

use std::net::IpAddr;

use lockgate_model::{Action, ClaimValue};
use serde_json::json;

use super::{Asked, NOON, compile, group, identity, job, name, source, staff, tool, try_compile};
use crate::policy::{ConnectionShape, IssuerShape, Policies, starter};

const STAFF: &str = include_str!("../../../../../examples/policies/staff.cedar");
const HOUSE: &str = include_str!("../../../../../examples/policies/house.cedar");

fn call(tool: &str) -> Action {
    Action::CallTool(tool.to_owned())
}

fn list(tool: &str) -> Action {
    Action::ListTool(tool.to_owned())
}

#[test]
fn the_example_policies_do_what_they_say() {
    let sources = [source("staff.cedar", STAFF), source("house.cedar", HOUSE)];
    let compiled =
        Policies::compile(&sources, &[staff()], &[IssuerShape::of_people("dev")]).unwrap();
    assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
    let policies = compiled.policies;

    let query = |group, arguments| Asked::tool(group, "query_employees", arguments);
    let probe = |limit| Asked { identity: job(&[]), ..query("dev/none", json!({"limit": limit})) };
    let delete = || Asked::tool("dev/engineers", "delete_employee", json!({"employee_id": 1}));
    let contractor = json!({"department": "engineering", "limit": 10});
    let approved = Asked { approvals: vec![group("dev/reviewers")], ..delete() };
    let outside = Asked { peer: "203.0.113.9".parse().unwrap(), ..delete() };
    let mut old = query("dev/engineers", json!({}));
    old.identity.token.issued_at = Some(NOON.plus_millis(-43_201_000));

    for (asked, expected) in [
        (query("dev/engineers", json!({})), "allow: engineers-read"),
        (query("dev/contractors", contractor), "allow: contractors-see-engineering"),
        (query("dev/contractors", json!({"department": "board", "limit": 1})), "policy.no_permit"),
        (query("dev/contractors", json!({})), "policy.no_permit"),
        (probe(1), "allow: ci-probes"),
        (probe(2), "policy.no_permit"),
        (query("dev/reviewers", json!({})), "policy.no_permit"),
        (old, "policy.forbidden: no-old-tokens"),
        (delete(), "ask dev/reviewers: deletion-needs-a-reviewer"),
        (approved, "allow: engineers-delete"),
        (outside, "policy.forbidden: deletion-needs-a-reviewer production-writes-from-the-office"),
    ] {
        assert_eq!(
            asked.of(&policies),
            expected,
            "{:?} {}",
            asked.identity.groups,
            asked.arguments
        );
    }
    for (group, action, expected) in [
        ("dev/contractors", list("query_employees"), "allow: contractors-see-engineering"),
        ("dev/contractors", list("list_payments"), "policy.no_permit"),
        ("dev/engineers", list("delete_employee"), "allow: engineers-delete"),
        ("dev/reviewers", list("query_employees"), "policy.no_permit"),
        (
            "dev/engineers",
            Action::ServerRequest("elicitation/create".to_owned()),
            "allow: engineers-answer-forms",
        ),
        (
            "dev/engineers",
            Action::ServerRequest("sampling/createMessage".to_owned()),
            "server_request.denied",
        ),
        ("dev/ci", Action::Protocol, "allow"),
        ("dev/engineers", Action::SetLogLevel, "policy.no_permit"),
    ] {
        assert_eq!(Asked::new(group, action.clone()).of(&policies), expected, "{group} {action:?}");
    }
}

#[test]
fn names_match_byte_for_byte() {
    let policies = compile(r#"permit(principal, action in Action::"call_tool", resource);"#);
    let allowed = "allow: test.cedar:1";
    let unknown = "target.unknown";
    for (row, tool, expected) in [
        ("twin", "delete_employee", allowed),
        ("P1", "Delete_employee", unknown),
        ("P2 cyrillic", "d\u{435}lete_employee", unknown),
        ("P2 full width", "\u{ff44}elete_employee", unknown),
        ("P2 joiner", "delete\u{200d}_employee", unknown),
        ("P2 soft hyphen", "delete_emplo\u{ad}yee", unknown),
        ("P3 space", "delete_employee ", unknown),
        ("P3 newline", "delete_employee\n", unknown),
        ("P3 NUL", "delete_employee\0", unknown),
        ("P4", "staff/delete_employee", unknown),
        ("P28", "no_such_tool", unknown),
        ("empty", "", unknown),
    ] {
        for action in [call(tool), list(tool)] {
            assert_eq!(Asked::new("dev/any", action).of(&policies), expected, "{row}");
        }
    }
}

#[test]
fn connections_never_mix() {
    let other = ConnectionShape {
        name: name("other"),
        labels: Default::default(),
        tools: Some(vec![tool("query_employees", json!({}), json!([]))]),
    };
    let waiting = ConnectionShape { name: name("new"), labels: Default::default(), tools: None };
    let text = r#"permit(principal, action == Action::"staff/query_employees", resource);
        permit(principal, action == Action::"read_resource", resource == Connection::"new");"#;
    let policies = try_compile(text, &[staff(), other, waiting]).unwrap().policies;
    let at = |connection, action| Asked {
        connection: name(connection),
        ..Asked::new("dev/any", action)
    };
    let read = || Action::ReadResource("file:///x".to_owned());
    for (row, asked, expected) in [
        ("twin", at("staff", call("query_employees")), "allow: test.cedar:1"),
        ("P5 same tool elsewhere", at("other", call("query_employees")), "policy.no_permit"),
        ("unknown connection", at("none", call("query_employees")), "connection.unknown"),
        ("no catalogue", at("new", call("query_employees")), "connection.catalogue_missing"),
        ("no catalogue, no tool", at("new", read()), "allow: test.cedar:2"),
        ("other resource", at("staff", read()), "policy.no_permit"),
    ] {
        assert_eq!(asked.of(&policies), expected, "{row}");
    }
}

/// P11, P12: every kind of action has its own permission.
#[test]
fn every_kind_has_its_own_permit() {
    let text = String::from;
    let actions = [
        Action::ReadResource(text("a")),
        Action::SubscribeResource(text("a")),
        Action::GetPrompt(text("a")),
        Action::Complete(text("a")),
        Action::Subscribe,
        Action::Task(text("a")),
        Action::SetLogLevel,
        Action::ServerRequest(text("a")),
    ];
    for granted in &actions {
        let kind = granted.kind();
        let policies =
            compile(&format!("permit(principal, action == Action::\"{kind}\", resource);"));
        for action in &actions {
            let allowed = Asked::new("dev/any", action.clone()).of(&policies).starts_with("allow");
            assert_eq!(allowed, action == granted, "{kind} {action:?}");
        }
        assert_eq!(
            Asked::new("dev/any", call("query_employees")).of(&policies),
            "policy.no_permit"
        );
    }
}

#[test]
fn context_says_what_is_known_of_the_call() {
    let mut asked = Asked::new("dev/any", Action::ReadResource("file:///srv/a".to_owned()));
    asked.identity.client = Some("ide".to_owned());
    asked.identity.claims = [
        ("department".to_owned(), ClaimValue::Text("hr".to_owned())),
        ("level".to_owned(), ClaimValue::Number(7)),
        ("admin".to_owned(), ClaimValue::Flag(false)),
        ("roles".to_owned(), ClaimValue::List(vec!["a".to_owned(), "b".to_owned()])),
    ]
    .into();
    asked.facts = vec!["sql.ddl".to_owned()];
    for (condition, expected) in [
        ("context.target like \"file:///srv/*\"", true),
        ("context.target == \"file:///srv\"", false),
        ("context.issuer == \"dev\"", true),
        ("context has client && context.client == \"ide\"", true),
        ("context has token_age_s && context.token_age_s == 60", true),
        ("context has token_lifetime_s && context.token_lifetime_s == 300", true),
        ("context.facts.contains(\"sql.ddl\")", true),
        ("context.facts.contains(\"sql\")", false),
        ("context.approvals.contains(Group::\"dev/any\")", false),
        ("principal == User::\"dev/ann\"", true),
        ("principal == User::\"dev/bob\"", false),
        ("principal.hasTag(\"department\") && principal.getTag(\"department\") == [\"hr\"]", true),
        ("principal.hasTag(\"level\") && principal.getTag(\"level\").contains(\"7\")", true),
        ("principal.hasTag(\"admin\") && principal.getTag(\"admin\").contains(\"false\")", true),
        ("principal.hasTag(\"roles\") && principal.getTag(\"roles\").contains(\"b\")", true),
        ("principal.hasTag(\"none\")", false),
        ("resource.labels has env && resource.labels.env == \"production\"", true),
        // P22: time is UTC and counted, not read off a wall: no summer time, no leap day.
        ("context.time == datetime(\"2026-11-23T12:00:00Z\")", true),
        ("context.time.toTime() >= duration(\"12h\")", true),
        ("context.time.toTime() < duration(\"12h\")", false),
        // P23
        ("context.peer.isLoopback()", true),
        ("context.peer == ip(\"127.0.0.1\")", true),
    ] {
        let text = format!(
            "permit(principal, action == Action::\"read_resource\", resource) when {{ {condition} }};"
        );
        let verdict = asked.of(&compile(&text));
        assert_eq!(verdict.starts_with("allow"), expected, "{condition}: {verdict}");
    }
}

/// P23: a caller over IPv4 is judged by its IPv4 address on a dual-stack socket too.
#[test]
fn mapped_addresses_are_what_they_map() {
    let policies = compile(
        r#"permit(principal, action, resource) when { context.peer.isInRange(ip("10.0.0.0/8")) };"#,
    );
    for (peer, expected) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("::ffff:11.1.2.3", false),
        ("::10.1.2.3", false),
        ("2001:db8::1", false),
    ] {
        let peer: IpAddr = peer.parse().unwrap();
        let asked = Asked { peer, ..Asked::new("dev/any", Action::Subscribe) };
        assert_eq!(asked.of(&policies).starts_with("allow"), expected, "{peer}");
    }
}

/// A connection with one tool `t` that has an argument of every shape.
fn typed_connection() -> ConnectionShape {
    let properties = json!({
        "count": {"type": "integer"},
        "amount": {"type": "number"},
        "text": {"type": "string"},
        "flag": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "deep": {"type": "object", "properties": {"x": {"$ref": "#/$defs/count"}}},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "union": {"type": ["string", "integer"]},
        "free": {"type": "object"},
        "__proto__": {"type": "string"},
    });
    let mut shape = tool("t", properties, json!(["count"]));
    shape.input_schema["$defs"] = json!({"count": {"type": "integer"}});
    ConnectionShape { tools: Some(vec![shape]), ..staff() }
}

#[test]
fn arguments_are_compared_exactly_or_denied() {
    let connection = typed_connection();
    let error = "policy.error";
    for (row, condition, arguments, expected) in [
        ("long", "a.count == 9007199254740993", r#"{"count":9007199254740993}"#, "allow"),
        ("J10 2^53", "a.count == 9007199254740992", r#"{"count":9007199254740993}"#, "no"),
        ("J10 2^64", "a.count > 5", r#"{"count":18446744073709551616}"#, error),
        ("J10 1E2", "a.count > 5", r#"{"count":1E2}"#, error),
        ("J10 text", "a.count > 5", r#"{"count":"7"}"#, error),
        ("missing", "a.count > 5", r#"{}"#, "policy.error: test.cedar:1"),
        ("null", "a.count > 5", r#"{"count":null}"#, error),
        ("unread mismatch", "a.count > 5", r#"{"count":7,"text":5}"#, "allow"),
        ("decimal", "a has amount && a.amount == decimal(\"1.5\")", r#"{"amount":1.50}"#, "allow"),
        ("whole", "a has amount && a.amount == decimal(\"2.0\")", r#"{"amount":2}"#, "allow"),
        (
            "J10 digits",
            "a has amount && a.amount == decimal(\"1.5\")",
            r#"{"amount":1.50001}"#,
            error,
        ),
        ("J10 1e400", "a has amount && a.amount == decimal(\"1.5\")", r#"{"amount":1e400}"#, error),
        (
            "huge",
            "a has amount && a.amount == decimal(\"1.5\")",
            r#"{"amount":922337203685478}"#,
            error,
        ),
        ("text", "a has text && a.text like \"*b\"", r#"{"text":"ab"}"#, "allow"),
        ("P6 array", "a has text && a.text like \"*b\"", r#"{"text":["ab"]}"#, error),
        ("flag", "a has flag && a.flag", r#"{"flag":true}"#, "allow"),
        ("set", "a has tags && a.tags.contains(\"b\")", r#"{"tags":["a","b"]}"#, "allow"),
        ("mixed set", "a has tags && a.tags.contains(\"b\")", r#"{"tags":["b",1]}"#, error),
        ("record", "a has deep.x && a.deep.x == 1", r#"{"deep":{"x":1}}"#, "allow"),
        ("record depth", "a has deep.x && a.deep.x == 1", r#"{"deep":{"x":"1"}}"#, error),
        ("nullable", "a has maybe", r#"{"maybe":null}"#, "no"),
        ("nullable twin", "a has maybe && a.maybe == 1", r#"{"maybe":1}"#, "allow"),
        ("union", "a has union && a.union == \"5\"", r#"{"union":5}"#, "allow"),
        (
            "free",
            "a has free && a.free == \"{\\\"a\\\":1,\\\"b\\\":2}\"",
            r#"{"free":{"b":2,"a":1}}"#,
            "allow",
        ),
        ("J9", "a has __proto__ && a.__proto__ == \"x\"", r#"{"__proto__":"x"}"#, "allow"),
        ("no object", "a.count > 5", r#"[1]"#, error),
        ("no arguments", "a has text", "null", "no"),
    ] {
        let condition =
            condition.replace("a.", "context.arguments.").replace("a has", "context.arguments has");
        let text = format!(
            "permit(principal, action == Action::\"staff/t\", resource) when {{ {condition} }};"
        );
        let policies = try_compile(&text, std::slice::from_ref(&connection));
        let policies = policies.unwrap_or_else(|e| panic!("{row}: {:#?}", e.faults)).policies;
        let arguments = serde_json::from_str(arguments).unwrap();
        let verdict = Asked::tool("dev/any", "t", arguments).of(&policies);
        let expected = match expected {
            "allow" => "allow: test.cedar:1",
            "no" => "policy.no_permit",
            other => other,
        };
        assert_eq!(verdict, expected, "{row}");
    }
}

/// J9: what the schema doesn't declare is still in the text.
#[test]
fn undeclared_arguments_stand_in_the_text() {
    let policies = compile(
        r#"permit(principal, action, resource);
        forbid(principal, action in Action::"call_tool", resource)
        when { context.arguments_json like "*\"constructor\"*" };"#,
    );
    for (arguments, expected) in [
        (json!({"limit": 1}), "allow: test.cedar:1"),
        (json!({"limit": 1, "constructor": {}}), "policy.forbidden: test.cedar:2"),
        (json!({"limit": [{"constructor": 1}]}), "policy.forbidden: test.cedar:2"),
    ] {
        assert_eq!(Asked::tool("dev/any", "query_employees", arguments).of(&policies), expected);
    }
}

#[test]
fn an_ask_needs_every_forbid_to_name_approvers() {
    let held = |name: &str, groups: &str, unless: &str| {
        format!(
            "@id(\"{name}\") @approvers(\"{groups}\") \
             forbid(principal, action, resource) unless {{ {unless} }};"
        )
    };
    let permit = "@id(\"p\") permit(principal, action, resource);";
    let a = held("a", "dev/a", "context.approvals.contains(Group::\"dev/a\")");
    let b = held("b", "dev/b", "context.approvals.contains(Group::\"dev/b\")");
    let never = held("never", "dev/a", "context.approvals.contains(Group::\"dev/z\")");
    let both = held(
        "both",
        "dev/b, dev/a",
        "context.approvals.containsAll([Group::\"dev/a\", Group::\"dev/b\"])",
    );
    let plain = "@id(\"plain\") forbid(principal, action, resource);";
    for (row, parts, approvals, expected) in [
        ("held", vec![permit, &a], vec![], "ask dev/a: a"),
        ("granted", vec![permit, &a], vec!["dev/a"], "allow: p"),
        ("wrong grant", vec![permit, &a], vec!["dev/b"], "ask dev/a: a"),
        ("two", vec![permit, &a, &b], vec![], "ask dev/a dev/b: a b"),
        ("one of two", vec![permit, &a, &b], vec!["dev/a"], "ask dev/b: b"),
        ("list", vec![permit, &both], vec!["dev/a"], "ask dev/b: both"),
        ("plain forbid too", vec![permit, &a, plain], vec![], "policy.forbidden: a plain"),
        ("no permit", vec![&a], vec![], "policy.forbidden: a"),
        ("approval changes nothing", vec![permit, &never], vec![], "policy.forbidden: never"),
    ] {
        let policies = compile(&parts.join("\n"));
        let mut asked = Asked::new("dev/any", Action::Subscribe);
        asked.approvals = approvals.into_iter().map(group).collect();
        assert_eq!(asked.of(&policies), expected, "{row}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_denied() {
    let overflow = "9223372036854775807 + context.arguments.limit > 0";
    for (row, text) in [
        (
            "permit",
            format!(
                "permit(principal, action, resource);
            permit(principal, action == Action::\"staff/query_employees\", resource)
            when {{ context.arguments has limit && {overflow} }};"
            ),
        ),
        (
            "forbid",
            format!(
                "permit(principal, action, resource);
            forbid(principal, action == Action::\"staff/query_employees\", resource)
            when {{ context.arguments has limit && {overflow} }};"
            ),
        ),
    ] {
        let policies = compile(&text);
        let asked = |limit| Asked::tool("dev/any", "query_employees", json!({"limit": limit}));
        assert_eq!(asked(1).of(&policies), "policy.error: test.cedar:2", "{row}");
        assert!(!asked(0).of(&policies).starts_with("policy.error"), "{row} twin");
        let explanation = policies.explain(&asked(1).question());
        assert!(explanation.notes[0].contains("integer overflow"), "{:?}", explanation.notes);
    }
}

#[test]
fn lists_show_what_could_be_called_and_nothing_else() {
    let permit = r#"permit(principal, action in Action::"call_tool", resource) "#;
    let forbid = r#"forbid(principal, action == Action::"staff/query_employees", resource) "#;
    let only = r#"permit(principal, action == Action::"staff/query_employees", resource) "#;
    for (row, text, shown) in [
        ("P28 denied", format!("{permit};{forbid};"), false),
        ("nothing permits", String::new(), false),
        (
            "other group",
            permit.replace("principal,", "principal in Group::\"dev/x\",") + ";",
            false,
        ),
        ("plain", format!("{permit};"), true),
        ("maybe permit", format!("{only} when {{ context.arguments has limit }};"), true),
        (
            "maybe forbid",
            format!("{permit};{forbid} when {{ context.arguments has limit }};"),
            true,
        ),
        ("has on the context", format!("{only} when {{ context has arguments }};"), true),
        ("no arguments", format!("{only} unless {{ context has arguments }};"), true),
        ("forbid by has", format!("{permit};{forbid} unless {{ context has facts }};"), true),
        ("facts", format!("{permit};{forbid} when {{ context.facts.contains(\"x\") }};"), true),
        (
            "known part refutes",
            format!("{only} when {{ context.issuer == \"x\" && context.arguments has limit }};"),
            false,
        ),
        (
            "known part forbids",
            format!("{permit};{forbid} when {{ context.issuer == \"dev\" }};"),
            false,
        ),
        ("text", format!("{only} when {{ context.arguments_json == \"{{}}\" }};"), true),
        (
            "other group, opaque",
            format!(
                "{} when {{ context has arguments }};",
                only.replace("principal,", "principal in Group::\"dev/x\",")
            ),
            false,
        ),
    ] {
        let verdict = Asked::new("dev/any", list("query_employees")).of(&compile(&text));
        assert_eq!(verdict.starts_with("allow"), shown, "{row}: {verdict}");
    }
}

#[test]
fn templates_are_listed_unless_every_target_is_denied() {
    let permit = r#"permit(principal, action == Action::"read_resource", resource)"#;
    let text = format!("{permit} when {{ context.target like \"file:///srv/*\" }};");
    let policies = compile(&text);
    for (uri, expected) in
        [("file:///srv/a", true), ("file:///etc/passwd", false), ("file:///{path}", true)]
    {
        let action = Action::ListResource(uri.to_owned());
        let shown = Asked::new("dev/any", action).of(&policies).starts_with("allow");
        assert_eq!(shown, expected, "{uri}");
        let action = Action::ReadResource(uri.to_owned());
        let readable = Asked::new("dev/any", action).of(&policies).starts_with("allow");
        assert_eq!(readable, uri == "file:///srv/a", "{uri}");
    }
}

#[test]
fn explain_names_policies_and_what_is_missing() {
    let policies = compile(STAFF);
    let explained =
        policies.explain(&Asked::tool("dev/contractors", "list_payments", json!({})).question());
    insta::assert_snapshot!(explained.notes.join("\n"), @r#"no policy permits `staff/list_payments` for User::"dev/ann", in `dev/contractors`"#);
    let explained =
        policies.explain(&Asked::tool("dev/contractors", "list_payment", json!({})).question());
    insta::assert_snapshot!(explained.notes.join("\n"), @r#"
    there is no accepted tool `staff/list_payment`
    did you mean `list_payments`?
    "#);
    let mut asked = Asked::tool("dev/engineers", "delete_employee", json!({"employee_id": 1}));
    asked.identity = identity(&["dev/engineers", "dev/ci"]);
    let explained = policies.explain(&asked.question());
    insta::assert_snapshot!(explained.notes.join("\n"), @"it would be allowed once approved by `dev/reviewers`");
    let [policy] = explained.policies.as_slice() else { panic!("{:?}", explained.policies) };
    assert_eq!((policy.file.as_str(), policy.line), ("test.cedar", 60));
    assert!(policy.text.starts_with("@id(\"deletion-needs-a-reviewer\")"), "{}", policy.text);
    assert!(policy.text.ends_with("};"), "{}", policy.text);
}

#[test]
fn the_starter_is_valid_and_grants_the_group() {
    let waiting = ConnectionShape { tools: None, ..staff() };
    for shape in [staff(), waiting] {
        let text = starter(&shape, &group("dev/odd \"name\""));
        let compiled = try_compile(&text, &[staff()]).unwrap();
        assert!(compiled.warnings.is_empty(), "{:?}", compiled.warnings);
        let mut asked = Asked::new("dev/odd", call("list_payments"));
        assert_eq!(asked.of(&compiled.policies), "policy.no_permit");
        asked.identity = identity(&["dev/odd \"name\""]);
        assert_eq!(asked.of(&compiled.policies), "allow: staff-tools");
        // What it offers as a comment is valid too.
        let active = text.replace("\n// @id", "\n@id").replace("\n// ", "\n").replace("\n//", "\n");
        let active = active.split_once("@id(\"staff-hours\")").unwrap().1;
        try_compile(&format!("@id(\"staff-hours\"){active}"), &[staff()]).unwrap();
    }
}

#[test]
fn workloads_are_no_users() {
    let policies = compile(
        "@id(\"people\") permit (principal is User in Group::\"dev/ops\", action, resource);
         @id(\"jobs\") permit (principal is Workload, action == Action::\"staff/query_employees\",
             resource)
         when { principal.hasTag(\"environment\") &&
                principal.getTag(\"environment\").contains(\"production\") };
         @id(\"one\") permit (principal == Workload::\"ci/ann\",
             action == Action::\"staff/list_payments\", resource);",
    );
    let asked = |identity, tool: &str| Asked {
        identity,
        ..Asked::tool("dev/none", tool, json!({"employee_id": 1}))
    };
    let mut production = job(&["dev/ops"]);
    let environment = ClaimValue::Text("production".to_owned());
    production.claims.insert("environment".to_owned(), environment);
    let person = identity(&["dev/ops"]);
    let rows = [
        (person.clone(), "query_employees", "allow: people"),
        (production.clone(), "query_employees", "allow: jobs"),
        (job(&["dev/ops"]), "query_employees", "policy.no_permit"),
        (production, "list_payments", "allow: one"),
        (person, "list_payments", "allow: people"),
        (job(&["dev/ops"]), "delete_employee", "policy.no_permit"),
    ];
    for (identity, tool, expected) in rows {
        let kind = identity.kind;
        assert_eq!(asked(identity, tool).of(&policies), expected, "{kind:?} {tool}");
    }
}

#[test]
fn a_permit_ends_at_its_time() {
    let end = "2026-11-23T12:00:00Z";
    let text = format!(
        "@id(\"brief\") @owner(\"ann\") @reason(\"audit\") @until(\"{end}\")
         permit (principal in Group::\"dev/any\", action, resource);
         @id(\"conditional\") @until(\"{end}\")
         permit (principal in Group::\"dev/any\", action, resource)
         when {{ context.issuer == \"dev\" }};
         @id(\"lasting\") permit (principal in Group::\"dev/ops\", action, resource);"
    );
    let policies = compile(&text);
    let asked = |group: &str, action: Action, at_ms: i64| Asked {
        now: NOON.plus_millis(at_ms),
        ..Asked::new(group, action)
    };
    for action in [call("query_employees"), list("query_employees"), Action::Subscribe] {
        let rows = [
            ("dev/any", -1, "allow: brief conditional"),
            ("dev/any", 0, "policy.no_permit"),
            ("dev/any", 86_400_000, "policy.no_permit"),
            ("dev/ops", 0, "allow: lasting"),
            // A clock that steps back gives back what had not ended by then.
            ("dev/any", -1, "allow: brief conditional"),
        ];
        for (group, at_ms, expected) in rows {
            let found = asked(group, action.clone(), at_ms).of(&policies);
            assert_eq!(found, expected, "{group} {action:?} at {at_ms}");
        }
    }
    let late = asked("dev/any", call("query_employees"), 0);
    let notes = policies.explain(&late.question()).notes;
    assert!(notes.contains(&format!("the permit `brief` ended at {end}; ask ann")), "{notes:?}");
    let standing = policies.standing();
    let ends: Vec<_> =
        standing.iter().map(|one| (&*one.id, one.owner.as_deref(), one.until)).collect();
    let expected = [
        ("brief", Some("ann"), Some(NOON)),
        ("conditional", None, Some(NOON)),
        ("lasting", None, None),
    ];
    assert_eq!(ends, expected);
    let why: Vec<_> = standing.iter().map(|one| one.reason.as_deref()).collect();
    assert_eq!(why, [Some("audit"), None, None]);
}

#[test]
fn paths_are_told_apart_by_whom_they_are_about() {
    let policies = compile(
        "@id(\"a\") permit (principal in Group::\"dev/a\", action == Action::\"subscribe\", resource);
         @id(\"a2\") permit (principal in Group::\"dev/a\", action in Action::\"call_tool\", resource);
         @id(\"b\") permit (principal in Group::\"dev/b\", action, resource);
         @id(\"me\") permit (principal == User::\"dev/ann\", action, resource);
         @id(\"old\") @until(\"2026-11-23T12:00:00Z\") permit (principal, action, resource);
         @id(\"shown\") permit (principal is User, action == Action::\"reveal\", resource);
         forbid (principal in Group::\"dev/c\", action, resource);",
    );
    let paths = |groups: &[&str], connection: &str, now| {
        let paths = policies.paths(&identity(groups), &name(connection), now);
        let paths =
            paths.iter().map(|path| format!("{} {}", path.through, path.policies.join(" ")));
        paths.collect::<Vec<_>>()
    };
    let (one, me) = ("Group::\"dev/a\" a a2", "User::\"dev/ann\" me");
    assert_eq!(paths(&["dev/a"], "staff", NOON), [one, me]);
    assert_eq!(paths(&["dev/a", "dev/b"], "staff", NOON), [one, "Group::\"dev/b\" b", me]);
    let before = paths(&["dev/c"], "staff", NOON.plus_millis(-1));
    assert_eq!(before, [me, "everybody old"]);
}

/// Weekdays from nine to five in Berlin, on both sides of every change of its clocks.
#[test]
fn row_p22_time_windows_follow_the_clock_on_the_wall() {
    let policies = compile(
        "permit (principal, action, resource) when {
             [\"monday\", \"tuesday\", \"wednesday\", \"thursday\", \"friday\", \"sunday\"]
                 .contains(context.local[\"Europe/Berlin\"].weekday)
             && context.local[\"Europe/Berlin\"].hour >= 9
             && context.local[\"Europe/Berlin\"].hour < 17 };
         @id(\"leap\") permit (principal in Group::\"dev/leap\", action, resource)
         when { context.local[\"Asia/Kathmandu\"].date == \"2028-02-29\" };
         @id(\"gap\") permit (principal in Group::\"dev/gap\", action, resource)
         when { context.local[\"Europe/Berlin\"].date == \"2026-03-29\" &&
                context.local[\"Europe/Berlin\"].hour == 2 };
         @id(\"twice\") permit (principal in Group::\"dev/twice\", action, resource)
         when { context.local[\"Europe/Berlin\"].date == \"2026-10-25\" &&
                context.local[\"Europe/Berlin\"].hour == 2 &&
                context.local[\"Europe/Berlin\"].minute < 30 };",
    );
    let rows = [
        // Winter, summer, and the two days on which clocks are set: Sundays.
        ("dev/a", "2026-01-12T07:59:59.999Z", false),
        ("dev/a", "2026-01-12T08:00:00Z", true),
        ("dev/a", "2026-01-12T15:59:59Z", true),
        ("dev/a", "2026-01-12T16:00:00Z", false),
        ("dev/a", "2026-07-13T06:59:59Z", false),
        ("dev/a", "2026-07-13T07:00:00Z", true),
        ("dev/a", "2026-03-29T06:59:59Z", false),
        ("dev/a", "2026-03-29T07:00:00Z", true),
        ("dev/a", "2026-10-25T07:59:59Z", false),
        ("dev/a", "2026-10-25T08:00:00Z", true),
        ("dev/a", "2026-01-17T10:00:00Z", false),
        // Midnight there is not midnight here.
        ("dev/leap", "2028-02-28T18:14:59Z", false),
        ("dev/leap", "2028-02-28T18:15:00Z", true),
        ("dev/leap", "2028-02-29T18:14:59Z", true),
        ("dev/leap", "2028-02-29T18:15:00Z", false),
        // An hour that no clock shows, and one that clocks show twice.
        ("dev/gap", "2026-03-29T00:59:59Z", false),
        ("dev/gap", "2026-03-29T01:00:00Z", false),
        ("dev/twice", "2026-10-25T00:10:00Z", true),
        ("dev/twice", "2026-10-25T00:40:00Z", false),
        ("dev/twice", "2026-10-25T01:10:00Z", true),
        // A clock that steps back.
        ("dev/twice", "2026-10-25T00:10:00Z", true),
    ];
    for (group, time, expected) in rows {
        let now: jiff::Timestamp = time.parse().unwrap();
        let now = lockgate_model::Timestamp::from_millis(now.as_millisecond());
        for action in [call("query_employees"), list("query_employees")] {
            let asked = Asked { now, ..Asked::new(group, action) };
            assert_eq!(asked.of(&policies).starts_with("allow"), expected, "{group} {time}");
        }
    }
}
