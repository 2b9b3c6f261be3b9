//! The gateway as a service: started from a configuration, kept up to date with it, and drained.
//!
//! Wires the rooms together. What happens to a call is the gateway's business alone.

mod admin;
mod ask;
mod beside;
mod channels;
mod connect;
mod health;
mod inputs;
pub(crate) mod keep;
mod login;
mod logs;
mod open;
mod poll;
pub(crate) mod process;
mod provision;
mod register;
mod registrar;
mod retention;
mod revoke;
mod service;
mod tls;
mod vault;
mod watch;

use tokio::runtime::{Builder, Runtime};

pub(crate) use open::build_failure;
pub(crate) use service::{Listeners, Service};

use crate::failure::Failure;

/// The runtime of this process.
///
/// # Errors
/// Where the system gives no threads.
pub(crate) fn runtime() -> Result<Runtime, Failure> {
    Builder::new_multi_thread().enable_all().build().map_err(Failure::unreachable)
}
