//! Which recorded session a call belongs to: what one identity did with one client on one connection.
//! Legacy, that is its MCP session; modern, and where a legacy server gives no session ids, calls with
//! less than 15 idle minutes between them.
//!
//! Decides nothing: a call is let in, or not, whatever is said here.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use lockgate_model::{ConnectionName, Era, Event, Identity, OpenedEvent, Refusal, Timestamp};

use crate::{clock, record, revocations::Asking, session::Owner};

/// A session that nobody used for this time is over, in milliseconds.
const IDLE_MAX_MS: i64 = 15 * 60 * 1000;

/// One recorded session that is open. Whoever holds it keeps it open.
#[derive(Debug)]
pub struct Recording {
    id: String,
    /// Who began it, with the token of that moment.
    identity: Arc<Identity>,
    connection: ConnectionName,
    used: AtomicI64,
    /// Its end is the end of an MCP session.
    bound: AtomicBool,
}

/// All recorded sessions that are open.
#[derive(Default)]
pub struct Recordings {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    open: HashMap<String, Arc<Recording>>,
    /// Where calls without an MCP session go.
    current: HashMap<Owner, Arc<Recording>>,
}

impl Recording {
    /// Its id in the record.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose it is, as revocations are asked.
    pub fn asking(&self) -> Asking<'_> {
        let (identity, connection) = (self.identity.as_ref(), Some(&self.connection));
        Asking { identity, connection, session: Some(&self.id) }
    }

    fn is_idle(&self, now: Timestamp) -> bool {
        now.millis() - self.used.load(Ordering::Relaxed) >= IDLE_MAX_MS
    }
}

impl Recordings {
    /// The session in which this caller goes on, or a new one.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn current(
        &self,
        identity: &Arc<Identity>,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Result<(Arc<Recording>, bool), Refusal> {
        let owner = Owner::new(identity, connection);
        let mut book = self.book();
        if let Some(known) = book.current.get(&owner).filter(|known| !known.is_idle(now)) {
            known.used.store(now.millis(), Ordering::Relaxed);
            return Ok((Arc::clone(known), false));
        }
        let new = book.open(identity, connection, now)?;
        book.current.insert(owner, Arc::clone(&new));
        Ok((new, true))
    }

