//! What `/readyz` says: every part by its name, from what was last known of it. Asking costs
//! nothing and reaches out to nobody.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use lockgate_gateway::{
    clock,
    gateway::{Gateway, Readiness},
    snapshot::Connection,
    stage::authenticate::IssuerStatus,
};
use tokio::{sync::Notify, time::timeout};

use super::{
    admin::{Part, State},
    beside::Beside,
};

/// How often every server is looked after. One that told of no change isn't asked.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// How long the start waits for servers and issuers before it serves without them.
const START_WAIT: Duration = Duration::from_secs(10);

/// The parts' last known states.
pub(crate) struct Health {
    gateway: Arc<Gateway>,
    beside: Arc<Beside>,
    /// Keys and servers were asked for once, whatever came of it.
    started: AtomicBool,
    /// Why the newest configuration is not in force; `None` where it is.
    refused: Mutex<Option<String>>,
    /// Why a server could not be listed, by connection.
    unlisted: Mutex<BTreeMap<String, String>>,
    /// Notified when there may be servers that were never looked at.
    soon: Notify,
}

impl Health {
    /// Nothing is known yet.
    pub(crate) fn new(gateway: Arc<Gateway>, beside: Arc<Beside>) -> Self {
        Self {
            gateway,
            beside,
            started: AtomicBool::new(false),
            refused: Mutex::default(),
            unlisted: Mutex::default(),
            soon: Notify::new(),
        }
    }

    /// Notes what came of the last reading of the configuration; gives whether that is news.
    pub(crate) fn config(&self, refused: Option<&str>) -> bool {
        let mut known = lock(&self.refused);
        let news = known.as_deref() != refused;
        *known = refused.map(str::to_owned);
        news
    }

    /// Whether the newest configuration is not in force.
    pub(crate) fn is_refused(&self) -> bool {
        lock(&self.refused).is_some()
    }

    /// Lists servers that are due, again and again; runs until dropped.
    pub(crate) async fn watch(&self) {
        // A server that hangs must not keep the others from being served.
        let _ = timeout(START_WAIT, self.look()).await;
        self.started.store(true, Ordering::SeqCst);
        loop {
            // Early or not, it is time to look.
            let _ = timeout(LOOK_EVERY, self.soon.notified()).await;
            self.look().await;
        }
    }

    /// Has every server looked at without waiting for its turn.
    pub(crate) fn look_soon(&self) {
        self.soon.notify_one();
    }

    /// One look at every server and issuer, all at once.
    async fn look(&self) {
        let snapshot = self.gateway.snapshot();
        let servers = join_all(snapshot.connections.iter().map(|one| self.look_at(one)));
        let keys = snapshot.authenticator.warm(clock::now());
        tokio::join!(servers, keys);
    }

    async fn look_at(&self, connection: &Connection) {
        let listed = connection.pins.refresh().await;
        let name = connection.name().to_string();
        let mut unlisted = lock(&self.unlisted);
        match listed {
            Ok(()) => drop(unlisted.remove(&name)),
            Err(refusal) => drop(unlisted.insert(name, refusal.to_string())),
        }
    }

    /// Every part, the process's own first.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let Readiness { journal, revocations, issuers, reload, connections, draining } =
            self.gateway.readiness();
        let mut parts = vec![
            part("gateway", State::Failed, self.unready(draining)),
            part("config", State::Degraded, lock(&self.refused).clone().or(reload)),
            part("journal", State::Failed, journal),
            self.revocations(revocations),
        ];
        parts.extend(self.beside.parts(self.gateway.ground.journal.durable()));
        parts.extend(issuers.iter().map(issuer_part));
        let mut faults = lock(&self.unlisted).clone();
        // Why a listing failed says more than that nothing was accepted yet.
        for (name, why) in connections {
            faults.entry(name).or_insert(why);
        }
        parts.extend(self.gateway.snapshot().connections.iter().map(|connection| {
            let name = connection.name().as_str();
            part(&format!("connection {name}"), State::Degraded, faults.remove(name))
        }));
        parts
    }

    /// `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.beside.measure(&self.gateway.metrics);
        self.gateway.metrics.text()
    }

    /// Calls are served for a while after it can't be read any more what is revoked.
    fn revocations(&self, unconfirmed: Option<String>) -> Part {
        match (unconfirmed, self.beside.revoked()) {
            (Some(state), Some(why)) => {
                part("revocations", State::Failed, Some(format!("{state}: {why}")))
            }
            (Some(state), None) => part("revocations", State::Failed, Some(state)),
            (None, why) => part("revocations", State::Degraded, why),
        }
    }

    fn unready(&self, draining: bool) -> Option<String> {
        if draining {
            Some("shutting down".to_owned())
        } else if self.started.load(Ordering::SeqCst) {
            None
        } else {
            Some("asking servers and issuers for the first time".to_owned())
        }
    }
}

fn issuer_part(status: &IssuerStatus) -> Part {
    let detail = match (status.keys.usable, status.keys.alarm) {
        (true, false) => None,
        (true, true) => Some("its keys can't be fetched; the last good ones serve"),
        (false, _) => Some("it has no usable keys; its tokens are refused"),
    };
    part(&format!("issuer {}", status.issuer), State::Degraded, detail.map(str::to_owned))
}

/// A part that is `bad` where there is something to say of it.
fn part(name: &str, bad: State, detail: Option<String>) -> Part {
    let state = if detail.is_some() { bad } else { State::Ok };
    Part { name: name.to_owned(), state, detail: detail.unwrap_or_default() }
}

/// What a panic left behind is still the last thing known.
fn lock<T>(known: &Mutex<T>) -> MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
