//! How many requests one identity has open, and the bound on it.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lockgate_model::{Identity, Reason, Refusal};

/// Open requests by identity.
#[derive(Default)]
pub struct Slots {
    open: Mutex<HashMap<u64, u32>>,
    hasher: RandomState,
}

/// One open request; dropping it ends it.
pub struct Slot {
    slots: Arc<Slots>,
    key: u64,
}

impl Slots {
    /// Takes a place for `identity`.
    ///
    /// # Errors
    /// [`Reason::TooMany`] where it has `max` requests open.
    pub fn take(self: &Arc<Self>, identity: &Identity, max: u32) -> Result<Slot, Refusal> {
        // Under a secret hash nobody can choose whom to share a count with.
        let key = self.hasher.hash_one((&identity.issuer, &identity.subject));
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= max {
            return Err(Refusal::new(Reason::TooMany, "the identity has too many requests open"));
        }
        *count += 1;
        Ok(Slot { slots: Arc::clone(self), key })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.open();
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}
