//! What a text holds: detectors for secrets and personal data, each a cheap look for candidates and
//! a scalar check of each.
//!
//! A text comes as a person would read it: escapes are undone and hidden characters gone before. Sees
//! no JSON and no protocol, and changes nothing. Every look is bounded, so that a scan is linear in the
//! text, whatever stands in it.
//!
//! | room | finds |
//! |---|---|
//! | [`walk`] | candidates, in one pass, and asks the others |
//! | [`token`] | secrets by their form: prefixes, JWT, PEM |
//! | [`assign`], [`form`] | values under a telling name, in text and under keys |
//! | [`keyed`] | drawn values behind words that name a key |
//! | [`mail`] | mail addresses, passwords in URLs |
//! | [`number`] | digits in groups, for [`card`], [`ids`], [`phone`] |
//! | [`iban`], [`coin`], [`net`], [`date`] | what their names say |
//! | [`context`], [`keys`], [`concepts`] | what keys and words around a value mean |
//! | [`sheet`] | tables in a text |
//! | [`custom`], [`spot`], [`settings`] | what an operator adds |
//! | [`classes`] | the reference of classes |

mod assign;
mod bytes;
mod card;
pub mod classes;
mod coin;
mod concepts;
mod context;
mod custom;
mod date;
mod form;
mod iban;
mod ids;
mod keyed;
mod keys;
mod mail;
mod net;
mod number;
mod page;
mod phone;
mod settings;
mod sheet;
mod spot;
mod token;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use context::{Hint, Tells};
pub use settings::{Allow, Check, Custom, Settings, SettingsFault};
pub(super) use spot::{Spot, Step};
pub(super) use walk::is_spoken;

use self::{
    custom::Rules,
    page::{Page, what},
};
use super::{Class, class::Name};

/// One text, with what stands around it.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The text.
    pub text: &'a str,
    /// What names it: the nearest JSON key, or the column's header.
    pub key: Option<&'a str>,
}

/// One value in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Byte where it begins.
    pub start: usize,
    /// Byte after its last.
    pub end: usize,
    /// What it is.
    pub class: Class,
    /// How sure that is, in percent.
    pub score: u8,
    /// The detector that says so: a built-in one, or the name of a custom one.
    pub detector: Name,
}

/// Detectors, compiled. Made once, used by every thread.
#[derive(Debug)]
pub struct Detectors {
    rules: Rules,
}

impl Detectors {
    /// The built-in detectors with their usual threshold.
    pub fn standard() -> Self {
        Self { rules: Rules::standard() }
    }

    /// Detectors as `settings` say.
    ///
    /// # Errors
    /// [`SettingsFault`] with the first thing that is wrong.
    pub fn new(settings: &Settings) -> Result<Self, SettingsFault> {
        Ok(Self { rules: Rules::compile(settings)? })
    }

    /// Whether a scan of any text and key in `raw` could find something: `raw` is a whole message.
    ///
    /// Never false where it would, as long as `raw` holds its texts as they are: a caller must not ask
    /// about a message with a backslash or a byte beyond ASCII, where a text is another one once it is
    /// decoded. Always true with custom detectors.
    pub fn may_hit(&self, raw: &[u8]) -> bool {
        let Ok(text) = str::from_utf8(raw) else { return true };
        if self.rules.has_own() {
            return true;
        }
        let mut found = Vec::new();
        let mut page = Page::new(text, Hint::default(), &self.rules, &mut found);
        page.probe = true;
        walk::walk(&mut page, 0, text.len());
        page.hit
    }

    /// Spots in JSON whose whole values are findings; this is for whoever knows where a text stands.
    pub(super) fn spots(&self) -> &[Spot] {
        self.rules.spots()
    }

    /// Whether an operator says that a value is none after all.
    pub(super) fn allows(&self, text: &str, finding: &Finding) -> bool {
        self.rules.allows(text, finding)
    }

    /// What this key says, and how much depends on it.
    pub(super) fn hint(&self, key: &str) -> (Hint, Tells) {
        let hint = context::of_key(key);
        (hint, if self.rules.has_own() { Tells::Much } else { hint.tells() })
    }

    /// Whether only the built-in detectors look at a text.
    pub(super) fn is_standard(&self) -> bool {
        !self.rules.has_own()
    }

    /// Finds what `text` holds, in order and without overlaps. Adds to `found`; linear in the text.
    pub fn scan(&self, text: Text<'_>, found: &mut Vec<Finding>) {
        let hint = text.key.map(context::of_key).unwrap_or_default();
        self.scan_under(text, hint, found);
    }

    /// Whether `text` holds something of `class`, or of one below it.
    pub fn holds(&self, text: Text<'_>, class: &str) -> bool {
        let mut found = Vec::new();
        self.scan(text, &mut found);
        found.iter().any(|one| one.class.is_in(class))
    }

    /// [`Self::scan`], where what the key says is known.
    pub(super) fn scan_under(&self, text: Text<'_>, hint: Hint, found: &mut Vec<Finding>) {
        let first = found.len();
        let mut page = Page::new(text.text, hint, &self.rules, found);
        whole(&mut page);
        walk::walk(&mut page, 0, text.text.len());
        sheet::look(&mut page);
        if self.rules.has_own() {
            self.rules.scan(text, found);
        }
        if self.rules.has_allowed() {
            let mut at = 0;
            found.retain(|finding| {
                at += 1;
                at <= first || !self.rules.allows(text.text, finding)
            });
        }
        if found.len() > first + 1 {
            settle(found, first);
        }
    }
}

/// Takes the whole text, if it looks like what its key says.
fn whole(page: &mut Page<'_>) {
    let Some(whole) = page.hint.whole else { return };
    let value = page.text.trim();
    let start = page.text.len() - page.text.trim_start().len();
    if let Some(score) = form::fits(whole.form, value) {
        page.take(start, start + value.len(), what(whole.class, "key"), score);
    }
}

/// Puts findings from `first` on in order. Of those that overlap, the more certain one gives its name,
/// and the longer one at the same score; what any of them covers stays covered.
fn settle(found: &mut Vec<Finding>, first: usize) {
    let fresh = found.get_mut(first..).unwrap_or_default();
    fresh.sort_by_key(|finding| (finding.start, usize::MAX - finding.end));
    let rank = |one: &Finding| (one.score, one.end - one.start);
    let mut at = 0;
    found.dedup_by(|next, last| {
        at += 1;
        if at <= first || next.start >= last.end {
            return false;
        }
        let (start, end) = (last.start, last.end.max(next.end));
        if rank(next) > rank(last) {
            std::mem::swap(last, next);
        }
        (last.start, last.end) = (start, end);
        true
    });
}
