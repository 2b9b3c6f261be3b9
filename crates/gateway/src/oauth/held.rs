//! What is known of one token over time, as a machine without clock or network: moments come in, and
//! what to do goes out. A token is never used past its end, and never renewed without bound.

use std::{sync::Arc, time::Duration};

use lockgate_model::Refusal;
use lockgate_vault::Secret;
use tokio::time::Instant;

/// How long a token lives whose end the authorization server does not tell.
const LIFETIME_UNTOLD: Duration = Duration::from_secs(300);
/// No token is kept longer than this.
const LIFETIME_MAX: Duration = Duration::from_secs(86_400);
/// A token is not used in the last tenth of its life, and never in its last seconds: it has a way to go.
const MARGIN_MAX: Duration = Duration::from_secs(10);
/// After a failure nothing is asked for so long, unless something new happened.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A token that the upstream refuses is replaced at most this often.
pub(super) const REPLACE_EVERY: Duration = Duration::from_secs(5);

/// An access token.
pub struct Token {
    /// The whole value of `Authorization`.
    pub authorization: Secret,
    renew_at: Instant,
    ends: Instant,
}

/// One token, or why there is none.
#[derive(Default)]
pub(super) struct Held {
    token: Option<Arc<Token>>,
    failed: Option<(Instant, Refusal)>,
    /// Somebody is renewing it ahead of its end.
    renewing: bool,
    replaced: Option<Instant>,
}

/// What to do.
pub(super) enum Look {
    /// Use it.
    Use(Arc<Token>),
    /// Use it, and renew it beside; whoever is told so must call [`Held::got`] or [`Held::failed`].
    Renew(Arc<Token>),
    /// Ask for one.
    Ask,
    /// Asking has just failed.
    Refuse(Refusal),
}

impl Token {
    /// A token that was asked for at `asked` and lives for `lifetime`; `None` where that is too short
    /// to be used.
    pub(super) fn new(
        authorization: Secret,
        asked: Instant,
        lifetime: Option<Duration>,
    ) -> Option<Self> {
        let (renewed_after, ends_after) = span(lifetime)?;
        Some(Self { authorization, renew_at: asked + renewed_after, ends: asked + ends_after })
    }
}

/// After which times a token is renewed, and not used any more, by how long it is told to live; `None`
/// where that is too short to be used.
pub(super) fn span(lifetime: Option<Duration>) -> Option<(Duration, Duration)> {
    let lifetime = lifetime.unwrap_or(LIFETIME_UNTOLD).min(LIFETIME_MAX);
    let ends_after = lifetime - (lifetime / 10).min(MARGIN_MAX);
    (lifetime >= Duration::from_secs(1)).then_some((lifetime * 3 / 4, ends_after))
}

impl Held {
    /// For a call that needs it now.
    pub(super) fn look(&mut self, now: Instant) -> Look {
        let rested = self.rested(now);
        match self.token.as_ref().filter(|token| now < token.ends) {
            Some(token) if now >= token.renew_at && !self.renewing && rested => {
                self.renewing = true;
                Look::Renew(Arc::clone(token))
            }
            Some(token) => Look::Use(Arc::clone(token)),
            None => match &self.failed {
                Some((_, refusal)) if !rested => Look::Refuse(refusal.clone()),
                _ => Look::Ask,
            },
        }
    }

    /// For somebody who decided at `since` to ask, and whose turn it is: others may have asked
    /// meanwhile.
    pub(super) fn look_again(&self, since: Instant, now: Instant) -> Look {
        if let Some((at, refusal)) = &self.failed
            && *at > since
        {
            return Look::Refuse(refusal.clone());
        }
        match &self.token {
            Some(token) if now < token.renew_at => Look::Use(Arc::clone(token)),
            _ => Look::Ask,
        }
    }

    /// Asking brought a token.
    pub(super) fn got(&mut self, token: Arc<Token>) {
        (self.token, self.failed, self.renewing) = (Some(token), None, false);
    }

    /// Asking brought none. The one that is held serves on to its end, and not beyond.
    pub(super) fn failed(&mut self, now: Instant, refusal: Refusal) {
        (self.failed, self.renewing) = (Some((now, refusal)), false);
    }

