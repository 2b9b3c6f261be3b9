//! An issuer whose keys the tests hold: it publishes what it is told to, and signs anything.

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, anyhow};
use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    rsa::{self, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::server::{Heard, Next, Server};

/// Seconds since the Unix epoch.
pub fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A signing key.
#[derive(Clone)]
pub enum Key {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (`RS256`).
    Rsa(Arc<rsa::KeyPair>),
    /// The same kind of key, used with RSASSA-PSS (`PS256`).
    Pss(Arc<rsa::KeyPair>),
    /// ECDSA over P-256 (`ES256`).
    P256(Arc<EcdsaKeyPair>),
    /// ECDSA over P-384 (`ES384`).
    P384(Arc<EcdsaKeyPair>),
    /// Ed25519 (`EdDSA`).
    Ed25519(Arc<Ed25519KeyPair>),
    /// HMAC with SHA-256 over any secret (`HS256`).
    Hmac(Vec<u8>),
}

impl Key {
    /// A new RSA key.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn rsa() -> anyhow::Result<Self> {
        let key = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| anyhow!("no RSA key"))?;
        Ok(Self::Rsa(Arc::new(key)))
    }

    /// A new P-256 key.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn p256() -> anyhow::Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Ok(Self::P256(Arc::new(key.map_err(|_| anyhow!("no P-256 key"))?)))
    }

    /// A new P-384 key.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn p384() -> anyhow::Result<Self> {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING);
        Ok(Self::P384(Arc::new(key.map_err(|_| anyhow!("no P-384 key"))?)))
    }

    /// A new Ed25519 key.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn ed25519() -> anyhow::Result<Self> {
        let key = Ed25519KeyPair::generate().map_err(|_| anyhow!("no Ed25519 key"))?;
        Ok(Self::Ed25519(Arc::new(key)))
    }

    /// Its signature over `message`.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        let random = SystemRandom::new();
        let failed = |_| anyhow!("can't sign");
        match self {
            Self::Rsa(key) | Self::Pss(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                if matches!(self, Self::Rsa(_)) {
                    key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                        .map_err(failed)?;
                } else {
                    key.sign(&RSA_PSS_SHA256, &random, message, &mut signature).map_err(failed)?;
                }
                Ok(signature)
            }
            Self::P256(key) | Self::P384(key) => {
                Ok(key.sign(&random, message).map_err(failed)?.as_ref().to_vec())
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Hmac(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                Ok(hmac::sign(&key, message).as_ref().to_vec())
            }
        }
    }

    /// The algorithm that its signatures are for.
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Pss(_) => "PS256",
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
            Self::Hmac(_) => "HS256",
        }
    }

    /// Its public half as a JWK.
    ///
    /// # Errors
    /// Where the crypto library fails.
    pub fn jwk(&self, kid: &str) -> anyhow::Result<Value> {
        Ok(match self {
            Self::Rsa(key) | Self::Pss(key) => {
                let (modulus, exponent) = rsa_parts(key.public_key().as_ref())?;
                json!({ "kty": "RSA", "kid": kid, "n": encode(modulus), "e": encode(exponent) })
            }
            Self::P256(key) => point(kid, "P-256", key.public_key().as_ref(), 32)?,
            Self::P384(key) => point(kid, "P-384", key.public_key().as_ref(), 48)?,
            Self::Ed25519(key) => {
                let x = encode(key.public_key().as_ref());
                json!({ "kty": "OKP", "kid": kid, "crv": "Ed25519", "x": x })
            }
            Self::Hmac(secret) => json!({ "kty": "oct", "kid": kid, "k": encode(secret) }),
        })
    }

    /// The DER form of the public key, for the tests that misuse it as a secret.
    ///
    /// # Errors
    /// Where the crypto library fails, or the key has none.
    pub fn public_der(&self) -> anyhow::Result<Vec<u8>> {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let failed = |_| anyhow!("can't export");
        match self {
            Self::Rsa(key) | Self::Pss(key) => {
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;
                Ok(der.as_ref().to_vec())
            }
            Self::P256(key) | Self::P384(key) => {
                let der: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(failed)?;
                Ok(der.as_ref().to_vec())
            }
            _ => Err(anyhow!("no such form")),
        }
    }
}

/// Modulus and exponent out of the PKCS #1 form of a 2048-bit key, whose lengths are fixed.
fn rsa_parts(der: &[u8]) -> anyhow::Result<(&[u8], &[u8])> {
    let (modulus, exponent) = (der.get(9..265), der.get(267..));
    Ok((modulus.context("a short key")?, exponent.context("a short key")?))
}

fn point(kid: &str, curve: &str, point: &[u8], size: usize) -> anyhow::Result<Value> {
    let (x, y) = (point.get(1..=size), point.get(size + 1..));
    let (x, y) = (x.context("a short point")?, y.context("a short point")?);
    Ok(json!({ "kty": "EC", "kid": kid, "crv": curve, "x": encode(x), "y": encode(y) }))
}

