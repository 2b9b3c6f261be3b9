//! The one try. Whatever comes of it, nothing is sent again: a call that may have run is never
//! repeated (I25).

use super::{arm::Armed, outcome::OpenCall, respond::Stop};
use crate::upstream::Answer;

/// A call with the head of its answer.
pub struct Sent {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// What the upstream answered, unfiltered.
    pub answer: Answer,
}

/// Sends the call.
///
/// # Errors
/// A refusal of the send stage.
pub async fn send(armed: Armed) -> Result<Sent, Stop> {
    let Armed { open, clearance, outgoing } = armed;
    let item = &open.item;
    open.gateway.metrics.call(open.caller.connection.name(), &item.call.action, item.call.era);
    match open.caller.connection.upstream.send(clearance, outgoing).await {
        Ok(answer) => Ok(Sent { open, answer }),
        Err(refusal) => Err(open.fail(refusal)),
    }
}
