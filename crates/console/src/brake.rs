//! How many requests may fail at the doors that machines come by. What is over it is turned away without
//! a record, so that guesses can't fill the disk. Whoever shows what is good is never kept waiting: a
//! provider that tells of a leaver must not be shut out by somebody who guesses from the same address.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Failures at once.
const BURST: u32 = 20;
/// After which one more may come each time.
const EVERY: Duration = Duration::from_millis(200);

/// Failures that may still come, and when that was counted.
#[derive(Debug, Default)]
pub(crate) struct Brake(Mutex<Option<(u32, Instant)>>);

impl Brake {
    /// Counts a failure at this moment; true where it is one too many.
    pub(crate) fn is_too_much(&self, now: Instant) -> bool {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, since) = left.unwrap_or((BURST, now));
        let waited = now.saturating_duration_since(since).as_nanos() / EVERY.as_nanos();
        let more = u32::try_from(waited).unwrap_or(BURST).min(BURST);
        let counted = if failures + more >= BURST { now } else { since + EVERY * more };
        let failures = (failures + more).min(BURST);
        *left = Some((failures.saturating_sub(1), counted));
        failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_at_a_rate_z8() {
        let (brake, start) = (Brake::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        let passed = |from: u64, to: u64| {
            (from..to).filter(|millis| !brake.is_too_much(at(*millis))).count()
        };
        assert_eq!(passed(0, 100), 20, "a burst");
        assert_eq!(passed(100, 1_100), 5, "five a second");
        assert_eq!(passed(1_100, 11_100), 50);
        // Rested, it takes a burst again, and no more.
        assert_eq!(passed(100_000, 100_100), 20);
        assert!(brake.is_too_much(at(0)), "a clock that goes back gives nothing");
    }
}
