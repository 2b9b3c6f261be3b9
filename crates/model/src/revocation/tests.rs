//! The list against the plain reading of each revocation, over every order of small words.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::{ClaimValue, Identity, IdentityKind, TokenFacts};

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0_i64..6).prop_map(Timestamp::from_millis)
}

fn digest() -> impl Strategy<Value = Digest> {
    (0_u8..3).prop_map(|n| Digest::from_bytes([n; 32]))
}

fn group() -> impl Strategy<Value = Group> {
    (word(), word()).prop_map(|(issuer, name)| Group { issuer, name })
}

fn target() -> impl Strategy<Value = Revoked> {
    prop_oneof![
        prop::option::of(word()).prop_map(|issuer| Revoked::Everyone { issuer }),
        (word(), word()).prop_map(|(issuer, subject)| Revoked::Subject { issuer, subject }),
        (word(), word()).prop_map(|(issuer, client)| Revoked::Client { issuer, client }),
        group().prop_map(Revoked::Group),
        (word(), word()).prop_map(|(issuer, sid)| Revoked::Login { issuer, sid }),
        (word(), word()).prop_map(|(issuer, jti)| Revoked::TokenId { issuer, jti }),
        digest().prop_map(Revoked::Token),
        word().prop_map(Revoked::Session),
        word().prop_map(|name| Revoked::Connection(ConnectionName::new(&name).unwrap())),
    ]
}

fn revocation() -> impl Strategy<Value = Revocation> {
    (0_u8..6, target(), prop::option::of(time()), prop::option::of(time())).prop_map(
        |(id, target, issued_until, until)| Revocation {
            id: id.to_string(),
            target,
            issued_until,
            reason: "x".into(),
            by: "local:x".into(),
            at: Timestamp::from_millis(0),
            until,
        },
    )
}

fn kept() -> impl Strategy<Value = KeptRevocation> {
    (revocation(), any::<bool>()).prop_map(|(revocation, lifted)| {
        let lift = || Lifted { by: "local:x".into(), at: Timestamp::from_millis(0) };
        KeptRevocation { revocation, lifted: lifted.then(lift) }
    })
}

fn identity() -> impl Strategy<Value = Identity> {
    let words = (word(), word(), prop::option::of(word()), prop::option::of(word()));
    let facts = (digest(), prop::option::of(word()), prop::option::of(time()));
    (words, prop::collection::vec(group(), 0..3), facts).prop_map(
        |((issuer, subject, client, sid), groups, (id, jti, issued_at))| Identity {
            issuer,
            kind: IdentityKind::Person,
            subject,
            client,
            groups,
            claims: BTreeMap::from_iter(sid.map(|sid| ("sid".into(), ClaimValue::Text(sid)))),
            token: TokenFacts {
                id,
                jti,
                issued_at,
                expires_at: Timestamp::from_millis(99),
                refused_from: Timestamp::from_millis(99),
            },
        },
    )
}

/// Whether a revocation is about this caller, whatever their token's time: the plain reading of what the
/// list looks up.
fn covers(
    target: &Revoked,
    who: &Identity,
    connection: Option<&ConnectionName>,
    session: Option<&str>,
) -> bool {
    let same = |issuer: &String| *issuer == who.issuer;
    match target {
        Revoked::Everyone { issuer } => issuer.as_ref().is_none_or(same),
        Revoked::Subject { issuer, subject } => same(issuer) && *subject == who.subject,
        Revoked::Client { issuer, client } => same(issuer) && who.client.as_ref() == Some(client),
        Revoked::Group(group) => who.groups.contains(group),
        Revoked::Login { issuer, sid } => same(issuer) && who.sid() == Some(sid.as_str()),
        Revoked::TokenId { issuer, jti } => same(issuer) && who.token.jti.as_ref() == Some(jti),
        Revoked::Token(digest) => *digest == who.token.id,
        Revoked::Session(id) => session == Some(id.as_str()),
        Revoked::Connection(name) => connection == Some(name),
    }
}

proptest! {
    /// What is looked up is what a plain reading of all that stand says.
    #[test]
    fn the_list_finds_what_a_plain_reading_finds(
        told in prop::collection::vec(kept(), 0..12),
        sweeps_at in prop::option::of(time()),
        who in identity(),
        connection in prop::option::of(word()),
        session in prop::option::of(word()),
        now in time(),
    ) {
        let connection = connection.map(|name| ConnectionName::new(&name).unwrap());
        let mut list = RevocationList::default();
        let mut plain = BTreeMap::new();
        for one in told {
            list.take(one.clone());
            plain.insert(one.revocation.id.clone(), one);
        }
        if let Some(at) = sweeps_at.filter(|at| *at <= now) {
            list.sweep(at);
        }
        let expected = plain.values().any(|one| {
            one.lifted.is_none()
                && one.revocation.applies(who.token.issued_at, now)
                && covers(&one.revocation.target, &who, connection.as_ref(), session.as_deref())
        });
        for one in plain.values() {
            let target = &one.revocation.target;
            let again = Revoked::of(target.kind(), &target.name());
            prop_assert_eq!(again.as_ref(), Ok(target));
        }
        let found = list.find(&who, connection.as_ref(), session.as_deref(), now);
        prop_assert_eq!(found.is_some(), expected);
    }
}

#[test]
fn a_later_login_is_let_in_where_only_old_tokens_are_out() {
    let at = |seconds| Some(Timestamp::from_seconds(seconds));
    let (now, line) = (Timestamp::from_seconds(100), at(50));
    let out = Revocation {
        id: "r1".into(),
        target: Revoked::Everyone { issuer: None },
        issued_until: line,
        reason: "keys were seen".into(),
        by: "local:ann".into(),
        at: Timestamp::from_seconds(50),
        until: at(200),
    };
    for (issued, refused) in [(at(49), true), (at(50), true), (at(51), false), (None, true)] {
        assert_eq!(out.applies(issued, now), refused, "{issued:?}");
    }
    assert!(!out.applies(at(49), Timestamp::from_seconds(200)), "its time is over");
}

#[test]
fn what_is_revoked_reads_as_it_is_written() {
    let person = Revoked::Subject { issuer: "corp".into(), subject: "ann".into() };
    assert_eq!(person.to_string(), "person corp/ann");
    assert_eq!(Revoked::Everyone { issuer: None }.to_string(), "everyone");
    let text = serde_json::to_string(&person).unwrap();
    assert_eq!(text, r#"{"subject":{"issuer":"corp","subject":"ann"}}"#);
    assert_eq!(serde_json::from_str::<Revoked>(&text).unwrap(), person);
}
