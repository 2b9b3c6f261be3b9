//! Shipping at work: what is closed goes out, what is asked for comes back, and what may go from
//! here goes.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lockgate_model::{Digest, Timestamp};
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, path::Path as ObjectPath};
use tokio::{sync::watch, time::sleep};

use super::{
    LocalSegment, Manifest, ManifestFile, S3Keys, ShipFault, ShipSettings, cache::Cache, copy,
    local_segments, manifest, note::Note, target,
};
use crate::{
    deliver::Backoff,
    journal::{JournalFault, Record},
    retain::{self, RetentionRule, Segment},
};

/// How often the folder is looked at for a segment that was closed.
const POLL: Duration = Duration::from_secs(5);

/// How shipping is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShipState {
    /// The last record that was shipped.
    pub shipped_seq: u64,
    /// Why it is not getting on, in one sentence; `None` while it is.
    pub failing: Option<Arc<str>>,
}

/// The copies of one journal. Share it in an `Arc`.
pub struct Shipper {
    store: Arc<dyn ObjectStore>,
    prefix: String,
    keep_local: RetentionRule,
    journal: PathBuf,
    note: Mutex<Note>,
    cache: Cache,
    /// One segment is brought back at a time.
    fetching: tokio::sync::Mutex<()>,
    state: watch::Sender<ShipState>,
}

impl Shipper {
    /// Opens the store of the copies of the journal in `journal`. Note and cache stand in `folder`.
    /// Where the note is missing, it is made anew from the store.
    ///
    /// # Errors
    /// [`ShipFault`].
    pub async fn open(
        settings: &ShipSettings,
        keys: Option<&S3Keys>,
        journal: &Path,
        folder: &Path,
    ) -> Result<Self, ShipFault> {
        let store = target::open(&settings.to, keys)?;
        let (note, known) = Note::open(folder)?;
        let cache = Cache::open(folder.join("cache"), settings.cache_max_bytes)?;
        target::place(&settings.prefix, 0)?;
        let shipper = Self {
            store,
            prefix: settings.prefix.clone(),
            keep_local: settings.keep_local,
            journal: journal.to_owned(),
            note: Mutex::new(note),
            cache,
            fetching: tokio::sync::Mutex::new(()),
            state: watch::Sender::new(ShipState::default()),
        };
        if !known {
            shipper.recall().await?;
        }
        shipper.tell(None);
        Ok(shipper)
    }

    /// How it is doing, for readiness and metrics.
    pub fn state(&self) -> watch::Receiver<ShipState> {
        self.state.subscribe()
    }

