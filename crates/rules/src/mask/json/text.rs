//! The insides of JSON strings: their end, sixteen bytes at a time, and what their escapes stand for.

use wide::u8x16;

/// How many bytes of `bytes` stand for themselves: up to a quote, a backslash or a control character.
#[inline]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let (blocks, rest) = bytes.as_chunks::<16>();
    for (index, block) in blocks.iter().enumerate() {
        let found = special(u8x16::new(*block));
        if found != 0 {
            return index * 16 + found.trailing_zeros() as usize;
        }
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    blocks.len() * 16 + end.unwrap_or(rest.len())
}

/// The bytes that end a plain run, as bits.
#[inline]
fn special(block: u8x16) -> u32 {
    let quote = block.simd_eq(u8x16::splat(b'"'));
    let backslash = block.simd_eq(u8x16::splat(b'\\'));
    let control = block.simd_le(u8x16::splat(0x1F));
    (quote | backslash | control).to_bitmask()
}

/// What the escape at the start of `text` stands for, and how many bytes it takes. `text` begins with a
/// backslash within a checked string; what could not stand there is itself.
pub(in crate::mask) fn unescape(text: &str) -> (char, usize) {
    let mut characters = text.chars();
    characters.next();
    match characters.next() {
        Some('b') => ('\u{8}', 2),
        Some('f') => ('\u{c}', 2),
        Some('n') => ('\n', 2),
        Some('r') => ('\r', 2),
        Some('t') => ('\t', 2),
        Some('u') => code_point(text),
        Some(itself) => (itself, 1 + itself.len_utf8()),
        None => ('\\', 1),
    }
}

/// The character of `\uXXXX` or of a pair of them.
fn code_point(text: &str) -> (char, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(high) = unit(2) else { return ('u', 2) };
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    let low = text.get(6..8).filter(|mark| *mark == "\\u").and_then(|_| unit(8));
    let joined = low.map(|low| 0x10000 + ((high & 0x3FF) << 10 | low & 0x3FF));
    match joined.and_then(char::from_u32) {
        Some(character) => (character, 12),
        None => (char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, unescape};

    #[test]
    fn plain_runs_end_where_they_do_byte_by_byte() {
        for length in 0..40 {
            for special in ['"', '\\', '\u{1f}', '\0', '\n', 'é', ' ', '\u{7f}', '#', '!', ']'] {
                for at in 0..length {
                    let mut text = "x".repeat(at);
                    text.push(special);
                    text.push_str(&"y\"é\\".repeat(length));
                    let end = text.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20);
                    assert_eq!(Some(plain(text.as_bytes())), end, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn escapes_stand_for_what_the_standard_says() {
        for (text, character, length) in [
            (r"\n", '\n', 2),
            (r"\/x", '/', 2),
            (r"\u0034", '4', 6),
            (r"\ud83d\ude00!", '😀', 12),
            (r"\ud83d", '\u{fffd}', 6),
            (r"\u12", 'u', 2),
        ] {
            assert_eq!(unescape(text), (character, length), "{text}");
        }
    }
}
