//! People and groups: changed from version to version, and seen in one order by whoever reads on.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use lockgate_model::{DirectoryNews, Timestamp};
use lockgate_store::directory::{By, Directory, DirectoryFault, Entry, Kind, Moves};

use crate::contract::Fresh;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn id(number: u128) -> String {
    format!("{number:032x}")
}

fn entry(kind: Kind, number: u128, name: &str) -> Entry {
    Entry {
        id: id(number),
        kind,
        issuer: "corp".into(),
        name: name.into(),
        label: name.to_lowercase(),
        external_id: Some(format!("x{number}")),
        revocation: None,
        resource: format!(r#"{{"n":{number}}}"#),
        version: 1,
        made: at(5),
        changed: at(5),
    }
}

fn user(number: u128, name: &str) -> Entry {
    entry(Kind::User, number, name)
}

fn group(number: u128, name: &str) -> Entry {
    entry(Kind::Group, number, name)
}

fn next(entry: &Entry) -> Entry {
    Entry { version: entry.version + 1, changed: at(9), ..entry.clone() }
}

fn joined(users: &[u128]) -> Moves {
    Moves { joined: users.iter().map(|user| id(*user)).collect(), left: Vec::new() }
}

fn left(users: &[u128]) -> Moves {
    Moves { left: users.iter().map(|user| id(*user)).collect(), joined: Vec::new() }
}

async fn open(fresh: &Fresh) -> Arc<Directory> {
    Arc::new(Directory::open(&fresh.place).await.unwrap())
}

async fn put(directory: &Directory, entries: &[Entry]) {
    for one in entries {
        directory.put(one, &Moves::default()).await.unwrap();
    }
}

pub(crate) async fn entries_are_found_as_they_were_put(fresh: Fresh) {
    let directory = open(&fresh).await;
    let (ann, bob) = (user(1, "Ann"), user(2, "bob"));
    put(&directory, &[ann.clone(), bob.clone(), group(3, "dba")]).await;
    directory.put(&next(&group(3, "dba")), &joined(&[1])).await.unwrap();
    let other = open(&fresh).await;
    let found = |by: Option<By>| {
        let other = Arc::clone(&other);
        async move { other.find("corp", Kind::User, by.as_ref(), 0, 10).await.unwrap() }
    };
    assert_eq!(found(None).await, [ann.clone(), bob.clone()]);
    assert_eq!(found(Some(By::Id(id(2)))).await, std::slice::from_ref(&bob));
    assert_eq!(found(Some(By::Label("ANN".into()))).await, std::slice::from_ref(&ann));
    assert_eq!(found(Some(By::Name("bob".into()))).await, std::slice::from_ref(&bob));
    assert!(found(Some(By::Name("Bob".into()))).await.is_empty());
    assert_eq!(found(Some(By::ExternalId("x2".into()))).await, [bob]);
    assert!(found(Some(By::ExternalId("X2".into()))).await.is_empty());
    let groups = other.find("corp", Kind::Group, Some(&By::Member(id(1))), 0, 10).await.unwrap();
    assert_eq!(groups, [next(&group(3, "dba"))]);
    assert!(
        other.find("corp", Kind::Group, Some(&By::Member(id(2))), 0, 10).await.unwrap().is_empty()
    );
    assert_eq!(other.members(&id(3)).await.unwrap(), [id(1)]);
    assert_eq!(other.count("corp", Kind::User).await.unwrap(), 2);
    assert_eq!(other.find("corp", Kind::User, None, 1, 1).await.unwrap()[0].name, "bob");
    // Another issuer has none of them.
    assert!(other.get("github", Kind::User, &id(1)).await.unwrap().is_none());
    assert!(other.get("corp", Kind::Group, &id(1)).await.unwrap().is_none());
    assert_eq!(other.get("corp", Kind::User, &id(1)).await.unwrap(), Some(ann));
}

pub(crate) async fn only_the_next_version_is_put_and_names_are_had_once(fresh: Fresh) {
    let directory = open(&fresh).await;
    put(&directory, &[user(1, "ann"), user(2, "bob"), group(3, "dba")]).await;
    let none = Moves::default();
    let taken = |fault| matches!(fault, Err(DirectoryFault::Taken(_)));
    assert!(taken(directory.put(&user(4, "ann"), &none).await));
    assert!(taken(directory.put(&Entry { name: "other".into(), ..user(4, "ANN") }, &none).await));
    assert!(taken(directory.put(&Entry { name: "ann".into(), ..user(4, "other") }, &none).await));
    assert!(taken(directory.put(&Entry { version: 2, ..user(2, "ann") }, &none).await));
    assert!(taken(directory.put(&group(4, "dba"), &none).await));
    // A group may be shown by a name that another has, where tokens name them otherwise.
    put(&directory, &[Entry { label: "dba".into(), ..group(5, "ops") }]).await;
    // A person and a group, and people of two issuers, don't meet.
    put(&directory, &[group(6, "ann"), Entry { issuer: "github".into(), ..user(7, "ann") }]).await;
    for version in [1, 3] {
        let stale = directory.put(&Entry { version, ..user(1, "ann") }, &none).await;
        assert!(matches!(stale, Err(DirectoryFault::Stale)), "{version}");
    }
    let foreign = Entry { issuer: "github".into(), version: 2, ..user(1, "eve") };
    assert!(matches!(directory.put(&foreign, &none).await, Err(DirectoryFault::Stale)));
    put(&directory, &[next(&user(1, "anna"))]).await;
    // A member that is not there, or not a person of this issuer, changes nothing at all.
    for who in [3, 7, 99] {
        let change = directory.since(0).await.unwrap().change;
        let gone = directory.put(&next(&group(3, "dba")), &joined(&[2, who])).await;
        assert!(matches!(gone, Err(DirectoryFault::Member(one)) if one == id(who)));
        assert_eq!(directory.since(change).await.unwrap().changed, []);
    }
    assert!(directory.members(&id(3)).await.unwrap().is_empty());
}

pub(crate) async fn what_is_removed_leaves_its_groups(fresh: Fresh) {
    let directory = open(&fresh).await;
    let out = Entry { revocation: Some("r1".into()), ..user(1, "ann") };
    put(&directory, &[out.clone(), user(2, "bob")]).await;
    directory.put(&group(3, "dba"), &joined(&[1, 2])).await.unwrap();
    directory.put(&group(4, "ops"), &joined(&[1])).await.unwrap();
    let before = directory.since(0).await.unwrap().change;
    directory.remove(&next(&out)).await.unwrap();
    assert!(matches!(directory.remove(&next(&out)).await, Err(DirectoryFault::Stale)));
    assert!(directory.get("corp", Kind::User, &id(1)).await.unwrap().is_none());
    assert_eq!(directory.members(&id(3)).await.unwrap(), [id(2)]);
    let changed = directory.since(before).await.unwrap().changed;
    let gone = DirectoryNews::User { id: 1, issuer: "corp".into(), subject: None };
    assert_eq!(changed[0], gone);
    for group in [3, 4] {
        assert!(changed.contains(&DirectoryNews::Member { group, user: 1, gone: true }));
    }
    assert_eq!(changed.len(), 3);
    // Who they were is known until it is forgotten, and the name is free.
    assert_eq!(directory.left_out("corp", "ann").await.unwrap(), ["r1"]);
    assert!(directory.left_out("github", "ann").await.unwrap().is_empty());
    put(&directory, &[user(5, "ann")]).await;
    directory.forget("corp", "ann").await.unwrap();
    assert!(directory.left_out("corp", "ann").await.unwrap().is_empty());
    let before = directory.since(0).await.unwrap().change;
    directory.remove(&next(&group(3, "dba"))).await.unwrap();
    let changed = directory.since(before).await.unwrap().changed;
    let gone = DirectoryNews::Group { id: 3, issuer: "corp".into(), name: None };
    assert_eq!(changed, [gone, DirectoryNews::Member { group: 3, user: 2, gone: true }]);
}

pub(crate) async fn who_reads_the_directory_on_misses_nothing(fresh: Fresh) {
    let (here, there) = (open(&fresh).await, open(&fresh).await);
    let people: Vec<u128> = (1..=40).collect();
    for number in &people {
        put(&here, &[user(*number, &format!("u{number}"))]).await;
    }
    let mut makers = tokio::task::JoinSet::new();
    for maker in 0..8_u128 {
        let directory = Arc::clone(if maker % 2 == 0 { &here } else { &there });
        let people = people.clone();
        makers.spawn(async move {
            let mut one = group(100 + maker, &format!("g{maker}"));
            directory.put(&one, &joined(&people)).await.unwrap();
            one = next(&one);
            directory.put(&one, &left(&people[..20])).await.unwrap();
        });
    }
    let mut ear = here.ear().await.unwrap();
    let (mut known, mut change, mut done) = (BTreeSet::new(), 0, false);
    loop {
        let news = here.since(change).await.unwrap();
        assert!(news.change >= change);
        change = news.change;
        for one in news.changed {
            match one {
                DirectoryNews::Member { group, user, gone: false } => {
                    known.insert((group, user));
                }
                DirectoryNews::Member { group, user, gone: true } => {
                    known.remove(&(group, user));
                }
                _ => {}
            }
        }
        if done {
            break;
        }
        done = makers.is_empty();
        drop(tokio::time::timeout(Duration::from_millis(1), makers.join_next()).await);
    }
    assert_eq!(known.len(), 8 * 20);
    tokio::time::timeout(Duration::from_secs(5), ear.hear()).await.expect("it rings").unwrap();
}
