//! A question asked once, and every change of it by compare-and-set: what is written names the version
//! that it was made from, is durable before anybody is told, and is tried again where others were
//! faster.
//!
//! `tests/raced` runs this file and `watch.rs`, as they are, in every order of their steps; so it names
//! no database of its own, only what stands beside it.

use lockgate_model::{Act, Approval, Digest, State, Subject, Terms, Timestamp};
use sha2::{Digest as _, Sha256};

use super::{
    ApprovalFault, Approvals, Asked,
    rows::{self, Kept},
};
use crate::db::conn::Tx;

/// A change that others overtook is tried again so often; more than all who may vote at once.
const TRIES_MAX: usize = 64;

impl Approvals {
    /// The one live question about `subject`, or a new one. `id` is used for a new one only.
    ///
    /// A rejection stands for the rest of the time in which the question could have been answered, so
    /// that asking again is no way to wear reviewers down.
    ///
    /// # Errors
    /// [`ApprovalFault::TooMany`] where its caller has `live_max` live ones, and
    /// [`ApprovalFault::Db`].
    pub async fn ask(
        &self,
        id: &str,
        subject: &Subject,
        terms: &Terms,
        call: &str,
        now: Timestamp,
        live_max: u32,
    ) -> Result<Asked, ApprovalFault> {
        let key = subject_key(subject);
        for _ in 0..TRIES_MAX {
            let mut tx = self.pools.begin().await?;
            let mut ended = None;
            if let Some(kept) = rows::latest(&mut tx, key).await? {
                let approval = kept.approval.apply(&Act::Look, now)?;
                let stands = matches!(approval.state, State::Rejected { .. })
                    && approval.touched_at < approval.terms.answer_by;
                if !approval.is_closed() || stands {
                    return Ok(Asked { approval, new: false });
                }
                if kept.approval.state != approval.state {
                    if !rows::replace(&mut tx, &kept, &approval).await? {
                        continue;
                    }
                    ended = Some(approval.id);
                }
            }
            let (subject, terms) = (subject.clone(), terms.clone());
            let approval = Approval::ask(id.to_owned(), subject, terms, call.to_owned(), now);
            // Whoever asked at the same time has made it: look again.
            if self.add(tx, &approval, live_max).await? {
                ended.into_iter().for_each(|ended| self.changes.tell(&ended));
                return Ok(Asked { approval, new: true });
            }
        }
        Err(ApprovalFault::Busy)
    }

    /// Puts a new one, if its subject has no live one.
    pub(super) async fn add(
        &self,
        mut tx: Tx,
        approval: &Approval,
        live_max: u32,
    ) -> Result<bool, ApprovalFault> {
        let subject = &approval.subject;
        if rows::live(&mut tx, &subject.caller()).await? >= live_max.into() {
            return Err(ApprovalFault::TooMany { live_max });
        }
        if !rows::insert(&mut tx, subject_key(subject), approval).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.changes.tell(&approval.id);
        Ok(true)
    }

    /// Applies an act to the approval as it is by then.
    ///
    /// # Errors
    /// [`ApprovalFault::Unknown`], [`ApprovalFault::Act`] with why it is refused,
    /// [`ApprovalFault::Busy`] where others were faster too often, [`ApprovalFault::Db`].
    pub async fn act(
        &self,
        id: &str,
        act: &Act,
        now: Timestamp,
    ) -> Result<Approval, ApprovalFault> {
        for _ in 0..TRIES_MAX {
            let mut tx = self.pools.begin().await?;
            let kept = rows::by_id(&mut tx, id).await?.ok_or(ApprovalFault::Unknown)?;
            // What time has ended stays ended, also where the act is refused for it and the clock is
            // set back after.
            let looked = kept.approval.apply(&Act::Look, now)?;
            if looked.state != kept.approval.state {
                self.put(tx, &kept, &looked).await?;
                continue;
            }
            let next = kept.approval.apply(act, now)?;
            if next == kept.approval {
                return Ok(next);
            }
            if self.put(tx, &kept, &next).await? {
                return Ok(next);
            }
        }
        Err(ApprovalFault::Busy)
    }

    /// One approval, as it is at `now`.
    ///
    /// # Errors
    /// [`ApprovalFault::Unknown`] and [`ApprovalFault::Db`].
    pub async fn get(&self, id: &str, now: Timestamp) -> Result<Approval, ApprovalFault> {
        let kept = rows::read(&self.pools, id).await?.ok_or(ApprovalFault::Unknown)?;
        Ok(kept.approval.apply(&Act::Look, now)?)
    }

    /// Puts on the rows what time did to them; gives those that ended. To be called every second or
    /// so: nothing waits for it to be right, but lists and waiters learn of it.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn sweep(&self, now: Timestamp) -> Result<Vec<Approval>, ApprovalFault> {
        let mut ended = Vec::new();
        for kept in rows::due(&self.pools, now).await? {
            let next = kept.approval.apply(&Act::Look, now)?;
            let tx = self.pools.begin().await?;
            if next != kept.approval && self.put(tx, &kept, &next).await? {
                ended.push(next);
            }
        }
        Ok(ended)
    }

    /// Puts `next` in the place of `kept`, if it still stands there.
    async fn put(&self, mut tx: Tx, kept: &Kept, next: &Approval) -> Result<bool, ApprovalFault> {
        if !rows::replace(&mut tx, kept, next).await? {
            return Ok(false);
        }
        tx.commit().await?;
        self.changes.tell(&next.id);
        Ok(true)
    }
}

/// Under what a subject is looked for: SHA-256 of all its parts.
fn subject_key(subject: &Subject) -> Digest {
    // Parts stand in JSON, so that none can reach into the next.
    let text = serde_json::to_vec(subject).unwrap_or_default();
    Digest::from_bytes(Sha256::digest(text).into())
}
