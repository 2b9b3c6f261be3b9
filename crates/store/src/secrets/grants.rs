//! What users let the gateway do for them at a server, sealed: one row for each user and connection.
//!
//! A grant is renewed by one process at a time: it claims the row for a while first, and only who holds
//! the claim puts the next version. A claim ends by itself, so that a process which died in the middle
//! keeps nobody out for ever. Clocks must agree to within some seconds for that.

use lockgate_model::Timestamp;

use super::{PAGE_MAX, Secrets, SecretsFault, rows};
use crate::db::{
    DbFault,
    conn::{Bind, Row, Sql, Tx},
};

/// Whose grant, and for which connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GrantOf {
    /// SHA-256 of the user's issuer and subject, in hexadecimal digits.
    pub holder: String,
    /// The connection.
    pub connection: String,
}

/// A grant as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// SHA-256 of where it may be used, in hexadecimal digits.
    pub place: String,
    /// Its newest version, from 1.
    pub version: u64,
    /// The sealed text; `None` where it was removed.
    pub sealed: Option<String>,
    /// When it is to be renewed.
    pub renew_at: Timestamp,
    /// When its access token ends.
    pub ends: Timestamp,
    /// When the user gave it, whatever was renewed since.
    pub created: Timestamp,
}

/// The next version of a grant.
#[derive(Clone, Copy, Debug)]
pub struct NewGrant<'a> {
    /// Whose.
    pub of: &'a GrantOf,
    /// SHA-256 of where it may be used, in hexadecimal digits.
    pub place: &'a str,
    /// The version that this is: 1 for a new one, else one more than what is there.
    pub version: u64,
    /// Who claimed it to renew it; `None` where the user gave it just now.
    pub claimant: Option<&'a str>,
    /// The key under which it is sealed.
    pub sealing_key: &'a str,
    /// The sealed text.
    pub sealed: &'a str,
    /// When it is to be renewed.
    pub renew_at: Timestamp,
    /// When its access token ends.
    pub ends: Timestamp,
    /// When.
    pub now: Timestamp,
}

impl GrantOf {
    /// The name to which the sealed text is bound, for where it may be used.
    #[must_use]
    pub fn name_at(&self, place: &str) -> String {
        format!("{}/{place}", self.holder)
    }
}

