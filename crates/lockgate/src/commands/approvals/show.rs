//! One approval for a person who is about to answer it: every byte that the answer is about.

use serde_json::Value;

use super::{super::api::at, what};
use crate::{
    failure::Failure,
    terminal::{Style, Terminal, inert},
};

/// Prints it.
pub(super) fn print(content: &Value, terminal: Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.json(content);
    }
    let approval = at(content, "/approval");
    let caller = format!("{}/{}", text(at(approval, "/issuer")), text(at(approval, "/subject")));
    let what = format!("{}/{}", text(at(approval, "/connection")), what(approval));
    let before = format!(
        "{} times approved, {} times rejected",
        at(content, "/approved_before"),
        at(content, "/rejected_before")
    );
    for (name, value) in [
        ("approval", text(at(approval, "/id"))),
        ("state", text(at(approval, "/state"))),
        ("who asks", caller),
        ("in groups", words(at(content, "/caller_groups"))),
        ("with client", text(at(approval, "/client"))),
        ("by a token", token(at(content, "/token_age_s"))),
        ("for", what),
        ("wanted for", text(at(approval, "/access/reason"))),
        ("ends", text(at(approval, "/access/ends"))),
        ("held by", words(at(approval, "/policies"))),
        ("because", text(at(approval, "/reason"))),
        ("described", text(at(content, "/description"))),
        ("would do", words(at(content, "/facts"))),
        ("before", before),
        ("who decides", words(at(approval, "/groups"))),
        ("answer by", text(at(approval, "/answer_by"))),
        ("said", text(at(approval, "/said"))),
        ("digest", text(at(approval, "/arguments_digest"))),
    ] {
        if !value.is_empty() {
            terminal.data(format_args!(
                "{} {value}",
                terminal.styled(Style::Dim, &format!("{name:<12}"))
            ));
        }
    }
    for (name, pointer) in [
        ("the last approved call", "/changed"),
        ("the caller's own last approved call", "/changed_own"),
    ] {
        differences(name, at(content, pointer), terminal);
    }
    for warning in at(content, "/warnings").as_array().into_iter().flatten() {
        terminal.data(terminal.styled(Style::Bad, &format!("! {}", text(warning))));
    }
    match at(content, "/canonical").as_str() {
        Some(canonical) => terminal.data(inert(canonical)),
        None => terminal.talk("warning: the arguments can't be read on this node"),
    }
    Ok(())
}

fn text(value: &Value) -> String {
    inert(value.as_str().unwrap_or_default())
}

/// A list of texts as one.
pub(in crate::commands) fn words(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

fn token(age_s: &Value) -> String {
    age_s.as_u64().map(|age_s| format!("issued {age_s} s before the call")).unwrap_or_default()
}

/// What differs from a call that was approved before.
fn differences(name: &str, places: &Value, terminal: Terminal) {
    let Some(places) = places.as_array() else { return };
    terminal.data(format_args!("against {name}:"));
    if places.is_empty() {
        terminal.data("  the same arguments");
    }
    for place in places {
        let value =
            |key: &str| place.get(key).map_or_else(|| "nothing".to_owned(), Value::to_string);
        terminal.data(format_args!(
            "  {} was {}, is {}",
            inert(at(place, "/pointer").as_str().unwrap_or_default()),
            inert(&value("before")),
            inert(&value("now"))
        ));
    }
}
