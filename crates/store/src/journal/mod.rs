//! The write-ahead recording: append-only segments of hash-chained events, sealed, under a signed tree.
//!
//! **A record** is an event with its sequence number, its time in milliseconds since the Unix epoch,
//! and its hash: SHA-256 over the hash of the record before (zeros for the first), sequence number and
//! time as 8 big-endian bytes each, and the SHA-256 of the event's bytes, which are JSON on one line.
//! Record n is leaf n - 1 of an RFC 6962 tree, whose heads are signed ([`SignedHead`]).
//!
//! **On disk** a record stands in a [`segment`] file, sealed under the key of its session. Which key
//! wraps which: the recording's key in the data folder wraps a data key a segment and a key a session.
//! Large bodies stand beside their events, once a session and segment, under their digest.
//!
//! **Which record counts.** A segment counts up to the first sequence number of the segment after
//! it. What stands beyond was not durable when its file failed, and was written again.
//!
//! **How far one can trust it.** [`Journal::append`] has written the record when it returns, so it
//! survives the process. [`Journal::synced`] returns once it survives the machine. A file whose
//! write or sync failed is never written to again, and neither is one of an earlier process.

mod block;
mod bundle;
mod fault;
mod head;
mod holds;
mod keys;
mod notary;
mod pack;
mod read;
mod record;
mod recover;
mod reserve;
mod seal;
mod segment;
mod session_keys;
mod shelf;
mod snapshot;
mod sync;
mod tail;
mod tree;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, BundleFault, Proven};
pub use fault::JournalFault;
pub use head::{Head, HeadFault, SignedHead, VerifierKey};
pub use keys::Keys;
pub use read::{Reader, last_seq, node, read, read_from, read_with};
pub use record::Record;
pub use recover::Recovery;
pub use segment::is_packed;
pub use shelf::Elsewhere;
pub(crate) use snapshot::snapshot;
pub use tree::Frontier;
pub use verify::{Finding, Report, Verify, verify};
pub use writer::{Journal, JournalOptions, Position, Stats};
