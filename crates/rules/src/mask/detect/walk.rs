//! The one pass over a text: words by what they are made of, and the marks between them that a detector
//! waits for. Cheap refusals stand first, since most words of most texts are nobody's secret.

use memchr::memchr;

use super::{
    assign,
    bytes::{self, DASH, DIGIT, DOT, LETTER, TRIGGER, UNDER, UPPER, WORD, kind},
    coin, iban, ids, keyed, mail, net,
    number::{self, Number},
    page::Page,
    token,
};
use crate::mask::bits;

/// No secret that is known by its form is shorter, in bytes.
const TOKEN_MIN_BYTES: usize = 12;
/// A word without digits is looked at for secrets from this length on, in bytes.
const LETTERS_MIN_BYTES: usize = 16;
/// Shortest number in a word that is looked at, with what parts its digits, in bytes.
const NUMBER_MIN_BYTES: usize = 9;
/// A word behind one that names a key is looked at from this length on, in bytes.
const SPOKEN_KEY_MIN_BYTES: usize = 12;
/// A word that holds a name and its drawn value is no shorter, in bytes.
const KEYED_MIN_BYTES: usize = 27;
/// Fewest digits of a card.
const CARD_MIN_DIGITS: usize = 12;

/// Longest word of [`spoken`] and one byte more, in bytes.
const SPOKEN_MAX_BYTES: usize = 40;

/// Looks at everything from `start` to `end`.
pub(super) fn walk(page: &mut Page<'_>, start: usize, end: usize) {
    spoken(page, start, end);
    let text = bytes::part(page.bytes(), 0, end);
    let mut at = start;
    let mut marks = bytes::marks(text);
    while let Some(mark) = marks.next(at) {
        if page.probe && page.hit {
            return;
        }
        let byte = bytes::at(text, mark);
        let first = kind(byte);
        if first & WORD == 0 {
            at = if first == TRIGGER { trigger(page, mark, byte).max(mark + 1) } else { mark + 1 };
            continue;
        }
        let from = mark - bytes::run_back(text, mark, mark - at, |byte| kind(byte) & WORD != 0);
        let (mut to, mut kinds) = (from, 0);
        while kind(bytes::at(text, to)) & WORD != 0 {
            kinds |= kind(bytes::at(text, to));
            to += 1;
        }
        at = to.max(word(page, from, to, kinds));
    }
}

/// Words behind which secrets are spoken. Without marks of their own, they are looked for by themselves.
fn spoken(page: &mut Page<'_>, start: usize, end: usize) {
    let text = bytes::part(page.bytes(), 0, end);
    if memchr(b' ', bytes::part(text, start, end)).is_none() {
        return;
    }
    for (at, block) in bits::blocks(bytes::part(text, start, end)) {
        let spaces = block.one(b' ');
        // Behind a space stands no word.
        let ends = bits::each(bits::firsts(spaces)).map(|space| start + at + space as usize);
        for to in ends.filter(|end| is_spoken(text, *end)) {
            let letters = |byte: u8| kind(byte) & (LETTER | DIGIT | UNDER) != 0;
            let from = to - bytes::run_back(text, to, SPOKEN_MAX_BYTES, letters);
            assign::spoken(page, from, to);
        }
    }
}

/// Whether a word ends at `end` behind which secrets are spoken.
#[inline]
pub(in crate::mask) fn is_spoken(text: &[u8], end: usize) -> bool {
    let Some([.., a, b, c]) = text.get(..end) else { return false };
    let longer: &[&[u8]] = match &[*a, *b, *c] {
        b"ord" => &[b"assword"],
        b"ode" => &[b"asscode"],
        b"ase" => &[b"assphrase"],
        b"swd" => &[b"asswd"],
        b"ORD" => &[b"ASSWORD"],
        b"SWD" => &[b"ASSWD"],
        b"rer" => &[b"earer"],
        b"RER" => &[b"EARER"],
        b"sic" => &[b"asic"],
        b" by" => &[b"dentified by"],
        b" BY" => &[b"DENTIFIED BY"],
        b"RET" => &[b"ECRET"],
        b"KEN" => &[b"OKEN"],
        b"vv2" => &[b"cvv2"],
        b"VV2" => &[b"CVV2"],
        b"vc2" => &[b"cvc2"],
        b"VC2" => &[b"CVC2"],
        b"pwd" | b"PWD" | b"pin" | b"PIN" | b"Pin" | b"cvv" | b"CVV" | b"cvc" | b"CVC" | b"csc"
        | b"CSC" | b"KEY" => return true,
        _ => return false,
    };
    longer.iter().any(|word| bytes::ends(text, end, word))
}

