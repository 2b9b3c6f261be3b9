//! What can go wrong with revocations.

use lockgate_model::REVOCATION_REASON_MAX_BYTES;

use super::REVOCATIONS_MAX;
use crate::db::DbFault;

/// Why nothing was changed. Everything is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationsFault {
    /// There is none with this id.
    #[error("there is no revocation `{0}`")]
    Unknown(String),
    /// A reason is too long.
    #[error("a reason has at most {REVOCATION_REASON_MAX_BYTES} bytes")]
    Reason,
    /// There would be more than a gateway holds.
    #[error(
        "there would be more than {REVOCATIONS_MAX} revocations; lift some, or close the issuer"
    )]
    Full,
    /// What is kept of one is not understood: a later version wrote it.
    #[error("the revocation `{id}` can't be read, so nobody can be let in: {why}")]
    Content {
        /// Its id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] DbFault),
}
