//! Who is out, and who is in which group, as far as this process knows: asked at every request, at every use of an approval, and
//! while streams are open. It is told by whoever reads the store; where it could not be confirmed for
//! too long, nobody is let in.
//!
//! Never reads the store, never keeps anybody out of its own accord.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lockgate_model::{
    ConnectionName, Directory, DirectoryNews, GroupsRule, Identity, KeptRevocation, Limits, Person,
    Reason, Refusal, Revocation, RevocationList, Revoked, Timestamp,
};
use tokio::sync::watch;

use crate::clock;

/// What is revoked, and since when that is known.
#[derive(Debug)]
pub struct Revocations {
    list: RwLock<RevocationList>,
    groups: RwLock<Groups>,
    /// Who lost their access for good, and has not been looked at yet.
    leavers: Mutex<Vec<Leaver>>,
    /// Told with everything that may put somebody out.
    told: watch::Sender<()>,
    /// The zero of the time below.
    born: Instant,
    /// Milliseconds from then to the last confirmation, plus one; zero before the first.
    confirmed: AtomicU64,
    /// For how long that counts; the limit of this name.
    unconfirmed_max_ms: AtomicU32,
}

/// Somebody who lost their access for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaver {
    /// Who.
    pub person: Person,
    /// Who decided it.
    pub by: String,
}

/// What is known of groups beside tokens.
#[derive(Debug, Default)]
struct Groups {
    directory: Directory,
    /// What it is worth, by the short name of each issuer of which it is to be known.
    rules: BTreeMap<String, GroupsRule>,
}

/// Who asks for what. A request learns of itself bit by bit.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Who asks.
    pub identity: &'a Identity,
    /// Where; absent on the admin API.
    pub connection: Option<&'a ConnectionName>,
    /// The recorded session, once it is known.
    pub session: Option<&'a str>,
}

impl Default for Revocations {
    fn default() -> Self {
        let (told, list, groups) = (watch::Sender::new(()), RwLock::default(), RwLock::default());
        let leavers = Mutex::default();
        let (born, confirmed) = (Instant::now(), AtomicU64::new(0));
        let unconfirmed_max_ms = Limits::default().unconfirmed_max_ms.into();
        Self { list, groups, leavers, told, born, confirmed, unconfirmed_max_ms }
    }
}

impl Revocations {
    /// Takes in what changed in the store, as it was when `asked` it.
    pub fn take(&self, changed: Vec<KeptRevocation>, asked: Instant) {
        if !changed.is_empty() {
            self.note(changed.iter().filter_map(leaver).collect());
            let mut list = write(&self.list);
            changed.into_iter().for_each(|kept| list.take(kept));
            drop(list);
            self.tell();
        }
        let known = asked.saturating_duration_since(self.born).as_millis();
        self.confirmed
            .fetch_max(u64::try_from(known).unwrap_or(u64::MAX - 1) + 1, Ordering::AcqRel);
    }

