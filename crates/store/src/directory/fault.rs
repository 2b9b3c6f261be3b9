//! What can go wrong with the directory.

use super::{ENTRIES_MAX, MEMBERS_MAX};
use crate::db::DbFault;

/// Why nothing was changed. Everything is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryFault {
    /// Somebody else changed it meanwhile, or it is gone.
    #[error("it was changed meanwhile")]
    Stale,
    /// Another one has this name.
    #[error("there is another one with this {0}")]
    Taken(&'static str),
    /// A member who is not there.
    #[error("there is no user with the id `{0}`")]
    Member(String),
    /// There would be too many.
    #[error(
        "there would be more than {ENTRIES_MAX} of an issuer, or {MEMBERS_MAX} members of a group"
    )]
    Full,
    /// What is kept is not understood: a later version wrote it.
    #[error("the entry `{0}` can't be read")]
    Content(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbFault),
}
