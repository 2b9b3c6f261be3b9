//! Reading a gateway's journal while it runs and after it was killed.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use lockgate_model::{Event, IntentEvent, Reason, Verdict};
use lockgate_store::journal::{self, Keys, Reader};

/// The records of one journal, in order; remembers how far it was read.
pub struct Records {
    data: PathBuf,
    reader: Option<Reader>,
}

impl Records {
    /// The journal under a data folder.
    pub fn new(data: PathBuf) -> Self {
        Self { data, reader: None }
    }

    /// Every event from the beginning, each hash checked.
    ///
    /// # Errors
    /// Where the journal is broken.
    pub fn all(&self) -> anyhow::Result<Vec<Event>> {
        events(&mut self.open()?)
    }

    /// The events since the last time this was asked.
    ///
    /// # Errors
    /// Where the journal is broken.
    pub fn fresh(&mut self) -> anyhow::Result<Vec<Event>> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.open()?,
        };
        let events = events(&mut reader);
        self.reader = Some(reader);
        events
    }

    fn open(&self) -> anyhow::Result<Reader> {
        let keys = Keys::open(&self.data.join("keys"))?;
        Ok(journal::read(&self.data.join("journal"), &keys)?)
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

/// What a reader has before it comes to the end.
fn events(reader: &mut Reader) -> anyhow::Result<Vec<Event>> {
    let events = reader.map(|record| Ok(record?.event()?));
    events.filter_map(Result::transpose).collect()
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
                Verdict::Ask { .. } => Some(Reason::ApprovalPending),
                Verdict::Deny(deny) => Some(deny.reason),
            };
            Some(Decision { reason, intent: Some(intent.as_ref().clone()) })
        }
        _ => None,
    }
}
