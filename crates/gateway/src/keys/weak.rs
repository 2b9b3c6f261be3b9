//! RSA moduli and exponents that no signature should rest on.

/// The odd primes up to 167: their product bounds the structure that the ROCA generator left in its
/// primes (CVE-2017-15361).
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// What is wrong with an RSA key, given as big-endian numbers without leading zeros.
pub(super) fn rsa_flaw(modulus: &[u8], exponent: &[u8]) -> Option<&'static str> {
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    match () {
        () if bits < 2048 => Some("RSA below 2048 bits"),
        () if bits > 8192 => Some("RSA above 8192 bits"),
        () if !odd(modulus) => Some("an even RSA modulus"),
        () if !odd(exponent) => Some("an even RSA exponent"),
        () if matches!(exponent, [1]) => Some("an RSA exponent of 1"),
        () if exponent.len() > 4 => Some("an RSA exponent above 32 bits"),
        () if is_roca(modulus) => Some("an RSA modulus with the ROCA weakness"),
        () => None,
    }
}

/// Whether the modulus is, for every small prime, a power of 65537 modulo that prime. A sound one is
/// so by chance less than once in 2^80.
fn is_roca(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        loop {
            if power == rest {
                return true;
            }
            power = power * 65_537 % prime;
            if power == 1 {
                return false;
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{PRIMES, rsa_flaw};

    /// `number * factor`, big-endian.
    fn times(number: &[u8], factor: u32) -> Vec<u8> {
        let mut carry = 0;
        let mut out: Vec<u8> = number
            .iter()
            .rev()
            .map(|byte| {
                carry += u32::from(*byte) * factor;
                let low = (carry % 256) as u8;
                carry /= 256;
                low
            })
            .collect();
        out.push(carry as u8);
        out.reverse();
        out
    }

    #[test]
    fn row_t19_weak_rsa_keys() {
        // One more than a multiple of every prime and of two: 65537^0 everywhere, and odd.
        let mut roca = [2].iter().chain(&PRIMES).fold(vec![0xa7; 250], |n, p| times(&n, *p));
        *roca.last_mut().unwrap() += 1;
        let roca: Vec<u8> = roca.into_iter().skip_while(|byte| *byte == 0).collect();
        let sound: Vec<u8> = (0..256).map(|i| (i * 37 + 129) as u8 | 1).collect();
        let f4 = [1, 0, 1].as_slice();
        assert_eq!(rsa_flaw(&sound, f4), None);
        assert_eq!(rsa_flaw(&sound, &[3]), None);
        for (modulus, exponent, flaw) in [
            (&sound[..64], f4, "RSA below 2048 bits"),
            (&sound[..128], f4, "RSA below 2048 bits"),
            (&[&[0x7f], &sound[1..]].concat(), f4, "RSA below 2048 bits"),
            (&sound.repeat(5), f4, "RSA above 8192 bits"),
            (&times(&sound, 2), f4, "an even RSA modulus"),
            (&sound, &[1, 0, 0], "an even RSA exponent"),
            (&sound, &[1], "an RSA exponent of 1"),
            (&sound, &[], "an even RSA exponent"),
            (&sound, &[1, 0, 0, 0, 1], "an RSA exponent above 32 bits"),
            (&roca, f4, "an RSA modulus with the ROCA weakness"),
        ] {
            assert_eq!(rsa_flaw(modulus, exponent), Some(flaw));
        }
    }
}