    /// Everybody who lost their access for good since this was last asked.
    pub fn leavers(&self) -> Vec<Leaver> {
        std::mem::take(&mut *self.leavers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has these looked at again.
    pub fn note(&self, leavers: Vec<Leaver>) {
        self.leavers.lock().unwrap_or_else(PoisonError::into_inner).extend(leavers);
    }

    /// Takes in what changed in the directory. It is confirmed with the revocations that are taken in
    /// after it.
    pub fn learn(&self, changed: Vec<DirectoryNews>) {
        if !changed.is_empty() {
            let mut groups = write(&self.groups);
            changed.into_iter().for_each(|news| groups.directory.take(news));
            drop(groups);
            self.tell();
        }
    }

    /// The caller with the groups that count now: those of the token, or what is known better of issuers
    /// that say so beside it.
    pub fn narrow(&self, identity: Arc<Identity>) -> Arc<Identity> {
        let known = read(&self.groups);
        let Some(rule) = known.rules.get(&identity.issuer) else { return identity };
        match known.directory.groups(&identity, *rule) {
            None => identity,
            Some(groups) => Arc::new(Identity { groups, ..Identity::clone(&identity) }),
        }
    }

    /// Whether the caller may ask at this moment.
    ///
    /// # Errors
    /// [`Reason::AccessRevoked`], [`Reason::ConnectionRevoked`], [`Reason::GroupsChanged`] where the caller
    /// has to come again with fewer groups, and [`Reason::RevocationsUnconfirmed`] where that can't be said.
    pub fn check(&self, asking: Asking<'_>) -> Result<(), Refusal> {
        if !self.is_confirmed() {
            let detail = "what was revoked could not be read for too long";
            return Err(Refusal::new(Reason::RevocationsUnconfirmed, detail));
        }
        let Asking { identity, connection, session } = asking;
        let list = read(&self.list);
        if let Some(revocation) = list.find(identity, connection, session, clock::now()) {
            return Err(refusal(revocation));
        }
        let known = read(&self.groups);
        let lost = known.rules.get(&identity.issuer).and_then(|_| known.directory.lost(identity));
        let left = |group| Refusal::new(Reason::GroupsChanged, format!("no longer in {group}"));
        lost.map_or(Ok(()), |group| Err(left(group)))
    }

    /// Done as soon as the caller may not ask any more, with why.
    pub async fn ends(&self, asking: Asking<'_>) -> Refusal {
        let mut told = self.told();
        loop {
            if let Err(refusal) = self.check(asking) {
                return refusal;
            }
            // The sender lives as long as this does.
            drop(told.changed().await);
        }
    }

    /// The id of the revocation that keeps the caller out.
    pub fn of(&self, asking: Asking<'_>) -> Option<String> {
        let Asking { identity, connection, session } = asking;
        let list = read(&self.list);
        list.find(identity, connection, session, clock::now()).map(|one| one.id.clone())
    }

    /// Changes with everything that may put somebody out.
    pub fn told(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// Puts the limit of this name in force, and what the directory is worth for each issuer of which it is
    /// to be known.
    pub fn put_in_force(&self, unconfirmed_max_ms: u32, rules: BTreeMap<String, GroupsRule>) {
        self.unconfirmed_max_ms.store(unconfirmed_max_ms, Ordering::Relaxed);
        write(&self.groups).rules = rules;
    }

    /// Whether anything is to be known of groups.
    pub fn reads_groups(&self) -> bool {
        !read(&self.groups).rules.is_empty()
    }

    /// Whether the store was read lately enough.
    pub fn is_confirmed(&self) -> bool {
        let confirmed = self.confirmed.load(Ordering::Acquire);
        let age = self.born.elapsed().saturating_sub(Duration::from_millis(confirmed));
        confirmed > 0
            && age <= Duration::from_millis(self.unconfirmed_max_ms.load(Ordering::Relaxed).into())
    }

    /// Has everybody who waits look again.
    pub fn tell(&self) {
        self.told.send_replace(());
    }

    /// Forgets what is over.
    pub fn sweep(&self, now: Timestamp) {
        write(&self.list).sweep(now);
    }
}

fn read<T>(known: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // A panic can't leave a revocation out: they are taken in one by one, and read again at need.
    known.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(known: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    known.write().unwrap_or_else(PoisonError::into_inner)
}

/// Whom a revocation puts out for good: whatever token they come with, and not only for a while.
fn leaver(kept: &KeptRevocation) -> Option<Leaver> {
    let Revocation { target, issued_until: None, until: None, by, .. } = &kept.revocation else {
        return None;
    };
    let Revoked::Subject { issuer, subject } = target else { return None };
    let person = Person { issuer: issuer.clone(), subject: subject.clone() };
    kept.lifted.is_none().then(|| Leaver { person, by: by.clone() })
}

fn refusal(revocation: &Revocation) -> Refusal {
    let reason = match revocation.target {
        Revoked::Connection(_) => Reason::ConnectionRevoked,
        _ => Reason::AccessRevoked,
    };
    let Revocation { id, target, .. } = revocation;
    Refusal::new(reason, format!("revoked by {id}: {target}"))
}
