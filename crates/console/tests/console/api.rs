//! The description of the API: committed, true, and served.

use std::path::Path;

use lockgate_console::Console;

use crate::rig::Rig;

#[test]
fn the_committed_description_is_that_of_the_code() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let now = Console::openapi();
    if std::env::var_os("LOCKGATE_RENEW").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == now,
        "crates/console/openapi.json is not what the code says; renew it with\n\n  \
         LOCKGATE_RENEW=1 cargo nextest run -p lockgate-console description_is_that_of_the_code\n"
    );
}

#[tokio::test]
async fn the_description_is_served_and_names_every_path() {
    let rig = Rig::new().await;
    let answer = rig.get("/openapi.json", "nobody").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(String::from_utf8(answer.body.clone()).unwrap(), Console::openapi());
    let api = answer.json();
    assert_eq!(api["openapi"], "3.1.0");
    assert_eq!(api["paths"].as_object().unwrap().len(), 26);
    assert!(api["components"]["securitySchemes"]["oidc"].is_object());
    assert_eq!(
        rig.ask(
            http::Request::get("/api/v1/openapi.json").body(axum::body::Body::empty()).unwrap()
        )
        .await
        .code(),
        "token.missing"
    );
}
