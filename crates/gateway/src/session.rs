//! What one identity did before on one connection, where the protocol lets it matter: legacy
//! sessions and their open requests, tasks, and states of calls. Everything here is bound to its
//! owner; to anyone else it does not exist.
//!
//! Ids come from the upstream and pass through unchanged. Nothing outlives the process.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use lockgate_model::{
    ConnectionName, Digest, Era, Identity, IdentityKind, Limits, Person, Reason, Refusal,
    RequestId, Revision, Timestamp,
};

use crate::{recording::Recording, upstream::SessionKey};

/// Ids of the last events of a session, by which a client may resume.
const EVENT_IDS_MAX: usize = 1_024;
/// Requests of either side that one session may leave unanswered.
const OPEN_MAX: usize = 1_024;
/// Handles that are remembered; the oldest is forgotten first.
const HANDLES_MAX: usize = 100_000;

/// All sessions and handles of the process.
#[derive(Default)]
pub struct Sessions {
    book: Mutex<Book>,
    hasher: RandomState,
}

/// To whom a session or handle belongs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    issuer: String,
    subject: String,
    client: Option<String>,
    connection: ConnectionName,
    /// The token, where what was begun with one can't be continued with the next: a workload's.
    token: Option<Digest>,
}

/// What a server gives out for its caller to come back with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handle {
    /// The id of a task.
    Task,
    /// The `requestState` of a call that waits for its caller.
    State,
}

/// One legacy session.
pub struct Session {
    /// The id, as the upstream minted it.
    pub key: SessionKey,
    /// The revision that its `initialize` settled on.
    pub revision: Revision,
    /// What it is in the record.
    pub recording: Arc<Recording>,
    /// When its owner gave the gateway the account at the server that it was opened with, where that is
    /// each user's own.
    pub given: Option<Timestamp>,
    owner: Owner,
    used: AtomicI64,
    traffic: Mutex<Traffic>,
    hasher: RandomState,
}

#[derive(Default)]
struct Book {
    sessions: HashMap<(ConnectionName, SessionKey), Arc<Session>>,
    per_owner: HashMap<Owner, u32>,
    /// Connections whose servers give session ids.
    giving: HashSet<ConnectionName>,
    handles: HashMap<(ConnectionName, u64), Owner>,
    handle_order: VecDeque<(ConnectionName, u64)>,
}

/// A request of the client that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its id.
    pub id: RequestId,
    /// Its method.
    pub method: String,
    /// Its era.
    pub era: Era,
}

/// What is open in a session.
#[derive(Default)]
struct Traffic {
    /// The client's requests without an answer yet.
    calls: HashMap<RequestId, Awaited>,
    /// The server's requests without an answer yet.
    asked: HashSet<RequestId>,
    /// Hashes of the last event ids, in order.
    events: VecDeque<u64>,
}

impl Owner {
    /// The owner of what `identity` opens on `connection`.
    pub fn new(identity: &Identity, connection: &ConnectionName) -> Self {
        Self {
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            client: identity.client.clone(),
            connection: connection.clone(),
            token: token_of(identity),
        }
    }

    fn is(&self, identity: &Identity, connection: &ConnectionName) -> bool {
        self.issuer == identity.issuer
            && self.subject == identity.subject
            && self.client == identity.client
            && self.connection == *connection
            && self.token == token_of(identity)
    }
}

/// What a workload's sessions end with. The next job of the same subject is another job.
fn token_of(identity: &Identity) -> Option<Digest> {
    (identity.kind == IdentityKind::Workload).then_some(identity.token.id)
}

impl Sessions {
    /// Whether `owner` may open another session.
    ///
    /// # Errors
    /// [`Reason::TooManySessions`]
    pub fn admit(&self, owner: &Owner, limits: &Limits) -> Result<(), Refusal> {
        if self.book().per_owner.get(owner).is_some_and(|&n| n >= limits.identity_sessions_max) {
            return Err(Refusal::new(
                Reason::TooManySessions,
                "the identity has too many open sessions on this connection",
            ));
        }
        Ok(())
    }

    /// Binds a session that the upstream just minted to its owner.
    ///
    /// # Errors
    /// [`Reason::UpstreamInvalid`] where the upstream minted an id that is already open.
    pub fn open(
        &self,
        key: SessionKey,
        owner: Owner,
        revision: Revision,
        recording: Arc<Recording>,
        given: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let mut book = self.book();
        let place = (owner.connection.clone(), key.clone());
        let Entry::Vacant(vacant) = book.sessions.entry(place) else {
            let detail = "the upstream gave one session id twice";
            return Err(Refusal::new(Reason::UpstreamInvalid, detail));
        };
        vacant.insert(Arc::new(Session {
            key,
            revision,
            recording,
            given,
            owner: owner.clone(),
            used: AtomicI64::new(now.millis()),
            traffic: Mutex::default(),
            hasher: RandomState::new(),
        }));
        book.giving.insert(owner.connection.clone());
        *book.per_owner.entry(owner).or_default() += 1;
        Ok(())
    }

    /// Whether the server of this connection gives session ids, so that a message without one is
    /// not understood (C10).
    pub fn gives_ids(&self, connection: &ConnectionName) -> bool {
        self.book().giving.contains(connection)
    }

