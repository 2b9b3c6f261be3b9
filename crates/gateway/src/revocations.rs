//! Who is out, as far as this process knows: asked at every request, at every use of an approval, and
//! while streams are open. It is told by whoever reads the store; where it could not be confirmed for
//! too long, nobody is let in.
//!
//! Never reads the store, never keeps anybody out of its own accord.

use std::{
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use lockgate_model::{
    ConnectionName, Identity, KeptRevocation, Limits, Reason, Refusal, Revocation, RevocationList,
    Revoked, Timestamp,
};
use tokio::sync::watch;

use crate::clock;

/// What is revoked, and since when that is known.
#[derive(Debug)]
pub struct Revocations {
    list: RwLock<RevocationList>,
    /// Told with everything that may put somebody out.
    told: watch::Sender<()>,
    /// The zero of the time below.
    born: Instant,
    /// Milliseconds from then to the last confirmation, plus one; zero before the first.
    confirmed: AtomicU64,
    /// For how long that counts; the limit of this name.
    unconfirmed_max_ms: AtomicU32,
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
        let (told, list) = (watch::Sender::new(()), RwLock::default());
        let (born, confirmed) = (Instant::now(), AtomicU64::new(0));
        let unconfirmed_max_ms = Limits::default().unconfirmed_max_ms.into();
        Self { list, told, born, confirmed, unconfirmed_max_ms }
    }
}

impl Revocations {
    /// Takes in what changed in the store, as it was when `asked` it.
    pub fn take(&self, changed: Vec<KeptRevocation>, asked: Instant) {
        if !changed.is_empty() {
            let mut list = self.write();
            changed.into_iter().for_each(|kept| list.take(kept));
            drop(list);
            self.tell();
        }
        let known = asked.saturating_duration_since(self.born).as_millis();
        self.confirmed
            .fetch_max(u64::try_from(known).unwrap_or(u64::MAX - 1) + 1, Ordering::AcqRel);
    }

    /// Whether the caller may ask at this moment.
    ///
    /// # Errors
    /// [`Reason::AccessRevoked`], [`Reason::ConnectionRevoked`], and
    /// [`Reason::RevocationsUnconfirmed`] where that can't be said.
    pub fn check(&self, asking: Asking<'_>) -> Result<(), Refusal> {
        if !self.is_confirmed() {
            let detail = "what was revoked could not be read for too long";
            return Err(Refusal::new(Reason::RevocationsUnconfirmed, detail));
        }
        let Asking { identity, connection, session } = asking;
        let list = self.read();
        match list.find(identity, connection, session, clock::now()) {
            None => Ok(()),
            Some(revocation) => Err(refusal(revocation)),
        }
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
        let list = self.read();
        list.find(identity, connection, session, clock::now()).map(|one| one.id.clone())
    }

    /// Changes with everything that may put somebody out.
    pub fn told(&self) -> watch::Receiver<()> {
        self.told.subscribe()
    }

    /// Puts the limit of this name in force.
    pub fn limit(&self, unconfirmed_max_ms: u32) {
        self.unconfirmed_max_ms.store(unconfirmed_max_ms, Ordering::Relaxed);
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
        self.write().sweep(now);
    }

    fn read(&self) -> RwLockReadGuard<'_, RevocationList> {
        // A panic can't leave a revocation out: the list is filled one by one, and read again at need.
        self.list.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, RevocationList> {
        self.list.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(revocation: &Revocation) -> Refusal {
    let reason = match revocation.target {
        Revoked::Connection(_) => Reason::ConnectionRevoked,
        _ => Reason::AccessRevoked,
    };
    let Revocation { id, target, .. } = revocation;
    Refusal::new(reason, format!("revoked by {id}: {target}"))
}
