//! International bank account numbers (ISO 13616): the country's form, and ISO 7064 mod 97-10.

use super::{
    bytes::{self, DIGIT, LETTER, UPPER, at, before, kind},
    concepts as c,
    page::{Page, What, what},
};

const IBAN: What = what("pii.bank.iban", "iban");
/// The country and the check digits, in characters.
const HEAD: usize = 4;
/// Longest, in characters.
const LENGTH_MAX: usize = 34;
/// Shortest, in characters.
const LENGTH_MIN: usize = 14;

/// Countries by what comes after the two check digits, in the registry's own terms: so many digits
/// (`n`), letters (`a`) or either (`c`). Honduras had digits alone before it was in the registry.
const FORMS: &[(&[u8], &[u8])] = &[
    (b"NO", b"11n"),
    (b"BE", b"12n"),
    (b"DK FI FO GL SD", b"14n"),
    (b"FK", b"2a12n"),
    (b"NL", b"4a10n"),
    (b"SI", b"15n"),
    (b"MK", b"3n10c2n"),
    (b"AT BA EE LT MN XK", b"16n"),
    (b"KZ LU", b"3n13c"),
    (b"HR", b"17n"),
    (b"LV", b"4a13c"),
    (b"CH LI", b"5n12c"),
    (b"CR DE ME RS VA", b"18n"),
    (b"GE", b"2a16n"),
    (b"BH", b"4a14c"),
    (b"GB IE", b"4a14n"),
    (b"BG", b"4a6n8c"),
    (b"AE IL SO TL", b"19n"),
    (b"OM", b"3n16c"),
    (b"GI", b"4a15c"),
    (b"IQ", b"4a15n"),
    (b"MD", b"20c"),
    (b"CZ ES SE SK TN", b"20n"),
    (b"SA", b"2n18c"),
    (b"PK RO", b"4a16c"),
    (b"VG", b"4a16n"),
    (b"AD", b"8n12c"),
    (b"AO CV LY MZ PT ST", b"21n"),
    (b"GW", b"2c19n"),
    (b"DZ IR IS", b"22n"),
    (b"TR", b"6n16c"),
    (b"FR MC", b"10n11c2n"),
    (b"IT SM", b"1a10n12c"),
    (b"BI CF CG CM DJ GA GQ KM MG MR TD", b"23n"),
    (b"GR", b"7n16c"),
    (b"GT", b"24c"),
    (b"HU MA PL", b"24n"),
    (b"BF BJ CI ML NE SN TG", b"2c22n"),
    (b"AZ", b"4a20c"),
    (b"NI SV", b"4a20n"),
    (b"DO HN", b"4c20n"),
    (b"BY", b"4c4n16c"),
    (b"LB", b"4n20c"),
    (b"AL CY", b"8n16c"),
    (b"BR", b"23n1a1c"),
    (b"EG", b"25n"),
    (b"PS QA", b"4a21c"),
    (b"UA", b"6n19c"),
    (b"MU", b"4a19n3a"),
    (b"KW", b"4a22c"),
    (b"JO YE", b"4a4n18c"),
    (b"SC", b"4a20n3a"),
    (b"MT", b"4a5n18c"),
    (b"LC", b"4a24c"),
    (b"RU", b"14n15c"),
];

/// Takes the number that begins at `start`, and says where to go on.
pub(super) fn look(page: &mut Page<'_>, start: usize) -> Option<usize> {
    let text = page.bytes();
    let country = [at(text, start).to_ascii_uppercase(), at(text, start + 1).to_ascii_uppercase()];
    if kind(before(text, start)) & (LETTER | DIGIT) != 0 {
        return None;
    }
    let listed = form_of(country).and_then(|form| listed(page, start, form));
    listed.or_else(|| unlisted(page, start))
}

/// Takes one of a known form, in any grouping.
fn listed(page: &mut Page<'_>, start: usize, form: &[u8]) -> Option<usize> {
    let text = page.bytes();
    let length = HEAD + parts(form).map(|(count, _)| count).sum::<usize>();
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
    if kind(at(text, place)) & (LETTER | DIGIT) != 0 || !fits(plain, form) || !mod_97(plain, HEAD) {
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
        || !mod_97(&plain, HEAD)
        || page.concepts(start, start + length) & (c::IBAN | c::ACCOUNT) == 0 && !page.probe
    {
        return None;
    }
    page.take(start, start + length, IBAN, 80);
    Some(start + length)
}

fn form_of(country: [u8; 2]) -> Option<&'static [u8]> {
    let has = |names: &[u8]| names.split(|byte| *byte == b' ').any(|name| name == country);
    FORMS.iter().find(|(names, _)| has(names)).map(|(_, form)| *form)
}

/// The parts of a form: how many, and of what kind.
fn parts(form: &[u8]) -> impl Iterator<Item = (usize, u8)> + '_ {
    form.split_inclusive(u8::is_ascii_alphabetic).filter_map(|part| {
        let (of, count) = part.split_last()?;
        let count = count.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
        let wanted = match of {
            b'n' => DIGIT,
            b'a' => UPPER,
            _ => DIGIT | UPPER,
        };
        Some((count, wanted))
    })
}

/// Whether the check digits are digits, and the rest is of the country's form.
fn fits(plain: &[u8], form: &[u8]) -> bool {
    let (head, mut rest) = plain.split_at_checked(HEAD).unwrap_or_default();
    let check = head.iter().skip(2).all(u8::is_ascii_digit);
    check
        && parts(form).all(|(count, wanted)| {
            let (part, after) = rest.split_at_checked(count).unwrap_or_default();
            rest = after;
            part.len() == count && part.iter().all(|byte| kind(*byte) & wanted != 0)
        })
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
    use super::{fits, form_of, mod_97};

    #[test]
    fn the_registry_s_examples_hold() {
        for iban in [
            "AD1200012030200359100100",
            "BA391290079401028494",
            "BR1800360305000010009795493C1",
            "DE89370400440532013000",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "IT60X0542811101000000123456",
            "LC55HEMM000100010012001200023015",
            "MT84MALT011000012345MTLCAST001S",
            "MU17BOMM0101101030300200000MUR",
            "NO9386011117947",
            "TR330006100519786457841326",
        ] {
            let form = form_of([iban.as_bytes()[0], iban.as_bytes()[1]]).unwrap();
            assert!(fits(iban.as_bytes(), form), "{iban}");
            assert!(mod_97(iban.as_bytes(), 4), "{iban}");
            let mut broken = iban.as_bytes().to_vec();
            broken[3] = b'0' + (broken[3] - b'0' + 1) % 10;
            assert!(!mod_97(&broken, 4), "{iban}");
        }
    }

    #[test]
    fn a_number_of_another_country_s_form_is_none() {
        // The first is what a UUID began with: its check digits are right.
        for (iban, country) in [
            ("BA57978510B6A224CF45", *b"BA"),
            ("GB2912346016133192681A", *b"GB"),
            ("DEA9370400440532013000", *b"DE"),
            ("NO938601111794", *b"NO"),
        ] {
            assert!(!fits(iban.as_bytes(), form_of(country).unwrap()), "{iban}");
        }
        assert!(mod_97(b"BA57978510B6A224CF45", 4));
        assert_eq!(form_of(*b"ZZ"), None);
    }
}
