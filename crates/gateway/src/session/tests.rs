//! Sessions and handles belong to who got them, within their bounds.

use std::collections::BTreeMap;

use lockgate_model::{
    ConnectionName, Digest, Era, Identity, IdentityKind, Limits, Reason, RequestId, Revision,
    Timestamp, TokenFacts,
};

use super::{Awaited, Handle, Owner, Sessions};
use crate::upstream::SessionKey;

const REVISION: Revision = Revision::V2025_06_18;

fn who(issuer: &str, subject: &str, client: Option<&str>) -> Identity {
    Identity {
        issuer: issuer.to_owned(),
        kind: IdentityKind::Person,
        subject: subject.to_owned(),
        client: client.map(str::to_owned),
        groups: Vec::new(),
        claims: BTreeMap::new(),
        token: TokenFacts {
            id: Digest::from_bytes([0; 32]),
            jti: None,
            issued_at: None,
            expires_at: at(60_000),
            refused_from: at(60_000),
        },
    }
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(text: &str) -> ConnectionName {
    ConnectionName::new(text).unwrap()
}

fn recording() -> std::sync::Arc<crate::recording::Recording> {
    crate::recording::Recordings::default()
        .begin(&std::sync::Arc::new(who("corp", "ann", None)), &name("staff"), at(0))
        .unwrap()
}

fn key(text: &str) -> SessionKey {
    SessionKey::new(text).unwrap()
}

fn awaited(id: i64) -> Awaited {
    Awaited { id: RequestId::Number(id), method: "tools/call".into(), era: Era::Legacy }
}

#[test]
fn a_session_is_its_owners_alone_c4() {
    let sessions = Sessions::default();
    let alice = who("idp", "alice", Some("ide"));
    sessions
        .open(key("s"), Owner::new(&alice, &name("a")), REVISION, recording(), None, at(0))
        .unwrap();
    assert!(sessions.find(&key("s"), &alice, &name("a"), at(1)).is_some());
    for (other, connection) in [
        (who("idp", "bob", Some("ide")), "a"),
        (who("other", "alice", Some("ide")), "a"),
        (who("idp", "alice", Some("cli")), "a"),
        (who("idp", "alice", None), "a"),
        (alice.clone(), "b"),
    ] {
        assert!(sessions.find(&key("s"), &other, &name(connection), at(1)).is_none(), "{other:?}");
    }
    assert!(sessions.gives_ids(&name("a")) && !sessions.gives_ids(&name("b")), "C10");
    let again =
        sessions.open(key("s"), Owner::new(&alice, &name("a")), REVISION, recording(), None, at(0));
    assert_eq!(again.unwrap_err().reason, Reason::UpstreamInvalid);
}

#[test]
fn one_identity_has_a_bound_of_sessions_c9() {
    let sessions = Sessions::default();
    let limits = Limits { identity_sessions_max: 2, ..Limits::default() };
    let owner = Owner::new(&who("idp", "alice", None), &name("a"));
    for id in ["1", "2"] {
        sessions.admit(&owner, &limits).unwrap();
        sessions.open(key(id), owner.clone(), REVISION, recording(), None, at(0)).unwrap();
    }
    assert_eq!(sessions.admit(&owner, &limits).unwrap_err().reason, Reason::TooManySessions);
    sessions.admit(&Owner::new(&who("idp", "bob", None), &name("a")), &limits).unwrap();
    let session = sessions.find(&key("1"), &who("idp", "alice", None), &name("a"), at(0)).unwrap();
    sessions.close(&session);
    sessions.close(&session);
    sessions.admit(&owner, &limits).unwrap();
    assert_eq!(sessions.count(), 1);
}

#[test]
fn only_sessions_that_nobody_uses_are_idle() {
    let sessions = Sessions::default();
    let alice = who("idp", "alice", None);
    for id in ["old", "held", "new"] {
        sessions
            .open(key(id), Owner::new(&alice, &name("a")), REVISION, recording(), None, at(0))
            .unwrap();
    }
    let _held = sessions.find(&key("held"), &alice, &name("a"), at(0)).unwrap();
    drop(sessions.find(&key("new"), &alice, &name("a"), at(100)));
    let idle = sessions.take_idle(at(50));
    assert_eq!(idle.iter().map(|session| session.key.as_str()).collect::<Vec<_>>(), ["old"]);
    assert_eq!(sessions.count(), 2);
}

#[test]
fn requests_are_open_once_and_answered_once_j11_j20() {
    let sessions = Sessions::default();
    let alice = who("idp", "alice", None);
    sessions
        .open(key("s"), Owner::new(&alice, &name("a")), REVISION, recording(), None, at(0))
        .unwrap();
    let session = sessions.find(&key("s"), &alice, &name("a"), at(0)).unwrap();
    session.begin_call(awaited(1)).unwrap();
    assert_eq!(session.begin_call(awaited(1)).unwrap_err().reason, Reason::RpcInvalid);
    assert_eq!(session.awaited(&RequestId::Number(1)), Some(awaited(1)));
    session.end_call(&RequestId::Number(1));
    session.begin_call(awaited(1)).unwrap();
    let asked = RequestId::Text("q".into());
    assert!(!session.take_asked(&asked));
    assert!(session.ask(&asked) && !session.ask(&asked));
    assert!(session.take_asked(&asked) && !session.take_asked(&asked));
}

#[test]
fn events_are_remembered_within_their_session_c7() {
    let sessions = Sessions::default();
    let alice = who("idp", "alice", None);
    for id in ["s", "t"] {
        sessions
            .open(key(id), Owner::new(&alice, &name("a")), REVISION, recording(), None, at(0))
            .unwrap();
    }
    let find = |id| sessions.find(&key(id), &alice, &name("a"), at(0)).unwrap();
    find("s").note_event("e1");
    assert!(find("s").saw_event("e1") && !find("t").saw_event("e1"));
    (0..super::EVENT_IDS_MAX).for_each(|nth| find("s").note_event(&format!("x{nth}")));
    assert!(!find("s").saw_event("e1"), "the oldest is forgotten");
}

#[test]
fn handles_belong_to_who_got_them_c13() {
    let sessions = Sessions::default();
    let (alice, bob) = (who("idp", "alice", None), who("idp", "bob", None));
    sessions.bind(Handle::Task, "t1", Owner::new(&alice, &name("a")));
    assert!(sessions.owns(Handle::Task, "t1", &alice, &name("a")));
    assert!(!sessions.owns(Handle::Task, "t1", &bob, &name("a")));
    assert!(!sessions.owns(Handle::Task, "t1", &alice, &name("b")));
    assert!(!sessions.owns(Handle::State, "t1", &alice, &name("a")));
    assert!(!sessions.owns(Handle::Task, "t2", &alice, &name("a")));
}
