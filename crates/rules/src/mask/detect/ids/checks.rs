//! The checks of numbers with letters, each as its authority describes it: of a word in capitals, without
//! dots and dashes.

use super::{
    sums::{luhn, mod_11_10, sum, value},
    world::{cl_check, cn_check, cn_form},
};
use crate::mask::detect::date::is_month_day;

/// Whether every character is one that the pattern asks for.
pub(super) fn fits(pattern: &[u8], plain: &[u8]) -> bool {
    let one = |(wanted, byte): (&u8, &u8)| match wanted {
        b'A' => byte.is_ascii_uppercase(),
        b'9' => byte.is_ascii_digit(),
        b'X' => true,
        exact => exact == byte,
    };
    pattern.len() == plain.len() && pattern.iter().zip(plain).all(one)
}

/// The digits of a part.
fn digits(plain: &[u8], start: usize, end: usize) -> Vec<u8> {
    let part = plain.get(start..end).unwrap_or_default();
    part.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect()
}

fn number(plain: &[u8], start: usize, end: usize) -> u64 {
    let digits = digits(plain, start, end);
    value(&digits, 0, digits.len())
}

fn byte(plain: &[u8], at: usize) -> u8 {
    plain.get(at).copied().unwrap_or_default()
}

/// The value of a letter or digit in base 36.
fn base36(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0').into(),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    }
}

fn letter_of(table: &[u8], at: u64) -> u8 {
    usize::try_from(at).ok().and_then(|at| table.get(at)).copied().unwrap_or_default()
}

/// Whether these can be the two first letters and the last of a National Insurance number.
pub(super) fn is_insurance([first, second, last]: [u8; 3]) -> bool {
    let never = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
    first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !b"DFIQUV".contains(&first)
        && !b"DFIQUVO".contains(&second)
        && !never.contains(&&[first, second])
        && matches!(last, b'A'..=b'D')
}

pub(super) fn uk_nino(p: &[u8]) -> bool {
    is_insurance([byte(p, 0), byte(p, 1), byte(p, 8)])
}

pub(super) fn uk_driver(p: &[u8]) -> bool {
    let (month, day) = (number(p, 6, 8) % 50, number(p, 8, 10));
    (1..=12).contains(&month) && (1..=31).contains(&day)
}

const ES_LETTERS: &[u8] = b"TRWAGMYFPDXBNJZSQVHLCKE";

pub(super) fn es_nif(p: &[u8]) -> bool {
    letter_of(ES_LETTERS, number(p, 0, 8) % 23) == byte(p, 8)
}

/// One with seven digits, as those of old people are written without their zero.
pub(super) fn es_nif_short(p: &[u8]) -> bool {
    letter_of(ES_LETTERS, number(p, 0, 7) % 23) == byte(p, 7)
}

pub(super) fn es_nie(p: &[u8]) -> bool {
    let front = match byte(p, 0) {
        b'X' => 0,
        b'Y' => 10_000_000,
        b'Z' => 20_000_000,
        _ => return false,
    };
    letter_of(ES_LETTERS, (front + number(p, 1, 8)) % 23) == byte(p, 8)
}

pub(super) fn es_cif(p: &[u8]) -> bool {
    let digits = digits(p, 1, 8);
    let odd = digits
        .iter()
        .step_by(2)
        .map(|digit| u64::from(digit * 2 / 10 + digit * 2 % 10))
        .sum::<u64>();
    let even = digits.iter().skip(1).step_by(2).map(|digit| u64::from(*digit)).sum::<u64>();
    let check = (10 - (odd + even) % 10) % 10;
    let last = byte(p, 8);
    b"ABCDEFGHJNPQRSUVW".contains(&byte(p, 0))
        && (last == letter_of(b"JABCDEFGHI", check) || last == letter_of(b"0123456789", check))
}

pub(super) fn es_vat(p: &[u8]) -> bool {
    let rest = p.get(2..).unwrap_or_default();
    fits(b"99999999A", rest) && es_nif(rest)
        || fits(b"A9999999X", rest) && (es_cif(rest) || es_nie(rest))
}

