//! Numbers with letters among their digits, such as a codice fiscale or a VAT number.
//!
//! Read from one word: without its dots and dashes, in capitals.

use super::{
    MaxByScore as _, beside,
    checks::{
        at_vat, be_vat, ch_uid, cl_rut_k, cn_resident, de_card, de_card_short, de_health,
        de_pension, de_vat, es_cif, es_nie, es_nif, es_nif_short, es_vat, fi_hetu, fi_hetu_dashed,
        fits, fr_corsica, fr_vat, gb_vat, hk_person, ie_pps, in_gstin, in_pan, it_fiscal_code,
        it_vat, mx_curp, mx_rfc, pl_card, pl_vat, se_vat, sg_nric, sg_uen_business, sg_uen_company,
        tw_person, uk_driver, uk_nino, us_dea, us_mbi,
    },
    scored,
    sums::sum,
};
use crate::mask::{
    bits::{self, Block},
    detect::{
        bytes::{DASH, DIGIT, DOT, LETTER, kind},
        concepts as c,
        page::{Page, What, what},
    },
};

/// Longest of them, in characters.
const LENGTH_MAX: usize = 20;
/// Shortest of them.
const LENGTH_MIN: usize = 8;

/// A kind of number with letters.
struct Row {
    /// `A` a letter, `9` a digit, `X` either; every other character itself. One with a dash is met only with
    /// that dash, the others with or without.
    pattern: &'static [u8],
    /// What it asks for, for a look at a glance.
    shape: Shape,
    dashed: bool,
    /// Whether it asks for letters or digits by name, which the shape does not tell.
    named: bool,
    check: fn(&[u8]) -> bool,
    what: What,
    concepts: u128,
    /// Its score with no word around.
    alone: u8,
}

/// Where letters and digits stand, as bits: the first character is the lowest. Of at most 32 characters.
#[derive(Clone, Copy, Default)]
struct Shape {
    letters: u32,
    digits: u32,
}

impl Shape {
    /// Of a word.
    fn of(word: &[u8]) -> Self {
        let block = Block::of(word, word.len());
        let low = |bits: u64| (bits & u64::from(u32::MAX)) as u32;
        Self { letters: low(block.letters()), digits: low(block.range(b'0', b'9')) }
    }

    /// What a pattern asks for.
    const fn asked(mut pattern: &[u8]) -> Self {
        let mut shape = Self { letters: 0, digits: 0 };
        while let Some((last, others)) = pattern.split_last() {
            let letter = last.is_ascii_alphabetic() && *last != b'X';
            shape.letters = shape.letters << 1 | letter as u32;
            shape.digits = shape.digits << 1 | last.is_ascii_digit() as u32;
            pattern = others;
        }
        shape
    }

    const fn has(self, asked: Self) -> bool {
        self.letters & asked.letters == asked.letters && self.digits & asked.digits == asked.digits
    }
}

const fn row(
    pattern: &'static str,
    class: &'static str,
    detector: &'static str,
    check: fn(&[u8]) -> bool,
    concepts: u128,
    alone: u8,
) -> Row {
    let (pattern, mut rest) = (pattern.as_bytes(), pattern.as_bytes());
    let (mut dashed, mut named) = (false, false);
    while let Some((first, others)) = rest.split_first() {
        dashed |= *first == b'-';
        named |= !matches!(*first, b'A' | b'9' | b'X');
        rest = others;
    }
    let (shape, what) = (Shape::asked(pattern), what(class, detector));
    Row { pattern, shape, dashed, named, check, what, concepts, alone }
}

fn any(_: &[u8]) -> bool {
    true
}

