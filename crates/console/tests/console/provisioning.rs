//! People and groups that a provider provisions: who may, what it revokes and gives back, and what is on
//! record of it.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Method, Request, header};
use lockgate_model::{DirectoryChange, DirectoryNews, Event, Revoked, Timestamp};
use serde_json::{Value, json};
use tower_service::Service as _;

use crate::rig::{Answer, Rig};

const CORP: &str = "provision corp";

fn request(method: &str, path: &str, token: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).unwrap())
        .uri(format!("/scim/v2/{path}"))
        .header(header::CONTENT_TYPE, "application/scim+json; charset=utf-8");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.body(body).unwrap()
}

impl Rig {
    /// What `corp` asks for.
    async fn scim(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask(request(method, &format!("corp/{path}"), Some(CORP), &body)).await
    }

    /// A person of `corp` who was taken in; their id.
    async fn person(&self, name: &str) -> String {
        let answer = self.scim("POST", "Users", json!({ "userName": name })).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Who of the people is out: whether with every token.
    async fn out(&self) -> Vec<(String, bool)> {
        let kept = self.revocations.list(Some(Timestamp::from_millis(0))).await.unwrap();
        let mut out: Vec<_> = kept
            .into_iter()
            .map(|kept| match kept.revocation.target {
                Revoked::Subject { issuer, subject } => {
                    assert_eq!(kept.revocation.by, format!("scim:{issuer}"));
                    (subject, kept.revocation.issued_until.is_none())
                }
                other => panic!("{other}"),
            })
            .collect();
        out.sort();
        out
    }

    async fn is_out(&self, name: &str) -> bool {
        self.out().await.contains(&(name.to_owned(), true))
    }

    /// The changes of people and groups that are on record.
    fn changes(&self) -> Vec<DirectoryChange> {
        let events = self.events().into_iter();
        let changes = events.filter_map(|(_, event)| match event {
            Event::Directory(event) => Some(event.change),
            _ => None,
        });
        changes.collect()
    }
}

fn active(flag: bool) -> Value {
    json!({ "Operations": [{ "op": "replace", "value": { "active": flag } }] })
}

#[tokio::test]
async fn nobody_provisions_without_the_issuers_own_token_z1() {
    let rig = Rig::new().await;
    let id = rig.person("ann").await;
    let one = format!("Users/{id}");
    let mut router = rig.router();
    let paths = ["ServiceProviderConfig", "Schemas", "ResourceTypes", "Users", "Groups", &one, "x"];
    for path in paths {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for (issuer, token) in [
                ("corp", None),
                ("corp", Some("provision entra")),
                ("corp", Some("provision cor")),
                ("corp", Some("admin")),
                ("entra", Some(CORP)),
                ("github", Some(CORP)),
            ] {
                let path = format!("{issuer}/{path}");
                let answer = router.call(request(method, &path, token, &active(false))).await;
                let answer = Answer::read(answer.unwrap()).await;
                let status = answer.status.as_u16();
                assert!(matches!(status, 401 | 429), "{method} {path} {token:?}: {status}");
                let told = answer.json();
                assert_eq!(told["status"], status.to_string());
                assert!(answer.header("content-type").starts_with("application/scim+json"));
                assert_eq!(answer.header("cache-control"), "no-store");
            }
        }
    }
    // What is good is served, however much was guessed; guesses don't fill the record.
    let good = router.call(request("GET", &format!("corp/{one}"), Some(CORP), &Value::Null)).await;
    assert_eq!(good.unwrap().status(), 200);
    let refused = rig.events().iter().filter(|(_, e)| matches!(e, Event::Refused(_))).count();
    assert!((20..60).contains(&refused), "{refused}");
    assert!(rig.out().await.is_empty());
    // Z2: another issuer's provider finds nobody of this one.
    let foreign = request("GET", &format!("entra/{one}"), Some("provision entra"), &Value::Null);
    assert_eq!(rig.ask(foreign).await.status, 404);
    // Z7: the path as it is, and no other.
    for path in ["users", "Users/", "Users//x", "Users/../Groups", "Me", "Bulk", "Users/1/x"] {
        let status = rig.scim("GET", path, Value::Null).await.status.as_u16();
        assert!(matches!(status, 404 | 501), "{path}: {status}");
    }
    let twice = Request::get("/scim/v2/corp/Users")
        .header(header::AUTHORIZATION, format!("Bearer {CORP}"))
        .header(header::AUTHORIZATION, format!("Bearer {CORP}"));
    assert_ne!(rig.ask(twice.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn who_is_deactivated_is_out_until_the_provider_has_them_in_again() {
    let rig = Rig::new().await;
    let id = rig.person("ann").await;
    let one = format!("Users/{id}");
    for round in 0..2 {
        assert!(!rig.is_out("ann").await);
        for again in 0..2 {
            let answer = rig.scim("PATCH", &one, active(false)).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["active"]), (200, &json!(false)));
            assert_eq!(rig.out().await, [("ann".to_owned(), true)], "round {round}.{again}");
        }
        // What is not said stays as it was, and so does what people revoked.
        let other = json!({ "userName": "ann", "displayName": format!("Ann {round}") });
        assert_eq!(rig.scim("PUT", &one, other).await.status, 200);
        assert!(rig.is_out("ann").await);
        let answer = rig.scim("PUT", &one, json!({ "userName": "ann", "active": true })).await;
        assert_eq!(answer.status, 200);
    }
    assert!(rig.out().await.is_empty());
    let dana = json!({ "kind": "person", "name": "corp/ann", "reason": "case 7" });
    assert_eq!(rig.post("/revocations", "admin", &dana.to_string()).await.status, 201);
    rig.scim("PATCH", &one, active(false)).await;
    rig.scim("PATCH", &one, active(true)).await;
    let left = rig.revocations.list(Some(Timestamp::from_millis(0))).await.unwrap();
    assert_eq!(left.len(), 1, "people's own decision stands");
    assert_eq!(left[0].revocation.reason, "case 7");
}

#[tokio::test]
async fn who_is_removed_is_out_and_comes_back_by_being_taken_in() {
    let rig = Rig::new().await;
    let id = rig.person("ann").await;
    assert_eq!(rig.scim("DELETE", &format!("Users/{id}"), Value::Null).await.status, 204);
    assert_eq!(rig.out().await, [("ann".to_owned(), true)]);
    assert_eq!(rig.scim("DELETE", &format!("Users/{id}"), Value::Null).await.status, 404);
    let inactive = json!({ "userName": "ann", "active": false });
    let again = rig.scim("POST", "Users", inactive).await.json()["id"].as_str().unwrap().to_owned();
    assert_ne!(again, id);
    assert!(rig.is_out("ann").await);
    assert_eq!(rig.scim("PATCH", &format!("Users/{again}"), active(true)).await.status, 200);
    assert!(rig.out().await.is_empty(), "{:?}", rig.out().await);
}

#[tokio::test]
async fn who_is_renamed_does_not_go_on_by_the_old_name() {
    let rig = Rig::new().await;
    let one = format!("Users/{}", rig.person("ann").await);
    let named = |name: &str| json!({ "Operations": [{ "op": "replace", "path": "userName", "value": name }] });
    assert_eq!(rig.scim("PATCH", &one, named("anna")).await.status, 200);
    assert_eq!(rig.out().await, [("ann".to_owned(), false)], "tokens issued up to now");
    rig.scim("PATCH", &one, active(false)).await;
    assert!(rig.is_out("anna").await);
    // Renamed and put out at once, they go on by neither.
    let both = json!({ "Operations": [{ "op": "replace", "value": { "active": false, "userName": "eve" } }] });
    let other = format!("Users/{}", rig.person("eva").await);
    assert_eq!(rig.scim("PATCH", &other, both).await.status, 200);
    let out = rig.out().await;
    assert!(out.contains(&("eva".to_owned(), false)) && out.contains(&("eve".to_owned(), true)));
    // Of another case only: the same person to the provider, another to tokens.
    assert_eq!(rig.scim("PATCH", &one, named("Anna")).await.status, 200);
    assert!(rig.is_out("Anna").await && rig.is_out("anna").await);
    // The name of another can't be had, and nobody is put out by trying.
    let two = format!("Users/{}", rig.person("bob").await);
    for body in [
        json!({ "Operations": [{ "op": "replace", "value": { "active": false, "userName": "ANNA" } }] }),
        named("Anna"),
    ] {
        let answer = rig.scim("PATCH", &two, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["scimType"]),
            (409, &json!("uniqueness"))
        );
    }
    assert!(!rig.out().await.iter().any(|(name, _)| name == "bob"));
    assert_eq!(rig.scim("GET", &two, Value::Null).await.json()["userName"], "bob");
}

