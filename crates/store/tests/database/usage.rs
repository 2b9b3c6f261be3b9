//! Who used what, and when last.

use lockgate_model::{Event, Reason, Verdict};
use serde_json::json;

use crate::{
    contract::Fresh,
    events::{at, decided, deny, intent, opened, records, refused},
};

pub(crate) async fn policies_are_counted_where_they_permit(fresh: Fresh) {
    let mut denied = intent(3, 1, json!(null));
    denied.verdict = deny(Reason::PolicyForbidden, "p2");
    let mut both = intent(2, 1, json!(null));
    both.verdict = Verdict::Allow { policies: vec!["p1".into(), "p3".into()] };
    let events = [decided(intent(1, 1, json!(null))), decided(both), decided(denied)];
    fresh.index.apply("n1", &records(events)).await.unwrap();
    let uses = fresh.index.policy_uses().await.unwrap();
    let uses: Vec<_> = uses.iter().map(|(id, one)| (id.as_str(), one.calls, one.last)).collect();
    assert_eq!(uses, [("p1", 2, at(2)), ("p3", 1, at(2))]);
}

pub(crate) async fn tokens_over_a_limit_are_counted_by_client(fresh: Fresh) {
    let over = |number, subject: &str, client: Option<&str>, facts: &[&str]| {
        let mut intent = intent(number, 1, json!(null));
        intent.subject = subject.into();
        intent.client = client.map(Into::into);
        intent.facts = facts.iter().map(|fact| (*fact).to_owned()).collect();
        decided(intent)
    };
    let events = [
        over(1, "alice", Some("ide"), &["token.lifetime"]),
        over(2, "alice", Some("ide"), &["token.lifetime", "sql.read"]),
        over(3, "bob", Some("ide"), &["token.lifetime", "token.age"]),
        over(4, "bob", None, &["token.age"]),
        over(5, "bob", Some("ide"), &["sql.read"]),
        refused(None, Reason::TokenLifetime),
        refused(None, Reason::TokenLifetime),
        refused(None, Reason::TokenExpired),
    ];
    fresh.index.apply("n1", &records(events)).await.unwrap();
    let found = fresh.index.long_tokens(at(0)).await.unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.client.as_deref(), &*one.limit, one.calls, one.subjects, one.last))
        .collect();
    let expected = [
        (None, "token.age", 1, 1, at(4)),
        (Some("ide"), "token.age", 1, 1, at(3)),
        (Some("ide"), "token.lifetime", 3, 2, at(3)),
    ];
    assert_eq!(found, expected);
    assert_eq!(fresh.index.long_tokens(at(4)).await.unwrap().len(), 1, "what came before");
    let refused = fresh.index.refused_tokens(at(0)).await.unwrap();
    let refused: Vec<_> = refused.iter().map(|one| (&*one.limit, one.requests, one.last)).collect();
    assert_eq!(refused, [("token.lifetime", 2, at(7))]);
}

pub(crate) async fn the_last_session_says_who_somebody_is(fresh: Fresh) {
    let promoted = match opened(3, "alice") {
        Event::Opened(mut opened) => {
            opened.groups = vec!["corp/ops".into()];
            Event::Opened(opened)
        }
        other => other,
    };
    let events = [opened(1, "alice"), opened(2, "bob"), promoted];
    fresh.index.apply("n1", &records(events)).await.unwrap();
    let seen = fresh.index.seen(at(0)).await.unwrap();
    let seen: Vec<_> =
        seen.iter().map(|one| (&*one.subject, one.groups.join(" "), one.last)).collect();
    let expected =
        [("alice", "corp/ops".to_owned(), at(3)), ("bob", "corp/all corp/dev".to_owned(), at(2))];
    assert_eq!(seen, expected);
    assert_eq!(fresh.index.seen(at(3)).await.unwrap().len(), 1, "who was there before");
}
