//! One running child with the exchanges that are open on it, and the task that reads it until it
//! ends.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use lockgate_mcp::json::JsonLimits;
use lockgate_model::{ConnectionName, Limits, Reason, Refusal};
use tokio::time::{Instant, sleep_until};

use super::{
    backoff::Backoff,
    launcher::Launcher,
    log::LastWords,
    output::{Line, Output},
    process::Process,
    router::{Routed, Router},
};
use crate::{pin::Stale, settings::StdioSettings, vault::Vault};

/// Lines in a row that are no messages, after which a child counts as broken.
const GARBAGE_MAX: u32 = 1_000;

/// What all children of one upstream have in common.
pub(super) struct Host {
    connection: ConnectionName,
    settings: StdioSettings,
    limits: Limits,
    launcher: Launcher,
    stale: Stale,
    vault: Arc<Vault>,
    backoff: Mutex<Backoff>,
    /// What the children said last.
    pub(super) last_words: Arc<LastWords>,
}

/// Whose a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One session's.
    Own,
    /// Every modern client's.
    Shared,
}

/// One running child.
pub(super) struct Child {
    pub(super) host: Arc<Host>,
    pub(super) process: Process,
    pub(super) router: Router,
    kind: Kind,
    used: Mutex<Instant>,
    minted: AtomicI64,
}

impl Host {
    pub(super) fn new(
        connection: ConnectionName,
        settings: StdioSettings,
        limits: Limits,
        launcher: Launcher,
        stale: Stale,
        vault: Arc<Vault>,
    ) -> Self {
        let (backoff, last_words) = (Mutex::default(), Arc::default());
        Self { connection, settings, limits, launcher, stale, vault, backoff, last_words }
    }

    pub(super) fn json_limits(&self) -> JsonLimits {
        JsonLimits::from(&self.limits)
    }

    fn backoff(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    /// Starts a child and the task that reads it; `ended` runs when that task is over.
    ///
    /// # Errors
    /// [`Reason::ChildUnavailable`] where it can't be started, or crashed too often.
    pub(super) async fn start(
        host: &Arc<Host>,
        kind: Kind,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Arc<Self>, Refusal> {
        if let Some(wait) = host.backoff().wait(Instant::now()) {
            let detail = format!("the child keeps ending; next start in {} s", wait.as_secs() + 1);
            return Err(Refusal::new(Reason::ChildUnavailable, detail));
        }
        let line_max_bytes = host.limits.answer_max_bytes as usize;
        let (process, output) = Process::spawn(
            &host.launcher,
            &host.settings,
            &host.connection,
            &host.vault,
            line_max_bytes,
            &host.last_words,
        )
        .await?;
        let child = Arc::new(Self {
            host: Arc::clone(host),
            process,
            router: Router::new(host.json_limits(), host.stale.clone()),
            kind,
            used: Mutex::new(Instant::now()),
            minted: AtomicI64::new(1),
        });
        let reading = Arc::clone(&child);
        tokio::spawn(async move {
            reading.read_to_end(output).await;
            ended();
        });
        Ok(child)
    }

    /// The next id on a shared child.
    pub(super) fn mint(&self) -> i64 {
        self.minted.fetch_add(1, Relaxed)
    }

    /// Notes that the child's session is in use.
    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn answer_wait(&self) -> Duration {
        Duration::from_millis(self.host.limits.answer_wait_max_ms.into())
    }

    /// What may wait for one client that does not read.
    pub(super) fn queue_max_bytes(&self) -> usize {
        self.host.limits.answer_max_bytes as usize
    }

    /// Whether it can be given messages.
    pub(super) fn is_alive(&self) -> bool {
        !self.process.stopped() && !self.router.is_closed()
    }

    /// Ends it: what is open fails, and the process goes within 5 s.
    pub(super) fn stop(&self) {
        self.process.stop();
        self.router.close(&Refusal::new(Reason::UpstreamEnded, "the session was ended"));
    }

    pub(super) async fn ended(&self) {
        self.process.ended().await;
    }

    async fn read_to_end(&self, mut output: Output) {
        let started = Instant::now();
        let refusal = self.read(&mut output).await;
        let asked = self.process.stopped();
        self.router.close(&refusal);
        self.process.stop();
        if !asked {
            self.host.backoff().crashed(started, Instant::now());
            tracing::warn!(connection = %self.host.connection, %refusal, "child lost");
        }
        self.process.ended().await;
    }

    /// Reads until the child ends, breaks the rules, or is used no more.
    async fn read(&self, output: &mut Output) -> Refusal {
        let mut garbage = 0;
        loop {
            tokio::select! {
                line = output.next() => match line {
                    Line::Whole(line) => match self.route(&line) {
                        Routed::Garbage => garbage += 1,
                        Routed::Delivered | Routed::Dropped => garbage = 0,
                    },
                    Line::TooLong => {
                        return Refusal::new(Reason::UpstreamTooLarge, "a line beyond the limit");
                    }
                    Line::End => {
                        return Refusal::new(Reason::UpstreamEnded, "the child ended");
                    }
                },
                () = sleep_until(self.idle_at()) => {
                    if self.router.is_idle() {
                        self.process.stop();
                        return Refusal::new(Reason::SessionUnknown, "the session was idle");
                    }
                    self.touch();
                }
            }
            if garbage >= GARBAGE_MAX {
                return Refusal::new(Reason::UpstreamInvalid, "the child writes no messages");
            }
        }
    }

    fn route(&self, line: &bytes::Bytes) -> Routed {
        let routed = match self.kind {
            Kind::Own => self.router.route_own(line),
            Kind::Shared => self.router.route_shared(line),
        };
        if routed != Routed::Delivered {
            let bytes = line.len();
            tracing::debug!(connection = %self.host.connection, ?routed, bytes, "child line dropped");
        }
        routed
    }

    fn idle_at(&self) -> Instant {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used + Duration::from_millis(self.host.limits.session_idle_max_ms.into())
    }
}