impl Secrets {
    /// Grants that follow this one, by holder and connection, at most [`PAGE_MAX`]; none that were removed.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn grants_after(
        &self,
        after: Option<&GrantOf>,
    ) -> Result<Vec<(GrantOf, GrantRow)>, DbFault> {
        let (holder, connection) = after.map_or(("", ""), |of| (&of.holder, &of.connection));
        let sql = Sql::new(
            "SELECT place, version, sealed, renew_at, ends, created, holder, connection FROM grants",
        )
        .with(" WHERE sealed IS NOT NULL AND (holder, connection) > (", holder)
        .with(", ", connection)
        .with(") ORDER BY holder, connection LIMIT ", i64::from(PAGE_MAX));
        let rows = self.pools.rows("list grants", sql).await?;
        let whole =
            |of: &Row| Ok((GrantOf { holder: of.text(6)?, connection: of.text(7)? }, row(of)?));
        rows.iter().map(whole).collect()
    }

    /// One grant, also one that was removed.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn find_grant(&self, of: &GrantOf) -> Result<Option<GrantRow>, DbFault> {
        let sql = Sql::new("SELECT place, version, sealed, renew_at, ends, created FROM grants")
            .with(" WHERE holder = ", &of.holder)
            .with(" AND connection = ", &of.connection);
        self.pools.rows("read a grant", sql).await?.first().map(row).transpose()
    }

    /// Puts a grant's next version in the place of the one before it, and ends its claim.
    ///
    /// # Errors
    /// [`SecretsFault::Overtaken`] where its version is not the next one or somebody else has claimed it,
    /// [`SecretsFault::Key`] where another key seals by now, and [`SecretsFault::Db`].
    pub async fn put_grant(&self, new: &NewGrant<'_>) -> Result<(), SecretsFault> {
        let mut tx = self.pools.begin().await?;
        if !rows::claim(&mut tx, new.sealing_key).await? {
            return Err(SecretsFault::Key(new.sealing_key.to_owned()));
        }
        if !put(&mut tx, new).await? {
            return Err(SecretsFault::Overtaken);
        }
        tx.commit().await?;
        // The text before it is of no more use, but to somebody who finds it.
        Ok(self.pools.flush().await?)
    }

    /// Claims this version of a grant until then, to renew it. Gives whether nobody else has it.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn claim_grant(
        &self,
        of: &GrantOf,
        version: u64,
        claimant: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, DbFault> {
        let sql = Sql::new("UPDATE grants")
            .with(" SET claimant = ", claimant)
            .with(", claimed_until = ", until)
            .with(" WHERE sealed IS NOT NULL AND holder = ", &of.holder)
            .with(" AND connection = ", &of.connection)
            .with(" AND version = ", version)
            .with(" AND (claimed_until IS NULL OR claimed_until <= ", now)
            .then(")");
        self.changed("claim a grant", sql).await
    }

    /// Ends a claim under which nothing was changed, so that others need not wait for its end.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn release_grant(&self, of: &GrantOf, claimant: &str) -> Result<(), DbFault> {
        let sql = Sql::new("UPDATE grants SET claimant = NULL, claimed_until = NULL")
            .with(" WHERE holder = ", &of.holder)
            .with(" AND connection = ", &of.connection)
            .with(" AND claimant = ", claimant);
        self.changed("release a grant", sql).await.map(drop)
    }

    /// Takes this version's sealed text away; the count of its versions stays. Gives whether it was
    /// there.
    ///
    /// # Errors
    /// [`DbFault`]
    pub async fn remove_grant(
        &self,
        of: &GrantOf,
        version: u64,
        now: Timestamp,
    ) -> Result<bool, DbFault> {
        let sql = Sql::new(
            "UPDATE grants SET sealed = NULL, sealing_key = NULL, claimant = NULL, \
             claimed_until = NULL",
        )
        .with(", updated = ", now)
        .with(" WHERE sealed IS NOT NULL AND holder = ", &of.holder)
        .with(" AND connection = ", &of.connection)
        .with(" AND version = ", version);
        let gone = self.changed("remove a grant", sql).await?;
        self.pools.flush().await?;
        Ok(gone)
    }

    async fn changed(&self, doing: &'static str, sql: Sql) -> Result<bool, DbFault> {
        let mut tx = self.pools.begin().await?;
        let changed = tx.execute(doing, sql).await? == 1;
        tx.commit().await?;
        Ok(changed)
    }
}

async fn put(tx: &mut Tx, new: &NewGrant<'_>) -> Result<bool, DbFault> {
    let sealed = Bind::whole(new.sealed.to_owned());
    if new.version == 1 {
        let mut sql = Sql::new(
            "INSERT INTO grants (holder, connection, place, version, sealing_key, sealed, renew_at, \
             ends, created, updated) VALUES ",
        );
        sql.list([
            Bind::from(&new.of.holder),
            Bind::from(&new.of.connection),
            Bind::from(new.place),
            Bind::from(new.version),
            Bind::from(new.sealing_key),
            sealed,
            Bind::from(new.renew_at),
            Bind::from(new.ends),
            Bind::from(new.now),
            Bind::from(new.now),
        ]);
        sql.push(" ON CONFLICT DO NOTHING");
        return Ok(tx.execute("put a grant", sql).await? == 1);
    }
    let mut sql = Sql::new("UPDATE grants SET claimant = NULL, claimed_until = NULL")
        .with(", place = ", new.place)
        .with(", version = ", new.version)
        .with(", sealing_key = ", new.sealing_key)
        .with(", sealed = ", sealed)
        .with(", renew_at = ", new.renew_at)
        .with(", ends = ", new.ends)
        .with(", updated = ", new.now);
    if new.claimant.is_none() {
        // Given anew, and not renewed.
        sql = sql.with(", created = ", new.now);
    }
    sql = sql
        .with(" WHERE holder = ", &new.of.holder)
        .with(" AND connection = ", &new.of.connection)
        .with(" AND version = ", new.version.saturating_sub(1));
    if let Some(claimant) = new.claimant {
        sql = sql.with(" AND claimant = ", claimant);
    }
    Ok(tx.execute("put a grant", sql).await? == 1)
}

fn row(row: &Row) -> Result<GrantRow, DbFault> {
    Ok(GrantRow {
        place: row.text(0)?,
        version: row.count(1)?,
        sealed: row.text_or_null(2)?,
        renew_at: row.time(3)?,
        ends: row.time(4)?,
        created: row.time(5)?,
    })
}
