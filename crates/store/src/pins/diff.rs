//! What changed between the accepted definitions and those that the server shows now, in text that
//! a person can read and that can't play tricks on a terminal.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use lockgate_model::Digest;
use serde_json::Value;

use super::{Pin, PinKind, Pins};

/// One definition that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is different: `tool`, `prompt` or `instructions`.
    pub what: &'static str,
    /// Name of the tool or prompt; empty for the instructions.
    pub name: String,
    /// How it changed.
    pub kind: ChangeKind,
}

/// How a definition changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was not there before.
    Added,
    /// It is no longer there.
    Removed,
    /// It is different; one line a place, `/path: old -> new`.
    Changed(Vec<String>),
}

/// Compares by digest, and tells the places by value. Sorted by kind and name.
pub fn diff(accepted: &Pins, seen: &Pins) -> Vec<Change> {
    let mut changes = Vec::new();
    let text = |pins: &Pins| pins.instructions.as_ref().map(|i| (i.digest, Value::from(&*i.text)));
    let kind = compare(text(accepted), text(seen));
    changes.extend(kind.map(|kind| Change { what: "instructions", name: String::new(), kind }));

    let [accepted, seen] = [by_name(accepted), by_name(seen)];
    let keys: BTreeSet<_> = accepted.keys().chain(seen.keys()).collect();
    for key in keys {
        let value = |pin: &&Pin| (pin.digest, pin.definition.clone());
        let kind = compare(accepted.get(key).map(value), seen.get(key).map(value));
        let (what, name) = (key.0.as_str(), key.1.to_owned());
        changes.extend(kind.map(|kind| Change { what, name, kind }));
    }
    changes
}

fn by_name(pins: &Pins) -> BTreeMap<(PinKind, &str), &Pin> {
    pins.definitions.iter().map(|pin| ((pin.kind, &*pin.name), pin)).collect()
}

fn compare(old: Option<(Digest, Value)>, new: Option<(Digest, Value)>) -> Option<ChangeKind> {
    match (old, new) {
        (None, None) => None,
        (None, Some(_)) => Some(ChangeKind::Added),
        (Some(_), None) => Some(ChangeKind::Removed),
        (Some((old, _)), Some((new, _))) if old == new => None,
        (Some((_, old)), Some((_, new))) => {
            let mut places = Vec::new();
            walk(&mut String::new(), &old, &new, &mut places);
            Some(ChangeKind::Changed(places))
        }
    }
}

/// Definitions come from strict documents of limited depth, so recursion is bounded.
fn walk(path: &mut String, old: &Value, new: &Value, places: &mut Vec<String>) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        if old != new {
            places.push(format!("{}: {} -> {}", inert(path), shown(old), shown(new)));
        }
        return;
    };
    let added = new.keys().filter(|key| !old.contains_key(*key));
    for key in old.keys().chain(added) {
        let length = path.len();
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => walk(path, old, new, places),
            (Some(old), None) => places.push(format!("{}: {} -> (gone)", inert(path), shown(old))),
            (None, Some(new)) => places.push(format!("{}: (new) -> {}", inert(path), shown(new))),
            (None, None) => {}
        }
        path.truncate(length);
    }
}

fn shown(value: &Value) -> String {
    inert(&value.to_string())
}

/// Escapes what a terminal would obey, or a reader would not see.
fn inert(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) { inert.extend(c.escape_unicode()) } else { inert.push(c) }
    }
    inert
}

/// Controls, and the invisible, joining, direction-changing and tag characters of Unicode.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed(_) => '~',
        };
        write!(f, "{sign} {}", self.what)?;
        if !self.name.is_empty() {
            write!(f, " {}", inert(&self.name))?;
        }
        if let ChangeKind::Changed(places) = &self.kind {
            places.iter().try_for_each(|place| write!(f, "\n    {place}"))?;
        }
        Ok(())
    }
}
