//! Policy: Cedar texts and pinned tool lists in, one [`Verdict`] a question out.
//!
//! [`Policies::compile`] checks every policy against the typed arguments of the tools it can reach
//! and slices the policies by connection and action. [`Policies::judge`] answers one question and
//! [`Policies::explain`] says why. Nothing here knows JSON-RPC, reads a file or a clock, or ever
//! widens a decision because something failed: unknown is deny, an error is deny.
//!
//! # The words of a policy
//!
//! | Cedar | is |
//! |---|---|
//! | `User::"issuer/subject"` | the principal; its parents are its groups, its tags its claims |
//! | `Workload::"issuer/subject"` | likewise, of an issuer that vouches for jobs or services |
//! | `Group::"issuer/name"` | a group as one issuer means it |
//! | `Connection::"name"` | the resource; `resource.labels.env` is a label from the configuration |
//! | `Action::"connection/tool"` | a tool, in `Action::"call_tool"` |
//! | `Action::"read_resource"` | likewise `subscribe_resource`, `get_prompt`, `complete`, `task` |
//! | `Action::"subscribe"` | a stream of notifications; likewise `set_log_level` |
//! | `Action::"server_request"` | the server asks the client: sampling, elicitation, roots |
//! | `Action::"reveal"` | values of a data class are shown; only by a permit that names it |
//! | `Action::"restore"` | likewise: a token in a call's arguments becomes its value again |
//! | `context.classes` | of which: the class and all above it, `pii` and `pii.email` |
//! | `context.arguments` | the tool's arguments, typed by its input schema |
//! | `context.arguments_json` | all arguments as text: sorted keys, no spaces |
//! | `context.target` | resource URI, prompt name, task id or method, where there is no tool |
//! | `context.time` | now, in UTC; `context.peer` is the address of the socket's other end |
//! | `context.local["Europe/Berlin"]` | what a clock there shows: `.date`, `.weekday`, `.hour`, `.minute` |
//! | `context.issuer`, `.client`, `.token_age_s`, `.token_lifetime_s` | what is known of the token |
//! | `context.facts`, `.approvals` | what the guard found; which groups have approved |
//! | `context.tables`, `.columns` | what SQL in the arguments names; `?` where it can't be read |
//! | `context.earlier` | what the caller did lately: `"connection"`, and `"connection/tool"` |
//!
//! `@id` names a policy, else it is `file:number`; `@owner` says who answers for it, and `@reason` on a permit
//! why it is there. A permit with
//! `@until("2026-12-31T00:00:00Z")` permits nothing from then on, and one with `@budget("10 per 1h")` so often
//! for each identity in each hour. A forbid with
//! `@approvers("issuer/group")` holds a call instead of refusing it, if the approval of all its
//! groups would let the call pass. `@quorum("2")`, `@expires("10m")` and `@reason("…")` say how many
//! people of each, for how long, and why. With `@access("8h")` the same people may lift it for a
//! window of at most that time, and with `@break_glass("issuer/group")` members of that group may do
//! so alone in an emergency, to be looked at afterwards.
//!
//! # Lists
//!
//! A tool, prompt or resource is listed by the same policies that decide on its use, asked without
//! arguments, facts and approvals. It is shown if some use of it could be allowed as far as can be
//! told, and absent if no permit can apply to the caller or a forbid applies whatever the call
//! says. So every callable tool is listed, and a tool that is denied outright is not.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
};

use cedar_policy::Effect;
use lockgate_model::{Action, ConnectionName, Group, Identity, IdentityKind, Timestamp, Verdict};
use serde_json::Value;

pub use budget::Budget;
pub use fault::{PolicyErrors, PolicyFault};
pub use hold::Way;
pub use standing::{Path, Standing};
pub use starter::{Production, guard_starter, starter};

mod budget;
mod check;
mod compile;
mod context;
mod explain;
mod fault;
mod hold;
mod judge;
mod lift;
mod names;
mod reads;
mod rule;
mod schema;
mod shape;
mod source;
mod standing;
mod starter;
mod vocabulary;
mod zones;

#[cfg(test)]
mod tests;

/// A policy file larger than this is refused before it is parsed.
pub const SOURCE_MAX_BYTES: usize = 1024 * 1024;

/// Compiled policies of all connections: immutable, shared by all calls of one snapshot.
#[derive(Debug)]
pub struct Policies {
    types: vocabulary::Types,
    rooms: HashMap<ConnectionName, compile::Room>,
    /// In the order of their ids.
    rules: Vec<Arc<rule::Rule>>,
    /// Of the permits that have one, by their ids.
    budgets: BTreeMap<String, Budget>,
}

impl Policies {
    /// Parses, checks and slices policies.
    ///
    /// `issuers` are the configured ones; a policy that names a user, workload or group of another one,
    /// or a user of one that vouches for workloads, is an error, as is a misspelt tool, argument, connection or label.
    ///
    /// # Errors
    /// [`PolicyErrors`] with every fault found, each with its file and place.
    pub fn compile(
        sources: &[Source],
        connections: &[ConnectionShape],
        issuers: &[IssuerShape],
    ) -> Result<Compiled, PolicyErrors> {
        compile::compile(sources, connections, issuers)
    }

