//! Digits with what parts them: `4111 1111 1111 1111`, `123-45-6789`, `+1 (415) 555-2671`.
//!
//! A phrase of numbers may hold several; each window of whole groups is looked at by itself.

use std::cell::Cell;

use super::{
    bytes::{self, at, before, digit},
    card, context, date, ids, net,
    page::Page,
    phone,
};

/// Most digits of one phrase; longer ones are no number of a person.
const DIGITS_MAX: usize = 64;
/// Most groups of one phrase.
const GROUPS_MAX: usize = 16;
/// So many groups at the end of a row that was cut are read again, with what follows them.
const AGAIN: usize = 5;
/// Longest day and month before a year, in bytes.
const DAY_MAX_BYTES: usize = 24;
/// Most digits of a day.
const DAY_DIGITS_MAX: usize = 8;
/// No identity number, card or phone has fewer digits.
const DIGITS_MIN: usize = 6;
/// Nor more.
const DIGITS_MOST: usize = 19;

/// Digits in groups.
pub(super) struct Number {
    digits: [u8; DIGITS_MAX],
    groups: [Group; GROUPS_MAX],
    count: usize,
    start: usize,
    /// Byte after its last digit.
    pub(super) end: usize,
    /// Whether there was no room for all its groups: what follows goes on with the last of these.
    cut: bool,
    /// What the words around say, once asked for.
    around: Cell<Option<u128>>,
}

/// A run of digits. Small, because every number of a text has sixteen of them.
#[derive(Clone, Copy, Default)]
struct Group {
    /// Byte where it begins, from where the number does.
    offset: u8,
    /// Which digit of the phrase is its first.
    first: u8,
    /// How many digits.
    length: u8,
    /// What parts it from the group before: a byte; 0 if that is more than one byte.
    gap: u8,
}

/// Some neighbouring groups of a number.
pub(super) struct Window<'a> {
    /// Byte where it begins.
    pub(super) start: usize,
    /// Byte after its last digit.
    pub(super) end: usize,
    /// The values of its digits.
    pub(super) digits: &'a [u8],
    /// How many groups.
    pub(super) groups: usize,
    /// The lengths of its groups with what parts them; see [`layout`].
    pub(super) layout: u128,
    even: bool,
    /// Whether its grouping goes on beyond it, so that it is rather a part of something longer.
    pub(super) is_part: bool,
    /// Where the number begins and ends.
    outer: (usize, usize),
    around: &'a Cell<Option<u128>>,
}

impl Group {
    /// How many digits there are up to its end.
    fn reach(self) -> usize {
        usize::from(self.first) + usize::from(self.length)
    }
}

impl Number {
    /// Reads on from the digit at `start`.
    pub(super) fn read(text: &[u8], start: usize) -> Self {
        let mut number = Self {
            digits: [0; DIGITS_MAX],
            groups: [Group::default(); GROUPS_MAX],
            count: 0,
            start,
            end: start,
            cut: false,
            around: Cell::new(None),
        };
        let (mut place, mut first, mut gap) = (start, 0, 0);
        while let Some(group) = number.groups.get_mut(number.count) {
            let rest = number.digits.get_mut(first..).unwrap_or_default();
            let values =
                text.get(place..).unwrap_or_default().iter().map_while(|byte| digit(*byte));
            let length = rest.iter_mut().zip(values).map(|(slot, value)| *slot = value).count();
            if length == 0 {
                number.cut = number.count > 0 && at(text, place).is_ascii_digit();
                return number;
            }
            // `5 550e8400`: the next word is no number.
            if number.count > 0 && glued_behind(text, place + length) {
                return number;
            }
            let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
            *group = Group {
                offset: small(place - start),
                first: small(first),
                length: small(length),
                gap,
            };
            number.count += 1;
            number.end = place + length;
            first += length;
            if at(text, number.end).is_ascii_digit() {
                number.overflow(text);
                return number;
            }
            let width = gap_width(text, number.end);
            if width == 0 {
                return number;
            }
            gap = if width == 1 { at(text, number.end) } else { 0 };
            place = number.end + width;
        }
        number.cut = true;
        number
    }

    /// Leaves out the last group, for which there was no room. One that is too long by itself is no number,
    /// and is passed as one.
    fn overflow(&mut self, text: &[u8]) {
        self.count -= 1;
        self.cut = self.count > 0;
        if let Some(last) = self.count.checked_sub(1).and_then(|last| self.groups.get(last)) {
            self.end = self.start + usize::from(last.offset) + usize::from(last.length);
        } else {
            self.end += bytes::run(text, self.end, usize::MAX, |byte| byte.is_ascii_digit());
        }
    }

