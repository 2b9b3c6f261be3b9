//! Notifications whose texts may go on in the next one: they wait for it a moment, so that a value that a
//! server cut over both is seen before its beginning leaves. Everything else waits for nothing.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use lockgate_mcp::sse;
use lockgate_model::Refusal;
use lockgate_rules::mask::{Held, KnownValue, notification};
use tokio::time::Instant;

use super::{
    mask::{self, Counts},
    outcome::OpenCall,
};

/// A notification waits at most so long: nobody who reads along sees the difference.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// The values that are known of so many notifications are looked for in those that follow.
const KNOWN_MAX: usize = 8;

/// Notifications of one stream.
#[derive(Default)]
pub struct Pieces {
    held: Held,
    /// Those that wait with when each came, oldest first.
    waiting: VecDeque<(Instant, sse::Event)>,
    known: VecDeque<Vec<KnownValue>>,
}

/// A notification that need not wait any longer.
pub struct Piece {
    /// Its event, as it came.
    pub event: sse::Event,
    /// Its message as the caller may see it.
    pub shown: Bytes,
    /// What was masked in it.
    pub masked: Counts,
}

impl Pieces {
    /// Whether all texts of a message are short; `None` where it does not wait.
    pub fn may_wait(open: &OpenCall, message: &[u8]) -> Option<bool> {
        let text = str::from_utf8(message).ok().filter(|_| mask::is_on(open))?;
        notification(text)
    }

    /// Takes a notification, all of whose texts are `short`, and gives those that need not wait.
    ///
    /// # Errors
    /// [`lockgate_model::Reason::MaskFailed`]
    pub async fn push(
        &mut self,
        open: &OpenCall,
        event: sse::Event,
        message: &[u8],
        short: bool,
    ) -> Result<Vec<Piece>, Refusal> {
        self.known.push_back(mask::known_in(open, message).await?);
        if self.known.len() > KNOWN_MAX {
            self.known.pop_front();
        }
        self.held.push(&[], String::from_utf8_lossy(message).into_owned(), short);
        self.waiting.push_back((Instant::now(), event));
        self.take(open, false)
    }

    /// When the oldest that waits must go, and all with it.
    pub fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|(came, _)| *came + WAIT_MAX)
    }

    /// Those that need not wait; `all` once the stream goes on with something else.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn take(&mut self, open: &OpenCall, all: bool) -> Result<Vec<Piece>, Refusal> {
        if self.waiting.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known.iter().flatten().cloned();
        let masked = mask::mask_held(open, &mut self.held, known, all)?;
        let pieces = masked.into_iter().filter_map(|(shown, masked)| {
            self.waiting.pop_front().map(|(_, event)| Piece { event, shown, masked })
        });
        Ok(pieces.collect())
    }
}
