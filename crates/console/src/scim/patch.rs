//! A resource changed bit by bit (RFC 7644 §3.5.2), in the dialects that providers speak: operations in any
//! case, paths as keys of a value, texts for flags, members to be removed named by the value.
//!
//! What is asked of attributes that are not kept is read past, for the reasons of [`super::resource`].

use std::collections::HashSet;

use lockgate_store::directory::Kind;
use scim_v2::filter::{AttrExp, CompValue, CompareOp, PatchPath, PatchValuePath, ValFilter};
use serde_json::{Map, Value};

use super::{
    fault::Fault,
    filter::{FILTER_MAX_BYTES, has, place},
    resource::{self, Resource, kept, one},
    schema::{Attribute, attribute, urn},
};

/// Operations of one request.
const OPERATIONS_MAX: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// Carries out what a body asks for.
///
/// # Errors
/// [`Fault`], after which the resource is to be thrown away.
pub fn apply(kind: Kind, resource: &mut Resource, body: &[u8]) -> Result<(), Fault> {
    let mut body = lowered(resource::json(body)?, "the body")?;
    let Some(Value::Array(operations)) = body.shift_remove("operations") else {
        return Err(Fault::syntax("`Operations` is no list"));
    };
    if operations.len() > OPERATIONS_MAX {
        return Err(Fault::syntax(format!("there are more than {OPERATIONS_MAX} operations")));
    }
    for operation in operations {
        operate(kind, resource, lowered(operation, "an operation")?)?;
    }
    resource::check(kind, resource)
}

fn operate(
    kind: Kind,
    resource: &mut Resource,
    mut operation: Map<String, Value>,
) -> Result<(), Fault> {
    let word = operation.shift_remove("op");
    let verb = match word.as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(Fault::syntax("`op` must be add, replace or remove")),
    };
    let value = operation.shift_remove("value");
    match (operation.shift_remove("path"), verb, value) {
        (Some(Value::String(path)), _, value) => at(kind, resource, verb, &path, value),
        (Some(_), ..) => Err(Fault::path("`path` is no text")),
        (None, Verb::Remove, _) => Err(Fault::target("what is to be removed has no `path`")),
        (None, _, Some(Value::Object(values))) => {
            // Some send the whole resource, with its id.
            let is_read_only =
                |path: &str| attribute(kind, path).is_some_and(Attribute::is_read_only);
            for (path, value) in values.into_iter().filter(|(path, _)| !is_read_only(path)) {
                at(kind, resource, verb, &path, Some(value))?;
            }
            Ok(())
        }
        (None, ..) => Err(Fault::value("without `path`, `value` must be an object")),
    }
}

/// One operation at one path.
fn at(
    kind: Kind,
    resource: &mut Resource,
    verb: Verb,
    path: &str,
    value: Option<Value>,
) -> Result<(), Fault> {
    if path.len() > FILTER_MAX_BYTES {
        return Err(Fault::path(format!("a path has at most {FILTER_MAX_BYTES} bytes")));
    }
    // The whole schema of the resource as a path.
    if path.eq_ignore_ascii_case(urn(kind))
        && let Some(Value::Object(values)) = value
    {
        for (path, value) in values {
            at(kind, resource, verb, &path, Some(value))?;
        }
        return Ok(());
    }
    if path.eq_ignore_ascii_case("schemas") {
        return Ok(());
    }
    let path = path.trim().parse::<PatchPath>();
    let path = path.map_err(|error| Fault::path(format!("the path: {error}")))?;
    let (attr, inner) = match &path {
        PatchPath::Attr(attr) => (attr, None),
        PatchPath::Value(inner) => (&inner.attr, Some(inner)),
    };
    let Some((known, part)) = place(kind, attr) else { return Ok(()) };
    if known.is_read_only() {
        return Err(Fault::mutability(format!("`{}` can't be written", known.name)));
    }
    match (inner, part) {
        (Some(inner), None) => chosen(resource, verb, known, inner, value),
        (Some(_), Some(_)) => Err(Fault::path("a part has no parts")),
        (None, Some(part)) => parts(resource, verb, known, part, value),
        (None, None) => whole(resource, verb, known, value),
    }
}

