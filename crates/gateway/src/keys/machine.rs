//! How long an issuer's keys are believed and when they are fetched again, as a state machine
//! without clock or network: time comes in, "fetch now" goes out.
//!
//! - Keys confirmed within [`FRESH_MS`] are believed, and confirmed again in good time before that,
//!   so that a key which the issuer withdrew is refused within five minutes.
//! - A key id that isn't in the set makes one fetch; fetches start at least [`INTERVAL_MS`] apart,
//!   and never two at once, however many unknown ids arrive.
//! - While the issuer can't be reached the last good set serves on, for as long as its settings say.
//!   A broken or empty set counts as unreachable: it never replaces a good one.

use std::sync::Arc;

use lockgate_model::Timestamp;

use super::{Key, KeySet};
use crate::token::Algorithm;

/// Fetches start at least this far apart, in milliseconds.
const INTERVAL_MS: i64 = 30_000;
/// A set older than this is confirmed again while it still serves.
const REFRESH_MS: i64 = 240_000;
/// A set older than this serves only where confirming it has just failed. Also the age from which
/// an unreachable issuer is an alarm.
const FRESH_MS: i64 = 300_000;
/// No setting keeps an unreachable issuer's keys longer than a day.
const STALE_MAX_MS: i64 = 86_400_000;

/// What is known of one issuer's keys.
#[derive(Debug)]
pub(super) struct Machine {
    stale_max_ms: i64,
    confirmed: Option<Confirmed>,
    attempt: Option<Attempt>,
    /// When the latest fetch started, where it has failed and none has succeeded since.
    failed: Option<Timestamp>,
}

#[derive(Debug)]
struct Confirmed {
    keys: KeySet,
    at: Timestamp,
}

/// The latest fetch.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    started: Timestamp,
    running: bool,
}

/// The answer to a lookup.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) lookup: Lookup,
    /// The caller must start one fetch now, and report its end.
    pub(super) fetch: bool,
}

#[derive(Debug)]
pub(super) enum Lookup {
    Found(Arc<Key>),
    /// A running fetch will tell.
    Wait,
    Missing(KeyFault),
}

/// Why there is no key for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The issuer has no such key.
    Unknown,
    /// The issuer's keys can't be had.
    Unavailable,
}

/// The state of an issuer's keys, for readiness and alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// Usable keys in the last good set.
    pub keys: usize,
    /// Milliseconds since the last good set was confirmed; `None` where there never was one.
    pub age_ms: Option<i64>,
    /// Whether tokens can be verified now.
    pub usable: bool,
    /// Whether the issuer can't be reached since five minutes or longer, or never could.
    pub alarm: bool,
}

impl Machine {
    /// `stale_max_ms`: how long the keys of an unreachable issuer serve.
    pub(super) fn new(stale_max_ms: i64) -> Self {
        let stale_max_ms = stale_max_ms.clamp(FRESH_MS, STALE_MAX_MS);
        Self { stale_max_ms, confirmed: None, attempt: None, failed: None }
    }

    /// The key for a token with this `kid` and `alg`.
    pub(super) fn lookup(
        &mut self,
        now: Timestamp,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Answer {
        let Some(keys) = self.believed(now) else {
            return self.ask(now, KeyFault::Unavailable);
        };
        match keys.find(kid, algorithm).cloned() {
            Some(key) => Answer { lookup: Lookup::Found(key), fetch: self.due(now) },
            None => self.ask(now, KeyFault::Unknown),
        }
    }

    /// Whether it is time to fetch, nobody asking; the caller must do it then.
    pub(super) fn due(&mut self, now: Timestamp) -> bool {
        let old = |confirmed: &Confirmed| !within(now, confirmed.at, REFRESH_MS);
        self.confirmed.as_ref().is_none_or(old) && self.start(now)
    }

    /// The running fetch brought a set.
    pub(super) fn fetched(&mut self, keys: KeySet) {
        if let Some(attempt) = &mut self.attempt {
            attempt.running = false;
            self.failed = None;
            // True as of when it was asked for, not of when it came.
            self.confirmed = Some(Confirmed { keys, at: attempt.started });
        }
    }

    /// The running fetch brought nothing, or nothing usable.
    pub(super) fn failed(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.running = false;
            self.failed = Some(attempt.started);
        }
    }

    /// The last good set, however old.
    pub(super) fn keys(&self) -> Option<&KeySet> {
        self.confirmed.as_ref().map(|confirmed| &confirmed.keys)
    }

    pub(super) fn status(&self, now: Timestamp) -> KeyStatus {
        let age_ms = self.confirmed.as_ref().map(|confirmed| now.millis_since(confirmed.at));
        KeyStatus {
            keys: self.confirmed.as_ref().map_or(0, |confirmed| confirmed.keys.len()),
            age_ms,
            usable: age_ms.is_some_and(|age| age <= self.stale_max_ms),
            alarm: age_ms.is_none_or(|age| age >= FRESH_MS),
        }
    }

    /// The set, where it may be used without asking first.
    fn believed(&self, now: Timestamp) -> Option<&KeySet> {
        let confirmed = self.confirmed.as_ref()?;
        let just_failed = self.failed.is_some_and(|at| within(now, at, FRESH_MS));
        let limit_ms = if just_failed { self.stale_max_ms } else { FRESH_MS };
        within(now, confirmed.at, limit_ms).then_some(&confirmed.keys)
    }

    /// Waits for a fetch, starting one where that is allowed; else the fault stands.
    fn ask(&mut self, now: Timestamp, fault: KeyFault) -> Answer {
        let fetch = self.start(now);
        let wait = fetch || self.attempt.is_some_and(|attempt| attempt.running);
        Answer { lookup: if wait { Lookup::Wait } else { Lookup::Missing(fault) }, fetch }
    }

    /// Marks a fetch as started, where none started within the interval. One that has not ended
    /// after that time is given up.
    fn start(&mut self, now: Timestamp) -> bool {
        if self.attempt.is_some_and(|attempt| within(now, attempt.started, INTERVAL_MS - 1)) {
            return false;
        }
        self.attempt = Some(Attempt { started: now, running: true });
        true
    }
}

/// Whether `then` is at most `span_ms` ago. A clock that was set back makes things future; beyond
/// the little that requests overtake each other, that counts as long ago.
fn within(now: Timestamp, then: Timestamp, span_ms: i64) -> bool {
    (-INTERVAL_MS..=span_ms).contains(&now.millis_since(then))
}

#[cfg(test)]
mod tests;