    /// The session with this id, if it is `identity`'s on `connection`.
    pub fn find(
        &self,
        key: &SessionKey,
        identity: &Identity,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Option<Arc<Session>> {
        let place = (connection.clone(), key.clone());
        let session = self.book().sessions.get(&place).cloned()?;
        if !session.owner.is(identity, connection) {
            return None;
        }
        session.used.store(now.millis(), Ordering::Relaxed);
        Some(session)
    }

    /// Forgets a session that has ended.
    pub fn close(&self, session: &Session) {
        let mut book = self.book();
        let place = (session.owner.connection.clone(), session.key.clone());
        if book.sessions.remove(&place).is_some() {
            book.forget(&session.owner);
        }
    }

    /// Takes out the sessions that nobody used since `before` and that have no answer pending.
    pub fn take_idle(&self, before: Timestamp) -> Vec<Arc<Session>> {
        self.take(|session| {
            let is_idle = session.used.load(Ordering::Relaxed) < before.millis();
            // The book's own reference is the only one: no request or stream holds it.
            is_idle && Arc::strong_count(session) == 1
        })
    }

    /// Takes out the sessions of this kind.
    pub fn take(&self, is_out: impl Fn(&Arc<Session>) -> bool) -> Vec<Arc<Session>> {
        let mut book = self.book();
        let out: Vec<_> = book.sessions.values().filter(|one| is_out(one)).cloned().collect();
        for session in &out {
            let place = (session.owner.connection.clone(), session.key.clone());
            book.sessions.remove(&place);
            book.forget(&session.owner);
        }
        out
    }

    /// How many sessions are open.
    pub fn count(&self) -> usize {
        self.book().sessions.len()
    }

    /// Binds a handle that the server gave out to the identity that got it.
    pub fn bind(&self, kind: Handle, id: &str, owner: Owner) {
        let place = (owner.connection.clone(), self.hasher.hash_one((kind, id)));
        let mut book = self.book();
        if book.handles.insert(place.clone(), owner).is_some() {
            return;
        }
        book.handle_order.push_back(place);
        if book.handle_order.len() > HANDLES_MAX
            && let Some(oldest) = book.handle_order.pop_front()
        {
            book.handles.remove(&oldest);
        }
    }

    /// Whether `identity` got this handle on `connection`.
    pub fn owns(
        &self,
        kind: Handle,
        id: &str,
        identity: &Identity,
        connection: &ConnectionName,
    ) -> bool {
        let place = (connection.clone(), self.hasher.hash_one((kind, id)));
        self.book().handles.get(&place).is_some_and(|owner| owner.is(identity, connection))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change of the book is whole before its lock is released.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn forget(&mut self, owner: &Owner) {
        if let Entry::Occupied(mut count) = self.per_owner.entry(owner.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Session {
    /// The connection on which it was opened.
    pub fn connection(&self) -> &ConnectionName {
        &self.owner.connection
    }

    /// Whose it is.
    pub fn person(&self) -> Person {
        Person { issuer: self.owner.issuer.clone(), subject: self.owner.subject.clone() }
    }

    /// Notes a request of the client that is about to be sent.
    ///
    /// # Errors
    /// [`Reason::RpcInvalid`] for an id that is still open (J11), [`Reason::TooMany`] for too many.
    pub fn begin_call(&self, awaited: Awaited) -> Result<(), Refusal> {
        let mut traffic = self.traffic();
        if traffic.calls.len() >= OPEN_MAX {
            return Err(Refusal::new(Reason::TooMany, "too many requests open in one session"));
        }
        match traffic.calls.entry(awaited.id.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(awaited);
                Ok(())
            }
            Entry::Occupied(_) => {
                Err(Refusal::new(Reason::RpcInvalid, "a request with this id is still open"))
            }
        }
    }

    /// The client's request `id`, if it waits for its answer.
    pub fn awaited(&self, id: &RequestId) -> Option<Awaited> {
        self.traffic().calls.get(id).cloned()
    }

    /// Notes that the client's request `id` needs no answer any more.
    pub fn end_call(&self, id: &RequestId) {
        self.traffic().calls.remove(id);
    }

    /// Notes a request of the server that the client is about to see; false where too many are
    /// open.
    pub fn ask(&self, id: &RequestId) -> bool {
        let mut traffic = self.traffic();
        traffic.asked.len() < OPEN_MAX && traffic.asked.insert(id.clone())
    }

    /// Takes the right to answer the server's request `id`; false where there is none (J20).
    pub fn take_asked(&self, id: &RequestId) -> bool {
        self.traffic().asked.remove(id)
    }

    /// Notes the id of an event that the client is about to see.
    pub fn note_event(&self, id: &str) {
        let hash = self.hasher.hash_one(id);
        let mut traffic = self.traffic();
        if traffic.events.len() >= EVENT_IDS_MAX {
            traffic.events.pop_front();
        }
        traffic.events.push_back(hash);
    }

    /// Whether the client saw an event with this id in this session (C7).
    pub fn saw_event(&self, id: &str) -> bool {
        let hash = self.hasher.hash_one(id);
        self.traffic().events.contains(&hash)
    }

    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
