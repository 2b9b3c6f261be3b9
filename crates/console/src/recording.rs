//! Reading the journal's files: the one place of the console that does.
//!
//! Every read runs on a thread for blocking work, a bounded piece at a time, and only when the
//! reader of the answer has room for more: whoever is slow reads files slowly, and holds up nobody.

use std::{path::PathBuf, sync::Arc};

use lockgate_model::{Event, Timestamp};
use lockgate_store::journal::{Elsewhere, JournalFault, Keys, Reader, Record, read_with};

use crate::edge::Edge;

/// Records that one piece looks at, so that a reader who left is noticed.
const SCAN_MAX: usize = 4_096;
/// Records of one piece.
const PIECE_MAX_RECORDS: usize = 64;
/// Bytes of one piece, beyond which it takes no further record.
const PIECE_MAX_BYTES: usize = 256 * 1024;

/// The journal of this node.
pub(crate) struct Recording(Source);

/// Where the records are, and how many there must be.
#[derive(Clone)]
struct Source {
    folder: PathBuf,
    keys: Keys,
    elsewhere: Option<Elsewhere>,
    /// The last record that must be there.
    durable: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// A place in the journal, from which it is read on; also beyond its end, where that moves.
pub(crate) struct Place {
    source: Source,
    /// `None` until it is first read from.
    reader: Option<Reader>,
    next_seq: u64,
}

/// Which records are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Only those of this session.
    pub(crate) session: Option<String>,
    /// Only those of this call.
    pub(crate) call: Option<String>,
    /// Not those before.
    pub(crate) from: Option<Timestamp>,
    /// Not those at or after.
    pub(crate) to: Option<Timestamp>,
    /// Also says which session and connection each is about, which takes reading every event.
    pub(crate) read_events: bool,
}

/// One record on its way out.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) seq: u64,
    /// As recorded: one line of JSON.
    pub(crate) line: String,
    /// The event; `None` where it was erased, or nobody asked.
    pub(crate) event: Option<Event>,
}

/// Some records, in order.
#[derive(Debug, Default)]
pub(crate) struct Piece {
    pub(crate) records: Vec<Shown>,
    /// Whether it reached what is written so far.
    pub(crate) at_end: bool,
}

impl Recording {
    pub(crate) fn new(edge: &Edge) -> Self {
        Self(Source {
            folder: edge.journal.clone(),
            keys: edge.keys.clone(),
            elsewhere: edge.elsewhere.clone(),
            durable: Arc::clone(&edge.keeper.durable),
        })
    }

    /// The place before the record `seq`, or the one that comes next where it is gone.
    pub(crate) fn at(&self, seq: u64) -> Place {
        Place { source: self.0.clone(), reader: None, next_seq: seq.max(1) }
    }
}

impl Place {
    /// The record that comes next.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Reads on. At the end it gives an empty piece, and may be asked again later.
    pub(crate) async fn piece(mut self, wanted: Wanted) -> (Self, Result<Piece, JournalFault>) {
        let (source, next_seq) = (self.source.clone(), self.next_seq);
        let read = tokio::task::spawn_blocking(move || {
            let piece = self.read(&wanted);
            (self, piece)
        });
        read.await.unwrap_or_else(|_| {
            let place = Self { source, reader: None, next_seq };
            (place, Err(JournalFault::Unavailable("reading it was broken off".into())))
        })
    }

    fn read(&mut self, wanted: &Wanted) -> Result<Piece, JournalFault> {
        let mut piece = Piece::default();
        let mut bytes = 0;
        let durable = (self.source.durable)();
        for _ in 0..SCAN_MAX {
            let Some(record) = self.next()? else {
                self.is_whole(durable)?;
                piece.at_end = true;
                break;
            };
            if let Some(shown) = wanted.show(&record)? {
                bytes += shown.line.len();
                piece.records.push(shown);
            }
            if bytes >= PIECE_MAX_BYTES || piece.records.len() >= PIECE_MAX_RECORDS {
                break;
            }
        }
        Ok(piece)
    }

    /// The next record; `None` at the end of what is written so far.
    fn next(&mut self) -> Result<Option<Record>, JournalFault> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => {
                let Source { folder, keys, elsewhere, .. } = &self.source;
                none.insert(read_with(folder, keys, self.next_seq, elsewhere.as_ref())?)
            }
        };
        let record = reader.next().transpose()?;
        if let Some(record) = &record {
            self.next_seq = record.seq.saturating_add(1);
        }
        Ok(record)
    }

    /// A reader takes what is cut at the journal's end for a record that is being written; one that
    /// was on disk before the reading began is not.
    fn is_whole(&self, durable: u64) -> Result<(), JournalFault> {
        if self.next_seq > durable {
            return Ok(());
        }
        let (file, seq) = (self.source.folder.clone(), self.next_seq);
        let detail = "it was written, and is not there any more";
        Err(JournalFault::Broken { file, offset: 0, seq, detail })
    }
}

impl Wanted {
    fn show(&self, record: &Record) -> Result<Option<Shown>, JournalFault> {
        let early = self.from.is_some_and(|from| record.time < from);
        let late = self.to.is_some_and(|to| record.time >= to);
        if early || late {
            return Ok(None);
        }
        // What does not have the id anywhere need not be taken apart to see that.
        let text = record.event.as_ref().map_or("", |event| event.get());
        let absent = |id: &Option<String>| id.as_deref().is_some_and(|id| !text.contains(id));
        if absent(&self.session) || absent(&self.call) {
            return Ok(None);
        }
        let read = self.read_events || self.session.is_some() || self.call.is_some();
        let event = if read { record.event()? } else { None };
        let (session, call) =
            (event.as_ref().and_then(Event::session), event.as_ref().and_then(call));
        let other = |wanted: &Option<String>, found| wanted.is_some() && wanted.as_deref() != found;
        if other(&self.session, session) || other(&self.call, call) {
            return Ok(None);
        }
        Ok(Some(Shown { seq: record.seq, line: record.line(), event }))
    }
}

/// The call that an event belongs to.
fn call(event: &Event) -> Option<&str> {
    match event {
        Event::Intent(intent) => Some(&intent.call),
        Event::Message(message) => Some(&message.call),
        Event::Outcome(outcome) => Some(&outcome.call),
        _ => None,
    }
}
