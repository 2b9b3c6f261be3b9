//! Access taken away over the API, and what identity providers tell: on the record, or refused.

use axum::body::Body;
use http::{Request, StatusCode, header};
use lockgate_model::{Event, RevocationsChange, RevocationsEvent};
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::rig::{Answer, Rig};

/// What is on record of revocations, in order.
fn recorded(rig: &Rig) -> Vec<RevocationsEvent> {
    let events = rig.events().into_iter();
    let revoked = events.filter_map(|(_, event)| match event {
        Event::Revocations(event) => Some(event),
        _ => None,
    });
    revoked.collect()
}

#[tokio::test]
async fn an_admin_puts_out_and_lets_in_again_z10() {
    let rig = Rig::new().await;
    let body = json!({ "kind": "person", "name": "corp/dana", "reason": "contract ended",
        "until": "2999-01-01T00:00:00Z" });
    let made = rig.post("/revocations", "admin", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let listed = rig.get("/revocations", "auditor").await.json();
    let one = &listed["items"][0];
    assert_eq!(
        (&one["id"], &one["kind"], &one["name"]),
        (&json!(id), &json!("person"), &json!("corp/dana"))
    );
    assert_eq!((&one["by"], &one["lifted"]), (&json!("corp/admin"), &Value::Null));

    for (body, code) in [
        (json!({ "kind": "person", "name": "crop/dana", "reason": "slip" }), "revocation.invalid"),
        (json!({ "kind": "person", "name": "dana", "reason": "x" }), "revocation.invalid"),
        (json!({ "kind": "nobody", "name": "corp/dana", "reason": "x" }), "revocation.invalid"),
        (json!({ "kind": "token", "name": "12", "reason": "x" }), "revocation.invalid"),
        (json!({ "kind": "person", "name": "corp/dana", "reason": " " }), "revocation.invalid"),
        (json!({ "kind": "person", "name": "corp/dana", "reason": "a\nb" }), "revocation.invalid"),
        (
            json!({ "kind": "everyone", "reason": "x", "until": "2001-01-01T00:00:00Z" }),
            "revocation.invalid",
        ),
        (json!({ "kind": "everyone" }), "body.invalid"),
        (json!({ "kind": "everyone", "reason": "x", "for": 5 }), "body.invalid"),
    ] {
        assert_eq!(
            rig.post("/revocations", "admin", &body.to_string()).await.code(),
            code,
            "{body}"
        );
    }
    let lift = |id: &str| format!("/revocations/{id}/lift");
    let why = r#"{"reason":"extended"}"#;
    assert_eq!(rig.post(&lift(&id), "auditor", why).await.code(), "role.missing");
    assert_eq!(rig.post(&lift("r0"), "admin", why).await.code(), "revocation.unknown");
    assert_eq!(rig.post(&lift(&id), "admin", why).await.status, StatusCode::NO_CONTENT);
    assert_eq!(rig.get("/revocations", "auditor").await.json()["items"], json!([]));
    let all = rig.get("/revocations?all=true", "auditor").await.json();
    assert_eq!(all["items"][0]["lifted_by"], "corp/admin");
    let steps = recorded(&rig);
    assert!(matches!(&steps[0].change, RevocationsChange::Revoked(all) if all[0].id == id));
    assert!(
        matches!(&steps[1].change, RevocationsChange::Lifted { id: lifted, .. } if *lifted == id)
    );
    assert_eq!(steps.len(), 2, "what was refused is not on record");
}

#[tokio::test]
async fn who_may_not_is_refused_z10() {
    let rig = Rig::new().await;
    let body = r#"{"kind":"everyone","reason":"x"}"#;
    for token in ["auditor", "nobody"] {
        assert_eq!(rig.post("/revocations", token, body).await.code(), "role.missing", "{token}");
    }
    assert_eq!(rig.get("/revocations", "nobody").await.code(), "role.missing");
    assert!(recorded(&rig).is_empty());
}

async fn tell(rig: &Rig, path: &str, kind: &str, body: &str) -> Answer {
    let request = Request::builder().method("POST").uri(path).header(header::CONTENT_TYPE, kind);
    rig.ask(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The rig's issuer tells `disabled:NAME`, and nothing else.
#[tokio::test]
async fn what_an_issuer_tells_is_on_record_once_in_force() {
    let rig = Rig::new().await;
    let (set, form) = ("application/secevent+jwt", "application/x-www-form-urlencoded");
    for (path, kind, body, status) in [
        ("/events", set, "disabled:dana", 202),
        ("/events", set, "disabled:dana", 202),
        ("/events", "application/secevent+jwt; charset=utf-8", "nothing", 202),
        ("/events/logout", form, "logout_token=disabled%3Aeve", 200),
        ("/events", set, "forged", 400),
        ("/events", "application/json", "disabled:dana", 400),
        ("/events/logout", form, "logout_token=forged", 400),
        ("/events/logout", form, "", 400),
        ("/events/logout", form, "logout_token=disabled%3Aa&logout_token=disabled%3Ab", 400),
        ("/events/logout", set, "disabled:dana", 400),
    ] {
        let answer = tell(&rig, path, kind, body).await;
        assert_eq!(answer.status, status, "{path} {body}");
        assert_eq!(answer.header("cache-control"), "no-store");
        if status == 400 {
            assert!(answer.json()["err"].is_string(), "{body}: {}", answer.json());
        }
    }
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(tell(&rig, "/events", set, &long).await.status, 400);
    let names = rig.get("/revocations", "auditor").await.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names, ["corp/dana", "corp/eve"].map(str::to_owned).into());
    assert!(recorded(&rig).iter().all(|event| event.by == "idp:corp"));
    let get = Request::builder().uri("/events").body(Body::empty()).unwrap();
    assert_eq!(rig.ask(get).await.status, 405);
}

/// Guesses are on record while there are few, and turned away when there are many; what an issuer tells
/// meanwhile takes effect all the same.
#[tokio::test]
async fn a_flood_of_guesses_holds_no_word_of_an_issuer_up_z8() {
    let rig = Rig::new().await;
    let mut router = rig.router();
    let mut tell = async |path: &str, kind: &str, body: &str| {
        let request = Request::post(path).header(header::CONTENT_TYPE, kind);
        let request = request.body(Body::from(body.to_owned())).unwrap();
        Answer::read(router.call(request).await.unwrap()).await.status.as_u16()
    };
    let (set, form) = ("application/secevent+jwt", "application/x-www-form-urlencoded");
    let mut counted = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..200 {
        *counted.entry(tell("/events", set, "forged").await).or_default() += 1;
        *counted.entry(tell("/events/logout", form, "logout_token=forged").await).or_default() += 1;
        if number % 50 == 0 {
            assert_eq!(tell("/events", set, &format!("disabled:p{number}")).await, 202);
        }
    }
    assert_eq!(counted.keys().copied().collect::<Vec<_>>(), [400, 429]);
    let refused = rig.events().into_iter().filter(|(_, event)| matches!(event, Event::Refused(_)));
    assert_eq!(refused.count(), counted[&400], "each that is answered is on record");
    assert!((20..100).contains(&counted[&400]), "{counted:?}");
    assert_eq!(recorded(&rig).len(), 4);
}
