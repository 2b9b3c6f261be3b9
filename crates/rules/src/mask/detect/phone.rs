//! Telephone numbers: with a country code by ITU-T E.164, and as some countries write their own.
//!
//! A small structural check, no numbering plan of every exchange: that would be half a megabyte of
//! tables for a few wrong numbers less.

use super::{
    bytes::{self, DIGIT, LETTER},
    concepts as c, context, date,
    number::{Number, Sieve, Window, layout},
    page::{Page, What, what},
};

const PHONE: What = what("pii.phone", "phone");
/// Longest word before a dash and a number that is read, in bytes.
const NAME_MAX_BYTES: usize = 24;
/// Most digits of an extension.
const EXTENSION_MAX: usize = 6;

/// Country codes with the fewest and most digits behind them. Others have 5 to 12.
const COUNTRIES: &[(u32, usize, usize)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (39, 6, 11),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 6, 12),
    (52, 10, 11),
    (54, 8, 11),
    (55, 10, 11),
    (61, 9, 9),
    (62, 8, 12),
    (63, 8, 10),
    (65, 8, 8),
    (81, 9, 10),
    (82, 8, 11),
    (86, 9, 11),
    (90, 10, 10),
    (91, 10, 10),
    (351, 9, 9),
    (353, 7, 10),
    (852, 8, 8),
    (886, 8, 9),
    (972, 8, 9),
];

/// A layout, the digits with which such a number begins, and its score.
type Home = (u128, &'static [&'static [u8]], u8);

/// How some countries group a number at home.
const HOMES: &[Home] = &[
    (layout("3-3-4"), NANP, 75),
    (layout("3?3-4"), NANP, 78),
    (layout("3)3-4"), NANP, 78),
    (layout("3.3.4"), NANP, 62),
    (layout("3 3 4"), NANP, 45),
    (layout("3 3-4"), NANP, 70),
    (layout("1-3-3-4"), &[&[1]], 75),
    (layout("1.3.3.4"), &[&[1]], 62),
    (layout("1 3 3 4"), &[&[1]], 60),
    (layout("1?3?3-4"), &[&[1], &[8]], 78),
    (layout("1?3)3-4"), &[&[1]], 78),
    (layout("1-3-3-2-2"), &[&[8]], 75),
    (layout("1?3?3-2-2"), &[&[8]], 78),
    (layout("2 2 2 2 2"), &[&[0]], 66),
    (layout("2.2.2.2.2"), &[&[0]], 66),
    (layout("2-2-2-2-2"), &[&[0]], 60),
    (layout("3 4 4"), &[&[0, 2, 0]], 60),
    (layout("3-4-4"), &[&[0, 1, 0], &[0, 9, 0], &[0, 8, 0], &[0, 7, 0]], 62),
    (layout("2-4-4"), &[&[0]], 45),
    (layout("5 6"), &[&[0, 1], &[0, 7]], 58),
    (layout("5 3 3"), &[&[0, 1], &[0, 7]], 60),
    (layout("4 3 4"), &[&[0, 1], &[0, 8]], 58),
    (layout("4 3 3"), &[&[0, 4], &[0, 7], &[1, 3, 0, 0], &[1, 8, 0, 0]], 58),
    (layout("2?4 4"), &[&[0]], 66),
    (layout("3?4 4"), &[&[0]], 66),
    (layout("2?5-4"), &[], 72),
    (layout("2?4-4"), &[], 70),
    (layout("3/7"), &[&[0]], 45),
    (layout("3/8"), &[&[0]], 45),
    (layout("4/6"), &[&[0]], 45),
    (layout("4/7"), &[&[0]], 45),
    (layout("5/5"), &[&[0]], 45),
    (layout("5/6"), &[&[0]], 45),
];

/// The layouts of [`HOMES`].
pub(super) const LAYOUTS: Sieve = {
    let (mut sieve, mut rest) = (Sieve::NOTHING, HOMES);
    while let Some(((layout, ..), others)) = rest.split_first() {
        (sieve, rest) = (sieve.with(*layout), others);
    }
    sieve
};

