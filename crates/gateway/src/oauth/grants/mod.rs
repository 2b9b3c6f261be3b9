//! What each user lets the gateway do for them at a server (RFC 6749 §4.1 with PKCE, RFC 7636): sealed for
//! this user and this connection, renewed ahead by one process at a time, used for this user's calls.
//!
//! `state` decides when, and is pure; `renew` asks for the next token; `consent` is what the pages need,
//! `leave` ends what leavers gave, and `parted` tells when what is open with a grant has to end.
//! A grant outlives the process that got it, and every use of it needs a call of its user that was let in
//! and permitted. Nothing here sees a caller's own token.

mod consent;
mod leave;
mod parted;
mod renew;
mod state;
mod text;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use consent::{Answered, Asked};
use lockgate_model::{ConnectionName, Event, Person, Reason, Refusal, VaultChange, VaultEvent};
use lockgate_store::{journal::Journal, secrets::GrantOf};
use renew::Found;
use state::{Look, State};
pub use text::Grant;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

use super::Server;
use crate::{
    clock,
    egress::EgressFault,
    hash::sha256,
    record,
    settings::{CredentialSettings, HttpSettings},
    vault::{Holder, Vault},
};

/// Users whose grants are held at once; those of further ones are read for each call.
const KNOWN_MAX: usize = 1_024;

/// The grants of one connection's users. Clones share what is held of them.
#[derive(Clone)]
pub struct Grants(Arc<Inner>);

struct Inner {
    server: Server,
    /// SHA-256 of where its grants may be used.
    place: String,
    journal: Arc<Journal>,
    /// This run of the gateway, as it claims what it renews.
    run: String,
    known: Mutex<HashMap<String, Arc<Known>>>,
    /// Whose grant serves for the gateway's own look at the server.
    latest: Mutex<Option<Person>>,
    /// Told when a user connects or disconnects here.
    changed: watch::Sender<()>,
}

/// What is held of one user's grant.
#[derive(Default)]
struct Known {
    state: Mutex<State>,
    turn: tokio::sync::Mutex<()>,
}

impl Grants {
    /// The grants for an upstream with these settings. Dials nothing.
    ///
    /// # Errors
    /// [`EgressFault`] where an address may not be dialled, or certificate authorities can't be read.
    pub fn new(
        connection: ConnectionName,
        credential: &CredentialSettings,
        http: &HttpSettings,
        vault: Arc<Vault>,
        journal: Arc<Journal>,
    ) -> Result<Self, EgressFault> {
        let server = Server::new(connection, credential, http, vault)?;
        let endpoints = [&credential.authorization_endpoint, &credential.token_endpoint];
        let place =
            serde_json::json!([http.url, credential.issuer, endpoints, credential.client_id]);
        Ok(Self(Arc::new(Inner {
            server,
            place: sha256(place.to_string().as_bytes()).to_string(),
            journal,
            // Without randomness nothing else would start either.
            run: clock::random_id().unwrap_or_default(),
            known: Mutex::default(),
            latest: Mutex::default(),
            changed: watch::Sender::new(()),
        })))
    }

    /// This user's grant, to be used now. Waits only where nothing is held that can be used.
    ///
    /// # Errors
    /// [`Reason::CredentialGrantMissing`] where the user gave none, or it is over; another `credential.*`
    /// reason where it can't be had.
    pub async fn of(&self, person: &Person) -> Result<Arc<Grant>, Refusal> {
        let (known, at) = (self.0.known(person), Instant::now());
        let look = lock(&known.state).look(clock::now(), at);
        match look {
            Look::Use(grant) => Ok(grant),
            Look::Renew(grant) => {
                drop(self.ask(known, person.clone(), at));
                Ok(grant)
            }
            Look::Ask => self
                .ask(known, person.clone(), at)
                .await
                .map_err(|_| Refusal::new(Reason::Internal, "getting a token was cut off"))?,
            Look::Refuse(refusal) => Err(refusal),
        }
    }

