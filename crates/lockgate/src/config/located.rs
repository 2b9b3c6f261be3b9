//! The configuration file as a tree that remembers where each value stands.
//!
//! Knows YAML but no setting: it answers "at which line was this written?" for origins and for
//! errors that are found after parsing.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

/// One value of the file.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// Line, from 1.
    pub(crate) line: u64,
    /// Byte range in the file.
    pub(crate) span: Range<usize>,
    node: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Scalar(Option<String>),
    List(Vec<Located>),
    Map(Vec<(String, Located)>),
}

impl Located {
    /// Reads `text`; only the shape matters here, so an empty file is an empty map.
    ///
    /// # Errors
    /// The YAML error, where `text` is no YAML.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        let options = super::yaml_options();
        serde_saphyr::from_str_with_options::<Spanned<Node>>(text, options).map(Self::from)
    }

    /// The value at a path of keys. An item of a list is named by its `name` or its index.
    pub(crate) fn at(&self, path: &[String]) -> Option<&Self> {
        path.iter().try_fold(self, |here, step| here.child(step))
    }

    /// The value at the longest beginning of `path` that the file has.
    pub(crate) fn nearest(&self, path: &[String]) -> &Self {
        let mut here = self;
        for step in path {
            let Some(child) = here.child(step) else { break };
            here = child;
        }
        here
    }

    fn child(&self, step: &str) -> Option<&Self> {
        match &self.node {
            Node::Scalar(_) => None,
            Node::Map(entries) => entries.iter().find(|(key, _)| key == step).map(|(_, v)| v),
            Node::List(items) => items
                .iter()
                .find(|item| item.name() == Some(step))
                .or_else(|| items.get(step.parse::<usize>().ok()?)),
        }
    }

    fn name(&self) -> Option<&str> {
        match &self.child("name")?.node {
            Node::Scalar(text) => text.as_deref(),
            _ => None,
        }
    }
}

impl From<Spanned<Node>> for Located {
    fn from(spanned: Spanned<Node>) -> Self {
        Self {
            line: spanned.referenced.line(),
            span: byte_range(&spanned.referenced, ""),
            node: spanned.value,
        }
    }
}

/// The bytes of `text` that a location covers.
pub(crate) fn byte_range(location: &Location, text: &str) -> Range<usize> {
    let span = location.span();
    let size = |bytes: u64| usize::try_from(bytes).ok();
    let known = span.byte_offset().and_then(size);
    let start = known.unwrap_or_else(|| offset(location, text));
    let len = span.byte_len().and_then(size).unwrap_or(0);
    start..start.saturating_add(len)
}

/// Where line and column stand, for syntax errors, which give no bytes.
fn offset(location: &Location, text: &str) -> usize {
    let nth = |count: u64| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = text.split_inclusive('\n').take(nth(location.line())).map(str::len).sum();
    let line = text.get(before..).unwrap_or_default();
    let column = line.char_indices().nth(nth(location.column())).map_or(0, |(at, _)| at);
    before + column
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;

        impl<'de> Visitor<'de> for AnyNode {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Scalar(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Scalar(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Scalar(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Scalar(None))
            }

            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Scalar(Some(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element::<Spanned<Node>>()? {
                    items.push(item.into());
                }
                Ok(Node::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Spanned<Node>>()? {
                    entries.push((key, value.into()));
                }
                Ok(Node::Map(entries))
            }
        }

        deserializer.deserialize_any(AnyNode)
    }
}

#[cfg(test)]
mod tests {
    use super::Located;

    #[test]
    fn values_are_found_by_key_name_and_index() {
        let text = "a:\n  b: 1\nlist:\n  - name: one\n    x: [p, q]\n  - y: 2\n";
        let tree = Located::parse(text).unwrap();
        let at = |path: &str| {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            tree.at(&path).map(|found| (found.line, &text[found.span.clone()]))
        };
        assert_eq!(at("a.b"), Some((2, "1")));
        assert_eq!(at("list.one.x.1"), Some((5, "q")));
        assert_eq!(at("list.1.y"), Some((6, "2")));
        assert_eq!(at("list.two"), None);
        assert_eq!(tree.nearest(&["a".into(), "zz".into()]).line, 2);
    }
}
