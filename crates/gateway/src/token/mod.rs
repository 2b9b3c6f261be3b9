//! Tokens: bytes in, verified identity out. Pure, given the key, the issuer's rules and the time.
//!
//! [`Jws`] reads a token strictly and believes nothing in it; [`Rules`] believes it once the
//! signature and the claims hold. No key is fetched here and no clock is read.

mod algorithm;
mod cache;
mod claims;
mod groups;
pub(crate) mod introspected;
mod jws;
mod profile;
mod rules;
pub mod told;

pub use algorithm::Algorithm;
pub(crate) use algorithm::Check;
pub use cache::Cache;
pub use jws::{Jws, TokenType};
pub use profile::Profile;
pub use rules::{Rules, RulesFault, Signed, Verified};
