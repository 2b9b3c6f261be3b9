//! Whose request it is, where proxies stand in front of the gateway: what [`chain`] reads in a header, or
//! [`wire`] at the beginning of a connection.
//!
//! Only configured proxies are believed, and only by the one way that is configured. What they say and
//! can't be read is refused: an address in a policy must be somebody's. From everybody else the socket's
//! other end is the caller, whatever they send.

mod chain;
mod wire;

pub use chain::caller;
pub use wire::{WireFault, caller as caller_by_wire, told};
