//! One issuer's keys at hand: the machine's decisions carried out, one fetch at a time.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lockgate_model::Timestamp;
use tokio::{sync::watch, time::timeout};

use super::{
    Key, KeyFault, KeySet, KeyStatus,
    fetch::Source,
    machine::{Lookup, Machine},
};
use crate::{
    discovery::FetchFault, egress::EgressFault, settings::IssuerSettings, token::Algorithm,
};

/// Longer than any fetch can take; whoever waits for one is let go then.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// The keys of one issuer. Shared by every request.
#[derive(Debug)]
pub struct Keyring {
    issuer: String,
    source: Source,
    machine: Mutex<Machine>,
    /// How many fetches have ended.
    ended: watch::Sender<u64>,
}

impl Keyring {
    /// The keyring of the issuer with these settings; empty until the first fetch.
    ///
    /// # Errors
    /// [`EgressFault`] where its URLs or certificate authorities can't be used.
    pub fn new(settings: &IssuerSettings) -> Result<Arc<Self>, EgressFault> {
        let source = Source::new(
            &settings.issuer,
            settings.jwks_url.as_ref(),
            settings.allow_private,
            settings.ca.clone(),
        )?;
        let machine = Machine::new(i64::from(settings.stale_max_s) * 1000);
        Ok(Arc::new(Self {
            issuer: settings.name.clone(),
            source,
            machine: Mutex::new(machine),
            ended: watch::Sender::new(0),
        }))
    }

    /// The key for a token with this `kid` and `alg`. Waits only where a fetch has to tell.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub async fn key(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Result<Arc<Key>, KeyFault> {
        match self.lookup(kid, algorithm, now) {
            Lookup::Found(key) => return Ok(key),
            Lookup::Missing(fault) => return Err(fault),
            Lookup::Wait => {}
        }
        // Subscribed before looking again, so that a fetch that ends in between is not missed.
        let mut ended = self.ended.subscribe();
        if let Lookup::Wait = self.lookup(kid, algorithm, now) {
            let _ = timeout(WAIT_MAX, ended.changed()).await;
        }
        match self.lookup(kid, algorithm, now) {
            Lookup::Found(key) => Ok(key),
            Lookup::Missing(fault) => Err(fault),
            Lookup::Wait => Err(KeyFault::Unavailable),
        }
    }

    /// The same without waiting: the key where it is known now.
    pub fn at_hand(
        self: &Arc<Self>,
        kid: Option<&str>,
        algorithm: Algorithm,
        now: Timestamp,
    ) -> Option<Arc<Key>> {
        match self.lookup(kid, algorithm, now) {
            Lookup::Found(key) => Some(key),
            Lookup::Wait | Lookup::Missing(_) => None,
        }
    }

    /// Fetches the keys where it is time to, and waits for the end of that.
    pub async fn refresh(self: &Arc<Self>, now: Timestamp) {
        let mut ended = self.ended.subscribe();
        let due = self.machine().due(now);
        if due {
            self.start(now);
            let _ = timeout(WAIT_MAX, ended.changed()).await;
        }
    }

    /// The state of the keys.
    pub fn status(&self, now: Timestamp) -> KeyStatus {
        self.machine().status(now)
    }

    fn lookup(self: &Arc<Self>, kid: Option<&str>, algorithm: Algorithm, now: Timestamp) -> Lookup {
        let answer = self.machine().lookup(now, kid, algorithm);
        if answer.fetch {
            self.start(now);
        }
        answer.lookup
    }

    /// Fetches in a task of its own, so that a caller who goes away takes nothing with him.
    fn start(self: &Arc<Self>, started: Timestamp) {
        let keyring = self.clone();
        tokio::spawn(async move {
            let result = keyring.source.keys().await;
            keyring.finish(result, started);
            keyring.ended.send_modify(|ended| *ended += 1);
        });
    }

    fn finish(&self, result: Result<KeySet, FetchFault>, started: Timestamp) {
        let mut machine = self.machine();
        match result {
            Ok(keys) => {
                // Said once and not on every refresh: many issuers publish keys for encryption.
                let ignored = keys.ignored();
                let known = machine.keys().is_some_and(|before| before.ignored() == ignored);
                if !known && !ignored.is_empty() {
                    tracing::warn!(issuer = self.issuer, ?ignored, "keys left out");
                }
                machine.fetched(keys);
            }
            Err(fault) => {
                machine.failed();
                let status = machine.status(started);
                if status.alarm {
                    tracing::error!(issuer = self.issuer, %fault, ?status, "keys not fetched");
                } else {
                    tracing::warn!(issuer = self.issuer, %fault, "keys not fetched");
                }
            }
        }
    }

    /// Nothing in here can be left half done by a panic.
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
