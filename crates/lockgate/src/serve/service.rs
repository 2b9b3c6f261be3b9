//! One running gateway: its start, its reloads, its end.

use std::{sync::Arc, time::Duration};

use lockgate_console::LoginSettings;
use lockgate_gateway::{clock, gateway::Gateway, serve::Tls, snapshot::Connection};
use lockgate_model::Event;
use lockgate_store::pins::diff;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::sleep,
};
use tracing::{error, info, warn};

use super::{
    admin,
    beside::Beside,
    health::Health,
    inputs::Inputs,
    logs,
    open::{build, open},
    register::Registry,
    revoke::{Follower, Places},
    tls,
    watch::Watch,
};
use crate::{
    config::{ConfigArgs, Loaded, Settings, load},
    failure::{Failure, summary},
    look, offline, orders, plain_http,
};

/// A configuration that was refused is tried again this often, besides on every change.
const RETRY_EVERY: Duration = Duration::from_secs(30);

/// The sockets of one gateway.
pub(crate) struct Listeners {
    /// For clients.
    pub(crate) public: TcpListener,
    /// For operators.
    pub(crate) operators: TcpListener,
    /// For the admin API, where it is configured.
    pub(crate) api: Option<TcpListener>,
}

/// A gateway that serves.
pub(crate) struct Service {
    args: ConfigArgs,
    loaded: Loaded,
    gateway: Arc<Gateway>,
    tls: Arc<Tls>,
    beside: Arc<Beside>,
    health: Arc<Health>,
    registry: Registry,
    watch: Watch,
    inputs: Inputs,
    /// SIGTERM and SIGINT.
    signals: [Signal; 2],
    /// Told once, when the public listener is to drain.
    stop: watch::Sender<bool>,
    /// The public listener; done when it has drained.
    public: JoinHandle<()>,
    /// Lookouts and the admin listener; they end with the service.
    tasks: JoinSet<()>,
}

impl Service {
    /// Reads the configuration, opens the journal, and serves: on `listeners` where they are open
    /// already, else at the configured addresses.
    ///
    /// # Errors
    /// Where the configuration is wrong, the data folder can't be used, or a port is taken.
    pub(crate) async fn start(
        args: &ConfigArgs,
        listeners: Option<Listeners>,
    ) -> Result<Self, Failure> {
        let mut loaded = load(args).map_err(Failure::usage)?;
        logs::install(loaded.settings.log);
        let place = offline::connections_place(&loaded)?;
        let registry = Registry::start(&place).await;
        loaded.join(&registry.read(), None);
        for warning in &loaded.warnings {
            warn!("{warning}");
        }
        let tls = Arc::new(Tls::default());
        tls.set(tls::offered(&loaded)?);
        let Listeners { public, operators, api } = match listeners {
            Some(listeners) => listeners,
            None => Listeners {
                public: bind(loaded.gateway.listen.address).await?,
                operators: bind(loaded.settings.admin.address).await?,
                api: match &loaded.settings.admin_api {
                    Some(settings) => Some(bind(settings.address).await?),
                    None => None,
                },
            },
        };
        let gateway = open(&mut loaded)?;
        let places = Places {
            revocations: offline::revocations_place(&loaded)?,
            directory: offline::directory_place(&loaded)?,
        };
        let follower = Follower::start(&gateway, places).await;
        let revoked = follower.watched();
        let mut tasks = JoinSet::new();
        tasks.spawn(follower.keep());
        tasks.spawn(registry.clone().keep(place));
        let beside = Arc::new(
            Beside::start(&gateway, &loaded, args, api, (registry.clone(), revoked), &mut tasks)
                .await?,
        );
        let health = Arc::new(Health::new(Arc::clone(&gateway), Arc::clone(&beside)));
        // Before anyone can see that it serves: whoever sees that may stop it at once. A start that
        // takes long can still be ended by the signal's own effect.
        let signals = [listen_for(SignalKind::terminate())?, listen_for(SignalKind::interrupt())?];
        lookouts(&gateway, &health, operators, &loaded, &mut tasks);
        let inputs = Inputs::of(&loaded);
        let watch = Watch::new(&inputs).map_err(Failure::unreachable)?;
        let (stop, stopped) = watch::channel(false);
        let service = Self {
            public: tokio::spawn(serve_public(
                Arc::clone(&gateway),
                public,
                Arc::clone(&tls),
                stopped,
            )),
            tasks,
            args: args.clone(),
            loaded,
            gateway,
            tls,
            beside,
            health,
            registry,
            watch,
            inputs,
            signals,
            stop,
        };
        service.tell_troubles(&service.loaded.troubles());
        service.announce();
        Ok(service)
    }

    /// The one line that says what runs.
    fn announce(&self) {
        let settings = &self.loaded.settings;
        info!(
            version = env!("CARGO_PKG_VERSION"),
            config = %self.loaded.file.display(),
            listen = %settings.listen.address,
            admin = %settings.admin.address,
            public_url = %self.loaded.gateway.public_url,
            connections = settings.connections.len(),
            snapshot = %self.gateway.snapshot().version,
            "serving"
        );
    }

