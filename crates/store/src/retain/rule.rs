//! The configuration of retention.

use serde::{Deserialize, Serialize};

/// How much of something is kept; without a bound, all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetentionRule {
    /// What is older goes. In milliseconds.
    pub max_age_ms: Option<u64>,
    /// The oldest go until the rest is no larger. In bytes.
    pub max_bytes: Option<u64>,
}
