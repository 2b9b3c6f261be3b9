//! The notary: a thread that signs tree heads and appends them to the file `heads`.
//!
//! It is told of every sync and signs the newest state once enough records, or enough time, stand behind
//! the last signature. It never holds up the records themselves.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Frontier, JournalFault, JournalOptions, Keys, SignedHead, head::may_be_torn};
use crate::folder;

/// The file of signed heads below the journal's folder.
pub(super) fn heads_path(folder: &Path) -> PathBuf {
    folder.join("heads")
}

/// A running notary. Dropping it signs what is left.
#[derive(Debug)]
pub(super) struct Notary {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    max_records: u64,
    max_age: Duration,
}

#[derive(Debug)]
struct State {
    /// What is durable.
    tree: Frontier,
    /// Records under the last signed head.
    signed: u64,
    /// When the first record after it was durable.
    since: Option<Instant>,
    at_once: bool,
    closing: bool,
}

/// What signing takes.
struct Desk {
    node: String,
    keys: Keys,
    path: PathBuf,
    file: File,
    publish: watch::Sender<Option<Arc<SignedHead>>>,
}

impl Notary {
    /// Starts with the records of `tree`, none of which has to be under a signature yet.
    pub(super) fn start(
        folder: &Path,
        keys: &Keys,
        options: &JournalOptions,
        tree: &Frontier,
        publish: watch::Sender<Option<Arc<SignedHead>>>,
    ) -> Result<Self, JournalFault> {
        let path = heads_path(folder);
        let mut open = OpenOptions::new();
        open.append(true).create(true).mode(0o600);
        let file = open.read(true).open(&path).map_err(JournalFault::io("open", &path))?;
        cut_torn(&file).map_err(JournalFault::io("cut the torn end of", &path))?;
        folder::sync(folder).map_err(JournalFault::io("sync", folder))?;
        let state = State {
            tree: tree.clone(),
            signed: 0,
            since: (tree.size() > 0).then(Instant::now),
            // What an earlier process left is signed first.
            at_once: tree.size() > 0,
            closing: false,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            wake: Condvar::new(),
            max_records: options.head_max_records,
            max_age: Duration::from_millis(options.head_max_ms),
        });
        let (worker, node, keys) = (Arc::clone(&shared), options.node.clone(), keys.clone());
        let mut desk = Desk { node, keys, path, file, publish };
        let thread = std::thread::Builder::new()
            .name("journal-heads".into())
            .spawn(move || desk.run(&worker))
            .map_err(JournalFault::io("start the signing thread of", folder))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Notes that everything in `tree` is durable.
    pub(super) fn note(&self, tree: &Frontier) {
        let mut state = self.shared.lock();
        state.tree.clone_from(tree);
        if state.tree.size() > state.signed && state.since.is_none() {
            state.since = Some(Instant::now());
            drop(state);
            // Only now does it have to watch the time.
            self.shared.wake.notify_one();
        } else if state.tree.size() - state.signed >= self.shared.max_records {
            drop(state);
            self.shared.wake.notify_one();
        }
    }

    /// Signs what is durable without waiting.
    pub(super) fn sign_now(&self) {
        self.shared.lock().at_once = true;
        self.shared.wake.notify_one();
    }
}

impl Drop for Notary {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's signing thread had panicked");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to sign; `None` when everything is signed and it is closing.
    fn next(&self) -> Option<Frontier> {
        let mut state = self.lock();
        loop {
            let unsigned = state.tree.size() - state.signed;
            let left = state.since.map(|since| self.max_age.saturating_sub(since.elapsed()));
            let due = state.closing || state.at_once || unsigned >= self.max_records;
            if unsigned > 0 && (due || left.is_some_and(|left| left.is_zero())) {
                return Some(state.tree.clone());
            }
            if state.closing {
                return None;
            }
            state.at_once = false;
            let wait = left.unwrap_or(Duration::MAX);
            let woken = self.wake.wait_timeout(state, wait);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn signed(&self, size: u64) -> bool {
        let mut state = self.lock();
        state.signed = size;
        state.at_once = false;
        state.since = (state.tree.size() > size).then(Instant::now);
        state.closing
    }
}

/// Cuts a note off that a power cut left in part: what is appended behind it would be read as its
/// end. Anything else that is no note stays, to be found.
fn cut_torn(file: &File) -> io::Result<()> {
    /// Longer than a note, which names a node, a number and two short lines of base64.
    const TAIL_MAX_BYTES: u64 = 4 * 1024;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_MAX_BYTES);
    let mut tail = vec![0; usize::try_from(length - start).unwrap_or(0)];
    file.read_exact_at(&mut tail, start)?;
    let lines = tail.split_inclusive(|byte| *byte == b'\n').rev();
    let is_end = |line: &&[u8]| line.starts_with("\u{2014}".as_bytes()) && line.ends_with(b"\n");
    let torn: usize = lines.take_while(|line| !is_end(line)).map(<[u8]>::len).sum();
    let at = tail.len().saturating_sub(torn);
    let is_note = torn > 0 && may_be_torn(tail.get(at..).unwrap_or_default());
    if is_note { file.set_len(start + at as u64) } else { Ok(()) }
}

impl Desk {
    fn run(&mut self, shared: &Shared) {
        /// Between two attempts to write a head, in ms.
        const RETRY_MS: u64 = 250;
        let mut failing = false;
        while let Some(tree) = shared.next() {
            let signed = SignedHead::sign(&self.node, &tree, &self.keys);
            match self.write(&signed.note) {
                Ok(()) => {
                    failing = false;
                    self.publish.send_replace(Some(Arc::new(signed)));
                    shared.signed(tree.size());
                }
                Err(error) => {
                    if !failing {
                        tracing::error!(file = %self.path.display(), %error, "no head can be signed");
                    }
                    failing = true;
                    if shared.lock().closing {
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(RETRY_MS));
                }
            }
        }
    }

    fn write(&mut self, note: &str) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let written = self.file.write_all(note.as_bytes()).and_then(|()| self.file.sync_data());
        if written.is_err() {
            let _ = self.file.set_len(before);
        }
        written
    }
}
