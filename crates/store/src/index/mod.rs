//! The searchable index of the recording, in SQLite or PostgreSQL.
//!
//! It is filled behind the journal by an [`Indexer`], can be thrown away and made again from it at
//! any time, and is never the truth: nothing is decided, proved or exported from here. One
//! database may hold the recordings of several nodes, each with a mark of the last record that was
//! applied.
//!
//! **One SQL text.** A statement reads the same for both databases; what differs is full text, and
//! stands in `search`. Every text that comes from outside is bound, never part of a statement, is
//! cut to [`TEXT_COLUMN_MAX_BYTES`] with its digest, and has U+FFFD for NUL, which PostgreSQL can't
//! store.
//!
//! **Full text.** Of each call the arguments and the answer as the client saw it, at most
//! [`TEXT_MAX_BYTES`] of text and [`TEXTS_MAX`] texts a call; [`CallRow::text_cut`] says where there
//! was more. Only the words are kept, never the text: whoever wants to read it asks the journal.

mod fault;
mod filter;
mod fold;
mod indexer;
mod kept;
mod masked;
mod page;
mod query;
mod read;
mod rows;
mod search;
mod text;
mod usage;
mod whole;
mod words;
mod write;

pub use fault::IndexFault;
pub use filter::{Filter, RefusalFilter, VerdictKind};
pub use fold::{Indexed, TEXTS_MAX};
pub use indexer::{CatchUpFault, Indexer, Progress, catch_up};
pub use masked::MaskedRow;
pub use page::{Cursor, Listing, PAGE_MAX, Page};
pub use query::{Query, QueryFault};
pub use rows::{CallRow, RefusalRow, SessionRow};
pub use text::TEXT_MAX_BYTES;
pub use usage::{LongToken, PolicyUse, RefusedToken, Seen};
pub use whole::Index;
