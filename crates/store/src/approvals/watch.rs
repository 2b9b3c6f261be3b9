//! Who waits for a decision learns that something changed. What changed is read from the rows: a
//! waiter that is told too often or too late still sees the truth.
//!
//! Each is told of its own question alone, so that a decision costs the same however many wait.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use super::sync::{Mutex, MutexGuard, timeout};

/// A waiter looks again after this time, whether it was told or not: another process may have
/// decided.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// All waiters of a process look so often together; where many wait, each looks more rarely.
const LOOKS_A_SECOND_MAX: u32 = 500;

/// Tells of the changes that this process makes.
#[derive(Debug, Default)]
pub(super) struct Changes(Arc<Ears>);

#[derive(Debug, Default)]
struct Ears {
    /// For who wants to know of everything.
    any: watch::Sender<()>,
    /// By the approval's id, while somebody waits for it.
    of: Mutex<HashMap<String, watch::Sender<()>>>,
}

/// Somebody who waits. Made before the rows are looked at, it misses nothing.
#[derive(Debug)]
pub struct Waiter {
    told: watch::Receiver<()>,
    ears: Arc<Ears>,
    /// The approval; `None` for every one.
    of: Option<String>,
}

impl Changes {
    pub(super) fn tell(&self, id: &str) {
        self.0.any.send_replace(());
        if let Some(waiting) = self.0.lock().get(id) {
            waiting.send_replace(());
        }
    }

    pub(super) fn waiter(&self, of: Option<&str>) -> Waiter {
        let told = match of {
            Some(id) => self.0.lock().entry(id.to_owned()).or_default().subscribe(),
            None => self.0.any.subscribe(),
        };
        Waiter { told, ears: Arc::clone(&self.0), of: of.map(str::to_owned) }
    }

    /// For how many approvals somebody waits.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.0.lock().len()
    }
}

impl Ears {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<()>>> {
        // Every change is whole before the lock is released.
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// Done when it is time to look again.
    pub async fn look(&mut self) {
        let every = look_every(self.ears.lock().len());
        // The senders live as long as this waiter does: only time ends it otherwise.
        drop(timeout(every, self.told.changed()).await);
    }
}

pub(super) fn look_every(waiting: usize) -> Duration {
    let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
    LOOK_EVERY.max(LOOK_EVERY.saturating_mul(waiting) / LOOKS_A_SECOND_MAX)
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let Some(id) = &self.of else { return };
        let mut waiting = self.ears.lock();
        // Its own receiver still counts.
        if waiting.get(id).is_some_and(|one| one.receiver_count() <= 1) {
            waiting.remove(id);
        }
    }
}
