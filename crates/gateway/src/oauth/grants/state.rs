//! What is held of one user's grant over time, as a machine without clock or network: moments come in,
//! and what to do goes out. What is in the vault is looked at again every few seconds, since the user, or
//! another gateway, may have changed it.

use std::{sync::Arc, time::Duration};

use lockgate_model::{Refusal, Timestamp};
use tokio::time::Instant;

use super::Grant;
use crate::oauth::held::{REPLACE_EVERY, RETRY_AFTER};

/// How long a grant is used without looking into the vault: a change of it takes effect within this time.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// One grant, or why there is none.
#[derive(Default)]
pub(super) struct State {
    grant: Option<Arc<Grant>>,
    read: Option<Instant>,
    failed: Option<(Instant, Refusal)>,
    /// Somebody is renewing it ahead of its end.
    renewing: bool,
    /// The version whose token the upstream refused.
    rejected: Option<u64>,
    replaced: Option<Instant>,
}

/// What to do.
pub(super) enum Look {
    /// Use it.
    Use(Arc<Grant>),
    /// Use it, and renew it beside.
    Renew(Arc<Grant>),
    /// Ask for it.
    Ask,
    /// Asking has just failed.
    Refuse(Refusal),
}

impl State {
    /// For a call that needs it now.
    pub(super) fn look(&mut self, now: Timestamp, at: Instant) -> Look {
        let rested = self.failed.as_ref().is_none_or(|(failed, _)| at >= *failed + RETRY_AFTER);
        let fresh = self.read.is_some_and(|read| at < read + FRESH);
        match self.grant.as_ref().filter(|grant| fresh && self.is_good(grant, now)) {
            Some(grant) if grant.is_due(now) && !self.renewing && rested => {
                self.renewing = true;
                Look::Renew(Arc::clone(grant))
            }
            Some(grant) => Look::Use(Arc::clone(grant)),
            None => match &self.failed {
                Some((_, refusal)) if !rested => Look::Refuse(refusal.clone()),
                _ => Look::Ask,
            },
        }
    }

    /// For somebody who decided at `since` to ask, and whose turn it is: others may have asked
    /// meanwhile.
    pub(super) fn look_again(&self, since: Instant, now: Timestamp) -> Look {
        if let Some(grant) = &self.grant
            && self.read.is_some_and(|read| read > since)
            && self.is_good(grant, now)
        {
            return Look::Use(Arc::clone(grant));
        }
        match &self.failed {
            Some((failed, refusal)) if *failed > since => Look::Refuse(refusal.clone()),
            _ => Look::Ask,
        }
    }

    /// It was read, or renewed.
    pub(super) fn got(&mut self, grant: Grant, at: Instant) -> Arc<Grant> {
        let grant = Arc::new(grant);
        self.grant = Some(Arc::clone(&grant));
        (self.read, self.failed, self.renewing) = (Some(at), None, false);
        grant
    }

    /// It was read and could not be renewed: it serves on to its end.
    pub(super) fn serves(&mut self, grant: Grant, at: Instant, refusal: Refusal) -> Arc<Grant> {
        let grant = self.got(grant, at);
        self.failed = Some((at, refusal));
        grant
    }

    /// It could not be had.
    pub(super) fn failed(&mut self, at: Instant, refusal: Refusal) {
        (self.failed, self.renewing) = (Some((at, refusal)), false);
    }

    /// The upstream refused a call with this `Authorization`: whether another may be tried.
    pub(super) fn reject(&mut self, sent: &[u8], at: Instant) -> bool {
        let Some(grant) = &self.grant else { return true };
        if grant.authorization.expose().as_bytes() != sent {
            return true;
        }
        let rested = self.replaced.is_none_or(|last| at >= last + REPLACE_EVERY);
        if !rested || grant.refresh.is_none() {
            return false;
        }
        (self.rejected, self.replaced) = (Some(grant.version), Some(at));
        true
    }

    /// The version whose token the upstream refused.
    pub(super) const fn rejected(&self) -> Option<u64> {
        self.rejected
    }

    /// Whether it was read a moment ago.
    pub(super) fn is_fresh(&self) -> bool {
        self.read.is_some_and(|read| read.elapsed() < FRESH)
    }

