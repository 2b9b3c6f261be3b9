//! Where in the journal something can stand: from its first record to the last one that is
//! indexed, and beyond what is indexed.

use lockgate_store::index::CallRow;

use crate::{
    look::Look,
    problem::{Code, Problem},
    recording::Place,
};

/// Where a session, or a call, can stand.
#[derive(Clone, Debug)]
pub(crate) struct Stretch {
    first_seq: u64,
    /// The last record that is indexed.
    last_seq: u64,
    /// Every record up to this one is indexed.
    applied: u64,
    /// Whether nothing comes behind `last_seq`.
    closed: bool,
}

impl Stretch {
    /// Looks a session up.
    ///
    /// # Errors
    /// [`Code::SessionUnknown`], [`Code::SessionElsewhere`], [`Code::SessionErased`],
    /// [`Code::IndexUnavailable`]
    pub(crate) async fn of_session(look: &Look, session: &str) -> Result<Self, Problem> {
        // Asked before the row, so that what comes between is read twice rather than not at all.
        let applied = look.index().applied(look.node()).await?;
        let row = look.index().session(session).await?.ok_or(Code::SessionUnknown)?;
        here(look, &row.node, row.erased)?;
        let (first_seq, last_seq) = (row.first_seq, row.last_seq);
        Ok(Self { first_seq, last_seq, applied, closed: row.closed.is_some() })
    }

    /// Where the call of `row` stands.
    ///
    /// # Errors
    /// [`Code::SessionElsewhere`], [`Code::SessionErased`]
    pub(crate) fn of_call(look: &Look, row: &CallRow) -> Result<Self, Problem> {
        here(look, &row.node, row.erased)?;
        // Without an outcome nothing says how far its messages reach.
        let (last_seq, closed) = row.outcome_seq.map_or((u64::MAX, false), |seq| (seq, true));
        Ok(Self { first_seq: row.seq, last_seq, applied: u64::MAX, closed })
    }

    /// Whether nothing comes after the record `seq` any more.
    pub(crate) const fn is_over(&self, seq: u64) -> bool {
        self.closed && seq >= self.last_seq
    }

    /// The first record worth looking at, where `first` is the first that is asked for.
    pub(crate) fn begin(&self, first: u64) -> u64 {
        let first = first.max(self.first_seq);
        if first > self.last_seq { first.max(self.applied.saturating_add(1)) } else { first }
    }

    /// Moves over what is indexed and can hold nothing of it.
    pub(crate) fn skip(&self, place: Place, look: &Look) -> Place {
        let next = place.next_seq();
        let begin = self.begin(next);
        if begin > next { look.recording().at(begin) } else { place }
    }
}

/// Whether this node's journal has it, and it can be read.
fn here(look: &Look, node: &str, erased: bool) -> Result<(), Problem> {
    if node != look.node() {
        let detail = format!("node `{node}` recorded it; ask its console");
        return Err(Problem::new(Code::SessionElsewhere, detail));
    }
    if erased { Err(Code::SessionErased.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::Stretch;

    #[test]
    fn what_is_indexed_and_holds_nothing_is_skipped() {
        let stretch = Stretch { first_seq: 10, last_seq: 20, applied: 50, closed: false };
        for (first, begin) in [(0, 10), (10, 10), (20, 20), (21, 51), (50, 51), (51, 51), (60, 60)]
        {
            assert_eq!(stretch.begin(first), begin, "{first}");
        }
        // The index may lag behind what it says of a session that was seen since.
        let stretch = Stretch { applied: 15, ..stretch };
        assert_eq!((stretch.begin(15), stretch.begin(21)), (15, 21));
    }
}
