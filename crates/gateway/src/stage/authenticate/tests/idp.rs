//! An identity provider on loopback: three keys, discovery, a key set that tests may change, and a
//! count of who asked for what.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaPair, KeySize},
    signature::{self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

pub(super) fn b64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The private keys.
pub(super) struct Keys {
    pub(super) rsa: RsaPair,
    pub(super) ec: EcdsaKeyPair,
    pub(super) ed: Ed25519KeyPair,
}

impl Keys {
    pub(super) fn generate() -> Self {
        Self {
            rsa: RsaPair::generate(KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
        }
    }

    /// Signs with the key that `alg` takes; `PS256` with the RSA key.
    pub(super) fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match alg {
            "ES256" => self.ec.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            _ => {
                let padding =
                    if alg == "PS256" { &lc::RSA_PSS_SHA256 } else { &lc::RSA_PKCS1_SHA256 };
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A compact token over exactly these texts.
    pub(super) fn token(&self, alg: &str, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", b64(header), b64(payload));
        let signature = self.sign(alg, signed.as_bytes());
        format!("{signed}.{}", b64(signature))
    }

    /// The public keys as JWKs, with the ids `rsa`, `ec` and `ed`.
    pub(super) fn jwks(&self) -> [Value; 3] {
        let point = self.ec.public_key().as_ref();
        [
            json!({"kty": "RSA", "kid": "rsa", "use": "sig", "e": "AQAB", "n": b64(self.modulus())}),
            json!({"kty": "EC", "kid": "ec", "crv": "P-256", "key_ops": ["verify"],
                   "x": b64(&point[1..33]), "y": b64(&point[33..])}),
            json!({"kty": "OKP", "kid": "ed", "crv": "Ed25519", "alg": "EdDSA",
                   "x": b64(self.ed.public_key())}),
        ]
    }

    /// The RSA public key in the spellings in which it gets mistaken for a shared secret.
    pub(super) fn rsa_spellings(&self) -> [Vec<u8>; 4] {
        let der = self.rsa.public_key().as_ref().to_vec();
        let pem = format!(
            "-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----",
            BASE64_STANDARD.encode(&der)
        );
        let jwk = self.jwks()[0].to_string();
        [der, pem.clone().into_bytes(), format!("{pem}\n").into_bytes(), jwk.into_bytes()]
    }

    /// Out of PKCS #1: behind the heads of the sequence and the number, and the number's sign.
    fn modulus(&self) -> &[u8] {
        &self.rsa.public_key().as_ref()[9..][..256]
    }
}

/// The provider's HTTP side.
pub(super) struct Idp {
    pub(super) url: String,
    pub(super) keys: Keys,
    pages: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Idp {
    /// Serves discovery and all three keys.
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (pages, asked) = (Arc::default(), Arc::default());
        let idp = Self {
            url: format!("http://{address}"),
            keys: Keys::generate(),
            pages: Arc::clone(&pages),
            asked: Arc::clone(&asked),
        };
        idp.publish(&idp.keys.jwks());
        idp.page("/.well-known/openid-configuration", 200, &idp.discovery());
        tokio::spawn(serve(listener, pages, asked));
        idp
    }

    pub(super) fn discovery(&self) -> String {
        json!({"issuer": self.url, "jwks_uri": format!("{}/jwks", self.url)}).to_string()
    }

    pub(super) fn publish(&self, jwks: &[Value]) {
        self.page("/jwks", 200, &json!({"keys": jwks}).to_string());
    }

    pub(super) fn page(&self, path: &str, status: u16, body: &str) {
        self.pages.lock().unwrap().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// How often a path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == path).count()
    }
}

/// One request a connection.
async fn serve(
    listener: TcpListener,
    pages: Arc<Mutex<BTreeMap<String, (u16, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = vec![0; 4096];
        let read = stream.read(&mut head).await.unwrap_or(0);
        let head = String::from_utf8_lossy(&head[..read]).into_owned();
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let (status, body) =
            pages.lock().unwrap().get(&path).cloned().unwrap_or((404, String::new()));
        asked.lock().unwrap().push(path);
        let answer = format!(
            "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}
