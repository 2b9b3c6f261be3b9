//! The revocations that stand, found by what a request says of itself: a few look-ups, however many
//! there are.

use std::{collections::HashMap, sync::Arc};

use super::{KeptRevocation, Revocation, Revoked};
use crate::{ConnectionName, Digest, Identity, Timestamp};

/// Revocations by what they are about. One that was lifted is taken out; one whose time is over is found
/// no more, and goes with the next [`RevocationList::sweep`].
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    /// Each by its id.
    all: HashMap<String, Arc<Revocation>>,
    everyone: Found,
    issuers: HashMap<String, OfIssuer>,
    tokens: HashMap<Digest, Found>,
    sessions: HashMap<String, Found>,
    connections: HashMap<ConnectionName, Found>,
}

type Found = Vec<Arc<Revocation>>;

/// What is about identities of one issuer.
#[derive(Clone, Debug, Default)]
struct OfIssuer {
    everyone: Found,
    subjects: HashMap<String, Found>,
    clients: HashMap<String, Found>,
    groups: HashMap<String, Found>,
    logins: HashMap<String, Found>,
    token_ids: HashMap<String, Found>,
}

impl RevocationList {
    /// Takes in what is kept of one revocation: it stands, or it was lifted. Told twice, it changes
    /// nothing.
    pub fn take(&mut self, kept: KeptRevocation) {
        let KeptRevocation { revocation, lifted } = kept;
        if let Some(before) = self.all.remove(&revocation.id) {
            self.place(&before.target).retain(|one| one.id != before.id);
        }
        if lifted.is_none() {
            self.put(Arc::new(revocation));
        }
    }

    /// Forgets what ended by itself.
    pub fn sweep(&mut self, now: Timestamp) {
        let left: Vec<_> = self.all.values().filter(|one| !one.is_over(now)).cloned().collect();
        if left.len() < self.all.len() {
            *self = Self::default();
            left.into_iter().for_each(|one| self.put(one));
        }
    }

    /// The revocation that keeps this caller out at `now`: of this connection and this recorded session,
    /// where the request has come so far that they are known.
    pub fn find(
        &self,
        who: &Identity,
        connection: Option<&ConnectionName>,
        session: Option<&str>,
        now: Timestamp,
    ) -> Option<&Arc<Revocation>> {
        if self.all.is_empty() {
            return None;
        }
        let of_issuer = self.issuers.get(&who.issuer).into_iter().flat_map(|issuer| {
            let client = who.client.as_ref().and_then(|client| issuer.clients.get(client));
            let login = who.sid().and_then(|sid| issuer.logins.get(sid));
            let token_id = who.token.jti.as_ref().and_then(|jti| issuer.token_ids.get(jti));
            [Some(&issuer.everyone), issuer.subjects.get(&who.subject), client, login, token_id]
        });
        // A group says itself which issuer it is of.
        let of_groups = who.groups.iter().map(|group| {
            self.issuers.get(&group.issuer).and_then(|issuer| issuer.groups.get(&group.name))
        });
        let session = session.and_then(|session| self.sessions.get(session));
        let connection = connection.and_then(|connection| self.connections.get(connection));
        [Some(&self.everyone), self.tokens.get(&who.token.id), session, connection]
            .into_iter()
            .chain(of_issuer)
            .chain(of_groups)
            .flatten()
            .flatten()
            .find(|one| one.applies(who.token.issued_at, now))
    }

    fn put(&mut self, revocation: Arc<Revocation>) {
        self.place(&revocation.target).push(Arc::clone(&revocation));
        self.all.insert(revocation.id.clone(), revocation);
    }

    fn place(&mut self, target: &Revoked) -> &mut Found {
        match target {
            Revoked::Everyone { issuer: None } => &mut self.everyone,
            Revoked::Everyone { issuer: Some(issuer) } => &mut self.of(issuer).everyone,
            Revoked::Subject { issuer, subject } => {
                self.of(issuer).subjects.entry(subject.clone()).or_default()
            }
            Revoked::Client { issuer, client } => {
                self.of(issuer).clients.entry(client.clone()).or_default()
            }
            Revoked::Group(group) => {
                self.of(&group.issuer).groups.entry(group.name.clone()).or_default()
            }
            Revoked::Login { issuer, sid } => {
                self.of(issuer).logins.entry(sid.clone()).or_default()
            }
            Revoked::TokenId { issuer, jti } => {
                self.of(issuer).token_ids.entry(jti.clone()).or_default()
            }
            Revoked::Token(digest) => self.tokens.entry(*digest).or_default(),
            Revoked::Session(id) => self.sessions.entry(id.clone()).or_default(),
            Revoked::Connection(name) => self.connections.entry(name.clone()).or_default(),
        }
    }

    fn of(&mut self, issuer: &str) -> &mut OfIssuer {
        self.issuers.entry(issuer.to_owned()).or_default()
    }
}
