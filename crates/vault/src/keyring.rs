//! The keys that wrap data keys, in memory: sealing, opening, and wrapping anew.

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

use crate::{
    About, KeyFault, KeyId, SECRET_MAX_BYTES, Sealed, Secret, SecretFault, VaultFault, VaultKey,
    cipher::{Cipher, KEY_BYTES, Unopened, Unsealed, random_key},
    keys::KEYS_MAX,
};

/// The vault's keys, the oldest first. The newest is meant for sealing; the others open what was sealed
/// before them. No `Serialize` or `Clone`, and no Debug of what is in them.
pub struct Keyring(Vec<(KeyId, Cipher)>);

impl Keyring {
    /// The keyring of these keys, the oldest first.
    pub(crate) fn new(keys: &[Zeroizing<[u8; KEY_BYTES]>]) -> Result<Self, KeyFault> {
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(KeyFault::Count(keys.len()));
        }
        let mut held: Vec<(KeyId, Cipher)> = Vec::with_capacity(keys.len());
        for key in keys {
            let id = id_of(key);
            if held.iter().any(|(other, _)| *other == id) {
                return Err(KeyFault::Twice(id));
            }
            held.push((id, Cipher::new(key).map_err(|Unsealed| KeyFault::Randomness)?));
        }
        Ok(Self(held))
    }

    /// The keyring of keys that were unwrapped outside, the oldest first.
    ///
    /// # Errors
    /// [`KeyFault::Count`] and [`KeyFault::Twice`].
    pub fn of(keys: Vec<VaultKey>) -> Result<Self, KeyFault> {
        Self::new(&keys.into_iter().map(|key| key.0).collect::<Vec<_>>())
    }

    /// These keys with newer ones behind them.
    ///
    /// # Errors
    /// [`KeyFault::Count`] and [`KeyFault::Twice`].
    pub fn before(mut self, newer: Self) -> Result<Self, KeyFault> {
        if let Some((id, _)) = newer.0.iter().find(|(id, _)| self.has(*id)) {
            return Err(KeyFault::Twice(*id));
        }
        self.0.extend(newer.0);
        if self.0.len() > KEYS_MAX { Err(KeyFault::Count(self.0.len())) } else { Ok(self) }
    }

    /// The ids of the keys, the oldest first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.0.iter().map(|(id, _)| *id).collect()
    }

    /// Whether this key is among them.
    pub fn has(&self, key: KeyId) -> bool {
        self.0.iter().any(|(id, _)| *id == key)
    }

    /// The newest key.
    pub fn newest(&self) -> KeyId {
        // There is always one; no key has the id of zeros but by a chance of 2^-64.
        self.0.last().map_or(KeyId::from_bytes([0; 8]), |(id, _)| *id)
    }

    /// Seals `secret` for what `about` says, under this key.
    ///
    /// # Errors
    /// [`VaultFault::UnknownKey`] and [`VaultFault::Randomness`].
    pub fn seal(
        &self,
        under: KeyId,
        about: &About<'_>,
        secret: &Secret,
    ) -> Result<Sealed, VaultFault> {
        let text = secret.expose().as_bytes();
        let length = u32::try_from(text.len()).ok().filter(|_| text.len() <= SECRET_MAX_BYTES);
        let text_bytes = length.ok_or(SecretFault::TooLong)?;
        let mut sealed = Sealed {
            key: under,
            version: about.version,
            about: about.digest(),
            text_bytes,
            wrapped: [0; _],
            body: Vec::new(),
        };
        let data = random_key().map_err(unsealed)?;
        let cipher = Cipher::new(&data).map_err(unsealed)?;
        sealed.body = cipher.seal(&sealed.text_about(), text).map_err(unsealed)?;
        self.wrap(&mut sealed, data.as_ref())?;
        Ok(sealed)
    }

    /// Opens what was sealed for exactly what `about` says.
    ///
    /// # Errors
    /// [`VaultFault`], by name.
    pub fn open(&self, about: &About<'_>, sealed: &Sealed) -> Result<Secret, VaultFault> {
        if sealed.about != about.digest() {
            return Err(VaultFault::Swapped);
        }
        if sealed.version != about.version {
            let (sealed, expected) = (sealed.version, about.version);
            return Err(VaultFault::Version { sealed, expected });
        }
        let data = self.data_key(sealed)?;
        let cipher = Cipher::new(&data).map_err(unsealed)?;
        let text = cipher.open(&sealed.text_about(), &sealed.body).map_err(damaged)?;
        let text = str::from_utf8(&text).map_err(|_| SecretFault::NoText)?;
        Ok(Secret::exactly(Zeroizing::new(text.to_owned()))?)
    }

    /// The same text with its data key wrapped under another key; the text itself is not opened.
    ///
    /// # Errors
    /// [`VaultFault::UnknownKey`], [`VaultFault::Damaged`] and [`VaultFault::Randomness`].
    pub fn rewrap(&self, sealed: &Sealed, under: KeyId) -> Result<Sealed, VaultFault> {
        let data = self.data_key(sealed)?;
        let mut fresh = Sealed { key: under, ..sealed.clone() };
        self.wrap(&mut fresh, data.as_ref())?;
        Ok(fresh)
    }

    fn wrap(&self, sealed: &mut Sealed, data: &[u8]) -> Result<(), VaultFault> {
        let wrapped = self.cipher(sealed.key)?.seal(&sealed.wrap_about(), data);
        let wrapped = wrapped.map_err(unsealed)?;
        sealed.wrapped = wrapped.try_into().map_err(|_| VaultFault::Randomness)?;
        Ok(())
    }

    fn data_key(&self, sealed: &Sealed) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultFault> {
        let opened = self.cipher(sealed.key)?.open(&sealed.wrap_about(), &sealed.wrapped);
        let opened = opened.map_err(damaged)?;
        let mut data = Zeroizing::new([0; KEY_BYTES]);
        data.iter_mut().zip(opened.iter()).for_each(|(to, from)| *to = *from);
        Ok(data)
    }

    fn cipher(&self, key: KeyId) -> Result<&Cipher, VaultFault> {
        let found = self.0.iter().find(|(id, _)| *id == key);
        found
            .map(|(_, cipher)| cipher)
            .ok_or_else(|| VaultFault::UnknownKey { key, has: self.ids() })
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keyring").field(&self.ids()).finish()
    }
}

/// The name of a key, from which it can't be told.
pub(crate) fn id_of(key: &[u8; KEY_BYTES]) -> KeyId {
    let about = Zeroizing::new([b"lockgate vault key".as_slice(), key].concat());
    let mut id = [0; 8];
    id.iter_mut().zip(digest(&SHA256, &about).as_ref()).for_each(|(to, from)| *to = *from);
    KeyId::from_bytes(id)
}

fn unsealed(_: Unsealed) -> VaultFault {
    VaultFault::Randomness
}

fn damaged(_: Unopened) -> VaultFault {
    VaultFault::Damaged
}
