//! One text in all its views, and what was found in a message so far.
//!
//! Decodings are bounded in depth ([`LEVELS_MAX`]) and all together in bytes, so that no message costs
//! more than a fixed multiple of its length.

use std::ops::Range;

use memchr::memrchr;

use super::{
    Class, Finding, LEVELS_MAX, MaskFault, Masker, Operator, Text,
    bits::Block,
    class::Name,
    detect::{Spot, Tells},
    frame::{Named, Trail},
    operator,
    render::Issued,
    sieve,
    token::{Seal, Word},
    view::{self, View},
    walk,
};

/// Bytes that may be looked at for each byte of a message, decoded texts included.
const BUDGET_FACTOR: usize = 24;
/// And for any message, however short.
const BUDGET_LEAST: usize = 64 * 1024;
/// Escapes within escapes in one text: `%2540`.
const ROUNDS_MAX: u8 = 2;
/// How far before a finding the label that it is part of may begin, in bytes.
const LABEL_REACH: usize = 96;

/// What was found in one message.
pub(super) struct Desk<'m> {
    pub(super) masker: Masker<'m>,
    pub(super) hits: Vec<Hit>,
    /// Tokens in what was put together on a desk beside.
    pub(super) issued: Vec<Issued>,
    /// Whether the message has no text that stands for another one, apart from those in base64 and the like.
    pub(super) bare: bool,
    /// Objects so far.
    pub(super) objects: u32,
    /// Whether more than the built-in detectors looks.
    own: bool,
    /// Whether anything that stands in place of a value depends on it.
    values: bool,
    /// Whether tokens are issued.
    tokens: bool,
    budget: usize,
    findings: Vec<Finding>,
}

/// A value, in bytes of the message.
#[derive(Clone)]
pub(super) struct Hit {
    pub(super) span: Range<usize>,
    pub(super) class: Class,
    pub(super) score: u8,
    pub(super) detector: Name,
    /// Whether this caller may not see it.
    pub(super) masked: bool,
    /// As a person would read it; empty where what stands in its place does not depend on it.
    pub(super) value: String,
    pub(super) place: Place,
    pub(super) path: String,
    /// What stands in its place, where that is not what the operator of its class gives.
    pub(super) instead: Option<String>,
}

/// What kind of leaf a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Text,
    /// A key of the object with this number.
    Key(u32),
    /// A number, in JSON within this many strings.
    Number(u8),
}

/// Where a text is.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// What names it.
    pub(super) named: Named<'s>,
    /// The way back to the bytes of the message.
    pub(super) lens: Lens<'s>,
    /// How many decodings lie between.
    pub(super) level: u8,
    /// How many strings of JSON it is in.
    pub(super) quotes: u8,
    pub(super) place: Place,
    pub(super) trail: Option<&'s Trail<'s>>,
}

/// The way from a decoded text back to the bytes of the message.
#[derive(Clone, Copy)]
pub(super) struct Lens<'s> {
    /// Where the view's source begins in what lies above.
    pub(super) base: usize,
    pub(super) view: Option<&'s View>,
    pub(super) up: Option<&'s Lens<'s>>,
}

impl<'s> Scope<'s> {
    /// Of a whole message.
    pub(super) fn outermost() -> Self {
        let lens = Lens { base: 0, view: None, up: None };
        let named = Named::default();
        Self { named, lens, level: 0, quotes: 0, place: Place::Text, trail: None }
    }

    /// The same place, seen through one more view.
    pub(super) const fn through(&'s self, view: &'s View, base: usize) -> Self {
        Self { lens: Lens { base, view: Some(view), up: Some(&self.lens) }, ..*self }
    }
}

impl Lens<'_> {
    /// The bytes of the message that a stretch of the text needs.
    pub(super) fn source(&self, span: Range<usize>) -> Range<usize> {
        let span = self.view.map_or(span.clone(), |view| view.source(span));
        let span = span.start + self.base..span.end + self.base;
        self.up.map_or(span.clone(), |up| up.source(span))
    }

    /// Whether nothing lies between but strings of JSON, so that JSON can be put back.
    fn is_cut(&self) -> bool {
        self.view.is_none_or(View::is_cut) && self.up.is_none_or(Self::is_cut)
    }
}

impl<'m> Desk<'m> {
    /// For a message of `length` bytes.
    pub(super) fn new(masker: &Masker<'m>, length: usize) -> Self {
        let budget = length.saturating_mul(BUDGET_FACTOR).saturating_add(BUDGET_LEAST);
        Self::new_within(*masker, budget)
    }

