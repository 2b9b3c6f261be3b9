//! Runs of base64 (RFC 4648, both alphabets, with line ends) and of hexadecimal digits that stand for
//! text.
//!
//! Most runs are identifiers and hashes, and are left after a look at few of their characters: in base64 of
//! ASCII three bits in each four characters are 0, and in hexadecimal every other digit is one of six. A
//! run may begin after other characters of its alphabet, so that every alignment counts.

use std::ops::Range;

use wide::u8x16;

use super::View;
use crate::mask::bits::{self, BLOCK, Block};

/// Shorter runs are not decoded, in characters; see [`bits::runs_of_12`].
const RUN_MIN: usize = 12;
/// Longest run, in characters. A longer one is cut, and its parts decoded on their own.
const RUN_MAX: usize = 1 << 20;
/// A line of this many characters may go on in the next.
const LINE_MIN: usize = 40;
/// Text in a run that is shorter is an accident, in bytes.
const TEXT_MIN: usize = 6;

/// Lengths of a text that may be a short encoded value, in characters.
const SHORT: Range<usize> = 8..24;

/// A run that stands for text.
#[derive(Debug)]
pub(in crate::mask) struct Run {
    /// Where it is, with its padding.
    pub(in crate::mask) span: Range<usize>,
    /// What it stands for, as a view of the run.
    pub(in crate::mask) view: View,
}

/// The characters of base64, by their value. `-` and `_` stand for the last two as well.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Value of each character in base64; above 63 it has none.
const SEXTETS: [u8; 256] = sextets();
/// What each character may be: [`FIRST`] to [`MEMBER`].
const ROLES: [u8; 256] = roles();

/// It may begin a group of four that stands for ASCII.
const FIRST: u8 = 1;
/// It may be the second of such a group.
const SECOND: u8 = 2;
/// It may be the third.
const THIRD: u8 = 4;
/// It may begin a pair of hexadecimal digits that stands for ASCII.
const HIGH: u8 = 8;
/// It is a hexadecimal digit.
const HEX: u8 = 16;
/// It is a capital letter.
const CAPITAL: u8 = 32;
/// It is in the alphabet of base64.
const MEMBER: u8 = 64;

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and checks every index")]
const fn sextets() -> [u8; 256] {
    let mut table = [0xFF; 256];
    let mut value = 0;
    while value < 64 {
        table[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
}

#[expect(clippy::indexing_slicing, reason = "the compiler runs it, and checks every index")]
const fn roles() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = SEXTETS[byte];
        let letter = byte as u8;
        if value < 64 {
            let first = (value & 0x20 == 0) as u8 * FIRST;
            let second = (value & 0x08 == 0) as u8 * SECOND;
            let third = (value & 0x02 == 0) as u8 * THIRD;
            let high = matches!(letter, b'2'..=b'7') as u8 * HIGH;
            let hex = letter.is_ascii_hexdigit() as u8 * HEX;
            let capital = letter.is_ascii_uppercase() as u8 * CAPITAL;
            table[byte] = first | second | third | high | hex | capital | MEMBER;
        }
        byte += 1;
    }
    table
}

#[inline]
fn role(byte: u8) -> u8 {
    ROLES.get(usize::from(byte)).copied().unwrap_or(0)
}

#[inline]
fn is_member(byte: u8) -> bool {
    role(byte) & MEMBER != 0
}

fn sextet(byte: u8) -> u8 {
    SEXTETS.get(usize::from(byte)).copied().unwrap_or(0xFF)
}

/// Every run in `text` that stands for text.
pub(in crate::mask) fn runs(text: &str, found: &mut Vec<Run>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= RUN_MIN) {
        let block = Block::of(rest, rest.len().min(BLOCK));
        let first = bits::runs_of_12(block.bits(member));
        if first == 0 {
            // A run that begins in the last bytes is found by the next look.
            at += BLOCK - RUN_MIN + 1;
            continue;
        }
        let start = at + first.trailing_zeros() as usize;
        let (end, roles) = end_of_run(bytes, start);
        let run = bytes.get(start..end).unwrap_or_default();
        decode(run, start..end + padding(bytes, run, end), roles, found);
        at = end;
    }
}

