//! The room as its callers use it: texts in, verdicts and faults out.

mod budgets;
mod faults;
mod guard;
mod lift;
mod properties;
mod reveal;
mod verdicts;

use std::net::{IpAddr, Ipv4Addr};

use lockgate_model::{
    Action, ConnectionName, Digest, Group, Identity, IdentityKind, Timestamp, TokenFacts,
};
use serde_json::{Value, json};

use super::{
    Compiled, ConnectionShape, IssuerShape, Policies, PolicyErrors, Question, Source, ToolShape,
    Verdict,
};

/// 2026-11-23T12:00:00Z, a Monday.
const NOON: Timestamp = Timestamp::from_seconds(1_795_435_200);

/// Writes a verdict in a few characters: `allow`, `ask dev/a`, or the reason's code, then the ids.
fn short(verdict: &Verdict) -> String {
    let ids = verdict.policies().join(" ");
    let head = match verdict {
        Verdict::Allow { .. } => "allow".to_owned(),
        Verdict::Ask(ask) => format!("ask {}", ask.approvers.join(" ")),
        Verdict::Deny(deny) => deny.reason.code().to_owned(),
    };
    if ids.is_empty() { head } else { format!("{head}: {ids}") }
}

/// Everything that a question has, with a plain default for each part.
#[derive(Debug)]
struct Asked {
    identity: Identity,
    connection: ConnectionName,
    action: Action,
    arguments: Value,
    facts: Vec<String>,
    earlier: Vec<String>,
    approvals: Vec<Group>,
    peer: IpAddr,
    now: Timestamp,
}

impl Asked {
    fn new(group: &str, action: Action) -> Self {
        Self {
            identity: identity(&[group]),
            connection: name("staff"),
            action,
            arguments: json!({}),
            facts: Vec::new(),
            earlier: Vec::new(),
            approvals: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: NOON,
        }
    }

    fn tool(group: &str, tool: &str, arguments: Value) -> Self {
        Self { arguments, ..Self::new(group, Action::CallTool(tool.to_owned())) }
    }

    fn question(&self) -> Question<'_> {
        Question {
            identity: &self.identity,
            connection: &self.connection,
            action: &self.action,
            arguments: &self.arguments,
            facts: &self.facts,
            earlier: &self.earlier,
            approvals: &self.approvals,
            peer: self.peer,
            now: self.now,
        }
    }

    fn of(&self, policies: &Policies) -> String {
        short(&policies.judge(&self.question()))
    }
}

fn name(text: &str) -> ConnectionName {
    ConnectionName::new(text).unwrap()
}

fn group(text: &str) -> Group {
    let (issuer, name) = text.split_once('/').unwrap();
    Group { issuer: issuer.to_owned(), name: name.to_owned() }
}

fn identity(groups: &[&str]) -> Identity {
    Identity {
        issuer: "dev".to_owned(),
        kind: IdentityKind::Person,
        subject: "ann".to_owned(),
        client: None,
        groups: groups.iter().map(|text| group(text)).collect(),
        claims: Default::default(),
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: Some(NOON.plus_millis(-60_000)),
            expires_at: NOON.plus_millis(240_000),
            refused_from: NOON.plus_millis(300_000),
        },
    }
}

/// A job of the other issuer.
fn job(groups: &[&str]) -> Identity {
    Identity { issuer: "ci".to_owned(), kind: IdentityKind::Workload, ..identity(groups) }
}

fn tool(name: &str, properties: Value, required: Value) -> ToolShape {
    let input_schema = json!({"type": "object", "properties": properties, "required": required});
    ToolShape { name: name.to_owned(), input_schema }
}

/// The connection of the examples.
fn staff() -> ConnectionShape {
    let employee = json!({"employee_id": {"type": "integer"}});
    let query = json!({"department": {"type": "string"}, "limit": {"type": "integer"}});
    ConnectionShape {
        name: name("staff"),
        labels: [("env".to_owned(), "production".to_owned())].into(),
        tools: Some(vec![
            tool("query_employees", query, json!([])),
            tool("list_payments", employee.clone(), json!(["employee_id"])),
            tool("delete_employee", employee, json!(["employee_id"])),
        ]),
    }
}

fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

fn try_compile(text: &str, connections: &[ConnectionShape]) -> Result<Compiled, PolicyErrors> {
    let jobs = IssuerShape { name: "ci".to_owned(), vouches_for: IdentityKind::Workload };
    let issuers = [IssuerShape::of_people("dev"), jobs];
    Policies::compile(&[source("test.cedar", text)], connections, &issuers)
}

/// Compiles policies for [`staff`] that must be without errors.
fn compile(text: &str) -> Policies {
    let compiled = try_compile(text, &[staff()]);
    compiled.unwrap_or_else(|errors| panic!("{:#?}", errors.faults)).policies
}
