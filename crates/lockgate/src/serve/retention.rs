//! Retention: what has had its time goes, whole segments at a time, on the record first.
//!
//! Never a segment that holds a session on hold, nor one that a receiver still needs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use lockgate_gateway::clock;
use lockgate_model::{Event, KeptChange, KeptEvent};
use lockgate_store::{
    journal::read_with,
    retain::{self, RetentionRule, Segment},
    ship::{Shipper, local_segments},
};
use tokio::time::sleep;
use tracing::{error, info};

use super::{beside::Ground, keep::elsewhere};

/// How often it is looked for what has had its time.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Retention at work.
pub(super) struct Retention {
    ground: Ground,
    rule: RetentionRule,
    shipper: Option<Arc<Shipper>>,
    /// What was read of segments, which don't change.
    known: BTreeMap<u64, Known>,
}

/// A segment with the sessions in it.
#[derive(Clone)]
struct Known {
    segment: Segment,
    sessions: BTreeSet<String>,
}

impl Retention {
    pub(super) fn new(ground: Ground, rule: RetentionRule, shipper: Option<Arc<Shipper>>) -> Self {
        Self { ground, rule, shipper, known: BTreeMap::new() }
    }

    /// Looks again and again, until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            if let Err(why) = self.once().await {
                error!(%why, "retention could not go on; it tries again");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn once(&mut self) -> anyhow::Result<()> {
        self.look().await?;
        let journal = Arc::clone(&self.ground.gateway.ground.journal);
        let held: BTreeSet<String> = journal.held().into_iter().collect();
        let needed = self.ground.parts.needed_from();
        let segments: Vec<_> = self
            .known
            .values()
            .map(|known| {
                let on_hold = !known.sessions.is_disjoint(&held);
                let is_needed = known.segment.last_seq >= needed;
                Segment { held: on_hold || is_needed, ..known.segment }
            })
            .collect();
        let going = retain::plan(&segments, &self.rule, clock::now());
        let Some(last) = going.last() else { return Ok(()) };
        let (through_seq, hash) = (last.last_seq, last.last_hash);
        let (by, reason) = ("retention".to_owned(), "the configured retention".to_owned());
        let change = KeptChange::Retire { through_seq, hash };
        journal.keep(clock::now(), KeptEvent { by, change, reason }).await?;
        // A process that ends here finds the same plan at its next start.
        for local in local_segments(journal.folder())? {
            if local.last_seq <= through_seq {
                local.remove(journal.folder())?;
            }
        }
        if let Some(shipper) = &self.shipper {
            shipper.forget(through_seq).await?;
        }
        self.known.retain(|_, known| known.segment.last_seq > through_seq);
        info!(through_seq, "retired what has had its time");
        Ok(())
    }

    /// Reads the closed segments that were not read before, here and elsewhere.
    async fn look(&mut self) -> anyhow::Result<()> {
        let folder = self.ground.gateway.ground.journal.folder().to_owned();
        let mut closed: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for shipped in self.shipper.iter().flat_map(|shipper| shipper.shipped()) {
            closed.insert(shipped.first_seq, (shipped.last_seq, shipped.bytes()));
        }
        for local in local_segments(&folder)? {
            closed.insert(local.first_seq, (local.last_seq, local.bytes));
        }
        closed.retain(|first_seq, _| !self.known.contains_key(first_seq));
        let (keys, elsewhere) = (self.ground.keys.clone(), self.shipper.as_ref().map(elsewhere));
        for (first_seq, (last_seq, bytes)) in closed {
            let (folder, keys, elsewhere) = (folder.clone(), keys.clone(), elsewhere.clone());
            let read = move || -> anyhow::Result<Option<Known>> {
                let mut sessions = BTreeSet::new();
                let mut last = None;
                for record in read_with(&folder, &keys, first_seq, elsewhere.as_ref())? {
                    let record = record?;
                    let event = record.event()?;
                    sessions.extend(event.as_ref().and_then(Event::session).map(str::to_owned));
                    let (seq, hash, time) = (record.seq, record.hash, record.time);
                    last = Some((hash, time));
                    if seq >= last_seq {
                        break;
                    }
                }
                let Some((last_hash, last_time)) = last else { return Ok(None) };
                let (held, open) = (false, false);
                let segment =
                    Segment { first_seq, last_seq, last_hash, last_time, bytes, held, open };
                Ok(Some(Known { segment, sessions }))
            };
            if let Some(known) = tokio::task::spawn_blocking(read).await?? {
                self.known.insert(first_seq, known);
            }
        }
        Ok(())
    }
}
