//! Connections and secrets over the API: versions, preconditions, and values that never come back. What
//! keeps them stands in for the process, and knows versions and nothing else.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::{Arc, Mutex},
};

use axum::body::Body;
use http::{Request, header};
use lockgate_console::{Connection, Declined, Later, Registrar, Secret, Wish};
use serde_json::{Value, json};

use crate::rig::{Answer, Rig, now};

/// A value that must not come back.
const SECRET: &str = "hunter2-canary-51d0";

type Kept = Arc<Mutex<BTreeMap<String, (u64, Value)>>>;

/// Keeps what it is given: one connection of the file, `own`, and a connection and a secret `db`.
pub(crate) fn registrar() -> Registrar {
    let start = |value| BTreeMap::from([("db".to_owned(), (1, value))]);
    let connections: Kept = Arc::new(Mutex::new(start(json!({ "name": "db" }))));
    let secrets: Kept = Arc::new(Mutex::new(start(json!("for db"))));
    let (lists, registers) = (Arc::clone(&connections), connections);
    let (tells, seals) = (Arc::clone(&secrets), secrets);
    Registrar {
        connections: Box::new(move || {
            let kept = lists.lock().unwrap();
            let own = Connection {
                name: "own".into(),
                origin: "lockgate.yaml:7".into(),
                version: None,
                state: "served",
                why: None,
                settings: Some(json!({ "name": "own" })),
            };
            let registered = kept.iter().map(|(name, (version, settings))| Connection {
                name: name.clone(),
                origin: "registered".into(),
                version: Some(*version),
                state: "served",
                why: None,
                settings: Some(settings.clone()),
            });
            answered(Ok([own].into_iter().chain(registered).collect()))
        }),
        register: Box::new(move |wish| {
            if wish.name.as_str() == "own" {
                return answered(Err(Declined::ReadOnly("it stands in lockgate.yaml:7".into())));
            }
            if wish.what.as_ref().is_some_and(|settings| settings.contains_key("unfit")) {
                return answered(Err(Declined::Unfit("no setting `unfit`".into())));
            }
            answered(changed(&registers, plain(wish, Value::Object)))
        }),
        secrets: Box::new(move || {
            let kept = tells.lock().unwrap();
            let one = |(name, (version, about)): (&String, &(u64, Value))| Secret {
                name: name.clone(),
                version: *version,
                connection: None,
                used_by: Vec::new(),
                description: about.as_str().unwrap_or_default().to_owned(),
                author: "corp/ann".into(),
                created: now(),
                updated: now(),
            };
            answered(Ok(kept.iter().map(one).collect()))
        }),
        seal: Box::new(move |wish| {
            let about = |what: lockgate_console::Sealable| {
                assert!(!what.value.is_empty());
                json!(what.description)
            };
            answered(changed(&seals, plain(wish, about)))
        }),
    }
}

fn answered<T: Send + 'static>(answer: T) -> Later<T> {
    Box::pin(async move { answer })
}

/// The same with name and content as this registrar keeps them.
fn plain<N: Display, T>(wish: Wish<N, T>, what: impl FnOnce(T) -> Value) -> Wish<String, Value> {
    let Wish { by, name, known, what: wished } = wish;
    Wish { by, name: name.to_string(), known, what: wished.map(what) }
}

fn changed(kept: &Kept, wish: Wish<String, Value>) -> Result<u64, Declined> {
    assert!(wish.by.starts_with("corp/"), "{}", wish.by);
    let mut kept = kept.lock().unwrap();
    let now = kept.get(&wish.name).map(|(version, _)| *version);
    wish.known.fits(now)?;
    let version = now.unwrap_or(0) + 1;
    match wish.what {
        Some(what) => drop(kept.insert(wish.name, (version, what))),
        None => drop(kept.remove(&wish.name)),
    }
    Ok(version)
}

