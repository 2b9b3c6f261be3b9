//! Texts behind texts: look-alike characters, base64, percent and hex encodings.

use regex::{Regex, RegexBuilder};

/// Whether a character leaves no mark on paper: joiners, marks of direction, soft hyphens.
pub(super) const fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text as it looks: letters of other widths and scripts as ASCII, invisible ones left out.
pub(super) fn fold(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(fold_char).collect()
}

fn fold_char(character: char) -> char {
    match character {
        // Full width.
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character)
        }
        // Mathematical letters, thirteen alphabets of 52.
        '\u{1d400}'..='\u{1d6a3}' => {
            let place = (u32::from(character) - 0x1d400) % 52;
            let base =
                if place < 26 { u32::from('A') + place } else { u32::from('a') + place - 26 };
            char::from_u32(base).unwrap_or(character)
        }
        _ => {
            LOOK_ALIKES.iter().find(|(from, _)| *from == character).map_or(character, |(_, to)| *to)
        }
    }
}

/// Letters of Cyrillic, Greek and others that look like a Latin one.
const LOOK_ALIKES: &[(char, char)] = &[
    ('а', 'a'),
    ('А', 'A'),
    ('В', 'B'),
    ('с', 'c'),
    ('С', 'C'),
    ('ԁ', 'd'),
    ('е', 'e'),
    ('Е', 'E'),
    ('Ԍ', 'G'),
    ('һ', 'h'),
    ('Н', 'H'),
    ('і', 'i'),
    ('І', 'I'),
    ('ı', 'i'),
    ('ј', 'j'),
    ('Ј', 'J'),
    ('К', 'K'),
    ('М', 'M'),
    ('о', 'o'),
    ('О', 'O'),
    ('р', 'p'),
    ('Р', 'P'),
    ('ԛ', 'q'),
    ('ѕ', 's'),
    ('Ѕ', 'S'),
    ('ſ', 's'),
    ('Т', 'T'),
    ('т', 't'),
    ('ѵ', 'v'),
    ('ԝ', 'w'),
    ('х', 'x'),
    ('Х', 'X'),
    ('у', 'y'),
    ('У', 'Y'),
    ('Α', 'A'),
    ('Β', 'B'),
    ('Ε', 'E'),
    ('Ζ', 'Z'),
    ('Η', 'H'),
    ('Ι', 'I'),
    ('Κ', 'K'),
    ('Μ', 'M'),
    ('Ν', 'N'),
    ('Ο', 'O'),
    ('ο', 'o'),
    ('Ρ', 'P'),
    ('ρ', 'p'),
    ('Τ', 'T'),
    ('Υ', 'Y'),
    ('Χ', 'X'),
    ('ℓ', 'l'),
    ('ⅼ', 'l'),
    ('K', 'K'),
    ('ｍ', 'm'),
    ('ɡ', 'g'),
    ('ʟ', 'L'),
    ('ᴅ', 'd'),
    ('ʀ', 'r'),
    ('ᴏ', 'o'),
    ('ᴘ', 'p'),
];

/// What base64 stands for, where it is long enough to mean something and gives readable text.
pub(super) fn base64_text(text: &str, least: usize) -> Option<String> {
    let trimmed = text.trim();
    let body = trimmed.trim_end_matches('=');
    let letters = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'\n' | b'\r')
    };
    if body.len() < least || !body.as_bytes().iter().all(letters) {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in body.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            _ => 63,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from((bits >> count) & 0xff).unwrap_or(0));
        }
    }
    readable(out)
}

/// What hexadecimal digits stand for, where they give readable text.
pub(super) fn hex_text(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if digits.len() < 4 || !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(value(high)? * 16 + value(low)?).ok(),
        _ => None,
    };
    readable(digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()?)
}

/// Percent encoding undone once; `None` where there is none.
pub(super) fn percent_text(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    memchr::memchr(b'%', bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    let (mut at, mut found) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let value =
            pair.filter(|_| byte == b'%').and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match value {
            Some(value) => {
                out.push(value);
                at += 3;
                found = true;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    found.then(|| String::from_utf8(out).ok())?
}

/// Bytes as a text, if it is one that somebody would write; UTF-16 too.
fn readable(bytes: Vec<u8>) -> Option<String> {
    let wide = bytes.len() >= 4
        && bytes.len().is_multiple_of(2)
        && bytes.iter().skip(1).step_by(2).all(|byte| *byte == 0);
    let bytes = if wide { bytes.into_iter().step_by(2).collect() } else { bytes };
    let text = String::from_utf8(bytes).ok()?;
    let good = text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\0'));
    (good && !text.is_empty()).then_some(text)
}

/// Parts of paths, looked for all at once; in any case, with either slash.
#[derive(Debug)]
pub(super) struct Parts(Option<Regex>);

impl Parts {
    pub(super) fn of(parts: &[&str]) -> Self {
        let parts: Vec<_> =
            parts.iter().map(|part| regex::escape(part).replace('/', r"[/\\]")).collect();
        let pattern =
            RegexBuilder::new(&parts.join("|")).case_insensitive(true).unicode(false).build();
        debug_assert!(pattern.is_ok(), "{pattern:?}");
        Self(pattern.ok())
    }

    /// Whether one of them stands in it. Where they can't be looked for, all do.
    pub(super) fn is_match(&self, path: &str) -> bool {
        self.0.as_ref().is_none_or(|pattern| pattern.is_match(path))
    }
}
