//! Tables: the same numbers for both databases, each applied once and never edited after.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr as _,
    migrate::{MigrateError, MigrationType, Migrator},
};

use super::{DbFault, conn::Pools};

/// The tables of one room.
#[derive(Debug)]
pub(crate) struct Schema {
    /// What they hold, in one word.
    pub(crate) what: &'static str,
    /// Where it stands which of `migrations` were applied.
    pub(crate) table: &'static str,
    /// In the order of their numbers.
    pub(crate) migrations: &'static [Migration],
}

/// One step.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) description: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// Applies what is missing. Several processes may try at once: they take turns.
pub(super) async fn run(pools: &Pools, schema: &Schema) -> Result<(), DbFault> {
    let migrations = schema.migrations.iter().map(|step| {
        let sql = match pools {
            Pools::Sqlite { .. } => step.sqlite,
            Pools::Postgres(_) => step.postgres,
        };
        let (description, kind) = (Cow::Borrowed(step.description), MigrationType::Simple);
        sqlx::migrate::Migration::new(step.number, description, kind, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // Named by this program alone: no text from outside comes here.
    migrator.dangerous_set_table_name(schema.table);
    match pools {
        Pools::Sqlite { writer, .. } => migrator.run(writer).await,
        Pools::Postgres(pool) => migrator.run(pool).await,
    }
    .map_err(|error| match error {
        MigrateError::VersionMissing(version) => DbFault::Newer { what: schema.what, version },
        MigrateError::Execute(source) => DbFault::Database { doing: "make tables", source },
        other => DbFault::Schema { what: schema.what, why: other.to_string() },
    })
}
