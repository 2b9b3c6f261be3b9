//! Paths, queries and bodies that nobody should send.

use axum::body::Body;
use http::{Request, StatusCode, header};

use crate::rig::{Rig, get, opened, session};

#[tokio::test]
async fn hostile_queries_are_refused_by_name_z9() {
    let rig = Rig::new().await;
    let long = "x".repeat(2_000);
    for (path, code) in [
        ("/sessions?limit=0".to_owned(), "query.invalid"),
        ("/sessions?limit=201".into(), "query.invalid"),
        ("/sessions?limit=-1".into(), "query.invalid"),
        ("/sessions?limit=1000000000".into(), "query.invalid"),
        ("/sessions?limit=".into(), "query.invalid"),
        ("/sessions?limit=1e2".into(), "query.invalid"),
        ("/sessions?limit=5&limit=6".into(), "query.invalid"),
        ("/sessions?sort=subject".into(), "query.invalid"),
        ("/sessions?subject=".into(), "query.invalid"),
        ("/sessions?subject=a%00b".into(), "query.invalid"),
        ("/sessions?subject=%ff%fe".into(), "query.invalid"),
        ("/sessions?subject=%ed%a0%80".into(), "query.invalid"),
        (format!("/sessions?subject={long}"), "query.invalid"),
        ("/sessions?verdict=maybe".into(), "query.invalid"),
        ("/sessions?open=1".into(), "query.invalid"),
        ("/sessions?from=yesterday".into(), "query.invalid"),
        ("/sessions?from=1764064800".into(), "query.invalid"),
        ("/sessions?to=2026-13-01T00:00:00Z".into(), "query.invalid"),
        ("/sessions?text=%22open".into(), "query.invalid"),
        ("/sessions?text=%2A".into(), "query.invalid"),
        ("/calls?reason=token.lost".into(), "query.invalid"),
        ("/calls?open=true".into(), "query.invalid"),
        ("/sessions?cursor=x".into(), "cursor.invalid"),
        ("/sessions?cursor=%27%20OR%201%3D1%20--".into(), "cursor.invalid"),
        (format!("/sessions?cursor={}", "0".repeat(33)), "cursor.invalid"),
        ("/tail?after=-1".into(), "query.invalid"),
        ("/tail?after=99999999999999999999".into(), "query.invalid"),
        ("/tail?connection=A%2Fb".into(), "query.invalid"),
        ("/journal/export?from=2026".into(), "query.invalid"),
        ("/journal/export?session=s1".into(), "query.invalid"),
        ("/journal/export?session=%1b%5b31m".into(), "query.invalid"),
        (format!("/sessions/{}/events?limit=201", session(1)), "query.invalid"),
        ("/sessions/x".into(), "session.unknown"),
        ("/sessions/s%00".into(), "session.unknown"),
        ("/sessions/%ff".into(), "session.unknown"),
        (format!("/sessions/{}", session(1).to_uppercase()), "session.unknown"),
        ("/sessions/..%2f..%2fetc".into(), "session.unknown"),
        ("/calls/1".into(), "call.unknown"),
        (format!("/calls/{:032x}-", 1), "call.unknown"),
        (format!("/calls/{:032x}-x", 1), "call.unknown"),
        (format!("/sessions?subject={}", "y".repeat(9_000)), "http.uri_too_long"),
    ] {
        let answer = rig.get(&path, "auditor").await;
        let short: String = path.chars().take(60).collect();
        assert_eq!(answer.code(), code, "{short}");
        assert!(answer.body.len() < 1_024, "{short}");
    }
    // None of them was a look.
    assert!(rig.looks().is_empty());
    for twin in ["/sessions?limit=1", "/sessions?limit=200", "/sessions?subject=%F0%9F%94%92%27%22"]
    {
        assert_eq!(rig.get(twin, "auditor").await.status, StatusCode::OK, "{twin}");
    }
}

#[tokio::test]
async fn forged_cursors_find_nothing_and_break_nothing() {
    let rig = Rig::new().await;
    for cursor in ["0".repeat(32), "f".repeat(32), format!("7{}", "f".repeat(31))] {
        let answer = rig.get(&format!("/sessions?cursor={cursor}"), "auditor").await;
        assert_eq!(answer.status, StatusCode::OK, "{cursor}");
    }
}

#[tokio::test]
async fn hostile_bodies_are_refused_and_change_nothing() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.catch_up().await;
    let path = format!("/sessions/{}/erase", session(1));
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(513));
    let huge = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1_000_000));
    for (body, status, code) in [
        ("", 400, "body.invalid"),
        ("{}", 400, "body.invalid"),
        ("[]", 400, "body.invalid"),
        ("null", 400, "body.invalid"),
        (r#"{"reason":""}"#, 400, "body.invalid"),
        (r#"{"reason":"  "}"#, 400, "body.invalid"),
        (r#"{"reason":7}"#, 400, "body.invalid"),
        (r#"{"reason":null}"#, 400, "body.invalid"),
        (r#"{"reason":"a\u0000b"}"#, 400, "body.invalid"),
        (r#"{"reason":"a\nb"}"#, 400, "body.invalid"),
        (r#"{"reason":"a","reason":"b"}"#, 400, "body.invalid"),
        (r#"{"reason":"a","force":true}"#, 400, "body.invalid"),
        (r#"{"reason":"a"} x"#, 400, "body.invalid"),
        (&long, 400, "body.invalid"),
        (&huge, 413, "http.body_too_large"),
    ] {
        let answer = rig.post(&path, "admin", body).await;
        let short: String = body.chars().take(40).collect();
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code), "{short}");
    }
    let plain = Request::post(format!("/api/v1{path}"))
        .header(header::AUTHORIZATION, "Bearer admin")
        .header(header::CONTENT_TYPE, "text/plain");
    let answer = rig.ask(plain.body(Body::from(r#"{"reason":"a"}"#)).unwrap()).await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (415, "http.media_type"));
    assert_eq!(rig.events().len(), 1);
    assert!(rig.is_readable(&session(1)));
}

#[tokio::test]
async fn a_look_is_recorded_inert_l1() {
    let rig = Rig::new().await;
    rig.ask(get("/sessions?subject=%1b%5b31m%0a%e2%80%ae", "hostile")).await;
    let events = rig.events();
    let lockgate_model::Event::Viewed(viewed) = &events[0].1 else { panic!("{events:?}") };
    assert_eq!(viewed.by, r#"corp/a\u{1b}[31m\n\u{202e}é"\u{2028}"#);
    assert_eq!(viewed.detail, "/api/v1/sessions?subject=%1b%5b31m%0a%e2%80%ae");
}
