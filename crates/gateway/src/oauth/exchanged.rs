//! What was got in exchange for callers' tokens (RFC 8693): a place for each, known by the digest of the
//! caller's token, and gone with that token's end. Bounded; pure, time comes in.
//!
//! Keeps no caller's token, and asks nobody.

use std::{collections::HashMap, sync::Arc};

use lockgate_model::{Digest, Timestamp, TokenFacts};

use super::slot::Slot;

/// Callers' tokens of one connection that are remembered at once. One more pushes out the one that ends
/// first, which costs its caller another exchange.
const TOKENS_MAX: usize = 4_096;

/// The places of one connection.
#[derive(Default)]
pub(super) struct Exchanged(HashMap<Digest, Entry>);

struct Entry {
    slot: Arc<Slot>,
    /// The end of the caller's token.
    ends: Timestamp,
}

impl Exchanged {
    /// The place of a caller's token, which must still be good.
    pub(super) fn slot(&mut self, token: &TokenFacts, now: Timestamp) -> Arc<Slot> {
        if let Some(entry) = self.0.get(&token.id) {
            return Arc::clone(&entry.slot);
        }
        // What is over is wiped when somebody new comes; nobody could use it since it ended.
        self.0.retain(|_, entry| now < entry.ends);
        if self.0.len() >= TOKENS_MAX
            && let Some(first) = self.first_to_end()
        {
            self.0.remove(&first);
        }
        let slot = Arc::<Slot>::default();
        let entry = Entry { slot: Arc::clone(&slot), ends: token.refused_from };
        self.0.insert(token.id, entry);
        slot
    }

    fn first_to_end(&self) -> Option<Digest> {
        self.0.iter().min_by_key(|(_, entry)| entry.ends).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lockgate_model::{Digest, Timestamp, TokenFacts};

    use super::{Exchanged, TOKENS_MAX};

    fn token(number: usize, ends_ms: i64) -> TokenFacts {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_le_bytes());
        let ends = at(ends_ms);
        let id = Digest::from_bytes(id);
        TokenFacts { id, jti: None, issued_at: None, expires_at: ends, refused_from: ends }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(0).plus_millis(ms)
    }

    #[test]
    fn each_token_has_its_own_place_until_it_ends() {
        let mut exchanged = Exchanged::default();
        let (a, b) = (token(1, 1_000), token(2, 5_000));
        let first = exchanged.slot(&a, at(0));
        assert!(Arc::ptr_eq(&first, &exchanged.slot(&a, at(999))));
        assert!(!Arc::ptr_eq(&first, &exchanged.slot(&b, at(999))));
        // Whoever comes new clears what is over.
        exchanged.slot(&token(3, 5_000), at(1_000));
        assert_eq!(exchanged.0.len(), 2);
        assert!(!exchanged.0.contains_key(&a.id));
    }

    #[test]
    fn one_too_many_pushes_out_the_one_that_ends_first() {
        let mut exchanged = Exchanged::default();
        for number in 0..TOKENS_MAX {
            exchanged.slot(&token(number, 10_000 - number as i64), at(0));
        }
        assert_eq!(exchanged.0.len(), TOKENS_MAX);
        exchanged.slot(&token(TOKENS_MAX, 9_999), at(0));
        assert_eq!(exchanged.0.len(), TOKENS_MAX);
        assert!(!exchanged.0.contains_key(&token(TOKENS_MAX - 1, 0).id));
        assert!(exchanged.0.contains_key(&token(0, 0).id));
    }
}
