//! Access taken away and given back: on the record first, then in the store, from which every gateway
//! learns of it within a second. An identity provider's word is taken here as an admin's is.

use std::sync::Arc;

use axum::body::Bytes;
use lockgate_model::{Event, Identity, Refusal, Revocation, RevocationsChange, RevocationsEvent};
use lockgate_store::revocations::{Revocations, RevocationsFault};

use crate::{
    console::Console,
    edge::Later,
    look::unavailable,
    problem::{Code, Problem},
};

/// What somebody's words revoke, where they may say so.
pub type Heard = Result<Vec<Revocation>, Refusal>;

/// What the process around the console knows of who is out.
pub struct Revoker {
    /// Where it is kept; `None` while that can't be had.
    pub store: Box<dyn Fn() -> Option<Arc<Revocations>> + Send + Sync>,
    /// Whether there is an issuer of this short name.
    pub knows: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Verifies a logout token or a security event with the keys of its issuer, and says what it
    /// revokes.
    pub hear: Box<dyn Fn(Bytes) -> Later<Heard> + Send + Sync>,
    /// Whether somebody who was let in is out by now.
    pub is_out: Box<dyn Fn(&Identity) -> bool + Send + Sync>,
}

/// Revokes, in the name of whoever made these. One that is there already is left as it stands.
///
/// # Errors
/// [`Code::RevocationsUnavailable`] and [`Code::JournalUnavailable`] where nothing happened,
/// [`Code::RevocationRefused`] where it can't be made.
pub(crate) async fn make(console: &Arc<Console>, all: Vec<Revocation>) -> Result<(), Problem> {
    let Some(by) = all.first().map(|one| one.by.clone()) else { return Ok(()) };
    let console = Arc::clone(console);
    // On a task of its own: a client that leaves in the middle must not leave half a change.
    let made = tokio::spawn(async move {
        let store = store(&console)?;
        record(&console, &by, RevocationsChange::Revoked(all.clone())).await?;
        let made = store.make(&all, console.now()).await;
        settled(&console, &by, made.map(drop)).await
    });
    made.await.map_err(|_| Code::Internal)?
}

/// Lifts one.
///
/// # Errors
/// [`Code::RevocationUnknown`], and as [`make`].
pub(crate) async fn lift(
    console: &Arc<Console>,
    id: String,
    by: String,
    reason: String,
) -> Result<(), Problem> {
    let console = Arc::clone(console);
    let lifted = tokio::spawn(async move {
        let store = store(&console)?;
        if store.get(&id).await?.is_none() {
            return Err(Code::RevocationUnknown.into());
        }
        record(&console, &by, RevocationsChange::Lifted { id: id.clone(), reason }).await?;
        let lifted = store.lift(&id, &by, console.now()).await;
        settled(&console, &by, lifted).await
    });
    lifted.await.map_err(|_| Code::Internal)?
}

/// Where they are kept, while that can be had.
pub(crate) fn store(console: &Console) -> Result<Arc<Revocations>, Problem> {
    (console.edge.revoker.store)().ok_or_else(|| Code::RevocationsUnavailable.into())
}

async fn settled(
    console: &Console,
    by: &str,
    made: Result<(), RevocationsFault>,
) -> Result<(), Problem> {
    let Err(fault) = made else { return Ok(()) };
    let change = RevocationsChange::Failed { why: fault.to_string() };
    // The failure itself is what the caller must learn.
    drop(record(console, by, change).await);
    Err(fault.into())
}

async fn record(console: &Console, by: &str, change: RevocationsChange) -> Result<(), Problem> {
    let event = Event::Revocations(RevocationsEvent { by: by.to_owned(), change });
    let recorded = (console.edge.keeper.append)(event).await;
    recorded.map(drop).map_err(|fault| unavailable(&fault))
}