/// A whole attribute.
fn whole(
    resource: &mut Resource,
    verb: Verb,
    known: &'static Attribute,
    value: Option<Value>,
) -> Result<(), Fault> {
    let value = value.map(|value| kept(known, value)).transpose()?.flatten();
    match (verb, value) {
        (Verb::Remove, Some(Value::Array(values))) => {
            let gone: HashSet<String> = values.iter().map(id).collect();
            retain(resource, known, |one| !gone.contains(&id(one)));
        }
        (Verb::Remove, _) | (Verb::Replace, None) => {
            resource.shift_remove(known.name);
        }
        (Verb::Add, None) => {}
        (Verb::Add, Some(Value::Array(values))) => add(resource, known, values),
        (_, Some(Value::Object(parts))) => {
            let before = resource.entry(known.name).or_insert_with(|| Map::new().into());
            if let Value::Object(before) = before {
                before.extend(parts);
            }
        }
        (_, Some(value)) => {
            resource.insert(known.name.to_owned(), value);
        }
    }
    Ok(())
}

/// A part of an attribute: of each of its values, where there are several.
fn parts(
    resource: &mut Resource,
    verb: Verb,
    known: &'static Attribute,
    part: &'static Attribute,
    value: Option<Value>,
) -> Result<(), Fault> {
    let value = match verb {
        Verb::Remove => None,
        _ => value.map(|value| one(part, value)).transpose()?.flatten(),
    };
    if known.name == "members" {
        return Err(Fault::mutability("a member can't be changed"));
    }
    let several =
        matches!(resource.get(known.name), Some(Value::Array(values)) if values.len() > 1);
    if several && part.name == "primary" && value == Some(true.into()) {
        return Err(Fault::value("only one can be primary"));
    }
    if !resource.contains_key(known.name) && value.is_some() {
        let empty = Value::Object(Map::new());
        let empty = if known.many { Value::Array(vec![empty]) } else { empty };
        resource.insert(known.name.to_owned(), empty);
    }
    match resource.get_mut(known.name) {
        Some(Value::Array(values)) => {
            values.iter_mut().for_each(|before| put(before, part, value.clone()));
        }
        Some(before) => put(before, part, value),
        None => {}
    }
    tidy(resource, known);
    Ok(())
}

