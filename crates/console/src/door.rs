//! Who is logged in with a browser: OIDC's authorization code flow with PKCE (RFC 7636), and the
//! sessions that it leads to.
//!
//! A session holds the token that the issuer gave, and nothing stands for it: the token is verified
//! again on every request, by the same verifier as every other. Sessions are in memory: they end with
//! the process, with their token, or when somebody logs out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use lockgate_model::{Person, Timestamp};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::{
    edge::Later,
    problem::{Code, Problem},
};

/// A login that was begun is forgotten after this time, in milliseconds.
const BEGUN_MAX_MS: i64 = 10 * 60 * 1000;
/// Logins under way, and sessions, at once. The oldest goes where there are more, so that nobody who
/// begins many shuts the door for others.
const KEPT_MAX: usize = 10_000;

/// What the pages need of the process to let people log in.
pub struct Login {
    /// Where browsers reach the pages: scheme, host and port.
    pub origin: Url,
    /// Gives the URL at which the issuer asks who somebody is.
    pub begin: Box<dyn Fn(Begin) -> Later<Result<String, String>> + Send + Sync>,
    /// Takes the code that the issuer gave for a token.
    pub finish: Box<dyn Fn(Finish) -> Later<Result<String, Unfinished>> + Send + Sync>,
}

impl Login {
    /// Where browsers find the page at `path`.
    pub(crate) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.origin.as_str().trim_end_matches('/'))
    }
}

/// What the issuer is asked with.
pub struct Begin {
    /// Comes back with the code.
    pub state: String,
    /// `code_challenge`, by S256.
    pub challenge: String,
    /// Where it sends the browser back to.
    pub redirect: String,
}

/// What the code is taken with.
pub struct Finish {
    /// The code.
    pub code: String,
    /// `code_verifier`.
    pub verifier: String,
    /// Where the browser was sent back to.
    pub redirect: String,
    /// Who the answer says it is from (RFC 9207), where it says so.
    pub issuer: Option<String>,
}

/// Why a login did not lead to a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// The answer is not the issuer's, or the issuer does not take the code.
    Refused(String),
    /// The issuer can't be asked.
    Away(String),
}

/// Logins under way, and sessions.
#[derive(Default)]
pub(crate) struct Door {
    begun: Mutex<HashMap<String, Begun>>,
    sessions: Mutex<HashMap<String, Session>>,
}

struct Begun {
    /// Stands in the browser's cookie as well, so that nobody is logged in as somebody else by a link.
    binding: String,
    verifier: String,
    next: String,
    at: Timestamp,
}

/// One browser that is logged in.
#[derive(Clone)]
pub(crate) struct Session {
    /// The token, never shown.
    token: String,
    /// Whose it is.
    person: Person,
    /// Stands in every form of this session.
    pub(crate) form_token: String,
    at: Timestamp,
}

/// A login that begins.
pub(crate) struct Beginning {
    /// For the browser's cookie.
    pub(crate) binding: String,
    pub(crate) begin: Begin,
}

impl Session {
    /// As an `Authorization` header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

impl Door {
    /// Begins a login that leads to `next`.
    pub(crate) fn begin(
        &self,
        redirect: String,
        next: String,
        now: Timestamp,
    ) -> Result<Beginning, Problem> {
        self.begin_for(random()?, redirect, next, now)
    }

    /// Begins what only a browser with this binding ends, at `next`.
    pub(crate) fn begin_for(
        &self,
        binding: String,
        redirect: String,
        next: String,
        now: Timestamp,
    ) -> Result<Beginning, Problem> {
        let (state, verifier) = (random()?, random()?);
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut begun = lock(&self.begun);
        begun.retain(|_, one| now.millis_since(one.at) < BEGUN_MAX_MS);
        make_room(&mut begun, |one| one.at);
        let one = Begun { binding: binding.clone(), verifier, next, at: now };
        begun.insert(state.clone(), one);
        Ok(Beginning { binding, begin: Begin { state, challenge, redirect } })
    }

    /// The verifier and the place that a login leads to; once, and only for the browser that began it.
    pub(crate) fn came_back(
        &self,
        state: &str,
        binding: &str,
        now: Timestamp,
    ) -> Option<(String, String)> {
        let one = lock(&self.begun).remove(state)?;
        let fresh = now.millis_since(one.at) < BEGUN_MAX_MS;
        (fresh && same(&one.binding, binding)).then_some((one.verifier, one.next))
    }

