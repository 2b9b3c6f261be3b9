//! When a child that keeps ending may be started again. Pure: instants come from the caller.

use std::time::Duration;

use tokio::time::Instant;

/// A child that lived this long was no crash, whatever ended it.
const HEALTHY: Duration = Duration::from_secs(10);
/// Ends in a row that cost nothing, so that one bad call does not close the connection.
const FREE: u32 = 2;
const DELAY_MIN: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(60);

/// Counts ends that nobody asked for; each one beyond the second doubles the wait, up to a minute.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    crashes: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// How long a start must still wait; `None` where it may happen now.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.until?.checked_duration_since(now).filter(|left| !left.is_zero())
    }

    /// Notes the end of a child that nobody asked to end.
    pub(super) fn crashed(&mut self, started: Instant, now: Instant) {
        if now.duration_since(started) >= HEALTHY {
            *self = Self::default();
            return;
        }
        self.crashes = self.crashes.saturating_add(1);
        let Some(doublings) = self.crashes.checked_sub(FREE + 1) else { return };
        let delay = DELAY_MIN.saturating_mul(1 << doublings.min(6)).min(DELAY_MAX);
        self.until = Some(now + delay);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Backoff;

    #[test]
    fn x7_crash_loops_wait_longer_and_a_healthy_life_forgives() {
        let mut backoff = Backoff::default();
        let mut now = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..12 {
            backoff.crashed(now, now);
            let wait = backoff.wait(now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += wait;
            assert_eq!(backoff.wait(now), None, "the wait ends");
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        backoff.crashed(now, now + Duration::from_secs(10));
        assert_eq!(backoff.wait(now), None);
        backoff.crashed(now, now);
        assert_eq!(backoff.wait(now), None, "counting starts again");
    }
}
