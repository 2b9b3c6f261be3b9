//! What is known of tokens that were seen lately, so that a signature is checked once and not on every
//! request.
//!
//! Saves work, decides nothing: time, limits, audience, client and key are checked on every use. A
//! token is known by its SHA-256, signature included; the token itself is not kept.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lockgate_model::Digest;

/// A bounded memory of tokens.
///
/// Two generations: what is used moves to the young one; when that is full, the old one is
/// forgotten and the young one becomes old. So every step takes the same short time.
#[derive(Debug)]
pub struct Cache<T> {
    generations: Mutex<Generations<T>>,
    young_max: usize,
}

#[derive(Debug)]
struct Generations<T> {
    young: HashMap<Digest, Arc<T>>,
    old: HashMap<Digest, Arc<T>>,
}

impl<T> Cache<T> {
    /// A memory of at most `tokens_max` tokens.
    pub fn new(tokens_max: usize) -> Self {
        let generations = Generations { young: HashMap::new(), old: HashMap::new() };
        Self { generations: Mutex::new(generations), young_max: (tokens_max / 2).max(1) }
    }

    /// What is known of the token with this digest.
    pub fn get(&self, token: &Digest) -> Option<Arc<T>> {
        self.lock().get(token, self.young_max)
    }

    /// The same, beginning with nothing.
    pub fn get_or_default(&self, token: Digest) -> Arc<T>
    where
        T: Default,
    {
        let mut generations = self.lock();
        generations.get(&token, self.young_max).unwrap_or_else(|| {
            let new = Arc::<T>::default();
            generations.insert(token, Arc::clone(&new), self.young_max);
            new
        })
    }

    /// Remembers what is known of a token, by its digest.
    pub fn put(&self, token: Digest, known: Arc<T>) {
        self.lock().insert(token, known, self.young_max);
    }

    /// Nothing in here can be left half done by a panic.
    fn lock(&self) -> MutexGuard<'_, Generations<T>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Generations<T> {
    fn get(&mut self, token: &Digest, young_max: usize) -> Option<Arc<T>> {
        if let Some(found) = self.young.get(token) {
            return Some(Arc::clone(found));
        }
        let found = self.old.remove(token)?;
        self.insert(*token, Arc::clone(&found), young_max);
        Some(found)
    }

    fn insert(&mut self, token: Digest, known: Arc<T>, young_max: usize) {
        if self.young.len() >= young_max {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(token, known);
    }
}
