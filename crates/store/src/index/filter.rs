//! What is looked for, and the conditions that say so to the database.
//!
//! Pages are newest first. Where few calls meet a condition they are gathered and put in order;
//! where many do, the calls are walked in their order until the page is full. Databases guess badly
//! which of the two it is, so [`Common`] finds out.

use lockgate_model::{Reason, Timestamp};
use serde::{Deserialize, Serialize};

use super::{IndexFault, Query, search};
use crate::db::conn::{Bind, Pools, Sql, column};

/// What was decided about a call, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// It was forwarded.
    Allow,
    /// It waited for a person.
    Ask,
    /// It was refused.
    Deny,
}

impl VerdictKind {
    /// As it stands in records and columns.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }
}

/// Which calls, or sessions, are looked for: all that is given must hold. Texts are compared as a
/// whole, byte for byte.
///
/// For sessions, what only a call has (tool, verdict, policy, fact, reason, trace, text) must hold
/// for one and the same of their calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Issuer's short name.
    pub issuer: Option<String>,
    /// The token's subject.
    pub subject: Option<String>,
    /// A qualified group name, `issuer/name`.
    pub group: Option<String>,
    /// The OAuth client.
    pub client: Option<String>,
    /// The connection.
    pub connection: Option<String>,
    /// Tool, resource, prompt or task.
    pub tool: Option<String>,
    /// What was decided.
    pub verdict: Option<VerdictKind>,
    /// Id of a deciding policy.
    pub policy: Option<String>,
    /// A fact, or one above it: `sql` is also `sql.write`.
    pub fact: Option<String>,
    /// Why it was denied, or did not end well.
    pub reason: Option<Reason>,
    /// W3C trace id.
    pub trace: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// Not before this point. A session counts while it lasts.
    pub from: Option<Timestamp>,
    /// Before this point.
    pub to: Option<Timestamp>,
    /// Words of arguments and answers.
    pub text: Option<Query>,
    /// Sessions only: whether they have not ended.
    pub open: Option<bool>,
}

/// As many calls as are gathered. More are walked, of which then every hundredth, at a million
/// calls, meets the condition.
const GATHERED_MAX: i64 = 10_000;

/// The same for words: to ask the full text about one call costs as much as to gather forty.
const FOUND_MAX: i64 = 40_000;

/// Which conditions of a filter many calls meet.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    group: bool,
    policy: bool,
    fact: bool,
    terms: Vec<bool>,
}

/// Which refused requests are looked for: all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalFilter {
    /// The stable code.
    pub reason: Option<Reason>,
    /// The connection.
    pub connection: Option<String>,
    /// Issuer and subject, `issuer/subject`.
    pub identity: Option<String>,
    /// Not before this point.
    pub from: Option<Timestamp>,
    /// Before this point.
    pub to: Option<Timestamp>,
}

impl Filter {
    /// Asks the database which conditions many calls meet; it counts no further than it must.
    pub(super) async fn common(&self, pools: &Pools) -> Result<Common, IndexFault> {
        let mut common = Common::default();
        for (label, answer) in [
            (self.group.as_deref().map(|name| named("group", name)), &mut common.group),
            (self.policy.as_deref().map(|name| named("policy", name)), &mut common.policy),
            (self.fact.as_deref().map(under), &mut common.fact),
        ] {
            let Some(label) = label else { continue };
            let rows = Sql::new("SELECT 1 FROM call_labels WHERE label IN ").and(label);
            *answer = are_many(pools, rows, GATHERED_MAX).await?;
        }
        for rows in self.text.iter().flat_map(|query| search::rows(pools, query)) {
            common.terms.push(are_many(pools, rows, FOUND_MAX).await?);
        }
        Ok(common)
    }

    /// Appends the conditions on `calls c`, each as ` AND …`.
    pub(super) fn calls(&self, pools: &Pools, common: &Common, sql: &mut Sql) {
        self.identity("c", sql);
        if let Some(group) = &self.group {
            labelled(named("group", group), common.group, sql);
        }
        if let Some(session) = &self.session {
            sql.push(" AND c.session IN (SELECT key FROM sessions WHERE id = ").bind(session);
            sql.push(")");
        }
        equal("c.time >= ", self.from, sql);
        equal("c.time < ", self.to, sql);
        self.of_a_call(pools, common, sql);
    }

