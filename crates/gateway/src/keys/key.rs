//! One published key, and the set an issuer publishes (RFC 7517). A key that isn't plainly for
//! verifying signatures, or that is weak, is left out and named; the others still count.

use std::sync::Arc;

use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_mcp::json::{Document, JsonLimits};
use lockgate_model::Digest;
use serde_json::{Map, Value};

use super::weak;
use crate::{
    hash::sha256,
    token::{Algorithm, Check},
};

/// Nesting and size of a key set.
const JSON_LIMITS: JsonLimits = JsonLimits { depth: 16, items: 20_000 };

/// Keys that are read from one set; real sets have a handful.
const KEYS_MAX: usize = 100;

/// A usable public key.
#[derive(Debug)]
pub struct Key {
    kid: Option<String>,
    digest: Digest,
    checks: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The usable keys of one issuer.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    ignored: Vec<&'static str>,
}

impl KeySet {
    /// Reads a JWK set. Keys that can't be used are left out: see [`Self::ignored`].
    ///
    /// # Errors
    /// A sentence for whoever reads the log, where it is no key set or holds no usable key.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let document = Document::strict(bytes, JSON_LIMITS).map_err(|fault| fault.to_string())?;
        let Some(Value::Array(jwks)) = document.root().get("keys").map(|keys| keys.to_value())
        else {
            return Err("there is no `keys` list".to_owned());
        };
        let mut set = Self { keys: Vec::new(), ignored: Vec::new() };
        for jwk in jwks.iter().take(KEYS_MAX) {
            match jwk.as_object().ok_or("no object").and_then(Key::from_jwk) {
                Ok(key) => set.add(key),
                Err(flaw) => set.ignored.push(flaw),
            }
        }
        if set.keys.is_empty() { Err(set.nothing_usable()) } else { Ok(set) }
    }

    /// The one key that a token with this `kid` and `alg` can mean; none where there are two.
    ///
    /// Without a `kid`, the one key there is for the algorithm.
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Arc<Key>> {
        let meant = |key: &&Arc<Key>| {
            (kid.is_none() || key.kid.as_deref() == kid) && key.check(algorithm).is_some()
        };
        let mut found = self.keys.iter().filter(meant);
        found.next().filter(|_| found.next().is_none())
    }

    /// How many keys are usable.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never so: a set without usable keys is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Why keys were left out, one entry a key.
    pub fn ignored(&self) -> &[&'static str] {
        &self.ignored
    }

    /// A key published twice is one key.
    fn add(&mut self, key: Key) {
        let same = |other: &Arc<Key>| other.kid == key.kid && other.digest == key.digest;
        if !self.keys.iter().any(same) {
            self.keys.push(Arc::new(key));
        }
    }

    fn nothing_usable(&self) -> String {
        format!("none of {} keys is usable: {}", self.ignored.len(), self.ignored.join(", "))
    }
}

impl Key {
    fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name| jwk.get(name).map(|value| value.as_str().ok_or("a member of wrong type"));
        if text("use").transpose()?.is_some_and(|usage| usage != "sig") {
            return Err("not for signatures (`use`)");
        }
        let may_verify = |ops: &Value| {
            ops.as_array().is_some_and(|ops| ops.iter().any(|op| op.as_str() == Some("verify")))
        };
        if jwk.get("key_ops").is_some_and(|ops| !may_verify(ops)) {
            return Err("not for verifying (`key_ops`)");
        }
        if jwk.contains_key("d") {
            return Err("a private key");
        }
        let kid = text("kid").transpose()?.map(str::to_owned);
        let only = match text("alg").transpose()? {
            None => None,
            Some(name) => Some(Algorithm::parse(name).ok_or("an unsupported `alg`")?),
        };
        let material = Material::from_jwk(jwk)?;
        let wanted = Algorithm::ALL.into_iter().filter(|a| only.is_none_or(|only| only == *a));
        let checks: Vec<_> = wanted.filter_map(|a| Some((a, material.parse(a)?))).collect();
        if checks.is_empty() {
            return Err("a key that no supported algorithm takes");
        }
        Ok(Self { kid, digest: material.digest(), checks })
    }

    /// SHA-256 of the key itself, whatever its id.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether `signature` is this key's over `message`; false for an algorithm that the key is not
    /// for.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.check(algorithm).is_some_and(|check| check.verify_sig(message, signature).is_ok())
    }

    fn check(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        self.checks.iter().find(|(other, _)| *other == algorithm).map(|(_, check)| check)
    }
}

/// The numbers of a key.
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point on the curve that the algorithm is for.
    Ec(Algorithm, Vec<u8>),
    Ed(Vec<u8>),
}

impl Material {
    fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
        let bytes = |name| {
            BASE64_URL_SAFE_NO_PAD.decode(text(name)).map_err(|_| "a number that is no base64url")
        };
        let number = |name| -> Result<Vec<u8>, &'static str> {
            Ok(bytes(name)?.into_iter().skip_while(|byte| *byte == 0).collect())
        };
        match (text("kty"), text("crv")) {
            ("RSA", _) => {
                let (modulus, exponent) = (number("n")?, number("e")?);
                match weak::rsa_flaw(&modulus, &exponent) {
                    Some(flaw) => Err(flaw),
                    None => Ok(Self::Rsa { modulus, exponent }),
                }
            }
            ("EC", "P-256") => Self::point(Algorithm::ES256, 32, &bytes("x")?, &bytes("y")?),
            ("EC", "P-384") => Self::point(Algorithm::ES384, 48, &bytes("x")?, &bytes("y")?),
            ("OKP", "Ed25519") => Ok(Self::Ed(bytes("x")?)),
            ("oct", _) => Err("a shared secret (`oct`)"),
            _ => Err("an unsupported `kty` or `crv`"),
        }
    }

    /// RFC 7518 §6.2.1.2: both coordinates at full length.
    fn point(
        algorithm: Algorithm,
        length: usize,
        x: &[u8],
        y: &[u8],
    ) -> Result<Self, &'static str> {
        if x.len() != length || y.len() != length {
            return Err("coordinates of the wrong length");
        }
        Ok(Self::Ec(algorithm, [&[4], x, y].concat()))
    }

    /// The key made ready for `algorithm`; none where it is not for it, or not on its curve.
    fn parse(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match (self, algorithm.check()) {
            (Self::Rsa { modulus, exponent }, Check::Rsa(parameters)) => {
                let components = RsaPublicKeyComponents { n: modulus, e: exponent };
                components.to_parsed_public_key(parameters).ok()
            }
            (Self::Ec(curve, point), Check::Ec(check)) if *curve == algorithm => {
                ParsedPublicKey::new(check, point).ok()
            }
            (Self::Ed(point), Check::Ed(check)) => ParsedPublicKey::new(check, point).ok(),
            _ => None,
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Self::Rsa { modulus, exponent } => {
                sha256(&[b"RSA".as_slice(), exponent, b":", modulus].concat())
            }
            Self::Ec(_, point) => sha256(&[b"EC".as_slice(), point].concat()),
            Self::Ed(point) => sha256(&[b"Ed".as_slice(), point].concat()),
        }
    }
}