    /// Notes that this user's call is next: where they gave a grant, the gateway's own look at the server
    /// is made with it.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub async fn expect(&self, person: &Person) -> Result<(), Refusal> {
        self.of(person).await?;
        *lock(&self.0.latest) = Some(person.clone());
        Ok(())
    }

    /// The grant for the gateway's own look at the server: of the user who called last.
    ///
    /// # Errors
    /// As [`Self::of`]; [`Reason::CredentialGrantMissing`] where nobody with a grant has called yet.
    pub async fn of_latest(&self) -> Result<Arc<Grant>, Refusal> {
        let latest = lock(&self.0.latest).clone();
        self.of(&latest.ok_or_else(missing)?).await
    }

    /// Notes that the upstream refused a call with this `Authorization`, and tells whether another
    /// token may be tried.
    pub fn reject(&self, person: &Person, sent: &[u8]) -> bool {
        let known = self.0.known(person);
        let mut state = lock(&known.state);
        state.reject(sent, Instant::now())
    }

    /// Asks in a task of its own, so that a caller who goes away takes nothing with him; those who ask
    /// for one user at the same time wait for the first.
    fn ask(
        &self,
        known: Arc<Known>,
        person: Person,
        since: Instant,
    ) -> JoinHandle<Result<Arc<Grant>, Refusal>> {
        let grants = Arc::clone(&self.0);
        tokio::spawn(async move {
            let _turn = known.turn.lock().await;
            let look = lock(&known.state).look_again(since, clock::now());
            match look {
                Look::Use(grant) | Look::Renew(grant) => return Ok(grant),
                Look::Refuse(refusal) => return Err(refusal),
                Look::Ask => {}
            }
            let rejected = lock(&known.state).rejected();
            let found = grants.current(&person, rejected).await;
            let mut state = lock(&known.state);
            let at = Instant::now();
            match found {
                Ok(Found::Good(grant)) => Ok(state.got(grant, at)),
                Ok(Found::Serves(grant, refusal)) => Ok(state.serves(grant, at, refusal)),
                Ok(Found::Missing) => {
                    *state = State::default();
                    Err(missing())
                }
                Err(refusal) => {
                    let connection = grants.server.connection.as_str();
                    tracing::warn!(connection, %refusal, "a user's grant can't be used");
                    state.failed(at, refusal.clone());
                    Err(refusal)
                }
            }
        })
    }
}

impl Inner {
    fn known(&self, person: &Person) -> Arc<Known> {
        let mut known = lock(&self.known);
        let key = digest(person);
        if known.len() >= KNOWN_MAX && !known.contains_key(&key) {
            known.retain(|_, one| Arc::strong_count(one) > 1 || lock(&one.state).is_fresh());
        }
        if known.len() >= KNOWN_MAX && !known.contains_key(&key) {
            return Arc::default();
        }
        Arc::clone(known.entry(key).or_default())
    }

    /// Lets the next call read what is in the vault, and whoever has something open look again.
    fn forget(&self, person: &Person) {
        lock(&self.known).remove(&digest(person));
        self.changed.send_replace(());
    }

    fn holder(&self, person: &Person) -> Holder {
        let connection = self.server.connection.to_string();
        let of = GrantOf { holder: digest(person), connection };
        Holder { of, place: self.place.clone() }
    }

    /// Puts a change on the record, durably, before it takes effect.
    async fn on_record(&self, by: &str, change: VaultChange) -> Result<(), Refusal> {
        let event = Event::Vault(VaultEvent { by: by.to_owned(), change });
        let unavailable = |fault: &dyn std::fmt::Display| {
            Refusal::new(Reason::JournalUnavailable, fault.to_string())
        };
        let position = self.journal.append(clock::now(), &event);
        let position = position.map_err(|fault| unavailable(&fault))?;
        self.journal.synced(position).await.map_err(|fault| unavailable(&fault))
    }
}

fn missing() -> Refusal {
    Refusal::new(Reason::CredentialGrantMissing, "the user has not connected an account there")
}

/// How a user stands in the database: by no name.
fn digest(person: &Person) -> String {
    let Person { issuer, subject } = person;
    sha256(format!("{}:{issuer}{subject}", issuer.len()).as_bytes()).to_string()
}

/// How a user stands in the record.
fn named(person: &Person) -> String {
    record::inert(&format!("{}/{}", person.issuer, person.subject))
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is whole before the lock is released.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
