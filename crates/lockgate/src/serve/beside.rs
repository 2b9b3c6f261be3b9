//! What goes on beside the calls: the index filled, the admin API served, the recording delivered,
//! shipped and retired. None of it can hold a call up; how each is doing shows in `/readyz`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use lockgate_console::{
    Console, Edge, Keeper, Login, Registrar, Revoker, Verify, scim::Provisioner,
};
use lockgate_gateway::{
    clock, gateway::Gateway, metrics::Metrics, revocations::Asking, stage::authenticate::Access,
};
use lockgate_store::{
    budgets::Budgets,
    db::DbPlace,
    deliver::{self, Delivery, HeadDelivery, SinkState},
    index::{self, Index, Indexer},
    journal::{Elsewhere, Keys, SignedHead},
    notify::Slack,
    pins::PinFolder,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::sleep};
use tracing::{info, warn};

use super::{
    admin::{Part, State},
    ask,
    channels::{Channels, Running},
    connect,
    keep::{self, Shipping},
    login, poll, provision,
    register::Registry,
    registrar,
    revoke::{self, Watched},
    vault,
};
use crate::{
    config::{ConfigArgs, Loaded, Settings},
    failure::Failure,
    offline,
};

/// A database that is away is tried again this often.
const OPEN_EVERY: Duration = Duration::from_secs(2);

/// Everything beside the calls, while it runs.
pub(crate) struct Beside {
    parts: Arc<Parts>,
    registry: Registry,
    revoked: Watched,
    console: Arc<Mutex<Option<Arc<Console>>>>,
}

/// What was last known of each part.
#[derive(Default)]
pub(super) struct Parts {
    index: Mutex<Option<IndexState>>,
    pub(super) approvals: Mutex<Option<String>>,
    /// Why budgets can't be counted.
    budgets: Mutex<Option<String>>,
    /// Why no sealed secret can be had.
    pub(super) vault: Mutex<Option<String>>,
    /// Emergencies in force, or not yet looked at.
    pub(super) emergencies: AtomicU64,
    pub(super) channels: Mutex<Vec<Running>>,
    /// Why events can't be asked for, by issuer; absent where they can.
    pub(super) polls: Mutex<BTreeMap<String, Option<String>>>,
    sinks: Mutex<Vec<(String, watch::Receiver<SinkState>)>>,
    pub(super) shipping: Mutex<Option<Shipping>>,
}

/// What the admin API is served with.
struct Api {
    listener: TcpListener,
    login: Option<Login>,
    slack: Vec<Arc<Slack>>,
    registrar: Registrar,
    revoker: Revoker,
    provisioner: Provisioner,
}

enum IndexState {
    /// It can't be opened, for this reason.
    Away(String),
    /// It is being filled.
    Filled(watch::Receiver<index::Progress>),
}

/// What every part is made from.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) gateway: Arc<Gateway>,
    pub(super) keys: Keys,
    pub(super) pins: PinFolder,
    pub(super) settings: Arc<Settings>,
    pub(super) parts: Arc<Parts>,
}

impl Beside {
    /// Starts everything that the configuration names, as tasks of `tasks`. `listener` is the admin
    /// API's.
    ///
    /// # Errors
    /// Where a reference leads nowhere, or a sink's or store's settings can't be used.
    pub(crate) async fn start(
        gateway: &Arc<Gateway>,
        loaded: &Loaded,
        args: &ConfigArgs,
        listener: Option<TcpListener>,
        (registry, revoked): (Registry, Watched),
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, Failure> {
        let keys = Keys::open(&offline::keys_folder(&loaded.settings.data));
        let pins = PinFolder::open(&offline::pins_folder(&loaded.settings.data));
        let ground = Ground {
            gateway: Arc::clone(gateway),
            keys: keys.map_err(Failure::unreachable)?,
            pins: pins.map_err(Failure::unreachable)?,
            settings: Arc::new(loaded.settings.clone()),
            parts: Arc::default(),
        };
        let shipper = keep::open(&ground, tasks).await?;
        let elsewhere = shipper.as_ref().map(keep::elsewhere);
        deliver_all(&ground, elsewhere.as_ref(), tasks)?;
        // What the receivers still need is known from here on.
        keep::retain(&ground, shipper, tasks);
        let providers = offline::vault_providers(loaded)?;
        ground.gateway.ground.vault.ask_at(providers.clone());
        let (place, keys) = (offline::vault_place(loaded)?, offline::vault_keys(loaded, providers));
        // Before servers are looked at, which takes their credentials.
        let first = vault::open(&ground, &place, &keys).await;
        tasks.spawn(vault::keep(ground.clone(), place, keys, first));
        tasks.spawn(count(ground.clone(), offline::budgets_place(loaded)?));
        let channels = Channels::new(&loaded.settings.approvals)?;
        let slack = channels.slack();
        tasks.spawn(ask::keep(ground.clone(), offline::approvals_place(loaded)?, channels));
        let console = Arc::new(Mutex::new(None));
        let (place, parts) = (offline::index_place(loaded)?, Arc::clone(&ground.parts));
        let login = match &ground.settings.admin_api {
            Some(api) => login::login(api, &ground.settings)?,
            None => None,
        };
        let registrar = registrar::registrar(args, &gateway.ground.journal);
        let revoker = revoke::revoker(gateway, &revoked);
        let provisioner = provision::provisioner(gateway, &revoked);
        let api = listener.map(|listener| Api {
            listener,
            login,
            slack,
            registrar,
            revoker,
            provisioner,
        });
        tasks.spawn(poll::keep(ground.clone(), Arc::clone(&console)));
        tasks.spawn(index(ground, place, elsewhere, api, Arc::clone(&console)));
        Ok(Self { parts, console, registry, revoked })
    }

    /// Puts the roles of a new configuration in force.
    pub(crate) fn renew(&self, loaded: &Loaded) {
        let console = self.console.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(console), Some(settings)) = (console.as_ref(), &loaded.settings.admin_api) {
            console.put_in_force(settings.roles.clone());
        }
    }

