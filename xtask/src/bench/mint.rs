//! The bench's own issuer: two keys, made anew for each run, and tokens for as many callers as
//! there are.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

/// Who signs the bench's tokens.
pub(super) struct Mint {
    rsa: rsa::KeyPair,
    p256: EcdsaKeyPair,
}

impl Mint {
    pub(super) fn new() -> Result<Self> {
        let rsa = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no RSA key"))?;
        let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self { rsa, p256: p256.map_err(|_| anyhow!("no P-256 key"))? })
    }

    /// The published keys.
    pub(super) fn key_set(&self) -> Result<String> {
        // PKCS #1 of a 2048-bit key has fixed places; a SEC 1 point is 0x04, x, y.
        let rsa = self.rsa.public_key().as_ref();
        let point = self.p256.public_key().as_ref();
        let part = |bytes: &[u8], range| bytes.get(range).map(encode).ok_or(anyhow!("odd key"));
        let (n, e) = (part(rsa, 9..265)?, part(rsa, 267..rsa.len())?);
        let (x, y) = (part(point, 1..33)?, part(point, 33..65)?);
        let set = json!({ "keys": [
            { "kty": "RSA", "kid": "rsa", "alg": "RS256", "use": "sig", "n": n, "e": e },
            { "kty": "EC", "kid": "p256", "alg": "ES256", "use": "sig", "crv": "P-256", "x": x, "y": y },
        ]});
        Ok(set.to_string())
    }

    /// A token that lives for an hour: RS256 for even numbers, ES256 for odd ones.
    pub(super) fn token(&self, issuer: &str, audience: &str, number: usize) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let (algorithm, kid) =
            if number.is_multiple_of(2) { ("RS256", "rsa") } else { ("ES256", "p256") };
        let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": kid });
        let claims = json!({
            "iss": issuer, "sub": format!("caller-{number}"), "aud": audience,
            "client_id": "bench", "iat": now, "exp": now + 3600, "jti": format!("bench-{number}"),
            "groups": ["engineers", "payroll-readers", "everyone"],
        });
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let random = SystemRandom::new();
        let signature = if number.is_multiple_of(2) {
            let mut signature = vec![0; self.rsa.public_modulus_len()];
            let signed =
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature);
            signed.map(|()| encode(signature))
        } else {
            self.p256.sign(&random, message.as_bytes()).map(encode)
        };
        Ok(format!("{message}.{}", signature.map_err(|_| anyhow!("can't sign"))?))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
