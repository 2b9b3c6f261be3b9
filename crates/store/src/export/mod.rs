//! Writing the recording out for other programs: JSON lines as they are, one row a call for
//! Parquet, one event a call for OCSF.
//!
//! Pure writers: records come in as an iterator, bytes go out to a writer. Nothing here opens a
//! file, knows a key, or leaves a record out in silence: what could not be told stands in the
//! [`Summary`]. Only a finished export is whole, so write it beside its place and rename it.

mod calls;
mod filter;
mod lines;
mod ocsf;
mod parquet;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

pub(crate) use calls::{Call, Calls, End};
pub use filter::Filter;
use lines::Lines;
use lockgate_model::Event;
pub use ocsf::OCSF_VERSION;
pub(crate) use ocsf::{of_call, of_call_without_bodies, of_refusal};
use parquet::Rows;

use crate::journal::{JournalFault, Record};

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One record a line, exactly as [`Record::line`] spells it.
    Jsonl(Packing),
    /// One OCSF event a line for each call and each refusal.
    Ocsf(Packing),
    /// One row a call.
    Parquet,
}

/// How lines are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Plain,
    /// In independent zstd frames with checksums (RFC 8878), for `.jsonl.zst`.
    Zstd,
}

/// How far an export is, told about every 1,000 records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records read.
    pub read: u64,
    /// The last of them.
    pub seq: u64,
}

/// Records between two words about the progress.
const PROGRESS_EVERY: u64 = 1_000;

/// What an export holds, and what it could not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records read.
    pub read: u64,
    /// Lines or rows written.
    pub written: u64,
    /// Records within the filter whose session was erased. JSON lines keep their place in the
    /// chain; rows and OCSF events have nothing to tell of them.
    pub erased: u64,
    /// Calls that were written before their end was read, because too many were open at once to
    /// remember them all. Their rows say so.
    pub apart: u64,
}

/// Why an export failed. What was written until then is not whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportFault {
    /// The recording can't be read further.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// The output can't be written.
    #[error("can't write the export: {0}")]
    Output(#[from] io::Error),
    /// The Parquet writer refused.
    #[error("can't write the export as Parquet: {0}")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// An event can't be written as JSON.
    #[error("can't write record {seq} as JSON: {source}")]
    Json {
        /// The record.
        seq: u64,
        /// What the writer said.
        source: serde_json::Error,
    },
}

/// One export: what to take, and how to write it.
#[derive(Clone, Debug)]
pub struct Exporter {
    /// The shape of the output.
    pub format: Format,
    /// Which records, or which calls, are taken.
    pub filter: Filter,
}

impl Exporter {
    /// Writes what the filter takes of `records` to `out`, and tells `progress` on the way. Memory
    /// is bounded whatever the recording's size.
    ///
    /// For rows and OCSF events the filter chooses calls by their intents, and records are read on
    /// until the last chosen call has ended. The records must begin no later than the filter does.
    ///
    /// # Errors
    /// [`ExportFault`]; the output is then not whole and must not be used.
    pub fn run<W: Write + Send>(
        &self,
        records: impl Iterator<Item = Result<Record, JournalFault>>,
        out: W,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Summary, ExportFault> {
        let summary = Summary::default();
        let mut task = Task { filter: &self.filter, summary, seq: 0, progress };
        match self.format {
            Format::Jsonl(packing) => task.copy(records, Lines::new(out, packing)?)?,
            Format::Ocsf(packing) => {
                let mut lines = Lines::new(out, packing)?;
                task.calls(records, |told| match told {
                    Told::Call(call) => lines.push(&of_call(&call).map_err(json(call.seq))?),
                    Told::Refused(record, event) => {
                        lines.push(&of_refusal(record, event).map_err(json(record.seq))?)
                    }
                })?;
                lines.finish()?;
            }
            Format::Parquet => {
                let mut rows = Rows::new(out)?;
                task.calls(records, |told| match told {
                    Told::Call(call) => rows.push(*call),
                    Told::Refused(..) => Ok(false),
                })?;
                rows.finish()?;
            }
        }
        (task.progress)(Progress { read: task.summary.read, seq: task.seq });
        Ok(task.summary)
    }
}

/// What a call format is told, in the order in which it can be told.
enum Told<'a> {
    /// A call, as far as its end is known.
    Call(Box<Call>),
    /// A request that became no call.
    Refused(&'a Record, &'a lockgate_model::RefusalEvent),
}

/// One run of an [`Exporter`].
struct Task<'a> {
    filter: &'a Filter,
    summary: Summary,
    /// The record that was read last.
    seq: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Task<'_> {
    fn read(&mut self, record: &Record) {
        self.summary.read += 1;
        self.seq = record.seq;
        if self.summary.read.is_multiple_of(PROGRESS_EVERY) {
            (self.progress)(Progress { read: self.summary.read, seq: record.seq });
        }
    }

    fn copy<W: Write>(
        &mut self,
        records: impl Iterator<Item = Result<Record, JournalFault>>,
        mut lines: Lines<W>,
    ) -> Result<(), ExportFault> {
        for record in records {
            let record = record?;
            if self.filter.is_past(&record) {
                break;
            }
            self.read(&record);
            if !self.filter.takes_place(&record) {
                continue;
            }
            // Only a session needs the event; without one, records of later versions pass too.
            if self.filter.session.is_some() {
                match event_of(&record)? {
                    Some(event) if self.filter.takes_session(event.session()) => {}
                    // Whose it was can't be told any more.
                    None => self.summary.erased += 1,
                    Some(_) => continue,
                }
            }
            self.summary.written += u64::from(lines.push(&record.line())?);
        }
        lines.finish()
    }

    fn calls(
        &mut self,
        records: impl Iterator<Item = Result<Record, JournalFault>>,
        mut write: impl FnMut(Told<'_>) -> Result<bool, ExportFault>,
    ) -> Result<(), ExportFault> {
        let mut calls = Calls::new();
        let mut ended = Vec::new();
        for record in records {
            let record = record?;
            if self.filter.is_past(&record) && calls.is_empty() {
                break;
            }
            self.read(&record);
            let chosen = self.filter.takes_place(&record);
            let Some(event) = event_of(&record)? else {
                self.summary.erased += u64::from(chosen);
                continue;
            };
            if let Event::Refused(refused) = &event {
                if chosen && self.filter.session.is_none() {
                    self.summary.written += u64::from(write(Told::Refused(&record, refused))?);
                }
                continue;
            }
            // Its later events follow a chosen intent; those of others find nothing open.
            let begins = matches!(event, Event::Intent(_));
            if begins && !(chosen && self.filter.takes_session(event.session())) {
                continue;
            }
            calls.take(&record, event, &mut ended);
            self.write_ended(&mut ended, &mut write)?;
        }
        calls.finish(&mut ended);
        self.write_ended(&mut ended, &mut write)
    }

    fn write_ended(
        &mut self,
        ended: &mut Vec<Call>,
        write: &mut impl FnMut(Told<'_>) -> Result<bool, ExportFault>,
    ) -> Result<(), ExportFault> {
        for call in ended.drain(..) {
            self.summary.apart += u64::from(matches!(call.end, End::Apart));
            self.summary.written += u64::from(write(Told::Call(Box::new(call)))?);
        }
        Ok(())
    }
}

/// The event of a record; `None` where its session was erased. The one place that knows how a
/// record keeps it.
pub(crate) fn event_of(record: &Record) -> Result<Option<Event>, JournalFault> {
    record.event()
}

fn json(seq: u64) -> impl FnOnce(serde_json::Error) -> ExportFault {
    move |source| ExportFault::Json { seq, source }
}