    /// Decides one question.
    ///
    /// - [`Action::Protocol`] is always allowed.
    /// - A tool that is not in the connection's catalogue is denied as
    ///   [`Reason::TargetUnknown`](lockgate_model::Reason::TargetUnknown); every tool of an unknown
    ///   catalogue as [`Reason::CatalogueMissing`](lockgate_model::Reason::CatalogueMissing).
    /// - An argument that some policy of the tool reads, and that does not have its declared type,
    ///   is denied as [`Reason::PolicyError`](lockgate_model::Reason::PolicyError), and so is every
    ///   question on which some policy can't be evaluated. Undeclared arguments are only in
    ///   `context.arguments_json`.
    /// - A list entry is allowed if some call of it could be: see `ListTool`, `ListPrompt` and
    ///   `ListResource` in [`Action`].
    pub fn judge(&self, question: &Question<'_>) -> Verdict {
        self.ruling(question).verdict
    }

    /// Whether some permit may show this caller what is masked on a connection: where none may, no class
    /// has to be asked about. One that has ended counts here, and shows nothing when it is asked.
    pub fn may_reveal(&self, identity: &Identity, connection: &ConnectionName) -> bool {
        let room = self.rooms.get(connection);
        let point = room.and_then(|room| room.kinds.get(vocabulary::REVEAL));
        let permits = point
            .iter()
            .flat_map(|point| point.slice.iter())
            .filter(|rule| rule.effect == Effect::Permit);
        permits.into_iter().any(|rule| rule.covers_caller(identity))
    }

    /// Whether some permit of a connection may be for this caller, whatever they ask of it.
    pub fn may_reach(&self, identity: &Identity, connection: &ConnectionName) -> bool {
        let room = self.rooms.get(connection);
        let points = room.into_iter().flat_map(|room| {
            let tools = room.tools.iter().flat_map(HashMap::values);
            room.kinds.values().chain(tools)
        });
        let permits = points
            .flat_map(|point| point.slice.iter())
            .filter(|rule| rule.effect == Effect::Permit);
        permits.into_iter().any(|rule| rule.covers_caller(identity))
    }

    /// Decides one question and says why; for people, not for the path of a call.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        self.explanation(question)
    }
}

/// The Cedar schema that policies of `connection` are checked against, as readable text.
pub fn schema_text(connection: &ConnectionShape) -> String {
    schema::text(&schema::Typed::new(connection))
}

/// One policy file.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name shown in errors and used in fallback policy ids, such as `staff.cedar`.
    pub name: String,
    /// Its text; at most [`SOURCE_MAX_BYTES`].
    pub text: String,
}

/// A connection as policy sees it.
#[derive(Clone, Debug)]
pub struct ConnectionShape {
    /// Its name, the id of its `Connection` entity.
    pub name: ConnectionName,
    /// Labels from the configuration: `resource.labels`.
    pub labels: BTreeMap<String, String>,
    /// The accepted tools; `None` while the catalogue is not known, when no tool is callable.
    pub tools: Option<Vec<ToolShape>>,
}

impl ConnectionShape {
    /// A connection that is not served just now, and of which policies may speak all the same.
    pub fn unserved(name: &ConnectionName) -> Self {
        Self { name: name.clone(), labels: BTreeMap::new(), tools: None }
    }
}

/// An issuer as policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerShape {
    /// Its short name in the configuration.
    pub name: String,
    /// Whether its subjects are `User` or `Workload`.
    pub vouches_for: IdentityKind,
}

impl IssuerShape {
    /// An issuer that vouches for people.
    pub fn of_people(name: &str) -> Self {
        Self { name: name.to_owned(), vouches_for: IdentityKind::Person }
    }
}

/// A tool as policy sees it.
#[derive(Clone, Debug)]
pub struct ToolShape {
    /// The name, byte for byte as the server gives it.
    pub name: String,
    /// The tool's `inputSchema` (JSON Schema), from the pinned definition.
    pub input_schema: Value,
}

/// One question: may this identity do this, here and now?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// Which connection the call goes to.
    pub connection: &'a ConnectionName,
    /// What it asks for.
    pub action: &'a Action,
    /// The call's arguments, or null.
    pub arguments: &'a Value,
    /// What the guard found in the arguments; facts can only tighten.
    pub facts: &'a [String],
    /// What the caller did a little while ago: `connection`, and `connection/tool`.
    pub earlier: &'a [String],
    /// Groups that have approved exactly this call.
    pub approvals: &'a [Group],
    /// The address of the socket's other end, never a forwarded header.
    pub peer: IpAddr,
    /// The time of the question.
    pub now: Timestamp,
}

/// What [`Policies::compile`] gives.
#[derive(Debug)]
pub struct Compiled {
    /// Ready to judge.
    pub policies: Policies,
    /// What an operator should look at; nothing here stops the policies from being used.
    pub warnings: Vec<PolicyFault>,
}

/// A decision with its reasons, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The same verdict that [`Policies::judge`] gives.
    pub verdict: Verdict,
    /// The policies that decided, in the order of the verdict's ids.
    pub policies: Vec<DecidingPolicy>,
    /// One sentence each: what was missing, failed, or is worth knowing.
    pub notes: Vec<String>,
}

/// A policy that decided, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecidingPolicy {
    /// Its `@id`, or `file:number`.
    pub id: String,
    /// The file it stands in.
    pub file: String,
    /// Its first line in the file, from 1.
    pub line: usize,
    /// The policy as written.
    pub text: String,
    /// Its `@owner`: who answers for it.
    pub owner: Option<String>,
    /// Its `@until`: from when on it permits nothing.
    pub until: Option<Timestamp>,
}
