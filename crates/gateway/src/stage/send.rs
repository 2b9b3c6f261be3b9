//! The one try. A call that may have run is never repeated (I25): where its stream broke, where no
//! answer came, where it was refused for any other reason. Only a 401 says that nothing was done with a
//! call; then one more try is made with another token, under the same clearance, and on record first.

use std::sync::Arc;

use lockgate_model::{Event, Reason, Refusal, ResentEvent};
use lockgate_store::journal::Journal;

use super::{
    arm::{Armed, Credential, Whose},
    intent::unavailable,
    outcome::OpenCall,
    respond::Stop,
};
use crate::{
    clearance::Clearance,
    clock,
    upstream::{Answer, Outgoing, Unanswered, Upstream},
};

/// A call with the head of its answer.
pub struct Sent {
    /// What must be recorded of its end.
    pub open: OpenCall,
    /// What the upstream answered, unfiltered.
    pub answer: Answer,
}

/// The way to one upstream.
pub struct Way<'a> {
    /// The upstream.
    pub upstream: &'a Upstream,
    /// What it is shown.
    pub credential: &'a Credential,
    /// For whom.
    pub whose: Whose<'a>,
    /// Where a second try is recorded.
    pub journal: &'a Journal,
    /// The recorded session that the call belongs to.
    pub session: Option<String>,
}

/// Sends the call.
///
/// # Errors
/// A refusal of the send stage; `access.revoked` where its caller is put out meanwhile.
pub async fn send(armed: Armed) -> Result<Sent, Stop> {
    let Armed { open, clearance, outgoing } = armed;
    let item = &open.item;
    open.gateway.metrics.call(open.caller.connection.name(), &item.call.action, item.call.era);
    let way = Way {
        upstream: &open.caller.connection.upstream,
        credential: &open.caller.connection.credential,
        whose: Whose::Caller(&open.caller),
        journal: &open.gateway.ground.journal,
        session: open.recording(),
    };
    let answered = tokio::select! {
        biased;
        // Dropping the exchange tells the upstream, as far as it can be told.
        refusal = open.revoked() => Err(refusal),
        answered = way.send(clearance, outgoing) => Ok(answered),
        refusal = Arc::clone(&open.caller).parted() => Err(refusal),
    };
    match answered {
        Ok(Ok(answer)) => Ok(Sent { open, answer }),
        Ok(Err(refusal)) => Err(open.fail(refusal)),
        Err(refusal) => Err(open.cut(refusal)),
    }
}

impl Way<'_> {
    /// Sends what was armed; once more with another token where the upstream answers 401.
    ///
    /// # Errors
    /// A refusal of the send stage, or of the arm stage where no other token can be had.
    pub async fn send(&self, clearance: Clearance, outgoing: Outgoing) -> Result<Answer, Refusal> {
        let kept = self.credential.is_renewable().then(|| outgoing.clone());
        let Unanswered { refusal, again } = match self.upstream.send(clearance, outgoing).await {
            Ok(answer) => return Ok(answer),
            Err(unanswered) => unanswered,
        };
        let (Some(clearance), Some(mut outgoing)) = (again, kept) else { return Err(refusal) };
        if !self.credential.arm_again(&mut outgoing.headers, self.whose).await? {
            return Err(refusal);
        }
        let resent = ResentEvent {
            call: clearance.call().to_string(),
            session: self.session.clone(),
            reason: Reason::UpstreamUnauthorized,
        };
        self.journal.append(clock::now(), &Event::Resent(resent)).map_err(unavailable)?;
        self.upstream.send(clearance, outgoing).await.map_err(|unanswered| unanswered.refusal)
    }
}