    fn new_within(masker: Masker<'m>, budget: usize) -> Self {
        let mut operators = masker.settings.operators.values();
        let telling = |kind: &Operator| !matches!(kind, Operator::Label | Operator::Drop);
        Self {
            masker,
            values: operators.clone().any(telling),
            tokens: operators.any(|kind| *kind == Operator::Token),
            hits: Vec::new(),
            issued: Vec::new(),
            bare: false,
            objects: 0,
            own: masker.known.is_some() || !masker.detectors.is_standard(),
            budget,
            findings: Vec::new(),
        }
    }

    /// For a text that was decoded out of this message, and is masked on its own.
    pub(super) fn beside(&self) -> Self {
        Self::new_within(self.masker, self.budget)
    }

    /// Takes what a desk [`Self::beside`] has left.
    pub(super) const fn settle(&mut self, other: &Self) {
        self.budget = other.budget;
    }

    /// Counts bytes that are looked at.
    pub(super) fn spend(&mut self, bytes: usize) -> Result<(), MaskFault> {
        self.budget = self.budget.checked_sub(bytes).ok_or(MaskFault::Budget)?;
        Ok(())
    }

    /// Whether nothing can be found in `block`, the first bytes of `text`, as is seen at a glance: what no name
    /// tells of, the usual texts of machines tell nothing of.
    #[inline]
    pub(super) fn is_quiet(&self, text: &[u8], block: &Block, tells: Tells) -> bool {
        !self.own && tells != Tells::Much && sieve::is_quiet(text, block, tells == Tells::Other)
    }

    /// Whether a number is too short to be one of a person, where no name tells of it.
    #[inline]
    pub(super) fn is_short_number(&self, raw: &str, tells: Tells) -> bool {
        !self.own && tells != Tells::Much && sieve::is_decimal(raw.as_bytes())
    }

    /// Looks at a text: as JSON where it is JSON, else as it stands and decoded.
    pub(super) fn text(&mut self, text: &str, scope: &Scope<'_>) -> Result<(), MaskFault> {
        if scope.level < LEVELS_MAX && walk::may_be_json(text) && self.nested(text, scope)? {
            return Ok(());
        }
        self.spend(text.len())?;
        self.folded(text, scope, ROUNDS_MAX)
    }

