//! Values that are known to stand in a message: what a recogniser outside found in it, and what a call
//! put in place of its tokens. They are found wherever they stand, whatever names them.

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Class, Finding, class::Name};

/// A shorter value is in every text by chance, in bytes.
const VALUE_MIN_BYTES: usize = 2;
/// Longest value, and all values together, in bytes: more is a text and no value.
const VALUE_MAX_BYTES: usize = 512;
const ALL_MAX_BYTES: usize = 256 * 1024;

/// A value and what it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KnownValue {
    /// As it stands in texts; small and large letters of ASCII are alike.
    pub value: String,
    /// What it is.
    pub class: Class,
    /// How sure that is, in percent.
    pub score: u8,
    /// Who says so.
    pub detector: Name,
}

/// Some values, ready to be looked for.
pub struct Known {
    automaton: Option<AhoCorasick>,
    values: Vec<KnownValue>,
}

/// No value.
pub static NOTHING_KNOWN: Known = Known { automaton: None, values: Vec::new() };

impl Known {
    /// Looks for these, of which those too short or too long to tell are left out; `None` where they are
    /// more than can be looked for.
    pub fn new(values: impl IntoIterator<Item = KnownValue>) -> Option<Self> {
        let fits =
            |one: &KnownValue| (VALUE_MIN_BYTES..=VALUE_MAX_BYTES).contains(&one.value.len());
        let mut values: Vec<KnownValue> = values.into_iter().filter(fits).collect();
        values.sort();
        values.dedup_by(|one, other| one.value == other.value);
        if values.iter().map(|one| one.value.len()).sum::<usize>() > ALL_MAX_BYTES {
            return None;
        }
        if values.is_empty() {
            return Some(Self { automaton: None, values });
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .ascii_case_insensitive(true)
            .build(values.iter().map(|one| &one.value))
            .ok()?;
        Some(Self { automaton: Some(automaton), values })
    }

    /// Whether there is any.
    pub(super) const fn is_some(&self) -> bool {
        self.automaton.is_some()
    }

    /// Adds where they stand in `text` as words of their own.
    pub(super) fn scan(&self, text: &str, findings: &mut Vec<Finding>) {
        let Some(automaton) = &self.automaton else { return };
        for found in automaton.find_iter(text) {
            let Some(known) = self.values.get(found.pattern().as_usize()) else { continue };
            if is_word(text, found.start(), found.end()) {
                findings.push(Finding {
                    start: found.start(),
                    end: found.end(),
                    class: known.class.clone(),
                    score: known.score,
                    detector: known.detector.clone(),
                });
            }
        }
    }
}

/// Whether no letter or digit goes on on either side.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let joined = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    let (before, within) = text.split_at_checked(start).unwrap_or_default();
    let (found, after) = within.split_at_checked(end - start).unwrap_or_default();
    !joined(before.chars().next_back(), found.chars().next())
        && !joined(found.chars().next_back(), after.chars().next())
}

#[cfg(test)]
mod tests {
    use super::{Class, Known, KnownValue, Name};
    use crate::mask::tests::Kit;

    fn value(text: &str) -> KnownValue {
        let (class, detector) = (Class::known("pii.name"), Name::known("test"));
        KnownValue { value: text.to_owned(), class, score: 80, detector }
    }

    #[test]
    fn known_values_are_found_in_every_guise() {
        let kit = Kit::new();
        let known = Known::new(["Grace Hopper", "Zoë", "x", "1953-09-02"].map(value)).unwrap();
        let masker = super::super::Masker { known: &known, ..kit.masker() };
        for (text, masked) in [
            (r#"["by Grace Hopper."]"#, r#"["by [pii.name]."]"#),
            (r#"["GRACE HOPPER, Hopper"]"#, r#"["[pii.name], Hopper"]"#),
            (r#"{"at":"1953-09-02"}"#, r#"{"at":"[pii.name]"}"#),
            (r#"["Zo\u00eb"]"#, r#"["[pii.name]"]"#),
            (r#"["Grace%20Hopper"]"#, r#"["[pii.name]"]"#),
            (r#"["{\"a\":\"Grace\\u0020Hopper\"}"]"#, r#"["{\"a\":\"[pii.name]\"}"]"#),
            (r#"["xZoë Zoës x"]"#, r#"["xZoë Zoës x"]"#),
        ] {
            let found = super::super::mask_json(&masker, text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8_lossy(&found.bytes), masked, "{text}");
        }
        assert!(Known::new((0..2_000).map(|n| value(&format!("{n:0>300}")))).is_none());
    }
}