#[tokio::test]
async fn groups_are_told_on_with_who_is_in_them() {
    let rig = Rig::new().await;
    let (ann, bob) = (rig.person("ann").await, rig.person("bob").await);
    let made = json!({ "displayName": "dba", "members": [{ "value": ann }, { "value": ann }] });
    let group = rig.scim("POST", "Groups", made).await.json();
    let one = format!("Groups/{}", group["id"].as_str().unwrap());
    assert_eq!(
        group["members"],
        json!([{ "value": ann, "$ref": format!("/scim/v2/corp/Users/{ann}"), "type": "User" }])
    );
    let add =
        json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": bob }] }] });
    for _ in 0..2 {
        assert_eq!(rig.scim("PATCH", &one, add.clone()).await.status, 204);
    }
    let gone = json!({ "Operations": [{ "op": "remove", "path": format!("members[value eq \"{ann}\"]") }] });
    assert_eq!(rig.scim("PATCH", &one, gone).await.status, 204);
    let shown = rig.scim("GET", &format!("Users/{bob}"), Value::Null).await.json();
    assert_eq!(shown["groups"][0]["display"], "dba");
    let found = format!("Groups?filter=members%20eq%20%22{bob}%22&excludedAttributes=members");
    let found = rig.scim("GET", &found, Value::Null).await.json();
    assert_eq!((&found["totalResults"], found["Resources"][0].get("members")), (&json!(1), None));
    let nobody = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }] });
    let answer = rig.scim("PATCH", &one, nobody).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["scimType"]), (400, &json!("invalidValue")));

    let news = rig.directory.since(0).await.unwrap().changed;
    let members = news.iter().filter(|one| matches!(one, DirectoryNews::Member { .. }));
    let gone =
        members.clone().filter(|one| matches!(one, DirectoryNews::Member { gone: true, .. }));
    assert_eq!((members.count(), gone.count()), (2, 1));
    let changes = rig.changes();
    let moves = changes.iter().filter_map(|change| match change {
        DirectoryChange::Group { name, joined, left, .. } if name == "dba" => {
            Some((joined.len(), left.len()))
        }
        _ => None,
    });
    // Told twice, it is on record once; what can't be is there, and that it failed.
    assert_eq!(moves.collect::<Vec<_>>(), [(1, 0), (1, 0), (0, 1), (1, 0)]);
    assert!(
        matches!(changes.last(), Some(DirectoryChange::Failed { why }) if why.contains("nobody"))
    );
    assert_eq!(rig.scim("DELETE", &one, Value::Null).await.status, 204);
    assert!(rig.out().await.is_empty());
}

