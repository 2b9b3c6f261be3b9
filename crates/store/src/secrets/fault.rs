//! What can go wrong with a sealed secret's row.

use crate::db::DbFault;

/// Why something was not changed. Everything is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretsFault {
    /// Somebody else changed the secret meanwhile.
    #[error("the secret was changed by somebody else meanwhile")]
    Overtaken,
    /// Another key seals than the one that was named.
    #[error("the vault's key was rotated meanwhile: {0} no longer seals")]
    Key(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbFault),
}
