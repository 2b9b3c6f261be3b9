//! Days of the calendar, as people and identity numbers write them.

use super::bytes::digit;

/// What may stand between the parts of a spelled day.
const LINKS: [&[u8]; 3] = [b"of", b"de", b"the"];

/// Whether this is a day of a year from 1900 to 2099.
pub(super) fn is_date(year: u32, month: u32, day: u32) -> bool {
    (1900..=2099).contains(&year) && is_month_day(month, day)
}

/// Whether some year has this day.
pub(super) fn is_month_day(month: u32, day: u32) -> bool {
    let last = match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// The number that digits make.
pub(super) fn number(digits: &[u8]) -> u32 {
    digits.iter().take(9).fold(0, |sum, digit| sum * 10 + u32::from(*digit))
}

/// Whether a whole text is one day: `1980-01-31`, `31.1.1980`, `1/31/80`, `19800131`, `Jan 31, 1980`,
/// with or without a time behind it.
pub(super) fn is_day(text: &[u8]) -> bool {
    let text = text.split(|byte| *byte == b'T').next().unwrap_or(text);
    let mut parts = [0u32; 3];
    let mut lengths = [0usize; 3];
    let mut count = 0;
    for part in text.split(|byte| !byte.is_ascii_digit()).filter(|part| !part.is_empty()).take(3) {
        if let (Some(value), Some(length)) = (parts.get_mut(count), lengths.get_mut(count)) {
            *value = part
                .iter()
                .filter_map(|byte| digit(*byte))
                .fold(0, |sum, one| sum.saturating_mul(10).saturating_add(u32::from(one)));
            *length = part.len();
            count += 1;
        }
    }
    let [first, second, third] = parts;
    let named = text.iter().any(u8::is_ascii_alphabetic) && has_month_name(text);
    match (count, lengths) {
        (1, [8, _, _]) => {
            text.len() == 8 && is_date(first / 10_000, first / 100 % 100, first % 100)
        }
        (2, [_, 4, _]) if named => (1..=31).contains(&first) && is_year(second),
        (2, [4, _, _]) if named => is_year(first) && (1..=31).contains(&second),
        (3, [4, _, _]) => !named && is_date(first, second, third),
        (3, [1 | 2, 1 | 2, 4]) => is_date(third, second, first) || is_date(third, first, second),
        (3, [1 | 2, 1 | 2, 2]) => {
            text.len() <= 8 && (is_month_day(second, first) || is_month_day(first, second))
        }
        _ => false,
    }
}

/// Whether a text is a day with the name of its month, and nothing else: `May 16, 1920`, `16th of May 1920`.
pub(super) fn is_spelled(text: &[u8]) -> bool {
    let words =
        text.split(|byte| matches!(byte, b' ' | b',' | b'.')).filter(|word| !word.is_empty());
    let (mut months, mut numbers) = (0, 0);
    for word in words {
        let digits = word.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = word.get(digits..).unwrap_or_default();
        if digits > 0 {
            numbers += 1;
            let ordinal = [&b"st"[..], b"nd", b"rd", b"th", b""].contains(&rest);
            if !ordinal {
                return false;
            }
        } else if has_month_name(rest.get(..3).unwrap_or_default()) {
            months += 1;
        } else if !LINKS.contains(&word) {
            return false;
        }
    }
    months == 1 && numbers == 2 && is_day(text)
}

pub(super) fn is_year(year: u32) -> bool {
    (1900..=2099).contains(&year)
}

/// Whether the name of a month stands there, in one of a few languages.
fn has_month_name(text: &[u8]) -> bool {
    text.len() <= 30 && text.windows(3).any(is_month)
}

/// Whether three letters are those of a month.
fn is_month(three: &[u8]) -> bool {
    let Some(letters) = three.first_chunk::<3>() else { return false };
    matches!(
        &letters.map(|letter| letter.to_ascii_lowercase()),
        b"jan"
            | b"feb"
            | b"mar"
            | b"apr"
            | b"may"
            | b"jun"
            | b"jul"
            | b"aug"
            | b"sep"
            | b"oct"
            | b"nov"
            | b"dec"
            | b"okt"
            | b"dez"
            | b"mai"
            | b"ene"
            | b"abr"
            | b"ago"
            | b"dic"
            | b"fev"
            | b"maj"
    )
}

/// Whether this may be the last word before the year of a spelled day: its month, its number, or a link.
pub(super) fn may_end_spelled(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_digit) || is_month(word) || LINKS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::is_day;

    #[test]
    fn days_are_known_in_every_spelling() {
        for (text, day) in [
            ("1980-01-31", true),
            ("31.1.1980", true),
            ("1/31/80", true),
            ("19800131", true),
            ("Jan 31, 1980", true),
            ("31 January 1980", true),
            ("1980-01-31T00:00:00Z", true),
            ("1980-13-31", false),
            ("31.02.1980", false),
            ("12345678", false),
            ("2.3.4", false),
            ("10.20.30.40", false),
        ] {
            assert_eq!(is_day(text.as_bytes()), day, "{text}");
        }
    }
}
