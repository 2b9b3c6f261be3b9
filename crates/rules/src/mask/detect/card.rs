//! Payment cards: the issuer's range (ISO/IEC 7812-1), the brand's lengths, Luhn's formula, and how
//! the digits are grouped.
//!
//! Brands whose numbers have exactly one rare form count by themselves; lengths that any counter has
//! count only beside a word of cards.

use super::{
    concepts as c,
    date::number,
    ids::luhn,
    number::{Sieve, Window, layout},
    page::{Page, What, what},
};
use crate::mask::bits;

const CARD: What = what("pci.card", "card");

/// A brand's range of first digits.
struct Range {
    /// Lowest beginning.
    low: u32,
    /// Highest, with as many digits.
    high: u32,
    /// How many digits these have.
    width: usize,
    /// Lengths that count by themselves, as a set of bits.
    sure: u32,
    /// Lengths that count beside a word of cards.
    beside: u32,
}

/// Most digits that a range names.
const WIDTH_MAX: usize = 6;

const fn lengths(low: u32, high: u32) -> u32 {
    let mut set = 0;
    let mut length = low;
    while length <= high {
        set |= 1 << length;
        length += 1;
    }
    set
}

const fn range(low: u32, high: u32, width: usize, sure: u32, beside: u32) -> Range {
    Range { low, high, width, sure, beside }
}

/// Visa, Mastercard, American Express, Diners Club, Discover, UnionPay, JCB, Maestro, Mir, RuPay, Troy,
/// Elo, Hipercard, Verve, UATP, Dankort, InterPayment.
const RANGES: &[Range] = &[
    range(4, 4, 1, 1 << 16, 1 << 13 | 1 << 19),
    range(51, 55, 2, 1 << 16, 0),
    range(2221, 2720, 4, 1 << 16, 0),
    range(34, 34, 2, 1 << 15, 0),
    range(37, 37, 2, 1 << 15, 0),
    range(300, 305, 3, 1 << 14, lengths(16, 19)),
    range(3095, 3095, 4, 1 << 14, lengths(16, 19)),
    range(36, 36, 2, 1 << 14, lengths(15, 19)),
    range(38, 39, 2, 1 << 14, lengths(16, 19)),
    range(6011, 6011, 4, 1 << 16, lengths(17, 19)),
    range(644, 659, 3, 1 << 16, lengths(17, 19)),
    range(62, 62, 2, 1 << 16, lengths(17, 19)),
    range(81, 81, 2, 1 << 16, lengths(17, 19)),
    range(3528, 3589, 4, 1 << 16, lengths(17, 19)),
    range(2131, 2131, 4, 1 << 15, 0),
    range(1800, 1800, 4, 1 << 15, 0),
    range(50, 50, 2, 1 << 16, lengths(12, 19)),
    range(56, 58, 2, 0, lengths(12, 19)),
    range(63, 63, 2, 1 << 16, lengths(12, 19)),
    range(67, 67, 2, 1 << 16, lengths(12, 19)),
    range(60, 61, 2, 1 << 16, lengths(12, 19)),
    range(64, 69, 2, 0, lengths(12, 19)),
    range(2200, 2205, 4, 1 << 16, lengths(17, 19)),
    range(508, 508, 3, 1 << 16, 0),
    range(9792, 9792, 4, 1 << 16, 0),
    range(401178, 401179, 6, 1 << 16, 0),
    range(1, 1, 1, 0, 1 << 15),
    range(35, 35, 2, 0, lengths(15, 16)),
    range(604, 604, 4, 0, lengths(12, 19)),
    range(5019, 5019, 4, 1 << 16, 0),
    range(636, 637, 3, 1 << 16, lengths(17, 19)),
];

/// The ranges that begin with each digit, as sets of bits.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const BY_FIRST: [u32; 10] = {
    assert!(RANGES.len() <= 32, "a set has no room for more ranges");
    let (mut sets, mut rest, mut bit) = ([0; 10], RANGES, 1);
    while let Some((range, others)) = rest.split_first() {
        let unit = 10u32.pow(range.width as u32 - 1);
        assert!(range.low / unit == range.high / unit, "a range has one first digit");
        sets[(range.low / unit) as usize] |= bit;
        (rest, bit) = (others, bit << 1);
    }
    sets
};

