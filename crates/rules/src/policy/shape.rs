//! A tool's input schema as the typed record that policies see.
//!
//! JSON Schema says more than Cedar's types can. What has no exact counterpart becomes text: a
//! string as itself, anything else as its canonical JSON. A number that a type can't hold exactly
//! is a mismatch, never a rounded value.

use cedar_policy::RestrictedExpression;
use serde_json::{Map, Value, json};

/// Deeper parts of a schema, and longer chains of `$ref`, become text.
const DEPTH_MAX: u8 = 8;

/// Parts of one schema after which the rest becomes text; `$ref` can repeat a part without end.
const PARTS_MAX: u32 = 4_000;

/// The Cedar type of one JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `String`, from a JSON string.
    Text,
    /// `Long`, from a whole number within 64 bits.
    Long,
    /// `decimal`, from a number with at most four digits after the point.
    Decimal,
    /// `Bool`.
    Flag,
    /// `Set`, from an array.
    Set(Box<Shape>),
    /// A record, from an object with declared properties.
    Record(Vec<Field>),
    /// `String`, from anything.
    Other,
}

/// One declared property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) shape: Shape,
    /// Listed in `required`, and never null.
    required: bool,
    /// `null` is allowed, and counts as absent.
    nullable: bool,
}

/// The argument that does not have its declared type, as a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch(pub(super) String);

/// The declared arguments of a tool with this `inputSchema`.
pub(super) fn arguments(schema: &Value) -> Vec<Field> {
    Reader { root: schema, parts_left: PARTS_MAX }.fields(schema, 0)
}

/// Reads one schema, within its limits.
struct Reader<'a> {
    root: &'a Value,
    parts_left: u32,
}

impl<'a> Reader<'a> {
    fn fields(&mut self, schema: &'a Value, depth: u8) -> Vec<Field> {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return Vec::new();
        };
        let required = schema.get("required").and_then(Value::as_array);
        // Cedar keeps names with `__cedar` for itself.
        let ours = properties.iter().filter(|(name, _)| !name.starts_with("__cedar"));
        ours.map(|(name, schema)| {
            let (shape, nullable) = self.shape(schema, depth + 1);
            let listed = required.is_some_and(|names| names.iter().any(|item| item == name));
            Field { name: name.clone(), shape, required: listed && !nullable, nullable }
        })
        .collect()
    }

    /// The shape of a schema, and whether null is allowed too.
    fn shape(&mut self, schema: &'a Value, depth: u8) -> (Shape, bool) {
        self.parts_left = self.parts_left.saturating_sub(1);
        if depth > DEPTH_MAX || self.parts_left == 0 {
            return (Shape::Other, true);
        }
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or((Shape::Other, true), |target| self.shape(target, depth + 1));
        }
        for alternatives in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(alternatives).and_then(Value::as_array) {
                return self.either(branches, depth);
            }
        }
        let (kind, nullable) = match schema.get("type") {
            Some(Value::String(kind)) => (kind.as_str(), false),
            Some(Value::Array(kinds)) => match sole(kinds, |kind| kind == "null") {
                (Some(Value::String(kind)), nullable) => (kind.as_str(), nullable),
                _ => return (Shape::Other, true),
            },
            _ if schema.get("properties").is_some() => ("object", false),
            _ => return (Shape::Other, true),
        };
        (self.of_type(kind, schema, depth), nullable)
    }

    fn of_type(&mut self, kind: &str, schema: &'a Value, depth: u8) -> Shape {
        match kind {
            "string" => Shape::Text,
            "integer" => Shape::Long,
            "number" => Shape::Decimal,
            "boolean" => Shape::Flag,
            "array" => match schema.get("items").map(|items| self.shape(items, depth + 1)) {
                Some((item, false)) => Shape::Set(Box::new(item)),
                _ => Shape::Other,
            },
            "object" => match self.fields(schema, depth) {
                fields if fields.is_empty() => Shape::Other,
                fields => Shape::Record(fields),
            },
            _ => Shape::Other,
        }
    }

    /// `anyOf: [T, {"type": "null"}]` is how many servers write an optional argument.
    fn either(&mut self, branches: &'a [Value], depth: u8) -> (Shape, bool) {
        match sole(branches, |branch| branch.get("type").is_some_and(|kind| kind == "null")) {
            (Some(branch), null) => {
                let (shape, nullable) = self.shape(branch, depth + 1);
                (shape, null || nullable)
            }
            (None, _) => (Shape::Other, true),
        }
    }
}