/// Odd and even places have tables of their own; digits may be written as letters where two people
/// would have the same code.
pub(super) fn it_fiscal_code(p: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let place = |byte: u8| match byte {
        b'0'..=b'9' => usize::from(byte - b'0'),
        _ => usize::from(byte - b'A'),
    };
    let numeric = [6, 7, 9, 10, 12, 13, 14];
    let digits_fit = numeric.iter().all(|at| {
        let one = byte(p, *at);
        one.is_ascii_digit() || b"LMNPQRSTUV".contains(&one)
    });
    let sum: u32 = p
        .iter()
        .take(15)
        .enumerate()
        .map(|(at, byte)| {
            if at % 2 == 0 {
                ODD.get(place(*byte)).copied().unwrap_or_default()
            } else {
                place(*byte) as u32
            }
        })
        .sum();
    digits_fit && b"ABCDEHLMPRST".contains(&byte(p, 8)) && u32::from(byte(p, 15) - b'A') == sum % 26
}

fn day_of(p: &[u8], from: usize) -> bool {
    let part = |start: usize| u32::try_from(number(p, start, start + 2)).unwrap_or_default();
    is_month_day(part(from + 2), part(from + 4))
}

/// The places of the first `count` characters in `order`, the first of them the heaviest.
fn ranked(p: &[u8], order: &[u8], count: usize) -> usize {
    let place = |byte: &u8| order.iter().position(|one| one == byte).unwrap_or_default();
    p.iter().take(count).zip((2..=count + 1).rev()).map(|(byte, weight)| place(byte) * weight).sum()
}

pub(super) fn mx_curp(p: &[u8]) -> bool {
    const ORDER: &[u8] = "0123456789ABCDEFGHIJKLMN?OPQRSTUVWXYZ".as_bytes();
    let check = (10 - ranked(p, ORDER, 17) % 10) % 10;
    day_of(p, 4) && b"HMX".contains(&byte(p, 10)) && usize::from(byte(p, 17) - b'0') == check
}

pub(super) fn mx_rfc(p: &[u8]) -> bool {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ *";
    let check = match 11 - ranked(p, ORDER, 12) % 11 {
        11 => b'0',
        10 => b'A',
        check => b'0' + u8::try_from(check).unwrap_or_default(),
    };
    day_of(p, 4) && check == byte(p, 12)
}

pub(super) fn in_pan(p: &[u8]) -> bool {
    b"ABCFGHLJPTK".contains(&byte(p, 3)) && number(p, 5, 9) > 0
}

pub(super) fn in_gstin(p: &[u8]) -> bool {
    let sum: u32 = p
        .iter()
        .take(14)
        .enumerate()
        .map(|(at, byte)| {
            let product = base36(*byte) * if at % 2 == 0 { 1 } else { 2 };
            product / 36 + product % 36
        })
        .sum();
    byte(p, 13) == b'Z'
        && (1..=38).contains(&number(p, 0, 2))
        && (36 - sum % 36) % 36 == base36(byte(p, 14))
}

pub(super) fn ie_pps(p: &[u8]) -> bool {
    let second = match byte(p, 8) {
        0 | b'W' => 0,
        letter => u32::from(letter - b'A' + 1),
    };
    let sum = sum(&digits(p, 0, 7), &[8, 7, 6, 5, 4, 3, 2]) + second * 9;
    letter_of(b"WABCDEFGHIJKLMNOPQRSTUV", u64::from(sum % 23)) == byte(p, 7)
}

const FI_LETTERS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";

fn fi_day(p: &[u8]) -> bool {
    let part = |start: usize| u32::try_from(number(p, start, start + 2)).unwrap_or_default();
    is_month_day(part(2), part(0))
}

pub(super) fn fi_hetu(p: &[u8]) -> bool {
    let whole = number(p, 0, 6) * 1000 + number(p, 7, 10);
    fi_day(p)
        && b"ABCDEFUVWXY".contains(&byte(p, 6))
        && letter_of(FI_LETTERS, whole % 31) == byte(p, 10)
}

/// With the dash of the last century, which is not in `p`; a digit at its end is caught as a letter is.
pub(super) fn fi_hetu_dashed(p: &[u8]) -> bool {
    fi_day(p)
        && !byte(p, 9).is_ascii_digit()
        && letter_of(FI_LETTERS, number(p, 0, 9) % 31) == byte(p, 9)
}

