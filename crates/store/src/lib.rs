//! What outlives the process: the journal of every decision, its searchable index, the accepted
//! definitions, and their way elsewhere.
//!
//! [`journal`] stands between judge and send on the path of a call: no record, no call. [`index`] is
//! filled behind it and can be made again from it; it, [`approvals`], [`budgets`], [`connections`], [`directory`],
//! [`revocations`] and [`secrets`] stand on [`db`]. [`pins`] keeps what an operator accepted of each connection, [`approvals`]
//! what people are asked, [`budgets`] what was used of them, [`connections`] what was registered, [`directory`] who is in which
//! group, [`revocations`] who is out, and [`secrets`]
//! what the vault sealed. [`export`], [`deliver`] and [`ship`] read the journal and take it elsewhere, and
//! [`retain`] plans what has had its time, and [`backup`] takes the whole data folder at one moment; none of
//! them can hold the journal up. Nothing here
//! decides, speaks the protocol, reads the wall clock, or sees a caller's credential.

pub mod approvals;
pub mod backup;
pub mod budgets;
mod client;
pub mod connections;
pub mod db;
pub mod deliver;
pub mod directory;
pub mod export;
mod folder;
pub mod index;
pub mod journal;
pub mod notify;
pub mod pins;
pub mod retain;
pub mod revocations;
pub mod secrets;
pub mod ship;
