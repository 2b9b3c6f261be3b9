//! Tokens: what stands in place of a value, has its form, and can be told from everything else.
//!
//! A token is one word: letters and digits where its value has them, parted by single `-`, `.` or `_`. Its
//! last characters are a seal over those before them, made with the key of the tenant: 32 bits and more, so
//! that one word in four thousand million is taken for a token by chance. What stands before the seal comes
//! from the key of one caller on one connection ([`MaskKey::scoped`]), and from the value: two callers never
//! share a token, and each gateway with the key knows the tokens of all others as tokens.
//!
//! A form with less room than 16 digits have can't hold a seal, and so its tokens are longer than their
//! values. Addresses become [`ADDRESS_LETTERS`] letters at [`DOMAIN`]. A token doesn't hold its value: who
//! issues tokens keeps what they stand for ([`super::Issued`]).

use std::ops::Range;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::{Class, MaskKey};

/// Room of a digit, in hundredths of a bit; as all that follow.
const DIGIT: usize = 332;
const LETTER: usize = 470;
/// That of 16 digits: the form of a card is kept.
const ROOM_MIN: usize = 16 * DIGIT;
/// What a form that is too small is given, unless it is a number.
const ROOM_GROWN: usize = 8000;
/// At least that of the seal.
const SEAL_MIN: usize = 3200;
/// Letters and digits of a value that its token shows as such.
const SLOTS_MAX: usize = 64;
/// Parts of a token, with separators between them.
const PARTS_MAX: usize = 8;
/// No token is longer, in bytes.
const WORD_MAX: usize = SLOTS_MAX + PARTS_MAX;
/// No token is shorter, in bytes.
const WORD_MIN: usize = ROOM_MIN.div_ceil(LETTER);
/// Where tokens of addresses are, and nothing else: nobody can own a name there (RFC 2606).
pub(super) const DOMAIN: &str = "@masked.invalid";
/// Letters before it: [`ROOM_GROWN`].
const ADDRESS_LETTERS: usize = 18;
/// How much of what stands around a token is looked at, in bytes.
const NEAR: usize = 24;
/// Fewest digits of a card.
const CARD_MIN: usize = 12;
/// A token and its value have no run of so many characters in common.
const COMMON_MIN: usize = 4;

/// Knows tokens, and seals them.
pub(super) struct Seal(Hmac<Sha256>);

/// A word that is a token, or stands where only tokens do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) span: Range<usize>,
    /// Whether it has a seal of ours.
    pub(super) sealed: bool,
}

/// The token of `value`. `number` says that it was a number and becomes a string: then its token is another
/// one, so that what comes back can become a number again.
pub(super) fn issue(key: &MaskKey, class: &Class, value: &str, number: bool) -> String {
    let address = class.is_in("pii.email");
    let form = if address { "a".repeat(ADDRESS_LETTERS) } else { form(value) };
    let mut mac = key.of_scope();
    mac.update(b"\0token");
    mac.update(class.name().as_bytes());
    mac.update(&[0, u8::from(number)]);
    mac.update(value.as_bytes());
    let seed = MaskKey::new(mac.finalize().into_bytes().into());
    let seal = Seal::new(key);
    let mut token = String::new();
    // The first that nobody takes for a card, and that shows nothing of the value.
    for attempt in 0..=u8::MAX {
        token = seal.put(filled(&seed, &form, attempt));
        if !passes_luhn(&token) && !shares_run(&token, value) {
            break;
        }
    }
    if address { token + DOMAIN } else { token }
}

/// The form of a value with enough room: `0`, `a` and `A` for what is to be filled.
fn form(value: &str) -> String {
    let (mut form, mut slots, mut parts, mut gap) = (String::new(), 0, 1, None);
    for c in value.chars() {
        let slot = match c {
            '0'..='9' => '0',
            'A'..='Z' => 'A',
            c if c.is_alphanumeric() => 'a',
            c => {
                gap.get_or_insert(if matches!(c, '.' | '_') { c } else { '-' });
                continue;
            }
        };
        if slots == SLOTS_MAX {
            break;
        }
        if let Some(gap) = gap.take().filter(|_| slots > 0 && parts < PARTS_MAX) {
            parts += 1;
            form.push(gap);
        }
        slots += 1;
        form.push(slot);
    }
    let room = room(&form);
    if room >= ROOM_MIN {
        return form;
    }
    let is_number = !form.is_empty() && form.bytes().all(|byte| byte == b'0');
    let digits = form.bytes().all(|byte| !byte.is_ascii_alphabetic());
    let (slot, most, of) = match (is_number, digits && !form.is_empty()) {
        (true, _) => ("0", ROOM_MIN, DIGIT),
        (_, true) => ("0", ROOM_GROWN, DIGIT),
        _ => ("a", ROOM_GROWN, LETTER),
    };
    form + &slot.repeat((most - room).div_ceil(of))
}