/// The characters of base64 in either alphabet.
#[inline]
fn member(part: u8x16) -> u8x16 {
    let is = |byte| part.simd_eq(u8x16::splat(byte));
    bits::letter(part) | bits::within(part, b'/', b'9') | is(b'+') | is(b'-') | is(b'_')
}

/// Where a run ends, and the roles that any of its characters has.
fn end_of_run(bytes: &[u8], start: usize) -> (usize, u8) {
    let most = bytes.len().min(start + RUN_MAX);
    let (mut end, mut line, mut any) = (start, start, 0);
    loop {
        for byte in bytes.get(end..most).unwrap_or_default() {
            let role = role(*byte);
            if role & MEMBER == 0 {
                break;
            }
            any |= role;
            end += 1;
        }
        let skip = match bytes.get(end..most).unwrap_or_default() {
            _ if end - line < LINE_MIN => break,
            [b'\n', next, ..] if is_member(*next) => 1,
            [b'\r', b'\n', next, ..] if is_member(*next) => 2,
            _ => break,
        };
        end += skip;
        line = end;
    }
    (end, any)
}

/// Whether a text of this length may be a short encoded value.
pub(in crate::mask) const fn is_short(length: usize) -> bool {
    SHORT.start <= length && length < SHORT.end
}

/// What a text that is too short for [`runs`] stands for, where all of it is base64 or hexadecimal and
/// stands for text: once it is named, a short one tells as much.
pub(in crate::mask) fn short_whole(text: &str) -> Vec<View> {
    let bytes = text.as_bytes();
    if !is_short(bytes.len()) {
        return Vec::new();
    }
    let block = Block::of(bytes, bytes.len());
    if block.bits(|part| member(part) | part.simd_eq(u8x16::splat(b'='))) != block.all {
        return Vec::new();
    }
    let hex = bytes.iter().all(u8::is_ascii_hexdigit).then(|| octets_of_hex(bytes));
    let run = without_padding(bytes).filter(|run| may_begin_text(run));
    let decoded = run.map(octets).into_iter().chain(hex);
    let texts = decoded.filter_map(|bytes| String::from_utf8(bytes).ok());
    let printable = texts.filter(|text| !text.chars().any(char::is_control));
    printable.map(|decoded| View::of_unit(decoded, text.len())).collect()
}

/// Whether base64 stands for the beginning of printable text in UTF-8, as its first two bytes tell.
fn may_begin_text(run: &[u8]) -> bool {
    let head = run.first_chunk::<3>().map(|head| head.map(sextet));
    let Some([first, second, third]) = head else { return true };
    match first << 2 | second >> 4 {
        b' '..=b'~' => true,
        0xC2..=0xF4 => (second << 4 | third >> 2) & 0xC0 == 0x80,
        _ => false,
    }
}

/// The bytes of a text that is base64 from end to end; `None` where it is not.
pub(in crate::mask) fn decode_whole(text: &str) -> Option<Vec<u8>> {
    let run: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    without_padding(&run).map(octets)
}

/// What stands before the padding, where all of it is base64.
fn without_padding(run: &[u8]) -> Option<&[u8]> {
    let padding = run.iter().rev().take_while(|byte| **byte == b'=').count();
    let run = run.get(..run.len() - padding)?;
    let whole = padding <= 2 && run.len() % 4 != 1 && run.iter().all(|byte| sextet(*byte) < 64);
    whole.then_some(run)
}

/// How many characters after a run fill up its last group.
fn padding(bytes: &[u8], run: &[u8], end: usize) -> usize {
    let length = run.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
    let missing = length.wrapping_neg() % 4;
    let after = bytes.get(end..end + missing).unwrap_or_default();
    if after.iter().all(|byte| *byte == b'=') { after.len() } else { 0 }
}

