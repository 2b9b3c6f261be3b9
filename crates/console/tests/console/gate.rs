//! Who gets in, and as what.

use axum::body::Body;
use http::{Request, StatusCode, header};

use lockgate_console::Console;
use lockgate_model::{Event, Reason};

use crate::rig::{Rig, call, get, opened, session};

/// A revocation that is not there: it can be neither lifted nor be lifted by who may not.
const LIFT: &str = "/revocations/r1/lift";

/// Every path, with whether it changes something.
fn routes() -> Vec<(&'static str, String, bool)> {
    let (session, call) = (session(1), call(1));
    let reads = [
        "/sessions".to_owned(),
        format!("/sessions/{session}"),
        format!("/sessions/{session}/events"),
        format!("/sessions/{session}/tail"),
        "/tail".into(),
        "/calls".into(),
        format!("/calls/{call}"),
        "/refusals".into(),
        "/journal/head".into(),
        "/journal/export".into(),
        "/connections".into(),
        "/connections/db".into(),
        "/secrets".into(),
        "/revocations".into(),
    ];
    let changes = ["hold", "release", "erase"].map(|what| format!("/sessions/{session}/{what}"));
    let changes = changes.into_iter().chain(["/revocations".to_owned(), LIFT.to_owned()]);
    let reads = reads.into_iter().map(|path| ("GET", path, false));
    let named = ["/connections/db", "/secrets/db"].map(str::to_owned);
    let puts = named.clone().into_iter().map(|path| ("PUT", path, true));
    let removals = named.into_iter().map(|path| ("DELETE", path, true));
    let posts = changes.map(|path| ("POST", path, true));
    reads.chain(posts).chain(puts).chain(removals).collect()
}

fn request(method: &str, path: &str, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request = request.header(header::CONTENT_TYPE, "application/json");
    // Only some paths change a version.
    request = request.header(header::IF_MATCH, "*");
    let body = match path {
        "/revocations" => r#"{"kind":"person","name":"corp/dana","reason":"case 7"}"#,
        _ if path.contains("/secrets/") => r#"{"value":"x"}"#,
        _ => r#"{"reason":"case 7"}"#,
    };
    request.body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn every_route_asks_for_its_role_z1() {
    // No path is missing from the table.
    let api: serde_json::Value = serde_json::from_str(&Console::openapi()).unwrap();
    let paths = api["paths"].as_object().unwrap().iter();
    let mut described: Vec<_> = paths
        .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(|m| (path.clone(), m)))
        .map(|(path, method)| {
            let id = if path.contains("/calls/") { call(1) } else { session(1) };
            let path = path.replace("/revocations/{id}", "/revocations/r1");
            (method.to_uppercase(), path.replace("{id}", &id).replace("{name}", "db"))
        })
        .collect();
    // Approvals have no role: each says whose answer counts.
    described.retain(|(_, path)| !path.contains("/approvals"));
    let routes_of_table = routes().into_iter();
    let mut table: Vec<_> =
        routes_of_table.map(|(m, path, _)| (m.to_owned(), format!("/api/v1{path}"))).collect();
    described.sort();
    table.sort();
    assert_eq!(described, table);

    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.append(&crate::rig::intent(1, 1, "db", "select 1"));
    rig.append(&crate::rig::closed(1));
    rig.catch_up().await;
    rig.head(3).await;
    for (method, path, changes) in routes() {
        for (token, code, challenge) in [
            (None, "token.missing", "Bearer"),
            (Some("expired"), "token.refused", "Bearer error=\"invalid_token\""),
            (Some("forged"), "token.refused", "Bearer error=\"invalid_token\""),
            (Some("nobody"), "role.missing", "Bearer error=\"insufficient_scope\""),
            (Some("approver"), "role.missing", "Bearer error=\"insufficient_scope\""),
            (Some("stranger"), "role.missing", "Bearer error=\"insufficient_scope\""),
        ] {
            let answer = rig.ask(request(method, &path, token)).await;
            assert_eq!(answer.code(), code, "{method} {path} {token:?}");
            assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path} {token:?}");
            let status = if code == "role.missing" { 403 } else { 401 };
            assert_eq!(answer.status.as_u16(), status, "{method} {path} {token:?}");
            assert!(!String::from_utf8(answer.body).unwrap().contains("stays inside"));
        }
        for (token, admitted) in [("auditor", !changes), ("admin", true)] {
            let response = rig.send(request(method, &path, Some(token))).await;
            let status = match (admitted, method, &*path) {
                (false, ..) => StatusCode::FORBIDDEN,
                (true, "POST", "/revocations") => StatusCode::CREATED,
                (true, "POST", LIFT) => StatusCode::NOT_FOUND,
                (true, ..) => StatusCode::OK,
            };
            assert_eq!(response.status(), status, "{method} {path} {token}");
            assert_eq!(response.headers()["cache-control"], "no-store", "{path}");
            assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
            assert!(!response.headers().contains_key("access-control-allow-origin"));
            assert!(!response.headers().contains_key("set-cookie"));
        }
    }
}

#[tokio::test]
async fn approvals_take_a_good_token_and_show_nothing_without_a_part_in_them() {
    let rig = Rig::new().await;
    let one = format!("/approvals/a{:032x}", 1);
    let posts = ["approve", "reject", "withdraw"].map(|verb| ("POST", format!("{one}/{verb}")));
    let reads = [("GET", "/approvals".to_owned()), ("GET", one)];
    for (method, path) in reads.into_iter().chain(posts) {
        for (token, code) in [
            (None, "token.missing"),
            (Some("expired"), "token.refused"),
            (Some("forged"), "token.refused"),
        ] {
            let answer = rig.ask(request(method, &path, token)).await;
            assert_eq!(answer.code(), code, "{method} {path} {token:?}");
        }
    }
    assert_eq!(rig.get("/approvals", "nobody").await.json(), serde_json::json!({ "items": [] }));
}

