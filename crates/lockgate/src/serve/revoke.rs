//! Keeps the gateway told of who is out, and of who is in which group: everything is read at the start, and
//! what changes as soon as its bell is heard, or a few times a second anyway. Where it can't be read, the
//! gateway is told nothing, and lets nobody in before long.

use std::{
    mem,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lockgate_console::Revoker;
use lockgate_gateway::{clock, gateway::Gateway, revocations::Asking, snapshot::issuer_names};
use lockgate_store::{
    db::{DbFault, DbPlace, Ear},
    directory::{Directory, DirectoryFault},
    revocations::{Revocations, RevocationsFault},
};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::beside::lock;

/// How often it is looked for what changed, heard or not.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What rings oftener than this is read together.
const GAP: Duration = Duration::from_millis(20);
/// A look that takes longer has failed: a link may be dead without anybody saying so.
const LOOK_MAX: Duration = Duration::from_secs(3);
/// A database that is away is tried again this often.
const AWAY: Duration = Duration::from_millis(500);

/// What is known of the store, for readiness and the admin API; cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Shared>);

#[derive(Default)]
struct Shared {
    open: Mutex<Option<Arc<Revocations>>>,
    directory: Mutex<Option<Arc<Directory>>>,
    /// Why they can't be read.
    away: Mutex<Option<String>>,
}

/// Reads the stores for one gateway.
pub(crate) struct Follower {
    gateway: Arc<Gateway>,
    places: Places,
    watched: Watched,
    ears: Option<Ears>,
    /// Up to which change everything was read: of the revocations, and of the directory.
    change: (u64, u64),
}

/// Where everything is.
pub(crate) struct Places {
    /// What is revoked.
    pub(crate) revocations: DbPlace,
    /// Who is in which group; asked only where an issuer's people and groups are provisioned.
    pub(crate) directory: DbPlace,
}

/// Hears of changes.
struct Ears {
    revocations: Ear,
    directory: Option<Ear>,
}

/// Why something can't be read.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Revocations(#[from] RevocationsFault),
    #[error("who is in which group can't be read: {0}")]
    Directory(#[from] DirectoryFault),
    #[error(transparent)]
    Db(#[from] DbFault),
}

impl Watched {
    /// The store, while it can be had.
    pub(crate) fn store(&self) -> Option<Arc<Revocations>> {
        lock(&self.0.open).clone()
    }

    /// People and groups, while they can be had and an issuer tells of them.
    pub(crate) fn directory(&self) -> Option<Arc<Directory>> {
        lock(&self.0.directory).clone()
    }

    /// Why it can't be read; `None` where it can.
    pub(crate) fn trouble(&self) -> Option<String> {
        lock(&self.0.away).clone()
    }
}

/// What the admin API knows of who is out.
pub(super) fn revoker(gateway: &Arc<Gateway>, watched: &Watched) -> Revoker {
    let [knows, hears, asks] = [(); 3].map(|()| Arc::clone(gateway));
    let watched = watched.clone();
    Revoker {
        store: Box::new(move || watched.store()),
        knows: Box::new(move |issuer| {
            let known = issuer_names(&knows.snapshot().blueprint.settings);
            known.iter().any(|name| name == issuer)
        }),
        hear: Box::new(move |told| {
            let authenticator = Arc::clone(&hears.snapshot().authenticator);
            Box::pin(async move { authenticator.hear(&told, clock::now()).await })
        }),
        is_out: Box::new(move |identity| {
            let asking = Asking { identity, connection: None, session: None };
            asks.revocations.check(asking).is_err()
        }),
    }
}

impl Follower {
    /// Reads everything for the first time; what can't be read now is read as soon as it can be, and
    /// nobody is let in before.
    pub(crate) async fn start(gateway: &Arc<Gateway>, places: Places) -> Self {
        let (gateway, watched) = (Arc::clone(gateway), Watched::default());
        let mut follower = Self { gateway, places, watched, ears: None, change: (0, 0) };
        follower.look().await;
        follower
    }

    /// What is known of the store.
    pub(crate) fn watched(&self) -> Watched {
        self.watched.clone()
    }

    /// Reads on; runs until it is dropped.
    pub(crate) async fn keep(mut self) {
        loop {
            let well = self.look().await;
            match &mut self.ears {
                Some(ears) if well => {
                    // Heard or not, it is time to look.
                    if matches!(timeout(LOOK_EVERY, ears.hear()).await, Ok(Err(_))) {
                        self.ears = None;
                    }
                    sleep(GAP).await;
                }
                _ => sleep(AWAY).await,
            }
        }
    }

    /// Reads what changed; gives whether it could be read.
    async fn look(&mut self) -> bool {
        let read = timeout(LOOK_MAX, self.read()).await;
        let why = match read {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault.to_string()),
            Err(_) => Some("the database does not answer".to_owned()),
        };
        let before = mem::replace(&mut *lock(&self.watched.0.away), why.clone());
        match &why {
            None if before.is_some() => info!("what is revoked can be read again"),
            Some(why) if before.as_ref() != Some(why) => {
                warn!(%why, "what is revoked can't be read; it is tried again");
            }
            _ => {}
        }
        if why.is_some() {
            // The next look begins with new connections.
            self.ears = None;
            (*lock(&self.watched.0.open), *lock(&self.watched.0.directory)) = (None, None);
        }
        why.is_none()
    }

    async fn read(&mut self) -> Result<(), Unread> {
        let (store, directory) = self.open().await?;
        if self.ears.as_ref().is_none_or(|ears| ears.directory.is_some() != directory.is_some()) {
            // Before the rows are read, so that nothing comes between.
            let heard = match &directory {
                Some(directory) => Some(directory.ear().await?),
                None => None,
            };
            self.ears = Some(Ears { revocations: store.ear().await?, directory: heard });
        }
        let asked = Instant::now();
        if let Some(directory) = &directory {
            self.read_directory(directory).await?;
        }
        let (mut change, mut changed) = (self.change.0, Vec::new());
        loop {
            let news = store.since(change).await?;
            if news.changed.is_empty() {
                break;
            }
            change = news.change;
            changed.extend(news.changed);
        }
        // All of it or nothing: a part would confirm what was not read.
        self.gateway.revocations.take(changed, asked);
        self.change.0 = change;
        *lock(&self.watched.0.open) = Some(store);
        *lock(&self.watched.0.directory) = directory;
        Ok(())
    }

    /// The stores: as they are open already, or opened.
    async fn open(&self) -> Result<(Arc<Revocations>, Option<Arc<Directory>>), Unread> {
        let store = match self.watched.store() {
            Some(store) => store,
            None => Arc::new(Revocations::open(&self.places.revocations).await?),
        };
        if !self.gateway.revocations.reads_groups() {
            return Ok((store, None));
        }
        let directory = match self.watched.directory() {
            Some(directory) => directory,
            None => Arc::new(Directory::open(&self.places.directory).await?),
        };
        Ok((store, Some(directory)))
    }

    /// Page by page: a part of it confirms nothing, and is read on from.
    async fn read_directory(&mut self, directory: &Directory) -> Result<(), DirectoryFault> {
        loop {
            let news = directory.since(self.change.1).await?;
            if news.changed.is_empty() {
                return Ok(());
            }
            self.gateway.revocations.learn(news.changed);
            self.change.1 = news.change;
        }
    }
}

impl Ears {
    async fn hear(&mut self) -> Result<(), DbFault> {
        match &mut self.directory {
            None => self.revocations.hear().await,
            Some(directory) => tokio::select! {
                heard = self.revocations.hear() => heard,
                heard = directory.hear() => heard,
            },
        }
    }
}