fn decode(run: &[u8], span: Range<usize>, roles: u8, found: &mut Vec<Run>) {
    let joined;
    let plain = if run.len() > LINE_MIN && run.iter().any(u8::is_ascii_whitespace) {
        joined = run.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
        &*joined
    } else {
        run
    };
    let mut push = |bytes: Vec<u8>| {
        for text in texts(&bytes) {
            let view = View::of_unit(text.to_owned(), span.len());
            found.push(Run { span: span.clone(), view });
        }
    };
    let from = |skipped: usize| plain.get(skipped..).unwrap_or_default();
    if roles & HIGH != 0 && may_be_hex(plain) {
        let digits = plain.split(|byte| !byte.is_ascii_hexdigit());
        for hex in digits.filter(|hex| hex.len() >= RUN_MIN) {
            push(octets_of_hex(hex));
            push(octets_of_hex(hex.get(1..).unwrap_or_default()));
        }
    }
    // Base64 of a text without a single capital is too rare to look for in every word.
    if roles & CAPITAL != 0 {
        for rest in (0..4).map(from).filter(|rest| may_be_text(rest)) {
            push(octets(rest));
        }
    }
}

/// Whether three groups of four in a row may be ASCII, read from this alignment.
fn may_be_text(run: &[u8]) -> bool {
    let is_group = |at: usize| match run.get(at..at + 3) {
        Some([a, b, c]) => role(*a) & FIRST != 0 && role(*b) & SECOND != 0 && role(*c) & THIRD != 0,
        _ => false,
    };
    in_a_row(run.len(), 4, 3, is_group)
}

/// Whether eight pairs of hexadecimal digits in a row may be ASCII, from either alignment.
fn may_be_hex(run: &[u8]) -> bool {
    let is_pair = |at: usize| match run.get(at..at + 2) {
        Some([high, low]) => role(*high) & HIGH != 0 && role(*low) & HEX != 0,
        _ => false,
    };
    in_a_row(run.len(), 2, 8, is_pair)
        || in_a_row(run.len().saturating_sub(1), 2, 8, |at| is_pair(at + 1))
}

/// Whether `count` units in a row are as `is` says. Looks at the last of each `count` first, so that where
/// few are, few are looked at.
fn in_a_row(length: usize, unit: usize, count: usize, is: impl Fn(usize) -> bool) -> bool {
    let mut first = 0;
    while (first + count - 1) * unit < length {
        let bad = (first..first + count).rev().find(|nth| !is(nth * unit));
        match bad {
            Some(bad) => first = bad + 1,
            None => return true,
        }
    }
    false
}

fn octets(run: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(run.len() / 4 * 3 + 3);
    let (groups, rest) = run.as_chunks::<4>();
    for group in groups {
        let word = group.iter().fold(0, |word, byte| word << 6 | u32::from(sextet(*byte)));
        let [_, octets @ ..] = word.to_be_bytes();
        out.extend_from_slice(&octets);
    }
    let word = rest.iter().fold(0, |word, byte| word << 6 | u32::from(sextet(*byte)));
    match rest.len() {
        2 => out.extend((word << 12).to_be_bytes().iter().skip(1).take(1)),
        3 => out.extend((word << 6).to_be_bytes().iter().skip(1).take(2)),
        _ => {}
    }
    out
}

fn octets_of_hex(run: &[u8]) -> Vec<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16).unwrap_or_default();
    let octet = |[high, low]: &[u8; 2]| (value(*high) << 4 | value(*low)).to_le_bytes()[0];
    run.as_chunks::<2>().0.iter().map(octet).collect()
}

/// The stretches of printable text in `bytes`.
fn texts(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let valid = bytes.utf8_chunks().map(|chunk| chunk.valid());
    let texts = valid.flat_map(move |text| text.split(move |c| !printable(c)));
    texts.filter(|text| text.len() >= TEXT_MIN)
}
