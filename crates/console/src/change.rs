//! Holding, releasing and erasing a session: on the record first, in force after.

use std::sync::Arc;

use lockgate_model::{Event, KeptChange, KeptEvent};

use crate::{
    console::Console,
    gate::{Admin, Caller},
    look::append,
    problem::{Code, Problem},
};

/// What an admin wants done with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Hold,
    Release,
    Erase,
}

/// Makes the change, and gives the sequence number under which it is on the record.
///
/// # Errors
/// [`Code::SessionUnknown`], [`Code::SessionElsewhere`], [`Code::SessionHeld`] for an erasure,
/// [`Code::JournalUnavailable`] where nothing happened, [`Code::Internal`] where an erasure is on
/// the record but the key is still there: asked again, it is done again.
pub(crate) async fn make(
    admin: Admin,
    change: Change,
    session: String,
    reason: String,
) -> Result<u64, Problem> {
    let Admin(caller) = admin;
    // On a task of its own: a client that leaves in the middle must not leave half a change.
    let made = tokio::spawn(async move { make_whole(&caller, change, session, reason).await });
    made.await.map_err(|_| Code::Internal)?
}

async fn make_whole(
    caller: &Caller,
    change: Change,
    session: String,
    reason: String,
) -> Result<u64, Problem> {
    let console = caller.console();
    let _changing = console.changing.lock().await;
    let held = is_held(console, &session).await?;
    if change == Change::Erase && held {
        return Err(Code::SessionHeld.into());
    }
    let kept = KeptEvent { by: caller.by(), change: change.of(session.clone()), reason };
    let seq = append(console, Event::Kept(kept)).await?;
    if change == Change::Erase {
        (console.edge.keeper.erase)(session).await.map_err(|fault| {
            tracing::error!(%fault, "an erasure is on the record, but the key is still there");
            Problem::new(Code::Internal, "the key is still there; ask again")
        })?;
    }
    Ok(seq)
}

/// Whether the session is held: as the index has it, corrected by what it does not have yet.
async fn is_held(console: &Arc<Console>, session: &str) -> Result<bool, Problem> {
    let (index, node) = (&console.edge.index, &console.edge.node);
    // Asked before the row, so that what comes between is read twice rather than not at all.
    let applied = index.applied(node).await?;
    let row = index.session(session).await?.ok_or(Code::SessionUnknown)?;
    if row.node != *node {
        let detail = format!("node `{}` recorded the session; ask its console", row.node);
        return Err(Problem::new(Code::SessionElsewhere, detail));
    }
    let since = console.recording.held_since(applied, session).await?;
    Ok(since.unwrap_or(row.held))
}

impl Change {
    fn of(self, session: String) -> KeptChange {
        match self {
            Self::Hold => KeptChange::Hold { session },
            Self::Release => KeptChange::Release { session },
            Self::Erase => KeptChange::Erase { session },
        }
    }

    /// In one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Erase => "erase",
        }
    }
}
