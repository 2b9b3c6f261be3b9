//! Whether a resource is one that a filter looks for (RFC 7644 §3.4.2.2). Reading filters is the work of
//! `scim_v2`, which bounds their depth and their terms.

use lockgate_store::directory::{By, Kind};
use scim_v2::filter::{AttrExp, AttrPath, CompValue, CompareOp, Filter, ValFilter};
use serde_json::Value;

use super::{
    fault::Fault,
    resource::Resource,
    schema::{Attribute, attribute, label, urn},
};

/// Bytes of a filter, or of a path.
pub(super) const FILTER_MAX_BYTES: usize = 2048;

/// Reads a filter.
///
/// # Errors
/// [`Fault`] with `invalidFilter`.
pub fn parse(text: &str) -> Result<Filter, Fault> {
    if text.len() > FILTER_MAX_BYTES {
        return Err(Fault::filter(format!("a filter has at most {FILTER_MAX_BYTES} bytes")));
    }
    text.trim().parse().map_err(|error| Fault::filter(format!("the filter: {error}")))
}

/// Whether a resource, written as it is told, is looked for.
pub fn matches(kind: Kind, filter: &Filter, resource: &Resource) -> bool {
    match filter {
        Filter::Attr(expression) => compare(kind, expression, resource),
        Filter::Not(inner) => !matches(kind, inner, resource),
        Filter::And(all) => all.iter().all(|one| matches(kind, one, resource)),
        Filter::Or(any) => any.iter().any(|one| matches(kind, one, resource)),
        Filter::ValuePath(path) => {
            let Some((known, None)) = place(kind, &path.attr) else { return false };
            let mut values = values(resource.get(known.name)).into_iter();
            values.any(|value| has(known, &path.filter, value))
        }
    }
}

/// Whether one value of an attribute is looked for.
pub(super) fn has(known: &Attribute, filter: &ValFilter, value: &Value) -> bool {
    match filter {
        ValFilter::Not(inner) => !has(known, inner, value),
        ValFilter::And(all) => all.iter().all(|one| has(known, one, value)),
        ValFilter::Or(any) => any.iter().any(|one| has(known, one, value)),
        ValFilter::Attr(expression) => {
            let Some(part) = known.part(&path(expression).name) else { return false };
            asked(part, expression, &values(value.get(part.name)))
        }
    }
}

/// By what all that is looked for is found, where the filter says so.
pub(super) fn found_by(kind: Kind, filter: &Filter) -> Option<By> {
    match filter {
        Filter::And(all) => all.iter().find_map(|one| found_by(kind, one)),
        Filter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(text))) => {
            let (known, part) = place(kind, path)?;
            match (known.name, part.map(|part| part.name)) {
                ("id", None) => Some(By::Id(text.clone())),
                ("externalId", None) => Some(By::ExternalId(text.clone())),
                ("members", None | Some("value")) => Some(By::Member(text.clone())),
                (name, None) if name == label(kind) => Some(By::Label(text.clone())),
                _ => None,
            }
        }
        Filter::ValuePath(inner) => {
            let (known, None) = place(kind, &inner.attr)? else { return None };
            match &*inner.filter {
                ValFilter::Attr(AttrExp::Comparison(path, CompareOp::Eq, CompValue::Str(text)))
                    if known.name == "members" && path.name.eq_ignore_ascii_case("value") =>
                {
                    Some(By::Member(text.clone()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The attribute that a path leads to, and the part of it.
pub(super) fn place(
    kind: Kind,
    path: &AttrPath,
) -> Option<(&'static Attribute, Option<&'static Attribute>)> {
    if path.uri.as_ref().is_some_and(|uri| !uri.to_string().eq_ignore_ascii_case(urn(kind))) {
        return None;
    }
    let known = attribute(kind, &path.name)?;
    match &path.sub_attr {
        None => Some((known, None)),
        Some(part) => known.part(part).map(|part| (known, Some(part))),
    }
}

const fn path(expression: &AttrExp) -> &AttrPath {
    match expression {
        AttrExp::Present(path) | AttrExp::Comparison(path, ..) => path,
    }
}

fn compare(kind: Kind, expression: &AttrExp, resource: &Resource) -> bool {
    // What is not known has no value.
    let Some((known, part)) = place(kind, path(expression)) else {
        return matches!(expression, AttrExp::Comparison(_, CompareOp::Ne, _));
    };
    let whole = values(resource.get(known.name));
    // Of what has parts, `value` is meant.
    let meant = part.or_else(|| known.part("value"));
    match meant {
        Some(part) => {
            let parts: Vec<_> =
                whole.iter().flat_map(|value| values(value.get(part.name))).collect();
            asked(part, expression, &parts)
        }
        None => asked(known, expression, &whole),
    }
}

fn values(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

fn asked(known: &Attribute, expression: &AttrExp, values: &[&Value]) -> bool {
    match expression {
        AttrExp::Present(_) => !values.is_empty(),
        AttrExp::Comparison(_, CompareOp::Eq, CompValue::Null) => values.is_empty(),
        AttrExp::Comparison(_, CompareOp::Ne, CompValue::Null) => !values.is_empty(),
        AttrExp::Comparison(_, CompareOp::Ne, wanted) => {
            !values.iter().any(|value| is(known, &CompareOp::Eq, wanted, value))
        }
        AttrExp::Comparison(_, by, wanted) => {
            values.iter().any(|value| is(known, by, wanted, value))
        }
    }
}

fn is(known: &Attribute, by: &CompareOp, wanted: &CompValue, value: &Value) -> bool {
    match (wanted, value) {
        (CompValue::Str(wanted), Value::String(text)) if known.case_exact => {
            texts(by, text, wanted)
        }
        (CompValue::Str(wanted), Value::String(text)) => {
            texts(by, &text.to_lowercase(), &wanted.to_lowercase())
        }
        // As Entra asks.
        (CompValue::Str(wanted), Value::Bool(flag)) => {
            *by == CompareOp::Eq && wanted.eq_ignore_ascii_case(&flag.to_string())
        }
        (CompValue::True, Value::Bool(flag)) => *by == CompareOp::Eq && *flag,
        (CompValue::False, Value::Bool(flag)) => *by == CompareOp::Eq && !*flag,
        _ => false,
    }
}

fn texts(by: &CompareOp, text: &str, wanted: &str) -> bool {
    match by {
        CompareOp::Eq => text == wanted,
        CompareOp::Ne => text != wanted,
        CompareOp::Co => text.contains(wanted),
        CompareOp::Sw => text.starts_with(wanted),
        CompareOp::Ew => text.ends_with(wanted),
        CompareOp::Gt => text > wanted,
        CompareOp::Ge => text >= wanted,
        CompareOp::Lt => text < wanted,
        CompareOp::Le => text <= wanted,
    }
}