/// What the key set's URL answers.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// How long the answer is held back.
    pub delay: Duration,
}

/// The issuer.
pub struct MintIssuer {
    server: Server,
    keys: BTreeMap<&'static str, Key>,
    publication: Arc<Mutex<Publication>>,
    discovery: Arc<Mutex<Value>>,
    fetches: Arc<AtomicU64>,
    surprises: Arc<AtomicU64>,
}

impl MintIssuer {
    /// An issuer that publishes an RSA, a P-256 and an Ed25519 key.
    ///
    /// # Errors
    /// Where the crypto library or the socket fails.
    pub fn start() -> anyhow::Result<Self> {
        let keys =
            BTreeMap::from([("rsa", Key::rsa()?), ("p256", Key::p256()?), ("ed", Key::ed25519()?)]);
        let set: Vec<_> = keys.iter().map(|(kid, key)| key.jwk(kid)).collect::<Result<_, _>>()?;
        let body = serde_json::to_vec(&json!({ "keys": set }))?;
        let publication = Publication { status: 200, body, delay: Duration::ZERO };
        let publication = Arc::new(Mutex::new(publication));
        let discovery = Arc::new(Mutex::new(Value::Null));
        let (fetches, surprises) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let shared = (Arc::clone(&publication), Arc::clone(&discovery));
        let counts = (Arc::clone(&fetches), Arc::clone(&surprises));
        let server = Server::start(Arc::new(move |heard: &Heard, socket| {
            let (status, body) = match heard.target.as_str() {
                "/.well-known/openid-configuration" => {
                    let document = shared.1.lock().unwrap_or_else(PoisonError::into_inner);
                    (200, document.to_string().into_bytes())
                }
                "/keys" => {
                    counts.0.fetch_add(1, Ordering::AcqRel);
                    let held = shared.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    std::thread::sleep(held.delay);
                    (held.status, held.body)
                }
                _ => {
                    counts.1.fetch_add(1, Ordering::AcqRel);
                    (404, Vec::new())
                }
            };
            let head = format!(
                "HTTP/1.1 {status} .\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            socket.write_all(head.as_bytes())?;
            socket.write_all(&body)?;
            Ok(Next::Keep)
        }))?;
        let issuer = Self { server, keys, publication, discovery, fetches, surprises };
        let url = issuer.url();
        issuer.discover(json!({
            "issuer": url,
            "jwks_uri": format!("{url}/keys"),
            "authorization_endpoint": format!("{url}/auth"),
            "token_endpoint": format!("{url}/token"),
        }));
        Ok(issuer)
    }

    /// The issuer's `iss`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Replaces the discovery document.
    pub fn discover(&self, document: Value) {
        *self.discovery.lock().unwrap_or_else(PoisonError::into_inner) = document;
    }

    /// Replaces what the key set's URL answers, and gives what it answered before.
    pub fn publish(&self, publication: Publication) -> Publication {
        let mut held = self.publication.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, publication)
    }

    /// The key set as it is published now.
    ///
    /// # Errors
    /// Where it is no JSON.
    pub fn published(&self) -> anyhow::Result<Value> {
        let held = self.publication.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(serde_json::from_slice(&held.body)?)
    }

    /// Fetches of the key set so far.
    pub fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Acquire)
    }

    /// Requests for anything that is neither discovery nor key set.
    pub fn surprises(&self) -> u64 {
        self.surprises.load(Ordering::Acquire)
    }

    /// One of its published keys: `rsa`, `p256` or `ed`.
    ///
    /// # Errors
    /// Where the name is another one.
    pub fn key(&self, kid: &str) -> anyhow::Result<&Key> {
        self.keys.get(kid).with_context(|| format!("no key `{kid}`"))
    }

    /// Claims of a good five-minute token for `audience`, subject `alice` in group `staff`.
    pub fn claims(&self, audience: &str) -> Value {
        let now = now_s();
        json!({
            "iss": self.url(), "sub": "alice", "aud": audience, "client_id": "rows",
            "iat": now, "exp": now + 300, "groups": ["staff"], "jti": format!("jti-{now}"),
        })
    }

    /// Signs `claims` with one of its keys, the usual way.
    ///
    /// # Errors
    /// Where the key is unknown or signing fails.
    pub fn token(&self, kid: &str, claims: &Value) -> anyhow::Result<String> {
        let key = self.key(kid)?;
        let header = json!({ "alg": key.algorithm(), "typ": "at+jwt", "kid": kid });
        Self::sign(key, header.to_string(), claims.to_string())
    }

    /// Signs any header and any payload with any key.
    ///
    /// # Errors
    /// Where signing fails.
    pub fn sign(
        key: &Key,
        header: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> anyhow::Result<String> {
        let message = format!("{}.{}", encode(header), encode(payload));
        let signature = key.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", encode(signature)))
    }
}
