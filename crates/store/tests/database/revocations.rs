//! Revocations: made once, lifted once, seen in one order by whoever reads on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lockgate_model::{KeptRevocation, Lifted, Revocation, Revoked, Timestamp};
use lockgate_store::revocations::{Revocations, RevocationsFault};

use crate::contract::Fresh;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn out(id: &str, subject: &str) -> Revocation {
    Revocation {
        id: id.to_owned(),
        target: Revoked::Subject { issuer: "corp".into(), subject: subject.into() },
        issued_until: None,
        reason: "left".into(),
        by: "local:ann".into(),
        at: at(5),
        until: None,
    }
}

fn stands(revocation: Revocation) -> KeptRevocation {
    KeptRevocation { revocation, lifted: None }
}

async fn open(fresh: &Fresh) -> Arc<Revocations> {
    Arc::new(Revocations::open(&fresh.place).await.unwrap())
}

pub(crate) async fn what_was_revoked_is_read_on_from_any_place(fresh: Fresh) {
    let revocations = open(&fresh).await;
    assert_eq!(revocations.since(0).await.unwrap().change, 0);
    let mut timed = out("r2", "bob");
    (timed.issued_until, timed.until) = (Some(at(7)), Some(at(9)));
    assert_eq!(revocations.make(&[out("r1", "ann"), timed.clone()], at(5)).await.unwrap(), 2);
    let first = revocations.since(0).await.unwrap();
    assert_eq!(first.changed, [stands(out("r1", "ann")), stands(timed.clone())]);
    assert!(revocations.since(first.change).await.unwrap().changed.is_empty());
    revocations.lift("r1", "local:eve", at(8)).await.unwrap();
    let lifted = KeptRevocation {
        revocation: out("r1", "ann"),
        lifted: Some(Lifted { by: "local:eve".into(), at: at(8) }),
    };
    let news = revocations.since(first.change).await.unwrap();
    assert_eq!((news.changed.as_slice(), news.change > first.change), ([lifted].as_slice(), true));
    // Another process sees the same, and after the end of the second one none stands.
    let other = open(&fresh).await;
    assert_eq!(other.since(0).await.unwrap().changed.len(), 2);
    assert_eq!(other.list(Some(at(8))).await.unwrap(), [stands(timed)]);
    assert!(other.list(Some(at(9))).await.unwrap().is_empty());
    assert_eq!(other.list(None).await.unwrap().len(), 2);
}

pub(crate) async fn the_same_told_twice_is_one(fresh: Fresh) {
    let revocations = open(&fresh).await;
    assert_eq!(revocations.make(&[out("r1", "ann")], at(5)).await.unwrap(), 1);
    let again = [out("r1", "somebody else"), out("r2", "bob")];
    assert_eq!(revocations.make(&again, at(6)).await.unwrap(), 1);
    let all = revocations.since(0).await.unwrap().changed;
    assert_eq!(all, [stands(out("r1", "ann")), stands(out("r2", "bob"))]);
    revocations.lift("r1", "local:ann", at(7)).await.unwrap();
    let change = revocations.since(0).await.unwrap().change;
    revocations.lift("r1", "local:bob", at(8)).await.unwrap();
    assert!(revocations.since(change).await.unwrap().changed.is_empty(), "lifted once");
    assert!(matches!(
        revocations.lift("r9", "local:ann", at(7)).await,
        Err(RevocationsFault::Unknown(id)) if id == "r9"
    ));
}

pub(crate) async fn who_reads_on_misses_none_of_many_at_once(fresh: Fresh) {
    let (here, there) = (open(&fresh).await, open(&fresh).await);
    let mut makers = tokio::task::JoinSet::new();
    for maker in 0..8 {
        let revocations = Arc::clone(if maker % 2 == 0 { &here } else { &there });
        makers.spawn(async move {
            for n in 0..10 {
                let id = format!("r{maker}-{n}");
                revocations.make(&[out(&id, &id)], at(5)).await.unwrap();
            }
        });
    }
    let (mut seen, mut change) = (BTreeSet::new(), 0);
    let mut done = false;
    loop {
        let news = here.since(change).await.unwrap();
        assert!(news.change >= change);
        change = news.change;
        for one in news.changed {
            assert!(seen.insert(one.revocation.id), "each once");
        }
        if done {
            break;
        }
        done = makers.is_empty();
        // Looks as often as it can until all are made, and once more.
        drop(tokio::time::timeout(Duration::from_millis(1), makers.join_next()).await);
    }
    assert_eq!(seen.len(), 80);
}

pub(crate) async fn who_listens_hears_of_it(fresh: Fresh) {
    let here = open(&fresh).await;
    let mut ear = here.ear().await.unwrap();
    let heard = {
        let mut hear = std::pin::pin!(ear.hear());
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut hear).await.is_err());
        here.make(&[out("r1", "ann")], at(5)).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), hear).await
    };
    heard.expect("its own process rings").unwrap();
    if matches!(fresh.place, lockgate_store::db::DbPlace::Postgres(_)) {
        // The ring of the first one may still be on its way.
        while tokio::time::timeout(Duration::from_millis(300), ear.hear()).await.is_ok() {}
        let other = open(&fresh).await;
        other.make(&[out("r2", "bob")], at(5)).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(5), ear.hear()).await;
        heard.expect("another process rings").unwrap();
    }
}
