//! Addresses of crypto-currencies: Base58Check, Bech32 (BIP 173, BIP 350), and forty hexadecimal digits.

use sha2::{Digest as _, Sha256};

use super::page::{Page, What, what};

const COIN: What = what("pii.crypto_address", "crypto_address");
const PRIVATE: What = what("secret.private_key", "crypto_private_key");

/// Takes the word `start..end` if it is such an address.
pub(super) fn look(page: &mut Page<'_>, start: usize, end: usize) -> bool {
    let word = page.part(start, end);
    let taken = match (word.first(), word.len()) {
        (
            Some(b'1' | b'3' | b'L' | b'M' | b'D' | b'A' | b'9' | b'T' | b'm' | b'n' | b'2'),
            26..=35,
        ) => base58_check(word, 25).map(|_| (COIN, 95)),
        (Some(b'5' | b'K' | b'L'), 51 | 52) => {
            base58_check(word, if word.first() == Some(&b'5') { 37 } else { 38 })
                .map(|_| (PRIVATE, 96))
        }
        (Some(b'x'), 111) if word.starts_with(b"xprv") => {
            base58_check(word, 82).map(|_| (PRIVATE, 97))
        }
        (Some(b'b' | b'l' | b't' | b'B'), 40..=90) if bech32(word) => Some((COIN, 95)),
        (Some(b'0'), 42) => is_hex(word).then_some((COIN, 80)),
        _ => None,
    };
    let Some((what, score)) = taken else { return false };
    page.take(start, end, what, score);
    true
}

fn is_hex(word: &[u8]) -> bool {
    word.strip_prefix(b"0x").is_some_and(|rest| rest.iter().all(u8::is_ascii_hexdigit))
        && super::bytes::distinct(word) > 6
}

/// Whether the word stands for `length` bytes of which the last four are the checksum of the others.
fn base58_check(word: &[u8], length: usize) -> Option<()> {
    const LETTERS: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![0u8; length];
    for byte in word {
        let mut carry = LETTERS.iter().position(|letter| letter == byte)? as u32;
        for place in bytes.iter_mut().rev() {
            carry += u32::from(*place) * 58;
            *place = (carry & 255) as u8;
            carry >>= 8;
        }
        if carry != 0 {
            return None;
        }
    }
    let (body, check) = bytes.split_at_checked(length.checked_sub(4)?)?;
    let hash = Sha256::digest(Sha256::digest(body));
    (hash.get(..4) == Some(check)).then_some(())
}

/// Bech32 and Bech32m of the networks whose words are told apart by their beginning.
fn bech32(word: &[u8]) -> bool {
    const LETTERS: &[u8] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let lower = word.to_ascii_lowercase();
    if lower != word && word.to_ascii_uppercase() != word {
        return false;
    }
    let known: [&[u8]; 3] = [b"bc", b"tb", b"ltc"];
    let Some(network) =
        known.iter().find(|name| lower.starts_with(name) && lower.get(name.len()) == Some(&b'1'))
    else {
        return false;
    };
    let high = network.iter().map(|byte| u32::from(byte >> 5));
    let low = network.iter().map(|byte| u32::from(byte & 31));
    let mut check = 1;
    for value in high.chain([0]).chain(low) {
        check = step(check, value);
    }
    for byte in lower.iter().skip(network.len() + 1) {
        let Some(value) = LETTERS.iter().position(|letter| letter == byte) else { return false };
        check = step(check, value as u32);
    }
    matches!(check, 1 | 0x2bc8_30a3)
}

fn step(check: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = check >> 25;
    let next = (check & 0x01ff_ffff) << 5 ^ value;
    let bits = GENERATOR.iter().enumerate().filter(|(bit, _)| top >> bit & 1 == 1);
    bits.fold(next, |next, (_, word)| next ^ word)
}

#[cfg(test)]
mod tests {
    use super::{base58_check, bech32};

    #[test]
    fn published_addresses_hold_and_broken_ones_do_not() {
        assert!(base58_check(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", 25).is_some());
        assert!(base58_check(b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", 25).is_none());
        assert!(bech32(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"));
        assert!(bech32(b"bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"));
        assert!(!bech32(b"bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdp"));
    }
}
