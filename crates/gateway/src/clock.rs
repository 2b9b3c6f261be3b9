//! The one place where the gateway reads the wall clock and draws randomness for ids.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use lockgate_model::{Reason, Refusal, Timestamp};
use tokio::time::Instant;

/// A wall clock that is this far from the steady one, in milliseconds, was set.
const SET_MIN_MS: i64 = 200;

/// The wall clock. Used for token times and records; waits are measured on tokio's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// The wall clock beside the steady one, so that it shows when somebody, or a machine that slept, set it.
pub struct Steps {
    wall: Timestamp,
    steady: Instant,
}

impl Steps {
    /// Both as they are now.
    pub const fn new(wall: Timestamp, steady: Instant) -> Self {
        Self { wall, steady }
    }

    /// By how many milliseconds the wall clock was set since the last look; small differences are
    /// those of clocks that are kept right, and count for none.
    pub fn look(&mut self, wall: Timestamp, steady: Instant) -> i64 {
        let passed = steady.duration_since(self.steady).as_millis();
        let set =
            wall.millis_since(self.wall).saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX));
        *self = Self { wall, steady };
        if set.abs() < SET_MIN_MS { 0 } else { set }
    }
}

/// A new id of 128 random bits in hexadecimal, unguessable and unique.
///
/// # Errors
/// [`Reason::Internal`] where the system gives no randomness.
pub fn random_id() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 16];
    rand::fill(&mut bytes)
        .map_err(|_| Refusal::new(Reason::Internal, "the system gives no randomness"))?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lockgate_model::Timestamp;
    use tokio::time::Instant;

    use super::Steps;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_is_kept_right_is_not() {
        let (begun, at) = (Instant::now(), Timestamp::from_millis);
        let mut steps = Steps::new(at(1_000_000), begun);
        let (mut wall, mut steady) = (1_000_000, 0);
        for (wall_ms, steady_ms, set) in [
            (250, 250, 0),
            (250, 400, 0),
            (450, 260, 0),
            (70_250, 250, 70_000),
            (250, 250, 0),
            (-3_599_750, 250, -3_600_000),
            (250, 250, 0),
        ] {
            wall += wall_ms;
            steady += steady_ms;
            let found = steps.look(at(wall), begun + Duration::from_millis(steady));
            assert_eq!(found, set, "{wall_ms} {steady_ms}");
        }
    }
}
