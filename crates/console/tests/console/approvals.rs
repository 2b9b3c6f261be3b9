//! Questions to people: who sees them, whose answer counts, and what an answer is about.

use http::StatusCode;
use lockgate_model::{
    Act, ApprovalStep, ConnectionName, Digest, Event, State, Subject, Terms, canonical,
};
use lockgate_store::pins::{Pin, PinKind, Pins};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::rig::{Answer, Rig, call, intent, now, opened};

const LEADS: &str = "corp/leads";
/// The definition that was called.
const CALLED: Digest = Digest::from_bytes([7; 32]);

fn arguments() -> Value {
    json!({ "table": "orders", "limit": 5, "note": "plain" })
}

fn digest(arguments: &Value) -> Digest {
    Digest::from_bytes(Sha256::digest(canonical(arguments)).into())
}

/// A rig in which somebody asks `groups` about a call.
async fn asked(by: &str, groups: &[&str], quorum: u32, arguments: &Value) -> (Rig, String) {
    let (rig, id) = just_asked(by, groups, quorum, arguments).await;
    rig.catch_up().await;
    (rig, id)
}

/// The same, a moment before the call is indexed.
async fn just_asked(by: &str, groups: &[&str], quorum: u32, arguments: &Value) -> (Rig, String) {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    let Event::Intent(mut asks) = intent(1, 1, "db", "x") else { panic!("an intent") };
    asks.arguments = arguments.clone();
    asks.facts = vec!["sql.write".into()];
    asks.token_issued_at = Some(now().plus_millis(-180_000));
    rig.append(&Event::Intent(asks));
    let subject = Subject {
        issuer: "corp".into(),
        subject: by.into(),
        client: Some("ide".into()),
        connection: "db".into(),
        action: "call_tool".into(),
        target: "query".into(),
        definition: Some(CALLED),
        arguments: digest(arguments),
        policies: vec!["writes".into()],
    };
    let terms = Terms {
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        quorum,
        reason: Some("writes are held".into()),
        answer_by: now().plus_millis(60_000),
        grant_ms: 600_000,
    };
    let id = format!("a{:032x}", 1);
    let asked = rig.approvals.ask(&id, &subject, &terms, &call(1), now(), 10).await;
    (rig, asked.unwrap().approval.id)
}

fn yes() -> String {
    json!({ "arguments_digest": digest(&arguments()) }).to_string()
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.code())
}

fn steps(rig: &Rig) -> Vec<(String, ApprovalStep)> {
    let events = rig.events().into_iter();
    let steps = events.filter_map(|(_, event)| match event {
        Event::Approval(approval) => Some((approval.by, approval.step)),
        _ => None,
    });
    steps.collect()
}

#[tokio::test]
async fn the_description_is_that_of_the_definition_that_is_called() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let (path, connection) = (format!("/approvals/{id}"), ConnectionName::new("db").unwrap());
    for (definition, shown) in [
        (
            json!({ "name": "query", "description": "Runs a query.\u{202e}" }),
            json!("Runs a query.\u{202e}"),
        ),
        (json!({ "name": "query", "description": "Another." }), Value::Null),
        (json!({ "name": "query" }), Value::Null),
    ] {
        let pin = Pin {
            kind: PinKind::Tool,
            name: "query".into(),
            // What is accepted now is another definition than the one that was called.
            digest: if definition["description"] == "Another." {
                digest(&definition)
            } else {
                CALLED
            },
            definition,
        };
        rig.pins.save(&connection, &Pins { instructions: None, definitions: vec![pin] }).unwrap();
        assert_eq!(rig.get(&path, "approver").await.json()["description"], shown);
    }
    std::fs::write(rig.pins.file(&connection), "no pins").unwrap();
    assert_eq!(rig.get(&path, "approver").await.json()["description"], Value::Null);
}

#[tokio::test]
async fn a_reviewer_who_is_quicker_than_the_index_sees_the_same() {
    let (rig, id) = just_asked("person-1", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}");
    let early = rig.get(&path, "approver").await.json();
    assert_eq!(early["arguments"], arguments());
    rig.catch_up().await;
    assert_eq!(rig.get(&path, "approver").await.json(), early);
}

