//! Tokens that callers got in place of values, and what these were: for one identity on one connection.
//!
//! In memory alone, so that values are never at rest here. After a restart, and on another node, a token
//! is unknown, and its caller has to read the value again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use lockgate_model::{ConnectionName, Identity, Timestamp};
use lockgate_rules::mask::{Issued, MaskKey};

/// Tokens of somebody who used none for this time are forgotten, in milliseconds.
const IDLE_MAX_MS: i64 = 8 * 60 * 60 * 1000;
/// Tokens that one identity has on one connection; the oldest are forgotten.
const SCOPE_MAX: usize = 20_000;
/// Tokens of all together; those of whoever was away longest are forgotten.
const ALL_MAX: usize = 400_000;

/// The tokens of all callers.
#[derive(Default)]
pub struct Tokens {
    book: Mutex<HashMap<Scope, Table>>,
}

/// Issuer, subject and connection.
type Scope = (String, String, ConnectionName);

struct Table {
    /// What each token stands for; `None` where it was given for two values.
    values: HashMap<String, Option<Issued>>,
    /// Oldest first.
    order: VecDeque<String>,
    used: Timestamp,
}

/// The key whose tokens are this caller's.
pub fn key(tenant: &MaskKey, identity: &Identity, connection: &ConnectionName) -> MaskKey {
    tenant.scoped(&[&identity.issuer, &identity.subject, connection.as_str()])
}

impl Tokens {
    /// Keeps what the caller is about to be given.
    pub fn note(
        &self,
        identity: &Identity,
        connection: &ConnectionName,
        issued: Vec<Issued>,
        now: Timestamp,
    ) {
        if issued.is_empty() {
            return;
        }
        let mut book = self.book();
        let table = book.entry(scope(identity, connection)).or_insert_with(|| Table::new(now));
        table.used = now;
        issued.into_iter().for_each(|one| table.add(one));
        let all =
            |book: &HashMap<Scope, Table>| book.values().map(|one| one.order.len()).sum::<usize>();
        while all(&book) > ALL_MAX && book.len() > 1 {
            let oldest =
                book.iter().min_by_key(|(_, table)| table.used).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| book.remove(&oldest));
        }
    }

    /// What a token of this caller stands for.
    pub fn find(
        &self,
        identity: &Identity,
        connection: &ConnectionName,
        token: &str,
        now: Timestamp,
    ) -> Option<Issued> {
        let mut book = self.book();
        let table =
            book.get_mut(&scope(identity, connection)).filter(|table| !table.is_over(now))?;
        table.used = now;
        table.values.get(token).cloned().flatten()
    }

    /// Forgets what is over.
    pub fn sweep(&self, now: Timestamp) {
        self.book().retain(|_, table| !table.is_over(now));
    }

    fn book(&self) -> MutexGuard<'_, HashMap<Scope, Table>> {
        // Every change is whole before the lock is released.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn new(now: Timestamp) -> Self {
        Self { values: HashMap::new(), order: VecDeque::new(), used: now }
    }

    fn add(&mut self, issued: Issued) {
        if let Some(known) = self.values.get_mut(&issued.token) {
            if known.as_ref().is_some_and(|known| known.value != issued.value) {
                *known = None;
            }
            return;
        }
        if self.order.len() >= SCOPE_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.values.remove(&oldest);
        }
        self.order.push_back(issued.token.clone());
        self.values.insert(issued.token.clone(), Some(issued));
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.millis_since(self.used) >= IDLE_MAX_MS
    }
}

fn scope(identity: &Identity, connection: &ConnectionName) -> Scope {
    (identity.issuer.clone(), identity.subject.clone(), connection.clone())
}

#[cfg(test)]
mod tests {
    use lockgate_model::{Digest, IdentityKind, TokenFacts};
    use lockgate_rules::mask::Class;

    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_millis(hour * 60 * 60 * 1000)
    }

    fn person(subject: &str) -> Identity {
        let token = TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: None,
            expires_at: at(0),
            refused_from: at(0),
        };
        Identity {
            issuer: "corp".into(),
            kind: IdentityKind::Person,
            subject: subject.into(),
            client: None,
            groups: Vec::new(),
            claims: Default::default(),
            token,
        }
    }

    fn issued(token: &str, value: &str) -> Issued {
        let (token, value) = (token.to_owned(), value.to_owned());
        Issued { token, value, class: Class::known("pii.email"), number: false }
    }

    #[test]
    fn tokens_are_known_to_their_caller_on_their_connection_for_a_while() {
        let (tokens, ann) = (Tokens::default(), person("ann"));
        let [web, crm] = ["web", "crm"].map(|name| ConnectionName::new(name).unwrap());
        let of = |who: &Identity, on, token, now| {
            tokens.find(who, on, token, now).map(|issued| issued.value)
        };
        tokens.note(&ann, &web, vec![issued("t1", "a@b.co"), issued("t2", "c@d.co")], at(0));
        assert_eq!(of(&ann, &web, "t1", at(1)).as_deref(), Some("a@b.co"));
        assert_eq!(of(&ann, &crm, "t1", at(1)), None, "another connection");
        assert_eq!(of(&person("bob"), &web, "t1", at(1)), None, "another caller");
        tokens.note(&ann, &web, vec![issued("t1", "e@f.co")], at(1));
        assert_eq!(of(&ann, &web, "t1", at(1)), None, "which of two?");
        assert_eq!(of(&ann, &web, "t2", at(8)).as_deref(), Some("c@d.co"), "used an hour ago");
        assert_eq!(of(&ann, &web, "t2", at(16)), None, "long ago");
        tokens.sweep(at(16));
        assert!(tokens.book().is_empty());
    }

    #[test]
    fn the_oldest_are_forgotten_first() {
        let (tokens, ann) = (Tokens::default(), person("ann"));
        let web = ConnectionName::new("web").unwrap();
        let many = (0..=SCOPE_MAX).map(|number| issued(&format!("t{number}"), "a@b.co"));
        tokens.note(&ann, &web, many.collect(), at(0));
        assert!(tokens.find(&ann, &web, "t0", at(0)).is_none());
        assert!(tokens.find(&ann, &web, "t1", at(0)).is_some());
    }
}
