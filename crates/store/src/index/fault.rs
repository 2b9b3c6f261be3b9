//! Everything that can go wrong with the index, in words for the operator.

use super::QueryFault;
use crate::db::DbFault;

/// Why the index could not be opened, filled or read. Names no URL and quotes no content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexFault {
    /// Its database. A new one can be filled from the journal.
    #[error("the index: {fault}{hint}", fault = .0, hint = hint(.0))]
    Db(#[from] DbFault),
    /// A node beyond the 2,047th, or a record beyond the 2^40th.
    #[error("the index has no room for {what}; give this node a database of its own")]
    Full {
        /// What there are too many of.
        what: &'static str,
    },
    /// Somebody else cleared the index meanwhile.
    #[error("the index was cleared meanwhile, and holds the records up to {applied}")]
    Moved {
        /// The last record that it holds.
        applied: u64,
    },
    /// A row holds a value that this version does not know.
    #[error("the index holds an unknown {what}, `{found}`; run `lockgate journal reindex`")]
    Content {
        /// Which column.
        what: &'static str,
        /// What stands there.
        found: String,
    },
    /// The text to look for can't be understood.
    #[error(transparent)]
    Query(#[from] QueryFault),
    /// The page's size or cursor is not one that was given out.
    #[error("{0}")]
    Page(&'static str),
}

/// What helps where another version made the tables.
const fn hint(fault: &DbFault) -> &'static str {
    match fault {
        DbFault::Newer { .. } => {
            "; use that version, or give an empty database and fill it with `lockgate journal reindex`"
        }
        _ => "",
    }
}
