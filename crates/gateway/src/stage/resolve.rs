//! Which session of the connection the caller means. A session is its owner's alone: to anyone else
//! its id is unknown (C4).

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::HeaderMap;
use hyper::body::Incoming;
use lockgate_mcp::headers::{LAST_EVENT_ID, SESSION_ID};
use lockgate_model::{Identity, Person, Reason, Refusal};

use super::{
    admit::{Authenticated, Pass},
    parse::Item,
    respond::Stop,
};
use crate::{
    gateway::Gateway,
    path::Trail,
    revocations::Asking,
    session::Session,
    slots::Slot,
    snapshot::{Connection, Snapshot},
    upstream::{SessionKey, Verb},
};

/// Everything about the caller that the later stages need; shared by the entries of a batch.
pub struct Caller {
    /// The request's own id.
    pub request: Arc<str>,
    /// The socket's other end.
    pub peer: IpAddr,
    /// When the request's head had been read.
    pub began: Instant,
    /// Who asks.
    pub identity: Arc<Identity>,
    /// The connection.
    pub connection: Arc<Connection>,
    /// The version of everything that decides.
    pub snapshot: Arc<Snapshot>,
    /// The request's headers, without its token.
    pub headers: HeaderMap,
    /// What the caller was let in with.
    pub pass: Pass,
    /// Held while the request or its stream is open.
    pub slot: Slot,
}

impl Caller {
    /// Who asks, by their names alone.
    pub fn person(&self) -> Person {
        self.identity.person()
    }

    /// Done as soon as the caller's account at the server is another, or none, with why.
    pub async fn parted(self: Arc<Self>) -> Refusal {
        match self.connection.credential.grants() {
            // On the heap: what most connections never wait for is kept small.
            Some(grants) => Box::pin(grants.ends(&self.person())).await,
            None => std::future::pending().await,
        }
    }

    /// Who asks for this, as revocations are asked.
    pub fn asking<'a>(&'a self, item: &'a Item) -> Asking<'a> {
        Asking {
            identity: &self.identity,
            connection: Some(self.connection.name()),
            session: item.recording.as_ref().map(|recording| recording.id()),
        }
    }
}

/// A request with its place in the caller's sessions.
pub struct Resolved {
    /// Who asks, and where.
    pub caller: Caller,
    /// What the request does.
    pub verb: Verb,
    /// The session that it names.
    pub claim: Claim,
    /// Its body, not read yet.
    pub body: Incoming,
}

/// What a request says about its session.
pub enum Claim {
    /// Nothing.
    None,
    /// One of the caller's own.
    Own(Arc<Session>),
    /// One that does not exist for this caller. The modern era ignores it.
    Foreign,
}

/// Finds the session that the request names.
///
/// # Errors
/// [`Reason::HttpMalformed`] for two session ids, [`Reason::SessionUnknown`] for an event id that
/// this session never gave (C7).
pub async fn resolve(
    gateway: &Gateway,
    trail: &Trail,
    authenticated: Authenticated,
) -> Result<Resolved, Stop> {
    let Authenticated { arrival, identity, pass, slot } = authenticated;
    let mut ids = arrival.headers.get_all(SESSION_ID).iter();
    let claim = match (ids.next(), ids.next()) {
        (None, _) => Claim::None,
        (Some(one), None) => {
            let key = one.to_str().ok().and_then(|id| SessionKey::new(id).ok());
            let found = key.and_then(|key| {
                gateway.sessions.find(&key, &identity, arrival.connection.name(), trail.now)
            });
            match found {
                Some(session) if goes_on(&arrival.connection, &identity, &session).await => {
                    Claim::Own(session)
                }
                Some(_) | None => Claim::Foreign,
            }
        }
        _ => return Err(Refusal::new(Reason::HttpMalformed, "two session ids").into()),
    };
    check_event_id(&claim, &arrival.headers)?;
    let caller = Caller {
        request: Arc::clone(&trail.request),
        peer: trail.peer,
        began: trail.began,
        identity,
        connection: arrival.connection,
        snapshot: arrival.snapshot,
        headers: arrival.headers,
        pass,
        slot,
    };
    Ok(Resolved { caller, verb: arrival.verb, claim, body: arrival.body })
}

/// Whether the account at the server that it was opened with is still the user's there.
async fn goes_on(connection: &Connection, identity: &Identity, session: &Session) -> bool {
    match connection.credential.given(identity).await {
        Ok(given) => session.given == given,
        // Where it can't be had, that is what its calls are told.
        Err(refusal) => refusal.reason != Reason::CredentialGrantMissing,
    }
}

fn check_event_id(claim: &Claim, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut ids = headers.get_all(LAST_EVENT_ID).iter();
    match (claim, ids.next(), ids.next()) {
        (_, None, _) => Ok(()),
        (Claim::Own(session), Some(id), None)
            if id.to_str().is_ok_and(|id| session.saw_event(id)) =>
        {
            Ok(())
        }
        _ => Err(Refusal::new(Reason::SessionUnknown, "no event with this id was given here")),
    }
}
