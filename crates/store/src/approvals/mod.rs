//! Approvals, kept: asked once for each subject, changed by compare-and-set, used once.
//!
//! The machine is [`lockgate_model::Approval`]; this room keeps what it gives. Every change names
//! the version that it was made from, so that of two at once one wins and the other is tried again
//! on what it left: nothing is decided on a row that has changed. A change is durable when the call
//! returns (SQLite with `synchronous=FULL`, PostgreSQL by its own word).
//!
//! Holds no arguments: the record does, sealed, under the call that asked.

mod fault;
mod rows;
mod watch;

use lockgate_model::{Access, Act, Approval, Digest, State, Subject, Terms, Timestamp};
use sha2::{Digest as _, Sha256};

pub use fault::ApprovalFault;
pub use rows::{ApprovalFilter, Counts};
pub use watch::Waiter;

use self::{rows::Kept, watch::Changes};
use crate::db::{
    self, DbPlace, Migration, Schema,
    conn::{Pools, Tx},
};

const SCHEMA: Schema = Schema {
    what: "approvals",
    table: "_approvals_migrations",
    migrations: &[Migration {
        number: 1,
        description: "approvals",
        sqlite: include_str!("../../migrations/approvals/sqlite/0001_approvals.sql"),
        postgres: include_str!("../../migrations/approvals/postgres/0001_approvals.sql"),
    }],
};

/// A change that others overtook is tried again so often; more than all who may vote at once.
const TRIES_MAX: usize = 64;
/// Most that are listed at once.
pub const LIST_MAX: u32 = 500;

/// Where approvals are kept. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Approvals {
    pools: Pools,
    changes: Changes,
}

/// What a question led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The approval.
    pub approval: Approval,
    /// Whether this call asked first.
    pub new: bool,
}

impl Approvals {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn open(place: &DbPlace) -> Result<Self, ApprovalFault> {
        let pools = db::open(place, &SCHEMA).await?;
        Ok(Self { pools, changes: Changes::default() })
    }

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
            if let Some(kept) = rows::latest(&mut tx, key).await? {
                let approval = kept.approval.apply(&Act::Look, now)?;
                let stands = matches!(approval.state, State::Rejected { .. })
                    && approval.touched_at < approval.terms.answer_by;
                if !approval.is_closed() || stands {
                    return Ok(Asked { approval, new: false });
                }
                if kept.approval.state != approval.state
                    && !rows::replace(&mut tx, &kept, &approval).await?
                {
                    continue;
                }
            }
            if rows::live(&mut tx, &subject.caller()).await? >= live_max.into() {
                return Err(ApprovalFault::TooMany { live_max });
            }
            let (subject, terms) = (subject.clone(), terms.clone());
            let approval = Approval::ask(id.to_owned(), subject, terms, call.to_owned(), now);
            // Whoever asked at the same time has made it: look again.
            if rows::insert(&mut tx, key, &approval).await? {
                tx.commit().await?;
                self.changes.tell(id);
                return Ok(Asked { approval, new: true });
            }
        }
        Err(ApprovalFault::Busy)
    }

    /// Keeps a request for access, or what was taken in an emergency.
    ///
    /// # Errors
    /// [`ApprovalFault::TooMany`] where its owner has `live_max` live ones,
    /// [`ApprovalFault::Busy`] where the very same is there, and [`ApprovalFault::Db`].
    pub async fn request(&self, access: &Approval, live_max: u32) -> Result<(), ApprovalFault> {
        let mut tx = self.pools.begin().await?;
        if rows::live(&mut tx, &access.subject.caller()).await? >= live_max.into() {
            return Err(ApprovalFault::TooMany { live_max });
        }
        if !rows::insert(&mut tx, subject_key(&access.subject), access).await? {
            return Err(ApprovalFault::Busy);
        }
        tx.commit().await?;
        self.changes.tell(&access.id);
        Ok(())
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

    /// Approvals, the newest first, at most [`LIST_MAX`].
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn list(
        &self,
        filter: &ApprovalFilter,
        now: Timestamp,
    ) -> Result<Vec<Approval>, ApprovalFault> {
        let kept = rows::list(&self.pools, filter).await?;
        kept.iter().map(|kept| Ok(kept.approval.apply(&Act::Look, now)?)).collect()
    }

    /// How often calls of this target were decided before.
    ///
    /// # Errors
    /// [`ApprovalFault::Db`].
    pub async fn counts(&self, subject: &Subject) -> Result<Counts, ApprovalFault> {
        Ok(rows::counts(&self.pools, subject).await?)
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

    /// Learns of every change that this process makes to the approval `of`, or to any. Changes of
    /// others show when the waiter looks anyway: after a second, and later where many wait.
    pub fn waiter(&self, of: Option<&str>) -> Waiter {
        self.changes.waiter(of)
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pools.close().await;
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

/// What an answer to a request for access is about: SHA-256 of it in its canonical form.
pub fn content_digest(access: &Access) -> Digest {
    Digest::from_bytes(Sha256::digest(access.canonical()).into())
}

/// Under what a subject is looked for: SHA-256 of all its parts.
fn subject_key(subject: &Subject) -> Digest {
    // Parts stand in JSON, so that none can reach into the next.
    let text = serde_json::to_vec(subject).unwrap_or_default();
    Digest::from_bytes(Sha256::digest(text).into())
}