    /// How each part is; `last_seq` is the last durable record.
    pub(crate) fn parts(&self, last_seq: u64) -> Vec<Part> {
        let approvals = lock(&self.parts.approvals).clone();
        let mut parts = vec![self.parts.index(last_seq), part("approvals", approvals)];
        parts.push(part("budgets", lock(&self.parts.budgets).clone()));
        parts.push(part("vault", lock(&self.parts.vault).clone()));
        parts.push(part("registered", self.registry.trouble()));
        let emergencies = self.parts.emergencies.load(Ordering::Relaxed);
        parts.push(part("break-glass", (emergencies > 0).then(|| ask::loudly(emergencies))));
        for (issuer, failing) in lock(&self.parts.polls).iter() {
            parts.push(part(&format!("events {issuer}"), failing.clone()));
        }
        for channel in lock(&self.parts.channels).iter() {
            let (kind, name, failing) = channel.look();
            parts.push(part(&format!("{kind} {name}"), failing));
        }
        for (name, state) in lock(&self.parts.sinks).iter() {
            let failing = state.borrow().failing.as_ref().map(ToString::to_string);
            parts.push(part(&format!("sink {name}"), failing));
        }
        if let Some(shipping) = lock(&self.parts.shipping).as_ref() {
            parts.push(part("shipping", shipping.failing()));
        }
        parts
    }

    /// Why it can't be read what is revoked; `None` where it can.
    pub(crate) fn revoked(&self) -> Option<String> {
        self.revoked.trouble()
    }

    /// Notes in `metrics` what is known only when it is asked for.
    pub(crate) fn measure(&self, metrics: &Metrics) {
        for channel in lock(&self.parts.channels).iter() {
            let (kind, name, failing) = channel.look();
            metrics.channel(kind, name, failing.is_none());
        }
    }
}

impl Parts {
    fn index(&self, last_seq: u64) -> Part {
        let why = match lock(&self.index).as_ref() {
            None => Some("being opened".to_owned()),
            Some(IndexState::Away(why)) => Some(why.clone()),
            Some(IndexState::Filled(progress)) => {
                let progress = *progress.borrow();
                let behind = progress.lag(last_seq);
                progress.failing.then(|| format!("it can't be filled; {behind} records behind"))
            }
        };
        part("index", why)
    }

    /// The first record that some sink still needs.
    pub(super) fn needed_from(&self) -> u64 {
        let sinks = lock(&self.sinks);
        let needs = sinks.iter().map(|(_, state)| state.borrow().needs_seq.max(1));
        needs.min().unwrap_or(u64::MAX)
    }
}

/// Opens the index as soon as it can be had, and then serves what stands on it.
async fn index(
    ground: Ground,
    place: DbPlace,
    elsewhere: Option<Elsewhere>,
    api: Option<Api>,
    made: Arc<Mutex<Option<Arc<Console>>>>,
) {
    let away = |why| *lock(&ground.parts.index) = Some(IndexState::Away(why));
    let index = opened("the index", || Index::open(&place), away).await;
    let (journal, node) = (&ground.gateway.ground.journal, &ground.settings.node);
    let (kept, folder) = (Arc::clone(&index), journal.folder());
    let indexer = Indexer::start(kept, folder, &ground.keys, elsewhere.as_ref(), node);
    *lock(&ground.parts.index) = Some(IndexState::Filled(indexer.watch()));
    match (api, &ground.settings.admin_api) {
        (Some(api), Some(settings)) => {
            let Api { listener, login, slack, registrar, revoker, provisioner } = api;
            let access = Access {
                issuers: settings.issuers.clone(),
                audiences: vec![settings.audience.clone()],
            };
            let gateway = Arc::clone(&ground.gateway);
            let edge = Edge {
                approvals: Box::new(move || gateway.approvals().cloned()),
                offer: ask::offers(&ground.gateway),
                registrar,
                revoker,
                provisioner,
                pins: ground.pins.clone(),
                login,
                connect: connect::connect(&ground.gateway),
                slack,
                verify: verify(&ground.gateway, access),
                keeper: Keeper::of(journal, clock::now),
                index,
                node: node.clone(),
                journal: journal.folder().to_owned(),
                keys: ground.keys.clone(),
                elsewhere,
                now: clock::now,
            };
            let console = Console::new(edge, settings.roles.clone());
            *lock(&made) = Some(Arc::clone(&console));
            console.serve(listener).await;
        }
        _ => std::future::pending().await,
    }
    // Kept until here: dropping it would end the filling.
    drop(indexer);
}

