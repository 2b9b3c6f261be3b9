//! Erased, held, retired.

use lockgate_model::{KeptChange, OutcomeStatus, Reason};
use lockgate_store::index::{Filter, Index, Query};
use serde_json::json;

use crate::{
    contract::Fresh,
    events::{
        DIGEST, at, call, closed, decided, deny, found, found_sessions, intent, kept, message,
        opened, outcome, records, records_from, session,
    },
};

fn erase(number: u64) -> lockgate_model::Event {
    kept(KeptChange::Erase { session: session(number) })
}

async fn found_text(index: &Index, text: &str) -> Vec<u64> {
    found(index, Filter { text: Query::parse(text).ok(), ..Filter::default() }).await
}

pub(crate) async fn what_is_erased_is_gone(fresh: Fresh) {
    let index = &fresh.index;
    let mut secret = intent(1, 1, json!({"q": "salary of carol"}));
    secret.facts = vec!["sql.table:salaries".into()];
    secret.groups = vec!["corp/secret".into()];
    secret.target = "file:///home/carol".into();
    secret.verdict = deny(Reason::PolicyForbidden, "p9");
    let batch = records([
        opened(1, "carol"),
        opened(2, "alice"),
        decided(secret),
        message(1, 1, "salary"),
        decided(intent(2, 2, json!({"q": "salary"}))),
        outcome(1, 1, OutcomeStatus::Error, "salary 100"),
        erase(1),
        // What comes after can't be read either, as a rule; where it can, it is not kept.
        message(1, 1, "salary"),
        decided(intent(3, 1, json!({"q": "salary"}))),
    ]);
    index.apply("n1", &batch).await.unwrap();

    assert_eq!(found_text(index, "salary").await, [2]);
    assert_eq!(found_text(index, "carol").await, [0; 0]);
    let text = |text: &str| Some(text.to_owned());
    for filter in [
        Filter { subject: text("carol"), ..Filter::default() },
        Filter { fact: text("sql"), ..Filter::default() },
        Filter { group: text("corp/secret"), ..Filter::default() },
        Filter { tool: text("file:///home/carol"), ..Filter::default() },
    ] {
        assert_eq!(found(index, filter.clone()).await, [0; 0], "{filter:?}");
        assert_eq!(found_sessions(index, filter.clone()).await, [0; 0], "{filter:?}");
    }
    let row = index.session(&session(1)).await.unwrap().unwrap();
    assert!(row.erased);
    assert_eq!((&*row.subject, &*row.issuer, row.client, row.groups.len()), ("", "", None, 0));
    assert_eq!((row.calls, row.denied, row.errors, row.bytes), (1, 1, 1, 110));
    let row = index.call(&call(1)).await.unwrap().unwrap();
    assert!(row.erased && row.facts.is_empty() && row.groups.is_empty());
    assert_eq!((&*row.subject, &*row.target, &*row.trace, row.bytes), ("", "", "", 110));
    assert_eq!((row.reason, row.policies), (Some(Reason::PolicyForbidden), vec!["p9".to_owned()]));
    assert_eq!(index.call(&call(3)).await.unwrap(), None);
    assert!(!index.session(&session(2)).await.unwrap().unwrap().erased);
}

pub(crate) async fn an_erased_session_stays_erased_in_a_rebuild(fresh: Fresh) {
    let mut batch = records([
        opened(1, "carol"),
        decided(intent(1, 1, json!({"q": "salary"}))),
        erase(1),
        opened(2, "alice"),
    ]);
    batch[0].event = None;
    batch[1].event = None;
    fresh.index.apply("n1", &batch).await.unwrap();
    let row = fresh.index.session(&session(1)).await.unwrap().unwrap();
    assert_eq!((row.erased, row.era, row.opened), (true, None, at(3)));
    assert_eq!(fresh.index.applied("n1").await.unwrap(), 4);
    assert_eq!(found_sessions(&fresh.index, Filter::default()).await, [1, 2]);
}

pub(crate) async fn holds_begin_and_end(fresh: Fresh) {
    let index = &fresh.index;
    let hold = kept(KeptChange::Hold { session: session(1) });
    let release = kept(KeptChange::Release { session: session(1) });
    for (first, event, held) in [(2, hold.clone(), true), (3, hold, true), (4, release, false)] {
        if first == 2 {
            index.apply("n1", &records([opened(1, "alice")])).await.unwrap();
        }
        index.apply("n1", &records_from(first, [event])).await.unwrap();
        let row = index.session(&session(1)).await.unwrap().unwrap();
        assert_eq!((row.held, &*row.subject), (held, "alice"), "{first}");
    }
}

pub(crate) async fn retired_sessions_are_marked(fresh: Fresh) {
    let index = &fresh.index;
    let retire = kept(KeptChange::Retire { through_seq: 4, hash: DIGEST });
    let batch = records([
        opened(1, "alice"),
        opened(2, "alice"),
        decided(intent(1, 1, json!(null))),
        closed(1),
        decided(intent(2, 2, json!(null))),
        retire,
    ]);
    index.apply("n1", &batch).await.unwrap();
    let retired = async |number| index.session(&session(number)).await.unwrap().unwrap().retired;
    assert!(retired(1).await);
    assert!(!retired(2).await, "its last records are still there");
    assert_eq!(found(index, Filter::default()).await, [1, 2], "rows stay");
}
