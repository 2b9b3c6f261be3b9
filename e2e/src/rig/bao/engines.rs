//! The transit engine of the stand-in: AES-256-GCM under keys with versions, `vault:vN:` before each
//! text, and associated data that must be the same when it is opened.

use std::collections::BTreeMap;

use anyhow::anyhow;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    rand::fill,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::Answer;

/// The engine.
#[derive(Default)]
pub(super) struct Transit {
    /// Every version of each key, from 1.
    keys: BTreeMap<String, Vec<[u8; 32]>>,
    /// What was encrypted so far, by nobody's leave.
    pub(super) texts: Vec<Vec<u8>>,
}

impl Transit {
    pub(super) fn key(&mut self, name: &str) -> anyhow::Result<()> {
        let mut key = [0; 32];
        fill(&mut key).map_err(|_| anyhow!("no randomness"))?;
        self.keys.entry(name.to_owned()).or_default().push(key);
        Ok(())
    }

    pub(super) fn answer(&mut self, path: &str, body: &Value) -> Answer {
        let mut steps = path.split('/');
        let (mount, action, name) = (steps.next(), steps.next(), steps.next());
        let key = name.and_then(|name| self.keys.get(name)).filter(|_| mount == Some("transit"));
        let Some(versions) = key else {
            return (400, json!({ "errors": ["encryption key not found"] }));
        };
        let done = match action {
            Some("encrypt") => {
                self.texts.extend(decoded(body, "plaintext"));
                encrypt(versions, body)
            }
            Some("decrypt") => decrypt(versions, body),
            _ => None,
        };
        done.map_or((400, json!({ "errors": ["invalid request"] })), |data| {
            (200, json!({ "data": data }))
        })
    }
}

fn encrypt(versions: &[[u8; 32]], body: &Value) -> Option<Value> {
    let mut text = decoded(body, "plaintext")?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, versions.last()?).ok()?;
    let about = Aad::from(decoded(body, "associated_data")?);
    let nonce = key.seal_in_place_append_tag(about, &mut text).ok()?;
    let sealed = STANDARD.encode([nonce.as_ref().as_slice(), &text].concat());
    let version = versions.len();
    Some(json!({ "ciphertext": format!("vault:v{version}:{sealed}"), "key_version": version }))
}

fn decrypt(versions: &[[u8; 32]], body: &Value) -> Option<Value> {
    let (version, sealed) =
        body["ciphertext"].as_str()?.strip_prefix("vault:v")?.split_once(':')?;
    let key = versions.get(version.parse::<usize>().ok()?.checked_sub(1)?)?;
    let sealed = STANDARD.decode(sealed).ok()?;
    let (nonce, sealed) = sealed.split_first_chunk::<12>()?;
    let mut text = sealed.to_vec();
    let about = Aad::from(decoded(body, "associated_data")?);
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).ok()?;
    let text = key.open_in_place(Nonce::from(nonce), about, &mut text).ok()?;
    Some(json!({ "plaintext": STANDARD.encode(text) }))
}

fn decoded(body: &Value, name: &str) -> Option<Vec<u8>> {
    STANDARD.decode(body[name].as_str()?).ok()
}
