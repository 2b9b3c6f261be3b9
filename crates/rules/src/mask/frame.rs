//! The way from a message to one of its leaves: open objects and arrays, and what names what in them.
//!
//! Never owns a text; knows which names are columns and which member names its neighbour.

use std::fmt::Write as _;

use super::{
    Detectors,
    detect::{Hint, Tells},
    json::{Quoted, Span},
    neighbours::Piece,
    view::View,
};

/// Most paths are shorter, in bytes.
const PATH_USUAL: usize = 48;

/// An object or array that has not ended.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) object: bool,
    /// Number of this object among those of the message.
    pub(super) id: u32,
    /// How many items came before the current one.
    pub(super) index: usize,
    /// The current member's key.
    pub(super) key: Option<Key>,
    /// The text of the member that names the one beside it: `{"name": …, "value": …}`.
    pub(super) name: Option<Label>,
    /// The value that came before its name.
    pub(super) unnamed: Option<Quoted>,
    /// Columns of a table: of this array's items, or of the tables in this object.
    pub(super) columns: Option<usize>,
    /// The columns that this array's items name.
    pub(super) naming: Option<usize>,
    /// Whether the items of this array are cells under `columns`.
    pub(super) row: bool,
    /// The last string here that a neighbour may go on.
    pub(super) tail: Option<Piece>,
}

/// The key of a member.
#[derive(Debug)]
pub(super) struct Key {
    /// Without its quotes.
    pub(super) span: Span,
    /// Where it has escapes, what it stands for.
    pub(super) unescaped: Option<Box<str>>,
    /// Whether there is something in it that must not be shown.
    pub(super) hidden: bool,
    /// What it says of what stands under it.
    pub(super) hint: Hint,
    pub(super) tells: Tells,
    pub(super) role: Role,
}

/// A string that names values elsewhere: a column, or the value beside it.
#[derive(Clone, Debug)]
pub(super) struct Label {
    text: Box<str>,
    hint: Hint,
    pub(super) tells: Tells,
}

/// What names a leaf, where that tells something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Named<'a> {
    pub(super) key: Option<&'a str>,
    pub(super) hint: Hint,
    pub(super) tells: Tells,
}

/// Frames of a text, those of the text that it stands in, and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail<'a> {
    pub(super) text: &'a str,
    pub(super) frames: &'a [Frame],
    pub(super) up: Option<&'a Trail<'a>>,
}

/// What a member is to those beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    None,
    /// Names the value beside it.
    Name,
    /// Is named by the one beside it.
    Value,
    /// Names the columns of the tables beside it.
    Columns,
    /// The text of a block.
    Text,
    /// May be bytes in base64.
    Blob,
    /// Is named by the one beside it, or bytes.
    Data,
}

impl Role {
    /// That of the member with this key.
    pub(super) fn of(key: &str) -> Self {
        match key {
            "name" | "key" | "field" | "label" | "column" | "header" | "attribute" | "property"
            | "Name" | "Key" => Self::Name,
            "value" | "val" | "values" | "content" | "Value" => Self::Value,
            "columns" | "fields" | "headers" | "column_names" | "columnNames" | "names"
            | "schema" => Self::Columns,
            "text" => Self::Text,
            "blob" => Self::Blob,
            "data" => Self::Data,
            _ => Self::None,
        }
    }

    /// Whether it is named by the member beside it.
    pub(super) const fn is_value(self) -> bool {
        matches!(self, Self::Value | Self::Data)
    }

    /// Whether it may be bytes in base64.
    pub(super) const fn is_blob(self) -> bool {
        matches!(self, Self::Blob | Self::Data)
    }
}

impl Key {
    pub(super) fn new(text: &str, quoted: Quoted) -> Self {
        let inner = quoted.span.of(text);
        let unescaped: Option<Box<str>> = quoted.escaped.then(|| View::of_json(inner).text.into());
        let role = Role::of(unescaped.as_deref().unwrap_or(inner));
        let hint = Hint::default();
        Self { span: quoted.span, unescaped, hidden: false, hint, tells: Tells::Much, role }
    }

    /// What it says, where it tells something.
    pub(super) fn named<'a>(&'a self, text: &'a str) -> Named<'a> {
        Named::new(self.text(text), self.hint, self.tells)
    }

    /// What it stands for.
    pub(super) fn text<'a>(&'a self, text: &'a str) -> &'a str {
        let inner = || self.span.of(text);
        self.unescaped.as_deref().unwrap_or_else(inner)
    }
}

impl<'a> Named<'a> {
    fn new(key: &'a str, hint: Hint, tells: Tells) -> Self {
        if tells == Tells::Nothing { Self::default() } else { Self { key: Some(key), hint, tells } }
    }
}

impl Label {
    pub(super) fn new(text: &str, quoted: Quoted, detectors: &Detectors) -> Self {
        let key = Key::new(text, quoted);
        let text: Box<str> = key.text(text).into();
        let (hint, tells) = detectors.hint(&text);
        Self { text, hint, tells }
    }

    pub(super) fn named(&self) -> Named<'_> {
        Named::new(&self.text, self.hint, self.tells)
    }
}

impl Frame {
    /// What the current member is to those beside it.
    pub(super) fn role(&self) -> Role {
        self.key.as_ref().map_or(Role::None, |key| key.role)
    }

    /// The current member's key.
    pub(super) fn key<'a>(&'a self, text: &'a str) -> Option<&'a str> {
        self.key.as_ref().map(|key| key.text(text))
    }
}

impl Trail<'_> {
    /// The leaf's place as a JSON path (RFC 9535), one for each text on the way, with ` > ` between
    /// them. Keys that are masked are `*`.
    pub(super) fn path(&self) -> String {
        let mut path = String::with_capacity(PATH_USUAL);
        self.write(&mut path);
        path
    }

    fn write(&self, path: &mut String) {
        if let Some(above) = self.up {
            above.write(path);
            path.push_str(" > ");
        }
        path.push('$');
        for frame in self.frames {
            if let Some(key) = frame.key.as_ref().filter(|_| frame.object) {
                segment(path, key, self.text);
            } else if !frame.object {
                // Writing to a string can't fail.
                let _ = write!(path, "[{}]", frame.index);
            }
        }
    }
}

fn segment(path: &mut String, key: &Key, text: &str) {
    if key.hidden {
        return path.push_str("[*]");
    }
    let name = key.text(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !name.is_empty()
        && name.bytes().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        path.push('.');
        path.push_str(name);
    } else {
        let _ = write!(path, "[{}]", serde_json::Value::from(name));
    }
}
