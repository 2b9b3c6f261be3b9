//! What each identity was let do a little while ago, for policies about the flow of information: who
//! has read what strangers may write does not write, or read what is private, in the same stretch of
//! work. Policies see it as `context.earlier`.
//!
//! In memory, for each issuer and subject, whatever the client, connection or MCP session: another
//! of these is no way around. Decides nothing, and a restart forgets it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lockgate_model::{Action, ConnectionName, Identity, Timestamp};

/// What somebody did is forgotten when they did nothing for this time, in milliseconds: as long as a
/// recorded session stays open.
const IDLE_MAX_MS: i64 = 15 * 60 * 1000;
/// Names that are kept of one identity. They are bounded by the pinned tools of all connections; past
/// this, [`OVERFLOW`] says that there were more.
const NAMES_MAX: usize = 10_000;
/// Stands among the names where some could not be kept.
const OVERFLOW: &str = "*";

/// The past of all identities.
#[derive(Default)]
pub struct History {
    book: Mutex<HashMap<(String, String), Past>>,
}

struct Past {
    /// In order. Shared with the calls that were judged on it.
    names: Arc<Vec<String>>,
    used: Timestamp,
}

impl History {
    /// The names of what this identity did: `connection`, and `connection/tool`. In order.
    pub fn earlier(&self, identity: &Identity, now: Timestamp) -> Arc<Vec<String>> {
        let book = self.book();
        let past = book.get(&key(identity)).filter(|past| !past.is_over(now));
        past.map(|past| Arc::clone(&past.names)).unwrap_or_default()
    }

    /// Notes what is about to be done.
    pub fn note(
        &self,
        identity: &Identity,
        connection: &ConnectionName,
        action: &Action,
        now: Timestamp,
    ) {
        let name = match action {
            Action::CallTool(tool) => Some(format!("{connection}/{tool}")),
            Action::ReadResource(_) | Action::SubscribeResource(_) | Action::GetPrompt(_) => None,
            _ => return,
        };
        let mut book = self.book();
        let past = book.entry(key(identity)).or_insert_with(|| Past::new(now));
        if past.is_over(now) {
            *past = Past::new(now);
        }
        past.used = now;
        for name in name.into_iter().chain([connection.to_string()]) {
            past.add(name);
        }
    }

    /// Forgets what is over.
    pub fn sweep(&self, now: Timestamp) {
        self.book().retain(|_, past| !past.is_over(now));
    }

    fn book(&self) -> MutexGuard<'_, HashMap<(String, String), Past>> {
        // Every change is whole before the lock is released.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn new(now: Timestamp) -> Self {
        Self { names: Arc::default(), used: now }
    }

    fn add(&mut self, mut name: String) {
        if self.names.len() >= NAMES_MAX && self.names.binary_search(&name).is_err() {
            name = OVERFLOW.to_owned();
        }
        if let Err(place) = self.names.binary_search(&name) {
            Arc::make_mut(&mut self.names).insert(place, name);
        }
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.millis_since(self.used) >= IDLE_MAX_MS
    }
}

fn key(identity: &Identity) -> (String, String) {
    (identity.issuer.clone(), identity.subject.clone())
}

#[cfg(test)]
mod tests {
    use lockgate_model::{Digest, IdentityKind, TokenFacts};

    use super::*;

    const MINUTE: i64 = 60 * 1000;

    fn person(subject: &str, client: Option<&str>) -> Identity {
        Identity {
            issuer: "corp".into(),
            kind: IdentityKind::Person,
            subject: subject.into(),
            client: client.map(str::to_owned),
            groups: Vec::new(),
            claims: Default::default(),
            token: TokenFacts {
                id: Digest::from_bytes([0; 32]),
                jti: None,
                issued_at: None,
                expires_at: at(0),
                refused_from: at(0),
            },
        }
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * MINUTE)
    }

    #[test]
    fn p18_what_was_done_is_known_on_every_client_and_connection_until_it_is_long_ago() {
        let history = History::default();
        let (web, tool) = (ConnectionName::new("web").unwrap(), Action::CallTool("fetch".into()));
        let ann = person("ann", None);
        assert!(history.earlier(&ann, at(0)).is_empty());
        history.note(&ann, &web, &tool, at(0));
        for client in [None, Some("other")] {
            let earlier = history.earlier(&person("ann", client), at(14));
            assert_eq!(*earlier, ["web", "web/fetch"]);
        }
        assert!(history.earlier(&person("bob", None), at(0)).is_empty());
        assert!(history.earlier(&ann, at(15)).is_empty(), "long ago");
        history.note(&ann, &web, &Action::ReadResource("file:///x".into()), at(15));
        assert_eq!(*history.earlier(&ann, at(15)), ["web"]);
        history.note(&ann, &web, &Action::ListTool("fetch".into()), at(29));
        assert!(history.earlier(&ann, at(30)).is_empty(), "a list is no use of it");
        history.sweep(at(30));
        assert!(history.book().is_empty());
    }

    #[test]
    fn more_than_can_be_kept_is_said() {
        let history = History::default();
        let (web, ann) = (ConnectionName::new("web").unwrap(), person("ann", None));
        for number in 0..=NAMES_MAX {
            history.note(&ann, &web, &Action::CallTool(number.to_string()), at(0));
        }
        let earlier = history.earlier(&ann, at(0));
        assert!(earlier.len() == NAMES_MAX + 1 && earlier.contains(&OVERFLOW.to_owned()));
    }
}
