//! Check digits of numbers from the Americas, Asia, Africa and Oceania. Digits are values; each
//! function takes exactly as many as its row says.

use super::{
    europe::{begins_with_day, full_day_at},
    sums::{at, is_one_digit, luhn, sum, value, verhoeff},
};
use crate::mask::detect::date::is_month_day;

/// Social Security number: no checksum, but areas, groups and serials that were never given.
pub(super) fn us_ssn(d: &[u8]) -> bool {
    const FAMOUS: [u64; 3] = [78_051_120, 219_099_999, 123_456_789];
    let (area, group, serial) = (value(d, 0, 3), value(d, 3, 5), value(d, 5, 9));
    area != 0
        && area != 666
        && area < 900
        && group != 0
        && serial != 0
        && !is_one_digit(d)
        && !FAMOUS.contains(&value(d, 0, 9))
}

/// Individual Taxpayer Identification Number.
pub(super) fn us_itin(d: &[u8]) -> bool {
    at(d, 0) == 9 && matches!(value(d, 3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Employer Identification Number: prefixes that the IRS gives.
pub(super) fn us_ein(d: &[u8]) -> bool {
    let never = [0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97];
    !never.contains(&value(d, 0, 2))
}

/// ABA routing number: weights 3-7-1, and the districts of the Federal Reserve.
pub(super) fn us_aba(d: &[u8]) -> bool {
    matches!(value(d, 0, 2), 1..=12 | 21..=32 | 61..=72 | 80)
        && sum(d, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// National Provider Identifier: Luhn's formula behind 80840.
pub(super) fn us_npi(d: &[u8]) -> bool {
    let mut whole = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    whole.iter_mut().skip(5).zip(d).for_each(|(place, digit)| *place = *digit);
    matches!(at(d, 0), 1 | 2) && luhn(&whole)
}

/// Social Insurance Number. None that begins with a zero is given to a person; forms and manuals show such
/// ones, which nobody wants to tell from others.
pub(super) fn ca_sin(d: &[u8]) -> bool {
    at(d, 0) != 8 && !is_one_digit(d) && luhn(d)
}

/// The check digit of Brazilian numbers for a weighted sum.
fn br_check(sum: u32) -> u32 {
    let rest = sum % 11;
    if rest < 2 { 0 } else { 11 - rest }
}

/// CPF: two check digits.
pub(super) fn br_cpf(d: &[u8]) -> bool {
    !is_one_digit(d)
        && br_check(sum(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(d, 9)
        && br_check(sum(d, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(d, 10)
}

/// CNPJ: two check digits.
pub(super) fn br_cnpj(d: &[u8]) -> bool {
    !is_one_digit(d)
        && br_check(sum(d, &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == at(d, 12)
        && br_check(sum(d, &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == at(d, 13)
}

/// PIS, PASEP, NIS.
pub(super) fn br_pis(d: &[u8]) -> bool {
    !is_one_digit(d) && br_check(sum(d, &[3, 2, 9, 8, 7, 6, 5, 4, 3, 2])) == at(d, 10)
}

/// NSS of Mexico.
pub(super) fn mx_nss(d: &[u8]) -> bool {
    !is_one_digit(d) && luhn(d)
}

/// CLABE: weights 3-7-1, each product mod 10.
pub(super) fn mx_clabe(d: &[u8]) -> bool {
    let weights = [3, 7, 1].iter().cycle();
    let body: u32 =
        d.iter().take(17).zip(weights).map(|(digit, weight)| u32::from(digit * weight) % 10).sum();
    !is_one_digit(d) && (10 - body % 10) % 10 == at(d, 17)
}

/// CUIT and CUIL.
pub(super) fn ar_cuit(d: &[u8]) -> bool {
    let check = match 11 - sum(d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => 0,
        10 => 9,
        check => check,
    };
    matches!(value(d, 0, 2), 20 | 23..=27 | 30 | 33 | 34) && check == at(d, 10)
}

/// RUT with a digit at its end; the one with a K is [`super::lettered`]'s.
pub(super) fn cl_rut(d: &[u8]) -> bool {
    let Some((last, body)) = d.split_last() else { return false };
    !is_one_digit(d) && cl_check(body) == u32::from(*last)
}

/// The check of a RUT; 10 is written K.
pub(super) fn cl_check(body: &[u8]) -> u32 {
    let weights = [2, 3, 4, 5, 6, 7].iter().cycle();
    let sum: u32 =
        body.iter().rev().zip(weights).map(|(digit, weight)| u32::from(digit * weight)).sum();
    (11 - sum % 11) % 11
}

/// NIT of Colombia, with its check digit.
pub(super) fn co_nit(d: &[u8]) -> bool {
    let rest = sum(d, &[41, 37, 29, 23, 19, 17, 13, 7, 3]) % 11;
    (if rest < 2 { rest } else { 11 - rest }) == at(d, 9)
}

/// Cédula of Ecuador: a province and Luhn's formula.
pub(super) fn ec_cedula(d: &[u8]) -> bool {
    matches!(value(d, 0, 2), 1..=24 | 30) && at(d, 2) < 6 && luhn(d)
}

/// Cédula of Uruguay.
pub(super) fn uy_cedula(d: &[u8]) -> bool {
    (10 - sum(d, &[2, 9, 8, 7, 6, 3, 4]) % 10) % 10 == at(d, 7)
}

/// RUC of Peru.
pub(super) fn pe_ruc(d: &[u8]) -> bool {
    let check = (11 - sum(d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 10;
    matches!(value(d, 0, 2), 10 | 15 | 17 | 20) && check == at(d, 10)
}

/// Cédula of the Dominican Republic.
pub(super) fn do_cedula(d: &[u8]) -> bool {
    !is_one_digit(d) && luhn(d)
}

/// South Africa's identity number: a day, a status, Luhn's formula.
pub(super) fn za_person(d: &[u8]) -> bool {
    begins_with_day(d) && at(d, 10) <= 2 && luhn(d)
}

/// Emirates ID: the country's number, a year of birth, and Luhn's formula.
pub(super) fn ae_person(d: &[u8]) -> bool {
    value(d, 0, 3) == 784 && (1900..2100).contains(&value(d, 3, 7)) && luhn(d)
}

/// Saudi Arabian identity or residence number: 1 for citizens, 2 for others, and Luhn's formula.
pub(super) fn sa_person(d: &[u8]) -> bool {
    matches!(at(d, 0), 1 | 2) && !is_one_digit(d) && luhn(d)
}

/// Egyptian identity number: the century, a day, and a governorate. How its check digit is made is not
/// published.
pub(super) fn eg_person(d: &[u8]) -> bool {
    let day = d.get(1..).is_some_and(begins_with_day);
    matches!(at(d, 0), 2 | 3) && day && matches!(value(d, 7, 9), 1..=35 | 88)
}

/// Pakistani identity number: it has no check digit; the first one is a province's.
pub(super) fn pk_person(d: &[u8]) -> bool {
    matches!(at(d, 0), 1..=8) && !is_one_digit(d)
}

/// Resident registration number: a day, and a check digit for those born before October 2020.
pub(super) fn kr_rrn(d: &[u8]) -> bool {
    let check = (11 - sum(d, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    let unchecked = matches!(at(d, 6), 3 | 4 | 7 | 8) && (2010..=3012).contains(&value(d, 0, 4));
    at(d, 6) != 0 && begins_with_day(d) && (check == at(d, 12) || unchecked)
}

/// Foreigner's number: the same with two added to the check digit.
pub(super) fn kr_foreigner(d: &[u8]) -> bool {
    let check = (13 - sum(d, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10;
    matches!(at(d, 6), 5..=8) && begins_with_day(d) && check == at(d, 12)
}

/// Business registration number.
pub(super) fn kr_brn(d: &[u8]) -> bool {
    let carry = at(d, 8) * 5 / 10;
    let rest = sum(d, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + carry;
    !is_one_digit(d) && (10 - rest % 10) % 10 == at(d, 9)
}

/// Physician's number of Germany: weights 4 and 9 over six digits, and two for the specialty.
pub(super) fn de_lanr(d: &[u8]) -> bool {
    !is_one_digit(d) && (10 - sum(d, &[4, 9, 4, 9, 4, 9]) % 10) % 10 == at(d, 6)
}

/// My Number.
pub(super) fn jp_my_number(d: &[u8]) -> bool {
    let rest = sum(d, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    !is_one_digit(d) && (if rest < 2 { 0 } else { 11 - rest }) == at(d, 11)
}

/// The check of a Chinese resident's number (ISO 7064 mod 11-2); 10 is written X.
pub(super) fn cn_check(body: &[u8]) -> u32 {
    let sum = sum(body, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    (12 - sum % 11) % 11
}

/// Resident identity number: a province, a day, a check digit.
pub(super) fn cn_resident(d: &[u8]) -> bool {
    cn_form(d) && cn_check(d) == at(d, 17)
}

/// The province and day of a resident identity number.
pub(super) fn cn_form(d: &[u8]) -> bool {
    matches!(at(d, 0), 1..=6 | 8) && full_day_at(d, 6)
}

/// Thai identity number.
pub(super) fn th_person(d: &[u8]) -> bool {
    let body = sum(d, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
    at(d, 0) != 0 && !is_one_digit(d) && (11 - body % 11) % 10 == at(d, 12)
}

/// MyKad: a day and a place of birth.
pub(super) fn my_nric(d: &[u8]) -> bool {
    let place = value(d, 6, 8);
    begins_with_day(d) && matches!(place, 1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99)
}

/// NIK: a province and a day, with 40 more for women.
pub(super) fn id_nik(d: &[u8]) -> bool {
    let day = u32::try_from(value(d, 6, 8) % 40).unwrap_or_default();
    let month = u32::try_from(value(d, 8, 10)).unwrap_or_default();
    (11..=97).contains(&value(d, 0, 2)) && is_month_day(month, day) && value(d, 12, 16) > 0
}

/// NPWP: its first nine digits satisfy Luhn's formula.
pub(super) fn id_npwp(d: &[u8]) -> bool {
    !is_one_digit(d) && d.get(..9).is_some_and(luhn)
}

/// Aadhaar: Verhoeff's formula; never begins with 0 or 1, and is no palindrome.
pub(super) fn in_aadhaar(d: &[u8]) -> bool {
    at(d, 0) >= 2 && verhoeff(d) && !d.iter().eq(d.iter().rev())
}

/// Teudat zehut: Luhn's formula over nine digits.
pub(super) fn il_person(d: &[u8]) -> bool {
    !is_one_digit(d) && luhn(d)
}

/// Tax File Number.
pub(super) fn au_tfn(d: &[u8]) -> bool {
    !is_one_digit(d) && sum(d, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11)
}

/// Australian Business Number: one less at the front, mod 89.
pub(super) fn au_abn(d: &[u8]) -> bool {
    let body = sum(d, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    at(d, 0) != 0 && (body - 10).is_multiple_of(89)
}

/// Australian Company Number.
pub(super) fn au_acn(d: &[u8]) -> bool {
    !is_one_digit(d) && (10 - sum(d, &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == at(d, 8)
}

/// Medicare card of Australia.
pub(super) fn au_medicare(d: &[u8]) -> bool {
    matches!(at(d, 0), 2..=6) && sum(d, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == at(d, 8)
}

/// Individual Healthcare Identifier.
pub(super) fn au_ihi(d: &[u8]) -> bool {
    value(d, 0, 6) == 800_360 && luhn(d)
}

/// IRD number of nine digits, with a zero before one of eight.
pub(super) fn nz_ird(d: &[u8]) -> bool {
    let check = |weights: &[u8]| (11 - sum(d, weights) % 11) % 11;
    let first = check(&[3, 2, 7, 6, 5, 4, 3, 2]);
    let digit = if first == 10 { check(&[7, 4, 3, 2, 5, 2, 7, 6]) } else { first };
    (10_000_000..=150_000_000).contains(&value(d, 0, 9)) && digit == at(d, 8)
}

/// The same without the zero.
pub(super) fn nz_ird_short(d: &[u8]) -> bool {
    let mut whole = [0; 9];
    whole.iter_mut().skip(1).zip(d).for_each(|(place, digit)| *place = *digit);
    nz_ird(&whole)
}

/// Individual identification number of Kazakhstan: a day, a check digit in two rounds.
pub(super) fn kz_iin(d: &[u8]) -> bool {
    let first = sum(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
    let second = sum(d, &[3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
    begins_with_day(d) && (if first < 10 { first } else { second }) == at(d, 11)
}

/// International Mobile Equipment Identity.
pub(super) fn imei(d: &[u8]) -> bool {
    !is_one_digit(d) && luhn(d)
}