    /// How many digits.
    fn length(&self) -> usize {
        let last = self.count.checked_sub(1).and_then(|last| self.groups.get(last));
        last.map_or(0, |last| last.reach())
    }

    /// The groups from `first` up to `last`.
    fn window(&self, first: usize, last: usize) -> Option<Window<'_>> {
        let groups = self.groups.get(first..=last).filter(|_| last < self.count)?;
        let (head, tail) = (groups.first()?, groups.last()?);
        let digits = self.digits.get(usize::from(head.first)..tail.reach())?;
        // Four short groups may be an address.
        let short = digits.len() < DIGITS_MIN || digits.len() * 2 < groups.len() * 3;
        if short && groups.len() != 4 || digits.len() > DIGITS_MOST {
            return None;
        }
        let place = |group: &Group| self.start + usize::from(group.offset);
        let mut window = Window {
            start: place(head),
            end: place(tail) + usize::from(tail.length),
            digits,
            groups: groups.len(),
            layout: 0,
            even: true,
            is_part: self.is_part(first, last),
            outer: (self.start, self.end),
            around: &self.around,
        };
        let first_gap = groups.get(1).map_or(0, |group| group.gap);
        for (index, group) in groups.iter().enumerate() {
            if index > 0 {
                window.even &= group.gap == first_gap && group.gap != 0;
                window.push(if group.gap == 0 { b'?' } else { group.gap });
            }
            // Lengths beyond nine go on as letters.
            let length = group.length;
            window.push(if length < 10 { b'0' + length } else { b'A' + (length - 10) });
        }
        Some(window)
    }
}

impl Window<'_> {
    fn push(&mut self, byte: u8) {
        self.layout = self.layout << 8 | u128::from(byte);
    }

    /// Whether its digits stand without anything between them.
    pub(super) fn is_bare(&self) -> bool {
        self.groups == 1
    }

    /// Whether one and the same byte parts all groups.
    pub(super) fn is_even(&self) -> bool {
        self.even
    }

    /// What the key and the words around say.
    pub(super) fn concepts(&self, page: &Page<'_>) -> u128 {
        let concepts =
            self.around.get().unwrap_or_else(|| page.concepts(self.outer.0, self.outer.1));
        self.around.set(Some(concepts));
        concepts
    }
}

/// Lengths of groups with what parts them, such as `3-2-4`, as one number; ten digits are `A`, and `?` is
/// more than one byte. Of a longer one its end, which no known layout has.
pub(super) const fn layout(text: &str) -> u128 {
    let (mut packed, mut rest) = (0u128, text.as_bytes());
    while let Some((byte, others)) = rest.split_first() {
        packed = packed << 8 | *byte as u128;
        rest = others;
    }
    packed
}

/// Which hashes of layouts occur in a table: most groups of digits are laid out like none of it.
#[derive(Clone, Copy)]
pub(super) struct Sieve(u64);

impl Sieve {
    pub(super) const NOTHING: Self = Self(0);

    pub(super) const fn of(mut layouts: &[u128]) -> Self {
        let mut sieve = Self::NOTHING;
        while let Some((layout, others)) = layouts.split_first() {
            (sieve, layouts) = (sieve.with(*layout), others);
        }
        sieve
    }

    pub(super) const fn with(self, layout: u128) -> Self {
        Self(self.0 | Self::bit(layout))
    }

    /// Both of them.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn may_hold(self, layout: u128) -> bool {
        self.0 & Self::bit(layout) != 0
    }

    const fn bit(layout: u128) -> u64 {
        let folded = (layout >> 64) as u64 ^ layout as u64;
        1 << (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58)
    }
}

/// How many bytes part two groups here: one of ` -./()`, or a bracket with a space.
fn gap_width(text: &[u8], end: usize) -> usize {
    let digit = |place: usize| at(text, place).is_ascii_digit();
    match (at(text, end), at(text, end + 1)) {
        (b' ' | b'-' | b'.' | b'/' | b')' | b'(', _) if digit(end + 1) => 1,
        (b' ', b'(') | (b')', b' ' | b'-') | (b' ', b'-') if digit(end + 2) => 2,
        (b' ', b'-') if at(text, end + 2) == b' ' && digit(end + 3) => 3,
        _ => 0,
    }
}

