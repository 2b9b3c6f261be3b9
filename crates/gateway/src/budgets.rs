//! What permits with a budget still permit: one use at a time is taken of it, before the call that goes by
//! it is on record. Where that can't be counted, the permit permits nothing.
//!
//! Decides nothing about budgets: which there are, policy says.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use lockgate_model::{Identity, Reason, Refusal, Timestamp};
use lockgate_rules::policy::Budget;
use lockgate_store::budgets::{Budgets as Store, Window};

/// Used-up windows that are remembered, so that nobody has to be asked about them.
const KNOWN_MAX: usize = 10_000;

/// The budgets of one gateway.
#[derive(Debug, Default)]
pub struct Budgets {
    store: OnceLock<Arc<Store>>,
    /// With how much there was of it.
    used_up: Mutex<HashSet<(Window, u32)>>,
}

impl Budgets {
    /// Counts in this store from now on.
    pub fn count_in(&self, store: Arc<Store>) {
        // Set once, when it is opened.
        drop(self.store.set(store));
    }

    /// Uses one of the first budget that has something left.
    ///
    /// # Errors
    /// [`Reason::BudgetSpent`] where none has, and [`Reason::BudgetUnavailable`] where that can't be said.
    pub async fn spend(
        &self,
        budgets: &[&Budget],
        identity: &Identity,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut again = Timestamp::from_millis(i64::MAX);
        for budget in budgets {
            let window = window(budget, identity, now);
            again = again.min(window.ends);
            let known = (window, budget.most);
            if self.known().contains(&known) {
                continue;
            }
            if self.store()?.spend(&known.0, budget.most).await.map_err(unavailable)? {
                return Ok(());
            }
            let mut used_up = self.known();
            if used_up.len() >= KNOWN_MAX {
                used_up.clear();
            }
            used_up.insert(known);
        }
        let left_s = again.millis_since(now) / 1000 + 1;
        let detail = format!("the budget is used up; it begins anew in {left_s} s");
        Err(Refusal::new(Reason::BudgetSpent, detail))
    }

    /// Forgets what is over.
    pub async fn sweep(&self, now: Timestamp) {
        self.known().retain(|(window, _)| window.ends > now);
        if let Some(store) = self.store.get()
            && let Err(fault) = store.sweep(now).await
        {
            tracing::warn!(%fault, "what budgets are over can't be taken away");
        }
    }

    fn store(&self) -> Result<&Arc<Store>, Refusal> {
        self.store.get().ok_or_else(|| unavailable("budgets can't be counted yet"))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<(Window, u32)>> {
        // Every change is whole before the lock is released.
        self.used_up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The window of a budget in which `now` is.
fn window(budget: &Budget, identity: &Identity, now: Timestamp) -> Window {
    let length = i64::try_from(budget.window_ms).unwrap_or(i64::MAX).max(1);
    let begins = now.millis() - now.millis().rem_euclid(length);
    Window {
        policy: budget.policy.clone(),
        issuer: identity.issuer.clone(),
        subject: identity.subject.clone(),
        begins: Timestamp::from_millis(begins),
        ends: Timestamp::from_millis(begins.saturating_add(length)),
    }
}

fn unavailable(why: impl std::fmt::Display) -> Refusal {
    Refusal::new(Reason::BudgetUnavailable, why.to_string())
}
