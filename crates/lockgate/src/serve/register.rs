//! The registered connections as the service follows them: read at the start, and again within a second
//! of a change by whomever. While the database is away, what was read last stands.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use lockgate_store::{
    connections::{Connections, Register},
    db::{DbFault, DbPlace},
};
use tokio::{sync::Notify, time::sleep};
use tracing::{info, warn};

use super::beside::lock;

/// How often it is asked whether anything changed: a change is in force within a second.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A database that is away is tried again this often.
const OPEN_EVERY: Duration = Duration::from_secs(2);

/// What was last read of the register, for the service; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Registry {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    read: Mutex<Arc<Register>>,
    /// Why it can't be read.
    away: Mutex<Option<String>>,
    /// Which registered connections are not served as they are, and why.
    troubles: Mutex<Vec<String>>,
    /// Open, while it can be had.
    connections: Mutex<Option<Arc<Connections>>>,
    changed: Notify,
}

impl Registry {
    /// Reads it for the first time; what can't be read now is read as soon as it can be.
    pub(crate) async fn start(place: &DbPlace) -> Self {
        let registry = Self::default();
        if let Err(fault) = registry.look(place).await {
            registry.is_away(&fault);
        }
        registry
    }

    /// What was read last.
    pub(crate) fn read(&self) -> Arc<Register> {
        Arc::clone(&lock(&self.shared.read))
    }

    /// Done when there is something else to read.
    pub(crate) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Looks again and again; runs until it is dropped.
    pub(crate) async fn keep(self, place: DbPlace) {
        loop {
            match self.look(&place).await {
                Ok(()) => {
                    if lock(&self.shared.away).take().is_some() {
                        info!("the registered connections can be read again");
                    }
                    sleep(LOOK_EVERY).await;
                }
                Err(fault) => {
                    self.is_away(&fault);
                    sleep(OPEN_EVERY).await;
                }
            }
        }
    }

    /// Notes which are not served as they are; gives those that are news.
    pub(crate) fn note(&self, troubles: &[String]) -> Vec<String> {
        let mut known = lock(&self.shared.troubles);
        let news = troubles.iter().filter(|one| !known.contains(one)).cloned().collect();
        troubles.clone_into(&mut known);
        news
    }

    /// What is wrong, in one sentence; `None` where nothing is.
    pub(crate) fn trouble(&self) -> Option<String> {
        let away = lock(&self.shared.away).clone();
        let away = away.map(|why| format!("what is registered can't be read: {why}"));
        let all: Vec<String> =
            away.into_iter().chain(lock(&self.shared.troubles).clone()).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    async fn look(&self, place: &DbPlace) -> Result<(), DbFault> {
        let open = lock(&self.shared.connections).clone();
        let (connections, first) = match open {
            Some(connections) => (connections, false),
            None => (Arc::new(Connections::open(place).await?), true),
        };
        let known = self.read().changes;
        if first || connections.changes().await? != known {
            let read = connections.all().await?;
            let news = read.changes != known;
            *lock(&self.shared.read) = Arc::new(read);
            if news {
                self.shared.changed.notify_one();
            }
        }
        lock(&self.shared.connections).get_or_insert(connections);
        Ok(())
    }

    fn is_away(&self, fault: &DbFault) {
        let why = fault.to_string();
        let mut away = lock(&self.shared.away);
        if away.replace(why.clone()).as_ref() != Some(&why) {
            warn!(%why, "the registered connections can't be read; it is tried again");
        }
    }
}
