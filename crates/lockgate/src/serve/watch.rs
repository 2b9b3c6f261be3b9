//! When to look at the configuration again: a change in its folders, or SIGHUP.
//!
//! Folders are watched rather than files: editors replace files, and Kubernetes swaps a `..data`
//! symlink beside them. What changed is not asked; everything is read again.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{sleep, timeout},
};

/// Changes come in bursts; the configuration is read this long after the last one…
const QUIET: Duration = Duration::from_millis(200);
/// …or this long after the first, whatever still changes.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Reports that something may have changed.
pub(crate) struct Watch {
    changes: mpsc::Receiver<()>,
    hangup: Signal,
    /// Watching ends when it is dropped.
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches `folders`, which must exist.
    ///
    /// # Errors
    /// Where the system can't watch one of them.
    pub(crate) fn new(folders: &BTreeSet<PathBuf>) -> anyhow::Result<Self> {
        // One waiting change says as much as many.
        let (tell, changes) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading the files is an event too; it must not cause another reading.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                let _ = tell.try_send(());
            }
        })?;
        let mut watch = Self { changes, hangup: signal(SignalKind::hangup())?, watcher };
        for folder in folders {
            watch.watcher.watch(folder, RecursiveMode::NonRecursive)?;
        }
        Ok(watch)
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
