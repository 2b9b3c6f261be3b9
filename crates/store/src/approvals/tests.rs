//! Who is told of what, and when they look by themselves. Every order of it is run by `tests/raced`.

use std::time::Duration;

use tokio::time::timeout;

use super::watch::{Changes, LOOK_EVERY, look_every};

#[tokio::test]
async fn each_is_told_of_its_own() {
    let changes = Changes::default();
    let (mut one, mut other) = (changes.waiter(Some("a1")), changes.waiter(Some("a2")));
    let mut all = changes.waiter(None);
    let quick = Duration::from_millis(100);
    changes.tell("a1");
    timeout(quick, one.look()).await.unwrap();
    timeout(quick, all.look()).await.unwrap();
    assert!(timeout(quick, other.look()).await.is_err(), "told of another's");
    // It looks again by itself.
    timeout(LOOK_EVERY * 3, other.look()).await.unwrap();
    // What is told before the look is not missed.
    changes.tell("a2");
    timeout(quick, other.look()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_kept_of_who_left() {
    let changes = Changes::default();
    let (one, mut twin) = (changes.waiter(Some("a1")), changes.waiter(Some("a1")));
    drop(one);
    changes.tell("a1");
    timeout(Duration::from_millis(100), twin.look()).await.unwrap();
    drop(twin);
    assert_eq!(changes.waiting(), 0);
}

#[test]
fn where_many_wait_each_looks_more_rarely() {
    for (waiting, seconds) in [(0, 1), (1, 1), (500, 1), (5_000, 10)] {
        assert_eq!(look_every(waiting).as_secs(), seconds, "{waiting}");
    }
}
