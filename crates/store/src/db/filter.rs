//! What is looked for, and the conditions that say so to the database.

use lockgate_model::{Reason, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Query,
    conn::{Bind, Pools, Sql, column},
    search,
};

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
    /// Appends the conditions on `calls c`, each as ` AND …`.
    pub(super) fn calls(&self, pools: &Pools, sql: &mut Sql) {
        self.identity("c", sql);
        if let Some(group) = &self.group {
            labelled("c.key", "call_labels", "call", "group", group, sql);
        }
        if let Some(session) = &self.session {
            sql.push(" AND c.session IN (SELECT key FROM sessions WHERE id = ").bind(session);
            sql.push(")");
        }
        equal("c.time >= ", self.from, sql);
        equal("c.time < ", self.to, sql);
        self.of_a_call(pools, sql);
    }

    /// Appends the conditions on `sessions s`, each as ` AND …`.
    pub(super) fn sessions(&self, pools: &Pools, sql: &mut Sql) {
        self.identity("s", sql);
        if let Some(group) = &self.group {
            labelled("s.key", "session_labels", "session", "group", group, sql);
        }
        equal("s.id = ", self.session.as_deref(), sql);
        equal("s.last >= ", self.from, sql);
        equal("s.opened < ", self.to, sql);
        if self.is_about_calls() {
            sql.push(" AND s.key IN (SELECT c.session FROM calls c WHERE 1 = 1");
            self.of_a_call(pools, sql);
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
    fn of_a_call(&self, pools: &Pools, sql: &mut Sql) {
        equal("c.target = ", self.tool.as_deref(), sql);
        equal("c.verdict = ", self.verdict.map(VerdictKind::as_str), sql);
        equal("c.reason = ", self.reason.map(Reason::code), sql);
        equal("c.trace = ", self.trace.as_deref(), sql);
        if let Some(policy) = &self.policy {
            labelled("c.key", "call_labels", "call", "policy", policy, sql);
        }
        if let Some(fact) = &self.fact {
            under(fact, sql);
        }
        if let Some(query) = &self.text {
            search::condition(pools, query, sql);
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

fn labelled(key: &str, table: &str, of: &str, kind: &str, name: &str, sql: &mut Sql) {
    sql.push(&format!(" AND {key} IN (SELECT {of} FROM {table} WHERE label IN "));
    sql.push("(SELECT id FROM labels WHERE kind = ").bind(kind);
    sql.push(" AND name = ").bind(name).push("))");
}

/// The fact itself, and those that begin with it and a dot: a range, because `/` follows `.`.
fn under(fact: &str, sql: &mut Sql) {
    let fact = column(fact);
    sql.push(" AND c.key IN (SELECT call FROM call_labels WHERE label IN ");
    sql.push("(SELECT id FROM labels WHERE kind = 'fact' AND (name = ").bind(&fact);
    sql.push(" OR (name >= ").bind(Bind::whole(format!("{fact}.")));
    sql.push(" AND name < ").bind(Bind::whole(format!("{fact}/"))).push("))))");
}