const ROWS: &[Row] = &[
    row("AA999999A", "pii.national_id.uk", "uk_nino", uk_nino, c::UK, 45),
    row("AAAAA999999AA9AA", "pii.driver_license", "uk_driver", uk_driver, c::DRIVER | c::UK, 80),
    row("99999999A", "pii.national_id.es", "es_nif", es_nif, c::ES, 45),
    row("9999999A", "pii.national_id.es", "es_nif_short", es_nif_short, c::ES, 30),
    row("99999999-A", "pii.national_id.es", "es_nif_dashed", es_nif, c::ES, 75),
    row("A9999999A", "pii.national_id.es", "es_nie", es_nie, c::ES, 92),
    row("A9999999X", "pii.tax.es", "es_cif", es_cif, c::ES, 45),
    row("AAAAAAXXAXXAXXXA", "pii.national_id.it", "it_fiscal_code", it_fiscal_code, c::IT, 97),
    row("AAAA999999AAAAAAX9", "pii.national_id.mx", "mx_curp", mx_curp, c::MX, 95),
    row("AAAA999999XXX", "pii.tax.mx", "mx_rfc", mx_rfc, c::MX, 75),
    row("AAAAA9999A", "pii.tax.in", "in_pan", in_pan, c::IN, 45),
    row("99AAAAA9999AXAX", "pii.tax.in", "in_gstin", in_gstin, c::IN, 92),
    row("9999999A", "pii.national_id.ie", "ie_pps", ie_pps, c::IE, 45),
    row("9999999AA", "pii.national_id.ie", "ie_pps", ie_pps, c::IE, 45),
    row("999999X999X", "pii.national_id.fi", "fi_hetu", fi_hetu, c::FI, 92),
    row("999999-999X", "pii.national_id.fi", "fi_hetu_dashed", fi_hetu_dashed, c::FI, 92),
    row("A9999999A", "pii.national_id.sg", "sg_nric", sg_nric, c::SG, 88),
    row("A999999999", "pii.national_id.tw", "tw_person", tw_person, c::TW, 45),
    row("99999999999999999X", "pii.national_id.cn", "cn_resident", cn_resident, c::CN, 95),
    row("999999A99999999", "pii.national_id.fr", "fr_nir_corsica", fr_corsica, c::FR, 90),
    row("99999999A999", "pii.national_id.de", "de_pension", de_pension, c::DE, 85),
    row("A999999999", "phi.health_id.de", "de_health", de_health, c::DE | c::HEALTH, 45),
    row("AXXXXXXXX", "pii.national_id.de", "de_card_short", de_card_short, c::AUSWEIS, 20),
    row("AXXXXXXXX9", "pii.national_id.de", "de_card", de_card, c::DE | c::PASSPORT, 45),
    row("9AX9AX9AA99", "phi.health_id.us", "us_mbi", us_mbi, c::MEDICARE, 85),
    row("AAA9999999", "pii.national_id.in", "in_voter", any, c::VOTER, 15),
    row("A999999X", "pii.national_id.hk", "hk_person", hk_person, c::HK, 20),
    row("99999999A", "pii.tax.sg", "sg_uen", sg_uen_business, c::SG, 30),
    row("999999999A", "pii.tax.sg", "sg_uen", sg_uen_company, c::SG, 30),
    row("AA9999999", "phi.health_id.us", "us_dea", us_dea, c::DEA, 45),
    row("CHE999999999", "pii.tax.ch", "ch_uid", ch_uid, c::CH, 90),
    row("AAA999999", "pii.national_id.pl", "pl_card", pl_card, c::PL, 45),
    row("99999999K", "pii.national_id.cl", "cl_rut_k", cl_rut_k, c::CL, 75),
    row("9999999K", "pii.national_id.cl", "cl_rut_k", cl_rut_k, c::CL, 75),
    row("DE999999999", "pii.tax.de", "de_vat", de_vat, c::DE, 85),
    row("ATU99999999", "pii.tax.at", "at_vat", at_vat, c::AT, 85),
    row("BE9999999999", "pii.tax.be", "be_vat", be_vat, c::BE, 88),
    row("FR99999999999", "pii.tax.fr", "fr_vat", fr_vat, c::FR, 88),
    row("IT99999999999", "pii.tax.it", "it_vat", it_vat, c::IT, 82),
    row("NL999999999B99", "pii.tax.nl", "nl_vat", any, c::NL, 82),
    row("PL9999999999", "pii.tax.pl", "pl_vat", pl_vat, c::PL, 82),
    row("ESX9999999X", "pii.tax.es", "es_vat", es_vat, c::ES, 85),
    row("SE999999999901", "pii.tax.se", "se_vat", se_vat, c::SE, 82),
    row("GB999999999", "pii.tax.uk", "gb_vat", gb_vat, c::UK, 80),
];

