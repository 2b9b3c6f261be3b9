//! Values of conditions, and what operators make of them.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    Null,
    Truth(bool),
    /// A column or call, by its spelling.
    Named(String),
    /// One of these holds; each a comparison by its spelling, and whether it is negated.
    Any(Vec<(String, bool)>),
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    Xor,
    And,
    Not,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Like,
    NotLike,
    Between,
    NotBetween,
    /// The AND of BETWEEN.
    Range,
    Join,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Negate,
    Open,
}

impl Operator {
    pub(super) const fn strength(self) -> u8 {
        use Operator as O;
        match self {
            O::Open => 0,
            O::Or | O::Xor => 1,
            O::And => 2,
            O::Not => 3,
            O::Between | O::NotBetween => 5,
            O::Range => 6,
            O::Equal
            | O::Unequal
            | O::Less
            | O::LessEqual
            | O::Greater
            | O::GreaterEqual
            | O::Like
            | O::NotLike => 4,
            O::Join | O::Plus | O::Minus => 7,
            O::Times | O::Divide | O::Modulo => 8,
            O::Negate => 9,
        }
    }
}

/// What rows are numbered by.
pub(super) fn is_key(name: &str, table: &str) -> bool {
    let own =
        name.strip_suffix("_id").is_some_and(|stem| !stem.is_empty() && table.starts_with(stem));
    own || matches!(
        name,
        "id" | "_id" | "rowid" | "_rowid_" | "oid" | "ctid" | "uuid" | "pk" | "rownum" | "guid"
    )
}

/// What a value is as a condition.
pub(super) fn truth(value: &Value, table: &str) -> Option<bool> {
    match value {
        Value::Truth(is) => Some(*is),
        Value::Number(number) => Some(*number != 0.0),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" => Some(true),
            text => Some(text.parse::<f64>().is_ok_and(|number| number != 0.0)),
        },
        Value::Null => Some(false),
        Value::Named(name) if is_key(name, table) => Some(true),
        _ => None,
    }
}

pub(super) fn negated(value: Value) -> Value {
    match value {
        Value::Any(one) if one.len() == 1 => {
            Value::Any(one.into_iter().map(|(key, not)| (key, !not)).collect())
        }
        Value::Named(name) => Value::Any(vec![(name, true)]),
        _ => Value::Unknown,
    }
}

pub(super) fn either(left: Value, right: Value, table: &str) -> Value {
    let (a, b) = (truth(&left, table), truth(&right, table));
    if a == Some(true) || b == Some(true) {
        return Value::Truth(true);
    }
    let list = |value: Value| match value {
        Value::Any(list) => Some(list),
        Value::Named(name) => Some(vec![(name, false)]),
        _ => None,
    };
    match (a, b, list(left), list(right)) {
        (Some(false), Some(false), ..) => Value::Truth(false),
        (Some(false), _, _, Some(list)) | (_, Some(false), Some(list), _) => Value::Any(list),
        (_, _, Some(mut all), Some(more)) => {
            if more.iter().any(|(key, not)| {
                all.iter().any(|(other, other_not)| key == other && not != other_not)
            }) {
                return Value::Truth(true);
            }
            all.extend(more);
            all.truncate(16);
            Value::Any(all)
        }
        (_, _, Some(list), None) | (_, _, None, Some(list)) => Value::Any(list),
        _ => Value::Unknown,
    }
}

pub(super) fn both(left: &Value, right: &Value, table: &str) -> Value {
    match (truth(left, table), truth(right, table)) {
        (Some(false), _) | (_, Some(false)) => Value::Truth(false),
        (Some(true), Some(true)) => Value::Truth(true),
        (Some(true), None) => right.clone(),
        (None, Some(true)) => left.clone(),
        _ => Value::Unknown,
    }
}

