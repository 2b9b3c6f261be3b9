//! The transit engine: the vault's keys wrapped and unwrapped under a key that never leaves the server.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::Method;
use lockgate_vault::{KeyId, VaultKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    ProviderFault, Server,
    server::parse_data,
    wire::{json, wrapped},
};

#[derive(Serialize)]
struct Wrap<'a> {
    plaintext: &'a str,
    associated_data: String,
}

#[derive(Serialize)]
struct Unwrap<'a> {
    ciphertext: &'a str,
    associated_data: String,
}

#[derive(Deserialize)]
struct Wrapped {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Unwrapped {
    plaintext: String,
}

impl Server {
    /// Has a key wrapped under the newest version of the key `name` of the engine at `mount`.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub async fn wrap(
        &self,
        mount: &str,
        name: &str,
        key: &VaultKey,
    ) -> Result<String, ProviderFault> {
        let plaintext = key.to_base64();
        let body = Wrap { plaintext: &plaintext, associated_data: about(key.id()) };
        let answer =
            self.ask(&Method::POST, &format!("{mount}/encrypt/{name}"), json(&body)?).await?;
        wrapped(parse_data::<Wrapped>(&answer)?.ciphertext)
    }

    /// Has the key of this id unwrapped.
    ///
    /// # Errors
    /// [`ProviderFault`]; [`ProviderFault::Refused`] also where what comes back is another key.
    pub async fn unwrap(
        &self,
        mount: &str,
        name: &str,
        id: KeyId,
        wrapped: &str,
    ) -> Result<VaultKey, ProviderFault> {
        let body = Unwrap { ciphertext: wrapped, associated_data: about(id) };
        let answer =
            self.ask(&Method::POST, &format!("{mount}/decrypt/{name}"), json(&body)?).await?;
        let text = Zeroizing::new(parse_data::<Unwrapped>(&answer)?.plaintext);
        VaultKey::from_base64(id, &text).map_err(|fault| ProviderFault::Refused(fault.to_string()))
    }
}

/// What a wrapped key is bound to.
fn about(id: KeyId) -> String {
    BASE64_STANDARD.encode(format!("lockgate vault key {id}"))
}
