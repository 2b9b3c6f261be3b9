//! The handle on a running gateway: the snapshot in force, what outlives it, and how it is replaced.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use futures_util::{StreamExt as _, stream};
use lockgate_model::{Event, Reason, Refusal, Timestamp};
use lockgate_rules::{mask::MaskKey, policy::PolicyFault};
use lockgate_store::{approvals::Approvals, journal::Journal};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use crate::{
    budgets::Budgets,
    clock::{self, Steps},
    history::History,
    legs::Legs,
    metrics::Metrics,
    recording::{self, Recording, Recordings},
    revocations::{Leaver, Revocations},
    session::{Session, Sessions},
    slots::Slots,
    snapshot::{Blueprint, BuildFault, Ground, Snapshot},
    stage::{authenticate::IssuerStatus, resolve::Caller},
    tokens::Tokens,
    upstream::{Upstream, stdio::Launcher},
};

/// Why a session that nobody used ended, in the record.
const IDLE: &str = "idle";
/// A leaver's grant that could not be ended is tried again after this time.
const PART_AGAIN: Duration = Duration::from_secs(5);
/// What is wrong where nobody can be let in.
const UNCONFIRMED: &str = "what was revoked can't be confirmed; nobody is let in";
/// How often sessions that were revoked are looked for while some still have calls.
const CUT_EVERY: Duration = Duration::from_millis(50);
/// How many servers are told at once that sessions of theirs have ended.
const TOLD_MAX: usize = 32;
/// How often the wall clock is held against the steady one.
const CLOCK_EVERY: Duration = Duration::from_millis(250);
/// How often it is looked whether it is still known what was revoked.
const CONFIRM_EVERY: Duration = Duration::from_millis(500);
/// How often idle sessions are looked for.
const SWEEP: Duration = Duration::from_secs(60);
/// How long a call waits for a snapshot that knows a definition accepted a moment ago.
const REBUILD_WAIT: Duration = Duration::from_secs(5);

/// A running gateway. Share it in an `Arc`.
pub struct Gateway {
    /// What every snapshot stands on.
    pub ground: Ground,
    /// Legacy sessions and tasks.
    pub sessions: Sessions,
    /// The sessions of the record that are open.
    pub recordings: Recordings,
    /// Who is out.
    pub revocations: Revocations,
    /// What permits with a budget still permit.
    pub budgets: Budgets,
    /// What each identity did a little while ago.
    pub history: History,
    /// Where people are asked, once its database could be opened.
    approvals: OnceLock<Arc<Approvals>>,
    /// How clients come back to calls that wait for approval.
    pub legs: Legs,
    /// Open requests of each identity.
    pub slots: Arc<Slots>,
    /// Counters.
    pub metrics: Metrics,
    /// What hashes and tokens in masked answers are made with.
    pub mask_key: MaskKey,
    /// What tokens stand for.
    pub tokens: Tokens,
    snapshot: ArcSwap<Snapshot>,
    /// Counts the snapshots, for those who wait for the next.
    version: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
    building: Mutex<Build>,
}

/// How far the gateway is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It takes requests.
    Serving,
    /// It takes no new ones and ends streams that would not end of their own accord.
    Draining,
    /// It ends everything.
    Ending,
}

/// The parts without which calls are refused, each with what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The journal; `None` where it takes records.
    pub journal: Option<String>,
    /// What was revoked; `None` where it is known.
    pub revocations: Option<String>,
    /// The keys of each issuer.
    pub issuers: Vec<IssuerStatus>,
    /// The last reload that was refused, while its predecessor is in force.
    pub reload: Option<String>,
    /// Connections whose tools are not known yet, or whose credential can't be had.
    pub connections: Vec<(String, String)>,
    /// Whether it is shutting down.
    pub draining: bool,
}

/// What the next build starts from, and how the last one ended.
#[derive(Default)]
struct Build {
    fault: Option<String>,
}

