//! A bell that one process rings and others hear, where the database has one: PostgreSQL's `NOTIFY`. It
//! carries nothing but that it was rung; who hears it looks at the rows. A ring may be lost, and
//! another may come for nothing.
//!
//! For what people do, never for each call: commits with a `NOTIFY` take turns in PostgreSQL.

use sqlx::postgres::PgListener;
use tokio::sync::watch;

use super::{
    DbFault,
    conn::{Pools, Sql, Tx},
};

/// Hears that something may have changed: at once of what this process does, and of what others do on the
/// same PostgreSQL.
#[derive(Debug)]
pub struct Ear {
    bell: Bell,
    made: watch::Receiver<()>,
}

/// Hears one bell.
#[derive(Debug)]
struct Bell(Option<PgListener>);

impl Pools {
    /// Hears the bell of this name, which is a word of this program.
    async fn bell(&self, name: &str) -> Result<Bell, DbFault> {
        let Self::Postgres(pool) = self else { return Ok(Bell(None)) };
        let listening = async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.listen(name).await?;
            Ok(listener)
        };
        listening.await.map(|listener| Bell(Some(listener))).map_err(DbFault::database("listen"))
    }
}

impl Ear {
    /// Hears the bell of this name, and what `made` tells of this process.
    pub(crate) async fn of(
        pools: &Pools,
        bell: &str,
        made: &watch::Sender<()>,
    ) -> Result<Self, DbFault> {
        Ok(Self { bell: pools.bell(bell).await?, made: made.subscribe() })
    }

    /// Done when something may have changed.
    ///
    /// # Errors
    /// [`DbFault`] where the database can't be listened to any more.
    pub async fn hear(&mut self) -> Result<(), DbFault> {
        tokio::select! {
            // It is told of the end of the store as well, after which nothing can be heard.
            _ = self.made.changed() => Ok(()),
            rung = self.bell.rung() => rung,
        }
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