/// Which rows are so long, as a set of bits, by the length of their pattern.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const OF_LENGTH: [u64; LENGTH_MAX + 1] = {
    assert!(ROWS.len() <= 64, "a set has no room for more rows");
    let (mut sets, mut rest, mut bit) = ([0; LENGTH_MAX + 1], ROWS, 1);
    while let Some((row, others)) = rest.split_first() {
        sets[row.pattern.len()] |= bit;
        (rest, bit) = (others, bit << 1);
    }
    sets
};

/// The rows that a word may be by its letters and digits, and whose check it passes: `plain` is what is left
/// of it without its dashes and dots.
fn fitting(word: &[u8], plain: &[u8]) -> impl Iterator<Item = &'static Row> {
    let of_length = |text: &[u8]| OF_LENGTH.get(text.len()).copied().unwrap_or_default();
    let set = of_length(word) | of_length(plain);
    let shape = |text: &[u8]| if set == 0 { Shape::default() } else { Shape::of(text) };
    let bare = shape(plain);
    let whole = if word.len() == plain.len() { bare } else { shape(word) };
    let rows = bits::each(set).filter_map(|at| ROWS.get(at as usize));
    rows.filter(move |row| {
        let (shape, text) = if row.dashed { (whole, word) } else { (bare, plain) };
        let laid_out = row.pattern.len() == text.len() && shape.has(row.shape);
        laid_out && (!row.named || fits(row.pattern, text)) && (row.check)(plain)
    })
}

/// Takes the word `start..end` if it is such a number. Lower case counts only beside a word.
/// `kinds` tells what it is made of.
pub(in crate::mask::detect) fn look(
    page: &mut Page<'_>,
    (start, end): (usize, usize),
    kinds: u8,
) -> bool {
    let word = page.part(start, end);
    let mut buffer = [0; LENGTH_MAX];
    let mut length = 0;
    let mut lower = false;
    for byte in word.iter().filter(|byte| kind(**byte) & (LETTER | DIGIT) != 0) {
        let Some(place) = buffer.get_mut(length) else { return false };
        *place = byte.to_ascii_uppercase();
        lower |= byte.is_ascii_lowercase();
        length += 1;
    }
    let dotted = kinds & DOT == 0 || is_dotted_by_thousands(word);
    if length < LENGTH_MIN || word.len() > length + 5 || !dotted {
        return false;
    }
    let Some(plain) = buffer.get(..length) else { return false };
    let mut best: Option<(u8, What)> = vehicle(page, plain, (start, end), lower);
    let dashed = kinds & DASH != 0 && word.windows(3).any(is_dashed);
    for row in fitting(word, plain) {
        let sure = !lower && (!dashed || row.dashed);
        let shape = if sure { row.alone } else { row.alone.min(45) };
        let around = page.concepts(start, end);
        let person = !lower && around & c::PERSON != 0;
        let score = scored(shape, row.concepts, row.what.class, around).max(beside(shape, person));
        if best.is_none_or(|(most, _)| score > most) {
            best = Some((score, row.what));
        }
    }
    // In small letters, words of machines are too many to ask for the words around each.
    if !lower || page.hint.concepts != 0 || page.probe {
        best = best.max_by_score(document(page, plain, (start, end)));
    }
    let Some((score, what)) = best.filter(|(score, _)| page.keeps(*score)) else { return false };
    page.take(start, end, what, score);
    true
}

