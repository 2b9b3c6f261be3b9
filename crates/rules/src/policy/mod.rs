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
//! | `Group::"issuer/name"` | a group as one issuer means it |
//! | `Connection::"name"` | the resource; `resource.labels.env` is a label from the configuration |
//! | `Action::"connection/tool"` | a tool, in `Action::"call_tool"` |
//! | `Action::"read_resource"`, … | the other kinds, in the README |
//! | `context.arguments` | the tool's arguments, typed by its input schema |
//! | `context.arguments_json` | all arguments as text: sorted keys, no spaces |
//! | `context.target` | resource URI, prompt name, task id or method, where there is no tool |
//! | `context.time`, `.peer`, `.issuer`, `.client`, `.token_age_s`, `.token_lifetime_s` | the call |
//! | `context.facts`, `.approvals` | what the guard found; which groups have approved |

use std::{collections::BTreeMap, net::IpAddr};

use lockgate_model::{Action, ConnectionName, Deny, Group, Identity, Reason, Timestamp, Verdict};
use serde_json::Value;

pub use fault::{PolicyErrors, PolicyFault};

mod fault;

/// A policy file larger than this is refused before it is parsed.
pub const SOURCE_MAX_BYTES: usize = 1024 * 1024;

/// Compiled policies of all connections: immutable, shared by all calls of one snapshot.
#[derive(Debug)]
pub struct Policies {}

impl Policies {
    /// Parses, checks and slices policies.
    ///
    /// `issuers` are the short names of the configured issuers; a policy that names a user or group
    /// of another one is an error, as is a misspelt tool, argument, connection or label.
    ///
    /// # Errors
    /// [`PolicyErrors`] with every fault found, each with its file and place.
    pub fn compile(
        _sources: &[Source],
        _connections: &[ConnectionShape],
        _issuers: &[String],
    ) -> Result<Compiled, PolicyErrors> {
        Ok(Compiled { policies: Self {}, warnings: Vec::new() })
    }

    /// Decides one question.
    pub fn judge(&self, question: &Question<'_>) -> Verdict {
        match question.action {
            Action::Protocol => Verdict::Allow { policies: Vec::new() },
            _ => Verdict::Deny(Deny { reason: Reason::PolicyNoPermit, policies: Vec::new() }),
        }
    }

    /// Decides one question and says why; for people, not for the path of a call.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let verdict = self.judge(question);
        Explanation { verdict, policies: Vec::new(), notes: Vec::new() }
    }

    /// The Cedar schema that the policies of `connection` were checked against, as readable text;
    /// `None` for an unknown connection.
    pub fn schema_text(&self, _connection: &ConnectionName) -> Option<String> {
        None
    }
}

/// A commented policy file to start from: `group` (qualified, `issuer/name`) may use the tools of
/// `connection`.
pub fn starter(connection: &ConnectionShape, group: &Group) -> String {
    format!("// Policies of {}, for {group}.\n", connection.name)
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
}
