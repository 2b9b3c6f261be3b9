//! What can go wrong with registered connections.

use lockgate_model::ConnectionName;

use super::{CONNECTIONS_MAX, SETTINGS_MAX_BYTES};
use crate::db::DbFault;

/// Why nothing was changed. Everything is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionsFault {
    /// Somebody else changed it meanwhile.
    #[error("the connection `{0}` was changed by somebody else meanwhile")]
    Overtaken(ConnectionName),
    /// One has longer settings than are kept.
    #[error("the settings of `{0}` have more than {SETTINGS_MAX_BYTES} bytes")]
    TooLarge(ConnectionName),
    /// There would be more than can be served.
    #[error("there would be more than {CONNECTIONS_MAX} registered connections")]
    Full,
    /// The database.
    #[error(transparent)]
    Db(#[from] DbFault),
}
