//! What stands around a value: the name of its key, and the words before and behind it in the text.
//!
//! Only whole words count, and never more than a few of them, so that a look costs the same in every
//! text.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::LazyLock,
};

use super::{
    bytes::{self, DIGIT, LETTER, LOWER, UPPER, kind},
    concepts as c,
    form::Form,
    keys::{KEYS, STOPS, TAILS, VENDORS, WORDS},
};
use crate::mask::bits::{self, BLOCK, Block};

/// So much of a key's end is read, in bytes.
const KEY_MAX_BYTES: usize = 48;
/// So many words of a key's end are read.
const KEY_WORDS_MAX: usize = 8;
/// A phrase of the vocabulary has no more words.
const PHRASE_WORDS_MAX: usize = 5;
/// So far before a value its words are looked for, in bytes.
const BEFORE_MAX_BYTES: usize = BLOCK;
/// So far behind a value its words are looked for, in bytes.
const BEHIND_MAX_BYTES: usize = 40;
/// So far before a value a word must stand that names it by itself, in bytes.
const CLOSE_MAX_BYTES: usize = 20;
/// Size of the sieve: 32,768 bits for about a thousand words.
const SIEVE_WORDS: usize = 512;
/// A word that ends with one of ours, such as `dbpassword`, is longer than this, in bytes.
const GLUED_MIN_BYTES: usize = 6;
/// A word of the vocabulary is no longer, in bytes.
const WORD_MAX_BYTES: usize = 40;

/// What a key says of what stands under it.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::mask) struct Hint {
    /// What numbers under it may be.
    pub(super) concepts: u128,
    /// What its whole value is, if it looks like that.
    pub(super) whole: Option<Whole>,
}

/// How much what is found in a text may depend on its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::mask) enum Tells {
    /// Nothing does.
    #[default]
    Nothing,
    /// The key tells that this is something else.
    Other,
    Much,
}

impl Hint {
    pub(in crate::mask) const fn tells(self) -> Tells {
        match self.concepts {
            0 if self.whole.is_none() => Tells::Nothing,
            c::OTHER if self.whole.is_none() => Tells::Other,
            _ => Tells::Much,
        }
    }
}

/// What the whole value under a key is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole {
    /// Its class.
    pub(super) class: &'static str,
    /// What it must look like.
    pub(super) form: Form,
}

/// What a word or phrase says.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    concepts: u128,
    whole: Option<Whole>,
    stops: bool,
    vendor: Option<&'static str>,
    tail: bool,
}

type Words = HashMap<Box<[u8]>, Entry, BuildHasherDefault<Fnv>>;

struct Vocabulary {
    words: Words,
    /// Which short hashes of words occur: most words of a text are none of ours.
    sieve: Box<[u64]>,
}

/// FNV-1a: short words, known beforehand, and no attacker who could choose them.
#[derive(Default)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

static VOCABULARY: LazyLock<Vocabulary> = LazyLock::new(Vocabulary::read);

impl Vocabulary {
    fn read() -> Self {
        let mut all = Self { words: Words::default(), sieve: vec![0; SIEVE_WORDS].into() };
        for (concepts, words) in WORDS {
            for word in words.split('|') {
                all.entry(word).concepts |= concepts;
            }
        }
        for key in KEYS {
            for phrase in key.phrases.split('|') {
                let whole = Whole { class: key.class, form: key.form };
                let entry = all.entry(phrase);
                entry.concepts |= key.concepts;
                entry.whole.get_or_insert(whole);
                let glued = phrase.replace(' ', "");
                if glued.len() != phrase.len() {
                    all.entry(&glued).whole.get_or_insert(whole);
                    all.entry(&glued).concepts |= key.concepts;
                }
            }
        }
        for phrase in STOPS.iter().flat_map(|phrases| phrases.split('|')) {
            let entry = all.entry(phrase);
            (entry.stops, entry.whole) = (true, None);
        }
        for (words, class) in VENDORS {
            words.split('|').for_each(|word| all.entry(word).vendor = Some(class));
        }
        TAILS.iter().for_each(|tail| all.entry(tail).tail = true);
        all
    }