#[tokio::test]
async fn what_can_not_be_recorded_does_not_happen() {
    let rig = Rig::new().await;
    let one = format!("Users/{}", rig.person("ann").await);
    rig.refuses.store(true, Ordering::SeqCst);
    for (method, path, body) in [
        ("PATCH", one.as_str(), active(false)),
        ("DELETE", one.as_str(), Value::Null),
        ("POST", "Users", json!({ "userName": "bob" })),
        ("POST", "Groups", json!({ "displayName": "dba" })),
    ] {
        let answer = rig.scim(method, path, body).await;
        assert_eq!(answer.status, 503, "{method} {path}");
        assert_eq!(answer.header("retry-after"), "5");
    }
    rig.refuses.store(false, Ordering::SeqCst);
    assert!(rig.out().await.is_empty());
    assert_eq!(rig.scim("GET", &one, Value::Null).await.status, 200);
    assert_eq!(rig.scim("GET", "Users", Value::Null).await.json()["totalResults"], 1);
    assert_eq!(rig.scim("GET", "Groups", Value::Null).await.json()["totalResults"], 0);
    rig.scim("PATCH", &one, active(false)).await;
    assert!(rig.is_out("ann").await);
}

#[tokio::test]
async fn lists_have_pages_and_bounds_z9() {
    let rig = Rig::new().await;
    for number in 0..7 {
        rig.person(&format!("u{number}")).await;
    }
    rig.scim("POST", "Groups", json!({ "displayName": "u-group" })).await;
    for (query, total, names) in [
        ("", 7, "u0 u1 u2 u3 u4 u5 u6"),
        ("?startIndex=3&count=2", 7, "u2 u3"),
        ("?startIndex=0&count=-1", 7, ""),
        ("?startIndex=99", 7, ""),
        ("?count=999999999", 7, "u0 u1 u2 u3 u4 u5 u6"),
        ("?filter=userName%20sw%20%22u%22&startIndex=6&count=5", 7, "u5 u6"),
        ("?filter=userName%20eq%20%22U3%22", 1, "u3"),
        ("?filter=userName%20eq%20%22%25%22", 0, ""),
        ("?filter=userName%20eq%20%22x'%20OR%201=1--%22", 0, ""),
        ("?sortBy=userName&sortOrder=descending", 7, "u0 u1 u2 u3 u4 u5 u6"),
    ] {
        let found = rig.scim("GET", &format!("Users{query}"), Value::Null).await.json();
        let list = found["Resources"].as_array().unwrap();
        let list: Vec<_> = list.iter().map(|one| one["userName"].as_str().unwrap()).collect();
        assert_eq!(
            (found["totalResults"].as_i64(), list.join(" ")),
            (Some(total), names.to_owned()),
            "{query}"
        );
    }
    for query in ["startIndex=x", "count=1.5", "filter=userName", "filter=%00"] {
        let status = rig.scim("GET", &format!("Users?{query}"), Value::Null).await.status;
        assert_eq!(status, 400, "{query}");
    }
    let search = |start: u64| json!({ "filter": "id pr", "startIndex": start, "count": 3 });
    let found = rig.scim("POST", ".search", search(6)).await.json();
    let kinds: Vec<_> = found["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["meta"]["resourceType"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        (found["totalResults"].as_i64(), kinds.join(" ")),
        (Some(8), "User User Group".to_owned())
    );
    let one =
        rig.scim("GET", "Users?count=1&attributes=USERNAME,meta.created", Value::Null).await.json();
    let one = one["Resources"][0].as_object().unwrap().clone();
    assert_eq!(one.keys().collect::<Vec<_>>(), ["schemas", "id", "userName", "meta"]);
    assert_eq!(one["meta"].as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn tokens_may_name_people_by_the_providers_id() {
    let rig = Rig::new().await;
    let ask = |method: &'static str, path: String, body: Value| {
        rig.ask(request(method, &format!("entra/{path}"), Some("provision entra"), &body))
    };
    let nameless = ask("POST", "Users".into(), json!({ "userName": "ann" })).await;
    assert_eq!(
        (nameless.status.as_u16(), &nameless.json()["scimType"]),
        (400, &json!("invalidValue"))
    );
    let made = json!({ "userName": "ann", "externalId": "oid-1" });
    let id = ask("POST", "Users".into(), made).await.json()["id"].as_str().unwrap().to_owned();
    let twin = json!({ "userName": "bob", "externalId": "oid-1" });
    assert_eq!(ask("POST", "Users".into(), twin).await.status, 409);
    let off = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    assert_eq!(ask("PATCH", format!("Users/{id}"), off).await.status, 200);
    assert_eq!(rig.out().await, [("oid-1".to_owned(), true)]);
}

#[tokio::test]
async fn bodies_are_bounded_and_of_one_kind() {
    let rig = Rig::new().await;
    let send = |kind: &'static str, body: String| {
        let request = Request::post("/scim/v2/corp/Users")
            .header(header::AUTHORIZATION, format!("Bearer {CORP}"))
            .header(header::CONTENT_TYPE, kind);
        rig.ask(request.body(Body::from(body)).unwrap())
    };
    let good = json!({ "userName": "ann" }).to_string();
    assert_eq!(send("text/plain", good.clone()).await.status, 415);
    assert_eq!(send("application/json", "x".repeat(3 << 20)).await.status, 413);
    assert_eq!(send("application/json", "[".repeat(100_000)).await.status, 400);
    assert_eq!(send("application/json", good).await.status, 201);
}

