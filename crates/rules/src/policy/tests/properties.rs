//! Properties over random policies and questions.

use std::{collections::BTreeMap, str::FromStr};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request,
};
use lockgate_model::{Action, IdentityKind, Verdict};
use proptest::{prelude::*, sample::select};
use serde_json::{Value, json};

use super::{Asked, ConnectionShape, compile, group, job, name, short, staff, tool, try_compile};

/// Conditions that touch everything that a list does not know, and things that it does.
const CONDITIONS: &[&str] = &[
    "true",
    "context.issuer == \"dev\"",
    "principal in Group::\"dev/a\"",
    "action in Action::\"call_tool\" && principal == User::\"dev/ann\"",
    "context has token_age_s && context.token_age_s > 5",
    "context.peer.isLoopback()",
    "principal is Workload",
    "principal == Workload::\"ci/ann\"",
    "context.facts.contains(\"sql.ddl\")",
    "context has facts",
    "context.approvals.contains(Group::\"dev/a\")",
    "context has arguments && context.arguments has n && context.arguments.n > 1",
    "context.arguments has n && context.arguments.n + 9223372036854775800 > 0",
    "context.arguments has s",
    "context.arguments has s && context.arguments.s like \"a*\"",
    "context.arguments_json like \"*x*\"",
    "context has arguments_json",
    "if context has arguments then false else true",
    "if context.facts.contains(\"x\") then context.issuer == \"x\" else true",
];

const SCOPES: &[&str] = &[
    "principal, action, resource",
    "principal in Group::\"dev/a\", action, resource",
    "principal in Group::\"dev/b\", action in Action::\"call_tool\", resource",
    "principal, action == Action::\"staff/t\", resource",
    "principal == User::\"dev/ann\", action in [Action::\"staff/t\", Action::\"staff/u\"], resource",
    "principal, action, resource == Connection::\"staff\"",
    "principal is User, action, resource is Connection",
    "principal is User in Group::\"dev/a\", action, resource in Connection::\"staff\"",
    "principal, action == Action::\"staff/u\", resource",
    "principal, action == Action::\"other/t\", resource",
    "principal, action in [Action::\"staff/u\", Action::\"other/t\"], resource",
    "principal, action in Action::\"call_tool\", resource == Connection::\"other\"",
    "principal, action == Action::\"subscribe\", resource",
    "principal in User::\"dev/ann\", action, resource",
    "principal == User::\"dev/bob\", action, resource",
    "principal == Group::\"dev/a\", action, resource",
    "principal is Group, action, resource",
    "principal is Group in Group::\"dev/a\", action, resource",
    "principal in Connection::\"staff\", action, resource",
    "principal, action, resource is User",
    "principal, action, resource in Group::\"dev/a\"",
    "principal, action, resource is User in Connection::\"staff\"",
    "principal, action in [], resource",
    "principal is Workload, action, resource",
    "principal is Workload in Group::\"dev/a\", action, resource",
    "principal == Workload::\"ci/ann\", action, resource",
    "principal in Workload::\"ci/ann\", action, resource",
    "principal is Workload in Workload::\"ci/ann\", action, resource",
    "principal is User in Workload::\"ci/ann\", action, resource",
];

fn connections() -> Vec<ConnectionShape> {
    let properties = json!({"n": {"type": "integer"}, "s": {"type": "string"}});
    let tools =
        Some(vec![tool("t", properties.clone(), json!([])), tool("u", properties, json!([]))]);
    let other = ConnectionShape { name: name("other"), tools: tools.clone(), ..staff() };
    vec![ConnectionShape { tools, ..staff() }, other]
}

fn clause() -> impl Strategy<Value = String> {
    (select(CONDITIONS), select(CONDITIONS), 0..6_u8).prop_map(|(a, b, join)| match join {
        0 => format!("when {{ ({a}) && ({b}) }}"),
        1 => format!("when {{ ({a}) || ({b}) }}"),
        2 => format!("when {{ {a} }} unless {{ {b} }}"),
        3 => format!("unless {{ {a} }}"),
        4 => String::new(),
        _ => format!("when {{ {a} }}"),
    })
}

fn policy() -> impl Strategy<Value = String> {
    let head = select(vec!["permit", "permit", "forbid", "@approvers(\"dev/a\") forbid"]);
    // Arguments exist only where the scope admits nothing but tools.
    (head, select(SCOPES), clause()).prop_map(|(head, scope, clause)| {
        let tools_only =
            scope.contains("call_tool") || scope.contains("/t") || scope.contains("/u\"");
        let clause = if tools_only || !clause.contains("arguments") {
            clause
        } else {
            "when { context.facts.contains(\"sql.ddl\") }".to_owned()
        };
        format!("{head}({scope}) {clause};")
    })
}

fn policies() -> impl Strategy<Value = String> {
    prop::collection::vec(policy(), 0..7).prop_map(|policies| policies.join("\n"))
}

