//! Registered connections: every version with its author, changed all or none, and only from the version
//! before.

use std::sync::Arc;

use lockgate_model::{ConnectionName, Timestamp};
use lockgate_store::connections::{
    CONNECTIONS_MAX, ConnectionChange, ConnectionRow, Connections, ConnectionsFault,
    SETTINGS_MAX_BYTES,
};

use crate::contract::Fresh;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn put(name: &str, before: u64, settings: &str) -> ConnectionChange {
    let name = ConnectionName::new(name).unwrap();
    ConnectionChange { name, before, settings: Some(settings.to_owned()) }
}

fn remove(name: &str, before: u64) -> ConnectionChange {
    ConnectionChange { name: ConnectionName::new(name).unwrap(), before, settings: None }
}

fn row(name: &str, version: u64, settings: Option<&str>, author: &str, ms: i64) -> ConnectionRow {
    ConnectionRow {
        name: name.to_owned(),
        version,
        settings: settings.map(str::to_owned),
        author: author.to_owned(),
        applied: false,
        changed: at(ms),
    }
}

async fn open(fresh: &Fresh) -> Arc<Connections> {
    Arc::new(Connections::open(&fresh.place).await.unwrap())
}

pub(crate) async fn every_version_is_kept(fresh: Fresh) {
    let connections = open(&fresh).await;
    assert_eq!(
        (connections.changes().await.unwrap(), connections.all().await.unwrap().rows),
        (0, vec![])
    );
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(9_000));
    connections.change(&[put("b", 0, &long)], "local:ann", false, at(5)).await.unwrap();
    connections.change(&[put("a", 0, "{}")], "local:ann", false, at(6)).await.unwrap();
    connections.change(&[put("b", 1, "{}")], "local:bob", false, at(7)).await.unwrap();
    connections.change(&[remove("b", 2)], "local:bob", false, at(8)).await.unwrap();
    let all = connections.all().await.unwrap();
    assert_eq!(all.changes, 4);
    assert_eq!(
        all.rows,
        [row("a", 1, Some("{}"), "local:ann", 6), row("b", 3, None, "local:bob", 8)]
    );
    // What was removed counts on when it comes back.
    connections.change(&[put("b", 3, "{}")], "local:ann", false, at(9)).await.unwrap();
    let history = connections.history(&ConnectionName::new("b").unwrap()).await.unwrap();
    assert_eq!(
        history,
        [
            row("b", 4, Some("{}"), "local:ann", 9),
            row("b", 3, None, "local:bob", 8),
            row("b", 2, Some("{}"), "local:bob", 7),
            row("b", 1, Some(&long), "local:ann", 5),
        ]
    );
    // Another process sees the same.
    assert_eq!(open(&fresh).await.all().await.unwrap(), connections.all().await.unwrap());
}

pub(crate) async fn a_change_names_the_version_before(fresh: Fresh) {
    let connections = open(&fresh).await;
    connections.change(&[put("a", 0, "{}")], "local:ann", false, at(5)).await.unwrap();
    for wrong in [put("a", 0, "[]"), put("a", 2, "[]"), put("b", 1, "[]"), remove("a", 0)] {
        let changed =
            connections.change(std::slice::from_ref(&wrong), "local:bob", false, at(6)).await;
        assert!(
            matches!(&changed, Err(ConnectionsFault::Overtaken(name)) if *name == wrong.name),
            "{wrong:?}: {changed:?}"
        );
    }
    let all = connections.all().await.unwrap();
    assert_eq!((all.changes, all.rows), (1, vec![row("a", 1, Some("{}"), "local:ann", 5)]));
}

pub(crate) async fn several_are_changed_all_or_none(fresh: Fresh) {
    let connections = open(&fresh).await;
    connections.change(&[put("a", 0, "{}")], "local:ann", false, at(5)).await.unwrap();
    let stale = [put("b", 0, "{}"), remove("a", 1), put("c", 4, "{}")];
    let changed = connections.change(&stale, "local:bob", false, at(6)).await;
    assert!(matches!(changed, Err(ConnectionsFault::Overtaken(_))), "{changed:?}");
    let all = connections.all().await.unwrap();
    assert_eq!((all.changes, all.rows.len()), (1, 1));
    let whole = [put("b", 0, "{}"), remove("a", 1), put("c", 0, "{}")];
    connections.change(&whole, "local:bob", false, at(6)).await.unwrap();
    let all = connections.all().await.unwrap();
    let live: Vec<_> = all.rows.iter().filter(|row| row.settings.is_some()).collect();
    assert_eq!((all.changes, live.len(), all.rows.len()), (2, 2, 3));
}

pub(crate) async fn of_many_at_once_one_wins(fresh: Fresh) {
    let first = open(&fresh).await;
    let second = open(&fresh).await;
    let racers: Vec<_> = (0..16_u32)
        .map(|number| {
            let connections = Arc::clone(if number % 2 == 0 { &first } else { &second });
            tokio::spawn(async move {
                let change = put("a", 0, &format!("[{number}]"));
                connections.change(&[change], "local:ann", false, at(5)).await.is_ok()
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    assert_eq!((won, first.changes().await.unwrap()), (1, 1));
}

pub(crate) async fn what_was_applied_is_told(fresh: Fresh) {
    let connections = open(&fresh).await;
    let documents = [put("a", 0, "[1]"), put("b", 0, "[2]")];
    connections.change(&documents, "local:ann", true, at(5)).await.unwrap();
    connections.change(&[put("a", 1, "[3]")], "idp/bob", false, at(6)).await.unwrap();
    connections.change(&[put("c", 0, "[4]")], "idp/bob", false, at(7)).await.unwrap();
    let applied = |name, settings| ConnectionRow {
        applied: true,
        ..row(name, 1, Some(settings), "local:ann", 5)
    };
    assert_eq!(connections.applied().await.unwrap(), [applied("a", "[1]"), applied("b", "[2]")]);
}

pub(crate) async fn there_are_limits(fresh: Fresh) {
    let connections = open(&fresh).await;
    let fits = "x".repeat(SETTINGS_MAX_BYTES);
    connections.change(&[put("a", 0, &fits)], "local:ann", false, at(5)).await.unwrap();
    let over = format!("{fits}x");
    let changed = connections.change(&[put("a", 1, &over)], "local:ann", false, at(6)).await;
    assert!(matches!(changed, Err(ConnectionsFault::TooLarge(_))), "{changed:?}");
    let rest: Vec<_> =
        (1..CONNECTIONS_MAX).map(|number| put(&format!("c{number}"), 0, "{}")).collect();
    connections.change(&rest, "local:ann", false, at(7)).await.unwrap();
    let changed = connections.change(&[put("z", 0, "{}")], "local:ann", false, at(8)).await;
    assert!(matches!(changed, Err(ConnectionsFault::Full)), "{changed:?}");
    let swap = [remove("a", 1), put("z", 0, "{}")];
    connections.change(&swap, "local:ann", false, at(9)).await.unwrap();
}