/// Looks at the number that begins at `start`, and says where to go on.
pub(super) fn look(page: &mut Page<'_>, start: usize) -> usize {
    let text = page.bytes();
    let digits = bytes::run(text, start, DIGITS_MIN, |byte| byte.is_ascii_digit());
    if digits < DIGITS_MIN && gap_width(text, start + digits) == 0 && !Number::has_plus(text, start)
    {
        if digits == 4 && matches!(at(text, start), b'1' | b'2') && before(text, start) == b' ' {
            spelled_day(page, start);
        }
        return start + digits;
    }
    if is_iso_day(text, start) {
        return iso_day(page, start);
    }
    let number = Number::read(text, start);
    let length = number.length();
    if length < DIGITS_MIN && number.count < 3 {
        return number.end;
    }
    let mut end = number.end;
    if let Some(reached) = phone::international(page, &number, start) {
        return reached;
    }
    if glued_behind(text, number.end) {
        // `4111111111111111abc`: only what stands alone in its letters is still looked at.
        end = end.max(glued(page, &number, start));
        return end;
    }
    let whole = if number.cut { None } else { number.window(0, number.count.saturating_sub(1)) };
    if let Some(whole) = whole.filter(|whole| whole.groups > 1 && ids::is_grouped(whole)) {
        // Grouped as one number, so that its parts are none.
        judge(page, whole);
        return end;
    }
    let mut first = 0;
    while first < number.count {
        // The end of a row that was too long is read again, with what follows it.
        let again = number.count.saturating_sub(AGAIN).max(number.count.div_ceil(2));
        if number.cut && first >= again && number.count > 1 {
            return number.groups.get(first).map_or(end, |group| start + usize::from(group.offset));
        }
        let taken = (first..number.count.min(first + 8)).rev().find(|last| {
            let apart = number.is_apart(first, *last);
            let window = if apart { number.window(first, *last) } else { None };
            window.is_some_and(|window| judge(page, window))
        });
        first = taken.unwrap_or(first) + 1;
    }
    end
}

/// Whether `2024-01-31` stands there: the number of which texts of machines have most.
fn is_iso_day(text: &[u8], start: usize) -> bool {
    let (gap, next) = (at(text, start + 4), at(text, start + 10));
    gap == b'-'
        && at(text, start + 7) == b'-'
        && matches!(at(text, start), b'1' | b'2')
        && !next.is_ascii_digit()
        && !(matches!(next, b'-' | b'.' | b'/') && at(text, start + 11).is_ascii_digit())
        && before(text, start) != b'-'
        && before(text, start) != b'+'
        && date::is_day(bytes::part(text, start, start + 10))
}

fn iso_day(page: &mut Page<'_>, start: usize) -> usize {
    let end = start + 10;
    if page.concepts(start, end) & super::concepts::BIRTH != 0 {
        page.take(start, end, super::page::what("pii.birth_date", "birth"), 85);
    }
    end
}

/// A day of birth with the name of its month before the year at `year`: `May 16, 1920`, `3rd of May 1920`.
fn spelled_day(page: &mut Page<'_>, year: usize) {
    let text = page.bytes();
    let (first, end) = (year.saturating_sub(DAY_MAX_BYTES), year + 4);
    let window = bytes::part(text, first, year);
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    // Day and month stand in the two words before, or in three with an `of` among them.
    let mut words = 0;
    let mut from = window.len();
    while words < 4 {
        let gap = bytes::run_back(window, from, 3, |byte| !letter(&byte));
        let length = bytes::run_back(window, from - gap, DAY_MAX_BYTES, |byte| letter(&byte));
        if gap == 0 || length == 0 {
            return;
        }
        from -= gap + length;
        words += 1;
        if words == 1 && !date::may_end_spelled(bytes::part(window, from, from + length)) {
            return;
        }
        let day = bytes::part(text, first + from, end);
        if words > 1 && day.len() <= DAY_MAX_BYTES + 4 && date::is_spelled(day) {
            if page.concepts(first + from, end) & super::concepts::BIRTH != 0 || page.probe {
                page.take(first + from, end, super::page::what("pii.birth_date", "birth"), 85);
            }
            return;
        }
    }
}

/// Whether the digits run on into a word. An extension is none, and neither is what says that they are a
/// phone: `555-2671x12`, `555-2671-Fax`.
fn glued_behind(text: &[u8], end: usize) -> bool {
    let next = at(text, end);
    let letter = |place: usize| bytes::kind(at(text, place)) & bytes::LETTER != 0;
    letter(end) && phone::extension(text, end) == 0
        || next == b'-' && letter(end + 1) && !context::names_phone(text, end + 1)
}

