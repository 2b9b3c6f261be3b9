//! Whether what was last seen of a server may be out of date.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

/// Counts the times a server told that its definitions changed. Clones count together, and
/// counting costs nothing however often a server tells (D5).
#[derive(Clone, Debug, Default)]
pub struct Stale(Arc<AtomicU64>);

impl Stale {
    /// Notes that the server told of a change.
    pub fn mark(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    /// The count so far. A listing that began at this count holds until it differs.
    pub(super) fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

/// Whether this notification of a server tells that pinned definitions may have changed.
pub fn tells_of_change(method: &str) -> bool {
    matches!(method, "notifications/tools/list_changed" | "notifications/prompts/list_changed")
}