/// Hong Kong's identity number as it is printed, `A123456(3)`, whose word is `start..end`. Takes it and
/// tells where it ends.
pub(in crate::mask::detect) fn bracketed(
    page: &mut Page<'_>,
    start: usize,
    end: usize,
) -> Option<usize> {
    if !(7..=8).contains(&(end - start)) || page.at(end) != b'(' || page.at(end + 2) != b')' {
        return None;
    }
    let mut plain = page.part(start, end).to_ascii_uppercase();
    plain.push(page.at(end + 1).to_ascii_uppercase());
    let formed = fits(b"A999999X", &plain) || fits(b"AA999999X", &plain);
    (formed && hk_person(&plain)).then(|| {
        let score = if page.concepts(start, end) & c::HK != 0 { 95 } else { 85 };
        page.take(start, end + 3, what("pii.national_id.hk", "hk_person"), score);
        end + 3
    })
}

/// A dash that parts digits: most numbers with letters have none there.
fn is_dashed(three: &[u8]) -> bool {
    matches!(three, [one, b'-', other] if one.is_ascii_digit() && other.is_ascii_digit())
}

/// `12.345.678-Z`, but not the end of a time: `05.809768Z`.
fn is_dotted_by_thousands(word: &[u8]) -> bool {
    let three = |part: &[u8]| part.iter().take_while(|byte| byte.is_ascii_digit()).count() == 3;
    word.split(|byte| *byte == b'.').skip(1).all(three)
}

/// A passport or licence that only a word beside it names.
fn document(page: &Page<'_>, plain: &[u8], (start, end): (usize, usize)) -> Option<(u8, What)> {
    let around = page.concepts(start, end);
    let named = around & (c::PASSPORT | c::DRIVER) != 0;
    let counted = || plain.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4;
    if !named || plain.len() > 16 || !counted() {
        return None;
    }
    if around & c::PASSPORT != 0 && plain.len() <= 10 {
        return Some((75, what("pii.passport", "passport")));
    }
    (around & c::DRIVER != 0).then_some((70, what("pii.driver_license", "driver_license")))
}

/// Vehicle identification number (ISO 3779, with North America's check digit).
fn vehicle(
    page: &Page<'_>,
    plain: &[u8],
    (start, end): (usize, usize),
    lower: bool,
) -> Option<(u8, What)> {
    let allowed = |byte: &u8| !matches!(byte, b'I' | b'O' | b'Q');
    let digits = || plain.iter().filter(|byte| byte.is_ascii_digit()).count();
    if plain.len() != 17
        || end - start != 17
        || !(3..=14).contains(&digits())
        || !plain.iter().all(allowed)
    {
        return None;
    }
    let transliterated = |byte: &u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'A'..=b'H' => byte - b'A' + 1,
        b'J'..=b'R' => byte - b'J' + 1,
        _ => byte - b'S' + 2,
    };
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let rest = sum(&plain.iter().map(transliterated).collect::<Vec<_>>(), &weights) % 11;
    let check = if rest == 10 { b'X' } else { b'0' + u8::try_from(rest).unwrap_or_default() };
    let named = page.concepts(start, end) & c::VEHICLE != 0;
    // Makers count their vehicles in digits; other codes of this length seldom end so.
    let counted = plain.iter().rev().take(4).all(u8::is_ascii_digit);
    let checked = plain.get(8) == Some(&check);
    match (named, checked) {
        (true, true) => Some((92, what("pii.vehicle", "vin"))),
        (true, false) => Some((70, what("pii.vehicle", "vin_unchecked"))),
        (false, true) if counted && !lower => Some((55, what("pii.vehicle", "vin"))),
        _ => None,
    }
}
