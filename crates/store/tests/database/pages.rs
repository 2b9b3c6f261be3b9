//! Pages while rows arrive.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use lockgate_store::index::{Filter, Page};
use serde_json::json;

use crate::{
    contract::Fresh,
    events::{call, decided, intent, opened, records_from},
};

/// Calls with few different times, so that pages end in the middle of one time.
fn batch(first: u64, count: u64) -> Vec<lockgate_store::index::Indexed> {
    let calls = (first..first + count).map(|number| decided(intent(number, number, json!(null))));
    let mut batch = records_from(first, calls);
    for record in &mut batch {
        record.time = lockgate_model::Timestamp::from_millis((record.seq / 50).cast_signed());
    }
    batch
}

pub(crate) async fn pages_never_skip_or_repeat_while_rows_arrive(fresh: Fresh) {
    let index = Arc::clone(&fresh.index);
    index.apply("n1", &batch(1, 600)).await.unwrap();
    index.apply("n2", &records_from(1, [opened(1, "x")])).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (index, done) = (Arc::clone(&index), Arc::clone(&done));
        async move {
            let mut next = 601;
            while !done.load(Ordering::Relaxed) && next < 20_000 {
                index.apply("n1", &batch(next, 20)).await.unwrap();
                next += 20;
            }
        }
    });
    for size in [1, 7, 200] {
        let mut seen = BTreeSet::new();
        let mut newest = None;
        let mut cursor: Option<String> = None;
        loop {
            let page = Page::new(size, cursor.as_deref()).unwrap();
            let listing = index.calls(&Filter::default(), page).await.unwrap();
            for row in &listing.rows {
                let place = (row.time, row.seq);
                assert!(newest.is_none_or(|newest| place < newest), "newest first");
                newest = Some(place);
                assert!(seen.insert(row.id.clone()), "{} twice", row.id);
            }
            let Some(next) = listing.next else { break };
            assert_eq!(listing.rows.len(), usize::from(size));
            cursor = Some(next.to_string());
        }
        // All that were there when it began.
        assert!((1..=600).all(|number| seen.contains(&call(number))), "pages of {size}");
    }
    done.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}