fn arguments() -> impl Strategy<Value = Value> {
    let number = prop::option::of(0..10_i64);
    let text = prop::option::of(select(vec!["a", "x", "ax", ""]));
    (number, text).prop_map(|(n, s)| {
        let mut arguments = json!({});
        if let Some(n) = n {
            arguments["n"] = n.into();
        }
        if let Some(s) = s {
            arguments["s"] = s.into();
        }
        arguments
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    let groups = prop::sample::subsequence(vec!["dev/a", "dev/b"], 0..=2);
    let facts = prop::sample::subsequence(vec!["sql.ddl", "x"], 0..=2);
    let approvals = prop::sample::subsequence(vec!["dev/a"], 0..=1);
    let place = (select(vec!["staff", "other"]), select(vec!["t", "u"]), any::<bool>());
    (groups, facts, approvals, arguments(), place).prop_map(
        |(groups, facts, approvals, arguments, (connection, tool, is_job))| {
            let mut asked = Asked::tool("dev/none", tool, arguments);
            if is_job {
                asked.identity = job(&["dev/none"]);
            }
            asked.identity.groups.extend(groups.into_iter().map(group));
            asked.facts = facts.into_iter().map(str::to_owned).collect();
            asked.approvals = approvals.into_iter().map(group).collect();
            asked.connection = name(connection);
            asked
        },
    )
}

fn questions() -> impl Strategy<Value = Vec<Asked>> {
    prop::collection::vec(asked(), 20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What may be called, at once or after approval, is shown.
    #[test]
    fn a_list_shows_every_tool_that_can_be_called(text in policies(), many in questions()) {
        let policies = try_compile(&text, &connections()).unwrap().policies;
        for mut asked in many {
        let call = policies.judge(&asked.question());
        asked.action = Action::ListTool(asked.action.target().to_owned());
        // A list is asked without arguments, facts and approvals.
        (asked.arguments, asked.facts, asked.approvals) = (Value::Null, vec![], vec![]);
        let listed = policies.judge(&asked.question());
        if !matches!(call, Verdict::Deny(_)) {
            prop_assert!(listed.is_allow(), "{}: {} {}", text, short(&call), short(&listed));
        }
        }
    }

    /// A forbid that holds whatever the call says hides the tool.
    #[test]
    fn an_unconditional_forbid_hides_the_tool(text in policies(), many in questions()) {
        let text = format!("{text}\nforbid(principal, action in Action::\"call_tool\", resource);");
        let policies = try_compile(&text, &connections()).unwrap().policies;
        for mut asked in many {
            asked.action = Action::ListTool(asked.action.target().to_owned());
            prop_assert!(!policies.judge(&asked.question()).is_allow());
        }
    }

    /// Slicing and leaving out what nobody reads changes no decision: Cedar, given all policies
    /// and the whole question, says the same.
    #[test]
    fn a_slice_decides_as_the_full_set(text in policies(), many in questions()) {
        let policies = try_compile(&text, &connections()).unwrap().policies;
        for asked in many {
        let response = whole(&text, &asked);
        let verdict = policies.judge(&asked.question());
        if response.diagnostics().errors().next().is_some() {
            prop_assert!(short(&verdict).starts_with("policy.error"), "{}", short(&verdict));
        } else {
            let allowed = response.decision() == Decision::Allow;
            prop_assert_eq!(verdict.is_allow(), allowed, "{}: {}", text, short(&verdict));
        }
        prop_assert_eq!(policies.explain(&asked.question()).verdict, verdict);
        }
    }

    /// Whatever the arguments are, the policy sees them as they are or the call is denied.
    #[test]
    fn arguments_of_any_shape_are_seen_or_denied(many in prop::collection::vec(json_value(), 20)) {
        let policies = compile(
            "permit(principal, action, resource);
             forbid(principal, action == Action::\"staff/query_employees\", resource)
             when { context.arguments has limit && context.arguments.limit > 5 ||
                    context.arguments has department && context.arguments.department == \"x\" ||
                    context.arguments_json like \"*DROP*\" };",
        );
        for arguments in many {
        let verdict = Asked::tool("dev/any", "query_employees", arguments.clone()).of(&policies);
        if verdict.starts_with("allow") {
            let limit = arguments.get("limit").and_then(Value::as_i64);
            prop_assert!(limit.is_none_or(|limit| limit <= 5), "{arguments}");
        }
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop_oneof![Just("limit".to_owned()), Just("department".to_owned()), ".{0,4}"];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map: BTreeMap<_, _>| json!(map)),
        ]
    })
}

/// The question put to Cedar directly, with every policy, entity and context value there is.
fn whole(text: &str, asked: &Asked) -> cedar_policy::Response {
    let uid = |text: &str| EntityUid::from_str(text).unwrap();
    let action = uid(&format!("Action::\"{}/{}\"", asked.connection, asked.action.target()));
    let resource = uid(&format!("Connection::\"{}\"", asked.connection));
    let kind = if asked.identity.kind == IdentityKind::Workload { "Workload" } else { "User" };
    let user = uid(&format!("{kind}::\"{}/ann\"", asked.identity.issuer));
    let groups: Vec<_> =
        asked.identity.groups.iter().map(|group| uid(&format!("Group::\"{group}\""))).collect();
    let entities = [
        Entity::new_no_attrs(action.clone(), [uid("Action::\"call_tool\"")].into()),
        Entity::new_no_attrs(resource.clone(), Default::default()),
        Entity::new_no_attrs(user.clone(), groups.iter().cloned().collect()),
    ];
    let approvals: Vec<_> = asked
        .approvals
        .iter()
        .map(|group| json!({"__entity": {"type": "Group", "id": group.to_string()}}))
        .collect();
    let context = json!({
        "issuer": asked.identity.issuer, "token_age_s": 60, "token_lifetime_s": 300,
        "peer": {"__extn": {"fn": "ip", "arg": "127.0.0.1"}},
        "facts": asked.facts, "approvals": approvals,
        "arguments": asked.arguments, "arguments_json": asked.arguments.to_string(),
    });
    let context = Context::from_json_value(context, None).unwrap();
    let request = Request::new(user, action, resource, context, None).unwrap();
    let entities = Entities::from_entities(entities, None).unwrap();
    Authorizer::new().is_authorized(&request, &PolicySet::from_str(text).unwrap(), &entities)
}
