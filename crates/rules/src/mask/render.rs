//! Puts replacements where values were found, and says what was found.
//!
//! Values that overlap become one, of the class that is surest. What is outside of them is copied.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use memchr::memmem;

use super::{
    Class, Masker,
    class::Name,
    desk::{Desk, Hit, Place},
    operator,
    settings::{Numbers, Operator},
    token::{self, Seal},
};

/// Digits of a number that every reader of JSON takes exactly: below 2^53 as tokens begin.
const NUMBER_MAX: usize = 16;

/// A message without what its reader may not see.
#[derive(Debug)]
pub struct Masked<'t> {
    /// The message; borrowed where it is as it came.
    pub bytes: Cow<'t, [u8]>,
    /// What was found, in order.
    pub reports: Vec<Report>,
    /// Tokens that stand for values in it, also several times. Where values overlap, where a value is a part
    /// of a word, or where a number that is not whole must stay a number, nothing is issued, and a label or
    /// 0 stands there.
    pub issued: Vec<Issued>,
}

impl Masked<'_> {
    /// The same, apart from the text that it came from.
    pub(super) fn owned(self) -> Masked<'static> {
        let Self { bytes, reports, issued } = self;
        Masked { bytes: Cow::Owned(bytes.into_owned()), reports, issued }
    }
}

/// A value that was found, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is.
    pub class: Class,
    /// Where, as a JSON path; in JSON within texts one path after the other, with ` > ` between. Empty in a
    /// text. A value that lies over several strings has the path of what they stand in.
    pub path: String,
    /// Where, in bytes of what was given in.
    pub span: Range<usize>,
    /// How sure that is, in percent.
    pub score: u8,
    /// The detector that says so.
    pub detector: Name,
    /// Whether it was replaced; else this reader may see it.
    pub masked: bool,
}

/// A token and what it stands for. Has no Debug: it holds a value that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// What stands in the message.
    pub token: String,
    /// What stood there, as a person would read it.
    pub value: String,
    /// What it is.
    pub class: Class,
    /// Whether it was a number and became a string.
    pub number: bool,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("class", &self.class).finish_non_exhaustive()
    }
}

/// The message `text` with everything on the desk put in its place.
pub(super) fn render<'t>(desk: Desk<'_>, text: &'t str) -> Masked<'t> {
    let masker = desk.masker;
    let mut hits = desk.hits;
    hits.sort_by(|a, b| (a.span.start, b.span.end).cmp(&(b.span.start, a.span.end)));
    let mut keys = Keys { text, next: BTreeMap::new(), first: BTreeMap::new() };
    let mut issued = desk.issued;
    let mut done = 0;
    let mut masked = Vec::with_capacity(hits.len());
    masked.extend(hits.iter().filter(|hit| hit.masked));
    // Most of it is copied.
    let mut out = String::with_capacity(if masked.is_empty() { 0 } else { text.len() });
    let mut rest = masked.as_slice();
    while let Some((first, _)) = rest.split_first() {
        let mut span = first.span.clone();
        let mut count = 0;
        while let Some(hit) = rest.get(count).filter(|hit| count == 0 || hit.span.start < span.end)
        {
            span.end = span.end.max(hit.span.end);
            count += 1;
        }
        let (group, after) = rest.split_at(count);
        rest = after;
        out.push_str(text.get(done..span.start).unwrap_or_default());
        if let Some(class) = labelled(&masker, group) {
            operator::put_label(class, "", &mut out);
        } else {
            let near = Near { text, before: &out, span: &span };
            let instead = instead(&masker, &near, group, &mut keys, &mut issued);
            out.push_str(&instead);
        }
        done = span.end;
    }
    let bytes = if done == 0 && masked.is_empty() {
        Cow::Borrowed(text)
    } else {
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    };
    Masked { bytes: super::bytes_of(bytes), reports: reports(hits), issued }
}

/// The class whose label stands in place of a hit that overlaps no other one, as it is with most.
fn labelled<'h>(masker: &Masker<'_>, group: &[&'h Hit]) -> Option<&'h Class> {
    let [hit] = group else { return None };
    let plain = hit.instead.is_none() && hit.place == Place::Text;
    let label = plain && masker.settings.operator(&hit.class) == Operator::Label;
    label.then_some(&hit.class)
}

/// What stands around hits: the message, what of it is put together, and where they are.
struct Near<'n> {
    text: &'n str,
    before: &'n str,
    span: &'n Range<usize>,
}

