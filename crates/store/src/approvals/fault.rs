//! What can go wrong with an approval.

use lockgate_model::ActFault;

use crate::db::DbFault;

/// Why something was not done. The approval is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalFault {
    /// There is none with this id.
    #[error("there is no such approval")]
    Unknown,
    /// The act is refused.
    #[error(transparent)]
    Act(#[from] ActFault),
    /// Its caller has too many questions open.
    #[error("{live_max} questions of this caller are open, and no more may be")]
    TooMany {
        /// How many may be.
        live_max: u32,
    },
    /// Others changed it again and again meanwhile.
    #[error("it is being changed by others; try again")]
    Busy,
    /// The database.
    #[error("approvals: {0}")]
    Db(#[from] DbFault),
    /// A row does not hold what this version wrote.
    #[error("the approval `{id}` can't be read: {why}")]
    Content {
        /// Which.
        id: String,
        /// What is wrong.
        why: String,
    },
}
