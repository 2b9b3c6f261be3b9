//! One call, as the gateway understood it: which era, which method, on what.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use serde_json::Value;

use crate::Digest;

/// Which of the two protocol designs a message speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Era {
    /// `initialize` and sessions: 2025-03-26, 2025-06-18, 2025-11-25.
    Legacy,
    /// Stateless requests with `_meta`: 2026-07-28.
    Modern,
}

/// A published MCP protocol revision that Lockgate forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Revision {
    /// 2025-03-26: the only revision with batches.
    V2025_03_26,
    /// 2025-06-18.
    V2025_06_18,
    /// 2025-11-25.
    V2025_11_25,
    /// 2026-07-28: the first of the modern era.
    V2026_07_28,
}

impl Revision {
    /// Every revision, oldest first.
    pub const ALL: [Self; 4] =
        [Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];

    /// As written in headers and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision with this exact spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    /// The era it belongs to.
    pub fn era(self) -> Era {
        if self < Self::V2026_07_28 { Era::Legacy } else { Era::Modern }
    }
}

/// A JSON-RPC request id, in the spelling in which it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A whole number within 64 bits.
    Number(i64),
    /// A string.
    Text(String),
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a value, because numbers that keep their digits can't be read untagged.
        match Value::deserialize(deserializer)? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => number.as_i64().map(Self::Number),
            _ => None,
        }
        .ok_or_else(|| D::Error::custom("expected a string or a whole number"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a message asks for, in the terms in which policy decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Runs a tool: `tools/call`.
    CallTool(String),
    /// Shows a tool in a list.
    ListTool(String),
    /// Reads a resource by its canonical URI: `resources/read`.
    ReadResource(String),
    /// Shows a resource or resource template in a list.
    ListResource(String),
    /// Subscribes to changes of a resource by its canonical URI.
    SubscribeResource(String),
    /// Gets a prompt: `prompts/get`.
    GetPrompt(String),
    /// Shows a prompt in a list.
    ListPrompt(String),
    /// Completes an argument of a prompt or resource template: `completion/complete`.
    Complete(String),
    /// Opens a stream of notifications: legacy GET, modern `subscriptions/listen`.
    Subscribe,
    /// Looks at, updates or cancels a task by its id: `tasks/*`.
    Task(String),
    /// Changes the log level: `logging/setLevel`.
    SetLogLevel,
    /// Lets the server ask the client for something: sampling, elicitation, roots.
    ServerRequest(String),
    /// Shows values of a data class in what comes from a tool, resource or prompt.
    Reveal {
        /// The class, such as `pii.email`.
        class: String,
        /// The tool, resource or prompt.
        target: String,
    },
    /// Puts a value of a data class back in place of its token, in what a tool is called with.
    Restore {
        /// The class, such as `pii.email`.
        class: String,
        /// The tool, resource or prompt.
        target: String,
    },
    /// Speaks the protocol itself: `initialize`, `server/discover`, `ping`, lists, notifications,
    /// the end of a session. Granted to every verified identity of the connection.
    Protocol,
}

impl Action {
    /// The stable name of the kind, as in records, metrics and policies.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::CallTool(_) => "call_tool",
            Self::ListTool(_) => "list_tool",
            Self::ReadResource(_) => "read_resource",
            Self::ListResource(_) => "list_resource",
            Self::SubscribeResource(_) => "subscribe_resource",
            Self::GetPrompt(_) => "get_prompt",
            Self::ListPrompt(_) => "list_prompt",
            Self::Complete(_) => "complete",
            Self::Subscribe => "subscribe",
            Self::Task(_) => "task",
            Self::SetLogLevel => "set_log_level",
            Self::ServerRequest(_) => "server_request",
            Self::Reveal { .. } => "reveal",
            Self::Restore { .. } => "restore",
            Self::Protocol => "protocol",
        }
    }

    /// The tool, resource, prompt or task it is about; empty where there is none.
    pub fn target(&self) -> &str {
        match self {
            Self::CallTool(target)
            | Self::ListTool(target)
            | Self::ReadResource(target)
            | Self::ListResource(target)
            | Self::SubscribeResource(target)
            | Self::GetPrompt(target)
            | Self::ListPrompt(target)
            | Self::Complete(target)
            | Self::Task(target)
            | Self::ServerRequest(target)
            | Self::Reveal { target, .. }
            | Self::Restore { target, .. } => target,
            Self::Subscribe | Self::SetLogLevel | Self::Protocol => "",
        }
    }
}

/// One request or notification from a client, decided on as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The era it was spoken in.
    pub era: Era,
    /// Absent for notifications.
    pub id: Option<RequestId>,
    /// The JSON-RPC method, byte for byte.
    pub method: String,
    /// What it asks for.
    pub action: Action,
    /// `params.arguments`, or null; numbers keep their digits.
    pub arguments: Value,
    /// SHA-256 of the canonical arguments (RFC 8785).
    pub arguments_digest: Digest,
}
