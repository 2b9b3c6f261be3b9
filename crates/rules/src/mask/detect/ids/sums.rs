//! The formulas of check digits. Digits are values from 0 to 9, not characters.

/// Luhn's formula (ISO/IEC 7812-1, annex B).
pub(in crate::mask::detect) fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum = digits.iter().rev().enumerate().fold(0, |sum, (at, digit)| {
        let digit = u32::from(*digit);
        sum + if at % 2 == 1 { doubled(digit) } else { digit }
    });
    sum.is_multiple_of(10)
}

/// The sum of digits times weights, as far as there are weights.
pub(super) fn sum(digits: &[u8], weights: &[u8]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * u32::from(*weight)).sum()
}

/// The digit at `at`; 10, which none is, beyond the end.
pub(super) fn at(digits: &[u8], at: usize) -> u32 {
    digits.get(at).copied().unwrap_or(10).into()
}

/// The number that the digits `start..end` make.
pub(super) fn value(digits: &[u8], start: usize, end: usize) -> u64 {
    let part = digits.get(start..end).unwrap_or_default();
    part.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

/// ISO 7064 mod 11,10: the last digit checks the others.
pub(in crate::mask::detect) fn mod_11_10(digits: &[u8]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (product + u32::from(*digit)) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(*last)
}

/// Verhoeff's formula, over the dihedral group of ten.
pub(in crate::mask::detect) fn verhoeff(digits: &[u8]) -> bool {
    let mut check = 0;
    for (place, digit) in digits.iter().rev().enumerate() {
        check = dihedral(check, permuted(place % 8, *digit));
    }
    check == 0
}

/// The product of two elements of the dihedral group of ten.
fn dihedral(one: u8, other: u8) -> u8 {
    match (one < 5, other < 5) {
        (true, true) => (one + other) % 5,
        (true, false) => 5 + (one + other - 5) % 5,
        (false, true) => 5 + (one - 5 + 5 - other) % 5,
        (false, false) => (one + 5 - other) % 5,
    }
}

fn permuted(times: usize, digit: u8) -> u8 {
    const STEP: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    (0..times).fold(digit, |digit, _| STEP.get(usize::from(digit)).copied().unwrap_or_default())
}

/// Whether all digits are the same.
pub(super) fn is_one_digit(digits: &[u8]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

#[cfg(test)]
mod tests {
    use super::{luhn, mod_11_10, verhoeff};

    fn digits(text: &str) -> Vec<u8> {
        text.bytes().map(|byte| byte - b'0').collect()
    }

    #[test]
    fn published_examples_hold_and_their_neighbours_do_not() {
        type Formula = fn(&[u8]) -> bool;
        for (formula, text) in [
            (luhn as Formula, "4111111111111111"),
            (luhn, "79927398713"),
            (verhoeff, "2363"),
            (verhoeff, "123451"),
            (mod_11_10, "794623"),
            (mod_11_10, "86095742719"),
        ] {
            let mut digits = digits(text);
            assert!(formula(&digits), "{text}");
            for at in 0..digits.len() {
                let kept = digits[at];
                for other in (0..10).filter(|other| *other != kept) {
                    digits[at] = other;
                    assert!(!formula(&digits), "{text} with {other} at {at}");
                }
                digits[at] = kept;
            }
        }
    }
}
