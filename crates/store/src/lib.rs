//! What outlives the process: the journal of every decision, and the accepted definitions.
//!
//! [`journal`] stands between judge and send on the path of a call: no record, no call. [`pins`]
//! keeps what an operator accepted of each connection. Both live in one data folder that a single
//! process owns. Nothing here decides, speaks the protocol, reads a clock, or sees a credential.

mod folder;
pub mod journal;
pub mod pins;