    /// Appends the conditions on `sessions s`, each as ` AND …`.
    pub(super) fn sessions(&self, pools: &Pools, sql: &mut Sql) {
        self.identity("s", sql);
        if let Some(group) = &self.group {
            sql.push(" AND s.key IN (SELECT session FROM session_labels WHERE label IN ");
            sql.append(named("group", group)).push(")");
        }
        equal("s.id = ", self.session.as_deref(), sql);
        equal("s.last >= ", self.from, sql);
        equal("s.opened < ", self.to, sql);
        if let Some(open) = self.open {
            sql.push(if open { " AND s.closed IS NULL" } else { " AND s.closed IS NOT NULL" });
        }
        if self.is_about_calls() {
            sql.push(" AND s.key IN (SELECT c.session FROM calls c WHERE 1 = 1");
            self.of_a_call(pools, &Common::default(), sql);
            sql.push(")");
        }
    }

    fn is_about_calls(&self) -> bool {
        let texts = [&self.tool, &self.policy, &self.fact, &self.trace];
        texts.iter().any(|text| text.is_some())
            || self.verdict.is_some()
            || self.reason.is_some()
            || self.text.is_some()
    }

    fn identity(&self, table: &str, sql: &mut Sql) {
        for (name, value) in [
            ("issuer", &self.issuer),
            ("subject", &self.subject),
            ("client", &self.client),
            ("connection", &self.connection),
        ] {
            equal(&format!("{table}.{name} = "), value.as_deref(), sql);
        }
    }

    /// What only a call has.
    fn of_a_call(&self, pools: &Pools, common: &Common, sql: &mut Sql) {
        equal("c.target = ", self.tool.as_deref(), sql);
        equal("c.verdict = ", self.verdict.map(VerdictKind::as_str), sql);
        equal("c.reason = ", self.reason.map(Reason::code), sql);
        equal("c.trace = ", self.trace.as_deref(), sql);
        if let Some(policy) = &self.policy {
            labelled(named("policy", policy), common.policy, sql);
        }
        if let Some(fact) = &self.fact {
            labelled(under(fact), common.fact, sql);
        }
        if let Some(query) = &self.text {
            search::condition(pools, query, &common.terms, sql);
        }
    }
}

impl RefusalFilter {
    /// Appends the conditions on `refusals r`, each as ` AND …`.
    pub(super) fn refusals(&self, sql: &mut Sql) {
        equal("r.reason = ", self.reason.map(Reason::code), sql);
        equal("r.connection = ", self.connection.as_deref(), sql);
        equal("r.identity = ", self.identity.as_deref(), sql);
        equal("r.time >= ", self.from, sql);
        equal("r.time < ", self.to, sql);
    }
}

fn equal(condition: &str, value: Option<impl Into<Bind>>, sql: &mut Sql) {
    if let Some(value) = value {
        sql.push(" AND ").push(condition).bind(value);
    }
}

/// The calls with one of the labels. The sign keeps SQLite from gathering where it should walk.
fn labelled(labels: Sql, many: bool, sql: &mut Sql) {
    if many {
        sql.push(" AND EXISTS (SELECT 1 FROM call_labels t WHERE t.call = c.key AND +t.label IN ");
    } else {
        sql.push(" AND c.key IN (SELECT call FROM call_labels WHERE label IN ");
    }
    sql.append(labels).push(")");
}

/// The label with this name.
fn named(kind: &str, name: &str) -> Sql {
    Sql::new("(SELECT id FROM labels")
        .with(" WHERE kind = ", kind)
        .with(" AND name = ", name)
        .then(")")
}

/// The fact itself, and those that begin with it and a dot: a range, because `/` follows `.`.
fn under(fact: &str) -> Sql {
    let fact = column(fact);
    Sql::new("(SELECT id FROM labels WHERE kind = 'fact'")
        .with(" AND (name = ", &fact)
        .with(" OR (name >= ", Bind::whole(format!("{fact}.")))
        .with(" AND name < ", Bind::whole(format!("{fact}/")))
        .then(")))")
}

async fn are_many(pools: &Pools, rows: Sql, few: i64) -> Result<bool, IndexFault> {
    let sql = Sql::new("SELECT COUNT(*) FROM (").and(rows);
    let sql = sql.with(" LIMIT ", few + 1).then(") AS few");
    let rows = pools.rows("count what is found", sql).await?;
    rows.first().map_or(Ok(false), |row| Ok(row.int(0)? > few))
}
