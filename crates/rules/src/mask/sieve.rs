//! Texts in which nothing can be found, known at a glance: what most texts of machines are.
//!
//! Looks at 64 bytes at a time as bits, and knows which words, numbers and marks every detector passes by
//! and no decoding shows a text in. Where it is not sure, everything is looked at as ever: never more than
//! a short cut.

use super::{
    bits::{self, Block},
    detect, view,
};

/// No word of letters is looked at by a detector of secrets below this length, in bytes.
const LETTERS_MIN: u32 = 12;
/// The same of one without dots.
const PLAIN_LETTERS_MIN: u32 = 14;
/// No word of letters and digits is looked at below this length, in bytes.
const MIXED_MIN: u32 = 7;
/// No number has fewer digits.
const DIGITS_MIN: u32 = 6;
/// No number without what tells of it has as few digits.
const DECIMAL_MAX: usize = 10;
/// Four short groups of digits may be an address.
const GROUPS_MIN: u32 = 4;
/// Most bytes that part two groups of a number.
const GAP_MAX: u32 = 3;

/// Whether nothing can be found in `block`, the first bytes of `text`, where only the built-in detectors look,
/// and no key tells what stands there; one that tells what does not, makes it `named`.
#[inline]
pub(super) fn is_quiet(text: &[u8], block: &Block, named: bool) -> bool {
    let length = block.all.count_ones() as usize;
    match length {
        20 if is_time(block) => return true,
        36 if is_uuid(block) => return true,
        32 | 40 | 64 if is_hash(block) => return true,
        _ => {}
    }
    let (letters, digits) = (block.letters(), block.range(b'0', b'9'));
    let spaces = block.one(b' ');
    if block.all == letters | spaces {
        let word = spaces == 0 && named && view::is_short(length);
        return !word && !has_capital_runs(block, letters) && !is_spoken(text, spaces);
    }
    let marked = Marked::of(block, letters, digits, spaces);
    let decimal = marked.digits | marked.dots == marked.all
        && is_decimal(text.get(..length).unwrap_or_default());
    decimal
        || !(named && view::is_short(length) && marked.members() == block.all)
            && marked.is_harmless()
            && !marked.has_runs(block)
            && marked.are_words_short()
            && !marked.has_numbers(text)
            && !is_spoken(text, spaces)
}

/// Whether `text` is a decimal number and nothing else, with so few digits that only a name could make it one
/// of a person.
#[inline]
pub(super) fn is_decimal(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let dots = text.iter().filter(|byte| **byte == b'.').count();
    digits + dots == text.len() && dots <= 1 && digits <= DECIMAL_MAX
}

/// `2024-01-31T12:30:45Z`
#[inline]
fn is_time(block: &Block) -> bool {
    let digits = block.range(b'0', b'9');
    digits == block.all & !(1 << 4 | 1 << 7 | 1 << 10 | 1 << 13 | 1 << 16 | 1 << 19)
        && block.one(b'-') == 1 << 4 | 1 << 7
        && block.one(b':') == 1 << 13 | 1 << 16
        && block.one(b'T') == 1 << 10
        && block.one(b'Z') == 1 << 19
}

#[inline]
fn is_uuid(block: &Block) -> bool {
    const DASHES: u64 = 1 << 8 | 1 << 13 | 1 << 18 | 1 << 23;
    let (digits, letters) = (block.range(b'0', b'9'), block.range(b'a', b'f'));
    letters != 0 && digits | letters == block.all & !DASHES && block.one(b'-') == DASHES
}

/// Hexadecimal digits that are no text.
#[inline]
fn is_hash(block: &Block) -> bool {
    let (digits, letters) = (block.range(b'0', b'9'), block.range(b'a', b'f'));
    // An IBAN begins with two letters and two digits.
    let account = letters & 3 == 3 && digits >> 2 & 3 == 3;
    letters != 0 && digits | letters == block.all && !account && !may_be_text(block)
}

/// Whether eight pairs in a row of hexadecimal digits may be ASCII.
#[inline]
fn may_be_text(block: &Block) -> bool {
    let high = block.range(b'2', b'7');
    let two = high & high >> 2;
    let four = two & two >> 4;
    four & four >> 8 != 0
}

