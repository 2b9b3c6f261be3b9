//! Reading a gateway's journal while it runs and after it was killed.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use lockgate_model::{Event, IntentEvent, Reason, Verdict};
use lockgate_store::journal;
use serde::Deserialize;

/// The records of one journal, in order; remembers how far it was read.
pub struct Records {
    folder: PathBuf,
    /// How far each segment was read, in bytes.
    read: BTreeMap<PathBuf, u64>,
}

/// A record's line, as far as the tail needs it.
#[derive(Deserialize)]
struct Line {
    event: Event,
}

impl Records {
    /// The journal under a data folder.
    pub fn new(data: PathBuf) -> Self {
        Self { folder: data.join("journal"), read: BTreeMap::new() }
    }

    /// Every event from the beginning, each hash checked.
    ///
    /// # Errors
    /// Where the journal is broken.
    pub fn all(&self) -> anyhow::Result<Vec<Event>> {
        let mut events = Vec::new();
        for record in journal::read(&self.folder)? {
            events.push(record?.event()?);
        }
        Ok(events)
    }

    /// The events since the last time this was asked, straight from the files' ends.
    ///
    /// # Errors
    /// Where a line is no record.
    pub fn fresh(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(&self.folder).context("no journal")? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                segments.push(path);
            }
        }
        segments.sort();
        let mut events = Vec::new();
        for segment in segments {
            let mut file = File::open(&segment)?;
            let read = self.read.entry(segment).or_default();
            file.seek(SeekFrom::Start(*read))?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            // What stands behind the last line end is still being written.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            *read += whole as u64;
            for line in text.get(..whole).unwrap_or_default().lines() {
                events.push(serde_json::from_str::<Line>(line)?.event);
            }
        }
        Ok(events)
    }

    /// The decisions since the last time this was asked; waits a moment for the first.
    ///
    /// # Errors
    /// Where the journal is broken.
    pub fn decisions(&mut self) -> anyhow::Result<Vec<Decision>> {
        let begun = Instant::now();
        loop {
            let found: Vec<_> = self.fresh()?.iter().filter_map(decision).collect();
            if !found.is_empty() || begun.elapsed() > Duration::from_millis(500) {
                return Ok(found);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What was decided about one request.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The reason, where it was refused.
    pub reason: Option<Reason>,
    /// The intent, where the request became a call.
    pub intent: Option<IntentEvent>,
}

fn decision(event: &Event) -> Option<Decision> {
    match event {
        // The gateway's own listing is recorded as well.
        Event::Intent(intent) if intent.issuer == "lockgate" => None,
        Event::Refused(refused) => Some(Decision { reason: Some(refused.reason), intent: None }),
        Event::Intent(intent) => {
            let reason = match &intent.verdict {
                Verdict::Allow { .. } => None,
                Verdict::Ask { .. } => Some(Reason::ApprovalUnavailable),
                Verdict::Deny(deny) => Some(deny.reason),
            };
            Some(Decision { reason, intent: Some(intent.as_ref().clone()) })
        }
        _ => None,
    }
}