    /// A session for this person's token; its id is for the browser's cookie.
    pub(crate) fn open(
        &self,
        token: String,
        person: Person,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let (id, form_token) = (random()?, random()?);
        let mut sessions = lock(&self.sessions);
        make_room(&mut sessions, |one| one.at);
        sessions.insert(key(&id), Session { token, person, form_token, at: now });
        Ok(id)
    }

    pub(crate) fn session(&self, id: &str) -> Option<Session> {
        lock(&self.sessions).get(&key(id)).cloned()
    }

    /// The session that this person opened last.
    pub(crate) fn newest(&self, person: &Person) -> Option<Session> {
        let sessions = lock(&self.sessions);
        let own = sessions.values().filter(|one| one.person == *person);
        own.max_by_key(|one| one.at).cloned()
    }

    pub(crate) fn close(&self, id: &str) {
        lock(&self.sessions).remove(&key(id));
    }
}

fn make_room<T>(kept: &mut HashMap<String, T>, at: impl Fn(&T) -> Timestamp) {
    if kept.len() >= KEPT_MAX
        && let Some((oldest, _)) = kept.iter().min_by_key(|(_, one)| at(one))
    {
        let oldest = oldest.clone();
        kept.remove(&oldest);
    }
}

/// Whether two secrets are the same, in constant time.
pub(crate) fn same(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

/// Sessions are looked for by a digest, so that how long the look takes says nothing of an id.
fn key(id: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(id))
}

/// 256 random bits.
fn random() -> Result<String, Problem> {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes).map_err(|_| Code::Internal)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is whole before the lock is released.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    #[test]
    fn a_login_ends_once_in_the_browser_that_began_it() {
        let door = Door::default();
        let begin = || door.begin("r".into(), "/approvals".into(), at(0)).unwrap();
        let one = begin();
        assert_eq!(one.begin.challenge.len(), 43);
        assert!(door.came_back(&one.begin.state, "another", at(1)).is_none(), "another browser");
        assert!(door.came_back(&one.begin.state, &one.binding, at(1)).is_none(), "used up");
        let two = begin();
        let (verifier, next) = door.came_back(&two.begin.state, &two.binding, at(1)).unwrap();
        assert_eq!(next, "/approvals");
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        assert_eq!(challenge, two.begin.challenge);
        let late = begin();
        assert!(door.came_back(&late.begin.state, &late.binding, at(10)).is_none());
    }

    #[test]
    fn many_logins_shut_nobody_out() {
        let door = Door::default();
        let begin = |at| door.begin("r".into(), "/approvals".into(), at).unwrap();
        let first = begin(at(0));
        for _ in 1..KEPT_MAX {
            begin(at(1));
        }
        let last = begin(at(2));
        assert!(door.came_back(&first.begin.state, &first.binding, at(2)).is_none(), "the oldest");
        assert!(door.came_back(&last.begin.state, &last.binding, at(2)).is_some());
        assert_eq!(lock(&door.begun).len(), KEPT_MAX - 1);
    }

    #[test]
    fn sessions_open_and_close() {
        let door = Door::default();
        let id = door.open("token".into(), person("corp", "ann"), at(0)).unwrap();
        assert_eq!(door.session(&id).unwrap().authorization(), "Bearer token");
        assert!(door.session("guess").is_none());
        door.close(&id);
        assert!(door.session(&id).is_none());
    }

    #[test]
    fn a_person_is_found_by_issuer_and_subject_and_the_last_login_counts() {
        let door = Door::default();
        let ann = person("corp", "ann");
        assert!(door.newest(&ann).is_none());
        door.open("other issuer".into(), person("github", "ann"), at(9)).unwrap();
        door.open("other subject".into(), person("corp", "bob"), at(9)).unwrap();
        assert!(door.newest(&ann).is_none());
        door.open("second".into(), ann.clone(), at(2)).unwrap();
        door.open("first".into(), ann.clone(), at(1)).unwrap();
        assert_eq!(door.newest(&ann).unwrap().authorization(), "Bearer second");
    }

    fn person(issuer: &str, subject: &str) -> Person {
        Person { issuer: issuer.into(), subject: subject.into() }
    }
}
