//! Access for a window of time, kept as the approval that it is: asked for or taken, and looked for when
//! a call is held.

use lockgate_model::{Access, Act, Approval, Digest, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{ApprovalFault, Approvals, rows};

impl Approvals {
    /// Keeps a request for access, or what was taken in an emergency.
    ///
    /// # Errors
    /// [`ApprovalFault::TooMany`] where its owner has `live_max` live ones,
    /// [`ApprovalFault::Busy`] where the very same is there, and [`ApprovalFault::Db`].
    pub async fn request(&self, access: &Approval, live_max: u32) -> Result<(), ApprovalFault> {
        let tx = self.pools.begin().await?;
        if self.add(tx, access, live_max).await? { Ok(()) } else { Err(ApprovalFault::Busy) }
    }

    /// How many emergencies are in force, or wait for people to look at them.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn emergencies(&self) -> Result<u64, ApprovalFault> {
        Ok(rows::emergencies(&self.pools).await?)
    }

    /// Access of a caller to a connection that is in force at `now`, the oldest first.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn in_force(
        &self,
        caller: &str,
        connection: &str,
        now: Timestamp,
    ) -> Result<Vec<Approval>, ApprovalFault> {
        let mut found = Vec::new();
        for kept in rows::in_force(&self.pools, caller, connection).await? {
            let approval = kept.approval.apply(&Act::Look, now)?;
            if approval.is_in_force() {
                found.push(approval);
            }
        }
        Ok(found)
    }
}

/// What an answer to a request for access is about: SHA-256 of it in its canonical form.
pub fn content_digest(access: &Access) -> Digest {
    Digest::from_bytes(Sha256::digest(access.canonical()).into())
}
