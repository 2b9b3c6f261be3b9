//! Values that only chance writes, behind words that name a key: `acme key 9f8c…`, `acme-secret-9f8c…`,
//! `setProperty("ACME_TOKEN", "9f8c…")`.
//!
//! The words alone say little here, so that the value must look drawn by lot. Names with a sign behind them
//! are the business of [`super::assign`].

use super::{
    bytes::{self, DASH, DIGIT, DOT, LETTER, UNDER, WORD, at, kind},
    context,
    form::{self, Form},
    page::{Page, what},
};

/// A drawn value is no shorter, in bytes.
const DRAWN_MIN_BYTES: usize = 16;
/// One that stands in one word with its name is no shorter, in bytes.
const WITHIN_MIN_BYTES: usize = 20;
/// Longest of them, in bytes.
const DRAWN_MAX_BYTES: usize = 512;
/// How sure such a value is, in percent.
const SCORE: u8 = 70;
/// What a name ends with that stands in one word with its value, in small letters.
const WITHIN: [&[u8]; 5] = [b"secret", b"token", b"key", b"private", b"access"];

/// Whether this looks drawn by lot: long, of letters and digits that change places, and no identifier of a
/// record, time or version.
pub(super) fn is_drawn(value: &[u8]) -> bool {
    let inside = |byte: &u8| kind(*byte) & WORD != 0 || matches!(byte, b'+' | b'/' | b'=' | b'~');
    let body = value.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let plain = bytes::part(value, 0, body);
    if !(DRAWN_MIN_BYTES..=DRAWN_MAX_BYTES).contains(&plain.len()) || !plain.iter().all(inside) {
        return false;
    }
    let digits = plain.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = plain.iter().filter(|byte| kind(**byte) & LETTER != 0).count();
    let path = plain.iter().filter(|byte| **byte == b'/').count() > 1 && plain.len() < 32;
    digits >= 2
        && letters >= 2
        && !path
        && !is_uuid(plain)
        && !is_spelled(plain)
        && bytes::distinct(plain) >= 8
        && is_irregular(plain, digits)
}

/// Whether letters, cases and digits change places as they do by chance, or digits are as many as in hex.
fn is_irregular(plain: &[u8], digits: usize) -> bool {
    let changes = bytes::changes(plain);
    let dense = digits * 8 >= plain.len() || changes * 5 >= plain.len() * 2;
    dense && (changes >= 4 || digits >= 4)
}

pub(super) fn is_uuid(plain: &[u8]) -> bool {
    plain.len() == 36
        && plain.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_alphanumeric(),
        })
}

/// Words and counts with marks between them: `my-app-v2-config-2024`.
fn is_spelled(plain: &[u8]) -> bool {
    let parts = plain.split(|byte| matches!(byte, b'-' | b'_' | b'.' | b'/' | b'='));
    let whole = |part: &[u8]| {
        let digits = part.iter().filter(|byte| byte.is_ascii_digit()).count();
        digits == 0 || digits == part.len() || part.len() < 6
    };
    parts.clone().count() > 1 && parts.into_iter().all(whole)
}

/// Looks at the word that begins at `start` behind a blank, if the word before names a key.
pub(super) fn behind_key(page: &mut Page<'_>, start: usize) -> Option<usize> {
    let text = page.bytes();
    let end = start - bytes::run_back(text, start, 4, |byte| byte == b' ');
    if !matches!(page.before(end) | 0x20, b'y' | b't' | b'n' | b's' | b'e') {
        return None;
    }
    let letters = |byte: u8| kind(byte) & (LETTER | DIGIT | UNDER) != 0;
    let length = bytes::run_back(text, end, 40, letters);
    spoken(page, end - length, end)
}

