//! Headers that mirror the body (2026-07-28): each must be there, once, and say what the body says.

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

use super::{METHOD, NAME, PARAM_PREFIX, single};
use crate::{
    Fault,
    json::{Kind, Node},
    message::Message,
};

/// A tool argument that the tool wants mirrored in a header (`x-mcp-header`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamHeader {
    /// The header: `mcp-param-` and the annotation in lower case.
    pub header: HeaderName,
    /// Keys from `arguments` down to the value.
    pub path: Vec<String>,
}

const ANNOTATION: &str = "x-mcp-header";

/// The parameter that `Mcp-Name` mirrors, by method.
fn named_param(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

/// Checks the mirrored headers of a modern message against its body; `params` are those of the
/// called tool, where its definition is known.
///
/// `MCP-Protocol-Version` has been checked by [`super::revision`]. Headers for arguments that the
/// tool does not annotate pass unchecked, as the specification asks.
///
/// # Errors
/// [`Fault`] -32020 where a header is missing, stands twice, can't be read or differs.
pub fn check_mirror(
    headers: &HeaderMap,
    message: &Message<'_>,
    params: &[ParamHeader],
) -> Result<(), Fault> {
    let check = || {
        let Some(method) = message.method() else { return Ok(()) };
        check_method(headers, method, message.request_id().is_some())?;
        check_name(headers, method, message.params())?;
        let arguments = message.params().and_then(|params| params.get("arguments"));
        params.iter().try_for_each(|param| check_param(headers, param, arguments))
    };
    check().map_err(|fault: Fault| fault.with_id(message.request_id().cloned()))
}

fn check_method(headers: &HeaderMap, method: &str, required: bool) -> Result<(), Fault> {
    match single(headers, &METHOD)? {
        Some(header) if header == method => Ok(()),
        None if !required => Ok(()),
        None => Err(Fault::header_mismatch("Mcp-Method is missing")),
        Some(_) => Err(Fault::header_mismatch("Mcp-Method is not the body's method")),
    }
}

fn check_name(
    headers: &HeaderMap,
    method: &str,
    params: Option<Node<'_, '_>>,
) -> Result<(), Fault> {
    let header = single(headers, &NAME)?;
    let body = named_param(method).and_then(|key| params?.get(key)).and_then(|name| name.text());
    match (header, body) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Fault::header_mismatch("Mcp-Name is missing")),
        (Some(_), None) => Err(Fault::header_mismatch("Mcp-Name where the body names nothing")),
        (Some(header), Some(body)) => {
            let said = decoded(header)?;
            if said.chars().any(char::is_control) || said != body {
                return Err(Fault::header_mismatch("Mcp-Name is not what the body names"));
            }
            Ok(())
        }
    }
}

fn check_param(
    headers: &HeaderMap,
    param: &ParamHeader,
    arguments: Option<Node<'_, '_>>,
) -> Result<(), Fault> {
    let name = &param.header;
    let header = single(headers, name)?;
    let body = param
        .path
        .iter()
        .try_fold(arguments, |node, key| Some(node?.get(key)))
        .flatten()
        .filter(|value| value.kind() != Kind::Null);
    match (header, body) {
        (None, None) => Ok(()),
        (None, Some(_)) => Err(Fault::header_mismatch(format!("{name} is missing"))),
        (Some(_), None) => Err(Fault::header_mismatch(format!("{name} without its argument"))),
        (Some(header), Some(value)) if says(&decoded(header)?, value) => Ok(()),
        (Some(_), Some(_)) => Err(Fault::header_mismatch(format!("{name} is not its argument"))),
    }
}

fn says(header: &str, value: Node<'_, '_>) -> bool {
    match value.kind() {
        Kind::Text => value.text().as_deref() == Some(header),
        Kind::Bool => header == value.raw(),
        Kind::Number => decimal(header).is_some_and(|said| decimal(value.raw()) == Some(said)),
        Kind::Null | Kind::Array | Kind::Object => false,
    }
}

/// A header value without its base64 sentinel.
fn decoded(header: &str) -> Result<Cow<'_, str>, Fault> {
    let inner = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(inner) = inner else { return Ok(Cow::Borrowed(header)) };
    // The standard alphabet with padding and without stray bits: one spelling for one text.
    let bytes = BASE64_STANDARD.decode(inner).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Cow::Owned).ok_or_else(|| Fault::header_mismatch("a header value in broken base64"))
}

/// A decimal number as sign, digits without outer zeros, and power of ten: equal for equal numbers,
/// however they are written and however large they are.
fn decimal(text: &str) -> Option<(bool, String, i64)> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if whole.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let dropped = digits.len() - significant.len();
    let power = exponent.checked_add(i64::try_from(dropped).ok()?)?;
    let power = power.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some((false, String::new(), 0));
    }
    Some((negative, significant.to_owned(), power))
}

/// The `x-mcp-header` annotations of a tool's input schema; `None` where one breaks the rules, so
/// that the tool must not be offered.
///
/// An annotation is a non-empty HTTP token, unique without case, on a string, integer or boolean
/// that is reached from the root through `properties` alone.
pub fn param_headers(input_schema: &Value) -> Option<Vec<ParamHeader>> {
    let mut found = Vec::new();
    collect(input_schema.as_object()?, &mut Vec::new(), &mut found)?;
    let headers: BTreeSet<_> = found.iter().map(|param| param.header.as_str()).collect();
    (headers.len() == found.len()).then_some(found)
}

/// Walks one schema on the path of `properties` from the root.
fn collect(
    schema: &Map<String, Value>,
    path: &mut Vec<String>,
    found: &mut Vec<ParamHeader>,
) -> Option<()> {
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            (ANNOTATION, annotation) => {
                let kind = schema.get("type").and_then(Value::as_str);
                let primitive = matches!(kind, Some("string" | "integer" | "boolean"));
                let token = annotation.as_str().filter(|token| !token.is_empty())?;
                let header = format!("{PARAM_PREFIX}{token}").to_ascii_lowercase();
                let header = HeaderName::from_bytes(header.as_bytes()).ok()?;
                if path.is_empty() || !primitive {
                    return None;
                }
                found.push(ParamHeader { header, path: path.clone() });
            }
            ("properties", Value::Object(properties)) => {
                for (name, property) in properties {
                    let Value::Object(property) = property else { continue };
                    path.push(name.clone());
                    collect(property, path, found)?;
                    path.pop();
                }
            }
            (keyword, value) if annotated_below(keyword, value) => return None,
            _ => {}
        }
    }
    Some(())
}

/// Whether a schema below this keyword, off the path, carries an annotation.
fn annotated_below(keyword: &str, value: &Value) -> bool {
    let annotated = |schema: &Value| match schema {
        Value::Object(members) => members
            .iter()
            .any(|(keyword, value)| keyword == ANNOTATION || annotated_below(keyword, value)),
        _ => false,
    };
    match (keyword, value) {
        // Data and names of properties, not schemas.
        ("default" | "const" | "enum" | "examples" | "required" | "dependentRequired", _) => false,
        // Maps from names to schemas.
        (
            "properties" | "$defs" | "definitions" | "dependentSchemas" | "patternProperties",
            Value::Object(schemas),
        ) => schemas.values().any(annotated),
        (_, Value::Array(schemas)) => schemas.iter().any(annotated),
        (_, schema) => annotated(schema),
    }
}
