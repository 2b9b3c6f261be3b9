//! A sealed text: what it looks like where it is stored. Everything here comes from outside.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | format, 1 |
//! | 8 | id of the key that wraps |
//! | 8 | version of the secret, big-endian |
//! | 32 | digest of what it is for |
//! | 4 | bytes of the text, big-endian |
//! | 60 | the data key, wrapped: nonce, key, tag |
//! | 28 + text | the text under the data key: nonce, text, tag |
//!
//! The wrap vouches for everything before it; the text for everything but the key's id, so that it stays
//! as it is when its key is wrapped anew.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};

use crate::{
    KeyId, SECRET_MAX_BYTES, VaultFault,
    cipher::{KEY_BYTES, OVERHEAD_BYTES},
};

const FORMAT: u8 = 1;
const WRAPPED_BYTES: usize = KEY_BYTES + OVERHEAD_BYTES;
/// Before the wrapped key.
const HEAD_BYTES: usize = 1 + 8 + 8 + 32 + 4;
const LEAST_BYTES: usize = HEAD_BYTES + WRAPPED_BYTES + OVERHEAD_BYTES;

/// A sealed text that has the right form; whether it opens is for the keys to say. Harmless to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub(crate) key: KeyId,
    pub(crate) version: u64,
    pub(crate) about: [u8; 32],
    pub(crate) text_bytes: u32,
    /// The data key under the key, with nonce and tag.
    pub(crate) wrapped: [u8; WRAPPED_BYTES],
    /// The text under the data key, with nonce and tag.
    pub(crate) body: Vec<u8>,
}

impl Sealed {
    /// Reads one as it is stored.
    ///
    /// # Errors
    /// [`VaultFault::NotSealed`], [`VaultFault::Format`], [`VaultFault::Truncated`] and
    /// [`VaultFault::Trailing`].
    pub fn parse(text: &str) -> Result<Self, VaultFault> {
        // The longest secret, and nothing that would be decoded in vain.
        let most = (LEAST_BYTES + SECRET_MAX_BYTES).div_ceil(3) * 4;
        if text.len() > most {
            return Err(VaultFault::NotSealed);
        }
        let bytes = BASE64_STANDARD_NO_PAD.decode(text).map_err(|_| VaultFault::NotSealed)?;
        Self::read(&bytes)
    }

    fn read(bytes: &[u8]) -> Result<Self, VaultFault> {
        let cut = || VaultFault::Truncated { has: bytes.len(), needs: LEAST_BYTES };
        let (&format, rest) = bytes.split_first().ok_or_else(cut)?;
        if format != FORMAT {
            return Err(VaultFault::Format(format));
        }
        let (&key, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&version, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&about, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&length, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&wrapped, body) = rest.split_first_chunk().ok_or_else(cut)?;
        let text_bytes = u32::from_be_bytes(length);
        let (has, needs) = (bytes.len(), LEAST_BYTES.saturating_add(text_bytes as usize));
        match has.cmp(&needs) {
            std::cmp::Ordering::Less => Err(VaultFault::Truncated { has, needs }),
            std::cmp::Ordering::Greater => Err(VaultFault::Trailing { has, needs }),
            std::cmp::Ordering::Equal => Ok(Self {
                key: KeyId::from_bytes(key),
                version: u64::from_be_bytes(version),
                about,
                text_bytes,
                wrapped,
                body: body.to_vec(),
            }),
        }
    }

    /// As it is stored: base64 without padding.
    pub fn to_text(&self) -> String {
        let mut bytes = self.head();
        bytes.extend_from_slice(&self.wrapped);
        bytes.extend_from_slice(&self.body);
        BASE64_STANDARD_NO_PAD.encode(bytes)
    }

    /// The key that wraps it.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The version of the secret that it was sealed as.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// What the wrapped key is bound to.
    pub(crate) fn wrap_about(&self) -> Vec<u8> {
        [b"lockgate vault key".as_slice(), &self.head()].concat()
    }

    /// What the text is bound to.
    pub(crate) fn text_about(&self) -> Vec<u8> {
        let (version, length) = (self.version.to_be_bytes(), self.text_bytes.to_be_bytes());
        [b"lockgate vault text".as_slice(), &[FORMAT], &version, &self.about, &length].concat()
    }

    fn head(&self) -> Vec<u8> {
        let (version, length) = (self.version.to_be_bytes(), self.text_bytes.to_be_bytes());
        [[FORMAT].as_slice(), self.key.as_bytes(), &version, &self.about, &length].concat()
    }
}
