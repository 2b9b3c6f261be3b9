//! Reading a journal from its files, with every hash checked, while a writer may be running.

use std::{collections::VecDeque, path::Path};

use super::{
    JournalFault, Record,
    segment::{self, Chain, Records, Segment},
};

/// The records of a folder in the order of their sequence numbers. After an error it ends.
#[derive(Debug)]
pub struct Reader {
    current: Option<Records>,
    /// Segments that were not opened yet.
    rest: VecDeque<Segment>,
}

/// Reads the journal in `folder`, without a lock. An unfinished last line is left out: it is being
/// written, or was torn and is dropped when a writer opens the folder next.
///
/// # Errors
/// [`JournalFault::Io`]; while reading also [`JournalFault::Broken`] at the first record that is
/// missing or is not what was written. Where the oldest segments were moved away, the first record
/// that is left is taken as it is.
pub fn read(folder: &Path) -> Result<Reader, JournalFault> {
    Ok(Reader { current: None, rest: segment::list(folder)?.into() })
}

impl Reader {
    fn advance(&mut self) -> Result<Option<Record>, JournalFault> {
        loop {
            if let Some(records) = &mut self.current
                && let Some(record) = records.next()?
            {
                return Ok(Some(record));
            }
            let Some(segment) = self.rest.pop_front() else { return Ok(None) };
            let beginning = Chain::beginning(&segment);
            let chain = self.current.as_ref().map_or(beginning, |records| records.chain);
            let until = self.rest.front().map(|next| next.first_seq);
            self.current = Some(segment::records(&segment, chain, until)?);
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, JournalFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.current = None;
            self.rest.clear();
        }
        item
    }
}
