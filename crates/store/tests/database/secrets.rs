//! Sealed secrets: the next version only, one key that seals, and what is removed is gone.

use std::sync::Arc;

use lockgate_model::Timestamp;
use lockgate_store::{
    db::DbPlace,
    secrets::{
        LIVE_MS, NewSecret, PAGE_MAX, Rewrapped, SecretRow, Secrets, SecretsFault, VaultNode,
        WrappedKey,
    },
};

use crate::contract::Fresh;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn new(name: &str, version: u64) -> NewSecret<'_> {
    NewSecret {
        name,
        version,
        connection: None,
        sealing_key: "k1",
        sealed: "c2VhbGVk",
        description: "",
        author: "local:ann",
        now: at(5),
    }
}

async fn open(fresh: &Fresh) -> Arc<Secrets> {
    Arc::new(Secrets::open(&fresh.place).await.unwrap())
}

async fn names(secrets: &Secrets) -> Vec<String> {
    secrets.page("").await.unwrap().into_iter().map(|row| row.name).collect()
}

pub(crate) async fn a_secret_comes_back_as_it_was_put(fresh: Fresh) {
    let secrets = open(&fresh).await;
    assert_eq!(
        (secrets.find("a").await.unwrap(), secrets.sealing_key().await.unwrap()),
        (None, None)
    );
    let sealed = "A".repeat(90_000);
    let first = NewSecret { sealed: &sealed, ..new("a", 1) };
    secrets.put(&first).await.unwrap();
    let expected = SecretRow {
        name: "a".into(),
        version: 1,
        connection: None,
        sealing_key: Some("k1".into()),
        sealed: Some(sealed.clone()),
        description: String::new(),
        author: "local:ann".into(),
        created: at(5),
        updated: at(5),
    };
    assert_eq!(secrets.find("a").await.unwrap().as_ref(), Some(&expected));
    let second = NewSecret {
        connection: Some("staff"),
        description: "for the staff server",
        author: "local:bob",
        now: at(9),
        ..new("a", 2)
    };
    secrets.put(&second).await.unwrap();
    let expected = SecretRow {
        version: 2,
        connection: Some("staff".into()),
        sealed: Some("c2VhbGVk".into()),
        description: "for the staff server".into(),
        author: "local:bob".into(),
        updated: at(9),
        ..expected
    };
    assert_eq!(secrets.find("a").await.unwrap(), Some(expected));
    assert_eq!(secrets.keys().await.unwrap(), [("k1".to_owned(), 1)]);
    assert_eq!(secrets.sealing_key().await.unwrap().as_deref(), Some("k1"));
}

