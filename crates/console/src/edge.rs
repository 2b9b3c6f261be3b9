//! What the console needs of the process around it: who a token is, and the one journal.
//!
//! Given at construction, because the console may not know the room that verifies tokens, and does
//! not own the journal that it reads.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use http::HeaderMap;
use lockgate_model::{ConnectionName, Event, Identity, KeptEvent, Lift, Refusal, Timestamp};
use lockgate_store::{
    approvals::Approvals,
    index::Index,
    journal::{Elsewhere, Journal, JournalFault, Keys, SignedHead},
    notify::Slack,
    pins::PinFolder,
};

use crate::{
    connect::Connect, door::Login, registrar::Registrar, revoke::Revoker, scim::Provisioner,
};

/// What is known later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Verifies the caller. Gets the request's `Authorization` lines as they came, however many, and
/// nothing else of it; must be the verifier of the data path, with the admin API's own issuers and
/// audience.
pub type Verify = Box<dyn Fn(HeaderMap) -> Later<Result<Arc<Identity>, Refusal>> + Send + Sync>;

/// What the policies offer somebody who wants access to a connection, or to one tool of it, for a
/// window of time; the last word is whether it is taken in an emergency. `None` where they offer
/// nothing.
pub type Offers =
    Box<dyn Fn(&Identity, &ConnectionName, Option<&str>, bool) -> Option<Offer> + Send + Sync>;

/// Access that somebody may have.
pub struct Offer {
    /// Whose word it takes, and about which policies.
    pub lift: Lift,
    /// It can be had for at most so long, in milliseconds.
    pub most_ms: u64,
    /// They have so long to answer, in milliseconds.
    pub answer_ms: u64,
    /// Questions that one identity may have open.
    pub live_max: u32,
}

/// Everything that comes from the process.
pub struct Edge {
    /// Who is asking.
    pub verify: Verify,
    /// The journal, as far as the console writes it.
    pub keeper: Keeper,
    /// Where recorded content is found.
    pub index: Arc<Index>,
    /// What people are asked; `None` while that can't be had.
    pub approvals: Box<dyn Fn() -> Option<Arc<Approvals>> + Send + Sync>,
    /// What access people may have.
    pub offer: Offers,
    /// What is registered and what is sealed.
    pub registrar: Registrar,
    /// The definitions that were accepted, as reviewers are told of them.
    pub pins: PinFolder,
    /// Whose access was taken away, and by whom it may be.
    pub revoker: Revoker,
    /// Who provisions people and groups, and where they are kept.
    pub provisioner: Provisioner,
    /// How people log in to the pages; there are none where it is absent.
    pub login: Option<Login>,
    /// How people connect their accounts at servers, on a page.
    pub connect: Connect,
    /// The apps in Slack whose clicks are answers; people must be able to log in for that.
    pub slack: Vec<Arc<Slack>>,
    /// This node's name, as the index has it.
    pub node: String,
    /// The folder of this node's journal.
    pub journal: PathBuf,
    /// What opens the journal.
    pub keys: Keys,
    /// Where segments are that are no longer in that folder.
    pub elsewhere: Option<Elsewhere>,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

/// The journal, as far as the console writes it.
pub struct Keeper {
    /// Puts an event on the record; done once the record survives a power cut, with its sequence
    /// number.
    pub append: Box<dyn Fn(Event) -> Later<Result<u64, JournalFault>> + Send + Sync>,
    /// Changes what is kept, on the record first; gives the sequence number of that record.
    /// [`JournalFault::Refused`] where it may not be done, as for a session on hold.
    pub keep: Box<dyn Fn(KeptEvent) -> Later<Result<u64, JournalFault>> + Send + Sync>,
    /// The last record that survives a power cut. What is not there up to this one is missing, not
    /// to come.
    pub durable: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// The latest signed tree head; `None` before the first one.
    pub head: Box<dyn Fn() -> Option<Arc<SignedHead>> + Send + Sync>,
}

impl Keeper {
    /// The journal itself, by the clock `now`.
    pub fn of(journal: &Arc<Journal>, now: fn() -> Timestamp) -> Self {
        let (appends, keeps, heads) = (Arc::clone(journal), Arc::clone(journal), journal.heads());
        let journal = Arc::clone(journal);
        Self {
            append: Box::new(move |event| {
                let journal = Arc::clone(&appends);
                Box::pin(async move {
                    let position = journal.append(now(), &event)?;
                    journal.synced(position).await?;
                    Ok(position.seq())
                })
            }),
            keep: Box::new(move |kept| {
                let journal = Arc::clone(&keeps);
                Box::pin(async move { Ok(journal.keep(now(), kept).await?.seq()) })
            }),
            durable: Arc::new(move || journal.durable()),
            head: Box::new(move || heads.borrow().clone()),
        }
    }
}