#[tokio::test]
async fn a_reviewer_sees_every_byte_and_their_yes_is_on_record() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}");
    let shown = rig.get(&path, "approver").await.json();
    assert_eq!(shown["arguments"], arguments());
    let text = shown["canonical"].as_str().unwrap();
    let covered = Digest::from_bytes(Sha256::digest(text).into()).to_string();
    assert_eq!(shown["approval"]["arguments_digest"], covered);
    assert_eq!(shown["facts"], json!(["sql.write"]));
    assert_eq!(shown["token_age_s"], 180);
    assert_eq!(shown["approval"]["yours"], true);
    assert!(shown["warnings"].as_array().unwrap().is_empty(), "{shown}");

    let answered = rig.post(&format!("{path}/approve"), "approver", &yes()).await;
    assert_eq!(answered.status, StatusCode::OK, "{}", answered.json());
    assert_eq!(answered.json()["state"], "approved");
    assert_eq!(answered.json()["votes"][0]["by"], "corp/approver");
    let step = ApprovalStep::Approve { until: None };
    assert_eq!(steps(&rig), [("corp/approver".to_owned(), step)]);
    let viewed = rig.events().into_iter().any(|(_, event)| {
        matches!(event, Event::Viewed(viewed) if viewed.how == "approval" && viewed.detail.contains(&id))
    });
    assert!(viewed, "who looked is on record");
    // A5, A6: the end is the end.
    let again = rig.post(&format!("{path}/approve"), "approver", &yes()).await;
    assert_eq!(told(&again), (409, "approval.refused".into()));
}

#[tokio::test]
async fn a_reviewer_sees_what_differs_from_what_was_approved_before() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let shown = rig.get(&format!("/approvals/{id}"), "approver").await.json();
    assert_eq!((&shown["changed"], &shown["changed_own"]), (&Value::Null, &Value::Null));
    rig.post(&format!("/approvals/{id}/approve"), "approver", &yes()).await;
    let spent = rig.approvals.act(&id, &Act::Spend { call: call(1) }, now()).await.unwrap();

    let next = json!({ "table": "users", "limit": 5, "note": "plain" });
    let Event::Intent(mut asks) = intent(2, 2, "db", "x") else { panic!("an intent") };
    asks.arguments = next.clone();
    rig.append(&opened(2, "db"));
    rig.append(&Event::Intent(asks));
    rig.catch_up().await;
    let subject = Subject { subject: "person-2".into(), arguments: digest(&next), ..spent.subject };
    let id = format!("a{:032x}", 2);
    let (terms, later) = (spent.terms, now().plus_millis(5));
    rig.approvals.ask(&id, &subject, &terms, &call(2), later, 10).await.unwrap();
    let shown = rig.get(&format!("/approvals/{id}"), "approver").await.json();
    let place = json!([{ "pointer": "/table", "before": "orders", "now": "users" }]);
    assert_eq!((&shown["changed"], &shown["changed_own"]), (&place, &Value::Null));
    assert_eq!(shown["approved_before"], 1);
}

#[tokio::test]
async fn a11_who_has_no_part_in_it_learns_nothing() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    for who in ["nobody", "stranger"] {
        for (verb, body) in [("approve", yes()), ("reject", json!({"reason": "x"}).to_string())] {
            let answer = rig.post(&format!("/approvals/{id}/{verb}"), who, &body).await;
            assert_eq!(told(&answer), (404, "approval.unknown".into()), "{who} {verb}");
        }
        let answer = rig.get(&format!("/approvals/{id}"), who).await;
        assert_eq!(told(&answer), (404, "approval.unknown".into()), "{who}");
        assert_eq!(rig.get("/approvals", who).await.json()["items"], json!([]));
    }
    for id in ["a0", "a00000000000000000000000000000009", "../sessions"] {
        let answer = rig.get(&format!("/approvals/{id}"), "approver").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
    assert!(steps(&rig).is_empty());
}

