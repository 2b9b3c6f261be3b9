//! What was found: labels with where they were found and one sentence on each.
//!
//! A fact never says whether a call may pass. Its sentence names objects and flags, never the
//! values of literals, because it is told to clients and stands in the record.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use super::labels;

/// More facts than this about one call are dropped, and that is a fact.
const FACTS_MAX: usize = 128;
/// More names of tables and columns than this about one call are dropped.
const NAMES_MAX: usize = 512;
/// A name longer than this is cut, in bytes.
const NAME_MAX_BYTES: usize = 128;

/// One thing that a call would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The label, such as `sql.ddl.drop`; see [`labels::LABELS`].
    pub label: Cow<'static, str>,
    /// JSON pointer (RFC 6901) of the argument in which it was found; empty for a bare text.
    pub path: String,
    /// Where in that argument's text, in bytes. Of something that stood in an encoding, the whole
    /// encoded part.
    pub span: Range<usize>,
    /// One sentence: what would happen. Never quotes a literal.
    pub note: String,
}

/// All that was found in one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    list: Vec<Fact>,
    /// `sql.table:orders` and the like: what is touched, without a place.
    names: BTreeSet<String>,
}

/// Where a text stands in the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// JSON pointer of the argument.
    pub(super) path: String,
    /// The part of the argument that this text was decoded or taken from; `None` where the text is
    /// the argument itself.
    pub(super) outer: Option<Range<usize>>,
}

impl Place {
    /// The place of a text that was found at `span` of the text at this place.
    pub(super) fn within(&self, span: Range<usize>) -> Self {
        Self { path: self.path.clone(), outer: Some(self.outer.clone().unwrap_or(span)) }
    }
}

impl Facts {
    /// Every fact, in the order in which they were found.
    pub fn list(&self) -> &[Fact] {
        &self.list
    }

    /// Whether nothing at all was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.names.is_empty()
    }

    /// The labels with their ancestors (`sql.ddl.drop` also gives `sql.ddl` and `sql`), and the
    /// names of what is touched, sorted: what policy decides on and the record keeps.
    pub fn labels(&self) -> Vec<String> {
        let mut labels = self.names.clone();
        for name in &self.names {
            // A name says by itself that the language was read, but nothing of what was done.
            labels.extend(name.split_once('.').map(|(family, _)| family.to_owned()));
        }
        for fact in &self.list {
            let label = &*fact.label;
            labels.extend(
                label.match_indices('.').filter_map(|(at, _)| label.get(..at)).map(str::to_owned),
            );
            labels.insert(label.to_owned());
        }
        labels.into_iter().collect()
    }

    /// The facts that a label table calls dangerous, the ones to tell a refused caller.
    pub fn dangers(&self) -> impl Iterator<Item = &Fact> {
        self.list.iter().filter(|fact| labels::is_danger(&fact.label))
    }

    /// Whether a fact of this label, or of one below it, was found.
    pub fn has(&self, label: &str) -> bool {
        self.list.iter().any(|fact| is_within(&fact.label, label))
    }

    /// Notes a credential of this data class among the arguments.
    pub fn secret(&mut self, class: &str) {
        let note = format!("a credential stands in the arguments ({class})");
        self.add(labels::SECRET, &Place::default(), 0..0, note);
    }

    /// Notes that the caller's token is over a limit of its issuer's; `limit` is one of the labels
    /// below `token`. It is about no argument, and no crowd of arguments may hide it.
    pub fn token(&mut self, limit: &'static str, note: String) {
        let (label, path) = (Cow::Borrowed(limit), String::new());
        self.list.push(Fact { label, path, span: 0..0, note });
    }

    pub(super) fn add(
        &mut self,
        label: impl Into<Cow<'static, str>>,
        place: &Place,
        span: Range<usize>,
        note: impl Into<String>,
    ) {
        let label = label.into();
        if self.list.len() >= FACTS_MAX {
            // A danger is never lost to a crowd of notes.
            if !labels::is_danger(&label) || self.has(&label) {
                return;
            }
            self.list.pop();
        }
        let span = place.outer.clone().unwrap_or(span);
        let known =
            |fact: &Fact| fact.label == label && fact.path == place.path && fact.span == span;
        if !self.list.iter().rev().take(8).any(known) {
            self.list.push(Fact { label, path: place.path.clone(), span, note: note.into() });
        }
    }

    /// Remembers the name of something that is touched.
    pub(super) fn name(&mut self, kind: &str, name: &str) {
        if self.names.len() < NAMES_MAX {
            let mut spelled = String::with_capacity(kind.len() + 1 + name.len());
            spelled.push_str(kind);
            spelled.push(':');
            show(name, &mut spelled);
            self.names.insert(spelled);
        } else {
            // An allow-list of names must not hold for what was dropped.
            self.names.insert(format!("{kind}:?"));
        }
    }
}

/// Whether `label` is `root` or stands below it.
pub fn is_within(label: &str, root: &str) -> bool {
    label.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A name for people: cut, and without anything that could steer a terminal.
pub(super) fn shown(name: &str) -> String {
    let mut out = String::new();
    show(name, &mut out);
    out
}

fn show(name: &str, out: &mut String) {
    let start = out.len();
    let plain = name.len() < NAME_MAX_BYTES && name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain {
        return out.push_str(name);
    }
    for character in name.chars() {
        if out.len() - start >= NAME_MAX_BYTES {
            out.push('…');
            break;
        }
        if character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
}
