//! Users' grants: the next version only, one who renews it, and a rotation that reaches them.

use lockgate_model::Timestamp;
use lockgate_store::secrets::{
    GrantOf, NewGrant, NewSecret, Rewrapped, SealedOf, Secrets, SecretsFault,
};

use crate::contract::Fresh;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn of(holder: &str) -> GrantOf {
    GrantOf { holder: holder.into(), connection: "staff".into() }
}

fn new(of: &GrantOf, version: u64) -> NewGrant<'_> {
    NewGrant {
        of,
        place: "p1",
        version,
        claimant: None,
        sealing_key: "k1",
        sealed: "c2VhbGVk",
        renew_at: at(75),
        ends: at(100),
        now: at(5),
    }
}

async fn open(fresh: &Fresh) -> Secrets {
    Secrets::open(&fresh.place).await.unwrap()
}

fn is_overtaken(put: &Result<(), SecretsFault>) -> bool {
    matches!(put, Err(SecretsFault::Overtaken))
}

pub(crate) async fn a_grant_is_put_found_and_removed(fresh: Fresh) {
    let (grants, ann, bob) = (open(&fresh).await, of("ann"), of("bob"));
    assert_eq!(grants.find_grant(&ann).await.unwrap(), None);
    assert!(is_overtaken(&grants.put_grant(&new(&ann, 2)).await));
    grants.put_grant(&new(&ann, 1)).await.unwrap();
    assert!(is_overtaken(&grants.put_grant(&new(&ann, 1)).await));
    assert_eq!(grants.find_grant(&bob).await.unwrap(), None, "somebody else's");
    let elsewhere = GrantOf { connection: "other".into(), ..ann.clone() };
    assert_eq!(grants.find_grant(&elsewhere).await.unwrap(), None, "another connection's");
    let sealed = "B".repeat(90_000);
    let second = NewGrant { sealed: &sealed, place: "p2", ends: at(200), ..new(&ann, 2) };
    grants.put_grant(&second).await.unwrap();
    let row = grants.find_grant(&ann).await.unwrap().unwrap();
    assert_eq!((row.version, row.sealed, &*row.place), (2, Some(sealed), "p2"));
    assert_eq!((row.renew_at, row.ends, row.created), (at(75), at(200), at(5)));
    assert!(!grants.remove_grant(&ann, 1, at(9)).await.unwrap(), "an older version");
    assert!(grants.remove_grant(&ann, 2, at(9)).await.unwrap());
    assert!(!grants.remove_grant(&ann, 2, at(9)).await.unwrap());
    let row = grants.find_grant(&ann).await.unwrap().unwrap();
    assert_eq!((row.version, row.sealed), (2, None));
    assert!(!grants.claim_grant(&ann, 2, "a", at(0), at(9)).await.unwrap(), "there is none");
    assert!(is_overtaken(&grants.put_grant(&new(&ann, 1)).await), "an old one could come back");
    grants.put_grant(&NewGrant { now: at(11), ..new(&ann, 3) }).await.unwrap();
    assert_eq!(grants.find_grant(&ann).await.unwrap().unwrap().created, at(11), "given anew");
    assert!(grants.claim_grant(&ann, 3, "a", at(12), at(20)).await.unwrap());
    let renewed = NewGrant { claimant: Some("a"), now: at(13), ..new(&ann, 4) };
    grants.put_grant(&renewed).await.unwrap();
    assert_eq!(grants.find_grant(&ann).await.unwrap().unwrap().created, at(11), "renewed");
}

pub(crate) async fn grants_are_gone_through(fresh: Fresh) {
    let (grants, ann, bob) = (open(&fresh).await, of("ann"), of("bob"));
    assert_eq!(grants.grants_after(None).await.unwrap(), []);
    let elsewhere = GrantOf { connection: "other".into(), ..bob.clone() };
    for of in [&bob, &ann, &elsewhere] {
        grants.put_grant(&new(of, 1)).await.unwrap();
    }
    let of = |page: Vec<(GrantOf, _)>| page.into_iter().map(|(of, _)| of).collect::<Vec<_>>();
    let all = [ann.clone(), elsewhere.clone(), bob.clone()];
    assert_eq!(of(grants.grants_after(None).await.unwrap()), all);
    assert_eq!(
        of(grants.grants_after(Some(&elsewhere)).await.unwrap()),
        std::slice::from_ref(&bob)
    );
    assert!(grants.remove_grant(&elsewhere, 1, at(9)).await.unwrap());
    assert_eq!(of(grants.grants_after(Some(&ann)).await.unwrap()), std::slice::from_ref(&bob));
    assert_eq!(of(grants.grants_after(Some(&bob)).await.unwrap()), []);
}

