//! How a modern client comes back to a call that waits for approval: the state that it is given and
//! sends with the same call again. It says how often it came back, and nothing else; the right to
//! send comes from the approval, which is looked for by the call itself.
//!
//! Sealed with a key of this process: after a restart, and on another node, a client begins anew.

use aws_lc_rs::hmac;
use lockgate_model::{Call, Identity, Reason, Refusal};

use crate::clock;

/// How the gateway's own states begin; the upstream's are passed on as they are.
const PREFIX: &str = "lockgate-approval.";

/// The key of the process.
pub struct Legs(hmac::Key);

impl Legs {
    /// With a new key.
    ///
    /// # Errors
    /// [`Reason::Internal`] where the system gives no randomness.
    pub fn new() -> Result<Self, Refusal> {
        let key = [clock::random_id()?, clock::random_id()?].concat();
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
    }

    /// Whether a state is one of the gateway's.
    pub fn are_meant(state: &str) -> bool {
        state.starts_with(PREFIX)
    }

    /// The state for coming back as leg `leg`.
    pub fn state(&self, leg: u32, identity: &Identity, call: &Call) -> String {
        let tag = hmac::sign(&self.0, about(leg, identity, call).as_bytes());
        let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{PREFIX}{leg}.{tag}")
    }

    /// Which leg this is.
    ///
    /// # Errors
    /// [`Reason::RpcParams`] for a state that was given to somebody else, for another call, or by
    /// another process.
    pub fn read(&self, state: &str, identity: &Identity, call: &Call) -> Result<u32, Refusal> {
        let leg = state.strip_prefix(PREFIX).and_then(|rest| rest.split('.').next()?.parse().ok());
        // Made anew and compared as a whole, in constant time.
        let good = |leg: &u32| {
            let made = self.state(*leg, identity, call);
            aws_lc_rs::constant_time::verify_slices_are_equal(made.as_bytes(), state.as_bytes())
                .is_ok()
        };
        leg.filter(good).ok_or_else(|| {
            Refusal::new(Reason::RpcParams, "the state is not one of this call and caller")
        })
    }
}

fn about(leg: u32, identity: &Identity, call: &Call) -> String {
    // Debug quotes, so that no part reaches into the next.
    let (kind, target) = (call.action.kind(), call.action.target());
    format!(
        "{leg} {:?} {:?} {:?} {kind} {target:?} {}",
        identity.issuer, identity.subject, identity.client, call.arguments_digest
    )
}
