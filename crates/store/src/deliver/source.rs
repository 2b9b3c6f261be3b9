//! The records from one on, and those that are written later. The one place here that knows how
//! the journal is read.

use std::path::PathBuf;

use crate::journal::{Elsewhere, JournalFault, Keys, Reader, Record, read_with};

/// A reader that goes on.
#[derive(Debug)]
pub(super) struct Source {
    folder: PathBuf,
    keys: Keys,
    elsewhere: Option<Elsewhere>,
    reader: Option<Reader>,
    next_seq: u64,
}

impl Source {
    pub(super) const fn new(
        folder: PathBuf,
        keys: Keys,
        elsewhere: Option<Elsewhere>,
        next_seq: u64,
    ) -> Self {
        Self { folder, keys, elsewhere, reader: None, next_seq }
    }

    /// The next record; `None` where there is none yet.
    pub(super) fn next(&mut self) -> Result<Option<Record>, JournalFault> {
        loop {
            let reader = match &mut self.reader {
                Some(reader) => reader,
                none => {
                    let elsewhere = self.elsewhere.as_ref();
                    let reader = read_with(&self.folder, &self.keys, self.next_seq, elsewhere);
                    none.insert(reader?)
                }
            };
            match reader.next() {
                Some(Ok(record)) if record.seq < self.next_seq => {}
                Some(Ok(record)) => {
                    if record.seq > self.next_seq && self.next_seq > 1 {
                        let (wanted, found) = (self.next_seq, record.seq);
                        tracing::error!(
                            wanted,
                            found,
                            "records were removed before they were delivered"
                        );
                    }
                    self.next_seq = record.seq + 1;
                    return Ok(Some(record));
                }
                Some(Err(fault)) => {
                    self.reader = None;
                    return Err(fault);
                }
                None => return Ok(None),
            }
        }
    }
}