fn trigger(page: &mut Page<'_>, at: usize, byte: u8) -> usize {
    match byte {
        b'@' => mail::look(page, at),
        b':' if page.at(at + 1) == b'/' && page.at(at + 2) == b'/' => {
            (page.scheme, page.scheme_signs) = (Some(at), 0);
            at + 3
        }
        b':' if page.before(at) == b'n' && page.before(at.saturating_sub(1)) == b'i' => {
            mail::thin(page, at);
            assign::look(page, at).unwrap_or(at)
        }
        b':' => token::colon(page, at)
            .or_else(|| net::colon(page, at))
            .or_else(|| assign::look(page, at))
            .unwrap_or(at),
        b'~' => token::tilde(page, at).unwrap_or(at),
        b'$' => token::dollar(page, at).unwrap_or(at),
        _ => assign::look(page, at).unwrap_or(at),
    }
}

#[inline]
fn word(page: &mut Page<'_>, start: usize, end: usize, kinds: u8) -> usize {
    if kinds & DIGIT == 0 {
        letters(page, start, end, kinds)
    } else if kinds & (LETTER | UNDER) == 0 {
        digits(page, start, end)
    } else {
        mixed(page, start, end, kinds)
    }
}

/// A word without digits.
#[inline]
fn letters(page: &mut Page<'_>, start: usize, end: usize, kinds: u8) -> usize {
    let length = end - start;
    if (length >= LETTERS_MIN_BYTES || kinds & DOT != 0 && length >= TOKEN_MIN_BYTES)
        && let Some(reached) = token::look(page, start, end, kinds)
    {
        return reached;
    }
    // `AA-BB-CC-DD-EE-FF`, `aabb.ccdd.eeff`
    if length == 17 && kinds & DASH != 0 && net::mac(page, start, end, b'-').is_some()
        || length == 14 && kinds & DOT != 0 && net::mac_dotted(page, start, end)
    {
        return end;
    }
    if kinds & DASH != 0 && page.at(start) == b'-' {
        return token::pem(page, start).or_else(|| assign::flag(page, start, end)).unwrap_or(end);
    }
    keyed::argument(page, start, end).unwrap_or(end)
}

/// A word of digits, dots and dashes.
fn digits(page: &mut Page<'_>, start: usize, end: usize) -> usize {
    let text = page.bytes();
    let mut at = start;
    while at < end {
        at += bytes::run(text, at, end - at, |byte| !byte.is_ascii_digit());
        if at < end {
            at = number::look(page, at).max(at + 1);
        }
    }
    at
}

