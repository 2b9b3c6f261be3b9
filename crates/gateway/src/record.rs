//! Text from outside, made fit for records and logs (L1).

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

/// The longest text of a record's field, in bytes; arguments and bodies aside.
const TEXT_MAX_BYTES: usize = 512;

/// `text` without control and direction characters, at most 512 bytes; longer text is cut and
/// marked with the SHA-256 of the whole.
pub(crate) fn inert(text: &str) -> String {
    if text.len() <= TEXT_MAX_BYTES && !text.chars().any(is_active) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(TEXT_MAX_BYTES);
    for c in text.chars() {
        if out.len() + 96 > TEXT_MAX_BYTES {
            out.push_str("… sha256:");
            for byte in digest(&SHA256, text.as_bytes()).as_ref() {
                // Writing to a String can't fail.
                let _ = write!(out, "{byte:02x}");
            }
            break;
        }
        if is_active(c) {
            let _ = write!(out, "{}", c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that move a cursor, end a line, or turn the direction of text.
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        || matches!(c, '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn active_characters_are_escaped_and_length_is_bounded_l1() {
        for (text, shown) in [
            ("plain é 漢", "plain é 漢"),
            ("a\r\nb\0", "a\\u{d}\\u{a}b\\u{0}"),
            ("\u{1b}[31m\u{202e}", "\\u{1b}[31m\\u{202e}"),
        ] {
            assert_eq!(inert(text), shown);
        }
        let long = inert(&"x".repeat(10_000));
        assert!(long.len() <= 512 && long.contains("sha256:"), "{long}");
        assert_ne!(long, inert(&"x".repeat(10_001)));
    }
}
