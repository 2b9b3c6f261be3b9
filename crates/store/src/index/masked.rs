//! Where sensitive data came up: how often values of each class were masked, by connection and by
//! tool, resource or prompt. Counts only; no value is in the index.

use std::collections::BTreeMap;

use lockgate_model::Timestamp;

use super::{Index, IndexFault};
use crate::db::conn::Sql;

/// What was masked in the answers of one tool, resource or prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MaskedRow {
    /// The connection.
    pub connection: String,
    /// Tool, resource or prompt; empty for what is none, such as lists.
    pub target: String,
    /// Calls in whose answers something was masked.
    pub calls: u64,
    /// How many values of each class were.
    pub classes: BTreeMap<String, u64>,
}

impl Index {
    /// What was masked since `from`, on one connection or on all, in the order of names.
    ///
    /// # Errors
    /// [`IndexFault::Db`] and [`IndexFault::Content`].
    pub async fn masked(
        &self,
        connection: Option<&str>,
        from: Option<Timestamp>,
    ) -> Result<Vec<MaskedRow>, IndexFault> {
        let mut sql = Sql::new(
            "SELECT connection, target, masked, count(*) FROM calls WHERE masked IS NOT NULL",
        );
        if let Some(connection) = connection {
            sql.push(" AND connection = ").bind(connection);
        }
        if let Some(from) = from {
            sql.push(" AND time >= ").bind(from);
        }
        // Calls that masked the same come as one row.
        sql.push(" GROUP BY connection, target, masked");
        let mut found: BTreeMap<(String, String), MaskedRow> = BTreeMap::new();
        for row in self.pools.rows("count what was masked", sql).await? {
            let (connection, target, calls) = (row.text(0)?, row.text(1)?, row.count(3)?);
            let masked = super::rows::masked(Some(row.text(2)?))?;
            let key = (connection.clone(), target.clone());
            let sum = found.entry(key).or_insert_with(|| MaskedRow {
                connection,
                target,
                ..MaskedRow::default()
            });
            sum.calls += calls;
            for (class, count) in masked {
                *sum.classes.entry(class).or_default() += u64::from(count).saturating_mul(calls);
            }
        }
        Ok(found.into_values().collect())
    }
}
