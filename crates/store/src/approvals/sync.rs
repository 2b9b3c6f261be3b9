//! What threads share and wait with, named in one place: `tests/raced` runs the waiters on its own.

pub(super) use std::sync::{Mutex, MutexGuard};

pub(super) use tokio::time::timeout;
