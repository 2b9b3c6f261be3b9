//! The same question finds the same calls on both databases.

use lockgate_model::OutcomeStatus;
use lockgate_store::index::{Filter, Index, Query};
use serde_json::json;

use crate::{
    contract::Fresh,
    events::{call, decided, found, intent, message, outcome, records, records_from},
};

async fn hits(index: &Index, typed: &str) -> Vec<u64> {
    let text = Some(Query::parse(typed).unwrap());
    found(index, Filter { text, ..Filter::default() }).await
}

pub(crate) async fn words_phrases_and_beginnings(fresh: Fresh) {
    let index = &fresh.index;
    let texts = [
        "DROP TABLE users",                                      // 0
        "drop the other table",                                  // 1
        "Straße in München, 東京都庁",                           // 2
        "mail dba@example.org, see https://example.org/a/b?c=d", // 3
        "id 3e4567e8-0x1f -12.50 1e5 v2.0-rc1",                  // 4
        "it's a \"quoted\" thing; snake_case",                   // 5
        "queries quickly",                                       // 6
        "table",                                                 // 7, with `drop` in its answer
        "the and or not near",                                   // 8
    ];
    let calls = texts
        .iter()
        .enumerate()
        .map(|(number, text)| decided(intent(number as u64, 1, json!({"q": text}))));
    index.apply("n1", &records(calls)).await.unwrap();
    let more = [message(7, 1, "first drop"), outcome(7, 1, OutcomeStatus::Result, "second part")];
    index.apply("n1", &records_from(100, more)).await.unwrap();
    for (typed, expected) in [
        ("drop", &[0, 1, 7][..]),
        ("DROP table", &[0, 1, 7]),
        ("table drop", &[0, 1, 7]),
        ("\"drop table\"", &[0]),
        ("\"table drop\"", &[]),
        ("\"drop the\" table", &[1]),
        ("first second", &[7]),
        ("\"drop second\"", &[]),
        ("dro*", &[0, 1, 7]),
        ("dr op", &[]),
        ("\"drop tab\"*", &[0]),
        ("\"drop tab\"", &[]),
        ("user", &[]),
        ("user*", &[0]),
        ("straße", &[2]),
        ("STRASSE", &[]),
        ("münchen", &[2]),
        ("munchen", &[]),
        ("mün*", &[2]),
        ("東京", &[2]),
        ("京都", &[2]),
        ("東都", &[]),
        ("dba@example.org", &[3]),
        ("example", &[3]),
        ("example.org/a/b", &[3]),
        ("a/c", &[]),
        ("3e4567e8", &[4]),
        ("0x1f", &[4]),
        ("12.50", &[4]),
        ("12", &[4]),
        ("1e5", &[4]),
        ("1e*", &[4]),
        ("v2.0-rc1", &[4]),
        ("it's", &[5]),
        ("quoted", &[5]),
        ("snake", &[5]),
        ("snake_case", &[5]),
        ("q", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("q*", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("qu*", &[5, 6]),
        ("not near", &[8]),
        ("the", &[1, 8]),
        ("nothing-of-it", &[]),
    ] {
        assert_eq!(hits(index, typed).await, expected, "{typed}");
    }
}

pub(crate) async fn text_is_searched_up_to_its_limit(fresh: Fresh) {
    let index = &fresh.index;
    // 256 KB is the limit; the name of the member and the words before count.
    let mut words = String::with_capacity(300_000);
    let mut number = 0;
    while words.len() < 250_000 {
        words.push_str(&format!("w{number} "));
        number += 1;
    }
    index.apply("n1", &records([decided(intent(1, 1, json!({"q": words})))])).await.unwrap();
    let cut = async || index.call(&call(1)).await.unwrap().unwrap().text_cut;
    assert!(!cut().await);
    index.apply("n1", &records_from(2, [message(1, 1, "within")])).await.unwrap();
    assert!(!cut().await);
    let more = message(1, 1, &format!("{} beyond", "y ".repeat(10_000)));
    index.apply("n1", &records_from(3, [more])).await.unwrap();
    assert!(cut().await);
    index
        .apply("n1", &records_from(4, [outcome(1, 1, OutcomeStatus::Result, "after")]))
        .await
        .unwrap();
    for (typed, found) in [
        ("w0", true),
        ("w30000", true),
        ("within", true),
        ("y", true),
        ("beyond", false),
        ("after", false),
    ] {
        assert_eq!(hits(index, typed).await.len(), usize::from(found), "{typed}");
    }
}

pub(crate) async fn a_phrase_is_found_wherever_it_stands_in_a_long_text(fresh: Fresh) {
    let index = &fresh.index;
    // The same word many times, more than PostgreSQL keeps places of.
    let words: Vec<_> = (0..2_000).map(|n| format!("same w{n}")).collect();
    let text = words.join(" ");
    index.apply("n1", &records([decided(intent(1, 1, json!({"q": text})))])).await.unwrap();
    for first in (0..1_990).step_by(3) {
        let phrase = words[first..first + 8].join(" ");
        assert_eq!(hits(index, &format!("\"{phrase}\"")).await, [1], "{phrase}");
    }
    assert_eq!(hits(index, "\"w1 same w3\"").await, [0; 0]);
}