/// `ACME SECRET 9f8c…`: looks behind the word `start..end`, if it names a key.
pub(super) fn spoken(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.bytes();
    let word = page.part(start, end);
    let names = |name: &[u8]| {
        let from = word.len().checked_sub(name.len());
        from.is_some_and(|from| bytes::part(word, from, word.len()).eq_ignore_ascii_case(name))
    };
    let named = [&b"secret"[..], b"token", b"key", b"ACCESS", b"PRIVATE"];
    let named = named.iter().any(|name| names(name));
    if !named {
        return None;
    }
    let from = end + bytes::run(text, end, 4, |byte| byte == b' ');
    let inside = |byte: u8| kind(byte) & WORD != 0 || matches!(byte, b'+' | b'/' | b'=' | b'~');
    let length = bytes::run(text, from, DRAWN_MAX_BYTES, inside);
    let to = from + length - bytes::run_back(text, from + length, length, |byte| byte == b'.');
    let value = page.part(from, to);
    let entry = word.eq_ignore_ascii_case(b"key") && is_entry(text, start, value);
    let letters = value.iter().all(|byte| kind(*byte) & LETTER != 0);
    let drawn = is_drawn(value)
        || is_uuid(value)
        || letters && page.text.get(from..to).is_some_and(form::is_secret);
    if entry || !drawn {
        return None;
    }
    page.take(from, to, what("secret.token", "spoken_key"), SCORE);
    Some(to)
}

/// Whether the key is rather that of an entry: `for key 5d41…`, `cache key 5d41…`.
fn is_entry(text: &[u8], start: usize, value: &[u8]) -> bool {
    const LINKS: [&[u8]; 12] = [
        b"for", b"the", b"with", b"by", b"of", b"and", b"this", b"that", b"on", b"same", b"a",
        b"to",
    ];
    let stop = start.saturating_sub(1);
    let length = bytes::run_back(text, stop, 40, |byte| kind(byte) & (LETTER | DIGIT) != 0);
    let before = bytes::part(text, stop - length, stop);
    let phrase = str::from_utf8(bytes::part(text, stop - length, start + 3)).unwrap_or_default();
    let digest = matches!(value.len(), 32 | 40 | 64) && value.iter().all(u8::is_ascii_hexdigit);
    let spelled = at(text, start) == b'k';
    before.is_empty()
        || LINKS.iter().any(|link| before.eq_ignore_ascii_case(link))
        || context::of_key(phrase).whole.is_none()
        || spelled && (digest && !before.iter().any(u8::is_ascii_uppercase) || is_uuid(value))
}

/// `acme-secret-9f8c…`: a name and its value in the word `start..end`.
pub(super) fn within(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let word = page.part(start, end);
    let lower = word.to_ascii_lowercase();
    let named = |name: &&[u8]| memchr::memmem::find(&lower, name).map(|place| place + name.len());
    let from = WITHIN.iter().filter_map(named).max()?;
    let mark = kind(at(word, from)) & (DASH | UNDER | DOT) != 0;
    let value = bytes::part(word, from + 1, word.len());
    // `secure-key-exchange-x25519mlkem768` goes on in words.
    let word = |part: &[u8]| part.len() > 4 && part.iter().all(u8::is_ascii_lowercase);
    let wordy = value.split(|byte| matches!(byte, b'-' | b'_' | b'.')).any(word);
    let drawn = is_uuid(value) || !wordy && is_drawn(value);
    if !mark || value.len() < WITHIN_MIN_BYTES || !drawn {
        return None;
    }
    page.take(start + from + 1, end, what("secret.token", "key_in_word"), SCORE);
    Some(end)
}

/// `("ACME_TOKEN", "9f8c…")`: the word `start..end` is an argument, and the next one is its value.
pub(super) fn argument(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.bytes();
    let quote = at(text, end);
    if !matches!(quote, b'"' | b'\'')
        || at(text, end + 1) != b','
        || page.before(start) != quote
        || page.before(start.saturating_sub(1)) != b'('
    {
        return None;
    }
    let from = end + 2 + bytes::run(text, end + 2, 4, |byte| byte == b' ');
    let next = at(text, from);
    let length = bytes::run(text, from + 1, DRAWN_MAX_BYTES, |byte| byte != next && byte != b'\n');
    let stop = from + 1 + length;
    if !matches!(next, b'"' | b'\'') || at(text, stop) != next {
        return None;
    }
    if page.probe {
        page.hit = true;
        return None;
    }
    let whole = context::of_key(page.text.get(start..end)?).whole?;
    let value = page.text.get(from + 1..stop)?;
    let chosen = match whole.form {
        Form::Password => value.bytes().any(|byte| kind(byte) & DIGIT != 0 || kind(byte) == 0),
        Form::Secret | Form::Drawn => true,
        _ => false,
    };
    let score = form::fits(whole.form, value).filter(|_| chosen)?;
    page.take(from + 1, stop, what(whole.class, "argument"), score.saturating_sub(5));
    Some(stop)
}