pub(crate) async fn one_process_renews_a_grant(fresh: Fresh) {
    let (one, other, ann) = (open(&fresh).await, open(&fresh).await, of("ann"));
    one.put_grant(&new(&ann, 1)).await.unwrap();
    let (a, b) = tokio::join!(
        one.claim_grant(&ann, 1, "a", at(10), at(40)),
        other.claim_grant(&ann, 1, "b", at(10), at(40)),
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a != b, "{a} {b}");
    let (winner, loser) = if a { ("a", "b") } else { ("b", "a") };
    assert!(!one.claim_grant(&ann, 1, loser, at(39), at(70)).await.unwrap());
    let put = |claimant| NewGrant { claimant: Some(claimant), ..new(&ann, 2) };
    assert!(is_overtaken(&one.put_grant(&put(loser)).await));
    one.release_grant(&ann, loser).await.unwrap();
    assert!(!one.claim_grant(&ann, 1, loser, at(39), at(70)).await.unwrap(), "not theirs to end");
    // Who died in the middle keeps it to the end of the claim; comes it back then, it is too late.
    assert!(one.claim_grant(&ann, 1, loser, at(40), at(70)).await.unwrap());
    assert!(is_overtaken(&one.put_grant(&put(winner)).await));
    one.put_grant(&put(loser)).await.unwrap();
    assert!(!one.claim_grant(&ann, 1, winner, at(90), at(99)).await.unwrap(), "an old version");
    assert!(one.claim_grant(&ann, 2, winner, at(41), at(70)).await.unwrap(), "the claim has ended");
    one.release_grant(&ann, winner).await.unwrap();
    assert!(one.claim_grant(&ann, 2, loser, at(42), at(70)).await.unwrap());
    // A user who consents again waits for nobody, and whoever renews the old one is too late.
    one.put_grant(&new(&ann, 3)).await.unwrap();
    let late = NewGrant { claimant: Some(loser), ..new(&ann, 4) };
    assert!(is_overtaken(&one.put_grant(&late).await));
}

pub(crate) async fn a_rotation_reaches_grants(fresh: Fresh) {
    let (grants, ann, bob) = (open(&fresh).await, of("ann"), of("bob"));
    for one in [&ann, &bob] {
        grants.put_grant(&new(one, 1)).await.unwrap();
    }
    let secret = NewSecret {
        name: "ann",
        version: 1,
        connection: None,
        sealing_key: "k1",
        sealed: "c2VjcmV0",
        description: "",
        author: "local:ann",
        now: at(5),
    };
    grants.put(&secret).await.unwrap();
    assert_eq!(grants.keys().await.unwrap(), [("k1".to_owned(), 3)]);
    grants.seal_under("k1", "k2").await.unwrap();
    let late = grants.put_grant(&new(&ann, 2)).await;
    assert!(matches!(late, Err(SecretsFault::Key(ref key)) if key == "k1"), "{late:?}");
    let rows = grants.not_under("k2").await.unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().any(|row| row.of == SealedOf::Grant(ann.clone())));
    // Removed under our hands: what was made from it is not put.
    grants.remove_grant(&bob, 1, at(6)).await.unwrap();
    let again = |before| Rewrapped { before, sealing_key: "k2", sealed: "YWdhaW4".into() };
    let all: Vec<_> = rows.iter().map(again).collect();
    assert_eq!(grants.rewrap(&all).await.unwrap(), 2);
    assert_eq!(grants.keys().await.unwrap(), [("k2".to_owned(), 2)]);
    let sealed = |row: Option<String>| row.unwrap();
    assert_eq!(sealed(grants.find_grant(&ann).await.unwrap().unwrap().sealed), "YWdhaW4");
    assert_eq!(sealed(grants.find("ann").await.unwrap().unwrap().sealed), "YWdhaW4");
    assert_eq!(grants.find_grant(&bob).await.unwrap().unwrap().sealed, None);
}