/// Whether words of letters may be base64: of a text without a single capital it is too rare.
#[inline]
fn has_capital_runs(block: &Block, members: u64) -> bool {
    let runs = bits::in_runs_of_12(members);
    runs != 0 && block.range(b'A', b'Z') & runs != 0
}

/// A text with digits and marks.
struct Marked {
    all: u64,
    letters: u64,
    digits: u64,
    spaces: u64,
    dots: u64,
    dashes: u64,
    slashes: u64,
    underscores: u64,
    /// `'`, `(` and `)`.
    quotes: u64,
    colons: u64,
    /// `,`, `;`, `!` and `?`.
    stops: u64,
}

impl Marked {
    #[inline]
    fn of(block: &Block, letters: u64, digits: u64, spaces: u64) -> Self {
        Self {
            all: block.all,
            letters,
            digits,
            spaces,
            dots: block.one(b'.'),
            dashes: block.one(b'-'),
            slashes: block.one(b'/'),
            underscores: block.one(b'_'),
            quotes: block.range(b'\'', b')'),
            colons: block.one(b':'),
            stops: block.one(b',') | block.one(b';') | block.one(b'!') | block.one(b'?'),
        }
    }

    /// What base64 and hexadecimal digits are made of.
    const fn members(&self) -> u64 {
        self.letters | self.digits | self.dashes | self.slashes | self.underscores
    }

    /// Whether there are no marks that a detector or an escape begins with.
    #[inline]
    const fn is_harmless(&self) -> bool {
        let Self { dots, quotes, colons, stops, spaces, .. } = *self;
        let known = self.members() | dots | quotes | colons | stops | spaces;
        let scheme = self.slashes >> 1 & self.slashes >> 2;
        // `("key", "value")` in code
        let arguments = quotes & quotes >> 1;
        known == self.all && colons & !scheme == 0 && arguments == 0
    }

    /// Whether a word may be base64 or hexadecimal digits.
    #[inline]
    fn has_runs(&self, block: &Block) -> bool {
        let members = self.members();
        if bits::runs_of_12(members) == 0 {
            return false;
        }
        let hexadecimal = self.digits | block.range(b'a', b'f') | block.range(b'A', b'F');
        has_capital_runs(block, members) || bits::runs_of_12(hexadecimal) != 0
    }

    /// Whether all words with a mark or a digit in them are too short to be a secret.
    #[inline]
    fn are_words_short(&self) -> bool {
        let telling = self.digits | self.dashes | self.dots | self.underscores;
        let wordy = self.letters | telling;
        let begins = bits::firsts(wordy);
        // The usual case at once: none that tells is of MIXED_MIN or more.
        let special = begins & (self.dashes | self.accounts());
        if bits::in_runs_of_7(wordy) & telling == 0 && special == 0 {
            return true;
        }
        // Words of letters alone are passed by.
        bits::runs(wordy).all(|(start, end)| {
            let word = bits::between(start, end);
            word & telling == 0 || self.is_word_short(word, start, end - start)
        })
    }

    #[inline]
    const fn is_word_short(&self, word: u64, start: u32, length: u32) -> bool {
        if self.dashes >> start & 1 != 0 {
            return false;
        }
        if word & self.digits == 0 {
            return length < LETTERS_MIN || length < PLAIN_LETTERS_MIN && word & self.dots == 0;
        }
        if word & (self.letters | self.underscores) == 0 {
            return true;
        }
        length < MIXED_MIN && self.accounts() >> start & 1 == 0
    }

    /// Where `GB82` may begin: the account goes on behind a gap.
    #[inline]
    const fn accounts(&self) -> u64 {
        self.letters & self.letters >> 1 & self.digits >> 2 & self.digits >> 3
    }

