//! Escapes that stand within texts of any kind: `%40` (RFC 3986), `&commat;` and `&#64;` (HTML), `=40` and
//! soft line ends (RFC 2045, quoted-printable), `\u0040` and `\x40` (source code).
//!
//! All in one pass, because a text does not say which of them it is in. Reading too much as an escape does
//! no harm: the text as it stands is looked at as well.

use memchr::{memchr, memchr3};
use wide::u8x16;

use super::View;
use crate::mask::{bits::Finder, json};

/// Named references that can stand in a value of interest.
const NAMED: [(&str, char); 24] = [
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dash", '-'),
    ("dollar", '$'),
    ("equals", '='),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lowbar", '_'),
    ("lt", '<'),
    ("nbsp", ' '),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quot", '"'),
    ("semi", ';'),
    ("shy", '\u{AD}'),
    ("sol", '/'),
    ("zwsp", '\u{200B}'),
];

/// Longest reference that is read, in bytes.
const REFERENCE_MAX: usize = 12;

/// Whether [`soft`] could change `text`.
#[inline]
pub(in crate::mask) fn has_escapes(bytes: &[u8]) -> bool {
    memchr3(b'%', b'&', b'=', bytes).is_some() || memchr(b'\\', bytes).is_some()
}

/// `text` with its escapes undone; `None` where it has none.
pub(in crate::mask) fn soft(text: &str) -> Option<View> {
    let mut view = View::default();
    let (mut at, mut copied) = (0, 0);
    let mut marks = Finder::new(text.as_bytes(), |part| {
        let is = |byte| part.simd_eq(u8x16::splat(byte));
        is(b'%') | is(b'&') | is(b'=') | is(b'\\')
    });
    while let Some(mark) = marks.next(at) {
        at = mark;
        let rest = text.get(at..).unwrap_or_default();
        let Some((character, taken)) = escape(rest) else {
            at += 1;
            continue;
        };
        view.copy(copied, text.get(copied..at).unwrap_or_default());
        if let Some(character) = character {
            view.put(at, taken, character);
        }
        at += taken;
        copied = at;
    }
    if copied == 0 {
        return None;
    }
    view.copy(copied, text.get(copied..).unwrap_or_default());
    Some(view)
}

/// What the escape that `rest` may begin with stands for, if for anything, and how long it is.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    match rest.as_bytes().first()? {
        b'%' => octets(rest, "%", false),
        b'=' => match rest.as_bytes() {
            [_, b'\r', b'\n', ..] => Some((None, 3)),
            [_, b'\n', ..] => Some((None, 2)),
            _ => octets(rest, "=", true),
        },
        b'&' => reference(rest).map(|(character, taken)| (Some(character), taken)),
        b'\\' if rest.starts_with("\\x") => octets(rest, "\\x", false),
        b'\\' if rest.starts_with("\\u") => match json::unescape(rest) {
            (_, 2) => None,
            (character, taken) => Some((Some(character), taken)),
        },
        _ => None,
    }
}

/// One character, of as many octets as UTF-8 gives it, each with the mark before it.
fn octets(rest: &str, mark: &str, capitals: bool) -> Option<(Option<char>, usize)> {
    let step = mark.len() + 2;
    let octet = |nth: usize| {
        let digits = rest.get(nth * step..(nth + 1) * step)?.strip_prefix(mark)?;
        let hex = |byte: u8| byte.is_ascii_hexdigit() && !(capitals && byte.is_ascii_lowercase());
        u8::from_str_radix(digits.bytes().all(hex).then_some(digits)?, 16).ok()
    };
    let mut bytes = [octet(0)?, 0, 0, 0];
    let length = match bytes.first()? {
        0..=0x7F => 1,
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => return None,
    };
    for (nth, byte) in bytes.iter_mut().enumerate().take(length).skip(1) {
        *byte = octet(nth)?;
    }
    let character = str::from_utf8(bytes.get(..length)?).ok()?.chars().next()?;
    Some((Some(character), length * step))
}

/// A character reference of HTML, with its semicolon.
fn reference(rest: &str) -> Option<(char, usize)> {
    let end = rest.bytes().take(REFERENCE_MAX).position(|byte| byte == b';')?;
    let name = rest.get(1..end)?;
    let character = match name.strip_prefix('#') {
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((character, end + 1))
}
