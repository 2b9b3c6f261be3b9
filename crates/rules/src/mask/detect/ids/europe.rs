//! Check digits of European numbers. Digits are values; each function takes exactly as many as its row
//! says.

use super::sums::{at, is_one_digit, luhn, mod_11_10, sum, value};
use crate::mask::detect::date::{is_date, is_month_day};

fn two(digits: &[u8], from: usize) -> u32 {
    at(digits, from) * 10 + at(digits, from + 1)
}

/// Whether `year`, `month` and `day`, two digits each, are found at these places.
fn day_at(digits: &[u8], month: usize, day: usize) -> bool {
    is_month_day(two(digits, month), two(digits, day))
}

/// NHS number: weights 10 to 2, mod 11.
pub(super) fn uk_nhs(d: &[u8]) -> bool {
    !is_one_digit(d) && (11 - sum(d, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11 == at(d, 9)
}

/// Unique Taxpayer Reference: the first digit checks the others.
pub(super) fn uk_utr(d: &[u8]) -> bool {
    let rest = d.get(1..).unwrap_or_default();
    let checks = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let index = sum(rest, &[6, 7, 8, 9, 10, 5, 4, 3, 2]) % 11;
    checks.get(index as usize).is_some_and(|check| *check == at(d, 0))
}

/// Steuer-Identifikationsnummer: one digit of the first ten occurs twice or thrice, and mod 11,10.
pub(super) fn de_tax_id(d: &[u8]) -> bool {
    let mut counts = [0u8; 10];
    for digit in d.iter().take(10) {
        if let Some(count) = counts.get_mut(usize::from(*digit)) {
            *count += 1;
        }
    }
    let repeated = counts.iter().filter(|count| **count > 1).count();
    let most = counts.iter().max().copied().unwrap_or_default();
    at(d, 0) != 0 && repeated == 1 && (2..=3).contains(&most) && mod_11_10(d)
}

/// Numéro d'inscription au répertoire, with its key.
pub(super) fn fr_nir(d: &[u8]) -> bool {
    let month = two(d, 3);
    matches!(at(d, 0), 1 | 2 | 3 | 4 | 7 | 8)
        && matches!(month, 1..=12 | 20..=42 | 50..=99)
        && 97 - value(d, 0, 13) % 97 == value(d, 13, 15)
}

/// Burgerservicenummer: the eleven-test.
pub(super) fn nl_bsn(d: &[u8]) -> bool {
    let body = sum(d, &[9, 8, 7, 6, 5, 4, 3, 2]);
    !is_one_digit(d) && body > 0 && body % 11 == at(d, 8)
}

/// Rijksregisternummer: a day, and 97 less the rest, with a 2 before it for those born from 2000 on.
pub(super) fn be_national(d: &[u8]) -> bool {
    let (body, check) = (value(d, 0, 9), value(d, 9, 11));
    let month = two(d, 2) % 20;
    let day = month == 0 || two(d, 4) == 0 || is_month_day(month, two(d, 4));
    day && two(d, 2) <= 52 && (97 - body % 97 == check || 97 - (2_000_000_000 + body) % 97 == check)
}

/// Belgian enterprise number.
pub(super) fn be_vat(d: &[u8]) -> bool {
    let whole = value(d, 0, 8) + value(d, 8, 10);
    at(d, 0) <= 1 && value(d, 0, 8) > 0 && whole.is_multiple_of(97)
}

/// AHV number: Switzerland's 756, and the check digit of EAN-13.
pub(super) fn ch_ahv(d: &[u8]) -> bool {
    value(d, 0, 3) == 756
        && (10 - sum(d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10 == at(d, 12)
}

/// Austrian social insurance number: a day, and the fourth digit checks.
pub(super) fn at_svnr(d: &[u8]) -> bool {
    let month = two(d, 6);
    let day = is_month_day(if month > 12 { month - 12 } else { month }, two(d, 4));
    at(d, 0) != 0 && month <= 15 && day && sum(d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == at(d, 3)
}

/// Portuguese NIF.
pub(super) fn pt_nif(d: &[u8]) -> bool {
    let check = match 11 - sum(d, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
        10 | 11 => 0,
        check => check,
    };
    !matches!(at(d, 0), 0 | 4) && check == at(d, 8) || two(d, 0) == 45 && check == at(d, 8)
}

/// CPR number: a day; its old checksum does not hold for every number given today.
pub(super) fn dk_cpr(d: &[u8]) -> bool {
    day_at(d, 2, 0) && value(d, 6, 10) > 0
}

/// The same with its old checksum: mod 11.
pub(super) fn dk_cpr_checked(d: &[u8]) -> bool {
    dk_cpr(d) && sum(d, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Fødselsnummer or D-number: a day and two check digits.
pub(super) fn no_birth_number(d: &[u8]) -> bool {
    let (day, month) = (two(d, 0) % 40, two(d, 2) % 40);
    let first = (11 - sum(d, &[3, 7, 6, 1, 8, 9, 4, 5, 2]) % 11) % 11;
    let second = (11 - sum(d, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    is_month_day(month, day) && two(d, 0) < 72 && first == at(d, 9) && second == at(d, 10)
}

/// Personnummer of ten digits: a day, or one plus 60, and Luhn's formula.
pub(super) fn se_person(d: &[u8]) -> bool {
    is_month_day(two(d, 2), two(d, 4) % 60) && two(d, 4) < 92 && luhn(d)
}

/// The same with the century before it, up to 2009: later days with digits behind are builds as well.
pub(super) fn se_person_long(d: &[u8]) -> bool {
    let rest = d.get(2..).unwrap_or_default();
    (1880..2010).contains(&value(d, 0, 4)) && se_person(rest)
}

/// The same from 2010 on.
pub(super) fn se_person_young(d: &[u8]) -> bool {
    let rest = d.get(2..).unwrap_or_default();
    (2010..2100).contains(&value(d, 0, 4)) && se_person(rest)
}

/// Organisationsnummer: the third digit is two at least.
pub(super) fn se_organisation(d: &[u8]) -> bool {
    at(d, 2) >= 2 && luhn(d)
}

/// Henkilötunnus of the last century whose check happens to be a digit.
pub(super) fn fi_hetu(d: &[u8]) -> bool {
    day_at(d, 2, 0) && value(d, 0, 9) % 31 == u64::from(at(d, 9))
}

/// Kennitala: a day, a check digit, a century.
pub(super) fn is_kennitala(d: &[u8]) -> bool {
    let check = (11 - sum(d, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11;
    let day = is_month_day(two(d, 2), two(d, 0) % 40);
    day && check == at(d, 8) && matches!(at(d, 9), 0 | 8 | 9)
}

/// Isikukood and asmens kodas: sex and century, a day, a check digit in two rounds.
pub(super) fn ee_person(d: &[u8]) -> bool {
    let first = sum(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let second = sum(d, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
    let check = if first < 10 { first } else { second % 10 };
    (1..=8).contains(&at(d, 0)) && day_at(d, 3, 5) && check == at(d, 10)
}

/// Personas kods: a day and a check digit; those from 2017 on begin with 32 and have none.
pub(super) fn lv_person(d: &[u8]) -> bool {
    let check = (1 + sum(d, &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9])) % 11 % 10;
    two(d, 0) == 32 || day_at(d, 2, 0) && check == at(d, 10)
}

/// PESEL: a day with the century in the month, and weights 1-3-7-9.
pub(super) fn pl_pesel(d: &[u8]) -> bool {
    let check = (10 - sum(d, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
    is_month_day(two(d, 2) % 20, two(d, 4)) && check == at(d, 10)
}

/// NIP.
pub(super) fn pl_nip(d: &[u8]) -> bool {
    !is_one_digit(d) && sum(d, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 == at(d, 9)
}

/// REGON of nine digits.
pub(super) fn pl_regon(d: &[u8]) -> bool {
    sum(d, &[8, 9, 2, 3, 4, 5, 6, 7]) % 11 % 10 == at(d, 8)
}

/// CNP: sex and century, a day, a county, a check digit.
pub(super) fn ro_cnp(d: &[u8]) -> bool {
    let check = sum(d, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    let check = if check == 10 { 1 } else { check };
    at(d, 0) != 0 && day_at(d, 3, 5) && matches!(two(d, 7), 1..=52 | 70..=83) && check == at(d, 12)
}

/// EGN: a day with the century in the month.
pub(super) fn bg_egn(d: &[u8]) -> bool {
    let check = sum(d, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10;
    let month = two(d, 2);
    month <= 52 && is_month_day(month % 20, two(d, 4)) && check == at(d, 9)
}

/// Rodné číslo of ten digits: a day with 50 for women and 20 for full days, and mod 11.
pub(super) fn cz_birth_number(d: &[u8]) -> bool {
    let month = two(d, 2) % 50 % 20;
    let whole = value(d, 0, 10).is_multiple_of(11);
    is_month_day(month, two(d, 4)) && (whole || value(d, 0, 9) % 11 == 10 && at(d, 9) == 0)
}

/// Jedinstveni matični broj građana, and Slovenia's EMŠO.
pub(super) fn yu_jmbg(d: &[u8]) -> bool {
    let check = match 11 - sum(d, &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        10 | 11 => 0,
        check => check,
    };
    let year = value(d, 4, 7);
    day_at(d, 2, 0) && (year >= 850 || year <= 99) && check == at(d, 12)
}

/// AMKA: a day and Luhn's formula.
pub(super) fn gr_amka(d: &[u8]) -> bool {
    day_at(d, 2, 0) && luhn(d)
}

/// AFM: powers of two.
pub(super) fn gr_afm(d: &[u8]) -> bool {
    let body = d.iter().take(8).fold(0, |sum, digit| (sum + u32::from(*digit)) * 2);
    !is_one_digit(d) && body % 11 % 10 == at(d, 8)
}

/// Adóazonosító jel.
pub(super) fn hu_tax(d: &[u8]) -> bool {
    at(d, 0) == 8 && sum(d, &[1, 2, 3, 4, 5, 6, 7, 8, 9]) % 11 == at(d, 9)
}

/// TAJ: weights 3 and 7.
pub(super) fn hu_taj(d: &[u8]) -> bool {
    !is_one_digit(d) && sum(d, &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == at(d, 8)
}

/// Kimlik numarası: two check digits.
pub(super) fn tr_person(d: &[u8]) -> bool {
    let odd = sum(d, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = sum(d, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let all = sum(d, &[1; 10]);
    at(d, 0) != 0 && (odd * 7 + 80 - even) % 10 == at(d, 9) && all % 10 == at(d, 10)
}

/// SNILS.
pub(super) fn ru_snils(d: &[u8]) -> bool {
    let rest = sum(d, &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    value(d, 0, 9) > 1_001_998 && u64::from(rest) == value(d, 9, 11)
}

/// INN of a company.
pub(super) fn ru_inn_short(d: &[u8]) -> bool {
    !is_one_digit(d) && sum(d, &[2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == at(d, 9)
}

/// INN of a person: two check digits.
pub(super) fn ru_inn(d: &[u8]) -> bool {
    !is_one_digit(d)
        && sum(d, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == at(d, 10)
        && sum(d, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == at(d, 11)
}

/// RNTRC: weights -1, 5, 7, 9, 4, 6, 10, 5, 7.
pub(super) fn ua_tax(d: &[u8]) -> bool {
    let body = sum(d, &[10, 5, 7, 9, 4, 6, 10, 5, 7]);
    !is_one_digit(d) && body % 11 % 10 == at(d, 9)
}

/// A day of the form YYMMDD at the beginning, as several countries have it.
pub(super) fn begins_with_day(d: &[u8]) -> bool {
    is_month_day(two(d, 2), two(d, 4))
}

/// A day of the form YYYYMMDD from the place `from` on.
pub(super) fn full_day_at(d: &[u8], from: usize) -> bool {
    let year = u32::try_from(value(d, from, from + 4)).unwrap_or_default();
    is_date(year, two(d, from + 4), two(d, from + 6))
}