/// An area code of North America begins so.
const NANP: &[&[u8]] = &[&[2], &[3], &[4], &[5], &[6], &[7], &[8], &[9]];

/// Takes a number behind a plus, and says where to go on.
pub(super) fn international(page: &mut Page<'_>, number: &Number, start: usize) -> Option<usize> {
    let text = page.bytes();
    if !Number::has_plus(text, start) {
        return None;
    }
    let code = number.digits();
    let (width, least, most) = country(code)?;
    // `+44 (0)20` names a digit that is not dialled.
    let trunk = usize::from(code.get(width) == Some(&0) && !code.starts_with(&[3, 9]));
    let window = number.span(width + least, width + most + trunk)?;
    let bracketed = page.before(start) == b'(';
    // `(+358) 498100164`
    let outer = !bracketed && page.before(start - 1) == b'(';
    let from = start - 1 - usize::from(bracketed || outer);
    // A sum such as `5+4915112345678` is no phone.
    if page.before(from).is_ascii_alphanumeric() {
        return None;
    }
    let end = window.end + usize::from(page.at(window.end) == b')' && bracketed);
    let end = end + extension(text, end);
    page.take(from, end, PHONE, 88);
    Some(end)
}

/// How long the country code is, and the fewest and most digits behind it.
fn country(digits: &[u8]) -> Option<(usize, usize, usize)> {
    for width in 1..=3 {
        let code = digits.get(..width)?.iter().fold(0, |sum, digit| sum * 10 + u32::from(*digit));
        if let Some((_, least, most)) = COUNTRIES.iter().find(|(known, ..)| *known == code) {
            return Some((width, *least, *most));
        }
        if is_code(code, width) {
            return Some((width, 5, 12));
        }
    }
    None
}

/// Whether ITU-T gave this code to a country.
fn is_code(code: u32, width: usize) -> bool {
    match width {
        2 => matches!(code, 30 | 36 | 40 | 51 | 53 | 56..=58 | 60 | 64 | 66 | 84 | 92..=95 | 98),
        3 => matches!(
            code,
            211..=269 | 290..=299 | 350..=389 | 420..=423 | 500..=599 | 670..=692 | 800 | 808 | 850..=856
                | 870..=888 | 960..=979 | 992..=998
        ),
        _ => false,
    }
}

/// Takes a number without a country code: as its country groups it, or beside a word of phones.
pub(super) fn national(page: &mut Page<'_>, window: &mut Window<'_>) -> bool {
    let homes = if LAYOUTS.may_hold(window.layout) { HOMES } else { &[] };
    let home =
        homes.iter().filter(|(layout, ..)| *layout == window.layout).find(|(layout, begins, _)| {
            let begin =
                begins.is_empty() || begins.iter().any(|begin| window.digits.starts_with(begin));
            begin && is_dialled(window.digits, *layout)
        });
    let bracketed = page.before(window.start) == b'(';
    let shape = match home {
        Some((layout, begins, _)) if begins.is_empty() && has(*layout, b'?') && !bracketed => 0,
        Some(_) if window.is_part => 0,
        Some((_, _, score)) => *score,
        None => 0,
    };
    let length = window.digits.len();
    // Object identifiers and versions have many groups with dots.
    let many = window.groups > 4 && has(window.layout, b'.');
    // What a key calls a phone is one, however it is written.
    let other = || !page.probe && page.hint.concepts & c::PHONE == 0 && is_other(page, window);
    let likely = (7..=15).contains(&length) && window.groups <= 6 && !many && !other();
    if shape == 0 && !likely {
        return false;
    }
    let around = window.concepts(page);
    let slashed = shape == 0 && has(window.layout, b'/');
    let called = around & c::PHONE != 0
        || around & c::CALL != 0 && (!slashed && !window.is_bare() || is_dialled_at(page, window));
    let score = match (called, around & c::OTHER != 0) {
        (true, false) => 85,
        (true, true) if shape > 0 => 80,
        (true, true) => 55,
        (false, _) if around & c::OWN != 0 => shape.saturating_sub(20),
        (false, true) => shape.saturating_sub(15),
        (false, false) => shape,
    };
    if score == 0 && !page.probe || !page.keeps(score) {
        return false;
    }
    // One too short for its country has a plus all the same.
    let signed = bracketed || page.before(window.start) == b'+';
    let start = window.start - usize::from(signed);
    let end = window.end + extension(page.bytes(), window.end);
    page.take(start, end, PHONE, score);
    true
}

