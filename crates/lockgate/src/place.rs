//! Where a recording is: what every command that reads one has in common.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use lockgate_model::{Event, ViewedEvent};
use lockgate_store::{
    db::DbPlace,
    index::{self, Index, SessionRow},
    journal::{self, Elsewhere, Keys, Reader, Record, VerifierKey},
};
use tokio::runtime::Runtime;

use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::Failure,
    offline, orders, serve,
};

/// Which recording.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// The recording in this data folder, or in a copy of one, without a configuration
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// A recording that can be read.
pub(crate) struct Opened {
    /// The data folder.
    data: PathBuf,
    /// The journal's folder.
    pub(crate) journal: PathBuf,
    /// Its keys.
    pub(crate) keys: Keys,
    /// Where shipped segments are, for readers.
    pub(crate) elsewhere: Option<Elsewhere>,
    /// Kept for those who bring them.
    _runtime: Option<Runtime>,
    /// The configuration that named it; `None` for a folder that was named itself.
    pub(crate) loaded: Option<Loaded>,
}

impl Place {
    /// Finds the recording and its keys.
    ///
    /// # Errors
    /// Where the configuration is wrong, or the keys can't be read.
    pub(crate) fn open(&self) -> Result<Opened, Failure> {
        let loaded = match &self.folder {
            Some(_) => None,
            None => Some(load(&self.config).map_err(Failure::usage)?),
        };
        let data = self.folder.clone().or_else(|| Some(loaded.as_ref()?.settings.data.clone()));
        let data = data.unwrap_or_default();
        let journal = offline::journal_folder(&data);
        if !journal.is_dir() {
            let shown = journal.display();
            return Err(Failure::unreachable(format_args!("there is no recording in `{shown}`")));
        }
        let keys = Keys::open(&offline::keys_folder(&data)).map_err(Failure::unreachable)?;
        let (runtime, elsewhere) = match &loaded {
            Some(loaded) if loaded.settings.recording.ship.is_some() => {
                let runtime = serve::runtime()?;
                let elsewhere = runtime.block_on(serve::keep::elsewhere_of(loaded, &journal))?;
                (Some(runtime), elsewhere)
            }
            _ => (None, None),
        };
        Ok(Opened { data, journal, keys, elsewhere, _runtime: runtime, loaded })
    }
}

impl Opened {
    /// The public key that signs its heads.
    ///
    /// # Errors
    /// Where no record says which node wrote it.
    pub(crate) fn verifier(&self) -> Result<VerifierKey, Failure> {
        let node = journal::node(&self.journal, &self.keys).map_err(Failure::unreachable)?;
        let node = node.ok_or_else(|| Failure::unreachable("the recording is empty"))?;
        Ok(VerifierKey::of(&node, &self.keys))
    }

    /// Asks the index, brought up to the end of the recording first.
    ///
    /// # Errors
    /// Where the index can't be opened or filled, and what `ask` says.
    pub(crate) fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&Index) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.with_index(async |index| {
            let node = journal::node(&self.journal, &self.keys).map_err(Failure::unreachable)?;
            if let Some(node) = node {
                let caught_up = index::catch_up(
                    index,
                    &self.journal,
                    &self.keys,
                    self.elsewhere.as_ref(),
                    &node,
                    |_| {},
                )
                .await;
                caught_up.map_err(Failure::unreachable)?;
            }
            ask(index).await
        })
    }

    /// Works with the index as it is.
    ///
    /// # Errors
    /// Where it can't be opened, and what `work` says.
    pub(crate) fn with_index<T>(
        &self,
        work: impl AsyncFnOnce(&Index) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let place = match &self.loaded {
            Some(loaded) => offline::index_place(loaded)?,
            None => DbPlace::Sqlite(offline::index_file(&self.data)),
        };
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(Failure::unreachable)?;
        runtime.block_on(async {
            let index = Index::open(&place).await.map_err(Failure::unreachable)?;
            let done = work(&index).await;
            index.close().await;
            done
        })
    }

    /// The records from `seq` on, wherever they are.
    ///
    /// # Errors
    /// Where the recording can't be read.
    pub(crate) fn read_from(&self, seq: u64) -> Result<Reader, Failure> {
        let elsewhere = self.elsewhere.as_ref();
        journal::read_with(&self.journal, &self.keys, seq, elsewhere).map_err(Failure::unreachable)
    }

    /// The records of a session with their events, in order.
    ///
    /// # Errors
    /// Where the recording can't be read.
    pub(crate) fn session(
        &self,
        row: &SessionRow,
    ) -> Result<impl Iterator<Item = Result<(Record, Event), Failure>>, Failure> {
        let reader = self.read_from(row.first_seq)?;
        let (id, last_seq) = (row.id.clone(), row.last_seq);
        let within = reader.take_while(move |record| {
            record.as_ref().map_or(true, |record| record.seq <= last_seq)
        });
        Ok(within.filter_map(move |record| {
            let with_event = |record: Record| Ok(record.event()?.map(|event| (record, event)));
            let found = record.and_then(with_event).map_err(Failure::unreachable).transpose()?;
            let ours = |(_, event): &(_, Event)| event.session() == Some(&id);
            found.as_ref().map_or(true, ours).then_some(found)
        }))
    }

    /// Puts a look at recorded content on the record, before it is shown. A folder that was named itself
    /// is a copy, or nobody's recording any more; looking at it leaves no trace.
    ///
    /// # Errors
    /// Where the record can't be written: nothing may be shown then.
    pub(crate) fn viewed(
        &self,
        how: &str,
        session: Option<&str>,
        detail: &str,
    ) -> Result<(), Failure> {
        let Some(loaded) = &self.loaded else { return Ok(()) };
        let event = Event::Viewed(ViewedEvent {
            by: orders::local_user(),
            how: how.to_owned(),
            viewed: session.map(str::to_owned),
            detail: detail.to_owned(),
        });
        orders::carry_out(loaded, event)
    }

    /// Bytes of its segments.
    pub(crate) fn journal_bytes(&self) -> u64 {
        let entries = fs::read_dir(&self.journal).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

/// Makes a folder that only its owner enters, where there is none.
///
/// # Errors
/// What the system says.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner reads.
///
/// # Errors
/// What the system says.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}

/// Writes a file under another name first, so that its name never stands for half of it.
///
/// # Errors
/// Where it can't be written, and what `write` says; nothing is left of it then.
pub(crate) fn write_whole<T>(
    file: &Path,
    write: impl FnOnce(BufWriter<File>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error: io::Error| {
        Failure::unreachable(format_args!("can't write `{}`: {error}", file.display()))
    };
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let mut options = fs::OpenOptions::new();
    let out = options.write(true).create(true).truncate(true).mode(0o600).open(&part);
    let mut out = out.map_err(failed)?;
    let done = write(BufWriter::new(out.try_clone().map_err(failed)?));
    let named = done.and_then(|done| {
        out.flush().and_then(|()| out.sync_all()).map_err(failed)?;
        fs::rename(&part, file).map_err(failed)?;
        Ok(done)
    });
    if named.is_err() {
        // What was written of it is of no use.
        let _ = fs::remove_file(&part);
    }
    named
}
