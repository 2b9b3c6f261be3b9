//! What the tests of the journal share.

use std::path::Path;

use lockgate_model::{Event, Timestamp};
use lockgate_store::journal::{Journal, JournalFault, JournalOptions, Position, read};

/// Opens with segments so small that every test sees several.
pub(crate) fn open_small(folder: &Path) -> Journal {
    Journal::open(folder, small()).unwrap().0
}

/// Options for [`open_small`].
pub(crate) fn small() -> JournalOptions {
    JournalOptions { segment_max_bytes: 1_800, ..JournalOptions::default() }
}

/// Appends an event that carries `text`.
pub(crate) fn append(journal: &Journal, text: &str) -> Result<Position, JournalFault> {
    let event = Event::Started { version: text.into(), torn_bytes: 0 };
    journal.append(Timestamp::from_millis(1_700_000_000_000), &event)
}

/// The texts of all records, checked.
pub(crate) fn texts(folder: &Path) -> Result<Vec<String>, JournalFault> {
    let text = |event| match event {
        Event::Started { version, .. } => version,
        other => panic!("{other:?}"),
    };
    read(folder)?.map(|record| record?.event().map(text)).collect()
}
