//! A bell that one process rings and others hear, where the database has one: PostgreSQL's `NOTIFY`. It
//! carries nothing but that it was rung; who hears it looks at the rows. A ring may be lost, and
//! another may come for nothing.
//!
//! For what people do, never for each call: commits with a `NOTIFY` take turns in PostgreSQL.

use sqlx::postgres::PgListener;

use super::{
    DbFault,
    conn::{Pools, Sql, Tx},
};

/// Hears one bell.
#[derive(Debug)]
pub(crate) struct Bell(Option<PgListener>);

impl Pools {
    /// Hears the bell of this name, which is a word of this program.
    pub(crate) async fn bell(&self, name: &str) -> Result<Bell, DbFault> {
        let Self::Postgres(pool) = self else { return Ok(Bell(None)) };
        let listening = async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.listen(name).await?;
            Ok(listener)
        };
        listening.await.map(|listener| Bell(Some(listener))).map_err(DbFault::database("listen"))
    }
}

impl Tx {
    /// Rings the bell of this name when the transaction commits.
    pub(crate) async fn ring(&mut self, name: &str) -> Result<(), DbFault> {
        if matches!(self, Self::Postgres(_)) {
            let sql = Sql::new("SELECT").with(" pg_notify(", name).then(", '')");
            self.rows("ring", sql).await?;
        }
        Ok(())
    }
}

impl Bell {
    /// Done when it was rung, or may have been while nobody could hear it; never on SQLite.
    pub(crate) async fn rung(&mut self) -> Result<(), DbFault> {
        match &mut self.0 {
            // `None` says that the connection was lost: it is another one from now on.
            Some(listener) => {
                listener.try_recv().await.map(drop).map_err(DbFault::database("listen"))
            }
            None => std::future::pending().await,
        }
    }
}
