//! Which part of the recording is taken.

use lockgate_model::Timestamp;

use crate::journal::Record;

/// A part of the recording: everything that meets all that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only this session.
    pub session: Option<String>,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// From this record on.
    pub first_seq: u64,
    /// Up to and with this record.
    pub last_seq: u64,
}

impl Default for Filter {
    fn default() -> Self {
        Self { session: None, from: None, until: None, first_seq: 0, last_seq: u64::MAX }
    }
}

impl Filter {
    /// Whether sequence number and time are within. The clock may have been set back, so that time
    /// never ends the reading.
    pub(super) fn takes_place(&self, record: &Record) -> bool {
        (self.first_seq..=self.last_seq).contains(&record.seq)
            && self.from.is_none_or(|from| record.time >= from)
            && self.until.is_none_or(|until| record.time < until)
    }

    pub(super) fn takes_session(&self, session: Option<&str>) -> bool {
        self.session.as_deref().is_none_or(|only| session == Some(only))
    }

    /// Whether no later record can be within.
    pub(super) const fn is_past(&self, record: &Record) -> bool {
        record.seq > self.last_seq
    }
}