    fn entry(&mut self, phrase: &str) -> &mut Entry {
        // A phrase is looked for only behind its last word.
        let last = phrase.rsplit(' ').next().unwrap_or(phrase);
        let (slot, bit) = slot(last.as_bytes());
        if let Some(slot) = self.sieve.get_mut(slot) {
            *slot |= bit;
        }
        self.words.entry(phrase.as_bytes().into()).or_default()
    }

    fn may_hold(&self, last: &[u8]) -> bool {
        let (slot, bit) = slot(last);
        self.sieve.get(slot).is_some_and(|bits| bits & bit != 0)
    }

    fn get(&self, phrase: &[u8]) -> Option<&Entry> {
        self.words.get(phrase)
    }

    fn word(&self, word: &[u8]) -> Option<&Entry> {
        if self.may_hold(word) { self.words.get(word) } else { None }
    }
}

/// Where in the sieve a word belongs: a hash of its length and four of its letters, in either case.
fn slot(word: &[u8]) -> (usize, u64) {
    let byte = |at: usize| u32::from(bytes::at(word, at) | 0x20);
    let last = u32::from(bytes::before(word, word.len()) | 0x20);
    let letters = byte(0) | byte(1) << 8 | byte(2) << 16 | last << 24;
    let mixed = letters.wrapping_add((word.len() as u32).wrapping_mul(0x85eb_ca6b));
    let hash = mixed.wrapping_mul(0x9e37_79b1) >> 17;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// A key in lower case, its words parted by one space.
struct Plain {
    buffer: [u8; KEY_MAX_BYTES * 2],
    length: usize,
    /// Where each word begins.
    starts: [u8; KEY_WORDS_MAX],
    words: usize,
}

impl Plain {
    /// Splits at everything that is no letter or digit, at humps, and before digits.
    #[inline]
    fn read(key: &[u8]) -> Self {
        let mut plain = Self {
            buffer: [0; KEY_MAX_BYTES * 2],
            length: 0,
            starts: [0; KEY_WORDS_MAX],
            words: 0,
        };
        let key = key.get(key.len().saturating_sub(KEY_MAX_BYTES)..).unwrap_or_default();
        let (mut last, mut gap) = (0, true);
        for (at, byte) in key.iter().enumerate() {
            let this = if *byte >= 0x80 { LOWER } else { kind(*byte) & (LETTER | DIGIT) };
            let next = kind(bytes::at(key, at + 1));
            let hump = this == UPPER && (last == LOWER || last == UPPER && next == LOWER)
                || this == DIGIT && last & LETTER != 0 && plain.word_is_long();
            if this == 0 {
                gap = true;
            } else {
                if (gap || hump) && !plain.begin_word() {
                    break;
                }
                gap = false;
                plain.push(byte.to_ascii_lowercase());
            }
            last = this;
        }
        plain
    }

    /// Whether the word at the end is no abbreviation such as `pk` or `p`, which keeps its digit.
    fn word_is_long(&self) -> bool {
        let start = self.words.checked_sub(1).and_then(|word| self.starts.get(word));
        start.is_some_and(|start| self.length > usize::from(*start) + 3)
    }

    fn begin_word(&mut self) -> bool {
        if self.words > 0 {
            self.push(b' ');
        }
        let Some(start) = self.starts.get_mut(self.words) else { return false };
        *start = u8::try_from(self.length).unwrap_or(u8::MAX);
        self.words += 1;
        true
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    /// The words from `first` up to, without, `end`.
    fn phrase(&self, first: usize, end: usize) -> &[u8] {
        let start = self.starts.get(first).copied().unwrap_or_default().into();
        let stop = if end >= self.words {
            self.length
        } else {
            self.starts.get(end).map_or(self.length, |start| usize::from(*start).saturating_sub(1))
        };
        bytes::part(&self.buffer, start, stop)
    }
}

/// What a key says of its value.
pub(super) fn of_key(key: &str) -> Hint {
    let vocabulary = &*VOCABULARY;
    let lower = (!key.is_ascii()).then(|| lowered(key));
    let plain = Plain::read(lower.as_deref().unwrap_or(key).as_bytes());
    let mut hint = Hint::default();
    let mut vendor = None;
    for word in 0..plain.words {
        if let Some(entry) = vocabulary.word(plain.phrase(word, word + 1)) {
            // A rate of births is no day of one, and what people say of calls is no name of a number.
            hint.concepts |= entry.concepts & !(c::BIRTH | c::CALL);
            vendor = vendor.or(entry.vendor);
        }
    }
    let Some(entry) = longest(vocabulary, &plain) else { return hint };
    hint.concepts |= if entry.whole.is_some() { entry.concepts } else { entry.concepts & !c::CALL };
    // A key of nothing is an entry of a table.
    let whole = entry.whole.filter(|whole| whole.form != Form::Drawn || plain.words > 1);
    hint.whole = whole.map(|whole| match vendor {
        Some(class) if whole.class == "secret.token" => Whole { class, ..whole },
        _ => whole,
    });
    // A country's own numbers have a checksum, and a value that fails it is none.
    let general = |whole: &Whole| matches!(whole.class, "pii.national_id" | "pii.tax");
    if hint.whole.is_some_and(|whole| general(&whole)) && c::joined(hint.concepts) & c::OWN != 0 {
        hint.whole = None;
    }
    hint
}

/// Letters beyond ASCII in lower case; the others keep the humps that part words.
fn lowered(key: &str) -> String {
    let lower =
        |one: char| if one.is_ascii() { one } else { one.to_lowercase().next().unwrap_or(one) };
    key.chars().map(lower).collect()
}

/// Whether a name that ends with this word could be one of ours.
pub(super) fn may_end(word: &[u8]) -> bool {
    let vocabulary = &*VOCABULARY;
    if word.first().is_none_or(u8::is_ascii_digit) {
        return false;
    }
    // A hump or a digit begins a word that only the whole look finds, and so does a glued one.
    vocabulary.may_hold(word)
        || word.len() > GLUED_MIN_BYTES
            && matches!(word.last().map(|byte| byte | 0x20), Some(b'd' | b'e' | b'y' | b't' | b'n'))
        || word.iter().skip(1).any(|byte| kind(*byte) & (UPPER | DIGIT) != 0)
}

/// The longest phrase at the end of a key, without words that say nothing.
fn longest<'a>(vocabulary: &'a Vocabulary, plain: &Plain) -> Option<&'a Entry> {
    let mut end = plain.words;
    while end > 0 {
        let last = plain.phrase(end - 1, end);
        if vocabulary.may_hold(last) {
            for first in end.saturating_sub(PHRASE_WORDS_MAX)..end {
                let entry = vocabulary.get(plain.phrase(first, end));
                if let Some(entry) = entry.filter(|entry| entry.stops || entry.whole.is_some()) {
                    return Some(entry);
                }
            }
        }
        if let Some(entry) = glued(vocabulary, last) {
            return Some(entry);
        }
        if !vocabulary.word(last).is_some_and(|entry| entry.tail) {
            return None;
        }
        end -= 1;
    }
    None
}

