//! A checked document and the way around in it.

use std::{borrow::Cow, ops::Range};

use serde_json::{Map, Number, Value};

use super::{
    JsonLimits,
    scan::{self, Depth},
    text,
};
use crate::Fault;

/// A checked JSON document, indexed by spans of its own text.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    text: &'a str,
    root: Member<'a>,
    members: Vec<Member<'a>>,
}

/// One member of an object or item of an array: where it lies.
#[derive(Clone, Debug)]
pub struct Member<'a> {
    /// The unescaped key; `None` for array items.
    pub key: Option<Cow<'a, str>>,
    /// The value as written.
    pub raw: &'a str,
    /// Where the member starts: its key's quote, or its value in an array.
    pub start: usize,
    /// Where its value ends.
    pub end: usize,
    /// How many of the following index entries lie within this value.
    pub(super) inner: usize,
}

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number, digits kept.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Document<'a> {
    /// The full check, every part indexed: for everything that a client sends, and for lists.
    ///
    /// # Errors
    /// Every deviation from the strict form, and every limit; offsets are bytes.
    pub fn strict(bytes: &'a [u8], limits: JsonLimits) -> Result<Self, Fault> {
        Self::read(bytes, limits, Depth::All)
    }

    /// The check of an answer that is passed on unread: grammar, UTF-8 and depth throughout, but
    /// keys only in the envelope and the members directly within it.
    ///
    /// Nothing is decided on what lies deeper, so that a second key there can mislead nobody here,
    /// and remembering every key of a large result would cost more than forwarding it.
    ///
    /// # Errors
    /// As [`Self::strict`], as far as it looks.
    pub fn envelope(bytes: &'a [u8], limits: JsonLimits) -> Result<Self, Fault> {
        Self::read(bytes, limits, Depth::UpTo(2))
    }

    fn read(bytes: &'a [u8], limits: JsonLimits, depth: Depth) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Fault::malformed(format!("not UTF-8 at byte {}", e.valid_up_to())))?;
        let (span, members) = scan::scan(text, limits, depth)?;
        let raw = text.get(span.clone()).unwrap_or_default();
        let inner = members.len();
        let root = Member { key: None, raw, start: span.start, end: span.end, inner };
        Ok(Self { text, root, members })
    }

    /// The whole text, white space around the value included.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// The document's one value.
    pub fn root(&self) -> Node<'_, 'a> {
        Node { member: &self.root, within: &self.members }
    }
}

/// A value within a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'d, 'a> {
    member: &'d Member<'a>,
    within: &'d [Member<'a>],
}

impl<'d, 'a> Node<'d, 'a> {
    /// The value as written.
    pub const fn raw(&self) -> &'a str {
        self.member.raw
    }

    /// The unescaped key under which it stands; `None` for array items and the document itself.
    pub fn key(&self) -> Option<&'d str> {
        self.member.key.as_deref()
    }

    /// From the key's opening quote, or the item's first byte, to the end of the value.
    pub const fn span(&self) -> Range<usize> {
        self.member.start..self.member.end
    }

    /// From the value's first byte to its end.
    pub const fn value_span(&self) -> Range<usize> {
        self.member.end - self.member.raw.len()..self.member.end
    }

    /// What kind of value it is.
    pub fn kind(&self) -> Kind {
        match self.raw().as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// Members or items, as far down as the document was indexed.
    pub const fn children(&self) -> Children<'d, 'a> {
        Children { rest: self.within }
    }

    /// The member with this key.
    pub fn get(&self, key: &str) -> Option<Self> {
        self.children().find(|child| child.key() == Some(key))
    }

    /// The unescaped text of a string.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let inner = self.raw().strip_prefix('"')?.strip_suffix('"')?;
        Some(text::unescape(inner))
    }

    /// A whole number within 64 bits, written without fraction and exponent.
    pub fn integer(&self) -> Option<i64> {
        self.raw().parse().ok()
    }

    /// The value as a tree; numbers keep their digits.
    ///
    /// Recursion is bounded by the depth limit of the scan.
    pub fn to_value(&self) -> Value {
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool => Value::Bool(self.raw() == "true"),
            Kind::Number => self.raw().parse::<Number>().map_or(Value::Null, Value::Number),
            Kind::Text => self.text().map_or(Value::Null, |text| Value::String(text.into_owned())),
            Kind::Array => self.children().map(|item| item.to_value()).collect(),
            Kind::Object => Value::Object(self.to_map()),
        }
    }

    fn to_map(self) -> Map<String, Value> {
        let named = |child: Self| (child.key().unwrap_or_default().to_owned(), child.to_value());
        self.children().map(named).collect()
    }
}

/// The members of an object or the items of an array, in order.
#[derive(Clone, Debug)]
pub struct Children<'d, 'a> {
    rest: &'d [Member<'a>],
}

impl<'d, 'a> Iterator for Children<'d, 'a> {
    type Item = Node<'d, 'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (member, after) = self.rest.split_first()?;
        let (within, rest) = after.split_at_checked(member.inner)?;
        self.rest = rest;
        Some(Node { member, within })
    }
}
