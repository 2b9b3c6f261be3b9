//! One token that many want. Whoever finds none asks, in a task of its own, so that a caller who goes
//! away takes nothing with him; those who ask at the same time wait for the first.
//!
//! Knows neither how a token is got nor for whom it is.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lockgate_model::{ConnectionName, Reason, Refusal};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::held::{Held, Look, Token};

/// Everything that getting a token takes must have come within this time.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(15);

/// A token, or the place for one.
#[derive(Default)]
pub(super) struct Slot {
    held: Mutex<Held>,
    turn: tokio::sync::Mutex<()>,
}

impl Slot {
    /// A token that can be used now; waits only where there is none. `question` brings another one, and is
    /// asked for only where that is due.
    ///
    /// # Errors
    /// What the question brought instead, now or just before, or
    /// [`Reason::CredentialIssuerUnreachable`] where it took too long.
    pub(super) async fn token<F>(
        self: &Arc<Self>,
        connection: &ConnectionName,
        question: impl FnOnce() -> F,
    ) -> Result<Arc<Token>, Refusal>
    where
        F: Future<Output = Result<Token, Refusal>> + Send + 'static,
    {
        let now = Instant::now();
        let look = self.held().look(now);
        match look {
            Look::Use(token) => Ok(token),
            Look::Renew(token) => {
                drop(self.ask(now, connection.clone(), question()));
                Ok(token)
            }
            Look::Ask => self
                .ask(now, connection.clone(), question())
                .await
                .map_err(|_| Refusal::new(Reason::Internal, "getting a token was cut off"))?,
            Look::Refuse(refusal) => Err(refusal),
        }
    }

    /// Notes that the upstream refused a call with this `Authorization`, and tells whether another
    /// token may be tried.
    pub(super) fn reject(&self, sent: &[u8]) -> bool {
        self.held().reject(sent, Instant::now())
    }

    fn ask<F>(
        self: &Arc<Self>,
        since: Instant,
        connection: ConnectionName,
        question: F,
    ) -> JoinHandle<Result<Arc<Token>, Refusal>>
    where
        F: Future<Output = Result<Token, Refusal>> + Send + 'static,
    {
        let slot = Arc::clone(self);
        tokio::spawn(async move {
            let _turn = slot.turn.lock().await;
            let look = slot.held().look_again(since, Instant::now());
            match look {
                Look::Use(token) | Look::Renew(token) => return Ok(token),
                Look::Refuse(refusal) => return Err(refusal),
                Look::Ask => {}
            }
            let late = |_| {
                let detail = format!("no token within {} s", WAIT_MAX.as_secs());
                Refusal::new(Reason::CredentialIssuerUnreachable, detail)
            };
            let asked = timeout(WAIT_MAX, question).await.map_err(late);
            match asked.and_then(|asked| asked) {
                Ok(token) => {
                    let token = Arc::new(token);
                    slot.held().got(Arc::clone(&token));
                    Ok(token)
                }
                Err(refusal) => {
                    tracing::warn!(connection = connection.as_str(), %refusal, "no token");
                    slot.held().failed(Instant::now(), refusal.clone());
                    Err(refusal)
                }
            }
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
