//! Access for a window of time: who is offered it, what is on record of it, and who answers.

use http::StatusCode;
use lockgate_model::{ApprovalStep, Event};
use serde_json::{Value, json};

use crate::rig::{HOUR_MS, Rig};

fn window(change: Value) -> String {
    let mut window = json!({ "connection": "db", "for_ms": 60_000, "reason": "case 42" });
    for (key, value) in change.as_object().unwrap() {
        window[key] = value.clone();
    }
    window.to_string()
}

fn steps(rig: &Rig) -> Vec<(String, &'static str)> {
    let events = rig.events().into_iter();
    let steps = events.filter_map(|(_, event)| {
        let Event::Approval(approval) = event else { return None };
        let what = match &approval.step {
            ApprovalStep::Access { access, .. } if access.emergency => "takes",
            ApprovalStep::Access { .. } => "asks",
            ApprovalStep::Approve { .. } => "approves",
            ApprovalStep::Reject { .. } => "rejects",
            _ => "other",
        };
        Some((approval.by, what))
    });
    steps.collect()
}

#[tokio::test]
async fn access_is_asked_for_and_given_on_record() {
    let rig = Rig::new().await;
    let asked = rig.post("/approvals/access", "nobody", &window(json!({ "tool": "query" }))).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.json());
    let asked = asked.json();
    assert_eq!((&asked["state"], &asked["target"]), (&"pending".into(), &"query".into()));
    assert_eq!(asked["access"]["emergency"], false);
    let path = format!("/approvals/{}", asked["id"].as_str().unwrap());
    let shown = rig.get(&path, "approver").await.json();
    assert_eq!(shown["arguments"]["reason"], "case 42");
    assert_eq!(shown["caller_groups"], json!(["corp/staff"]));
    let yes = json!({ "arguments_digest": shown["approval"]["arguments_digest"] }).to_string();
    let own = rig.post(&format!("{path}/approve"), "nobody", &yes).await;
    assert_eq!(own.status, StatusCode::FORBIDDEN);
    let given = rig.post(&format!("{path}/approve"), "approver", &yes).await.json();
    assert_eq!((&given["state"], &given["until"]), (&"approved".into(), &given["access"]["ends"]));
    // Those who may give it can take it away.
    let no = json!({ "reason": "enough" }).to_string();
    let ended = rig.post(&format!("{path}/reject"), "approver", &no).await.json();
    assert_eq!(ended["state"], "rejected");
    let expected =
        [("corp/nobody", "asks"), ("corp/approver", "approves"), ("corp/approver", "rejects")];
    assert_eq!(steps(&rig), expected.map(|(who, what)| (who.to_owned(), what)));
}

#[tokio::test]
async fn a18_an_emergency_is_taken_by_whom_policies_let() {
    let rig = Rig::new().await;
    let refused = rig.post("/approvals/break-glass", "nobody", &window(json!({}))).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::NOT_FOUND, "access.unknown".into()));
    let taken = rig.post("/approvals/break-glass", "admin", &window(json!({}))).await.json();
    assert_eq!(
        (&taken["state"], &taken["access"]["emergency"]),
        (&"emergency".into(), &true.into())
    );
    let path = format!("/approvals/{}", taken["id"].as_str().unwrap());
    // Who took it ends it; that it was right is for others to say.
    let over = rig.post(&format!("{path}/withdraw"), "admin", "{}").await.json();
    assert_eq!(over["state"], "unreviewed");
    let listed = rig.get("/approvals?state=unreviewed", "approver").await.json();
    assert_eq!(listed["items"][0]["yours"], true);
    let yes = json!({ "arguments_digest": taken["arguments_digest"] }).to_string();
    assert_eq!(
        rig.post(&format!("{path}/approve"), "admin", &yes).await.status,
        StatusCode::FORBIDDEN
    );
    let looked = rig.post(&format!("{path}/approve"), "approver", &yes).await.json();
    assert_eq!(looked["state"], "reviewed");
    let expected =
        [("corp/admin", "takes"), ("corp/admin", "other"), ("corp/approver", "approves")];
    assert_eq!(steps(&rig), expected.map(|(who, what)| (who.to_owned(), what)));
}

#[tokio::test]
async fn what_is_not_offered_or_not_said_right_is_refused() {
    let rig = Rig::new().await;
    let line = "x".repeat(513);
    for (change, status, code) in [
        (json!({ "connection": "other" }), 404, "access.unknown"),
        (json!({ "connection": "../db" }), 404, "access.unknown"),
        (json!({ "tool": "drop" }), 404, "access.unknown"),
        (json!({ "for_ms": 0 }), 400, "access.invalid"),
        (json!({ "for_ms": HOUR_MS + 1 }), 400, "access.invalid"),
        (json!({ "for_ms": u64::MAX }), 400, "access.invalid"),
        (json!({ "for_ms": -1 }), 400, "body.invalid"),
        (json!({ "reason": " " }), 400, "access.invalid"),
        (json!({ "reason": "two\nlines" }), 400, "access.invalid"),
        (json!({ "reason": line }), 400, "access.invalid"),
        (json!({ "emergency": true }), 400, "body.invalid"),
    ] {
        let answer = rig.post("/approvals/access", "nobody", &window(change.clone())).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (status, code.to_owned()), "{change}");
    }
    let stranger = rig.post("/approvals/access", "stranger", &window(json!({}))).await;
    assert_eq!(stranger.code(), "access.unknown");
    assert_eq!(rig.post("/approvals/access", "expired", &window(json!({}))).await.status, 401);
    // What was refused left nothing behind.
    assert!(steps(&rig).is_empty());
    // Twin: as long as may be, with the longest reason.
    let longest = json!({ "for_ms": HOUR_MS, "reason": &line[1..] });
    let asked = rig.post("/approvals/access", "nobody", &window(longest)).await;
    assert_eq!(asked.status, StatusCode::CREATED, "{}", asked.json());
    // Each may have so many open.
    let twice = rig.post("/approvals/access", "nobody", &window(json!({ "for_ms": 1000 }))).await;
    assert_eq!(twice.status, StatusCode::CREATED);
    let more = rig.post("/approvals/access", "nobody", &window(json!({ "for_ms": 2000 }))).await;
    assert_eq!(more.code(), "access.invalid", "{}", more.json());
}

#[tokio::test]
async fn without_a_record_there_is_no_access() {
    let rig = Rig::new().await;
    rig.refuses.store(true, std::sync::atomic::Ordering::Release);
    for path in ["access", "break-glass"] {
        let answer = rig.post(&format!("/approvals/{path}"), "admin", &window(json!({}))).await;
        assert_eq!(answer.code(), "journal.unavailable", "{path}");
    }
    assert_eq!(rig.approvals.emergencies().await.unwrap(), 0);
}