/// `dbpassword`, `usersecret`: a word that ends like one that is never harmless.
fn glued<'a>(vocabulary: &'a Vocabulary, word: &[u8]) -> Option<&'a Entry> {
    if word.len() <= GLUED_MIN_BYTES {
        return None;
    }
    const ENDS: [&[u8]; 8] = [
        b"password",
        b"passwd",
        b"passphrase",
        b"apikey",
        b"secretkey",
        b"clientsecret",
        b"authtoken",
        b"accesstoken",
    ];
    if !matches!(word.last(), Some(b'd' | b'e' | b'y' | b't' | b'n')) {
        return None;
    }
    let end = ENDS.iter().find(|end| word.len() > end.len() && word.ends_with(end))?;
    vocabulary.get(end)
}

/// What the words around `start..end` speak of.
pub(super) fn around(text: &[u8], start: usize, end: usize) -> u128 {
    let before = bytes::part(text, start.saturating_sub(BEFORE_MAX_BYTES), start);
    let behind = bytes::part(text, end, (end + BEHIND_MAX_BYTES).min(text.len()));
    // A word that the window cuts is none.
    let cut = start > BEFORE_MAX_BYTES;
    let before = if cut { after_first_gap(before) } else { before };
    let behind = if end + BEHIND_MAX_BYTES < text.len() { to_last_gap(behind) } else { behind };
    concepts_in(before) | concepts_in(behind)
}

