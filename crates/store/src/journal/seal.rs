//! Authenticated encryption of what the journal writes: AES-256-GCM for blocks, AES-256-GCM-SIV for
//! wrapped keys.
//!
//! A block's nonce is its place in its file, and every file has a key of its own, so no key ever
//! meets a nonce twice. A file that failed is never written to again: its successor has a new key.

use std::collections::HashMap;

use aws_lc_rs::{
    aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey},
    hmac,
    rand::fill,
};
use zeroize::Zeroizing;

/// Bytes that sealing adds to a text.
pub(super) const TAG_BYTES: usize = 16;
/// Length of a wrapped key: nonce, key, tag.
pub(super) const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Key material of 256 bits. No Debug, Serialize or Clone; wiped when it is dropped.
pub(super) struct Key(Zeroizing<[u8; KEY_BYTES]>);

/// Sealing or opening failed: wrong key, changed bytes, or no randomness. Says nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unsealable;

/// What a text is sealed under, besides its place.
#[derive(Clone, Copy)]
pub(super) enum Under<'a> {
    /// The segment's own key.
    Segment,
    /// The key of one session, by its slot.
    Session(u64, &'a Key),
}

/// The keys of one segment file: its own, and one a session derived for this file alone.
pub(super) struct Seal {
    /// The file's random id, from which session keys are derived.
    id: [u8; 16],
    own: LessSafeKey,
    sessions: HashMap<u64, LessSafeKey>,
}

impl Key {
    pub(super) fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new random key.
    pub(super) fn random() -> Result<Self, Unsealable> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(bytes.as_mut()).map_err(|_| Unsealable)?;
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// `inner` sealed under this key. `about` must be the same when it is unwrapped.
    pub(super) fn wrap(&self, inner: &Self, about: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce).map_err(|_| Unsealable)?;
        let mut sealed = nonce.to_vec();
        let mut bytes = Zeroizing::new(inner.as_bytes().to_vec());
        let tag = cipher(&AES_256_GCM_SIV, self.as_bytes())?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(about),
                bytes.as_mut(),
            )
            .map_err(|_| Unsealable)?;
        sealed.extend_from_slice(&bytes);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What [`Key::wrap`] sealed.
    pub(super) fn unwrap(&self, wrapped: &[u8], about: &[u8]) -> Result<Self, Unsealable> {
        let (nonce, sealed) = wrapped.split_first_chunk().ok_or(Unsealable)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = cipher(&AES_256_GCM_SIV, self.as_bytes())?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(about), &mut sealed)
            .map_err(|_| Unsealable)?;
        Ok(Self::from_bytes((&*opened).try_into().map_err(|_| Unsealable)?))
    }
}

impl Seal {
    /// The seal of the file with this random id and data key.
    pub(super) fn new(id: [u8; 16], own: &Key) -> Result<Self, Unsealable> {
        let own = cipher(&AES_256_GCM, own.as_bytes())?;
        Ok(Self { id, own, sessions: HashMap::new() })
    }

    /// Seals the end of `buffer` from `start` on, in place, and appends the tag.
    pub(super) fn seal(
        &mut self,
        under: Under<'_>,
        place: Place,
        buffer: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), Unsealable> {
        let text = buffer.get_mut(start..).ok_or(Unsealable)?;
        let tag = self
            .key(under)?
            .seal_in_place_separate_tag(place.nonce(), Aad::empty(), text)
            .map_err(|_| Unsealable)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens `sealed` in place; gives the text without its tag.
    pub(super) fn open<'a>(
        &mut self,
        under: Under<'_>,
        place: Place,
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Unsealable> {
        let key = self.key(under)?;
        key.open_in_place(place.nonce(), Aad::empty(), sealed).map_err(|_| Unsealable)
    }

    fn key(&mut self, under: Under<'_>) -> Result<&LessSafeKey, Unsealable> {
        let Under::Session(slot, key) = under else { return Ok(&self.own) };
        if !self.sessions.contains_key(&slot) {
            let mac = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
            let mut about = b"lockgate journal segment".to_vec();
            about.extend_from_slice(&self.id);
            let derived = hmac::sign(&mac, &about);
            self.sessions.insert(slot, cipher(&AES_256_GCM, derived.as_ref())?);
        }
        self.sessions.get(&slot).ok_or(Unsealable)
    }
}

/// Where a sealed text stands: in which block of the file, and which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The block, from 0.
    pub(super) block: u64,
    /// The part of it, from 0.
    pub(super) part: u32,
}

impl Place {
    fn nonce(self) -> Nonce {
        let mut nonce = [0; NONCE_BYTES];
        let (block, part) = nonce.split_at_mut(8);
        block.copy_from_slice(&self.block.to_be_bytes());
        part.copy_from_slice(&self.part.to_be_bytes());
        Nonce::assume_unique_for_key(nonce)
    }
}

fn cipher(algorithm: &'static Algorithm, key: &[u8]) -> Result<LessSafeKey, Unsealable> {
    UnboundKey::new(algorithm, key).map(LessSafeKey::new).map_err(|_| Unsealable)
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapped_key_opens_only_for_what_it_was_wrapped_for() {
        let (outer, inner) = (Key::random().unwrap(), Key::random().unwrap());
        let wrapped = outer.wrap(&inner, b"a").unwrap();
        assert_eq!(wrapped.len(), WRAPPED_BYTES);
        assert!(outer.unwrap(&wrapped, b"a").unwrap().as_bytes() == inner.as_bytes());
        assert!(outer.unwrap(&wrapped, b"b").is_err());
        assert!(inner.unwrap(&wrapped, b"a").is_err());
        assert!(outer.unwrap(&[], b"a").is_err());
    }

    #[test]
    fn a_text_opens_only_at_its_place_under_its_key() {
        let (own, other) = (Key::random().unwrap(), Key::random().unwrap());
        let mut seal = Seal::new([1; 16], &own).unwrap();
        let place = Place { block: 7, part: 1 };
        for under in [Under::Segment, Under::Session(3, &other)] {
            let mut buffer = b"head text".to_vec();
            seal.seal(under, place, &mut buffer, 5).unwrap();
            let sealed = buffer.get(5..).unwrap();
            assert_eq!(&*seal.open(under, place, &mut sealed.to_vec()).unwrap(), b"text");
            for (under, place) in [
                (under, Place { block: 8, part: 1 }),
                (under, Place { block: 7, part: 0 }),
                (Under::Session(4, &own), place),
            ] {
                assert!(seal.open(under, place, &mut sealed.to_vec()).is_err());
            }
            let mut elsewhere = Seal::new([2; 16], &Key::random().unwrap()).unwrap();
            assert!(elsewhere.open(under, place, &mut sealed.to_vec()).is_err());
        }
    }
}
