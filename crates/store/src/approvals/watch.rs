//! Who waits for a decision learns that something changed. What changed is read from the rows: a
//! waiter that is told too often or too late still sees the truth.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};

/// A waiter looks again after this time, whether it was told or not: another process may have
/// decided.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Counts the changes that this process makes.
#[derive(Debug)]
pub(super) struct Changes(watch::Sender<u64>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Changes {
    pub(super) fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(super) fn waiter(&self) -> Waiter {
        Waiter(self.0.subscribe())
    }
}

/// Somebody who waits. Made before the rows are looked at, it misses nothing.
#[derive(Debug)]
pub struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// Done when it is time to look again.
    pub async fn look(&mut self) {
        // A sender that is gone tells nothing any more, and the rows are still there.
        if let Ok(Err(_)) = timeout(LOOK_EVERY, self.0.changed()).await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
