//! Who is asking: the connection's verifier is asked, and the identity's place among the open
//! requests is taken. Verification itself is in [`super::authenticate`].

use std::{collections::BTreeMap, sync::Arc};

use http::header::AUTHORIZATION;
use lockgate_model::{Digest, Identity, Timestamp, TokenFacts};

use super::{accept::Arrival, respond::Stop};
use crate::{
    gateway::Gateway, host::DEVELOPMENT_ISSUER, path::Trail, slots::Slot, snapshot::Snapshot,
};

/// A request of a verified caller.
pub struct Authenticated {
    /// The request.
    pub arrival: Arrival,
    /// Its caller.
    pub identity: Arc<Identity>,
    /// Its place among the caller's open requests.
    pub slot: Slot,
}

/// How long an anonymous development identity lasts: one request, or the longest stream.
const ANONYMOUS_MS: i64 = 86_400_000;

/// Verifies the caller.
///
/// # Errors
/// A refusal of the authenticate stage, or `limit.concurrency`.
pub async fn admit(
    gateway: &Arc<Gateway>,
    trail: &mut Trail,
    mut arrival: Arrival,
) -> Result<Authenticated, Stop> {
    let identity = if is_anonymous(&arrival) {
        Arc::new(anonymous(trail.now))
    } else {
        let Snapshot { authenticator, .. } = arrival.snapshot.as_ref();
        authenticator.authenticate(&arrival.headers, &arrival.connection.access, trail.now).await?
    };
    // The token has done its work; no later stage can even see it.
    arrival.headers.remove(AUTHORIZATION);
    trail.identity = Some(Arc::clone(&identity));
    let slot = gateway.slots.take(&identity, arrival.snapshot.limits().identity_calls_max)?;
    Ok(Authenticated { arrival, identity, slot })
}

fn is_anonymous(arrival: &Arrival) -> bool {
    let allowed = arrival.connection.settings.development_anonymous;
    allowed && !arrival.headers.contains_key(AUTHORIZATION)
}

fn anonymous(now: Timestamp) -> Identity {
    let until = now.plus_millis(ANONYMOUS_MS);
    Identity {
        issuer: DEVELOPMENT_ISSUER.to_owned(),
        subject: "anonymous".to_owned(),
        client: None,
        groups: Vec::new(),
        claims: BTreeMap::new(),
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: Some(now),
            expires_at: until,
            refused_from: until,
        },
    }
}
