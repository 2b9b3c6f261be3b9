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
    /// Qualified group names; each must approve.
    pub approvers: Vec<String>,
    /// Ids of the forbids that hold the call, sorted.
    pub policies: Vec<String>,
    /// Different people of each group who must approve.
    #[serde(default = "one")]
    pub quorum: u32,
    /// A grant may be used for at most so long, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
    /// Why the policies hold it, in their authors' words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Access for a window of time, at most so long in milliseconds, lets it pass too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_ms: Option<u64>,
    /// Its caller may let it pass alone in an emergency.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
}

const fn one() -> u32 {
    1
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
