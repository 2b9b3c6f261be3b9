//! The write-ahead recording: append-only segments of hash-chained JSON lines.
//!
//! One record is one line, `{"seq":…,"time":…,"prev":"…","hash":"…","event":{…}}`, where `time`
//! is milliseconds since the Unix epoch, `prev` is the `hash` of the record before (64 zeros for
//! the first), and `hash` is SHA-256 over `prev`, `seq` and `time` as 8 big-endian bytes each, and
//! the SHA-256 of the event's bytes as they stand in the line. A segment is named by the sequence
//! number of its first record.
//!
//! **Which line counts.** A segment counts up to the first sequence number of the segment after
//! it. What stands beyond was not durable when its file failed, and was written again.
//!
//! **How far one can trust it.** [`Journal::append`] has written the line when it returns, so it
//! survives the process. [`Journal::synced`] returns once it survives the machine. A file whose
//! write or sync failed is never written to again.

mod fault;
mod read;
mod record;
mod recover;
mod segment;
mod sync;
mod writer;

#[cfg(test)]
mod tests;

pub use fault::JournalFault;
pub use read::{Reader, read};
pub use record::Record;
pub use recover::Recovery;
pub use writer::{Journal, JournalOptions, Position, Stats};