#[tokio::test]
async fn who_is_refused_learns_which_role_and_leaves_no_look() {
    let rig = Rig::new().await;
    for (method, path, changes) in routes() {
        let answer = rig.ask(request(method, &path, Some("approver"))).await;
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let role = if changes { "`admin`" } else { "`auditor`" };
        assert!(detail.contains(role), "{path}: {detail}");
    }
    assert!(rig.events().is_empty());
}

#[tokio::test]
async fn what_is_no_path_is_told_only_to_who_has_a_token() {
    let rig = Rig::new().await;
    for (method, path, code) in [
        ("GET", "/nothing", "path.unknown"),
        ("GET", "", "path.unknown"),
        ("DELETE", "/sessions", "http.method_not_allowed"),
        ("GET", "/sessions/x/erase", "http.method_not_allowed"),
    ] {
        assert_eq!(rig.ask(request(method, path, None)).await.code(), "token.missing", "{path}");
        let answer = rig.ask(request(method, path, Some("admin"))).await;
        assert_eq!(answer.code(), code, "{method} {path}");
        let allows = answer.headers.contains_key("allow");
        assert_eq!(allows, code == "http.method_not_allowed", "{method} {path}");
    }
}

#[tokio::test]
async fn odd_authorization_is_refused() {
    let rig = Rig::new().await;
    let base = || Request::get("/api/v1/sessions");
    let twice = base().header("authorization", "Bearer admin").header("authorization", "Bearer x");
    let basic = base().header("authorization", "Basic YWRtaW46YWRtaW4=");
    let in_query = Request::get("/api/v1/sessions?access_token=admin");
    for (request, status, code) in [
        (twice, 400, "http.malformed"),
        (basic, 401, "token.refused"),
        (in_query, 401, "token.missing"),
    ] {
        let answer = rig.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code));
    }
    let answer = rig.get("/sessions", "down").await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (503, "issuer.unavailable"));
}

#[tokio::test]
async fn one_identity_has_sixteen_requests_open_and_gets_its_places_back() {
    let rig = Rig::new().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let response = rig.send(get("/tail", "auditor")).await;
        assert_eq!(response.status(), StatusCode::OK);
        open.push(response);
    }
    let answer = rig.get("/sessions", "auditor").await;
    assert_eq!((answer.status.as_u16(), &*answer.code()), (429, "limit.concurrency"));
    assert_eq!(rig.get("/sessions", "admin").await.status, StatusCode::OK);
    open.pop();
    assert_eq!(rig.get("/sessions", "auditor").await.status, StatusCode::OK);
}

#[tokio::test]
async fn roles_that_are_taken_away_are_gone_at_once() {
    let rig = Rig::new().await;
    assert_eq!(rig.get("/sessions", "auditor").await.status, StatusCode::OK);
    rig.console.put_in_force(lockgate_console::Roles::default());
    assert_eq!(rig.get("/sessions", "auditor").await.code(), "role.missing");
}

#[tokio::test]
async fn other_spellings_of_a_request_are_no_way_around_z7() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    rig.catch_up().await;
    let erase = format!("/api/v1/sessions/{}/erase", session(1));
    for (method, path) in [
        ("POST", format!("{erase}/")),
        ("POST", format!("/{erase}")),
        ("POST", erase.replace("/api/", "/api//")),
        ("POST", erase.replace("/erase", "/ERASE")),
        ("POST", erase.replace("/api", "/API")),
        ("POST", erase.replace("/erase", "/x/../erase")),
        ("POST", erase.replace("/erase", "/er%61se%2f")),
        ("GET", erase.clone()),
        ("PUT", erase.clone()),
        ("post", erase.clone()),
    ] {
        for token in ["auditor", "admin"] {
            let request = Request::builder().method(method).uri(&path);
            let request = request
                .header(header::AUTHORIZATION, format!("Bearer {token}"))
                .header(header::CONTENT_TYPE, "application/json")
                .header("x-http-method-override", "POST");
            let body = Body::from(r#"{"reason":"case 7"}"#);
            let answer = rig.ask(request.body(body).unwrap()).await;
            assert!(matches!(answer.status.as_u16(), 404 | 405), "{method} {path}: {answer:?}");
        }
    }
    assert!(rig.is_readable(&session(1)));
}

#[tokio::test]
async fn who_tried_to_get_in_is_on_the_record() {
    let rig = Rig::new().await;
    for token in ["expired", "forged", "down"] {
        rig.get("/sessions", token).await;
    }
    rig.ask(request("GET", "/sessions", None)).await;
    let reasons = rig.events().into_iter().map(|(_, event)| match event {
        Event::Refused(refused) => {
            assert!(refused.request.len() == 32 && refused.detail.starts_with("admin API: "));
            refused.reason
        }
        other => panic!("{other:?}"),
    });
    let reasons = reasons.collect::<Vec<_>>();
    use Reason as R;
    assert_eq!(
        reasons,
        [R::TokenExpired, R::TokenSignature, R::IssuerUnavailable, R::TokenMissing]
    );
    // Who can't be recorded is refused all the same.
    rig.refuses.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(rig.get("/sessions", "forged").await.code(), "token.refused");
}
