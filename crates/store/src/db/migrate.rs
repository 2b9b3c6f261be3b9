//! The tables: the same numbers for both databases, each applied once and never edited after.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

use super::{IndexFault, conn::Pools};

/// Number, description, text for SQLite, text for PostgreSQL.
const MIGRATIONS: [(i64, &str, &str, &str); 1] = [(
    1,
    "sessions and calls",
    include_str!("../../migrations/sqlite/0001_sessions_and_calls.sql"),
    include_str!("../../migrations/postgres/0001_sessions_and_calls.sql"),
)];

/// Applies what is missing. Several processes may try at once: they take turns.
pub(super) async fn run(pools: &Pools) -> Result<(), IndexFault> {
    let migrations = MIGRATIONS.iter().map(|(number, description, sqlite, postgres)| {
        let sql = match pools {
            Pools::Sqlite { .. } => *sqlite,
            Pools::Postgres(_) => *postgres,
        };
        let (description, kind) = (Cow::Borrowed(*description), MigrationType::Simple);
        Migration::new(*number, description, kind, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    match pools {
        Pools::Sqlite { writer, .. } => migrator.run(writer).await,
        Pools::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(|error| match error {
        MigrateError::VersionMissing(version) => IndexFault::Newer { version },
        MigrateError::Execute(source) => IndexFault::Database { doing: "make tables", source },
        other => IndexFault::Schema(other.to_string()),
    })
}