async fn ask(rig: &Rig, method: &str, path: &str, known: Option<&str>, body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
    request = request.header(header::AUTHORIZATION, "Bearer admin");
    request = request.header(header::CONTENT_TYPE, "application/json");
    if let Some(known) = known {
        request = request.header(header::IF_MATCH, known);
    }
    rig.ask(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_change_names_the_version_that_it_was_made_from_z10() {
    let rig = Rig::new().await;
    for (path, body) in [("/connections", "{}"), ("/secrets", r#"{"value":"v"}"#)] {
        let (db, fresh) = (format!("{path}/db"), format!("{path}/new"));
        for (method, path, known, status, code) in [
            ("PUT", &db, None, 428, "version.unsaid"),
            ("PUT", &db, Some("\"2\""), 412, "version.stale"),
            ("PUT", &db, Some("W/\"1\""), 400, "version.invalid"),
            ("PUT", &db, Some("1"), 400, "version.invalid"),
            ("PUT", &db, Some("\"1\", \"2\""), 400, "version.invalid"),
            ("PUT", &db, Some("\"1\""), 200, "2"),
            ("PUT", &db, Some("\"1\""), 412, "version.stale"),
            ("PUT", &db, Some("*"), 200, "3"),
            ("PUT", &fresh, None, 201, "1"),
            ("PUT", &fresh, None, 428, "version.unsaid"),
            ("DELETE", &fresh, None, 428, "version.unsaid"),
            ("DELETE", &fresh, Some("\"7\""), 412, "version.stale"),
            ("DELETE", &fresh, Some("\"1\""), 200, "2"),
            ("DELETE", &fresh, Some("*"), 404, "unknown"),
            ("PUT", &fresh, Some("*"), 404, "unknown"),
        ] {
            let answer = ask(&rig, method, path, known, body).await;
            let told = format!("{method} {path} {known:?}: {}", answer.json());
            assert_eq!(answer.status, status, "{told}");
            if status < 300 {
                assert_eq!(answer.json()["version"].to_string(), code, "{told}");
                let tag = if method == "PUT" { format!("\"{code}\"") } else { String::new() };
                assert_eq!(answer.header("etag"), tag, "{told}");
            } else {
                assert!(answer.code().ends_with(code), "{told}");
            }
        }
    }
    let shown = rig.get("/connections/db", "auditor").await;
    assert_eq!((shown.header("etag"), &shown.json()["version"]), ("\"3\"", &json!(3)));
}

#[tokio::test]
async fn what_the_file_has_is_shown_and_not_changed() {
    let rig = Rig::new().await;
    let shown = rig.get("/connections/own", "auditor").await;
    assert_eq!((shown.header("etag"), &shown.json()["version"]), ("", &Value::Null));
    assert_eq!(shown.json()["origin"], "lockgate.yaml:7");
    for method in ["PUT", "DELETE"] {
        let answer = ask(&rig, method, "/connections/own", Some("*"), "{}").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (409, "connection.read_only"));
        assert!(answer.json()["detail"].as_str().unwrap().contains("lockgate.yaml:7"));
    }
    for name in ["Db", "-db", "%00", "nobody"] {
        let answer = rig.get(&format!("/connections/{name}"), "auditor").await;
        assert_eq!(answer.code(), "connection.unknown", "{name}");
    }
    for (body, code) in
        [("[]", "body.invalid"), ("{", "body.invalid"), ("{\"unfit\":1}", "connection.invalid")]
    {
        assert_eq!(ask(&rig, "PUT", "/connections/x", None, body).await.code(), code, "{body}");
    }
    let names: Vec<Value> = rig.get("/connections", "auditor").await.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert_eq!(names, ["own", "db"]);
}

#[tokio::test]
async fn a_value_goes_in_and_no_answer_has_it_z4() {
    let rig = Rig::new().await;
    let quoted = |text: &str| text.replace("SECRET", SECRET);
    for (body, code) in [
        (r#""SECRET""#, "body.invalid"),
        (r#"["SECRET"]"#, "body.invalid"),
        (r#"{"value":"SECRET","valu":1}"#, "body.invalid"),
        (r#"{"value":["SECRET"]}"#, "body.invalid"),
        (r#"{"value":"x","SECRET":1}"#, "body.invalid"),
        (r#"{"value":"x","connection":"SECRET!"}"#, "secret.invalid"),
        (r#"{"value":"x","description":"SECRET\n"}"#, "secret.invalid"),
        (r#"{"value":"SECRET","connection":"db","description":"until May"}"#, "1"),
    ] {
        let answer = ask(&rig, "PUT", "/secrets/new", None, &quoted(body)).await;
        let text = String::from_utf8(answer.body.clone()).unwrap();
        assert!(!text.contains(SECRET) && text.contains(code), "{body}: {text}");
        assert_eq!(answer.status.is_success(), code == "1", "{body}: {text}");
    }
    let listed = rig.get("/secrets", "auditor").await;
    assert_eq!(listed.json()["items"][1]["description"], "until May");
    assert!(!String::from_utf8(listed.body).unwrap().contains(SECRET));
    // There is no path that shows one.
    let shown = rig.get("/secrets/new", "admin").await;
    assert_eq!(shown.code(), "http.method_not_allowed");
}
