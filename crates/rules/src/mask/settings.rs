//! What an operator may say about masking, and what policy says about one caller.
//!
//! Plain values, as they stand in a configuration. What is detected at all is in
//! [`super::detect::Settings`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Class;

/// Classes whose values are masked where nothing else is said, each with all that stands below it.
const MASKED: [&str; 4] = ["secret", "pci", "pii", "phi"];
/// A text of fewer characters keeps none of them.
pub(super) const KEEP_FROM: usize = 8;

/// What is masked, and what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MaskSettings {
    /// Classes that are masked, each with all that stands below it.
    pub mask: Vec<String>,
    /// What stands in place of a value, by class; the nearest class above counts, and a label where there
    /// is none.
    pub operators: BTreeMap<String, Operator>,
    /// What becomes of base64 in `blob` and `data` that is no text, such as an image.
    pub binary: Binary,
}

/// What stands in place of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Operator {
    /// The name of its class, `[pii.email]`: the same whatever the value and its length.
    #[default]
    Label,
    /// Four stars and the last letters and digits: `****1111`. At most this many, and never more than a
    /// quarter of the value.
    Last(u8),
    /// Its class with 12 digits of an HMAC-SHA-256, `[pii.email:0f3a…]`: the same value gives the same.
    Hash,
    /// A word of the same form, longer where that is short: letters for letters, digits for digits. The same
    /// value gives one caller the same, and what it stands for is put back into the caller's arguments.
    Token,
    /// Nothing.
    Drop,
}

/// What becomes of bytes that are no text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Binary {
    /// They are passed on.
    #[default]
    Pass,
    /// Nothing is passed on in their place.
    Drop,
}

/// What may stand in place of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// A string.
    #[default]
    Text,
    /// Only a number, because a schema says so: 0, or a token of digits.
    Number,
}

/// The classes that one caller may see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reveal(Vec<String>);

impl Reveal {
    /// Nothing is shown that is masked.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// These classes are shown, each with all that stands below it.
    pub fn classes(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Whether values of `class` are shown.
    pub fn shows(&self, class: &Class) -> bool {
        self.0.iter().any(|name| class.is_in(name))
    }
}

impl MaskSettings {
    /// Whether values of `class` are masked for callers to whom nothing is revealed.
    pub fn masks(&self, class: &Class) -> bool {
        self.mask.iter().any(|name| class.is_in(name))
    }

    /// What stands in place of values of `class`.
    pub fn operator(&self, class: &Class) -> Operator {
        let above = self.operators.iter().filter(|(name, _)| class.is_in(name));
        above.max_by_key(|(name, _)| name.len()).map_or_else(Operator::default, |(_, kind)| *kind)
    }
}

impl Default for MaskSettings {
    fn default() -> Self {
        let mask = MASKED.map(str::to_owned).to_vec();
        Self { mask, operators: BTreeMap::new(), binary: Binary::default() }
    }
}
