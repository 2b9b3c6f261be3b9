//! However the journal is applied, the index is what a rebuild gives.

use lockgate_model::{Event, KeptChange, OutcomeStatus, Reason};
use lockgate_store::index::{Filter, Query};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::{
    contract::Fresh,
    events::{
        DIGEST, closed, contents, decided, deny, found, intent, kept, message, opened, outcome,
        records, refused, session,
    },
};

const WORDS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

/// Events of few sessions and calls in any order, also such as no gateway writes.
fn event() -> impl Strategy<Value = Event> {
    let numbers = (0..4u64, 0..12u64, 0..4usize);
    (0..13u8, numbers).prop_map(|(kind, (of, number, word))| {
        let text = WORDS[word];
        match kind {
            0 | 1 => opened(of, text),
            2 => closed(of),
            3 | 4 => {
                let mut call = intent(number, of, json!({"q": text}));
                call.facts = vec![format!("sql.{text}")];
                decided(call)
            }
            5 => {
                let mut call = intent(number, of, json!({"q": text}));
                call.verdict = deny(Reason::PolicyForbidden, text);
                decided(call)
            }
            6 => {
                let mut call = intent(number, of, json!(null));
                call.session = None;
                decided(call)
            }
            7 => message(number, of, text),
            8 | 9 => {
                let status = [OutcomeStatus::Result, OutcomeStatus::Error][word % 2];
                outcome(number, of, status, text)
            }
            10 => refused(Some(text), Reason::TokenExpired),
            11 => kept(match word {
                0 => KeptChange::Erase { session: session(of) },
                1 => KeptChange::Hold { session: session(of) },
                2 => KeptChange::Release { session: session(of) },
                _ => KeptChange::Retire { through_seq: number * 4, hash: DIGEST },
            }),
            _ => Event::Started { version: "1".into(), torn_bytes: 0 },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rebuild_equals_what_grew(events in vec(event(), 1..80), cuts in vec(1..9usize, 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let batch = records(events);
            let (grown, rebuilt) = (Fresh::sqlite().await, Fresh::sqlite().await);
            let mut rest = &*batch;
            let mut sizes = cuts.iter().cycle();
            while !rest.is_empty() {
                let (part, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                grown.index.apply("n1", part).await.unwrap();
                rest = after;
            }
            rebuilt.index.apply("n1", &batch).await.unwrap();
            assert_eq!(contents(&grown.index).await, contents(&rebuilt.index).await);
            for word in WORDS {
                let filter = Filter { text: Query::parse(word).ok(), ..Filter::default() };
                let expected = found(&rebuilt.index, filter.clone()).await;
                assert_eq!(found(&grown.index, filter).await, expected, "{word}");
            }
        });
    }
}
