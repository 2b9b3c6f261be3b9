//! Numbers that countries give to people and companies: by their checksum, their grouping, and the
//! words around them.
//!
//! | file | holds |
//! |---|---|
//! | [`rows`] | the table of numbers made of digits |
//! | [`europe`], [`world`] | their checks |
//! | [`sums`] | formulas that several of them share |
//! | [`lettered`], [`checks`] | numbers with letters, and their checks |

mod checks;
mod europe;
pub(super) mod lettered;
mod rows;
mod sums;
mod world;

pub(super) use rows::LAYOUTS;
pub(super) use sums::{luhn, verhoeff};

use super::{
    concepts as c,
    number::{Window, layout},
    page::{Page, What, what},
};

/// Takes the window if it is such a number, as the most certain one that it can be.
pub(super) fn look(page: &mut Page<'_>, window: &mut Window<'_>) -> bool {
    let mut best: Option<(u8, What)> = None;
    // Of digits in groups of no country only a word tells.
    let told = |around: u128| window.is_even() && (page.probe || around & !c::OTHER != 0);
    let around = window.concepts(page);
    let known = window.is_bare() || is_grouped(window) || told(around);
    let person = !window.is_bare() && around & c::PERSON != 0;
    for row in rows::of(if known { window.digits.len() } else { 0 }) {
        let shape = match (window.is_bare(), row.is_grouped(window.layout)) {
            (true, _) => row.bare,
            (false, true) if window.is_part => row.alone.min(45),
            (false, true) => row.alone,
            (false, false) => 0,
        };
        if shape == 0 && !told(around & row.concepts) {
            continue;
        }
        let score = scored(shape, row.concepts, row.what.class, around).max(beside(shape, person));
        // The check is what costs.
        let better = best.is_none_or(|(most, _)| score > most);
        if better && page.keeps(score) && (row.check)(window.digits) {
            best = Some((score, row.what));
        }
    }
    let Some((score, what)) =
        best.max_by_score(wordy(page, window)).filter(|(score, _)| page.keeps(*score))
    else {
        return false;
    };
    page.take(window.start, window.end, what, score);
    score > 0
}

/// Whether its digits are grouped as those of one such number are.
pub(super) fn is_grouped(window: &Window<'_>) -> bool {
    !window.is_bare()
        && LAYOUTS.may_hold(window.layout)
        && rows::of(window.digits.len()).any(|row| row.is_grouped(window.layout))
}

/// The score of a number of this shape under these words.
pub(super) fn scored(shape: u8, own: u128, class: &str, around: u128) -> u8 {
    if around & own != 0 {
        92
    } else if around & c::OWN != 0 {
        // Another country's number is named there.
        if shape < 90 { shape.saturating_sub(40) } else { shape }
    } else if shape >= 20 && is_general(class, around) {
        shape.max(80)
    } else if around & c::OTHER != 0 && shape < 80 {
        shape.saturating_sub(25)
    } else {
        shape
    }
}

/// Whether a word names numbers of this kind, of any country.
fn is_general(class: &str, around: u128) -> bool {
    let is = |concept: u128, kind: &str| around & concept != 0 && class.starts_with(kind);
    is(c::TAX, "pii.tax") || is(c::HEALTH, "phi.") || is(c::NATIONAL, "pii.national_id")
}

/// The score of a number of a known form that says too little by itself, beside a word of persons.
fn beside(shape: u8, person: bool) -> u8 {
    if person && shape >= 40 { 60 } else { 0 }
}

trait MaxByScore {
    fn max_by_score(self, other: Self) -> Self;
}

impl MaxByScore for Option<(u8, What)> {
    fn max_by_score(self, other: Self) -> Self {
        match (self, other) {
            (Some(one), Some(other)) if other.0 > one.0 => Some(other),
            (None, other) => other,
            (one, _) => one,
        }
    }
}

/// Digits without a checksum, that only a word beside them names.
fn wordy(page: &Page<'_>, window: &mut Window<'_>) -> Option<(u8, What)> {
    let length = window.digits.len();
    if !window.is_bare() && !window.is_even() {
        return None;
    }
    let around = window.concepts(page);
    let named = |concept: u128| around & concept != 0;
    if named(c::PASSPORT) && (8..=9).contains(&length) {
        Some((75, what("pii.passport", "passport")))
    } else if named(c::DRIVER) && (7..=12).contains(&length) {
        Some((70, what("pii.driver_license", "driver_license")))
    } else if named(c::ACCOUNT) && (7..=17).contains(&length) {
        Some((65, what("pii.bank.account", "account")))
    } else {
        None
    }
}

/// A National Insurance number in groups: `AB 12 34 56 C`.
pub(super) fn insurance(page: &mut Page<'_>, window: &Window<'_>) -> bool {
    let grouped = [layout("2 2 2"), layout("2-2-2"), layout("6")].contains(&window.layout);
    let (start, end) = (window.start.saturating_sub(3), window.end + 2);
    let letters = [page.at(start), page.at(start + 1), page.at(end - 1)];
    let apart = page.at(start + 2) == page.at(end - 2) && matches!(page.at(end - 2), b' ' | b'-');
    let alone =
        !page.before(start).is_ascii_alphanumeric() && !page.at(end).is_ascii_alphanumeric();
    let fits = grouped && apart && alone && checks::is_insurance(letters);
    if fits {
        page.take(start, end, what("pii.national_id.uk", "uk_nino_spaced"), 72);
    }
    fits
}
