//! Output schemas that masked answers still satisfy: what a schema says of the form of texts and
//! numbers is taken out, what it says of members and items stays. Clients check answers against it
//! (2025-06-18 and later, "Structured Content"), and fail the call where one does not fit.

use serde_json::{Map, Value};

/// Keywords (JSON Schema 2020-12 and before) about the form of a text or number, which what stands in
/// its place may not have, and those whose sense turns around where a schema below is loosened.
const DROPPED: [&str; 24] = [
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "enum",
    "const",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "uniqueItems",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "maxContains",
    "default",
];
/// Keywords that hold one schema for each name.
const NAMED: [&str; 4] = ["properties", "$defs", "definitions", "dependentSchemas"];
/// Keywords that hold a schema, or a list of them.
const NESTED: [&str; 7] =
    ["items", "additionalItems", "prefixItems", "anyOf", "oneOf", "allOf", "contains"];
/// Schemas within schemas; what is deeper says nothing any more.
const DEPTH_MAX: usize = 64;

/// The schema, loosened. Never refuses what the schema itself allows.
pub(super) fn loosen(schema: &Value) -> Value {
    within(schema, 0)
}

fn within(schema: &Value, depth: usize) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    if depth >= DEPTH_MAX {
        return Value::Bool(true);
    }
    let mut loose = Map::new();
    for (keyword, value) in members {
        let keyword = keyword.as_str();
        let (keyword, value) = match keyword {
            _ if DROPPED.contains(&keyword) => continue,
            "type" => (keyword, kind(value)),
            // A masked key is a member that nobody named.
            "additionalProperties" if value == &Value::Bool(false) => continue,
            "additionalProperties" => (keyword, within(value, depth + 1)),
            // Two alternatives that differed in a constant may both fit now.
            "oneOf" if members.contains_key("anyOf") => continue,
            "oneOf" => ("anyOf", nested(value, depth)),
            _ if NAMED.contains(&keyword) => (keyword, named(value, depth)),
            _ if NESTED.contains(&keyword) => (keyword, nested(value, depth)),
            _ => (keyword, value.clone()),
        };
        loose.insert(keyword.to_owned(), value);
    }
    Value::Object(loose)
}

fn named(value: &Value, depth: usize) -> Value {
    let Value::Object(schemas) = value else { return value.clone() };
    let schemas = schemas.iter().map(|(name, schema)| (name.clone(), within(schema, depth + 1)));
    Value::Object(schemas.collect())
}

fn nested(value: &Value, depth: usize) -> Value {
    match value {
        Value::Array(schemas) => schemas.iter().map(|schema| within(schema, depth + 1)).collect(),
        schema => within(schema, depth + 1),
    }
}

/// Where a number may stand, so may a text.
fn kind(value: &Value) -> Value {
    let mut kinds: Vec<Value> = match value {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    let numeric = kinds.iter().any(|kind| kind == "number" || kind == "integer");
    if numeric && !kinds.iter().any(|kind| kind == "string") {
        kinds.push("string".into());
        return Value::Array(kinds);
    }
    value.clone()
}
