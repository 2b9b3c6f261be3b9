//! International bank account numbers (ISO 13616): the country's length, and ISO 7064 mod 97-10.

use super::{
    bytes::{self, DIGIT, LETTER, at, before, kind},
    concepts as c,
    page::{Page, What, what},
};

const IBAN: What = what("pii.bank.iban", "iban");
/// Longest, in characters.
const LENGTH_MAX: usize = 34;
/// Shortest, in characters.
const LENGTH_MIN: usize = 14;

/// Countries with the length of theirs.
const LENGTHS: &[(&[u8], usize)] = &[
    (b"NO", 15),
    (b"BE", 16),
    (b"DK FI FO GL NL SD FK", 18),
    (b"MK SI", 19),
    (b"AT BA EE KZ LT LU XK MN", 20),
    (b"CH HR LI LV", 21),
    (b"BG BH CR DE GB GE IE ME RS VA", 22),
    (b"AE GI IL IQ TL OM SO", 23),
    (b"AD CZ ES MD PK RO SA SE SK TN VG", 24),
    (b"LY PT ST AO CV GW MZ", 25),
    (b"IS TR DZ IR", 26),
    (b"FR GR IT MC MR SM BI DJ CM CF TD KM CG GA GQ MG", 27),
    (b"AL AZ BY CY DO GT HU LB PL SV NI BJ BF HN CI ML MA NE SN TG", 28),
    (b"BR EG PS QA UA", 29),
    (b"JO KW MU YE", 30),
    (b"MT SC", 31),
    (b"LC", 32),
    (b"RU", 33),
];

/// Takes the number that begins at `start`, and says where to go on.
pub(super) fn look(page: &mut Page<'_>, start: usize) -> Option<usize> {
    let text = page.bytes();
    let country = [at(text, start).to_ascii_uppercase(), at(text, start + 1).to_ascii_uppercase()];
    if kind(before(text, start)) & (LETTER | DIGIT) != 0 {
        return None;
    }
    let listed = length_of(country).and_then(|length| listed(page, start, length));
    listed.or_else(|| unlisted(page, start))
}

/// Takes one of a known length, in any grouping.
fn listed(page: &mut Page<'_>, start: usize, length: usize) -> Option<usize> {
    let text = page.bytes();
    let mut plain = [0; LENGTH_MAX];
    let (mut place, mut count) = (start, 0);
    while count < length {
        let byte = at(text, place);
        if kind(byte) & (LETTER | DIGIT) != 0 {
            *plain.get_mut(count)? = byte.to_ascii_uppercase();
            count += 1;
        } else if !matches!(byte, b' ' | b'-' | b'.')
            || kind(before(text, place)) & (LETTER | DIGIT) == 0
        {
            return None;
        }
        place += 1;
    }
    let plain = plain.get(..length)?;
    if kind(at(text, place)) & (LETTER | DIGIT) != 0 || !mod_97(plain, 4) {
        return None;
    }
    page.take(start, place, IBAN, 96);
    Some(place)
}

/// Takes one of a length that no registry has, where it is called an account number.
fn unlisted(page: &mut Page<'_>, start: usize) -> Option<usize> {
    let text = page.bytes();
    let alnum = |byte: u8| kind(byte) & (LETTER | DIGIT) != 0;
    let length = bytes::run(text, start, LENGTH_MAX + 1, alnum);
    let plain = page.part(start, start + length).to_ascii_uppercase();
    if !(LENGTH_MIN..=LENGTH_MAX).contains(&length)
        || !mod_97(&plain, 4)
        || page.concepts(start, start + length) & (c::IBAN | c::ACCOUNT) == 0 && !page.probe
    {
        return None;
    }
    page.take(start, start + length, IBAN, 80);
    Some(start + length)
}

fn length_of(country: [u8; 2]) -> Option<usize> {
    let has = |names: &[u8]| names.split(|byte| *byte == b' ').any(|name| name == country);
    LENGTHS.iter().find(|(names, _)| has(names)).map(|(_, length)| *length)
}

/// ISO 7064 mod 97-10, after `moved` characters went from the front to the end.
pub(super) fn mod_97(plain: &[u8], moved: usize) -> bool {
    let (front, rest) = plain.split_at_checked(moved).unwrap_or((&[], plain));
    let mut remainder = 0u32;
    for byte in rest.iter().chain(front) {
        remainder = match byte {
            b'0'..=b'9' => remainder * 10 + u32::from(byte - b'0'),
            b'A'..=b'Z' => remainder * 100 + u32::from(byte - b'A') + 10,
            _ => return false,
        } % 97;
    }
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::mod_97;

    #[test]
    fn the_registry_s_examples_hold() {
        for iban in ["GB29NWBK60161331926819", "DE89370400440532013000", "NO9386011117947"] {
            assert!(mod_97(iban.as_bytes(), 4), "{iban}");
            let broken = iban.replace('9', "8");
            assert!(!mod_97(broken.as_bytes(), 4), "{broken}");
        }
    }
}
