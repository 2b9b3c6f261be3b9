//! What providers ask of a SCIM service.

use lockgate_console::scim::{Resource, filter, patch};
use lockgate_store::directory::Kind;
use serde_json::{Value, json};

use crate::in_two;

/// A filter that can be read finds or does not, and the opposite of it does the other; a patch that is
/// taken leaves a person, or a group, with a name.
pub fn holds(input: &[u8]) {
    let [one, body] = in_two(input);
    let ann = ann();
    let text = String::from_utf8_lossy(one);
    if let Ok(filter) = filter::parse(&text) {
        let found = filter::matches(Kind::User, &filter, &ann);
        // Too deep or too long by now, it is none.
        if let Ok(opposite) = filter::parse(&format!("not ({})", text.trim())) {
            assert_ne!(filter::matches(Kind::User, &opposite, &ann), found);
        }
    }
    for kind in [Kind::User, Kind::Group] {
        let mut patched = ann.clone();
        if patch::apply(kind, &mut patched, body).is_ok() {
            let name = if kind == Kind::User { "userName" } else { "displayName" };
            assert!(patched[name].as_str().is_some_and(|name| !name.is_empty()), "{patched:?}");
        }
    }
}

fn ann() -> Resource {
    let ann = json!({ "userName": "ann", "displayName": "Ann", "active": true,
        "emails": [{ "value": "a@x", "type": "work", "primary": true }, { "value": "b@x" }],
        "members": [{ "value": "1" }, { "value": "2" }] });
    match ann {
        Value::Object(ann) => ann,
        _ => Resource::new(),
    }
}