/// Cards in a word with letters, unless the word could be hexadecimal.
pub(super) fn glued(page: &mut Page<'_>, number: &Number, start: usize) -> usize {
    let text = page.bytes();
    let wordy = |byte: u8| bytes::kind(byte) & (bytes::WORD & !bytes::DOT) != 0;
    let ahead = bytes::run(text, number.end, 64, wordy);
    let back = bytes::run_back(text, start, 64, wordy);
    let around =
        [bytes::part(text, start - back, start), bytes::part(text, number.end, number.end + ahead)];
    let letter = |byte: &u8| byte.is_ascii_alphabetic() && !byte.is_ascii_hexdigit();
    let hexadecimal = !around.iter().any(|part| part.iter().any(letter));
    if !hexadecimal && let Some(window) = number.window(0, number.count.saturating_sub(1)) {
        let mut window = window;
        card::look(page, &mut window, true);
    }
    number.end
}

fn judge(page: &mut Page<'_>, mut window: Window<'_>) -> bool {
    let digits = window.digits.len();
    if window.groups == 4 && window.is_even() && net::address_v4(page, &mut window) {
        return true;
    }
    if digits < DIGITS_MIN || is_nothing(page, &window) {
        return false;
    }
    ids::insurance(page, &window)
        || birth(page, &mut window)
        || card::look(page, &mut window, false)
        || ids::look(page, &mut window)
        || phone::national(page, &mut window)
}

/// Whether its groups are those of no number, and no word tells of one.
fn is_nothing(page: &Page<'_>, window: &Window<'_>) -> bool {
    const LAYOUTS: Sieve = ids::LAYOUTS.and(phone::LAYOUTS);
    // Cards, days and numbers that only a word names are parted by one and the same byte, or not at all.
    !window.even
        && !LAYOUTS.may_hold(window.layout)
        && !page.probe
        && window.concepts(page) & !super::concepts::OTHER == 0
}

/// A day beside a word of birth.
fn birth(page: &mut Page<'_>, window: &mut Window<'_>) -> bool {
    let even = window.groups == 3 && window.is_even() && window.digits.len() <= DAY_DIGITS_MAX;
    let day = even && date::is_day(page.part(window.start, window.end));
    if day && window.concepts(page) & super::concepts::BIRTH != 0 {
        page.take(window.start, window.end, super::page::what("pii.birth_date", "birth"), 85);
        return true;
    }
    // A day that is nobody's birthday is no other number either.
    day
}

impl Number {
    /// Whether what parts these groups from their neighbours parts numbers, and not groups of one.
    fn is_apart(&self, first: usize, last: usize) -> bool {
        let parts = |at: usize| {
            let gap =
                self.groups.get(at).filter(|_| at > 0 && at < self.count).map(|group| group.gap);
            gap.is_none_or(|gap| matches!(gap, b' ' | b'/' | b')' | 0))
        };
        parts(first) && parts(last + 1)
    }

    /// Whether it has a plus before it.
    pub(super) fn has_plus(text: &[u8], start: usize) -> bool {
        before(text, start) == b'+'
            || before(text, start) == b'(' && before(text, start - 1) == b'+'
    }

    /// Whether a neighbour is parted in the same way and just as long: `4086 4890 1454 5069 0232` is no card
    /// with something behind it. Several values of one grouping in a row are none the less values.
    fn is_part(&self, first: usize, last: usize) -> bool {
        let group = |at: usize| self.groups.get(at).copied().unwrap_or_default();
        let alike = |one: usize, other: usize| group(one).length == group(other).length;
        let size = last + 1 - first;
        // Beyond what parts groups otherwise, another number begins.
        let goes_on = |at: usize| at == 0 || at >= self.count || group(at).gap == group(last).gap;
        let before = first > 0 && alike(first - 1, first) && goes_on(first) && goes_on(first - 1);
        let behind = last + 1 < self.count
            && alike(last, last + 1)
            && goes_on(last + 1)
            && goes_on(last + 2);
        let in_a_row = || {
            !self.cut
                && self.count.is_multiple_of(size)
                && first.is_multiple_of(size)
                && (0..self.count).all(|at| alike(at, at % size))
        };
        size > 1 && (before || behind) && !in_a_row()
    }

    /// The most groups from the first on that have `least` to `most` digits together.
    pub(super) fn span(&self, least: usize, most: usize) -> Option<Window<'_>> {
        let fits = |last: &usize| {
            self.groups.get(*last).is_some_and(|group| (least..=most).contains(&group.reach()))
        };
        let last = (0..self.count).rev().find(fits)?;
        self.window(0, last)
    }

    /// Its digits.
    pub(super) fn digits(&self) -> &[u8] {
        self.digits.get(..self.length()).unwrap_or_default()
    }
}