    /// Whether `text` is JSON, and so was looked at as that.
    fn nested(&mut self, text: &str, scope: &Scope<'_>) -> Result<bool, MaskFault> {
        self.spend(text.len())?;
        let before = self.hits.len();
        let within = Scope { level: scope.level + 1, ..*scope };
        match walk::walk(self, text, true, &within) {
            Ok(()) => Ok(true),
            Err(MaskFault::Json { .. }) => {
                self.hits.truncate(before);
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    fn folded(&mut self, text: &str, scope: &Scope<'_>, rounds: u8) -> Result<(), MaskFault> {
        let foldable = !self.bare && view::is_foldable(text);
        match foldable.then(|| view::fold(text)).flatten() {
            Some(view) => {
                self.spend(view.text.len())?;
                self.plain(&view.text, &scope.through(&view, 0), rounds)
            }
            None => self.plain(text, scope, rounds),
        }
    }

    fn plain(&mut self, text: &str, scope: &Scope<'_>, rounds: u8) -> Result<(), MaskFault> {
        self.scan(text, scope);
        if scope.level < LEVELS_MAX {
            self.runs(text, scope)?;
        }
        let escaped = !self.bare && rounds > 0 && view::has_escapes(text.as_bytes());
        let Some(view) = escaped.then(|| view::soft(text)).flatten() else { return Ok(()) };
        self.spend(view.text.len())?;
        self.folded(&view.text, &scope.through(&view, 0), rounds - 1)
    }

    fn runs(&mut self, text: &str, scope: &Scope<'_>) -> Result<(), MaskFault> {
        let bare = self.bare;
        let mut runs = Vec::new();
        view::runs(text, &mut runs);
        for run in runs {
            self.bare = false;
            let within = scope.through(&run.view, run.span.start);
            self.text(&run.view.text, &Scope { level: scope.level + 1, ..within })?;
        }
        for view in scope.named.key.map(|_| view::short_whole(text)).unwrap_or_default() {
            self.bare = false;
            self.spend(view.text.len())?;
            let within = scope.through(&view, 0);
            self.text(&view.text, &Scope { level: scope.level + 1, ..within })?;
        }
        self.bare = bare;
        Ok(())
    }

    /// Looks at a number as it is written, and as the whole number that it may stand for.
    pub(super) fn number(&mut self, raw: &str, scope: &Scope<'_>) {
        let before = self.hits.len();
        self.scan(raw, scope);
        if self.hits.len() == before
            && let Some(whole) = walk::whole_number(raw)
        {
            self.scan(&whole, scope);
        }
        if self.hits.len() > before {
            let span = scope.lens.source(0..raw.len());
            let new = self.hits.get_mut(before..).unwrap_or_default();
            new.iter_mut().for_each(|hit| hit.span = span.clone());
        }
    }

    fn scan(&mut self, text: &str, scope: &Scope<'_>) {
        let mut findings = std::mem::take(&mut self.findings);
        let Named { key, hint, .. } = scope.named;
        self.masker.detectors.scan_under(Text { text, key }, hint, &mut findings);
        self.masker.known.scan(text, &mut findings);
        for finding in findings.drain(..) {
            if let Some(hit) = self.hit(text, &finding, scope) {
                self.hits.push(hit);
            }
        }
        self.findings = findings;
    }

    /// Takes a text that stands at these spots as a whole.
    pub(super) fn whole(&mut self, text: &str, spots: &[&Spot], scope: &Scope<'_>) {
        for spot in spots {
            let finding = spot.finding(text.len());
            if !self.masker.detectors.allows(text, &finding) {
                let hit = self.hit(text, &finding, scope);
                self.hits.extend(hit);
            }
        }
    }

    /// The hit that a finding is; `None` where it is only what masking has put there.
    #[cold]
    pub(super) fn hit(&self, text: &str, finding: &Finding, scope: &Scope<'_>) -> Option<Hit> {
        let value = text.get(finding.start..finding.end)?;
        if value.is_empty() || self.is_ours(text, finding, value) {
            return None;
        }
        let place = match scope.place {
            Place::Number(_) if !scope.lens.is_cut() => Place::Text,
            place => place,
        };
        Some(Hit {
            span: scope.lens.source(finding.start..finding.end),
            class: finding.class.clone(),
            score: finding.score,
            detector: finding.detector.clone(),
            masked: self.is_masked(&finding.class),
            value: if self.values { value.to_owned() } else { String::new() },
            place,
            path: self.path(scope),
            instead: None,
        })
    }

    /// Where a leaf is, if that is asked for.
    pub(super) fn path(&self, scope: &Scope<'_>) -> String {
        scope.trail.filter(|_| self.masker.paths).map(Trail::path).unwrap_or_default()
    }

    /// Whether this caller may not see values of `class`.
    pub(super) fn is_masked(&self, class: &Class) -> bool {
        self.masker.settings.masks(class) && !self.masker.reveal.shows(class)
    }

    /// Whether a finding is a label or another thing that stands for a value.
    fn is_ours(&self, text: &str, finding: &Finding, value: &str) -> bool {
        let from = text.floor_char_boundary(finding.start.saturating_sub(LABEL_REACH));
        let before = text.as_bytes().get(from..=finding.start).unwrap_or_default();
        let is_class =
            |name: &str| self.masker.settings.mask.iter().any(|root| Class::new(name).is_in(root));
        let label = memrchr(b'[', before).and_then(|open| {
            let length = operator::label_length(text.get(from + open..)?, is_class)?;
            Some(from + open + length)
        });
        let starred = |most: u8| {
            // A finding may begin within the stars.
            let kept = value.trim_start_matches('*');
            let before = text.get(..finding.end - kept.len()).unwrap_or_default();
            before.ends_with("****") && kept.len() <= usize::from(most)
        };
        // What follows the label may be a mark of its own, and is nothing else.
        let is_mark = |end| {
            text.get(end..finding.end).is_none_or(|more| !more.contains(char::is_alphanumeric))
        };
        label.is_some_and(is_mark)
            || self.is_token(text, finding)
            || matches!(self.masker.settings.operator(&finding.class), Operator::Last(most) if starred(most))
    }

    /// Whether a finding is a token, or a part of one.
    fn is_token(&self, text: &str, finding: &Finding) -> bool {
        if !self.tokens {
            return false;
        }
        let from = text.floor_char_boundary(finding.start.saturating_sub(LABEL_REACH));
        let to = text.ceil_char_boundary(finding.end.saturating_add(LABEL_REACH).min(text.len()));
        self.tokens(text.get(from..to).unwrap_or_default()).iter().any(|word| {
            let span = from + word.span.start..from + word.span.end;
            // What an escape leaves before an address looks like its beginning: `%20a@b.co`.
            let begins = span.start <= finding.start || finding.class.is_in("pii.email");
            begins && span.start < finding.end && finding.end <= span.end
        })
    }

    /// The tokens in `text`, where any are issued.
    pub(super) fn tokens(&self, text: &str) -> Vec<Word> {
        if !self.tokens {
            return Vec::new();
        }
        let mut words = Seal::new(self.masker.key).words(text);
        words.retain(|word| word.sealed);
        words
    }
}
