//! Filling the index behind the journal, without ever holding up the data path.
//!
//! A thread follows the journal's files; a task applies what it reads. Where the database is away
//! the thread waits with at most two batches in memory, and nothing is lost: the journal is the
//! truth, and the mark in the database says from where to go on.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{Index, IndexFault, Indexed};
use crate::journal::{self, Elsewhere, JournalFault, Keys, Reader, Record};

/// Most records in one batch.
const BATCH_MAX: usize = 1_000;

/// A batch with more bytes of events than this goes as it is.
const BATCH_MAX_BYTES: usize = 16 * 1024 * 1024;

/// How long the end of the journal is left alone before it is looked at again.
const REST: Duration = Duration::from_millis(200);

/// Wait after the first failure; doubled up to [`RETRY_MAX`] after each further one.
const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How far the index is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The last record that was applied.
    pub applied: u64,
    /// The database or the journal can't be read or written at the moment.
    pub failing: bool,
}

impl Progress {
    /// Records that are in the journal, whose last one is `last_seq`, and not in the index.
    pub const fn lag(&self, last_seq: u64) -> u64 {
        last_seq.saturating_sub(self.applied)
    }
}

/// The running task that fills an index. It ends when this is dropped.
#[derive(Debug)]
pub struct Indexer {
    progress: watch::Receiver<Progress>,
    task: JoinHandle<()>,
}

impl Indexer {
    /// Starts to follow the journal in `folder`, which is that of `node`. Must be called within a
    /// tokio runtime. The database need not be there yet.
    pub fn start(
        index: Arc<Index>,
        folder: &Path,
        keys: &Keys,
        elsewhere: Option<&Elsewhere>,
        node: &str,
    ) -> Self {
        let (publish, progress) = watch::channel(Progress::default());
        let filler = Filler {
            index,
            source: Source::new(folder, keys, elsewhere),
            node: node.to_owned(),
            publish,
            retry: RETRY_MIN,
        };
        Self { progress, task: tokio::spawn(filler.run()) }
    }

    /// How far it is now.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// A view of the progress that can be waited on.
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Applies what the journal in `folder` holds beyond the mark of `node`, and ends there. `tell` is
/// given the last record applied, after each batch.
///
/// # Errors
/// Whatever the journal or the index says; what was applied until then stays.
pub async fn catch_up(
    index: &Index,
    folder: &Path,
    keys: &Keys,
    elsewhere: Option<&Elsewhere>,
    node: &str,
    mut tell: impl FnMut(u64),
) -> Result<u64, CatchUpFault> {
    let mut applied = index.applied(node).await?;
    let mut batches = read_ahead(Source::new(folder, keys, elsewhere), applied, End::Leave);
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        index.apply_after(node, applied, &batch).await?;
        applied = batch.last().map_or(applied, |last| last.seq);
        tell(applied);
    }
    Ok(applied)
}

/// Why an index could not be brought to the end of its journal.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatchUpFault {
    /// The journal can't be read.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// The index can't be written.
    #[error(transparent)]
    Index(#[from] IndexFault),
}

/// Which journal is read.
#[derive(Clone)]
struct Source {
    folder: PathBuf,
    keys: Keys,
    elsewhere: Option<Elsewhere>,
}

impl Source {
    fn new(folder: &Path, keys: &Keys, elsewhere: Option<&Elsewhere>) -> Self {
        Self { folder: folder.to_owned(), keys: keys.clone(), elsewhere: elsewhere.cloned() }
    }
}

struct Filler {
    index: Arc<Index>,
    source: Source,
    node: String,
    publish: watch::Sender<Progress>,
    retry: Duration,
}

impl Filler {
    /// Follows from the mark, and begins again there whenever something failed.
    async fn run(mut self) {
        loop {
            if let Err(fault) = self.follow().await {
                self.failed(&fault).await;
            }
        }
    }