/// How cards are grouped; written with `-`, whatever even byte parts them.
const LAYOUTS: &[u128] = &[
    layout("4-4-4-4"),
    layout("4-6-5"),
    layout("4-6-4"),
    layout("4-4-4-4-3"),
    layout("4-4-4-3"),
    layout("4-4-4-1"),
    layout("4-6-6"),
    layout("4-4-4"),
    layout("4-4-5"),
    layout("8-8"),
    layout("6-D"),
    layout("6-5-4"),
    layout("4-4-4-2"),
    layout("2-D"),
    layout("4-8-4"),
    layout("4-A"),
    layout("6-6-3"),
    layout("5-4-4-3"),
    layout("4-6"),
];

/// The same, for a look at a glance.
const SIEVE: Sieve = Sieve::of(LAYOUTS);

/// Takes the window if it is a card's number. One that stands in a word must count by itself.
pub(super) fn look(page: &mut Page<'_>, window: &mut Window<'_>, glued: bool) -> bool {
    let digits = window.digits;
    if !(12..=19).contains(&digits.len()) || !is_grouped(window) || !luhn(digits) {
        return false;
    }
    let is_same = digits.iter().all(|digit| Some(digit) == digits.first());
    let other = is_same || is_rest_of_iban(page, window.start);
    let Some(sure) = issuer(digits).filter(|_| !other) else { return false };
    let beside = window.concepts(page) & c::CARD != 0;
    let score = match (sure, beside) {
        (true, true) => 99,
        (true, false) if glued => 80,
        (true, false) if window.is_part => 45,
        (true, false) if window.is_bare() && window.concepts(page) & c::OTHER != 0 => 65,
        (true, false) => 90,
        (false, true) => 95,
        (false, false) if digits.len() > 14 && !window.is_bare() && !window.is_part => 60,
        (false, false) => 45,
    };
    let keeps = page.keeps(score);
    page.take(window.start, window.end, CARD, score);
    keeps
}

fn is_grouped(window: &Window<'_>) -> bool {
    if window.is_bare() {
        return true;
    }
    let spelled = window.layout.to_be_bytes();
    let dashed = spelled.map(|byte| if matches!(byte, b' ' | b'.') { b'-' } else { byte });
    let layout = u128::from_be_bytes(dashed);
    window.is_even() && SIEVE.may_hold(layout) && LAYOUTS.contains(&layout)
}

/// Whether `GB29 ` stands before: an account number whose check failed has no card in it.
fn is_rest_of_iban(page: &Page<'_>, start: usize) -> bool {
    let head = page.part(start.saturating_sub(5), start);
    matches!(head, [one, two, three, four, b' '] if one.is_ascii_uppercase()
        && two.is_ascii_uppercase() && three.is_ascii_digit() && four.is_ascii_digit())
}

/// Whether some brand has such a number, and whether that says enough by itself.
fn issuer(digits: &[u8]) -> Option<bool> {
    let length = 1u32 << digits.len();
    let begin = number(digits.get(..WIDTH_MAX).unwrap_or_default());
    // By their width.
    let begins = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1].map(|rest| begin / rest);
    let set = digits.first().and_then(|first| BY_FIRST.get(usize::from(*first)));
    let ranges = bits::each(set.copied().unwrap_or_default().into())
        .filter_map(|at| RANGES.get(at as usize));
    let fits = |range: &&Range| {
        let begin = begins.get(range.width);
        (range.sure | range.beside) & length != 0
            && begin.is_some_and(|begin| (range.low..=range.high).contains(begin))
    };
    ranges.filter(fits).map(|range| range.sure & length != 0).max()
}

#[cfg(test)]
mod tests {
    use super::issuer;

    #[test]
    fn issuers_are_known_by_beginning_and_length() {
        for (card, known) in [
            ("4111111111111111", Some(true)),
            ("4000000000000000006", Some(false)),
            ("2223003122003222", Some(true)),
            ("378282246310005", Some(true)),
            ("9111111111111111", None),
            ("1700000000000", None),
        ] {
            let digits: Vec<u8> = card.bytes().map(|byte| byte - b'0').collect();
            assert_eq!(issuer(&digits), known, "{card}");
        }
    }
}