impl Gateway {
    /// Builds the first snapshot. Nothing is listened to or dialled here.
    ///
    /// # Errors
    /// [`BuildFault`]
    pub fn open(
        blueprint: Blueprint,
        journal: Arc<Journal>,
        pins: PathBuf,
        launcher: Launcher,
        mask_key: MaskKey,
    ) -> Result<Arc<Self>, BuildFault> {
        let (vault, changed) = (Arc::default(), Arc::new(Notify::new()));
        let ground = Ground { launcher, pins, journal, vault, changed };
        let snapshot = Snapshot::build(Arc::new(blueprint), &ground, None)?;
        let legs = Legs::new().map_err(|refusal| BuildFault::Settings(refusal.to_string()))?;
        let gateway = Arc::new(Self {
            metrics: Metrics::new(),
            mask_key,
            sessions: Sessions::default(),
            recordings: Recordings::default(),
            revocations: Revocations::default(),
            budgets: Budgets::default(),
            history: History::default(),
            tokens: Tokens::default(),
            approvals: OnceLock::new(),
            legs,
            slots: Arc::default(),
            snapshot: ArcSwap::from_pointee(snapshot),
            version: watch::Sender::new(0),
            phase: watch::Sender::new(Phase::Serving),
            building: Mutex::default(),
            ground,
        });
        put_in_force(&gateway.revocations, &gateway.snapshot());
        gateway.tell(&gateway.snapshot(), "first");
        Ok(gateway)
    }

    /// Lets calls wait for approval from now on.
    pub fn ask_at(&self, approvals: Arc<Approvals>) {
        // The first one stays: there is one place to ask.
        drop(self.approvals.set(approvals));
    }

    /// Where people are asked; `None` while that can't be had.
    pub fn approvals(&self) -> Option<&Arc<Approvals>> {
        self.approvals.get()
    }

    /// The snapshot in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Puts a new blueprint in force; calls under way end under the old one.
    ///
    /// # Errors
    /// [`BuildFault`]; the snapshot in force stays, and [`Self::readiness`] names the fault.
    pub fn reload(&self, blueprint: Blueprint) -> Result<Vec<PolicyFault>, BuildFault> {
        self.replace(Some(blueprint), "reloaded")
    }

    /// Keeps the gateway in step with its surroundings: keys, catalogues, accepted definitions,
    /// idle sessions. Runs until the gateway ends.
    pub async fn tend(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        snapshot.authenticator.warm(clock::now()).await;
        drop(snapshot);
        self.list_all();
        let mut phase = self.phase();
        tokio::select! {
            () = self.follow_pins() => {}
            () = self.keep_keys() => {}
            () = self.sweep_sessions() => {}
            () = self.cut_revoked() => {}
            () = self.watch_revocations() => {}
            () = self.part_with_leavers() => {}
            () = self.follow_clock() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => {}
        }
    }

    /// What would keep calls from going through.
    pub fn readiness(&self) -> Readiness {
        let snapshot = self.snapshot();
        let connections = snapshot.connections.iter().filter_map(|connection| {
            let credential = connection.credential.check().and(connection.upstream.check());
            let why = match (credential, connection.pins.accepted()) {
                (Err(refusal), _) => refusal.to_string(),
                (Ok(()), None) => "no definition was accepted yet".to_owned(),
                (Ok(()), Some(_)) => return None,
            };
            Some((connection.name().to_string(), why))
        });
        Readiness {
            journal: self.ground.journal.available().err().map(|fault| fault.to_string()),
            revocations: (!self.revocations.is_confirmed()).then(|| UNCONFIRMED.to_owned()),
            issuers: snapshot.authenticator.status(clock::now()),
            reload: self.building().fault.clone(),
            connections: connections.collect(),
            draining: self.is_draining(),
        }
    }

