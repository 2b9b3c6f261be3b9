//! What the console needs of the process around it: who a token is, and the one journal.
//!
//! Given at construction, because the console may not know the room that verifies tokens, and does
//! not own the journal that it reads.

use std::{path::PathBuf, pin::Pin, sync::Arc};

use http::HeaderMap;
use lockgate_model::{Event, Identity, Refusal, Timestamp};
use lockgate_store::{db::Index, journal::JournalFault};

/// What is known later.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Verifies the caller. Gets the request's `Authorization` lines as they came, however many, and
/// nothing else of it; must be the verifier of the data path, with the admin API's own issuers and
/// audience.
pub type Verify = Box<dyn Fn(HeaderMap) -> Later<Result<Arc<Identity>, Refusal>> + Send + Sync>;

/// Everything that comes from the process.
pub struct Edge {
    /// Who is asking.
    pub verify: Verify,
    /// The journal, as far as the console writes it.
    pub keeper: Keeper,
    /// Where recorded content is found.
    pub index: Arc<Index>,
    /// This node's name, as the index has it.
    pub node: String,
    /// The folder of this node's journal.
    pub journal: PathBuf,
    /// The wall clock.
    pub now: fn() -> Timestamp,
}

/// The journal, as far as the console writes it.
pub struct Keeper {
    /// Puts an event on the record; done once the record survives a power cut, with its sequence
    /// number.
    pub append: Box<dyn Fn(Event) -> Later<Result<u64, JournalFault>> + Send + Sync>,
    /// Destroys a session's key. Asked only after the erasure is on the record and nothing holds
    /// the session; asked again, it must do no harm.
    pub erase: Box<dyn Fn(String) -> Later<Result<(), JournalFault>> + Send + Sync>,
    /// The latest signed tree head, as a signed note; `None` before the first one.
    pub head: Box<dyn Fn() -> Option<String> + Send + Sync>,
}
