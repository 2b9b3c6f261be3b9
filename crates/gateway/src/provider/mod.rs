//! Secrets and keys that a server outside keeps: HashiCorp Vault or OpenBao, over its HTTP API.
//!
//! Asks, and gives what it was answered; what is kept for how long is the vault's business. Goes through
//! `egress` only, follows no redirect, and quotes nothing of an answer.

mod login;
mod server;
mod settings;
mod transit;

pub use server::Server;
pub use settings::{AppRole, Kubernetes, LoginSettings, ServerSettings};

/// Why something can't be had. The words name places, never values.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderFault {
    /// No connection, no answer in time, or one that says to try later.
    #[error("{0}")]
    Unreachable(String),
    /// There is no such thing.
    #[error("{0}")]
    Missing(String),
    /// It may not be read, or nobody may log in.
    #[error("{0}")]
    Refused(String),
}
