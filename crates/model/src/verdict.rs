//! The answer of judgement, with the policies that decided.

use serde::{Deserialize, Serialize};

use crate::Reason;

/// What may happen with one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may be forwarded; `policies` are the ids of the permits that said so.
    Allow {
        /// Ids of the deciding policies, sorted.
        policies: Vec<String>,
    },
    /// It may be forwarded once the named groups have approved it.
    Ask(Ask),
    /// It may not be forwarded.
    Deny(Deny),
}

/// A call that waits for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Qualified group names, any one member of each must approve.
    pub approvers: Vec<String>,
    /// Ids of the forbids that hold the call, sorted.
    pub policies: Vec<String>,
}

/// A refusal by policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deny {
    /// Why, as a stable code.
    pub reason: Reason,
    /// Ids of the deciding policies, sorted; empty where no policy permitted.
    pub policies: Vec<String>,
}

impl Verdict {
    /// Ids of the policies that decided.
    pub fn policies(&self) -> &[String] {
        match self {
            Self::Allow { policies } => policies,
            Self::Ask(ask) => &ask.policies,
            Self::Deny(deny) => &deny.policies,
        }
    }

    /// Whether the call may be forwarded now.
    pub const fn is_allow(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }
}