pub(crate) async fn only_the_next_version_is_put(fresh: Fresh) {
    let secrets = open(&fresh).await;
    for wrong in [2, 0, 9] {
        let put = secrets.put(&new("a", wrong)).await;
        assert!(matches!(put, Err(SecretsFault::Overtaken)), "{wrong}: {put:?}");
    }
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let secrets = Arc::clone(&secrets);
            tokio::spawn(async move { secrets.put(&new("a", 1)).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    assert_eq!(won, 1);
    for wrong in [1, 3] {
        let put = secrets.put(&new("a", wrong)).await;
        assert!(matches!(put, Err(SecretsFault::Overtaken)), "{wrong}: {put:?}");
    }
    secrets.put(&new("a", 2)).await.unwrap();
}

pub(crate) async fn what_is_removed_is_gone_and_counts_on(fresh: Fresh) {
    let secrets = open(&fresh).await;
    secrets.put(&new("a", 1)).await.unwrap();
    secrets.put(&new("b", 1)).await.unwrap();
    let stale = secrets.remove("a", 2, "local:bob", at(7)).await;
    assert!(matches!(stale, Err(SecretsFault::Overtaken)), "{stale:?}");
    secrets.remove("a", 1, "local:bob", at(7)).await.unwrap();
    let again = secrets.remove("a", 1, "local:bob", at(7)).await;
    assert!(matches!(again, Err(SecretsFault::Overtaken)), "{again:?}");
    let row = secrets.find("a").await.unwrap().unwrap();
    assert_eq!((row.version, row.sealed, row.sealing_key), (1, None, None));
    assert_eq!((row.author, row.created, row.updated), ("local:bob".into(), at(5), at(7)));
    assert_eq!(names(&secrets).await, ["b"]);
    let first = secrets.put(&new("a", 1)).await;
    assert!(matches!(first, Err(SecretsFault::Overtaken)), "an old version could come back");
    secrets.put(&new("a", 2)).await.unwrap();
    assert_eq!(names(&secrets).await, ["a", "b"]);
}

pub(crate) async fn one_key_seals(fresh: Fresh) {
    let secrets = open(&fresh).await;
    for name in ["a", "b", "c"] {
        secrets.put(&new(name, 1)).await.unwrap();
    }
    secrets.remove("c", 1, "local:ann", at(6)).await.unwrap();
    let stale = secrets.seal_under("k0", "k2").await;
    assert!(matches!(stale, Err(SecretsFault::Key(_))), "{stale:?}");
    secrets.seal_under("k1", "k2").await.unwrap();
    let late = secrets.put(&new("a", 2)).await;
    assert!(matches!(late, Err(SecretsFault::Key(ref key)) if key == "k1"), "{late:?}");

    let rows = secrets.not_under("k2").await.unwrap();
    assert_eq!(rows.len(), 2);
    // Changed under our hands: what was made from the version before is not put.
    secrets.put(&NewSecret { sealing_key: "k2", ..new("b", 2) }).await.unwrap();
    let again = |before| Rewrapped { before, sealing_key: "k2", sealed: "YWdhaW4".into() };
    let all: Vec<_> = rows.iter().map(again).collect();
    assert_eq!(secrets.rewrap(&all).await.unwrap(), 1);
    assert_eq!(secrets.rewrap(&all).await.unwrap(), 0);
    assert_eq!(secrets.not_under("k2").await.unwrap(), []);
    assert_eq!(secrets.keys().await.unwrap(), [("k2".to_owned(), 2)]);
    let (a, b) = (secrets.find("a").await.unwrap(), secrets.find("b").await.unwrap());
    assert_eq!(a.unwrap().sealed.as_deref(), Some("YWdhaW4"));
    assert_eq!(b.unwrap().sealed.as_deref(), Some("c2VhbGVk"));
}

/// Whoever seals while a rotation begins either comes before it, and is found by it, or is told.
pub(crate) async fn nothing_slips_behind_a_rotation(fresh: Fresh) {
    let secrets = open(&fresh).await;
    secrets.put(&new("first", 1)).await.unwrap();
    let other = open(&fresh).await;
    let writers: Vec<_> = (0..16)
        .map(|number| {
            let other = Arc::clone(&other);
            tokio::spawn(async move { other.put(&new(&format!("s{number}"), 1)).await.is_ok() })
        })
        .collect();
    secrets.seal_under("k1", "k2").await.unwrap();
    let found_at_once = secrets.not_under("k2").await.unwrap().len();
    let mut put = 1;
    for writer in writers {
        put += usize::from(writer.await.unwrap());
    }
    assert_eq!(
        found_at_once, put,
        "a secret was sealed under the old key after the rotation began"
    );
}

pub(crate) async fn pages_go_through_all_names(fresh: Fresh) {
    let secrets = open(&fresh).await;
    for number in 0..PAGE_MAX + 3 {
        secrets.put(&new(&format!("s{number:04}"), 1)).await.unwrap();
    }
    let first = secrets.page("").await.unwrap();
    let rest = secrets.page(&first.last().unwrap().name).await.unwrap();
    assert_eq!((first.len(), rest.len()), (PAGE_MAX as usize, 3));
    assert!(secrets.page(&rest[2].name).await.unwrap().is_empty());
}

#[tokio::test]
async fn removed_texts_leave_no_bytes() {
    let fresh = Fresh::sqlite().await;
    let DbPlace::Sqlite(file) = &fresh.place else { panic!("a file") };
    let secrets = open(&fresh).await;
    let text = "zzsealedtextzz".repeat(9);
    secrets.put(&NewSecret { sealed: &text, ..new("a", 1) }).await.unwrap();
    let hits = || {
        let mut bytes = std::fs::read(file).unwrap();
        bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
        bytes.windows(14).filter(|part| part == b"zzsealedtextzz").count()
    };
    assert!(hits() > 0, "the test sees nothing");
    secrets.remove("a", 1, "local:ann", at(6)).await.unwrap();
    secrets.close().await;
    assert_eq!(hits(), 0);
}

pub(crate) async fn of_two_wrapped_keys_of_one_number_one_is_put(fresh: Fresh) {
    let (secrets, other) = (open(&fresh).await, open(&fresh).await);
    let key = |id: &str, number| WrappedKey {
        id: id.into(),
        place: "transit:lockgate".into(),
        number,
        wrapped: format!("vault:v1:{}", id.repeat(300)),
    };
    assert_eq!(secrets.wrapped_keys().await.unwrap(), []);
    let (one, two) = (key("a", 1), key("b", 1));
    let (one, two) =
        tokio::join!(secrets.add_wrapped_key(&one, at(1)), other.add_wrapped_key(&two, at(2)));
    assert!(one.unwrap() != two.unwrap());
    // Nor one that is there already, under another number.
    let first = secrets.wrapped_keys().await.unwrap().remove(0);
    assert!(!secrets.add_wrapped_key(&key(&first.id, 2), at(3)).await.unwrap());
    assert!(secrets.add_wrapped_key(&key("c", 2), at(3)).await.unwrap());
    assert_eq!(secrets.wrapped_keys().await.unwrap(), [first.clone(), key("c", 2)]);
    assert!(secrets.forget_wrapped_key(&first.id).await.unwrap());
    assert!(!secrets.forget_wrapped_key(&first.id).await.unwrap());
    assert_eq!(other.wrapped_keys().await.unwrap(), [key("c", 2)]);
}

pub(crate) async fn gateways_that_say_nothing_are_gone(fresh: Fresh) {
    let secrets = open(&fresh).await;
    let node = |instance: &str, keys: &[&str]| VaultNode {
        instance: instance.into(),
        node: format!("gateway-{instance}"),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    assert_eq!(secrets.nodes(at(0)).await.unwrap(), []);
    secrets.announce(&node("b", &["k1"]), at(LIVE_MS)).await.unwrap();
    secrets.announce(&node("a", &["k1"]), at(LIVE_MS + 5)).await.unwrap();
    secrets.announce(&node("b", &["k1", "k2"]), at(LIVE_MS + 7)).await.unwrap();
    let both = [node("a", &["k1"]), node("b", &["k1", "k2"])];
    assert_eq!(secrets.nodes(at(2 * LIVE_MS + 5)).await.unwrap(), both);
    assert_eq!(secrets.nodes(at(2 * LIVE_MS + 6)).await.unwrap(), both[1..]);
    // Who announces itself late is there again, and takes those away that are not.
    secrets.announce(&node("a", &["k2"]), at(3 * LIVE_MS)).await.unwrap();
    assert_eq!(secrets.nodes(at(0)).await.unwrap(), [node("a", &["k2"])]);
}
