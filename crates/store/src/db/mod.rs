//! One way to use SQLite and PostgreSQL: where a database is, how it is opened, its tables brought up
//! to date, and one SQL text for both.
//!
//! Knows no table: the rooms that keep something in a database bring their own, each under a name of
//! its own, so that several may share one.

mod bell;
pub(crate) mod conn;
mod copy;
mod fault;
mod migrate;
mod place;

pub use bell::Ear;
pub use conn::TEXT_COLUMN_MAX_BYTES;
pub(crate) use copy::copy;
pub use fault::DbFault;
pub(crate) use migrate::{Migration, Schema};
pub use place::DbPlace;
pub(crate) use place::open;