pub(super) fn sg_nric(p: &[u8]) -> bool {
    let first = byte(p, 0);
    let offset = match first {
        b'T' | b'G' => 4,
        b'M' => 3,
        _ => 0,
    };
    let rest = u64::from((sum(&digits(p, 1, 8), &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11);
    let table: &[u8] = match first {
        b'S' | b'T' => b"JZIHGFEDCBA",
        b'F' | b'G' => b"XWUTRQPNMLK",
        b'M' => b"KLJNPQRTUWX",
        _ => return false,
    };
    let rest = if first == b'M' { 10 - rest } else { rest };
    letter_of(table, rest) == byte(p, 8)
}

/// Hong Kong's identity number: one letter or two, six digits, and what makes the weighted sum a multiple of
/// eleven. A missing letter counts as 36.
pub(super) fn hk_person(p: &[u8]) -> bool {
    let Some((check, body)) = p.split_last() else { return false };
    let letters = body.len().saturating_sub(6);
    let (first, second) = match body.get(..letters) {
        Some([second]) => (36, base36(*second)),
        Some([first, second]) => (base36(*first), base36(*second)),
        _ => return false,
    };
    let sum = first * 9 + second * 8 + sum(&digits(p, letters, letters + 6), &[7, 6, 5, 4, 3, 2]);
    matches!(check, b'0'..=b'9' | b'A') && (sum + base36(*check)).is_multiple_of(11)
}

/// Unique Entity Number of a business.
pub(super) fn sg_uen_business(p: &[u8]) -> bool {
    let rest = sum(&digits(p, 0, 8), &[10, 4, 9, 3, 8, 2, 7, 1]) % 11;
    letter_of(b"XMKECAWLJDB", rest.into()) == byte(p, 8)
}

/// The same of a company.
pub(super) fn sg_uen_company(p: &[u8]) -> bool {
    let rest = sum(&digits(p, 0, 9), &[10, 8, 6, 4, 9, 7, 5, 3, 1]) % 11;
    letter_of(b"ZKCMDNERGWH", rest.into()) == byte(p, 9)
}

pub(super) fn tw_person(p: &[u8]) -> bool {
    const ORDER: &[u8] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some(place) = ORDER.iter().position(|one| *one == byte(p, 0)) else { return false };
    let place = place as u32 + 10;
    let sum = place / 10 + place % 10 * 9 + sum(&digits(p, 1, 10), &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
    matches!(byte(p, 1), b'1' | b'2' | b'8' | b'9') && sum.is_multiple_of(10)
}

pub(super) fn cn_resident(p: &[u8]) -> bool {
    let body = digits(p, 0, 17);
    byte(p, 17) == b'X' && cn_form(&body) && cn_check(&body) == 10
}

pub(super) fn fr_corsica(p: &[u8]) -> bool {
    let offset = match byte(p, 6) {
        b'A' => 1_000_000,
        b'B' => 2_000_000,
        _ => return false,
    };
    let body = (number(p, 0, 6) * 10_000_000 + number(p, 7, 13)).checked_sub(offset);
    byte(p, 5) == b'2' && body.is_some_and(|body| 97 - body % 97 == number(p, 13, 15))
}

/// Rentenversicherungsnummer: an area, a day, a letter, and weights with sums of digits.
pub(super) fn de_pension(p: &[u8]) -> bool {
    let mut plain = digits(p, 0, 8);
    let letter = byte(p, 8) - b'A' + 1;
    plain.extend([letter / 10, letter % 10]);
    plain.extend(digits(p, 9, 11));
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let quer = |product: u32| product / 10 + product % 10;
    let sum: u32 =
        plain.iter().zip(weights).map(|(digit, weight)| quer(u32::from(*digit) * weight)).sum();
    let (day, month) = (number(p, 2, 4), number(p, 4, 6));
    let dated = (1..=31).contains(&day) || (51..=81).contains(&day);
    dated && (1..=12).contains(&month) && sum % 10 == u32::from(byte(p, 11) - b'0')
}

/// Krankenversichertennummer: weights 1 and 2 over the letter's two digits and the rest.
pub(super) fn de_health(p: &[u8]) -> bool {
    let letter = byte(p, 0) - b'A' + 1;
    let mut plain = vec![letter / 10, letter % 10];
    plain.extend(digits(p, 1, 9));
    let quer = |product: u32| product / 10 + product % 10;
    let weights = [1, 2].iter().cycle();
    let sum: u32 =
        plain.iter().zip(weights).map(|(digit, weight)| quer(u32::from(*digit) * weight)).sum();
    sum % 10 == u32::from(byte(p, 9) - b'0')
}

/// What a German card's number is made of: digits, and capitals that look like no digit.
fn is_of_card(byte: &u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'C' | b'F'..=b'H' | b'J'..=b'N' | b'P' | b'R' | b'T' | b'V'..=b'Z')
}

/// Identity card or passport of Germany (ICAO 9303: weights 7-3-1).
pub(super) fn de_card(p: &[u8]) -> bool {
    let weights = [7, 3, 1].iter().cycle();
    let sum = || -> u32 {
        p.iter().take(9).zip(weights).map(|(byte, weight)| base36(*byte) * weight).sum()
    };
    p.iter().take(9).all(is_of_card) && sum() % 10 == base36(byte(p, 9))
}

/// The same without its check digit, as it is printed on the card.
pub(super) fn de_card_short(p: &[u8]) -> bool {
    p.iter().all(is_of_card) && p.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
}

/// Medicare Beneficiary Identifier: letters that could be read as digits never occur.
pub(super) fn us_mbi(p: &[u8]) -> bool {
    let letter = |byte: &u8| !b"SLOIBZ".contains(byte);
    byte(p, 0) != b'0' && p.iter().filter(|byte| byte.is_ascii_uppercase()).all(letter)
}

pub(super) fn us_dea(p: &[u8]) -> bool {
    let digits = digits(p, 2, 9);
    let sum = sum(&digits, &[1, 2, 1, 2, 1, 2]);
    b"ABCDEFGHJKLMPRSTUX".contains(&byte(p, 0))
        && sum % 10 == u32::from(digits.last().copied().unwrap_or(10))
}

pub(super) fn ch_uid(p: &[u8]) -> bool {
    let digits = digits(p, 3, 12);
    let check = (11 - sum(&digits, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11;
    digits.last().is_some_and(|last| u32::from(*last) == check)
}

pub(super) fn pl_card(p: &[u8]) -> bool {
    let weights = [7, 3, 1, 0, 7, 3, 1, 7, 3];
    let sum: u32 = p.iter().zip(weights).map(|(byte, weight)| base36(*byte) * weight).sum();
    sum % 10 == u32::from(byte(p, 3) - b'0')
}

pub(super) fn cl_rut_k(p: &[u8]) -> bool {
    cl_check(&digits(p, 0, p.len() - 1)) == 10
}

pub(super) fn de_vat(p: &[u8]) -> bool {
    byte(p, 2) != b'0' && mod_11_10(&digits(p, 2, 11))
}

pub(super) fn at_vat(p: &[u8]) -> bool {
    let digits = digits(p, 3, 11);
    let quer = |digit: &u8, weight: u32| {
        let product = u32::from(*digit) * weight;
        product / 10 + product % 10
    };
    let sum: u32 = digits
        .iter()
        .take(7)
        .zip([1, 2, 1, 2, 1, 2, 1])
        .map(|(digit, weight)| quer(digit, weight))
        .sum();
    let check = (10 - (sum + 4) % 10) % 10;
    digits.last().is_some_and(|last| u32::from(*last) == check)
}

pub(super) fn be_vat(p: &[u8]) -> bool {
    super::europe::be_vat(&digits(p, 2, 12))
}

pub(super) fn fr_vat(p: &[u8]) -> bool {
    let siren = digits(p, 4, 13);
    luhn(&siren) && (12 + 3 * (number(p, 4, 13) % 97)) % 97 == number(p, 2, 4)
}

pub(super) fn it_vat(p: &[u8]) -> bool {
    luhn(&digits(p, 2, 13))
}

pub(super) fn pl_vat(p: &[u8]) -> bool {
    super::europe::pl_nip(&digits(p, 2, 12))
}

pub(super) fn se_vat(p: &[u8]) -> bool {
    luhn(&digits(p, 2, 12))
}

pub(super) fn gb_vat(p: &[u8]) -> bool {
    let digits = digits(p, 2, 11);
    let sum =
        sum(&digits, &[8, 7, 6, 5, 4, 3, 2]) + u32::try_from(number(p, 9, 11)).unwrap_or_default();
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}
