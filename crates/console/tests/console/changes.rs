//! Holding, releasing, erasing: on the record first, and never against a hold.

use std::sync::atomic::Ordering;

use http::StatusCode;
use lockgate_model::{Event, KeptChange};

use crate::rig::{Rig, closed, opened, session};

const WHY: &str = r#"{"reason":"case 7"}"#;

async fn rig() -> Rig {
    let rig = Rig::new().await;
    for n in 1..=2 {
        rig.append(&opened(n, "db"));
        rig.append(&closed(n));
    }
    rig.catch_up().await;
    rig
}

fn path(n: u32, what: &str) -> String {
    format!("/sessions/{}/{what}", session(n))
}

/// The changes on record, in words.
fn kept(rig: &Rig) -> Vec<String> {
    let events = rig.events().into_iter();
    let kept = events.filter_map(|(_, event)| match event {
        Event::Kept(kept) => Some(match kept.change {
            KeptChange::Hold { .. } => format!("hold by {}: {}", kept.by, kept.reason),
            KeptChange::Release { .. } => format!("release by {}: {}", kept.by, kept.reason),
            KeptChange::Erase { .. } => format!("erase by {}: {}", kept.by, kept.reason),
            KeptChange::Retire { .. } => panic!("nobody asked for it"),
        }),
        _ => None,
    });
    kept.collect()
}

#[tokio::test]
async fn a_held_session_is_not_erased_whether_the_index_knows_or_not_z14() {
    for indexed in [true, false] {
        let rig = rig().await;
        let catch_up = async || {
            if indexed {
                rig.catch_up().await;
            }
        };
        let held = rig.post(&path(1, "hold"), "admin", WHY).await;
        assert_eq!(held.status, StatusCode::OK);
        assert_eq!((&held.json()["change"], &held.json()["seq"]), (&"hold".into(), &5.into()));
        catch_up().await;
        let refused = rig.post(&path(1, "erase"), "admin", WHY).await;
        assert_eq!((refused.status.as_u16(), &*refused.code()), (409, "change.refused"));
        // Only that one is held.
        assert_eq!(rig.post(&path(2, "erase"), "admin", WHY).await.status, StatusCode::OK);
        assert_eq!(rig.post(&path(1, "release"), "admin", WHY).await.status, StatusCode::OK);
        catch_up().await;
        assert_eq!(rig.post(&path(1, "erase"), "admin", WHY).await.status, StatusCode::OK);
        let by = ["hold", "erase", "release", "erase"]
            .map(|what| format!("{what} by corp/admin: case 7"));
        assert_eq!(kept(&rig), by);
    }
}

#[tokio::test]
async fn an_erasure_is_on_the_record_before_the_key_goes() {
    let rig = rig().await;
    let answer = rig.post(&path(1, "erase"), "admin", WHY).await;
    let seq = answer.json()["seq"].as_u64().unwrap();
    assert!(matches!(&rig.records()[seq as usize - 1].event().unwrap(), Some(Event::Kept(_))));
    assert!(!rig.is_readable(&session(1)) && rig.is_readable(&session(2)));
    rig.catch_up().await;
    for what in ["events", "tail"] {
        let answer = rig.get(&path(1, what), "auditor").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (410, "session.erased"), "{what}");
    }
    let row = rig.get(&format!("/sessions/{}", session(1)), "auditor").await.json();
    assert_eq!((&row["erased"], &row["subject"]), (&true.into(), &"".into()));
}

#[tokio::test]
async fn a_journal_that_refuses_leaves_everything_as_it_was() {
    let rig = rig().await;
    rig.refuses.store(true, Ordering::SeqCst);
    for what in ["hold", "release", "erase"] {
        let answer = rig.post(&path(1, what), "admin", WHY).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (503, "journal.unavailable"));
    }
    assert!(rig.is_readable(&session(1)) && kept(&rig).is_empty());
}

#[tokio::test]
async fn a_key_that_stays_is_told_and_can_be_asked_for_again() {
    let rig = rig().await;
    rig.stops_short.store(true, Ordering::SeqCst);
    let answer = rig.post(&path(1, "erase"), "admin", WHY).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (500, "change.unfinished"));
    rig.stops_short.store(false, Ordering::SeqCst);
    rig.catch_up().await;
    assert_eq!(rig.post(&path(1, "erase"), "admin", WHY).await.status, StatusCode::OK);
    assert!(!rig.is_readable(&session(1)));
}

#[tokio::test]
async fn holds_and_erasures_at_the_same_time_never_cross() {
    for _ in 0..20 {
        let rig = rig().await;
        let (hold, erase) = (path(1, "hold"), path(1, "erase"));
        let (held, erased) =
            tokio::join!(rig.post(&hold, "admin", WHY), rig.post(&erase, "admin", WHY));
        assert_eq!(held.status, StatusCode::OK);
        let first = kept(&rig)[0].starts_with("hold");
        assert_eq!(erased.status == StatusCode::CONFLICT, first, "{:?}", kept(&rig));
        assert_eq!(rig.is_readable(&session(1)), first);
    }
}

#[tokio::test]
async fn who_is_unknown_can_not_be_changed() {
    let rig = rig().await;
    for what in ["hold", "release", "erase"] {
        let answer = rig.post(&path(9, what), "admin", WHY).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (404, "session.unknown"));
    }
    assert!(kept(&rig).is_empty());
}

#[tokio::test]
async fn an_open_session_is_not_erased() {
    let rig = rig().await;
    rig.append(&opened(3, "db"));
    rig.catch_up().await;
    let answer = rig.post(&path(3, "erase"), "admin", WHY).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (409, "change.refused"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("open"));
    assert!(rig.is_readable(&session(3)) && kept(&rig).is_empty());
}
