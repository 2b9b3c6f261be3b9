//! What an operator may say about detection: the threshold, classes that are off, detectors of their
//! own, and values that are no finding.
//!
//! Plain values, as they stand in a configuration. What is wrong with them is said by
//! [`super::Detectors::new`], with the place and how to mend it.

use serde::{Deserialize, Serialize};

/// Findings below this score are dropped, in percent.
pub(super) const SCORE_MIN: u8 = 50;
/// Score of a custom detector that does not say its own, in percent.
const SCORE_CUSTOM: u8 = 85;

/// How texts are searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settings {
    /// Findings below this score are dropped, in percent. A value with the right checksum and form, or
    /// under a telling name, scores 85 and more; one of the right form alone about 60; digits that
    /// could be anything below 50.
    pub score_min: u8,
    /// Classes that are not searched for, with all that stands below them: `pii.ip`.
    pub off: Vec<String>,
    /// Detectors of your own.
    pub custom: Vec<Custom>,
    /// Values that are no finding, such as the support address or documented examples.
    pub allow: Vec<Allow>,
}

/// A detector of an operator's own. It finds what any of its patterns, words or keys says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Custom {
    /// Its name, for reports.
    pub name: String,
    /// The class of what it finds: `pii.employee_id`. May be one of the built-in ones.
    pub class: String,
    /// How sure a hit is, in percent.
    #[serde(default = "score_custom")]
    pub score: u8,
    /// Regular expressions, without look-around and back-references. A group named `value` is what is
    /// found, else the whole match.
    #[serde(default)]
    pub regex: Vec<String>,
    /// Words and phrases, found as whole words whatever their case.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Names of JSON keys and columns, such as `employee_no`: their whole value is found. Read
    /// without regard to case and `_`, `-` and humps.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Places in JSON, such as `$.rows[*].ssn`, from wherever the path begins: the whole value there is
    /// found. Members and items alone.
    #[serde(default)]
    pub paths: Vec<String>,
    /// What else a match of `regex` must be.
    #[serde(default)]
    pub check: Option<Check>,
}

/// A check of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Check {
    /// Its digits satisfy Luhn's formula (ISO/IEC 7812-1, annex B).
    Luhn,
    /// ISO 7064 mod 97-10, with letters counted from 10, as at the end of an LEI.
    Mod97,
    /// The same after its first four characters moved to the end, as in an IBAN.
    Iban,
    /// Its digits satisfy Verhoeff's formula.
    Verhoeff,
    /// It is not a word: at least 3 bits of entropy a character, with a digit.
    Entropy,
}

/// Values that are no finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Allow {
    /// Exactly these, whatever their case.
    #[serde(default)]
    pub values: Vec<String>,
    /// What one of these matches from end to end.
    #[serde(default)]
    pub regex: Vec<String>,
    /// Only in these classes, and what stands below them; in every one if there are none.
    #[serde(default)]
    pub classes: Vec<String>,
}

/// Why detectors can't be made of settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}`: {why}")]
pub struct SettingsFault {
    /// Where: `custom[2].regex[0]`.
    pub place: String,
    /// What is wrong, and how to mend it.
    pub why: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { score_min: SCORE_MIN, off: Vec::new(), custom: Vec::new(), allow: Vec::new() }
    }
}

const fn score_custom() -> u8 {
    SCORE_CUSTOM
}
