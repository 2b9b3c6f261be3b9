//! Where segments are: in the journal's folder, or on a copy elsewhere from which they are brought when
//! somebody reads them.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    JournalFault, Keys,
    segment::{self, Blocks, Segment},
};

/// Names the first records of the segments that can be brought, in order.
type List = dyn Fn() -> Vec<u64> + Send + Sync;
/// Brings the file of the segment that begins with a record.
type Fetch = dyn Fn(u64) -> Result<PathBuf, JournalFault> + Send + Sync;

/// Segments that may be gone from the journal's folder, and how to get them. Session keys never
/// leave that folder, so a copy is of no use without it.
#[derive(Clone)]
pub struct Elsewhere {
    list: Arc<List>,
    fetch: Arc<Fetch>,
}

/// All segments of a journal.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pub(super) folder: PathBuf,
    pub(super) keys: Keys,
    elsewhere: Option<Elsewhere>,
}

impl Elsewhere {
    /// `list` names the first records of the segments, in order. `fetch` may block; it gives a file
    /// that stays at least until it was opened.
    pub fn new(
        list: impl Fn() -> Vec<u64> + Send + Sync + 'static,
        fetch: impl Fn(u64) -> Result<PathBuf, JournalFault> + Send + Sync + 'static,
    ) -> Self {
        Self { list: Arc::new(list), fetch: Arc::new(fetch) }
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Elsewhere")
    }
}

impl Shelf {
    pub(super) fn new(folder: &Path, keys: &Keys, elsewhere: Option<&Elsewhere>) -> Self {
        Self { folder: folder.to_owned(), keys: keys.clone(), elsewhere: elsewhere.cloned() }
    }

    /// Every segment, oldest first. One that is both here and elsewhere is read here.
    pub(super) fn list(&self) -> Result<Vec<Segment>, JournalFault> {
        let mut segments = segment::list(&self.folder)?;
        if let Some(elsewhere) = &self.elsewhere {
            for first_seq in (elsewhere.list)() {
                if segments.binary_search_by_key(&first_seq, |one| one.first_seq).is_err() {
                    let path = segment::path(&self.folder, first_seq);
                    segments.push(Segment { first_seq, path });
                    segments.sort_unstable_by_key(|segment| segment.first_seq);
                }
            }
        }
        Ok(segments)
    }

    /// Opens a segment, wherever it is.
    pub(super) fn open(&self, segment: &Segment) -> Result<Blocks, JournalFault> {
        match &self.elsewhere {
            Some(elsewhere) if !segment.path.exists() => {
                let path = (elsewhere.fetch)(segment.first_seq)?;
                Blocks::open(&Segment { first_seq: segment.first_seq, path }, &self.keys)
            }
            _ => Blocks::open(segment, &self.keys),
        }
    }
}
