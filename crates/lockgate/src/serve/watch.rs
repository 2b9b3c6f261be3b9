//! When to look at the configuration again: a change of one of its files, or SIGHUP.
//!
//! What changed is not asked; everything is read again.

use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::inputs::Inputs;

/// Changes come in bursts; the configuration is read this long after the last one…
const QUIET: Duration = Duration::from_millis(200);
/// …or this long after the first, whatever still changes.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// Reports that something may have changed.
pub(crate) struct Watch {
    changes: mpsc::Receiver<()>,
    hangup: Signal,
    /// Watching ends when it is dropped.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the folders of `inputs`.
    ///
    /// # Errors
    /// Where the system can't watch one of them.
    pub(crate) fn new(inputs: &Inputs) -> anyhow::Result<Self> {
        // One waiting change says as much as many.
        let (tell, changes) = mpsc::channel(1);
        let of_interest = inputs.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<_>| {
            // What can't be told apart counts as a change.
            if event.is_ok_and(|event| !matters(&event, &of_interest)) {
                return;
            }
            let _ = tell.try_send(());
        })?;
        for folder in inputs.folders() {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        let hangup = signal(SignalKind::hangup())?;
        Ok(Self { changes, hangup, _watcher: watcher })
    }

    /// Waits for the next change and for the quiet after it.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            Some(()) = self.changes.recv() => {}
            Some(()) = self.hangup.recv() => return,
            else => std::future::pending().await,
        }
        let settle = async { while timeout(QUIET, self.changes.recv()).await.is_ok() {} };
        tokio::select! {
            () = settle => {}
            () = sleep(QUIET_MAX) => {}
        }
    }
}

/// Reading a file is an event too; it must not cause another reading.
fn matters(event: &notify::Event, inputs: &Inputs) -> bool {
    let read = matches!(event.kind, EventKind::Access(_));
    !read && (event.need_rescan() || event.paths.iter().any(|path| inputs.concerns(path)))
}