    /// The phase, for those who must end with it.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Changes with every new snapshot, and when the clock was set, for those who were let in before.
    pub fn version(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Moves on to a later phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            if later {
                *now = phase;
            }
            later
        });
    }

    /// Whether no new requests are taken.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Ends the child processes of all connections.
    pub async fn shutdown_upstreams(&self) {
        let snapshot = self.snapshot();
        let children = snapshot.connections.iter().filter_map(|one| match one.upstream.as_ref() {
            Upstream::Stdio(stdio) => Some(stdio.shutdown()),
            Upstream::Http(_) => None,
        });
        futures_util::future::join_all(children).await;
    }

    /// A snapshot whose policies were compiled against what is accepted now: the caller's, or the
    /// one that follows when something was accepted a moment ago.
    ///
    /// # Errors
    /// [`Reason::CatalogueMissing`] where no such snapshot comes about.
    pub async fn settled(&self, caller: &Caller) -> Result<Arc<Snapshot>, Refusal> {
        let accepted = caller.connection.pins.generation();
        if caller.connection.accepted_count == accepted {
            return Ok(Arc::clone(&caller.snapshot));
        }
        // A connection that is gone from the newest snapshot is denied there.
        let knows = |snapshot: &Snapshot| {
            let connection = snapshot.connection(caller.connection.name());
            connection.is_none_or(|connection| connection.accepted_count >= accepted)
        };
        let mut version = self.version.subscribe();
        let found = async {
            loop {
                let snapshot = self.snapshot();
                // After a build that failed, the old policies decide; what they don't know, they deny.
                if knows(&snapshot) || self.building().fault.is_some() {
                    return snapshot;
                }
                if version.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(REBUILD_WAIT, found).await.map_err(|_| {
            let detail = "the accepted definition is not in force yet";
            Refusal::new(Reason::CatalogueMissing, detail)
        })
    }

    fn replace(
        &self,
        blueprint: Option<Blueprint>,
        why: &str,
    ) -> Result<Vec<PolicyFault>, BuildFault> {
        let mut building = self.building();
        let before = self.snapshot();
        let blueprint = blueprint.map_or_else(|| Arc::clone(&before.blueprint), Arc::new);
        match Snapshot::build(blueprint, &self.ground, Some(&before)) {
            Ok(snapshot) => {
                building.fault = None;
                let snapshot = Arc::new(snapshot);
                put_in_force(&self.revocations, &snapshot);
                self.snapshot.store(Arc::clone(&snapshot));
                self.version.send_modify(|version| *version += 1);
                if snapshot.version != before.version {
                    self.tell(&snapshot, why);
                }
                Ok(snapshot.warnings.clone())
            }
            Err(fault) => {
                tracing::error!(%fault, "a new snapshot was refused; the old one stays");
                building.fault = Some(fault.to_string());
                self.version.send_modify(|version| *version += 1);
                Err(fault)
            }
        }
    }

    fn tell(&self, snapshot: &Snapshot, why: &str) {
        let connections = snapshot.connections.len();
        let summary = format!("{why}; {connections} connections");
        let event = Event::Snapshot { version: snapshot.version, summary };
        tracing::info!(version = %snapshot.version, why, connections, "snapshot in force");
        if let Err(fault) = self.ground.journal.append(clock::now(), &event) {
            tracing::error!(%fault, "a new snapshot is not recorded");
        }
    }

    fn list_all(self: &Arc<Self>) {
        for connection in &self.snapshot().connections {
            let pins = Arc::clone(&connection.pins);
            // Its own record and log tell how it went.
            tokio::spawn(async move { drop(pins.refresh().await) });
        }
    }

    /// Policies are compiled against accepted definitions, so each change needs a new snapshot.
    async fn follow_pins(&self) {
        loop {
            self.ground.changed.notified().await;
            // The fault is kept, logged and shown by readiness.
            drop(self.replace(None, "accepted definitions changed"));
        }
    }

    async fn keep_keys(&self) {
        let mut version = self.version.subscribe();
        loop {
            let authenticator = Arc::clone(&self.snapshot().authenticator);
            tokio::select! {
                () = authenticator.keep_fresh() => {}
                changed = version.changed() => if changed.is_err() { return },
            }
        }
    }

    /// A token may be over all at once where the clock is set: whatever is open is looked at again. How
    /// long it may last at most was measured when it began, and no clock makes that longer.
    async fn follow_clock(&self) {
        let mut steps = Steps::new(clock::now(), Instant::now());
        loop {
            tokio::time::sleep(CLOCK_EVERY).await;
            let set_ms = steps.look(clock::now(), Instant::now());
            if set_ms != 0 {
                tracing::warn!(set_ms, "the clock was set; what is open is looked at again");
                self.version.send_modify(|version| *version += 1);
            }
        }
    }

    async fn sweep_sessions(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let idle_ms = i64::from(self.snapshot().limits().session_idle_max_ms);
            let before: Timestamp = clock::now().plus_millis(-idle_ms);
            for session in self.sessions.take_idle(before) {
                self.end_session(&session).await;
                self.end_recording(&session.recording, IDLE);
            }
            for recording in self.recordings.take_idle(clock::now()) {
                self.record_end(&recording, IDLE);
            }
            self.history.sweep(clock::now());
            self.revocations.sweep(clock::now());
            self.budgets.sweep(clock::now()).await;
            self.tokens.sweep(clock::now());
            self.metrics.sessions(self.sessions.count());
        }
    }

    /// Ends the sessions of whoever is put out, when their calls have ended.
    async fn cut_revoked(self: &Arc<Self>) {
        let mut told = self.revocations.told();
        loop {
            let out = |recording: &Recording| self.revocations.of(recording.asking());
            let sessions = self.sessions.take(|session| out(&session.recording).is_some());
            if !sessions.is_empty() {
                tokio::spawn(Arc::clone(self).end_sessions(sessions));
            }
            let (over, more) = self.recordings.take_ended(out);
            for (recording, revocation) in over {
                self.record_end(&recording, &format!("revoked by {revocation}"));
            }
            tokio::select! {
                changed = told.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(CUT_EVERY), if more => {}
            }
        }
    }

    /// Ends what leavers let the gateway do for them; what can't be ended now is tried again.
    async fn part_with_leavers(&self) {
        let mut told = self.revocations.told();
        loop {
            let mut left = Vec::new();
            for leaver in self.revocations.leavers() {
                if !self.part_with(&leaver).await {
                    left.push(leaver);
                }
            }
            let again = !left.is_empty();
            self.revocations.note(left);
            tokio::select! {
                changed = told.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(PART_AGAIN), if again => {}
            }
        }
    }

    /// Whether nothing of the leaver is left.
    async fn part_with(&self, Leaver { person, by }: &Leaver) -> bool {
        let (snapshot, mut gone) = (self.snapshot(), true);
        for connection in &snapshot.connections {
            let Some(grants) = connection.credential.grants() else { continue };
            gone &= grants.end(person, by).await.unwrap_or_else(|refusal| {
                let connection = connection.name().as_str();
                tracing::warn!(connection, %refusal, "a leaver's grant can't be ended yet");
                false
            });
        }
        gone
    }

    async fn end_sessions(self: Arc<Self>, sessions: Vec<Arc<Session>>) {
        let end = |session: Arc<Session>| {
            let gateway = Arc::clone(&self);
            async move { gateway.end_session(&session).await }
        };
        stream::iter(sessions).for_each_concurrent(TOLD_MAX, end).await;
    }

    /// Where it is not known any more what was revoked, open streams must learn of it.
    async fn watch_revocations(&self) {
        loop {
            tokio::time::sleep(CONFIRM_EVERY).await;
            if !self.revocations.is_confirmed() {
                self.revocations.tell();
            }
        }
    }

    /// Puts the end of a recorded session on the record, unless it is there.
    pub fn end_recording(&self, recording: &Recording, why: &str) {
        if self.recordings.close(recording) {
            self.record_end(recording, why);
        }
    }

    /// Ends every recorded session, when no call is open any more.
    pub fn end_recordings(&self) {
        for recording in self.recordings.take_all() {
            self.record_end(&recording, "the gateway stopped");
        }
    }

    fn record_end(&self, recording: &Recording, why: &str) {
        let event = recording::closed(recording, why);
        if let Err(fault) = self.ground.journal.append(clock::now(), &event) {
            tracing::error!(%fault, "the end of a session is not recorded");
        }
    }

    /// Tells the server that nobody will come back to a session.
    async fn end_session(&self, session: &Session) {
        let snapshot = self.snapshot();
        let Some(connection) = snapshot.connection(session.connection()) else { return };
        tracing::info!(connection = session.connection().as_str(), "session ended");
        let ended = connection.lister.end_session(session).await;
        if let Err(refusal) = ended {
            tracing::info!(%refusal, "the server was not told that a session ended");
        }
    }

    fn building(&self) -> std::sync::MutexGuard<'_, Build> {
        self.building.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the keeper of revocations has to know of a snapshot.
fn put_in_force(revocations: &Revocations, snapshot: &Snapshot) {
    let issuers = snapshot.blueprint.settings.issuers.iter();
    let rules =
        issuers.filter_map(|issuer| Some((issuer.name.clone(), issuer.scim.as_ref()?.groups)));
    revocations.put_in_force(snapshot.limits().unconfirmed_max_ms, rules.collect());
}