    async fn follow(&mut self) -> Result<(), CatchUpFault> {
        let mut applied = self.index.applied(&self.node).await?;
        self.went_well(applied);
        let mut batches = read_ahead(self.source.clone(), applied, End::Wait);
        while let Some(batch) = batches.recv().await {
            let batch = batch?;
            // The same batch until it is in: reading it again would cost more than keeping it.
            while let Err(fault) = self.index.apply_after(&self.node, applied, &batch).await {
                if matches!(fault, IndexFault::Moved { .. }) {
                    return Ok(());
                }
                self.failed(&fault.into()).await;
            }
            applied = batch.last().map_or(applied, |last| last.seq);
            self.went_well(applied);
        }
        Ok(())
    }

    fn went_well(&mut self, applied: u64) {
        self.retry = RETRY_MIN;
        let before = self.publish.send_replace(Progress { applied, failing: false });
        if before.failing {
            tracing::info!(applied, "the index is being filled again");
        }
    }

    /// Says it once an outage, and waits.
    async fn failed(&mut self, fault: &CatchUpFault) {
        let mut first = false;
        self.publish.send_modify(|progress| {
            first = !progress.failing;
            progress.failing = true;
        });
        if first {
            tracing::warn!(%fault, "the index can't be filled; it will catch up by itself");
        }
        tokio::time::sleep(self.retry).await;
        self.retry = RETRY_MAX.min(self.retry * 2);
    }
}

/// What to do at the end of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Wait for more.
    Wait,
    /// It is enough.
    Leave,
}

/// Batches of what stands after `applied`, read on a thread of its own that ends with the receiver,
/// or after an error.
fn read_ahead(
    source: Source,
    applied: u64,
    end: End,
) -> mpsc::Receiver<Result<Vec<Indexed>, JournalFault>> {
    let (send, receive) = mpsc::channel(1);
    let at = source.folder.clone();
    let failed = send.clone();
    let run = move || {
        let mut follower = Follower { source, reader: None, applied, unknown: false };
        while !send.is_closed() {
            let batch = follower.batch();
            let (full, failed) = match &batch {
                Ok(batch) => (batch.full, false),
                Err(_) => (false, true),
            };
            let batch = batch.map(|batch| batch.records);
            let empty = matches!(&batch, Ok(records) if records.is_empty());
            if !empty && send.blocking_send(batch).is_err() || failed {
                return;
            }
            if !full {
                match end {
                    End::Wait => std::thread::sleep(REST),
                    End::Leave => return,
                }
            }
        }
    };
    if let Err(source) = std::thread::Builder::new().name("index-reader".into()).spawn(run) {
        let fault = JournalFault::Io { doing: "start a thread that reads", path: at, source };
        // The channel is new and has room for one.
        let _ = failed.try_send(Err(fault));
    }
    receive
}

/// The journal, as it is followed. The one place here that knows how a journal is read.
struct Follower {
    source: Source,
    reader: Option<Reader>,
    /// The last record that was given before.
    applied: u64,
    /// An event of a later version was met, and told.
    unknown: bool,
}

/// What was read at once.
struct Batch {
    records: Vec<Indexed>,
    /// There may be more at once.
    full: bool,
}

impl Follower {
    fn batch(&mut self) -> Result<Batch, JournalFault> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < BATCH_MAX && bytes < BATCH_MAX_BYTES {
            let Some(record) = self.next()? else { return Ok(Batch { records, full: false }) };
            let texts = [&record.event, &record.body];
            bytes += texts.into_iter().flatten().map(|text| text.get().len()).sum::<usize>();
            records.push(self.indexed(&record)?);
        }
        Ok(Batch { records, full: true })
    }

    fn next(&mut self) -> Result<Option<Record>, JournalFault> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let Source { folder, keys, elsewhere } = &self.source;
                let from = self.applied + 1;
                none.insert(journal::read_with(folder, keys, from, elsewhere.as_ref())?)
            }
        };
        reader.next().transpose()
    }

    fn indexed(&mut self, record: &Record) -> Result<Indexed, JournalFault> {
        let event = match record.event() {
            Ok(event) => event,
            Err(fault @ JournalFault::Event(_)) => {
                if !std::mem::replace(&mut self.unknown, true) {
                    let seq = record.seq;
                    tracing::warn!(%fault, seq, "an event of another version is left out of the index");
                }
                None
            }
            Err(fault) => return Err(fault),
        };
        Ok(Indexed { seq: record.seq, time: record.time, event })
    }
}
