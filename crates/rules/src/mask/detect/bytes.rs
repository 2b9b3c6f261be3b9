//! Bytes by kind, and looks at a text that can't leave it.

use wide::u8x16;

use crate::mask::bits::{self, Finder};

/// `a` to `z`.
pub(super) const LOWER: u8 = 1;
/// `A` to `Z`.
pub(super) const UPPER: u8 = 2;
/// `0` to `9`.
pub(super) const DIGIT: u8 = 4;
/// `_`.
pub(super) const UNDER: u8 = 8;
/// `-`.
pub(super) const DASH: u8 = 16;
/// `.`.
pub(super) const DOT: u8 = 32;
/// What a detector may wait for between words.
pub(super) const TRIGGER: u8 = 64;
/// Any letter.
pub(super) const LETTER: u8 = LOWER | UPPER;
/// What words are made of.
pub(super) const WORD: u8 = LETTER | DIGIT | UNDER | DASH | DOT;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = kind_of(byte as u8);
        byte += 1;
    }
    kinds
};

const fn kind_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => LOWER,
        b'A'..=b'Z' => UPPER,
        b'0'..=b'9' => DIGIT,
        b'_' => UNDER,
        b'-' => DASH,
        b'.' => DOT,
        b'@' | b':' | b'=' | b'>' | b'~' | b'$' => TRIGGER,
        _ => 0,
    }
}

/// The kind of a byte; 0 for one that only parts words.
#[inline]
pub(super) fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// Finds the bytes that a detector may wait for, or that make a word worth a look: digits, `-`, `.`, `_`, and
/// the signs of [`TRIGGER`].
#[inline]
pub(super) fn marks(text: &[u8]) -> Finder<'_, impl Fn(u8x16) -> u8x16> {
    // `-` to `>` are one range, with `/`, `;` and `<` that cost less than to leave them out.
    Finder::new(text, |part| {
        let is = |byte| part.simd_eq(u8x16::splat(byte));
        bits::within(part, b'-', b'>') | is(b'@') | is(b'_') | is(b'~') | is(b'$')
    })
}

/// The byte at `at`; 0 beyond both ends.
#[inline]
pub(super) fn at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

/// The byte before `at`; 0 at the beginning.
#[inline]
pub(super) fn before(bytes: &[u8], at: usize) -> u8 {
    at.checked_sub(1).and_then(|at| bytes.get(at)).copied().unwrap_or_default()
}

/// What stands between; nothing where the bounds are out of order or of range.
#[inline]
pub(super) fn part(bytes: &[u8], start: usize, end: usize) -> &[u8] {
    bytes.get(start..end).unwrap_or_default()
}

/// How many bytes from `start` on are `wanted`, at most `max`.
#[inline]
pub(super) fn run(bytes: &[u8], start: usize, max: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().take(max).take_while(|byte| wanted(**byte)).count()
}

/// How many bytes right before `end` are `wanted`, at most `max`.
#[inline]
pub(super) fn run_back(bytes: &[u8], end: usize, max: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(..end).unwrap_or_default();
    rest.iter().rev().take(max).take_while(|byte| wanted(**byte)).count()
}

/// Whether `bytes` begin like this at `start`.
#[inline]
pub(super) fn has(bytes: &[u8], start: usize, wanted: &[u8]) -> bool {
    bytes.get(start..).is_some_and(|rest| rest.starts_with(wanted))
}

/// Whether `wanted` stands right before `end`.
#[inline]
pub(super) fn ends(bytes: &[u8], end: usize, wanted: &[u8]) -> bool {
    bytes.get(..end).is_some_and(|before| before.ends_with(wanted))
}

/// The value of a digit.
pub(super) fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

/// How many different bytes there are.
pub(super) fn distinct(bytes: &[u8]) -> u32 {
    let seen = bytes.iter().fold(0u128, |seen, byte| seen | 1u128 << (byte & 127));
    seen.count_ones()
}

/// How many times letters, digits and cases change places: random text does so often, words seldom.
pub(super) fn changes(bytes: &[u8]) -> usize {
    let kinds = bytes.iter().map(|byte| kind(*byte));
    kinds.clone().zip(kinds.skip(1)).filter(|(one, next)| one != next).count()
}