/// Two gateways that are told of the same group at the same time: each change is made on what the other left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_lose_nothing() {
    let rig = Rig::new().await;
    let group = rig.scim("POST", "Groups", json!({ "displayName": "dba" })).await.json();
    let path = format!("corp/Groups/{}", group["id"].as_str().unwrap());
    let mut people = Vec::new();
    for number in 0..6 {
        people.push(rig.person(&format!("u{number}")).await);
    }
    // All have read it by the time that the first one puts it.
    rig.slow.store(true, Ordering::SeqCst);
    for round in 0..2 {
        let verb = if round % 2 == 0 { "add" } else { "remove" };
        let mut changes = tokio::task::JoinSet::new();
        for person in &people {
            // Each has a lock of its own, as gateways do.
            let mut router = rig.router();
            let operation =
                json!({ "op": verb, "path": "members", "value": [{ "value": person }] });
            let change = json!({ "Operations": [operation] });
            let change = request("PATCH", &path, Some(CORP), &change);
            changes.spawn(async move { router.call(change).await.unwrap().status().as_u16() });
        }
        let answers = changes.join_all().await;
        assert!(answers.iter().all(|status| *status == 204), "{answers:?}");
        let shown = rig.ask(request("GET", &path, Some(CORP), &Value::Null)).await.json();
        let members = shown["members"].as_array().map_or(0, Vec::len);
        assert_eq!(members, if verb == "add" { people.len() } else { 0 }, "round {round}");
    }
}