#[tokio::test]
async fn a4_a10_only_the_groups_that_are_asked_answer_and_never_the_caller() {
    // An admin sees it, and has no say.
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}/approve");
    assert_eq!(told(&rig.post(&path, "admin", &yes()).await), (403, "approval.forbidden".into()));
    assert_eq!(told(&rig.post(&path, "expired", &yes()).await).0, 401);
    // The caller is in the group that is asked.
    let (rig, id) = asked("approver", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}/approve");
    assert_eq!(
        told(&rig.post(&path, "approver", &yes()).await),
        (403, "approval.forbidden".into())
    );
    let withdrawn = rig.post(&format!("/approvals/{id}/withdraw"), "approver", "{}").await;
    assert_eq!(withdrawn.json()["state"], "withdrawn");
    // What was refused left no answer on record.
    assert_eq!(steps(&rig), [("corp/approver".to_owned(), ApprovalStep::Withdraw)]);
}

#[tokio::test]
async fn a1_a_yes_is_to_the_arguments_that_were_read() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}/approve");
    for other in [json!({ "table": "orders" }), json!({ "table": "orders", "limit": 5.0 })] {
        let body = json!({ "arguments_digest": digest(&other) }).to_string();
        let answer = rig.post(&path, "approver", &body).await;
        assert_eq!(told(&answer), (409, "approval.other".into()), "{other}");
    }
    for body in ["{}", r#"{"arguments_digest":"zz"}"#, r#"{"arguments_digest":null}"#] {
        assert_eq!(rig.post(&path, "approver", body).await.status, StatusCode::BAD_REQUEST);
    }
    assert!(steps(&rig).is_empty());
}

#[tokio::test]
async fn a19_a_quorum_and_its_conditions() {
    let (rig, id) = asked("person-1", &[LEADS, "corp/audit"], 1, &arguments()).await;
    let path = format!("/approvals/{id}/approve");
    let half = rig.post(&path, "approver", &yes()).await.json();
    assert_eq!(
        (&half["state"], &half["missing"][0]["group"]),
        (&"pending".into(), &"corp/audit".into())
    );
    assert_eq!(told(&rig.post(&path, "approver", &yes()).await), (409, "approval.refused".into()));
    let until = |ms: i64| {
        let time = jiff::Timestamp::from_millisecond(now().millis() + ms).unwrap().to_string();
        json!({ "arguments_digest": digest(&arguments()), "until": time }).to_string()
    };
    let long = rig.post(&path, "auditor", &until(601_000)).await;
    assert_eq!(told(&long), (400, "approval.invalid".into()));
    let whole = rig.post(&path, "auditor", &until(30_000)).await.json();
    assert_eq!(whole["state"], "approved");
    let kept = rig.approvals.get(&id, now()).await.unwrap();
    let State::Approved { until } = kept.state else { panic!("{kept:?}") };
    assert!(until < now().plus_millis(31_000));
}

#[tokio::test]
async fn a_no_needs_words_and_they_are_kept() {
    let (rig, id) = asked("person-1", &[LEADS], 1, &arguments()).await;
    let path = format!("/approvals/{id}/reject");
    for reason in ["", " ", "two\nlines"] {
        let answer = rig.post(&path, "approver", &json!({ "reason": reason }).to_string()).await;
        assert_eq!(told(&answer), (400, "approval.invalid".into()), "{reason:?}");
    }
    let said = rig.post(&path, "approver", &json!({ "reason": "not now" }).to_string()).await;
    assert_eq!(
        (&said.json()["state"], &said.json()["said"]),
        (&"rejected".into(), &"not now".into())
    );
    let listed = rig.get("/approvals?state=rejected", "approver").await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(rig.get("/approvals?state=pending", "approver").await.json()["items"], json!([]));
    assert_eq!(rig.get("/approvals?state=odd", "approver").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a15_what_is_easily_overlooked_is_pointed_at() {
    let misleading =
        json!({ "sql": "DROP \u{202e}ELBAT", "name": "\u{430}dmin", "x": "y".repeat(3_000) });
    let (rig, id) = asked("person-1", &[LEADS], 1, &misleading).await;
    let shown = rig.get(&format!("/approvals/{id}"), "approver").await.json();
    assert_eq!(shown["arguments"], misleading, "nothing is left out");
    let warnings = shown["warnings"].to_string();
    for part in ["invisible", "Latin", "bytes long"] {
        assert!(warnings.contains(part), "{part}: {warnings}");
    }
}
