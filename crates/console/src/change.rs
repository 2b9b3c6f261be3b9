//! Holding, releasing and erasing a session: on the record first, in force after.

use std::sync::Arc;

use lockgate_model::{KeptChange, KeptEvent};
use lockgate_store::journal::JournalFault;

use crate::{
    console::Console,
    gate::{Admin, Caller},
    look::unavailable,
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
/// [`Code::SessionUnknown`], [`Code::SessionElsewhere`], [`Code::ChangeRefused`],
/// [`Code::JournalUnavailable`] where nothing happened, [`Code::ChangeUnfinished`] where it is on
/// the record and was not done: asked again, it is done again.
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
    is_here(console, &session).await?;
    let kept = KeptEvent { by: caller.by(), change: change.of(session), reason };
    // One at a time: a hold must not come between an erasure's look for one and its end.
    let _changing = console.changing.lock().await;
    (console.edge.keeper.keep)(kept).await.map_err(|fault| match fault {
        JournalFault::Refused(why) => Problem::new(Code::ChangeRefused, why),
        fault @ JournalFault::Unavailable(_) => unavailable(&fault),
        fault => {
            tracing::error!(%fault, "a change is on the record, but was not made");
            Code::ChangeUnfinished.into()
        }
    })
}

/// Whether this node recorded the session.
async fn is_here(console: &Arc<Console>, session: &str) -> Result<(), Problem> {
    let (index, node) = (&console.edge.index, &console.edge.node);
    let row = index.session(session).await?.ok_or(Code::SessionUnknown)?;
    if row.node == *node {
        return Ok(());
    }
    let detail = format!("node `{}` recorded the session; ask its console", row.node);
    Err(Problem::new(Code::SessionElsewhere, detail))
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
