//! The plan against its own words, for any journal.

use lockgate_model::{Digest, Timestamp};
use proptest::prelude::*;

use super::{RetentionRule, Segment, plan};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn segment(first_seq: u64, age_ms: i64, bytes: u64, held: bool) -> Segment {
    Segment {
        first_seq,
        last_seq: first_seq + 9,
        last_hash: Digest::from_bytes([first_seq as u8; 32]),
        last_time: NOW.plus_millis(-age_ms),
        bytes,
        held,
        open: false,
    }
}

#[test]
fn the_oldest_go_up_to_the_first_that_stays() {
    let age = |max_age_ms| RetentionRule { max_age_ms: Some(max_age_ms), max_bytes: None };
    let size = |max_bytes| RetentionRule { max_age_ms: None, max_bytes: Some(max_bytes) };
    let both = RetentionRule { max_age_ms: Some(250), max_bytes: Some(15) };
    let three = |held| {
        [
            segment(1, 300, 10, held == 1),
            segment(11, 200, 10, held == 2),
            segment(21, 100, 10, false),
        ]
    };
    for (segments, rule, gone) in [
        (three(0), RetentionRule::default(), 0),
        (three(0), age(300), 0),
        (three(0), age(299), 1),
        (three(0), age(0), 3),
        (three(1), age(0), 0),
        (three(2), age(0), 1),
        (three(0), size(30), 0),
        (three(0), size(29), 1),
        (three(0), size(0), 3),
        (three(2), size(0), 1),
        (three(0), both, 2),
    ] {
        assert_eq!(plan(&segments, &rule, NOW).len(), gone, "{rule:?}");
    }
    let mut segments = three(0);
    segments[1].open = true;
    assert_eq!(plan(&segments, &size(0), NOW).len(), 1);
    // A clock that was set back makes nothing old.
    let future = [segment(1, -5, 10, false)];
    assert_eq!(plan(&future, &age(0), NOW).len(), 0);
}

fn journals() -> impl Strategy<Value = Vec<Segment>> {
    let one = (0_i64..1_000, 0_u64..100, prop::bool::weighted(0.1));
    prop::collection::vec(one, 0..20).prop_map(|rows| {
        let segments = rows.iter().zip(0_u64..);
        segments.map(|((age, bytes, held), n)| segment(n * 10 + 1, *age, *bytes, *held)).collect()
    })
}

proptest! {
    #[test]
    fn no_more_and_no_less_than_the_rule_says(
        segments in journals(),
        max_age_ms in prop::option::of(0_u64..1_000),
        max_bytes in prop::option::of(0_u64..1_500),
    ) {
        let rule = RetentionRule { max_age_ms, max_bytes };
        let gone = plan(&segments, &rule, NOW);
        let (begin, rest) = segments.split_at(gone.len());
        prop_assert_eq!(begin, gone);
        prop_assert!(gone.iter().all(|segment| !segment.held && !segment.open));
        let bytes = |segments: &[Segment]| segments.iter().map(|segment| segment.bytes).sum::<u64>();
        let old = |segment: &Segment| {
            max_age_ms.is_some_and(|most| NOW.millis_since(segment.last_time) > most as i64)
        };
        // Each that went had to, with what was left at its turn.
        for (index, segment) in gone.iter().enumerate() {
            let large = max_bytes.is_some_and(|most| bytes(&segments[index..]) > most);
            prop_assert!(old(segment) || large);
        }
        // The first that stayed was held, or within the rule.
        if let Some(first) = rest.first() {
            let within = !old(first) && max_bytes.is_none_or(|most| bytes(rest) <= most);
            prop_assert!(first.held || first.open || within);
        }
        // What went once is not missed: on what is left, nothing more goes.
        prop_assert!(plan(rest, &rule, NOW).is_empty());
    }
}