/// The one item that is not null, if it is one, and whether there was a null.
fn sole(items: &[Value], is_null: impl Fn(&Value) -> bool) -> (Option<&Value>, bool) {
    let mut others = items.iter().filter(|item| !is_null(item));
    let first = others.next();
    let only = if others.next().is_none() { first } else { None };
    (only, items.iter().any(is_null))
}

impl Shape {
    /// In the JSON form of Cedar schemas.
    fn cedar_type(&self) -> Value {
        match self {
            Self::Text | Self::Other => json!({"type": "String"}),
            Self::Long => json!({"type": "Long"}),
            Self::Decimal => json!({"type": "Extension", "name": "decimal"}),
            Self::Flag => json!({"type": "Boolean"}),
            Self::Set(item) => json!({"type": "Set", "element": item.cedar_type()}),
            Self::Record(fields) => record_type(fields),
        }
    }

    fn value(&self, json: &Value) -> Result<RestrictedExpression, Mismatch> {
        let mismatch = || Mismatch(String::new());
        Ok(match (self, json) {
            (Self::Text | Self::Other, Value::String(text)) => {
                RestrictedExpression::new_string(text.clone())
            }
            (Self::Other, other) => {
                RestrictedExpression::new_string(lockgate_model::canonical(other))
            }
            (Self::Long, Value::Number(number)) => {
                RestrictedExpression::new_long(number.as_i64().ok_or_else(mismatch)?)
            }
            (Self::Decimal, Value::Number(number)) => {
                let text = decimal(&number.to_string()).ok_or_else(mismatch)?;
                RestrictedExpression::new_decimal(text)
            }
            (Self::Flag, Value::Bool(flag)) => RestrictedExpression::new_bool(*flag),
            (Self::Set(item), Value::Array(items)) => {
                let items: Result<Vec<_>, _> = items.iter().map(|json| item.value(json)).collect();
                RestrictedExpression::new_set(items?)
            }
            (Self::Record(fields), Value::Object(object)) => record(fields, object, |_| true)?,
            _ => return Err(mismatch()),
        })
    }
}

/// The record of declared arguments in the JSON form of Cedar schemas.
pub(super) fn record_type(fields: &[Field]) -> Value {
    let attribute = |field: &Field| {
        let mut attribute = field.shape.cedar_type();
        if let Value::Object(entries) = &mut attribute {
            entries.insert("required".to_owned(), field.required.into());
        }
        (field.name.clone(), attribute)
    };
    let attributes: Map<String, Value> = fields.iter().map(attribute).collect();
    json!({"type": "Record", "attributes": attributes})
}

/// The arguments of a call that are `wanted`, as the record that policies see.
///
/// # Errors
/// [`Mismatch`] where one of these has not the declared type, or where `arguments` is neither null
/// nor an object. Arguments that are not declared are left out, missing ones too.
pub(super) fn typed(
    declared: &[Field],
    arguments: &Value,
    wanted: impl Fn(&str) -> bool,
) -> Result<RestrictedExpression, Mismatch> {
    match arguments {
        Value::Null => record(declared, &Map::new(), |_| false),
        Value::Object(object) => record(declared, object, wanted),
        _ => Err(Mismatch(String::new())),
    }
}

fn record(
    fields: &[Field],
    object: &Map<String, Value>,
    wanted: impl Fn(&str) -> bool,
) -> Result<RestrictedExpression, Mismatch> {
    let mut pairs = Vec::new();
    for field in fields.iter().filter(|field| wanted(&field.name)) {
        match object.get(&field.name) {
            None => {}
            Some(Value::Null) if field.nullable => {}
            Some(json) => {
                let value = field.shape.value(json).map_err(|inner| inner.within(&field.name))?;
                pairs.push((field.name.clone(), value));
            }
        }
    }
    RestrictedExpression::new_record(pairs).map_err(|_| Mismatch(String::new()))
}

impl Mismatch {
    fn within(self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{name}.{}", self.0)) }
    }
}

/// A JSON number in Cedar's decimal notation; none where it has an exponent or more than four
/// significant digits after the point.
fn decimal(number: &str) -> Option<String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = fraction.len() <= 4 && digits(fraction) && digits(whole.trim_start_matches('-'));
    let fraction = if fraction.is_empty() { "0" } else { fraction };
    fits.then(|| format!("{whole}.{fraction}"))
}