/// Whether a number that no country groups so is rather a version, a decimal, some years, or the end of a name
/// such as `CVE-2026-9358`.
fn is_other(page: &Page<'_>, window: &Window<'_>) -> bool {
    let dotted = has(window.layout, b'.');
    let single = || window.layout.to_be_bytes().windows(2).any(|two| two == b".1");
    let numbered = dotted && window.groups > 2 && single();
    let decimal = dotted && window.groups == 2 && first(window.layout) == Some(b'1');
    let year = |digits: &[u8]| date::is_year(date::number(digits));
    let (one, other) = window.digits.split_at_checked(4).unwrap_or_default();
    let years = window.layout == layout("4-4") && year(one) && year(other) && one <= other;
    numbered || decimal || years || is_named(page, window.start)
}

/// Whether the number goes on a word of letters that names no phone.
fn is_named(page: &Page<'_>, start: usize) -> bool {
    let text = page.bytes();
    if page.before(start) != b'-' {
        return false;
    }
    let end = start - 1;
    let word = bytes::run_back(text, end, NAME_MAX_BYTES, |byte| bytes::kind(byte) & LETTER != 0);
    word > 0 && !context::names_phone(text, end - word)
}

/// How long the extension is that stands behind a number: `x123`, ` ext. 123`; 0 without one.
pub(super) fn extension(text: &[u8], end: usize) -> usize {
    let blank = usize::from(bytes::at(text, end) == b' ');
    let words = [&b"ext."[..], b"ext", b"x", b"#", b"EXT", b"Ext.", b"Ext", b"X"];
    let Some(word) = words.iter().find(|word| bytes::has(text, end + blank, word)) else {
        return 0;
    };
    let behind = end + blank + word.len();
    let from = behind + usize::from(bytes::at(text, behind) == b' ');
    let digits = bytes::run(text, from, EXTENSION_MAX + 1, |byte| byte.is_ascii_digit());
    let alone = bytes::kind(bytes::at(text, from + digits)) & (LETTER | DIGIT) == 0;
    if (2..=EXTENSION_MAX).contains(&digits) && alone { from + digits - end } else { 0 }
}

/// Whether a word stands before that leads from a call to its number: `call me at 91332014`.
fn is_dialled_at(page: &Page<'_>, window: &Window<'_>) -> bool {
    const LINKS: [&[u8]; 8] =
        [b" at ", b" on ", b" under ", b" unter ", b" al ", b" au ", b" em ", b" op "];
    let before = page.part(window.start.saturating_sub(7), window.start);
    window.digits.len() >= 8 && LINKS.iter().any(|link| before.ends_with(link))
}

fn has(layout: u128, byte: u8) -> bool {
    layout.to_be_bytes().contains(&byte)
}

/// How many digits its first group has, as a layout says it.
fn first(layout: u128) -> Option<u8> {
    layout.to_be_bytes().into_iter().find(|byte| *byte != 0)
}

/// Exchanges of North America do not begin with 0 or 1; a number with an area code of 000 is none.
fn is_dialled(digits: &[u8], layout: u128) -> bool {
    let begin = match (digits.len(), first(layout)) {
        (10, Some(b'3')) => 3,
        (11, Some(b'1')) => 4,
        _ => return digits.iter().any(|digit| Some(digit) != digits.first()),
    };
    digits.get(begin).is_some_and(|digit| *digit >= 2)
        && digits.get(begin - 3).is_some_and(|digit| *digit >= 2)
}
