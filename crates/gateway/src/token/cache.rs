//! Tokens that were verified lately, so that a signature is checked once and not on every request.
//!
//! Saves work, decides nothing: time, limits, audience, client and key are checked on every use. A
//! token is known by its SHA-256, signature included; the token itself is not kept.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lockgate_model::Digest;

use super::Verified;

/// A bounded memory of verified tokens.
///
/// Two generations: what is used moves to the young one; when that is full, the old one is
/// forgotten and the young one becomes old. So every step takes the same short time.
#[derive(Debug)]
pub struct Cache {
    generations: Mutex<Generations>,
    young_max: usize,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Arc<Verified>>,
    old: HashMap<Digest, Arc<Verified>>,
}

impl Cache {
    /// A memory of at most `tokens_max` tokens.
    pub fn new(tokens_max: usize) -> Self {
        Self { generations: Mutex::default(), young_max: (tokens_max / 2).max(1) }
    }

    /// The token with this digest.
    pub fn get(&self, token: &Digest) -> Option<Arc<Verified>> {
        let mut generations = self.lock();
        if let Some(found) = generations.young.get(token) {
            return Some(found.clone());
        }
        let found = generations.old.remove(token)?;
        generations.insert(*token, found.clone(), self.young_max);
        Some(found)
    }

    /// Remembers a token by its digest.
    pub fn put(&self, token: Digest, verified: Arc<Verified>) {
        self.lock().insert(token, verified, self.young_max);
    }

    /// Nothing in here can be left half done by a panic.
    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, token: Digest, verified: Arc<Verified>, young_max: usize) {
        if self.young.len() >= young_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}
