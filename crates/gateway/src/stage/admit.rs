//! Who is asking: the connection's verifier is asked, and the identity's place among the open
//! requests is taken. Verification itself is in [`super::authenticate`].

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use lockgate_model::{
    ConnectionName, Digest, Identity, IdentityKind, Reason, Refusal, Timestamp, TokenFacts,
};
use lockgate_vault::Secret;

use super::{accept::Arrival, respond::Stop};
use crate::{
    clock,
    gateway::Gateway,
    host::DEVELOPMENT_ISSUER,
    path::Trail,
    revocations::{Asking, Revocations},
    slots::Slot,
    snapshot::Snapshot,
};

/// A request of a verified caller.
pub struct Authenticated {
    /// The request.
    pub arrival: Arrival,
    /// Its caller.
    pub identity: Arc<Identity>,
    /// What it was let in with.
    pub pass: Pass,
    /// Its place among the caller's open requests.
    pub slot: Slot,
}

/// What a caller was let in with, kept to be asked again while a stream is open, and to be exchanged where
/// the connection does that. It has no `Debug`, and gives its token to nobody but the verifier and the
/// authorization server that exchanges it.
pub struct Pass(HeaderMap);

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
        let access = &arrival.connection.access;
        let verified = authenticator.authenticate(&arrival.headers, access, trail.now).await?;
        gateway.revocations.narrow(verified)
    };
    // No later stage can see the token any more, only have it looked at again.
    let token = arrival.headers.remove(AUTHORIZATION);
    let pass = Pass(token.into_iter().map(|token| (AUTHORIZATION, token)).collect());
    trail.identity = Some(Arc::clone(&identity));
    let connection = Some(arrival.connection.name());
    let asking = Asking { identity: &identity, connection, session: None };
    gateway.revocations.check(asking)?;
    let slot = gateway.slots.take(&identity, arrival.snapshot.limits().identity_calls_max)?;
    Ok(Authenticated { arrival, identity, pass, slot })
}

impl Pass {
    /// The caller's token, to be exchanged; `None` where a caller without one was let in.
    pub fn token(&self) -> Option<Secret> {
        let value = self.0.get(AUTHORIZATION)?.to_str().ok()?;
        let (_, token) = value.split_once(' ')?;
        Secret::of_text(token.to_owned()).ok()
    }

    /// Whether `identity` would be let in by this snapshot too, as it was.
    ///
    /// # Errors
    /// A refusal of the authenticate stage, or [`Reason::ConnectionUnknown`].
    pub async fn check(
        &self,
        snapshot: &Snapshot,
        revocations: &Revocations,
        connection: &ConnectionName,
        identity: &Identity,
    ) -> Result<(), Refusal> {
        let Some(connection) = snapshot.connection(connection) else {
            return Err(Refusal::new(Reason::ConnectionUnknown, "the connection is gone"));
        };
        if self.0.is_empty() && connection.settings.development_anonymous {
            return Ok(());
        }
        let now = clock::now();
        let again = snapshot.authenticator.authenticate(&self.0, &connection.access, now).await?;
        if revocations.narrow(again).groups == identity.groups {
            Ok(())
        } else {
            Err(Refusal::new(Reason::TokenClaims, "the token now means other groups"))
        }
    }
}

fn is_anonymous(arrival: &Arrival) -> bool {
    let allowed = arrival.connection.settings.development_anonymous;
    allowed && !arrival.headers.contains_key(AUTHORIZATION)
}

fn anonymous(now: Timestamp) -> Identity {
    let until = now.plus_millis(ANONYMOUS_MS);
    Identity {
        issuer: DEVELOPMENT_ISSUER.to_owned(),
        kind: IdentityKind::Person,
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
