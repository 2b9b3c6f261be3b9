//! The one place where the gateway reads the wall clock and draws randomness for ids.

use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::rand;
use lockgate_model::{Reason, Refusal, Timestamp};

/// The wall clock. Used for token times and records; waits are measured on tokio's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
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
