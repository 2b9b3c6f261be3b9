//! The assertion by which a client with a private key shows who it is (RFC 7523 §3, OpenID Connect Core
//! §9 `private_key_jwt`). Made for one request, signed once, good for a minute.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_model::{Reason, Refusal};
use lockgate_vault::Secret;
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::json;

use crate::clock;

/// How long it is good for, in seconds.
const LIFETIME_S: i64 = 60;

/// A private key with the algorithm that it signs with.
enum Key {
    Rsa(rsa::KeyPair),
    Ec(&'static str, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// An assertion of `client` for the authorization server `audience`.
///
/// # Errors
/// [`Reason::CredentialUnavailable`] where `key` is no private key that can be used.
pub(super) fn assertion(
    client: &str,
    audience: &str,
    key: &Secret,
    key_id: Option<&str>,
) -> Result<String, Refusal> {
    let key = Key::read(key).ok_or_else(|| {
        let detail = "`private_key` is no PKCS #8 key in PEM of RSA (2048 bits or more), P-256, P-384 or \
                      Ed25519";
        Refusal::new(Reason::CredentialUnavailable, detail)
    })?;
    let now_s = clock::now().seconds();
    let mut header = json!({ "alg": key.algorithm(), "typ": "JWT" });
    if let (Some(key_id), Some(header)) = (key_id, header.as_object_mut()) {
        header.insert("kid".to_owned(), key_id.into());
    }
    let claims = json!({
        "iss": client, "sub": client, "aud": audience, "jti": clock::random_id()?,
        "iat": now_s, "exp": now_s + LIFETIME_S,
    });
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let signature = key.sign(signed.as_bytes()).ok_or_else(|| {
        Refusal::new(Reason::CredentialUnavailable, "`private_key` does not sign")
    })?;
    Ok(format!("{signed}.{}", encode(&signature)))
}

impl Key {
    fn read(pem: &Secret) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose().as_bytes()).ok()?;
        let der = der.secret_pkcs8_der();
        let ec =
            |name, algorithm| Some(Self::Ec(name, EcdsaKeyPair::from_pkcs8(algorithm, der).ok()?));
        ec("ES256", &ECDSA_P256_SHA256_FIXED_SIGNING)
            .or_else(|| ec("ES384", &ECDSA_P384_SHA384_FIXED_SIGNING))
            .or_else(|| Some(Self::Ed(Ed25519KeyPair::from_pkcs8(der).ok()?)))
            .or_else(|| Some(Self::Rsa(rsa::KeyPair::from_pkcs8(der).ok()?)))
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(name, _) => name,
            Self::Ed(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ec(_, pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Self::Ed(pair) => Some(pair.sign(message).as_ref().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use lockgate_vault::Secret;
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256,
        PublicKeyData as _,
    };
    use serde_json::Value;

    use super::assertion;

    #[test]
    fn every_kind_of_key_signs_what_verifies() {
        let kinds: [(_, &str, &dyn VerificationAlgorithm); 4] = [
            (&PKCS_RSA_SHA256, "RS256", &RSA_PKCS1_2048_8192_SHA256),
            (&PKCS_ECDSA_P256_SHA256, "ES256", &ECDSA_P256_SHA256_FIXED),
            (&PKCS_ECDSA_P384_SHA384, "ES384", &ECDSA_P384_SHA384_FIXED),
            (&PKCS_ED25519, "EdDSA", &ED25519),
        ];
        for (kind, name, algorithm) in kinds {
            let pair = KeyPair::generate_for(kind).unwrap();
            let secret = Secret::of_text(pair.serialize_pem()).unwrap();
            let made = assertion("lockgate", "https://as.example", &secret, Some("k1")).unwrap();
            let (signed, signature) = made.rsplit_once('.').unwrap();
            let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
            let public = UnparsedPublicKey::new(algorithm, pair.der_bytes());
            public.verify(signed.as_bytes(), &decode(signature)).unwrap();
            let (header, claims) = signed.split_once('.').unwrap();
            let [header, claims]: [Value; 2] =
                [header, claims].map(|part| serde_json::from_slice(&decode(part)).unwrap());
            assert_eq!((&header["alg"], &header["kid"]), (&name.into(), &"k1".into()));
            assert_eq!((&claims["iss"], &claims["sub"]), (&"lockgate".into(), &"lockgate".into()));
            assert_eq!(claims["aud"], "https://as.example");
            let lives = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            assert_eq!(lives, 60);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        for text in
            ["hunter2", "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----"]
        {
            let secret = Secret::of_text(text.to_owned()).unwrap();
            let fault = assertion("a", "b", &secret, None).unwrap_err().to_string();
            assert!(!fault.contains("hunter2") && !fault.contains("aHVudGVyMg"), "{fault}");
        }
    }
}
