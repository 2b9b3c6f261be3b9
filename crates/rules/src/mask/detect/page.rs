//! A text while it is searched: the text, what its key says, and where findings go.

use super::{
    Finding,
    bytes::{self, before},
    concepts,
    context::{self, Hint},
    custom::Rules,
};
use crate::mask::{Class, Name};

/// A text while it is searched.
pub(super) struct Page<'a> {
    /// The text.
    pub(super) text: &'a str,
    /// What the key says of the whole text.
    pub(super) hint: Hint,
    /// Whether only the question stands if anything could be found, whatever its score.
    pub(super) probe: bool,
    /// Whether something was found, or could be under some key.
    pub(super) hit: bool,
    /// Where the last `://` stands, as long as what follows it may name a password.
    pub(super) scheme: Option<usize>,
    /// How many at signs stand behind it.
    pub(super) scheme_signs: u8,
    /// Up to where values of names were taken: what stands in one is not read as another name.
    pub(super) valued: usize,
    rules: &'a Rules,
    found: &'a mut Vec<Finding>,
}

/// What a detector finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct What {
    /// The class.
    pub(super) class: &'static str,
    /// The detector.
    pub(super) detector: &'static str,
}

pub(super) const fn what(class: &'static str, detector: &'static str) -> What {
    What { class, detector }
}

impl<'a> Page<'a> {
    pub(super) fn new(
        text: &'a str,
        hint: Hint,
        rules: &'a Rules,
        found: &'a mut Vec<Finding>,
    ) -> Self {
        Self {
            text,
            hint,
            probe: false,
            hit: false,
            scheme: None,
            scheme_signs: 0,
            valued: 0,
            rules,
            found,
        }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes()
    }

    pub(super) fn part(&self, start: usize, end: usize) -> &'a [u8] {
        bytes::part(self.text.as_bytes(), start, end)
    }

    pub(super) fn at(&self, at: usize) -> u8 {
        bytes::at(self.text.as_bytes(), at)
    }

    pub(super) fn before(&self, at: usize) -> u8 {
        before(self.text.as_bytes(), at)
    }

    /// What the key and the words around say.
    pub(super) fn concepts(&self, start: usize, end: usize) -> u128 {
        concepts::joined(self.hint.concepts | context::around(self.bytes(), start, end))
    }

    /// Takes a finding, if it is sure enough and its class is wanted.
    pub(super) fn take(&mut self, start: usize, end: usize, what: What, score: u8) {
        if self.probe {
            self.hit = true;
            return;
        }
        if score < self.rules.score_min || !self.rules.wants(what.class) {
            return;
        }
        let on_characters = self.text.is_char_boundary(start) && self.text.is_char_boundary(end);
        if start < end && on_characters {
            let (class, detector) = (Class::known(what.class), Name::known(what.detector));
            self.found.push(Finding { start, end, class, score, detector });
            self.hit = true;
        }
    }

    /// Whether a finding of this score would be kept.
    pub(super) fn keeps(&self, score: u8) -> bool {
        self.probe || score >= self.rules.score_min
    }
}
