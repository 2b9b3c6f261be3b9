//! How the arguments of one call differ from those of another, place by place.
//!
//! Pure; bounded in what it gives and in how deep it looks.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// More places than this are not listed.
const PLACES_MAX: usize = 200;
/// Deeper values are compared as a whole.
const DEPTH_MAX: usize = 16;

/// One place that differs.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// Where, as a JSON pointer (RFC 6901).
    pub(crate) pointer: String,
    /// What stood there; absent where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub(crate) before: Option<Value>,
    /// What stands there; absent where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub(crate) now: Option<Value>,
}

/// Every place that differs, in the order of the document; numbers differ by their digits.
pub(crate) fn between(before: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(now), 0, &mut found);
    found
}

// Recursive: no deeper than `DEPTH_MAX`.
fn compare(
    pointer: String,
    before: Option<&Value>,
    now: Option<&Value>,
    depth: usize,
    found: &mut Vec<Difference>,
) {
    if before == now || found.len() >= PLACES_MAX {
        return;
    }
    match (before, now) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if depth < DEPTH_MAX => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                let place = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
                compare(place, old.get(key), new.get(key), depth + 1, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if depth < DEPTH_MAX => {
            for index in 0..old.len().max(new.len()) {
                let place = format!("{pointer}/{index}");
                compare(place, old.get(index), new.get(index), depth + 1, found);
            }
        }
        _ => found.push(Difference { pointer, before: before.cloned(), now: now.cloned() }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::between;

    #[test]
    fn every_place_is_named_once() {
        let before = json!({ "a": 1, "b": [1, 2, { "c/d": "x" }], "gone": true });
        let now = json!({ "a": 1, "b": [1, 3, { "c/d": "y" }, null], "new": {} });
        let found: Vec<Value> = between(&before, &now)
            .into_iter()
            .map(|one| serde_json::to_value(one).unwrap())
            .collect();
        assert_eq!(
            found,
            [
                json!({ "pointer": "/b/1", "before": 2, "now": 3 }),
                json!({ "pointer": "/b/2/c~1d", "before": "x", "now": "y" }),
                json!({ "pointer": "/b/3", "now": null }),
                json!({ "pointer": "/new", "now": {} }),
                json!({ "pointer": "/gone", "before": true }),
            ]
        );
        assert!(between(&now, &now).is_empty());
        assert_eq!(between(&json!(1), &json!(1.0)).len(), 1, "digits count");
    }

    #[test]
    fn large_and_deep_values_have_an_end() {
        let many: Vec<u32> = (0..10_000).collect();
        assert_eq!(between(&json!([]), &json!(many)).len(), 200);
        let deep = |end: &str| (0..100).fold(json!(end), |inner, _| json!([inner]));
        assert_eq!(between(&deep("a"), &deep("b")).len(), 1);
    }
}