    /// A new session for what begins with this call.
    ///
    /// # Errors
    /// Where the system gives no randomness.
    pub fn begin(
        &self,
        identity: &Arc<Identity>,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Result<Arc<Recording>, Refusal> {
        self.book().open(identity, connection, now)
    }

    /// Lets the session end with an MCP session.
    pub fn bind(&self, recording: &Recording) {
        recording.bound.store(true, Ordering::Relaxed);
    }

    /// Lets `owner` go on in this session: its server gave no session id.
    pub fn go_on(&self, owner: Owner, recording: &Arc<Recording>) {
        self.book().current.insert(owner, Arc::clone(recording));
    }

    /// Takes out a session that has ended; false where it was out already.
    pub fn close(&self, recording: &Recording) -> bool {
        let mut book = self.book();
        let was_open = book.open.remove(&recording.id).is_some();
        if was_open && !recording.bound.load(Ordering::Relaxed) {
            book.current.retain(|_, current| current.id != recording.id);
        }
        was_open
    }

    /// Takes out the sessions that are over: idle, bound to nothing, and held by nobody.
    pub fn take_idle(&self, now: Timestamp) -> Vec<Arc<Recording>> {
        let mut book = self.book();
        book.current.retain(|_, recording| !recording.is_idle(now));
        let over = |recording: &Arc<Recording>| {
            recording.is_idle(now)
                && !recording.bound.load(Ordering::Relaxed)
                && Arc::strong_count(recording) == 1
        };
        let idle: Vec<_> = book.open.values().filter(|one| over(one)).cloned().collect();
        for recording in &idle {
            book.open.remove(&recording.id);
        }
        idle
    }

    /// Nobody goes on in the sessions that have ended, for whatever `why` says; takes out those that
    /// nobody holds, each with why, and says whether there are others.
    pub fn take_ended(
        &self,
        why: impl Fn(&Recording) -> Option<String>,
    ) -> (Vec<(Arc<Recording>, String)>, bool) {
        let mut book = self.book();
        let ended = book.open.values().filter_map(|one| Some((Arc::clone(one), why(one)?)));
        let ended: Vec<_> = ended.collect();
        let ids: HashSet<&str> = ended.iter().map(|(one, _)| one.id()).collect();
        book.current.retain(|_, recording| !ids.contains(recording.id()));
        // The book's own and this list's are the only two.
        let (over, held): (Vec<_>, Vec<_>) =
            ended.into_iter().partition(|(recording, _)| Arc::strong_count(recording) == 2);
        for (recording, _) in &over {
            book.open.remove(&recording.id);
        }
        (over, !held.is_empty())
    }

    /// Takes out every session, at the end of the process.
    pub fn take_all(&self) -> Vec<Arc<Recording>> {
        let mut book = self.book();
        book.current.clear();
        book.open.drain().map(|(_, recording)| recording).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change of the book is whole before its lock is released.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn open(
        &mut self,
        identity: &Arc<Identity>,
        connection: &ConnectionName,
        now: Timestamp,
    ) -> Result<Arc<Recording>, Refusal> {
        let recording = Arc::new(Recording {
            id: format!("s{}", clock::random_id()?),
            identity: Arc::clone(identity),
            connection: connection.clone(),
            used: AtomicI64::new(now.millis()),
            bound: AtomicBool::new(false),
        });
        self.open.insert(recording.id.clone(), Arc::clone(&recording));
        Ok(recording)
    }
}

/// The first event of a session.
pub fn opened(recording: &Recording, era: Era) -> Event {
    let Recording { id, identity, connection, .. } = recording;
    Event::Opened(Box::new(OpenedEvent {
        session: id.clone(),
        issuer: identity.issuer.clone(),
        subject: record::inert(&identity.subject),
        client: identity.client.as_deref().map(record::inert),
        groups: identity.groups.iter().map(|group| record::inert(&group.to_string())).collect(),
        connection: connection.to_string(),
        era,
    }))
}

/// The last event of a session.
pub fn closed(recording: &Recording, why: &str) -> Event {
    Event::Closed { session: recording.id.clone(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use lockgate_model::{IdentityKind, TokenFacts};

    use super::*;

    const MINUTE: i64 = 60 * 1000;

    fn staff() -> ConnectionName {
        ConnectionName::new("staff").unwrap()
    }

    fn who(subject: &str) -> Arc<Identity> {
        Arc::new(Identity {
            issuer: "corp".into(),
            kind: IdentityKind::Person,
            subject: subject.into(),
            client: None,
            groups: Vec::new(),
            claims: Default::default(),
            token: TokenFacts {
                id: lockgate_model::Digest::from_bytes([0; 32]),
                jti: None,
                issued_at: None,
                expires_at: at(0),
                refused_from: at(0),
            },
        })
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn calls_go_on_in_one_session_until_fifteen_minutes_are_idle() {
        let recordings = Recordings::default();
        let id = |minute| {
            let (recording, new) =
                recordings.current(&who("ann"), &staff(), at(minute * MINUTE)).unwrap();
            (recording.id().to_owned(), new)
        };
        let (first, new) = id(0);
        assert!(new);
        assert_eq!(id(14), (first.clone(), false));
        assert_eq!(id(28), (first.clone(), false));
        let (second, new) = id(43);
        assert!(new && second != first);
        assert_ne!(
            recordings.current(&who("bob"), &staff(), at(43 * MINUTE)).unwrap().0.id(),
            second
        );
    }

    #[test]
    fn a_session_is_over_when_it_is_idle_and_nobody_holds_it() {
        let recordings = Recordings::default();
        let (held, _) = recordings.current(&who("ann"), &staff(), at(0)).unwrap();
        recordings.current(&who("bob"), &staff(), at(0)).unwrap();
        let bound = recordings.begin(&who("ann"), &staff(), at(0)).unwrap();
        recordings.bind(&bound);
        assert!(recordings.take_idle(at(14 * MINUTE)).is_empty());
        assert_eq!(recordings.take_idle(at(15 * MINUTE)).len(), 1, "bob's");
        let id = held.id().to_owned();
        drop(held);
        let over = recordings.take_idle(at(15 * MINUTE));
        assert_eq!(over.iter().map(|one| one.id()).collect::<Vec<_>>(), [id]);
        drop(bound);
        let left = recordings.take_all();
        assert!(left.len() == 1 && recordings.take_all().is_empty());
    }

    #[test]
    fn nobody_goes_on_in_a_session_that_was_ended() {
        let recordings = Recordings::default();
        let (held, _) = recordings.current(&who("ann"), &staff(), at(0)).unwrap();
        let (bobs, _) = recordings.current(&who("bob"), &staff(), at(0)).unwrap();
        let id = held.id().to_owned();
        let anns = |recording: &Recording| {
            (recording.identity.subject == "ann").then(|| "she left".to_owned())
        };
        assert!(matches!(recordings.take_ended(anns), (over, true) if over.is_empty()));
        let (next, new) = recordings.current(&who("ann"), &staff(), at(1)).unwrap();
        assert!(new && next.id() != id, "another session, while the first still has a call");
        drop((held, next));
        let (over, left) = recordings.take_ended(anns);
        assert_eq!((over.len(), left), (2, false));
        let (same, new) = recordings.current(&who("bob"), &staff(), at(1)).unwrap();
        assert!(!new && same.id() == bobs.id());
    }
}
