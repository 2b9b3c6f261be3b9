//! A whole copy of a SQLite database, as it is at one moment, while it is written to.

use std::path::Path;

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{DbFault, place::WAIT_MAX};

/// Copies the database at `from` into a new file at `to`, without what was deleted in it.
///
/// # Errors
/// [`DbFault`]
pub(crate) async fn copy(from: &Path, to: &Path) -> Result<(), DbFault> {
    let failed = || DbFault::database("copy it");
    let options = SqliteConnectOptions::new()
        .filename(from)
        .busy_timeout(WAIT_MAX)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(DbFault::database("open the file"))?;
    let into = to.to_string_lossy().into_owned();
    let copied = sqlx::query("VACUUM INTO ?").bind(into).execute(&mut connection).await;
    connection.close().await.map_err(failed())?;
    copied.map(drop).map_err(failed())
}
