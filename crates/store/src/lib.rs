//! What outlives the process: the journal of every decision, its searchable index, and the accepted
//! definitions.
//!
//! [`journal`] stands between judge and send on the path of a call: no record, no call. [`db`] is
//! filled behind it and can be made again from it. [`pins`] keeps what an operator accepted of each
//! connection. Nothing here decides, speaks the protocol, reads a clock, or sees a credential.

pub mod db;
mod client;
pub mod deliver;
pub mod export;
mod folder;
pub mod journal;
pub mod pins;
pub mod retain;
pub mod ship;