/// A change that can't be made puts nobody out: not the one whose name it asks for, and not, in the end, its
/// own person; who is then out by the next one that can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deactivation_that_failed_is_made_good() {
    let rig = Rig::new().await;
    let token = Some("provision entra");
    let mut people = Vec::new();
    for name in ["ann", "bob"] {
        let made = json!({ "userName": name, "externalId": format!("oid-{name}") });
        let made = rig.ask(request("POST", "entra/Users", token, &made)).await.json();
        people
            .push((format!("entra/Users/{}", made["id"].as_str().unwrap()), format!("oid-{name}")));
    }
    let off = |name: &str, value: &str| {
        let more = json!({ "op": "replace", "path": name, "value": value });
        json!({ "Operations": [{ "op": "replace", "value": { "active": false } }, more] })
    };
    let before = rig.events().len();
    let taken = request("PATCH", &people[0].0, token, &off("externalId", "oid-bob"));
    assert_eq!(rig.ask(taken).await.status, 409);
    assert_eq!(rig.events().len(), before, "nobody was put out by it, for no moment");

    // Both want one name at the same time, and both are out by then: the one who does not get it is in.
    rig.slow.store(true, Ordering::SeqCst);
    let mut changes = tokio::task::JoinSet::new();
    for (path, subject) in people {
        let (mut router, change) =
            (rig.router(), request("PATCH", &path, token, &off("userName", "z")));
        changes.spawn(async move {
            (router.call(change).await.unwrap().status().as_u16(), path, subject)
        });
    }
    let mut answers = changes.join_all().await;
    answers.sort();
    assert_eq!(answers.iter().map(|one| one.0).collect::<Vec<_>>(), [200, 409]);
    assert_eq!(rig.out().await, [(answers[0].2.clone(), true)]);
    let again = request("PATCH", &answers[1].1, token, &off("displayName", "Z"));
    assert_eq!(rig.ask(again).await.status, 200);
    assert_eq!(rig.out().await.len(), 2);
}
