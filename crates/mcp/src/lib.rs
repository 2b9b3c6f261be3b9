//! The MCP protocol as bytes and values, both eras: read strictly once, never built again.
//!
//! A message is checked, looked at through spans of its own bytes, and forwarded as those bytes.
//! Nothing here does IO, awaits, reads a clock or draws randomness; nothing here decides who may do
//! what. What two readers could take differently is refused.

pub mod answer;
pub mod call;
pub mod definition;
mod fault;
pub mod headers;
pub mod json;
pub mod list;
pub mod message;
pub mod outcome;
pub mod request;
pub mod sse;
pub mod trace;
pub mod uri;

pub use fault::{Fault, code};