    fn is_good(&self, grant: &Grant, now: Timestamp) -> bool {
        now < grant.ends && self.rejected != Some(grant.version)
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::Reason;
    use lockgate_vault::Secret;

    use super::*;

    fn grant(version: u64, from_s: i64) -> Grant {
        let secret = |text: &str| Secret::of_text(format!("{text}{version}")).unwrap();
        Grant {
            version,
            authorization: secret("Bearer a"),
            refresh: Some(secret("r")),
            issuer: "https://as.example".into(),
            renew_at: at(from_s + 75),
            ends: at(from_s + 90),
            since: at(0),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn word(look: Look) -> String {
        match look {
            Look::Use(grant) => format!("use {}", grant.version),
            Look::Renew(grant) => format!("renew {}", grant.version),
            Look::Ask => "ask".into(),
            Look::Refuse(_) => "refuse".into(),
        }
    }

    fn no() -> Refusal {
        Refusal::new(Reason::CredentialIssuerUnreachable, "")
    }

    #[test]
    fn it_is_read_again_and_never_used_past_its_end() {
        let (zero, mut state) = (Instant::now(), State::default());
        let look = |state: &mut State, s: i64| {
            word(state.look(at(s), zero + Duration::from_secs(s.unsigned_abs())))
        };
        assert_eq!(look(&mut state, 0), "ask");
        state.got(grant(1, 0), zero);
        for (s, expected) in [(0, "use 1"), (4, "use 1"), (5, "ask"), (6, "ask")] {
            assert_eq!(look(&mut state, s), expected, "{s}");
        }
        let read = |s: u64| zero + Duration::from_secs(s);
        state.got(grant(1, 0), read(74));
        // One renews, the others go on; after a failure the next try is a second later.
        for (s, expected) in [(74, "use 1"), (75, "renew 1"), (75, "use 1")] {
            assert_eq!(look(&mut state, s), expected, "{s}");
        }
        state.serves(grant(1, 0), read(86), no());
        for (s, expected) in [(86, "use 1"), (87, "renew 1"), (88, "use 1"), (90, "ask")] {
            assert_eq!(look(&mut state, s), expected, "{s}");
        }
        state.failed(read(90), no());
        assert_eq!((look(&mut state, 90), look(&mut state, 91)), ("refuse".into(), "ask".into()));
        state.got(grant(2, 91), read(91));
        assert_eq!(look(&mut state, 92), "use 2");
    }

    #[test]
    fn who_waited_takes_what_others_were_told() {
        let (zero, mut state) = (Instant::now(), State::default());
        let later = zero + Duration::from_millis(10);
        state.failed(later, no());
        assert_eq!(word(state.look_again(zero, at(0))), "refuse");
        assert_eq!(word(state.look_again(later, at(0))), "ask");
        state.got(grant(1, 0), later);
        assert_eq!(word(state.look_again(zero, at(1))), "use 1");
        assert_eq!(word(state.look_again(later, at(1))), "ask", "it was read before");
        assert_eq!(word(state.look_again(zero, at(90))), "ask", "it has ended");
    }

    #[test]
    fn a_refused_token_is_replaced_at_most_so_often() {
        let (zero, mut state) = (Instant::now(), State::default());
        state.got(grant(1, 0), zero);
        assert!(state.reject(b"Bearer other", zero), "another one is held already");
        assert_eq!(word(state.look(at(0), zero)), "use 1");
        assert!(state.reject(b"Bearer a1", zero));
        assert_eq!((word(state.look(at(0), zero)), state.rejected()), ("ask".into(), Some(1)));
        state.got(grant(2, 0), zero);
        assert_eq!(word(state.look(at(0), zero)), "use 2");
        assert!(!state.reject(b"Bearer a2", zero), "too soon");
        assert!(state.reject(b"Bearer a2", zero + REPLACE_EVERY));
        state.got(Grant { refresh: None, ..grant(3, 0) }, zero);
        assert!(!state.reject(b"Bearer a3", zero + REPLACE_EVERY * 2), "there is no other");
    }
}