    /// Ships what is closed, and removes here what the policy lets go, until the task is dropped.
    /// `record` gives a record of the journal; `now` is the clock.
    pub async fn run(
        &self,
        mut record: impl FnMut(u64) -> Result<Option<Record>, JournalFault> + Send,
        now: impl Fn() -> Timestamp + Send,
    ) {
        let mut backoff = Backoff::new();
        loop {
            let mut done = self.ship(&mut record).await;
            if done.is_ok() {
                done = self.remove_local(now()).map(|_| 0);
            }
            match done {
                Ok(_) => {
                    backoff.reset();
                    self.tell(None);
                    sleep(POLL).await;
                }
                Err(fault) => {
                    self.tell(Some(&fault));
                    sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Ships every closed segment that was not, oldest first. Gives how many.
    ///
    /// # Errors
    /// [`ShipFault`]; what was shipped before stays shipped, and the next call goes on from there.
    pub async fn ship(
        &self,
        record: &mut (impl FnMut(u64) -> Result<Option<Record>, JournalFault> + Send),
    ) -> Result<usize, ShipFault> {
        let mut shipped = 0;
        for segment in local_segments(&self.journal)? {
            if self.note().get(segment.first_seq).is_some() {
                continue;
            }
            let (first, last) = (record(segment.first_seq)?, record(segment.last_seq)?);
            let missing = |seq| ShipFault::Unknown(seq);
            let first = first.ok_or_else(|| missing(segment.first_seq))?;
            let last = last.ok_or_else(|| missing(segment.last_seq))?;
            self.ship_one(&segment, &first, &last).await?;
            shipped += 1;
            self.tell(None);
        }
        Ok(shipped)
    }

    async fn ship_one(
        &self,
        segment: &LocalSegment,
        first: &Record,
        last: &Record,
    ) -> Result<(), ShipFault> {
        let place = target::place(&self.prefix, segment.first_seq)?;
        let mut files = Vec::new();
        for file in &segment.files {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            files.push(copy::upload(&*self.store, file, &place.clone().join(&*name)).await?);
        }
        let manifest = Manifest {
            first_seq: segment.first_seq,
            last_seq: segment.last_seq,
            first_time: first.time,
            last_time: last.time,
            last_hash: last.hash,
            files,
        };
        // Last, because with it the copies are a segment.
        let object = place.join(manifest::NAME);
        let put = self.store.put(&object, PutPayload::from(manifest.line()?)).await;
        put.map_err(ShipFault::store("write", &object))?;
        if self.read_manifest(&object).await? != manifest {
            let why = "it came back as another";
            return Err(ShipFault::Differs { object: object.to_string(), why });
        }
        self.note().change(|shipped| {
            shipped.insert(manifest.first_seq, manifest);
        })
    }

    /// The folder of a shipped segment that holds the record: what is read there is that segment
    /// alone. It stays until others need the room.
    ///
    /// # Errors
    /// [`ShipFault::Unknown`] where no such segment was shipped, [`ShipFault::Differs`] where a copy
    /// is not what was shipped, and others; then nothing is taken.
    pub async fn fetch(&self, seq: u64) -> Result<PathBuf, ShipFault> {
        let manifest = self.note().holding(seq).cloned().ok_or(ShipFault::Unknown(seq))?;
        let _turn = self.fetching.lock().await;
        if let Some(here) = self.cache.get(&manifest)? {
            return Ok(here);
        }
        let place = target::place(&self.prefix, manifest.first_seq)?;
        let part = self.cache.begin(&manifest)?;
        for file in &manifest.files {
            let ManifestFile { name, .. } = file;
            let object = place.clone().join(name.as_str());
            copy::check(&*self.store, &object, file, Some(&part.join(name))).await?;
        }
        self.cache.finish(&manifest, &part)
    }

    /// Everything that was shipped, oldest first.
    pub fn shipped(&self) -> Vec<Manifest> {
        self.note().all().cloned().collect()
    }

    /// Removes here what was shipped and the policy lets go. Gives how many segments went.
    ///
    /// # Errors
    /// [`ShipFault::Io`].
    pub fn remove_local(&self, now: Timestamp) -> Result<usize, ShipFault> {
        if self.keep_local == RetentionRule::default() {
            return Ok(0);
        }
        let local = local_segments(&self.journal)?;
        let segments: Vec<_> = {
            let note = self.note();
            local.iter().map(|segment| retained(segment, note.get(segment.first_seq))).collect()
        };
        let going = retain::plan(&segments, &self.keep_local, now).len();
        for segment in local.iter().take(going) {
            segment.remove(&self.journal)?;
        }
        Ok(going)
    }

    /// Forgets the copies of the segments up to `through_seq`, as retention wants it: first the
    /// manifests, so that half a removal leaves no half segment.
    ///
    /// # Errors
    /// [`ShipFault`]; the next call goes on from there.
    pub async fn forget(&self, through_seq: u64) -> Result<usize, ShipFault> {
        let going: Vec<_> =
            self.shipped().into_iter().filter(|shipped| shipped.last_seq <= through_seq).collect();
        for manifest in &going {
            let place = target::place(&self.prefix, manifest.first_seq)?;
            self.delete(&place.clone().join(manifest::NAME)).await?;
            for file in &manifest.files {
                self.delete(&place.clone().join(file.name.as_str())).await?;
            }
            self.note().change(|shipped| {
                shipped.remove(&manifest.first_seq);
            })?;
        }
        Ok(going.len())
    }

    async fn delete(&self, object: &ObjectPath) -> Result<(), ShipFault> {
        match self.store.delete(object).await {
            Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(ShipFault::store("remove", object)(error)),
        }
    }

    /// Makes the note anew from the manifests in the store.
    async fn recall(&self) -> Result<(), ShipFault> {
        let root = ObjectPath::parse(self.prefix.trim_matches('/'));
        let root = root.map_err(|error| ShipFault::Setting(format!("`prefix`: {error}")))?;
        let listed = self.store.list_with_delimiter(Some(&root)).await;
        let listed = listed.map_err(ShipFault::store("list", &root))?;
        let mut found = Vec::new();
        for place in listed.common_prefixes {
            let name = place.filename().unwrap_or_default();
            if name.len() != 20 || !name.bytes().all(|c| c.is_ascii_digit()) {
                continue;
            }
            // Copies without a manifest are no segment; they are shipped again.
            match self.read_manifest(&place.clone().join(manifest::NAME)).await {
                Ok(manifest) if format!("{:020}", manifest.first_seq) == name => {
                    found.push(manifest)
                }
                Ok(_) => {
                    let why = "it names another segment".to_owned();
                    return Err(ShipFault::Malformed { name: place.to_string(), why });
                }
                Err(ShipFault::Store { source: object_store::Error::NotFound { .. }, .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        self.note().change(|shipped| {
            shipped.extend(found.into_iter().map(|manifest| (manifest.first_seq, manifest)));
        })
    }

    async fn read_manifest(&self, object: &ObjectPath) -> Result<Manifest, ShipFault> {
        let head = self.store.head(object).await.map_err(ShipFault::store("read", object))?;
        if !(1..=manifest::MAX_BYTES).contains(&head.size) {
            let why = "its size is not a manifest's".to_owned();
            return Err(ShipFault::Malformed { name: object.to_string(), why });
        }
        let bytes = self.store.get_range(object, 0..head.size).await;
        let bytes = bytes.map_err(ShipFault::store("read", object))?;
        Manifest::parse(object.as_ref(), &bytes)
    }

    fn note(&self) -> MutexGuard<'_, Note> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, fault: Option<&ShipFault>) {
        let shipped_seq = self.note().all().last().map_or(0, |manifest| manifest.last_seq);
        let failing: Option<Arc<str>> = fault.map(|fault| fault.to_string().into());
        let new = ShipState { shipped_seq, failing };
        let old = self.state.send_replace(new.clone());
        match (&old.failing, &new.failing) {
            (old, Some(why)) if old.as_ref() != Some(why) => tracing::warn!(%why, "shipping waits"),
            (Some(_), None) => tracing::info!("shipping goes on"),
            _ => {}
        }
    }
}

/// What is not shipped stays, and with it what stands behind it.
fn retained(segment: &LocalSegment, manifest: Option<&Manifest>) -> Segment {
    Segment {
        first_seq: segment.first_seq,
        last_seq: segment.last_seq,
        last_hash: manifest.map_or(Digest::from_bytes([0; 32]), |manifest| manifest.last_hash),
        last_time: manifest.map_or(Timestamp::default(), |manifest| manifest.last_time),
        bytes: segment.bytes,
        held: manifest.is_none(),
        open: false,
    }
}