pub(super) fn arithmetic(operator: Operator, left: Value, right: Value) -> Value {
    use Operator as O;
    match (operator, left, right) {
        (O::Join | O::Plus, Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
        (O::Join, a, b) => either(a, b, ""),
        (_, Value::Number(a), Value::Number(b)) => Value::Number(match operator {
            O::Plus => a + b,
            O::Minus => a - b,
            O::Times => a * b,
            O::Divide => a / b,
            _ => a % b,
        }),
        (_, Value::Named(a), Value::Number(b)) => Value::Named(format!("{a}{operator:?}{b}")),
        (_, Value::Named(a), Value::Named(b)) => Value::Named(format!("{a}{operator:?}{b}")),
        _ => Value::Unknown,
    }
}

pub(super) fn between(value: &Value, range: &Value, table: &str) -> Value {
    let Value::Any(ends) = range else { return Value::Unknown };
    let number = |at: usize| ends.get(at).and_then(|(text, _)| text.parse::<f64>().ok());
    match (value, number(0), number(1)) {
        (Value::Number(value), Some(low), Some(high)) => {
            Value::Truth(low <= *value && *value <= high)
        }
        (Value::Named(name), Some(low), Some(high))
            if is_key(name, table) && low <= 1.0 && high >= 1e6 =>
        {
            Value::Truth(true)
        }
        _ => Value::Unknown,
    }
}

pub(super) fn compare(operator: Operator, left: Value, right: Value, table: &str) -> Value {
    use Operator as O;
    if let (Value::Text(pattern), O::Like | O::NotLike) = (&right, operator) {
        let all = !pattern.is_empty() && pattern.chars().all(|c| c == '%')
            || matches!(pattern.as_str(), "_%" | ".*" | "^.*$" | ".+" | "^");
        if all {
            return Value::Truth(operator == O::Like);
        }
    }
    let equal = matches!(operator, O::Equal | O::LessEqual | O::GreaterEqual | O::Like);
    match (&left, &right) {
        (Value::Null, _) | (_, Value::Null) => Value::Truth(false),
        (Value::Named(a), Value::Named(b)) if a == b => Value::Truth(equal),
        (Value::Named(name), Value::Number(number)) if covers(name, operator, *number, table) => {
            Value::Truth(true)
        }
        (Value::Number(number), Value::Named(name))
            if covers(name, mirrored(operator), *number, table) =>
        {
            Value::Truth(true)
        }
        (Value::Named(name), Value::Text(text))
            if text.is_empty() && operator == O::Unequal && is_key(name, table) =>
        {
            Value::Truth(true)
        }
        (Value::Named(_), _) | (_, Value::Named(_)) => {
            let (key, not) = match operator {
                O::Unequal => (O::Equal, true),
                O::NotLike => (O::Like, true),
                O::GreaterEqual => (O::Less, true),
                O::Greater => (O::LessEqual, true),
                other => (other, false),
            };
            Value::Any(vec![(format!("{}{key:?}{}", spell(&left), spell(&right)), not)])
        }
        (Value::Unknown | Value::Any(_), _) | (_, Value::Unknown | Value::Any(_)) => Value::Unknown,
        _ => Value::Truth(constants(operator, &left, &right)),
    }
}

/// Whether a key compares so to this number in every row.
pub(super) fn covers(name: &str, operator: Operator, number: f64, table: &str) -> bool {
    use Operator as O;
    let key = is_key(name, table);
    let positive = ["length(", "char_length(", "len(", "abs(", "octet_length("]
        .iter()
        .any(|call| name.starts_with(call));
    match operator {
        O::Greater => key && number <= 0.0 || positive && number < 0.0,
        O::GreaterEqual => key && number <= 1.0 || positive && number <= 0.0,
        O::Unequal => (key && number <= 0.0) || (positive && number < 0.0),
        O::Less | O::LessEqual => key && number >= 1e9,
        _ => false,
    }
}

pub(super) const fn mirrored(operator: Operator) -> Operator {
    use Operator as O;
    match operator {
        O::Less => O::Greater,
        O::LessEqual => O::GreaterEqual,
        O::Greater => O::Less,
        O::GreaterEqual => O::LessEqual,
        other => other,
    }
}

pub(super) fn constants(operator: Operator, left: &Value, right: &Value) -> bool {
    use Operator as O;
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            // Databases differ on what this means: taken as if it held.
            _ => return true,
        },
    };
    match operator {
        O::Equal | O::Like => order.is_eq(),
        O::Unequal | O::NotLike => order.is_ne(),
        O::Less => order.is_lt(),
        O::LessEqual => order.is_le(),
        O::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}

pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Truth(is) => Some(f64::from(u8::from(*is))),
        _ => None,
    }
}

pub(super) fn spell(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Named(name) => name.clone(),
        other => format!("{other:?}"),
    }
}
