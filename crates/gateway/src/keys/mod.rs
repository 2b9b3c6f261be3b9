//! The keys that issuers publish: which are usable, how long they are believed, how they are had.
//!
//! `machine` decides and is pure, `fetch` goes out, [`Keyring`] ties the two together. Keys come from
//! the issuer's own metadata or the configured URL, never from a place that a token names.

mod fetch;
mod key;
mod keyring;
mod machine;
mod weak;

pub use key::{Key, KeySet};
pub use keyring::Keyring;
pub use machine::{KeyFault, KeyStatus};