/// The values that a filter chooses, or a part of them.
fn chosen(
    resource: &mut Resource,
    verb: Verb,
    known: &'static Attribute,
    inner: &PatchValuePath,
    value: Option<Value>,
) -> Result<(), Fault> {
    let part = match inner.sub_attr.as_deref().map(|name| known.part(name)) {
        // It is not kept.
        Some(None) => return Ok(()),
        Some(Some(part)) => Some(part),
        None => None,
    };
    if !known.many {
        return Err(Fault::path(format!("`{}` has one value", known.name)));
    }
    let is_meant = |value: &Value| has(known, &inner.filter, value);
    if verb == Verb::Remove && part.is_none() {
        retain(resource, known, |value| !is_meant(value));
        return Ok(());
    }
    if known.name == "members" {
        return Err(Fault::mutability("a member can't be changed"));
    }
    let value = match (verb, part) {
        (Verb::Remove, _) => None,
        (_, Some(part)) => value.map(|value| one(part, value)).transpose()?.flatten(),
        (_, None) => value.map(|value| one(known, value)).transpose()?.flatten(),
    };
    let change = |before: &mut Value| match (part, &value) {
        (Some(part), value) => put(before, part, value.clone()),
        (None, Some(Value::Object(parts))) => {
            if let Value::Object(before) = before {
                before.extend(parts.clone());
            }
        }
        (None, _) => {}
    };
    let values = resource.entry(known.name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(values) = values else { return Err(Fault::target("there is no list")) };
    let mut meant: Vec<usize> = Vec::new();
    meant.extend(values.iter().enumerate().filter(|(_, one)| is_meant(one)).map(|(at, _)| at));
    if meant.is_empty() && verb != Verb::Remove {
        // Providers write `emails[type eq "work"].value` where there is no such address yet.
        let Some(new) = described(known, &inner.filter) else {
            tidy(resource, known);
            return Err(Fault::target("nothing is chosen by the path"));
        };
        meant.push(values.len());
        values.push(new);
    }
    meant.iter().filter_map(|at| values.get_mut(*at).map(&change)).count();
    if let Some(first) = meant.first() {
        only_primary(values, *first);
    }
    tidy(resource, known);
    Ok(())
}

/// A value that has what a filter says, where it says nothing but what is equal to what.
fn described(known: &Attribute, filter: &ValFilter) -> Option<Value> {
    let terms = match filter {
        ValFilter::And(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut parts = Map::new();
    for term in terms {
        let ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, value)) = term else {
            return None;
        };
        let value = match value {
            CompValue::Str(text) => Value::String(text.clone()),
            CompValue::True => true.into(),
            CompValue::False => false.into(),
            CompValue::Null | CompValue::Number(_) => return None,
        };
        let part = known.part(&path.name)?;
        parts.insert(part.name.to_owned(), one(part, value).ok()??);
    }
    Some(Value::Object(parts))
}

/// Adds values, unless they are there.
fn add(resource: &mut Resource, known: &Attribute, new: Vec<Value>) {
    let values = resource.entry(known.name).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(values) = values else { return };
    let mut there: HashSet<String> = values.iter().map(Value::to_string).collect();
    for value in new {
        if there.insert(value.to_string()) {
            let at = values.len();
            values.push(value);
            only_primary(values, at);
        }
    }
}

/// Where the value at `at` is primary, no other is.
fn only_primary(values: &mut [Value], at: usize) {
    let is_primary = |value: &Value| value["primary"] == true;
    if !values.get(at).is_some_and(is_primary) {
        return;
    }
    let others = values.iter_mut().enumerate().filter(|(index, _)| *index != at);
    for (_, other) in others {
        if is_primary(other)
            && let Value::Object(parts) = other
        {
            parts.insert("primary".to_owned(), false.into());
        }
    }
}

fn put(before: &mut Value, part: &Attribute, value: Option<Value>) {
    let Value::Object(before) = before else { return };
    match value {
        Some(value) => before.insert(part.name.to_owned(), value),
        None => before.shift_remove(part.name),
    };
}

fn retain(resource: &mut Resource, known: &Attribute, stays: impl Fn(&Value) -> bool) {
    if let Some(Value::Array(values)) = resource.get_mut(known.name) {
        values.retain(stays);
    }
    tidy(resource, known);
}

/// Nothing empty stays (RFC 7643 §2.5).
fn tidy(resource: &mut Resource, known: &Attribute) {
    let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
    if let Some(Value::Array(values)) = resource.get_mut(known.name) {
        values.retain(|value| !is_empty(value));
    }
    let empty = match resource.get(known.name) {
        Some(Value::Array(values)) => values.is_empty(),
        Some(value) => is_empty(value),
        None => false,
    };
    if empty {
        resource.shift_remove(known.name);
    }
}

/// What says of two values that they are one: their `value`, or all of them.
fn id(value: &Value) -> String {
    match value.get("value") {
        Some(Value::String(id)) => id.clone(),
        _ => value.to_string(),
    }
}

/// The members of an object by their names in lower case, each once.
fn lowered(value: Value, what: &str) -> Result<Map<String, Value>, Fault> {
    let Value::Object(object) = value else {
        return Err(Fault::syntax(format!("{what} is no object")));
    };
    let mut lowered = Map::new();
    for (name, value) in object {
        if lowered.insert(name.to_ascii_lowercase(), value).is_some() {
            return Err(Fault::syntax(format!("`{name}` stands there twice")));
        }
    }
    Ok(lowered)
}
