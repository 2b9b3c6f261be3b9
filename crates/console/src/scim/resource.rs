//! A resource as it is kept: what the schema knows of what a provider wrote, under the schema's own names,
//! each once. Everything else is read past: providers send more than they are asked for, and a person
//! must be out all the same.

use std::{collections::HashSet, fmt};

use lockgate_store::directory::{Kind, MEMBERS_MAX};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{
    fault::Fault,
    schema::{Attribute, Shape, attribute, attributes, label},
};

/// Bytes of a text; names must fit into a token's claim (OpenID Connect Core §2).
const TEXT_MAX_BYTES: usize = 1024;
const NAME_MAX_BYTES: usize = 255;
/// Values of an attribute that has several, but for members.
const VALUES_MAX: usize = 32;

/// The attributes of one resource.
pub type Resource = Map<String, Value>;

/// JSON in which no object says something twice; nothing else is known of it.
struct Once;

/// Reads what a provider wrote.
///
/// # Errors
/// [`Fault`] with `invalidSyntax` or `invalidValue`.
pub(super) fn read(kind: Kind, body: &[u8]) -> Result<Resource, Fault> {
    let Value::Object(written) = json(body)? else {
        return Err(Fault::syntax("the body is no object"));
    };
    let mut resource = Resource::new();
    for (name, value) in written {
        let Some(known) = attribute(kind, &name).filter(|known| !known.is_read_only()) else {
            continue;
        };
        if let Some(value) = kept(known, value)?
            && resource.insert(known.name.to_owned(), value).is_some()
        {
            return Err(Fault::syntax(format!("`{}` stands there twice", known.name)));
        }
    }
    check(kind, &resource)?;
    Ok(resource)
}

/// JSON in which nothing is said twice.
pub(super) fn json(body: &[u8]) -> Result<Value, Fault> {
    let read = serde_json::from_slice(body).and_then(|Once| serde_json::from_slice(body));
    read.map_err(|error| Fault::syntax(format!("the body: {error}")))
}

/// What must be so of a whole resource.
pub(super) fn check(kind: Kind, resource: &Resource) -> Result<(), Fault> {
    let missing = attributes(kind).find(|one| one.required && !resource.contains_key(one.name));
    if let Some(missing) = missing {
        return Err(Fault::value(format!("`{}` is missing", missing.name)));
    }
    for name in [label(kind), "externalId"] {
        let text = resource.get(name).and_then(Value::as_str);
        let fits = |text: &str| {
            (1..=NAME_MAX_BYTES).contains(&text.len()) && !text.contains(char::is_control)
        };
        if !text.is_none_or(fits) {
            let why = format!("`{name}` must be 1 to 255 bytes without control characters");
            return Err(Fault::value(why));
        }
    }
    Ok(())
}

/// A value as it is kept; `None` where it is none (RFC 7643 §2.5).
pub(super) fn kept(known: &Attribute, value: Value) -> Result<Option<Value>, Fault> {
    if !known.many {
        return one(known, value);
    }
    let values = match value {
        Value::Null => return Ok(None),
        Value::Array(values) => values,
        // Some write a list of one without its brackets.
        value => vec![value],
    };
    let most = if known.name == "members" { MEMBERS_MAX } else { VALUES_MAX };
    if values.len() > most {
        return Err(Fault::value(format!("`{}` has more than {most} values", known.name)));
    }
    let kept = values.into_iter().filter_map(|value| one(known, value).transpose());
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    if kept.iter().filter(|value| value["primary"] == true).count() > 1 {
        return Err(Fault::value(format!("`{}` has two that are primary", known.name)));
    }
    Ok((!kept.is_empty()).then_some(Value::Array(kept)))
}

/// One value.
pub(super) fn one(known: &Attribute, value: Value) -> Result<Option<Value>, Fault> {
    let wrong = |what| Err(Fault::value(format!("`{}` must be {what}", known.name)));
    match (known.shape, value) {
        (_, Value::Null) => Ok(None),
        (Shape::Text | Shape::Reference(_), Value::String(text)) => {
            if text.len() > TEXT_MAX_BYTES {
                return wrong("at most 1,024 bytes");
            }
            Ok(Some(Value::String(text)))
        }
        (Shape::Flag, Value::Bool(flag)) => Ok(Some(flag.into())),
        // As Entra writes it.
        (Shape::Flag, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            _ => wrong("true or false"),
        },
        (Shape::Complex(_), Value::Object(parts)) => complex(known, parts),
        // A list of plain values stands for their `value`.
        (Shape::Complex(_), Value::String(text)) if known.part("value").is_some() => {
            let parts = [("value".to_owned(), Value::String(text))];
            complex(known, parts.into_iter().collect())
        }
        (Shape::Text | Shape::Reference(_), _) => wrong("a text"),
        (Shape::Flag, _) => wrong("true or false"),
        (Shape::Complex(_), _) => wrong("an object"),
    }
}

fn complex(known: &Attribute, written: Map<String, Value>) -> Result<Option<Value>, Fault> {
    let mut parts = Map::new();
    for (name, value) in written {
        let Some(part) = known.part(&name) else { continue };
        if let Some(value) = one(part, value)?
            && parts.insert(part.name.to_owned(), value).is_some()
        {
            return Err(Fault::syntax(format!("`{}` stands there twice", part.name)));
        }
    }
    if known.name == "members" {
        if parts.get("value").is_none_or(|value| !value.is_string()) {
            return Err(Fault::value("a member has no `value`"));
        }
        let kind = parts.get("type").and_then(Value::as_str);
        if kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("User")) {
            return Err(Fault::value("members are people; groups within groups are not followed"));
        }
        // The rest follows from the id.
        parts.retain(|name, _| name == "value");
    }
    Ok((!parts.is_empty()).then_some(Value::Object(parts)))
}

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        let mut names = HashSet::new();
        while let Some((name, Self)) = items.next_entry::<String, Self>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format_args!("`{name}` stands there twice")));
            }
            names.insert(name);
        }
        Ok(self)
    }
}
