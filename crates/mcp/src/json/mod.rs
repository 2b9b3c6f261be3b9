//! Strict JSON (RFC 8259) as spans: checks a document once and says where its parts lie.
//!
//! Never changes a byte, never rounds a number, never picks one of two equal keys. What readers
//! are known to take differently is refused: duplicate keys, lone surrogates, a byte order mark,
//! numbers that overflow a double, and the keys by which serde_json smuggles its own types.

mod canonical;
mod node;
mod scan;
#[cfg(test)]
mod tests;
mod text;

pub use canonical::{canonical, digest};
pub use node::{Children, Document, Kind, Member, Node};
pub use text::fold;

use lockgate_model::Limits;

/// How much of JSON is read before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Nesting of objects and arrays.
    pub depth: u32,
    /// Keys and array items that are kept in the index, one document.
    pub items: u32,
}

impl From<&Limits> for JsonLimits {
    fn from(limits: &Limits) -> Self {
        Self { depth: limits.json_depth_max, items: limits.json_items_max }
    }
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}