    /// The upstream refused a call with this `Authorization`: whether another may be tried.
    pub(super) fn reject(&mut self, sent: &[u8], now: Instant) -> bool {
        let current = self.token.as_ref();
        if current.is_none_or(|token| token.authorization.expose().as_bytes() != sent) {
            // It was replaced meanwhile, or is being.
            return true;
        }
        if self.replaced.is_some_and(|at| now < at + REPLACE_EVERY) {
            return false;
        }
        (self.token, self.replaced) = (None, Some(now));
        true
    }

    /// Whether the last failure is long enough ago to try again.
    fn rested(&self, now: Instant) -> bool {
        self.failed.as_ref().is_none_or(|(at, _)| now >= *at + RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use lockgate_model::{Reason, Refusal};
    use lockgate_vault::Secret;
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::{Held, Look, REPLACE_EVERY, Token};

    fn token(text: &str, asked: Instant, lifetime_s: u64) -> Arc<Token> {
        let secret = Secret::of_text(text.to_owned()).unwrap();
        Arc::new(Token::new(secret, asked, Some(Duration::from_secs(lifetime_s))).unwrap())
    }

    fn no() -> Refusal {
        Refusal::new(Reason::CredentialIssuerUnreachable, "no")
    }

    fn word(look: Look) -> &'static str {
        match look {
            Look::Use(_) => "use",
            Look::Renew(_) => "renew",
            Look::Ask => "ask",
            Look::Refuse(_) => "refuse",
        }
    }

    #[test]
    fn a_token_is_renewed_ahead_and_never_used_past_its_end() {
        let zero = Instant::now();
        let at = |s: u64| zero + Duration::from_secs(s);
        let mut held = Held::default();
        assert_eq!(word(held.look(zero)), "ask");
        held.got(token("a", zero, 100));
        for (s, expected) in [(0, "use"), (74, "use"), (75, "renew"), (76, "use")] {
            assert_eq!(word(held.look(at(s))), expected, "{s}");
        }
        held.failed(at(77), no());
        // The next try is a second later; the old token serves meanwhile, up to its end.
        for (s, expected) in [(77, "use"), (78, "renew"), (79, "use"), (89, "use"), (90, "ask")] {
            assert_eq!(word(held.look(at(s))), expected, "{s}");
        }
        held.failed(at(90), no());
        assert_eq!(word(held.look(at(90))), "refuse");
        assert_eq!(word(held.look(at(91))), "ask");
        assert!(
            Token::new(Secret::of_text("a".to_owned()).unwrap(), zero, Some(Duration::ZERO))
                .is_none()
        );
    }

    #[test]
    fn who_waited_takes_what_others_were_told() {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let mut held = Held::default();
        held.failed(at(10), no());
        assert_eq!(word(held.look_again(zero, at(11))), "refuse");
        assert_eq!(word(held.look_again(at(11), at(12))), "ask");
        held.got(token("a", zero, 100));
        assert_eq!(word(held.look_again(zero, at(20))), "use");
        // Renewing ahead asks although the old one could be used.
        assert_eq!(word(held.look_again(zero, at(75_000))), "ask");
    }

    #[test]
    fn a_refused_token_is_replaced_at_most_so_often() {
        let zero = Instant::now();
        let mut held = Held::default();
        held.got(token("a", zero, 100));
        assert!(held.reject(b"a", zero), "dropped");
        assert_eq!(word(held.look(zero)), "ask");
        assert!(held.reject(b"a", zero), "somebody else's is on its way");
        held.got(token("b", zero, 100));
        assert!(held.reject(b"a", zero), "b is another");
        assert_eq!(word(held.look(zero)), "use");
        assert!(!held.reject(b"b", zero), "too soon");
        assert!(held.reject(b"b", zero + REPLACE_EVERY));
    }

    proptest! {
        #[test]
        fn no_history_gives_a_token_that_is_over(
            steps in prop::collection::vec((0_u64..40, 0_u8..4, 1_u64..120), 1..60),
        ) {
            let zero = Instant::now();
            let (mut held, mut now, mut over) = (Held::default(), 0, 0);
            for (wait, act, lifetime) in steps {
                now += wait;
                let at = zero + Duration::from_secs(now);
                match act {
                    0 => {
                        held.got(token("a", at, lifetime));
                        over = now + lifetime;
                    }
                    1 => held.failed(at, no()),
                    2 => drop(held.reject(b"a", at)),
                    _ => if let Look::Use(_) | Look::Renew(_) = held.look(at) {
                        prop_assert!(now < over);
                    }
                }
            }
        }
    }
}
