//! Which of the oldest segments have had their time.
//!
//! The plan is pure: segments and a rule in, the segments that go out. Whole segments go, oldest
//! first, so that what is left still follows something; never one that is held, nor any behind it,
//! and never the one that is being written. Whoever carries it out
//! puts it on the record first.

mod rule;

#[cfg(test)]
mod tests;

use lockgate_model::{Digest, Timestamp};
pub use rule::RetentionRule;

/// What retention needs to know of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its first record.
    pub first_seq: u64,
    /// Its last record.
    pub last_seq: u64,
    /// Hash of its last record.
    pub last_hash: Digest,
    /// Time of its last record.
    pub last_time: Timestamp,
    /// Its size, with what belongs to it. In bytes.
    pub bytes: u64,
    /// It holds a session that is kept whatever the rule says, or it is not to go for another
    /// reason.
    pub held: bool,
    /// It may still be written to.
    pub open: bool,
}

/// The segments that go by `rule`: a beginning of `segments`, which stand oldest first.
///
/// By age a segment goes once its last record is older than the rule allows. By size as many go as
/// are needed for the rest to be within; where a hold keeps it from that, the rest stays too large.
pub fn plan<'a>(segments: &'a [Segment], rule: &RetentionRule, now: Timestamp) -> &'a [Segment] {
    let mut left: u64 = segments.iter().fold(0, |sum, segment| sum.saturating_add(segment.bytes));
    let goes = |segment: &Segment| {
        if segment.held || segment.open {
            return false;
        }
        let age_ms = u64::try_from(now.millis_since(segment.last_time)).unwrap_or(0);
        let old = rule.max_age_ms.is_some_and(|most| age_ms > most);
        let large = rule.max_bytes.is_some_and(|most| left > most);
        left = left.saturating_sub(segment.bytes);
        old || large
    };
    let kept = segments.iter().map(goes).position(|goes| !goes);
    segments.get(..kept.unwrap_or(segments.len())).unwrap_or_default()
}
