//! Who used what, and when last: policies that permitted calls, tokens that were over a limit, and the
//! identities behind open and past sessions. What was erased or retired is not counted.

use std::collections::BTreeMap;

use lockgate_model::Timestamp;

use super::{Index, IndexFault};
use crate::db::conn::Sql;

/// Labels and reasons of a token that lives too long, or is too old; both have the same names.
const OVER_LIMIT: [&str; 2] = ["token.lifetime", "token.age"];

/// How often a policy permitted something.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PolicyUse {
    /// Calls that it was among the reasons to allow.
    pub calls: u64,
    /// When the last of them was decided.
    pub last: Timestamp,
}

/// Tokens of one client that were over a limit of their issuer's, and were taken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LongToken {
    /// `token.lifetime` or `token.age`.
    pub limit: String,
    /// The issuer's short name.
    pub issuer: String,
    /// The OAuth client, where the tokens name one.
    pub client: Option<String>,
    /// Calls with such tokens.
    pub calls: u64,
    /// Different subjects among them.
    pub subjects: u64,
    /// When the last was used.
    pub last: Timestamp,
}

/// Tokens that were refused because they were over a limit.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct RefusedToken {
    /// `token.lifetime` or `token.age`.
    pub limit: String,
    /// Issuer, client and length of life, in words.
    pub detail: String,
    /// Requests.
    pub requests: u64,
    /// When the last was made.
    pub last: Timestamp,
}

/// Somebody who had a session.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Seen {
    /// The issuer's short name.
    pub issuer: String,
    /// The token's subject.
    pub subject: String,
    /// The groups of the last session, qualified and sorted.
    pub groups: Vec<String>,
    /// When something last happened in a session.
    pub last: Timestamp,
}

impl Index {
    /// How often and when last each policy permitted a call, by its id. A permit whose every call was
    /// held for approval is not among them: of these the deciding forbids are on record.
    ///
    /// # Errors
    /// [`IndexFault::Db`].
    pub async fn policy_uses(&self) -> Result<BTreeMap<String, PolicyUse>, IndexFault> {
        let sql = Sql::new(
            "SELECT l.name, count(*), max(c.time) FROM labels l \
             JOIN call_labels t ON t.label = l.id JOIN calls c ON c.key = t.call \
             WHERE l.kind = 'policy' AND c.verdict = 'allow' GROUP BY l.name",
        );
        let mut uses = BTreeMap::new();
        for row in self.pools.rows("count uses of policies", sql).await? {
            uses.insert(row.text(0)?, PolicyUse { calls: row.count(1)?, last: row.time(2)? });
        }
        Ok(uses)
    }

    /// Clients whose tokens were over a limit that only warns, since `from`.
    ///
    /// # Errors
    /// [`IndexFault::Db`].
    pub async fn long_tokens(&self, from: Timestamp) -> Result<Vec<LongToken>, IndexFault> {
        let mut sql = Sql::new(
            "SELECT l.name, c.issuer, c.client, count(*), count(DISTINCT c.subject), max(c.time) \
             FROM labels l JOIN call_labels t ON t.label = l.id JOIN calls c ON c.key = t.call \
             WHERE l.kind = 'fact' AND c.erased = 0 AND l.name IN ",
        );
        sql.list(OVER_LIMIT.map(Into::into)).push(" AND c.time >= ").bind(from);
        sql.push(" GROUP BY l.name, c.issuer, c.client");
        let mut found = Vec::new();
        for row in self.pools.rows("count tokens over a limit", sql).await? {
            found.push(LongToken {
                limit: row.text(0)?,
                issuer: row.text(1)?,
                client: row.text_or_null(2)?,
                calls: row.count(3)?,
                subjects: row.count(4)?,
                last: row.time(5)?,
            });
        }
        // Databases differ in how they sort.
        found.sort_by_cached_key(|one: &LongToken| {
            (one.issuer.clone(), one.client.clone(), one.limit.clone())
        });
        Ok(found)
    }

    /// Tokens that were refused for being over a limit, since `from`.
    ///
    /// # Errors
    /// [`IndexFault::Db`].
    pub async fn refused_tokens(&self, from: Timestamp) -> Result<Vec<RefusedToken>, IndexFault> {
        let mut sql =
            Sql::new("SELECT reason, detail, count(*), max(time) FROM refusals WHERE reason IN ");
        sql.list(OVER_LIMIT.map(Into::into)).push(" AND time >= ").bind(from);
        sql.push(" GROUP BY reason, detail");
        let mut found = Vec::new();
        for row in self.pools.rows("count refused tokens", sql).await? {
            found.push(RefusedToken {
                limit: row.text(0)?,
                detail: row.text(1)?,
                requests: row.count(2)?,
                last: row.time(3)?,
            });
        }
        found.sort_by_cached_key(|one: &RefusedToken| one.detail.clone());
        Ok(found)
    }

    /// Everybody who had a session in which something happened since `from`, each with the groups of
    /// the last one.
    ///
    /// # Errors
    /// [`IndexFault::Db`].
    pub async fn seen(&self, from: Timestamp) -> Result<Vec<Seen>, IndexFault> {
        let sql = Sql::new(
            "SELECT s.issuer, s.subject, s.last, s.key, l.name FROM sessions s \
             LEFT JOIN session_labels t ON t.session = s.key LEFT JOIN labels l ON l.id = t.label \
             WHERE s.erased = 0 AND s.last >= ",
        );
        let mut sql = sql.with("", from);
        sql.push(" ORDER BY s.issuer, s.subject, s.last DESC, s.key DESC, l.name");
        let mut found: Vec<(i64, Seen)> = Vec::new();
        for row in self.pools.rows("read who had sessions", sql).await? {
            let (issuer, subject, last) = (row.text(0)?, row.text(1)?, row.time(2)?);
            let (key, group) = (row.int(3)?, row.text_or_null(4)?);
            let same = |seen: &Seen| seen.issuer == issuer && seen.subject == subject;
            match found.last_mut() {
                // An earlier session of the same: its groups may be others by now.
                Some((newest, seen)) if same(seen) && *newest != key => {}
                Some((_, seen)) if same(seen) => seen.groups.extend(group),
                _ => {
                    let groups = group.into_iter().collect();
                    found.push((key, Seen { issuer, subject, groups, last }));
                }
            }
        }
        let mut seen: Vec<_> = found.into_iter().map(|(_, seen)| seen).collect();
        seen.iter_mut().for_each(|one| one.groups.sort_unstable());
        seen.sort_by_cached_key(|one| (one.issuer.clone(), one.subject.clone()));
        Ok(seen)
    }
}