/// `form` with characters in place of its slots. A number does not begin with 0 or 9, so that with 16
/// digits it is one that every reader of JSON takes exactly.
fn filled(seed: &MaskKey, form: &str, attempt: u8) -> String {
    let is_number = form.bytes().all(|byte| byte == b'0');
    let blocks = (0..=u8::MAX).flat_map(|block| {
        let mut mac = seed.of_tenant();
        mac.update(&[attempt, block]);
        <[u8; 32]>::from(mac.finalize().into_bytes())
    });
    let mut random = pairs(blocks);
    let fill = |(nth, slot): (usize, char)| match letters(slot) {
        Some(_) if nth == 0 && is_number => pick(b"12345678", random.next()),
        Some(letters) => pick(letters, random.next()),
        None => slot,
    };
    form.chars().enumerate().map(fill).collect()
}

/// Two bytes at a time: with one, some letters would come up more often than others.
fn pairs(mut bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = u16> {
    std::iter::from_fn(move || Some(u16::from_be_bytes([bytes.next()?, bytes.next()?])))
}

fn pick(letters: &[u8], random: Option<u16>) -> char {
    let at = usize::from(random.unwrap_or_default()) % letters.len().max(1);
    char::from(letters.get(at).copied().unwrap_or(b'x'))
}

const fn letters(slot: char) -> Option<&'static [u8]> {
    match slot {
        '0'..='9' => Some(b"0123456789"),
        'a'..='z' => Some(b"abcdefghijklmnopqrstuvwxyz"),
        'A'..='Z' => Some(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        _ => None,
    }
}

const fn room_of(byte: u8) -> usize {
    match byte {
        b'0'..=b'9' => DIGIT,
        b'a'..=b'z' | b'A'..=b'Z' => LETTER,
        _ => 0,
    }
}

fn room(word: &str) -> usize {
    word.bytes().map(room_of).sum()
}

impl Seal {
    pub(super) fn new(key: &MaskKey) -> Self {
        let mut mac = key.of_tenant();
        mac.update(b"\0seal");
        Self(mac)
    }

    /// `word` with its last characters as the others ask for.
    fn put(&self, word: String) -> String {
        let Some((head, tail)) = parts(&word) else { return word };
        let sealed = self.seal(head, tail);
        let check = check(head, &sealed);
        let mut token = head.to_owned() + &sealed;
        if let Some(letters) = tail.chars().last().and_then(letters) {
            token.push(pick(letters, Some(check)));
        }
        token
    }

    /// Whether `word` is a token, of whatever scope.
    fn is_on(&self, word: &str) -> bool {
        let Some((head, tail)) = parts(word) else { return false };
        let Some((last, sealed)) = tail.char_indices().last().map(|(at, c)| (c, &tail[..at]))
        else {
            return false;
        };
        // One in ten words gets further than this.
        letters(last).is_some_and(|letters| pick(letters, Some(check(head, sealed))) == last)
            && self.seal(head, tail) == sealed
    }

    /// What stands between `head` and the last character, in the form of `tail`.
    fn seal(&self, head: &str, tail: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(head.as_bytes());
        // Its form as well: the last character is not part of the seal.
        for c in tail.chars() {
            mac.update(letters(c).and_then(<[u8]>::first).map_or(b"-", std::slice::from_ref));
        }
        let bytes = <[u8; 32]>::from(mac.finalize().into_bytes());
        let mut random = pairs(bytes.into_iter());
        let mut seal: String = tail
            .chars()
            .map(|c| match letters(c) {
                Some(letters) => pick(letters, random.next()),
                None => c,
            })
            .collect();
        seal.pop();
        seal
    }

    /// The tokens in `text`, in order; in the domain of tokens every address.
    pub(super) fn words(&self, text: &str) -> Vec<Word> {
        let bytes = text.as_bytes();
        let (mut words, mut at) = (Vec::new(), 0);
        let mut chain: Vec<Range<usize>> = Vec::new();
        while let Some(length) =
            bytes.get(at..).and_then(|rest| rest.iter().position(u8::is_ascii_alphanumeric))
        {
            chain.clear();
            let mut start = at + length;
            loop {
                let rest = bytes.get(start..).unwrap_or_default();
                let part = rest.iter().position(|byte| !byte.is_ascii_alphanumeric());
                let end = start + part.unwrap_or(rest.len());
                chain.push(start..end);
                at = end;
                match bytes.get(end..) {
                    Some([b'-' | b'.' | b'_', next, ..]) if next.is_ascii_alphanumeric() => {
                        start = end + 1
                    }
                    _ => break,
                }
            }
            let found = words.len();
            self.chain(text, &chain, &mut words);
            if let Some(first) = chain.first_mut()
                && !words.get(found..).is_some_and(|new| new.iter().any(|word| word.sealed))
                && let Some(escape) = escape(text, first.start)
            {
                words.truncate(found);
                first.start += escape;
                self.chain(text, &chain, &mut words);
            }
        }
        words
    }

    /// Whether `token` is known as one between these texts, and not glued to them.
    pub(super) fn stands(&self, before: &str, token: &str, after: &str) -> bool {
        let from = before.floor_char_boundary(before.len().saturating_sub(NEAR));
        let before = before.get(from..).unwrap_or_default();
        let near =
            [before, token, after.get(..after.floor_char_boundary(NEAR)).unwrap_or_default()];
        let span = before.len()..before.len() + token.len();
        self.words(&near.concat()).iter().any(|word| word.sealed && word.span == span)
    }

    /// The tokens in a word of these parts.
    fn chain(&self, text: &str, chain: &[Range<usize>], words: &mut Vec<Word>) {
        let mut rest = chain;
        while let Some((first, after)) = rest.split_first() {
            let ends = rest.iter().enumerate().take(PARTS_MAX).rev();
            let token = ends.map(|(nth, last)| (nth, first.start..last.end)).find(|(_, span)| {
                (WORD_MIN..=WORD_MAX).contains(&span.len())
                    && text.get(span.clone()).is_some_and(|word| self.is_on(word))
            });
            rest = match token {
                Some((nth, span)) => {
                    words.push(Word { span, sealed: true });
                    rest.get(nth + 1..).unwrap_or_default()
                }
                None => after,
            };
        }
        let Some(last) = chain.last() else { return };
        if !is_in_domain(text.get(last.end..).unwrap_or_default()) {
            return;
        }
        match words.last_mut().filter(|word| word.span.end == last.end) {
            Some(word) => word.span.end += DOMAIN.len(),
            None => words.push(Word { span: last.start..last.end + DOMAIN.len(), sealed: false }),
        }
    }
}

/// How much of the word at `start` belongs to an escape before it, as source code, URLs and mails have it:
/// `\n`, `\x20`, `\u0020`, `%20`, `=20`.
fn escape(text: &str, start: usize) -> Option<usize> {
    let length = match (text.get(..start)?.bytes().last()?, text.as_bytes().get(start)?) {
        (b'%' | b'=', _) => 2,
        (b'\\', b'n' | b'r' | b't') => 1,
        (b'\\', b'x') => 3,
        (b'\\', b'u') => 5,
        _ => return None,
    };
    let rest = text.get(start..start + length + 1)?;
    rest.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(length)
}

/// Whether `rest` begins with the domain of tokens, and that with nothing more.
fn is_in_domain(rest: &str) -> bool {
    let after = rest.strip_prefix(DOMAIN).map(str::as_bytes);
    after.is_some_and(|after| match after {
        [b'.' | b'-', next, ..] => !next.is_ascii_alphanumeric(),
        [next, ..] => !next.is_ascii_alphanumeric(),
        [] => true,
    })
}

/// What of a word is sealed, and its seal; `None` where it has no room for one.
fn parts(word: &str) -> Option<(&str, &str)> {
    if room(word) < ROOM_MIN {
        return None;
    }
    let mut room = 0;
    let start = word.bytes().rposition(|byte| {
        room += room_of(byte);
        room >= SEAL_MIN
    });
    word.split_at_checked(start?)
}

/// A number that says at once that most words are no tokens. Each character counts by its place.
fn check(head: &str, seal: &str) -> u16 {
    let bytes = head.bytes().chain(seal.bytes());
    bytes.fold(7, |sum: u16, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// Whether its digits could be those of a card: they pass Luhn's formula.
fn passes_luhn(token: &str) -> bool {
    let digits = token.bytes().filter(u8::is_ascii_digit);
    if digits.clone().count() < CARD_MIN {
        return false;
    }
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(nth, digit)| match u32::from(digit - b'0') {
            digit if nth % 2 == 0 => digit,
            digit => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn shares_run(token: &str, value: &str) -> bool {
    let value: Vec<u8> = value.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let token: Vec<u8> = token.bytes().filter(u8::is_ascii_alphanumeric).collect();
    token.windows(COMMON_MIN).any(|run| memchr::memmem::find(&value, run).is_some())
}