    /// Whether digits, or groups of them side by side, may be a number.
    #[inline]
    fn has_numbers(&self, text: &[u8]) -> bool {
        let gaps = self.spaces | self.dashes | self.dots | self.slashes | self.quotes;
        let begins = bits::firsts(self.digits);
        let years = begins & self.spaces << 1 & self.digits >> 3;
        if years == 0 && self.digits.count_ones() < DIGITS_MIN && begins.count_ones() < GROUPS_MIN {
            return false;
        }
        let (mut last, mut digits, mut groups) = (0, 0, 0);
        bits::runs(self.digits).any(|(start, end)| {
            let gap = bits::between(last, start);
            if groups == 0 || start - last > GAP_MAX || gap & !gaps != 0 {
                (digits, groups) = (0, 0);
            }
            // The year of a day that is spelled.
            let spaced = last > 0 && self.spaces << 1 >> start & 1 != 0;
            let first = text.get(start as usize);
            let year = spaced && end - start == 4 && matches!(first, Some(b'1' | b'2'));
            digits += end - start;
            groups += 1;
            last = end;
            year || digits >= DIGITS_MIN || groups >= GROUPS_MIN
        })
    }
}

/// Whether a secret may be spoken behind a word.
#[inline]
fn is_spoken(text: &[u8], spaces: u64) -> bool {
    bits::each(spaces).any(|space| detect::is_spoken(text, space as usize))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::is_quiet;
    use crate::mask::{
        Detectors, Text,
        bits::{BLOCK, Block},
        view,
    };

    fn look(text: &str, length: usize) -> bool {
        let text = text.as_bytes();
        length <= BLOCK && is_quiet(text, &Block::of(text, length), false)
    }

    #[test]
    fn texts_of_machines_are_quiet() {
        for (text, quiet) in [
            ("", true),
            ("in progress", true),
            ("Fix the margin of widget 1234 in the main view", true),
            ("https://example.com/projects/12/items/4321", true),
            ("1234.5", true),
            ("1234.56", true),
            ("jane@example.com", false),
            ("my password is hunter2", false),
            ("The PIN 1234", false),
            ("May 16, 1920", false),
            ("10.0.0.1", false),
            ("cGFzc3dvcmQ6IGh1bnRlcjI", false),
            ("GB82 WEST 1234", false),
            ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true),
            ("9d39a3ee5e6b4b0d3255bfef95601890afd80709", true),
            ("da39a3ee5e6b4b0d3255bfef95601890afd80709", false),
            ("2024-05-01T10:00:00Z", true),
            ("12345678-1234-1234-1234-123456789012", false),
            ("4111111111111111411111111111111141111111", false),
            ("63617264203431313120313131312031", false),
            ("2024-05-01 10:00:00Z", false),
            ("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", false),
        ] {
            assert_eq!(look(text, text.len()), quiet, "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn nothing_is_found_in_values_of_machines(
            text in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{40}\
                     |[0-9a-f]{32}|[0-9a-f]{64}|[2-7][0-9a-f]{39}|[0-9]{1,10}|[0-9]{1,5}\\.[0-9]{1,5}\
                     |[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
        ) {
            if look(&text, text.len()) {
                let (mut found, mut runs) = (Vec::new(), Vec::new());
                Detectors::standard().scan(Text { text: &text, key: None }, &mut found);
                view::runs(&text, &mut runs);
                prop_assert!(found.is_empty() && runs.is_empty(), "{} {:?}", text, found);
            }
        }

        #[test]
        fn nothing_is_found_in_quiet_texts(
            words in prop::collection::vec(
                "[a-z]{1,9}|[A-Z][a-z]{2,12}|[0-9]{1,5}|[a-z]{1,3}[0-9]{1,4}|[A-Z]{2}[0-9]{2}|[-._/ ,;!?'()]\
                 |[-._/ ]|://|password|token|key|secret|pin|cvv|born|May|on|Bearer|[A-Za-z0-9]{2,12}",
                1..10,
            ),
            gap in "[ ./_-]?",
            behind in "[a-z0-9@ ]{0,70}",
        ) {
            let text = words.join(&gap);
            let whole = format!("{text}{behind}");
            if look(&whole, text.len()) {
                let (mut found, mut runs) = (Vec::new(), Vec::new());
                Detectors::standard().scan(Text { text: &text, key: None }, &mut found);
                view::runs(&text, &mut runs);
                prop_assert!(found.is_empty() && runs.is_empty(), "{} {:?}", text, found);
                prop_assert!(text.is_ascii() && !view::has_escapes(text.as_bytes()));
            }
        }
    }
}