/// What stands in place of hits that overlap.
fn instead(
    masker: &Masker<'_>,
    near: &Near<'_>,
    group: &[&Hit],
    keys: &mut Keys<'_>,
    issued: &mut Vec<Issued>,
) -> String {
    let Some(best) = group.iter().max_by_key(|hit| (hit.score, hit.span.len())) else {
        return String::new();
    };
    let whole = group.iter().filter(|hit| hit.span == *near.span);
    if let Some(instead) = whole.clone().filter_map(|hit| hit.instead.clone()).next() {
        return instead;
    }
    let place = group.iter().map(|hit| hit.place).find(|place| *place != Place::Text);
    let place = place.unwrap_or(Place::Text);
    let kind = match masker.settings.operator(&best.class) {
        Operator::Token => {
            let whole = whole.max_by_key(|hit| hit.score);
            if let Some(token) = whole.and_then(|hit| token(masker, near, hit, place)) {
                issued.push(token.clone());
                return match place {
                    Place::Number(quotes) if token.number => in_quotes(&token.token, quotes),
                    _ => token.token,
                };
            }
            Operator::Label
        }
        kind => kind,
    };
    let plain = operator::replacement(kind, masker.key, &best.class, &best.value);
    match place {
        Place::Text => plain,
        Place::Key(object) => keys.distinct(object, &best.class, plain),
        Place::Number(_) if masker.numbers == Numbers::Number => "0".to_owned(),
        Place::Number(quotes) => in_quotes(&plain, quotes),
    }
}

/// The token of a hit; `None` where its place takes none.
fn token(masker: &Masker<'_>, near: &Near<'_>, hit: &Hit, place: Place) -> Option<Issued> {
    let class = hit.class.clone();
    let Place::Number(_) = place else {
        let token = token::issue(masker.key, &class, &hit.value, false);
        let after = near.text.get(near.span.end..).unwrap_or_default();
        if !Seal::new(masker.key).stands(near.before, &token, after) {
            return None;
        }
        return Some(Issued { token, value: hit.value.clone(), class, number: false });
    };
    // A number as it is written, of which a finding may be a part.
    let value = near.text.get(hit.span.clone())?.to_owned();
    let number = masker.numbers == Numbers::Text;
    let token = token::issue(masker.key, &class, &value, number);
    let fits =
        number || token.len() <= NUMBER_MAX && token.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(Issued { token, value, class, number })
}

/// A string in place of a number, in JSON within so many strings.
fn in_quotes(plain: &str, quotes: u8) -> String {
    // Each string around doubles the backslashes before a quote, and adds one.
    let escapes = (1_usize << quotes.min(16)) - 1;
    let quote = "\\".repeat(escapes) + "\"";
    format!("{quote}{plain}{quote}")
}

/// Keeps keys of one object apart that would read the same.
struct Keys<'t> {
    text: &'t str,
    /// The number that the next key with these letters gets, one object.
    next: BTreeMap<(u32, String), u32>,
    /// The first number that the message itself leaves free.
    first: BTreeMap<String, u32>,
}

impl Keys<'_> {
    fn distinct(&mut self, object: u32, class: &Class, plain: String) -> String {
        let text = self.text;
        let first = *self.first.entry(plain.clone()).or_insert_with(|| taken(text, &plain));
        let number = self.next.entry((object, plain.clone())).or_insert(first);
        *number += 1;
        match *number {
            1 => plain,
            number if plain.is_empty() => operator::label(class, &format!("#{number}")),
            number => match plain.strip_suffix(']') {
                Some(open) => format!("{open}#{number}]"),
                None => format!("{plain}#{number}"),
            },
        }
    }
}

/// The highest number with which `plain` stands in the text; 1 for itself, 0 for none.
fn taken(text: &str, plain: &str) -> u32 {
    let open = plain.strip_suffix(']').unwrap_or(plain);
    if open.is_empty() {
        return 0;
    }
    let numbers = memmem::find_iter(text.as_bytes(), open).map(|at| {
        let rest = text.get(at + open.len()..).and_then(|rest| rest.strip_prefix('#'));
        let digits = rest.map_or("", |rest| {
            rest.get(..rest.bytes().take_while(u8::is_ascii_digit).count().min(7))
                .unwrap_or_default()
        });
        digits.parse().unwrap_or(1)
    });
    numbers.max().unwrap_or(0)
}

fn reports(hits: Vec<Hit>) -> Vec<Report> {
    let mut reports: Vec<Report> = Vec::with_capacity(hits.len());
    for Hit { span, class, score, detector, masked, path, .. } in hits {
        // Hits with the same span follow each other.
        let mut same = reports.iter().rev().take_while(|report| report.span == span);
        if !same.any(|report| report.class == class) {
            reports.push(Report { class, path, span, score, detector, masked });
        }
    }
    reports
}
