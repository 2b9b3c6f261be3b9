//! How much of each budget was used: counted in one place for all gateways, so that no more is used than
//! there is, however many ask at once.

use lockgate_model::Timestamp;

use crate::db::{
    self, DbFault, DbPlace, Migration, Schema,
    conn::{Bind, Pools, Sql},
};

const SCHEMA: Schema = Schema {
    what: "budgets",
    table: "_budgets_migrations",
    migrations: &[Migration {
        number: 1,
        description: "budgets",
        sqlite: include_str!("../../migrations/budgets/sqlite/0001_budgets.sql"),
        postgres: include_str!("../../migrations/budgets/postgres/0001_budgets.sql"),
    }],
};

/// Where uses are counted. Cheap to share in an `Arc`.
#[derive(Debug)]
pub struct Budgets {
    pools: Pools,
}

/// One window of somebody's budget.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The id of the policy that gives it.
    pub policy: String,
    /// Whose it is: who vouches for them.
    pub issuer: String,
    /// Whose it is.
    pub subject: String,
    /// When it begins.
    pub begins: Timestamp,
    /// When it is over.
    pub ends: Timestamp,
}

impl Budgets {
    /// Opens the database, makes its tables or brings them up to date.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn open(place: &DbPlace) -> Result<Self, DbFault> {
        Ok(Self { pools: db::open(place, &SCHEMA).await? })
    }

    /// Uses one of `most`, durably; false where none was left.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn spend(&self, window: &Window, most: u32) -> Result<bool, DbFault> {
        let mut sql = Sql::new(
            "INSERT INTO budget_uses (policy, issuer, subject, begins, ends, used) VALUES ",
        );
        sql.list([
            Bind::from(&window.policy),
            Bind::from(&window.issuer),
            Bind::from(&window.subject),
            Bind::from(window.begins),
            Bind::from(window.ends),
            Bind::from(1_i64),
        ]);
        let sql = sql
            .then(" ON CONFLICT (policy, issuer, subject, begins) DO UPDATE")
            .then(" SET used = budget_uses.used + 1")
            .with(" WHERE budget_uses.used < ", i64::from(most));
        let mut tx = self.pools.begin().await?;
        let used = tx.execute("use a budget", sql).await?;
        tx.commit().await?;
        Ok(used > 0)
    }

    /// Takes away what is over.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn sweep(&self, now: Timestamp) -> Result<(), DbFault> {
        let mut tx = self.pools.begin().await?;
        let sql = Sql::new("DELETE FROM budget_uses").with(" WHERE ends <= ", now);
        tx.execute("take old uses away", sql).await?;
        tx.commit().await
    }

    /// Ends all connections to the database.
    pub async fn close(&self) {
        self.pools.close().await;
    }
}
