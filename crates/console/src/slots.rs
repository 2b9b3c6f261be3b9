//! How many requests of the admin API one identity has open, and the bound on it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lockgate_model::Identity;

/// Requests that one identity may have open at once, live tails and exports included.
const OPEN_MAX: u32 = 16;

/// Issuer and subject.
type Key = (String, String);

/// Open requests by identity.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<HashMap<Key, u32>>);

/// One open request; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    key: Key,
}

impl Slots {
    /// Takes a place for `identity`; `None` where it has too many requests open.
    pub(crate) fn take(self: &Arc<Self>, identity: &Identity) -> Option<Slot> {
        let key = (identity.issuer.clone(), identity.subject.clone());
        let mut open = self.open();
        let count = open.entry(key.clone()).or_default();
        if *count >= OPEN_MAX {
            return None;
        }
        *count += 1;
        Some(Slot { slots: Arc::clone(self), key })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
