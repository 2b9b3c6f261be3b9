//! The Cedar schema of one connection: what its policies are checked against.
//!
//! Each connection has its own, so that a policy for one connection is never checked against the
//! arguments of another one's tools.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::SchemaFragment;
use lockgate_model::ConnectionName;
use serde_json::{Map, Value, json};

use super::{
    ConnectionShape,
    shape::{self, Field},
    vocabulary::{CALL_TOOL, KINDS, ON_DATA, PRINCIPALS, tool_action},
    zones,
};

/// A connection with the argument types of its tools.
pub(super) struct Typed<'a> {
    pub(super) name: &'a ConnectionName,
    pub(super) labels: &'a BTreeMap<String, String>,
    /// `None` while the catalogue is not known.
    pub(super) tools: Option<Vec<(&'a str, Vec<Field>)>>,
}

impl<'a> Typed<'a> {
    pub(super) fn new(shape: &'a ConnectionShape) -> Self {
        let tools = shape.tools.as_ref().map(|tools| {
            tools
                .iter()
                .map(|tool| (tool.name.as_str(), shape::arguments(&tool.input_schema)))
                .collect()
        });
        Self { name: &shape.name, labels: &shape.labels, tools }
    }
}

/// In Cedar's JSON form. `labels` are those of all connections; `foreign` are actions of other
/// connections that the checked policies mention, and that no call of this one is; `zones` are the time
/// zones that they name.
pub(super) fn json(
    connection: &Typed<'_>,
    labels: &BTreeSet<&str>,
    foreign: &BTreeSet<String>,
    zones: &BTreeSet<&str>,
) -> Value {
    let text = json!({"type": "String"});
    let label = |name: &&str| ((*name).to_owned(), json!({"type": "String", "required": false}));
    let labels: Map<String, Value> = labels.iter().map(label).collect();
    let labels = json!({"type": "Record", "attributes": labels});
    let principal = json!({"memberOfTypes": ["Group"], "tags": {"type": "Set", "element": text}});
    let entity_types = json!({
        "User": principal,
        "Workload": principal,
        "Group": {},
        "Connection": {"shape": {"type": "Record", "attributes": {"labels": labels}}},
    });

    let mut actions = Map::new();
    actions.insert(CALL_TOOL.to_owned(), json!({}));
    for action in foreign {
        actions.insert(action.clone(), json!({}));
    }
    for (kind, has_target) in KINDS {
        let mut context = common_context(zones);
        if has_target {
            context.insert("target".to_owned(), text.clone());
        }
        if ON_DATA.contains(&kind) {
            let classes = json!({"type": "Set", "element": text});
            context.insert("classes".to_owned(), classes);
        }
        actions.insert(kind.to_owned(), action(context, json!([])));
    }
    for (tool, fields) in connection.tools.iter().flatten() {
        let mut context = common_context(zones);
        context.insert("arguments".to_owned(), shape::record_type(fields));
        context.insert("arguments_json".to_owned(), text.clone());
        let parents = json!([{"id": CALL_TOOL}]);
        actions.insert(tool_action(connection.name, tool), action(context, parents));
    }
    json!({"": {"entityTypes": entity_types, "actions": actions}})
}

/// As Cedar text, for people.
pub(super) fn text(connection: &Typed<'_>) -> String {
    let labels = connection.labels.keys().map(String::as_str).collect();
    let json = json(connection, &labels, &BTreeSet::new(), &BTreeSet::new());
    let cedar = SchemaFragment::from_json_value(json.clone())
        .ok()
        .and_then(|fragment| fragment.to_cedarschema().ok());
    cedar.unwrap_or_else(|| format!("{json:#}"))
}

fn action(context: Map<String, Value>, parents: Value) -> Value {
    json!({
        "memberOf": parents,
        "appliesTo": {
            "principalTypes": PRINCIPALS,
            "resourceTypes": ["Connection"],
            "context": {"type": "Record", "attributes": context},
        },
    })
}

fn common_context(zones: &BTreeSet<&str>) -> Map<String, Value> {
    let attributes = json!({
        "time": {"type": "Extension", "name": "datetime"},
        "local": zones::schema(zones.iter().copied()),
        "peer": {"type": "Extension", "name": "ipaddr"},
        "issuer": {"type": "String"},
        "client": {"type": "String", "required": false},
        "token_age_s": {"type": "Long", "required": false},
        "token_lifetime_s": {"type": "Long", "required": false},
        "facts": {"type": "Set", "element": {"type": "String"}},
        "tables": {"type": "Set", "element": {"type": "String"}},
        "columns": {"type": "Set", "element": {"type": "String"}},
        "earlier": {"type": "Set", "element": {"type": "String"}},
        "approvals": {"type": "Set", "element": {"type": "Entity", "name": "Group"}},
    });
    match attributes {
        Value::Object(attributes) => attributes,
        _ => Map::new(),
    }
}
