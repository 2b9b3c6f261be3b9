//! From a durable record to the right to send, once. Calls that wait for a person will wait here.

use std::sync::Arc;

use super::{intent::Recorded, outcome::OpenCall, respond::Stop};
use crate::{clearance::Clearance, session::Owner};

/// A call that may be sent.
pub struct Cleared {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// The right to send it.
    pub clearance: Clearance,
}

/// Clears the call.
///
/// # Errors
/// The verdict's own reason where it doesn't allow; `limit.sessions` where it would open a session
/// too many.
pub fn clear(recorded: Recorded) -> Result<Cleared, Stop> {
    let Recorded { caller, item, entry, gateway } = recorded;
    let clearance = entry.clear().map_err(|refusal| Stop::from(refusal).of(&item))?;
    let open = OpenCall::begin(gateway, caller, item, Arc::clone(clearance.call()))?;
    if open.item.call.method == "initialize" {
        let owner = Owner::new(&open.caller.identity, open.caller.connection.name());
        let limits = open.caller.snapshot.limits();
        if let Err(refusal) = open.gateway.sessions.admit(&owner, limits) {
            return Err(open.refuse(refusal));
        }
    }
    Ok(Cleared { open, clearance })
}
