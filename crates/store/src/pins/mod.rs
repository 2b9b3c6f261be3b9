//! The definitions that an operator accepted, one readable JSON file a connection.
//!
//! Keeps and compares; what is pinned, and what follows from a difference, is the gateway's part.

mod diff;
mod folder;

pub use diff::{Change, ChangeKind, diff};
pub use folder::PinFolder;

use lockgate_model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is accepted of one connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// What the server says to the model about itself; absent where it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<InstructionsPin>,
    /// Tools and prompts, in any order; one of each kind and name.
    pub definitions: Vec<Pin>,
}

/// Accepted instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructionsPin {
    /// Digest by which they are compared.
    pub digest: Digest,
    /// The text, for people.
    pub text: String,
}

/// One accepted definition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// Tool or prompt.
    pub kind: PinKind,
    /// Its name, byte for byte.
    pub name: String,
    /// Digest of the canonical definition, by which it is compared.
    pub digest: Digest,
    /// The definition as the server gave it.
    pub definition: Value,
}

/// What kind of thing is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinKind {
    /// `tools/list`.
    Tool,
    /// `prompts/list`.
    Prompt,
}

impl PinKind {
    /// The word in files and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
        }
    }
}

/// Why pins could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PinFault {
    /// The operating system refused.
    #[error("can't {doing} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// On which file or folder.
        path: std::path::PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// The file is not what this version writes.
    #[error("`{}` is no pin file: {source}", path.display())]
    Malformed {
        /// The file.
        path: std::path::PathBuf,
        /// What the reader said.
        source: serde_json::Error,
    },
}
