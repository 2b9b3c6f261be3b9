//! Keys, signatures and encodings that no issuer makes.

use lockgate_e2e::rig::{Key, MintIssuer, encode};
use serde_json::{Value, json};

/// The order of the P-256 group (FIPS 186-4 D.1.2.3).
pub(super) const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The last character's spare bits set, which a lenient decoder ignores.
pub(super) fn spare_bits(text: &str) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = text.bytes().last().unwrap();
    let index = alphabet.iter().position(|byte| *byte == last).unwrap();
    format!("{}{}", &text[..text.len() - 1], char::from(alphabet[index | 1]))
}

pub(super) fn merge(into: &mut Value, changes: &Value) {
    let fields = into.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(key);
        } else {
            fields.insert(key.clone(), value.clone());
        }
    }
}

/// The usual keys, and beside them every kind that must be left alone.
pub(super) fn awkward_keys(issuer: &MintIssuer, p384: &Key, hidden: &Key) -> anyhow::Result<Value> {
    let mut set = issuer.published()?;
    let with = |kid: &str, change: Value| -> anyhow::Result<Value> {
        let mut jwk = hidden.jwk(kid)?;
        merge(&mut jwk, &change);
        Ok(jwk)
    };
    let small = |bytes: usize| encode([vec![0xc1; bytes - 1], vec![0x01]].concat());
    let mut off = issuer.key("p256")?.jwk("off-curve")?;
    off["y"] = off["x"].clone();
    let mut other_kind = issuer.key("p256")?.jwk("twice")?;
    other_kind["kid"] = json!("twice");
    let more = [
        p384.jwk("p384")?,
        json!({ "kty": "OKP", "crv": "Ed448", "kid": "ed448", "x": encode([7; 57]) }),
        json!({ "kty": "oct", "kid": "oct", "k": encode("shared") }),
        with("enc", json!({ "use": "enc" }))?,
        with("sign-only", json!({ "key_ops": ["sign"] }))?,
        with("twice", json!({}))?,
        other_kind,
        with("rsa-512", json!({ "n": small(64) }))?,
        with("rsa-1024", json!({ "n": small(128) }))?,
        with("rsa-even", json!({ "e": encode([1, 0, 0]) }))?,
        with("rsa-one", json!({ "e": encode([1]) }))?,
        with("roca", json!({ "n": encode(roca()) }))?,
        off,
    ];
    set["keys"].as_array_mut().unwrap().extend(more);
    Ok(set)
}

/// A 2048-bit number with the fingerprint of CVE-2017-15361: a power of 65537 modulo each of the
/// small primes. 1 is such a power, so 1 + k · (product of the primes) has it.
pub(super) fn roca() -> Vec<u8> {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    // Multiplied into a big-endian number of 256 bytes; powers of two keep it below the limit.
    let mut number = vec![0u8; 256];
    number[255] = 1;
    let times = |number: &mut Vec<u8>, factor: u32| {
        let mut carry = 0u32;
        for byte in number.iter_mut().rev() {
            let sum = u32::from(*byte) * factor + carry;
            *byte = u8::try_from(sum & 0xff).unwrap();
            carry = sum >> 8;
        }
        assert_eq!(carry, 0, "too large");
    };
    PRIMES.iter().for_each(|prime| times(&mut number, *prime));
    while number[0] < 0x80 {
        times(&mut number, 2);
    }
    number[255] |= 1;
    number
}

/// The public key in each text form that a careless verifier may take for a secret.
pub(super) fn public_texts(key: &Key, kid: &str) -> Vec<(String, Vec<u8>)> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let der = key.public_der().unwrap();
    let body = STANDARD.encode(&der);
    let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    let jwk = key.jwk(kid).unwrap().to_string();
    vec![
        (format!("{kid} PEM"), pem.clone().into_bytes()),
        (format!("{kid} PEM, newline"), format!("{pem}\n").into_bytes()),
        (format!("{kid} DER"), der),
        (format!("{kid} JWK"), jwk.into_bytes()),
    ]
}

/// The padded message of RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits: with e = 1 it is a signature.
pub(super) fn padded(message: &[u8]) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    const INFO: [u8; 19] =
        [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let digest = Sha256::digest(message);
    let tail = [&INFO[..], &digest[..]].concat();
    [vec![0, 1], vec![0xff; 256 - 3 - tail.len()], vec![0], tail].concat()
}

pub(super) fn decode(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// The signature's two numbers in ASN.1.
pub(super) fn der(raw: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let pad = usize::from(number[0] >= 0x80);
        [vec![2, u8::try_from(number.len() + pad).unwrap()], vec![0; pad], number.to_vec()].concat()
    };
    let both = [integer(&raw[..32]), integer(&raw[32..])].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}

/// Difference of two numbers of 32 bytes, big-endian.
pub(super) fn minus(a: &[u8; 32], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0i16;
    let mut digits: Vec<u8> = (0..32)
        .rev()
        .map(|index| {
            let difference = i16::from(a[index]) - i16::from(b[index]) - borrow;
            borrow = i16::from(difference < 0);
            u8::try_from(difference.rem_euclid(256)).unwrap()
        })
        .collect();
    digits.reverse();
    digits
}

#[test]
fn the_forgeries_are_well_made() {
    assert_eq!(minus(&P256_ORDER, &P256_ORDER), vec![0; 32]);
    assert_eq!(padded(b"x").len(), 256);
    assert_eq!(roca().len(), 256);
    assert_eq!(spare_bits("QQ"), "QR");
}