    /// Serves and reloads until SIGTERM or SIGINT.
    pub(crate) async fn until_told(&mut self) {
        loop {
            let refused = self.health.is_refused();
            let [terminate, interrupt] = &mut self.signals;
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                () = self.watch.changed() => self.reload(),
                () = self.registry.changed() => self.reload(),
                () = sleep(RETRY_EVERY), if refused => self.reload(),
            }
        }
    }

    /// Ends it: no new calls, the open ones within the limit, then everything else.
    pub(crate) async fn drain(mut self) {
        info!(within_ms = self.loaded.gateway.limits.drain_max_ms, "draining");
        // The listener is gone already where nobody listens for this.
        let _ = self.stop.send(true);
        let _ = (&mut self.public).await;
        self.gateway.end_recordings();
        self.gateway.shutdown_upstreams().await;
        self.tasks.shutdown().await;
        info!("stopped");
    }

    /// Reads everything again. What can't be used changes nothing, and says so.
    fn reload(&mut self) {
        let refused = self.renew().err().map(|failure| failure.summary());
        let news = self.health.config(refused.as_deref());
        match refused {
            Some(why) if news => {
                error!(%why, "the configuration is REFUSED; the version before stays in force");
                self.record_refusal(&why);
            }
            None if news => info!("the newest configuration is in force again"),
            _ => {}
        }
    }

    fn renew(&mut self) -> Result<(), Failure> {
        let mut loaded = load(&self.args).map_err(Failure::usage)?;
        loaded.join(&self.registry.read(), Some(&self.loaded));
        self.warn_of_restart(&loaded);
        // Asked for first, so that a wrong certificate leaves everything as it was.
        let tls = tls::offered(&loaded)?;
        let before = self.gateway.snapshot();
        for connection in &before.connections {
            self.take_pins(connection)?;
        }
        let warnings =
            build(&mut loaded, Some(&self.loaded), |blueprint| self.gateway.reload(blueprint))?;
        self.tell_troubles(&loaded.troubles());
        if self.gateway.snapshot().version != before.version {
            warnings.iter().for_each(|warning| warn!("{}", summary(warning)));
        }
        self.tls.set(tls);
        self.beside.renew(&loaded);
        self.health.look_soon();
        let inputs = Inputs::of(&loaded);
        if inputs != self.inputs {
            self.watch = Watch::new(&inputs).map_err(Failure::unreachable)?;
            self.inputs = inputs;
        }
        self.loaded = loaded;
        Ok(())
    }

    /// Takes over what someone accepted meanwhile, and puts it on the record.
    fn take_pins(&self, connection: &Connection) -> Result<(), Failure> {
        let before = connection.pins.accepted().unwrap_or_default();
        connection.pins.reload().map_err(Failure::unreachable)?;
        let changes = diff(&before, &connection.pins.accepted().unwrap_or_default());
        if changes.is_empty() {
            return Ok(());
        }
        let (name, summary) = (connection.name(), look::summary(&changes));
        info!(connection = %name, summary, "accepted definitions");
        let event =
            Event::Pins { connection: name.to_string(), summary: format!("accepted: {summary}") };
        let journal = &self.gateway.ground.journal;
        journal.append(clock::now(), &event).map(drop).map_err(Failure::unreachable)
    }

    /// Says, loudly and on the record, which registered connections are not served as they are.
    fn tell_troubles(&self, troubles: &[String]) {
        for why in self.registry.note(troubles) {
            error!(%why, "a registered connection is NOT served as it stands");
            self.record_refusal(&why);
        }
    }

    fn record_refusal(&self, why: &str) {
        let version = self.gateway.snapshot().version;
        let event = Event::Snapshot { version, summary: format!("refused: {why}") };
        if let Err(fault) = self.gateway.ground.journal.append(clock::now(), &event) {
            error!(%fault, "the refusal is not on the record");
        }
    }

    /// Names what a reload can't change.
    fn warn_of_restart(&self, new: &Loaded) {
        let (old, new) = (&self.loaded.settings, &new.settings);
        let fixed = [
            ("listen.address", old.listen.address != new.listen.address),
            ("admin.address", old.admin.address != new.admin.address),
            ("data", old.data != new.data),
            ("node", old.node != new.node),
            ("recording", old.recording != new.recording),
            ("vault", old.vault != new.vault),
            ("admin_api", old.admin_api.is_some() != new.admin_api.is_some()),
            ("admin_api.login", login(old) != login(new)),
            ("log", old.log != new.log),
        ];
        for (setting, _) in fixed.iter().filter(|(_, differs)| *differs) {
            warn!(setting, "changed, which takes a restart");
        }
    }
}

fn login(settings: &Settings) -> Option<&LoginSettings> {
    settings.admin_api.as_ref()?.login.as_ref()
}

async fn serve_public(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    tls: Arc<Tls>,
    mut stopped: watch::Receiver<bool>,
) {
    // A service that was dropped stops as well.
    let told = async move { drop(stopped.wait_for(|stop| *stop).await) };
    lockgate_gateway::serve::serve(&gateway, listener, tls, told).await;
}

/// What runs beside the public listener.
fn lookouts(
    gateway: &Arc<Gateway>,
    health: &Arc<Health>,
    operators: TcpListener,
    loaded: &Loaded,
    tasks: &mut JoinSet<()>,
) {
    let tended = Arc::clone(gateway);
    tasks.spawn(async move { tended.tend().await });
    let watched = Arc::clone(health);
    tasks.spawn(async move { watched.watch().await });
    tasks.spawn(orders::take_orders(Arc::clone(gateway), loaded.settings.data.clone()));
    let health = Arc::clone(health);
    tasks.spawn(plain_http::serve(operators, move |request| {
        let answer = admin::answer(&request, || health.parts(), || health.metrics());
        async { answer }
    }));
}

fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(Failure::unreachable)
}

async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Failure::unreachable(format_args!("can't listen at {address}: {error}")))
}