/// A word with letters and digits.
fn mixed(page: &mut Page<'_>, start: usize, end: usize, kinds: u8) -> usize {
    let text = page.bytes();
    let length = end - start;
    if length >= SPOKEN_KEY_MIN_BYTES
        && page.before(start) == b' '
        && let Some(reached) = keyed::behind_key(page, start)
    {
        return reached.max(end);
    }
    if page.at(start) == b'-'
        && let Some(reached) = assign::glued_flag(page, start, end)
    {
        return reached;
    }
    if kind(page.at(start)) & LETTER != 0
        && kind(page.at(start + 1)) & LETTER != 0
        && kind(page.at(start + 2)) & kind(page.at(start + 3)) == DIGIT
        && let Some(reached) = iban::look(page, start)
    {
        return reached;
    }
    if length < 7 || is_plain(page.part(start, end)) {
        return end;
    }
    if page.at(start) == b'0' && page.at(start + 1) == b'x' {
        coin::look(page, start, end);
        return end;
    }
    if length >= TOKEN_MIN_BYTES
        && let Some(reached) = token::look(page, start, end, kinds)
    {
        return reached;
    }
    if length >= KEYED_MIN_BYTES
        && kinds & (DASH | UNDER | DOT) != 0
        && let Some(reached) = keyed::within(page, start, end)
    {
        return reached;
    }
    let (from, to, kinds) = bare(text, start, end, kinds);
    let length = to - from;
    if let Some(reached) = ids::lettered::bracketed(page, from, to) {
        return reached;
    }
    let found = match length {
        14 if kinds & DOT != 0 => net::mac_dotted(page, from, to),
        17 if kinds & DASH != 0 => net::mac(page, from, to, b'-').is_some(),
        26.. if kinds & (DASH | DOT | UNDER) == 0 => coin::look(page, from, to),
        _ => false,
    };
    let named =
        kinds & UPPER != 0 || page.hint.concepts != 0 || is_numbered(bytes::part(text, from, to));
    let lettered = (7..=22).contains(&length) && kinds & UNDER == 0 && named;
    if found || lettered && ids::lettered::look(page, (from, to), kinds) {
        return end;
    }
    if length >= NUMBER_MIN_BYTES { numbers_within(page, start, end) } else { end }
}

/// Whether a word in small letters is rather a number with letters than one of hexadecimal digits.
fn is_numbered(word: &[u8]) -> bool {
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || kind(*byte) & LETTER == 0;
    digits * 3 >= word.len() && !word.iter().all(hexadecimal)
}

/// A word without what the sentence, or a name that it is glued into, has at its ends; and what is left
/// in it.
pub(super) fn bare(text: &[u8], start: usize, end: usize, kinds: u8) -> (usize, usize, u8) {
    let mark = |byte: u8| matches!(byte, b'.' | b'-' | b'_');
    let back = bytes::run_back(text, end, end - start, mark);
    let front = bytes::run(text, start, end - start - back, mark);
    if back + front == 0 {
        return (start, end, kinds);
    }
    let (from, to) = (start + front, end - back);
    let left = bytes::part(text, from, to).iter().fold(0, |kinds, byte| kinds | kind(*byte));
    (from, to, left)
}

/// Whether this is one of the words with digits of which texts of machines are full: a UUID, a hash, a
/// time.
fn is_plain(word: &[u8]) -> bool {
    match word.len() {
        36 if is_uuid(word) => true,
        13.. if is_time(word) => true,
        24.. => word.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

/// `2024-01-31T12`
fn is_time(word: &[u8]) -> bool {
    bytes::at(word, 4) == b'-'
        && bytes::at(word, 7) == b'-'
        && bytes::at(word, 10) == b'T'
        && word.iter().enumerate().take(13).all(|(at, byte)| match at {
            4 | 7 | 10 => true,
            _ => byte.is_ascii_digit(),
        })
        && word.len() < 20
}

fn is_uuid(word: &[u8]) -> bool {
    word.len() == 36
        && word.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Numbers that stand between `_`, or behind a dash, in a word with letters.
fn numbers_within(page: &mut Page<'_>, start: usize, end: usize) -> usize {
    let text = page.bytes();
    let mut at = start;
    while at < end {
        at += bytes::run(text, at, end - at, |byte| !byte.is_ascii_digit());
        if at == end {
            // What stands behind the word is not passed: it may be an at sign.
            break;
        }
        let length = bytes::run(text, at, end - at, |byte| kind(byte) & (DIGIT | DASH | DOT) != 0);
        let digits = bytes::run(text, at, end - at, |byte| byte.is_ascii_digit());
        let before = kind(page.before(at));
        if length >= NUMBER_MIN_BYTES && before & (LETTER | DIGIT) == 0 {
            at = number::look(page, at).max(at + 1);
        } else if digits >= CARD_MIN_DIGITS || length > CARD_MIN_DIGITS {
            let number = Number::read(text, at);
            at = number::glued(page, &number, at).max(at + 1);
        } else {
            at += length.max(1);
        }
    }
    at
}
