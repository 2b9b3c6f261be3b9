//! Spots in JSON that an operator names, such as `$.rows[*].ssn`: a part of RFC 9535, names and numbers of
//! items and `[*]` alone. A spot is meant wherever its path begins, since a table may stand deep in an
//! answer, and in a text that mirrors it.

use super::{Finding, custom::fault, settings::SettingsFault};
use crate::mask::{Class, Name};

/// A longer path is refused, in steps.
const STEPS_MAX: usize = 64;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::mask) enum Step {
    /// A member of an object.
    Member(String),
    /// An item of an array, by its number.
    Item(usize),
    /// Any item of an array.
    Any,
}

/// Where a whole value is found, and what it is.
#[derive(Clone, Debug)]
pub(in crate::mask) struct Spot {
    pub(in crate::mask) steps: Vec<Step>,
    pub(super) class: Class,
    pub(super) score: u8,
    pub(super) detector: Name,
}

impl Spot {
    /// What is found there, in a text of this length.
    pub(in crate::mask) fn finding(&self, length: usize) -> Finding {
        let (class, detector) = (self.class.clone(), self.detector.clone());
        Finding { start: 0, end: length, class, score: self.score, detector }
    }
}

/// The steps of a path; `place` is where it stands in the settings.
pub(super) fn steps(path: &str, place: &str) -> Result<Vec<Step>, SettingsFault> {
    let wrong = |why: &str| fault(place.to_owned(), &format!("`{path}` is no path: {why}"));
    let mut rest = path.strip_prefix('$').ok_or_else(|| wrong("it begins with `$`"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = step(rest).ok_or_else(|| {
            wrong("write members as `.name` or `['name']`, items as `[*]` or `[0]`")
        })?;
        steps.push(step);
        rest = after;
    }
    match steps.len() {
        0 => Err(wrong("it names no member")),
        1..=STEPS_MAX => Ok(steps),
        _ => Err(wrong("it is too long")),
    }
}

fn step(rest: &str) -> Option<(Step, &str)> {
    if let Some(rest) = rest.strip_prefix('.') {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (name, after) = rest.split_at_checked(end)?;
        return (!name.is_empty() && name != "*").then(|| (Step::Member(name.to_owned()), after));
    }
    let inside = rest.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = inside.strip_prefix(quote) {
            let (name, after) = quoted.split_once(quote)?;
            return Some((Step::Member(name.to_owned()), after.strip_prefix(']')?));
        }
    }
    let (item, after) = inside.split_once(']')?;
    match item {
        "*" => Some((Step::Any, after)),
        number => Some((Step::Item(number.parse().ok()?), after)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Step, steps};

    #[test]
    fn paths_are_read_step_by_step() {
        let member = |name: &str| Step::Member(name.to_owned());
        for (path, expected) in [
            ("$.ssn", vec![member("ssn")]),
            ("$.rows[*].ssn", vec![member("rows"), Step::Any, member("ssn")]),
            ("$['a.b'][\"c\"][12]", vec![member("a.b"), member("c"), Step::Item(12)]),
        ] {
            assert_eq!(steps(path, "p").unwrap(), expected, "{path}");
        }
        for path in
            ["", "$", "rows", "$.", "$..a", "$.*", "$[a]", "$['a]", "$.a[", "$[-1]", "$.a[?x]"]
        {
            assert!(steps(path, "p").is_err(), "{path}");
        }
    }
}
