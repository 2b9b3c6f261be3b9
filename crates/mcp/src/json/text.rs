//! The insides of JSON strings: finding their end quickly, unescaping, folding look-alike keys.

use std::borrow::Cow;

use memchr::memchr;

/// How many leading bytes stand for themselves: up to a quote, a backslash or a control character.
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut done = 0;
    // Long runs by blocks, in a form that compilers turn into vector instructions.
    for block in bytes.chunks_exact(BLOCK) {
        if block.iter().fold(false, |found, byte| found | special(*byte)) {
            break;
        }
        done += BLOCK;
    }
    let rest = bytes.get(done..).unwrap_or_default();
    done + rest.iter().position(|byte| special(*byte)).unwrap_or(rest.len())
}

const BLOCK: usize = 32;

const fn special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The text that the inside of a checked string stands for.
pub(super) fn unescape(inner: &str) -> Cow<'_, str> {
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut after = escaped.chars();
        match after.next() {
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('u') => {
                let (character, length) = code_point(after.as_str());
                out.push(character);
                rest = after.as_str().get(length..).unwrap_or_default();
                continue;
            }
            Some(itself) => out.push(itself),
            None => {}
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of `XXXX` or `XXXX\uXXXX`, and the bytes that it took.
fn code_point(text: &str) -> (char, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let high = unit(0).unwrap_or_default();
    if let Some(character) = char::from_u32(high) {
        return (character, 4);
    }
    let low = unit(6).unwrap_or_default();
    let joined = 0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF);
    (char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER), 10)
}

/// What lenient readers may take a key for: letters without case (with the long s and the Kelvin
/// sign), full-width forms as ASCII, and everything invisible gone.
pub fn fold(key: &str) -> Cow<'_, str> {
    let itself = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    if key.bytes().all(itself) {
        return Cow::Borrowed(key);
    }
    let visible = key.chars().filter(|c| !invisible(*c));
    Cow::Owned(visible.map(narrow).flat_map(char::to_lowercase).collect())
}

fn narrow(c: char) -> char {
    match c {
        '\u{17F}' => 's',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        _ => c,
    }
}

fn invisible(c: char) -> bool {
    c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}
