//! The human side: the admin API over the recording and the approvals, and the pages on which
//! reviewers answer.
//!
//! An auditor searches, opens and follows what was recorded; an admin holds, releases and erases;
//! registers servers and seals their credentials; whom a policy asks decides on calls that wait.
//! Every look and every change is itself on the record before it is answered. Nothing here
//! verifies a token, writes a journal file or reaches an upstream: what it needs of the process
//! comes in as an [`Edge`].

mod access;
mod brake;
mod change;
mod connect;
mod console;
mod difference;
mod door;
mod edge;
mod gate;
mod hear;
mod inquiry;
mod look;
mod page;
mod pages;
mod problem;
mod query;
mod recording;
mod registrar;
mod revoke;
mod routes;
pub mod scim;
mod serve;
mod settings;
mod slack;
mod slots;
mod stretch;
mod tail;

pub use connect::{Ask, Back, Connect, NotConnected};
pub use console::Console;
pub use door::{Begin, Finish, Login, Unfinished};
pub use edge::{Edge, Keeper, Later, Offer, Offers, Verify};
pub use hear::Untaken;
pub use registrar::{Change, Connection, Declined, Known, Registrar, Sealable, Secret, Wish};
pub use revoke::{Heard, Revoker};
pub use settings::{ApiSettings, GroupFault, GroupName, LoginSettings, Roles};