/// Whether the word at `start` is one of phones.
pub(super) fn names_phone(text: &[u8], start: usize) -> bool {
    let word = bytes::run(text, start, WORD_MAX_BYTES, is_wordy);
    concepts_in(bytes::part(text, start, start + word)) & (c::PHONE | c::CALL) != 0
}

/// What the words closely before `start` speak of: `version 1.2.3.4`.
pub(super) fn close_before(text: &[u8], start: usize) -> u128 {
    let first = start.saturating_sub(CLOSE_MAX_BYTES);
    let window = bytes::part(text, first, start);
    concepts_in(if first > 0 { after_first_gap(window) } else { window })
}

fn after_first_gap(window: &[u8]) -> &[u8] {
    let gap = window.iter().position(|byte| !is_wordy(*byte));
    gap.and_then(|gap| window.get(gap..)).unwrap_or_default()
}

fn to_last_gap(window: &[u8]) -> &[u8] {
    let gap = window.iter().rposition(|byte| !is_wordy(*byte));
    gap.and_then(|gap| window.get(..gap)).unwrap_or_default()
}

fn is_wordy(byte: u8) -> bool {
    byte >= 0x80 || kind(byte) & (LETTER | DIGIT) != 0
}

/// The words in a window, of which only the first [`BLOCK`] bytes are read.
fn words(window: &[u8]) -> impl Iterator<Item = &[u8]> {
    let block = Block::of(window, window.len().min(BLOCK));
    let wordy = block.letters() | block.range(b'0', b'9') | block.range(0x80, 0xff);
    bits::runs(wordy).map(|(start, end)| bytes::part(window, start as usize, end as usize))
}

fn concepts_in(window: &[u8]) -> u128 {
    if window.is_empty() {
        return 0;
    }
    let vocabulary = &*VOCABULARY;
    let mut concepts = 0;
    let mut lower = [0u8; WORD_MAX_BYTES];
    for word in words(window).filter(|word| word.len() > 1) {
        if !word.is_ascii() {
            let word = str::from_utf8(word).unwrap_or_default().to_lowercase();
            concepts |= vocabulary.word(word.as_bytes()).map_or(0, |entry| entry.concepts);
            continue;
        }
        if !vocabulary.may_hold(word) {
            continue;
        }
        if let Some(place) = lower.get_mut(..word.len()) {
            place.copy_from_slice(word);
            place.make_ascii_lowercase();
            concepts |= vocabulary.get(place).map_or(0, |entry| entry.concepts);
        }
    }
    concepts
}

#[cfg(test)]
mod tests {
    use super::{concepts_in, of_key};
    use crate::mask::detect::concepts as c;

    #[test]
    fn keys_are_read_in_every_spelling() {
        for (key, class) in [
            ("password", Some("secret.password")),
            ("DB_PASSWORD", Some("secret.password")),
            ("dbPassword", Some("secret.password")),
            ("dbpassword", Some("secret.password")),
            ("password2", Some("secret.password")),
            ("Password Confirmation", Some("secret.password")),
            ("aws_secret_access_key", Some("secret.aws")),
            ("APIKey", Some("secret.token")),
            ("api-key", Some("secret.token")),
            ("stripeApiKey", Some("secret.stripe")),
            ("firstName", Some("pii.name")),
            ("billing_first_name", Some("pii.name")),
            ("card_cvv", Some("pci.cvv")),
            ("addressLine1", Some("pii.address")),
            ("customerNationalId", Some("pii.national_id")),
            ("nationalIdNumber", Some("pii.national_id")),
            ("phoneNumber", Some("pii.phone")),
            ("token_count", None),
            ("key_points", None),
            ("password_policy", None),
            ("public_key", None),
            ("next_page_token", None),
            ("max_tokens", None),
            ("secretType", None),
            ("file_name", None),
            ("compass", None),
            ("id", None),
            ("", None),
        ] {
            assert_eq!(of_key(key).whole.map(|whole| whole.class), class, "{key}");
        }
    }

    #[test]
    fn only_whole_words_count() {
        assert_eq!(concepts_in(b"of the public"), 0);
        assert_ne!(concepts_in(b"(SSN)") & c::US, 0);
        assert_ne!(concepts_in("naïve née".as_bytes()) & c::BIRTH, 0);
    }
}