/// Opens what budgets are counted in as soon as it can be had.
async fn count(ground: Ground, place: DbPlace) {
    let known = |why| *lock(&ground.parts.budgets) = why;
    known(Some("being opened".to_owned()));
    let budgets =
        opened("what budgets are counted in", || Budgets::open(&place), |why| known(Some(why)));
    ground.gateway.budgets.count_in(budgets.await);
    known(None);
}

/// Opens what stands on a database as soon as that can be had. `away` is told why it can't be yet.
pub(super) async fn opened<T, E, F>(
    what: &str,
    open: impl Fn() -> F + Send,
    away: impl Fn(String) + Send,
) -> Arc<T>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>> + Send,
{
    let mut known = None;
    loop {
        let why = match open().await {
            Ok(opened) => return Arc::new(opened),
            Err(fault) => fault.to_string(),
        };
        if known.replace(why.clone()).as_ref() != Some(&why) {
            warn!(%why, "{what} can't be opened; it is tried again");
        }
        away(why);
        sleep(OPEN_EVERY).await;
    }
}

/// The verifier of the data path, with the admin API's own issuers and audience.
fn verify(gateway: &Arc<Gateway>, access: Access) -> Verify {
    let (gateway, access) = (Arc::clone(gateway), Arc::new(access));
    Box::new(move |headers: HeaderMap| {
        let (gateway, access) = (Arc::clone(&gateway), Arc::clone(&access));
        Box::pin(async move {
            let authenticator = Arc::clone(&gateway.snapshot().authenticator);
            let identity = authenticator.authenticate(&headers, &access, clock::now()).await?;
            let identity = gateway.revocations.narrow(identity);
            let asking = Asking { identity: &identity, connection: None, session: None };
            gateway.revocations.check(asking)?;
            Ok(identity)
        })
    })
}

/// Starts every receiver of the recording and of signed heads.
fn deliver_all(
    ground: &Ground,
    elsewhere: Option<&Elsewhere>,
    tasks: &mut JoinSet<()>,
) -> Result<(), Failure> {
    let settings = &ground.settings;
    let (journal, node) = (&ground.gateway.ground.journal, settings.node.as_str());
    let wrong =
        |fault: &dyn std::fmt::Display| Failure::usage_text(format_args!("recording: {fault}"));
    let mut sinks = lock(&ground.parts.sinks);
    for sink in &settings.recording.deliver.sinks {
        let headers = keep::headers(&sink.to)?;
        let places = settings.data.join("delivery");
        let delivery =
            Delivery::new(sink, headers, node, journal.folder(), &ground.keys, elsewhere, &places);
        let delivery = delivery.map_err(|fault| wrong(&fault))?;
        sinks.push((sink.name.to_string(), delivery.state()));
        tasks.spawn(delivery.run());
    }
    let heads = follow_heads(journal.heads(), tasks);
    for (number, receiver) in (1..).zip(&settings.recording.deliver.heads) {
        let delivery = HeadDelivery::new(receiver, keep::head_headers(receiver)?, node);
        let delivery = delivery.map_err(|fault| wrong(&fault))?;
        // A head covers all before it, so no record has to be kept for its receivers.
        let name = format!("heads {number}");
        info!(name, "signed heads are delivered");
        tasks.spawn(delivery.run(heads.clone()));
    }
    Ok(())
}

/// Signed heads in the form in which they are delivered.
fn follow_heads(
    mut signed: watch::Receiver<Option<Arc<SignedHead>>>,
    tasks: &mut JoinSet<()>,
) -> watch::Receiver<Option<deliver::Head>> {
    let (tell, heads) = watch::channel(None);
    tasks.spawn(async move {
        loop {
            let newest = signed.borrow_and_update().clone();
            if let Some(newest) = newest {
                let (size, text) = (newest.head.size, newest.note.clone());
                tell.send_replace(Some(deliver::Head { size, time: clock::now(), text }));
            }
            if signed.changed().await.is_err() {
                return;
            }
        }
    });
    heads
}

fn part(name: &str, detail: Option<String>) -> Part {
    let state = if detail.is_some() { State::Degraded } else { State::Ok };
    Part { name: name.to_owned(), state, detail: detail.unwrap_or_default() }
}

/// What a panic left behind is still the last thing known.
pub(super) fn lock<T>(known: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}
