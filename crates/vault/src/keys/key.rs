//! A key on its way to or from whoever wraps it outside.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use super::KeyId;
use crate::{
    KeyFault,
    cipher::{KEY_BYTES, random_key},
    keyring::id_of,
};

/// A key of the vault that a server outside wraps and unwraps. No `Debug`, `Serialize` or `Clone`; wiped
/// when it is dropped.
pub struct VaultKey(pub(crate) Zeroizing<[u8; KEY_BYTES]>);

impl VaultKey {
    /// A new key.
    ///
    /// # Errors
    /// [`KeyFault::Randomness`]
    pub fn random() -> Result<Self, KeyFault> {
        random_key().map(Self).map_err(|_| KeyFault::Randomness)
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        id_of(&self.0)
    }

    /// The key itself, for the one call that has it wrapped.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64_STANDARD.encode(self.0.as_ref()))
    }

    /// Reads what was unwrapped.
    ///
    /// # Errors
    /// [`KeyFault::Foreign`] where it is not the key of this id.
    pub fn from_base64(id: KeyId, text: &str) -> Result<Self, KeyFault> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        // Decoded into place, so that no copy is left behind.
        let mut room = Zeroizing::new([0; KEY_BYTES + 3]);
        let length = BASE64_STANDARD.decode_slice(text, room.as_mut()).ok();
        let decoded = length.and_then(|length| room.get(..length)?.try_into().ok());
        *key = decoded.ok_or(KeyFault::Foreign(id))?;
        let key = Self(key);
        if key.id() == id { Ok(key) } else { Err(KeyFault::Foreign(id)) }
    }
}
