//! Modern calls: one process for all clients, and nobody gets another's answer.

use std::{sync::Arc, time::Duration};

use lockgate_gateway::upstream::Verb;
use lockgate_model::Era;
use serde_json::{Value, json};

use crate::rig::{Rig, events, messages, request, result};

/// C1, C3: the same id and the same progress token from everybody at once.
#[tokio::test]
async fn c1_c3_equal_ids_and_tokens_do_not_cross() {
    let rig = Arc::new(Rig::new());
    let clients = (0..50).map(|client: u32| {
        let rig = Arc::clone(&rig);
        tokio::spawn(async move {
            let marker = format!("client-{client}");
            let seconds = f64::from(client % 7) / 50.0;
            let meta = json!({ "progressToken": 1 });
            let params = json!({ "seconds": seconds, "marker": marker, "_meta": meta });
            let all =
                messages(events(rig.modern(&request(1, "slow", params)).await.unwrap())).await;
            assert_eq!(all.len(), 2, "C3: own progress, nobody else's");
            assert_eq!(all[0]["params"]["progressToken"], 1, "C3");
            assert_eq!(
                (&all[1]["id"], &all[1]["result"]["marker"]),
                (&json!(1), &json!(marker)),
                "C1"
            );
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test]
async fn all_clients_share_one_process() {
    let rig = Rig::new();
    let state = request("a", "state", json!({}));
    let (one, two) = tokio::join!(rig.modern(&state), rig.modern(&state));
    assert_eq!(result(one.unwrap())["pid"], result(two.unwrap())["pid"]);
    for verb in [Verb::Get, Verb::Delete] {
        let answer = rig.send(Era::Modern, verb, None, &Value::Null).await.unwrap();
        assert_eq!(answer.status(), 405);
    }
}

/// C2: a client can't cancel what is another's; leaving cancels what is its own.
#[tokio::test]
async fn c2_only_leaving_cancels() {
    let rig = Rig::new();
    let silent = request(9, "silent", json!({}));
    let leaving = rig.modern(&silent);
    assert!(tokio::time::timeout(Duration::from_millis(500), leaving).await.is_err());
    let guess = |id: i64| {
        json!({
            "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id },
        })
    };
    for id in 0..5 {
        assert_eq!(rig.modern(&guess(id)).await.unwrap().status(), 202);
    }
    let seen = result(rig.modern(&request(1, "seen", json!({}))).await.unwrap());
    let seen = seen["seen"].as_array().unwrap();
    let cancels = seen.iter().filter(|one| one["method"] == "notifications/cancelled");
    let cancels: Vec<_> = cancels.map(|one| &one["params"]["requestId"]).collect();
    let own = seen.iter().find(|one| one["method"] == "silent").unwrap();
    assert_eq!(cancels, [&own["id"]], "C2");
    assert_ne!(own["id"], 9, "the child sees the gateway's own id");
}

#[tokio::test]
async fn subscriptions_are_told_apart() {
    let rig = Rig::new();
    let listen = |marker: &str| request("sub", "subscriptions/listen", json!({ "marker": marker }));
    let (one, two) = (listen("one"), listen("two"));
    let (one, two) = tokio::join!(rig.modern(&one), rig.modern(&two));
    for (answer, marker) in [(one, "one"), (two, "two")] {
        let all = messages(events(answer.unwrap())).await;
        let tag = |message: &Value, member: &str| {
            message[member]["_meta"]["io.modelcontextprotocol/subscriptionId"].clone()
        };
        assert_eq!(all.len(), 3, "what names nobody reaches nobody: {all:?}");
        assert_eq!(all[0]["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(all[1]["params"]["uri"], marker);
        assert_eq!([tag(&all[0], "params"), tag(&all[1], "params")], ["sub", "sub"]);
        assert_eq!((tag(&all[2], "result"), &all[2]["id"]), (json!("sub"), &json!("sub")));
    }
}

#[tokio::test]
async fn what_names_nobody_reaches_nobody() {
    let rig = Rig::new();
    for method in ["logs", "asks"] {
        let answer = rig.modern(&request(1, method, json!({}))).await.unwrap();
        assert_eq!(result(answer), json!({}), "{method}: nothing comes before the response");
    }
}

#[tokio::test]
async fn errors_have_the_status_that_a_server_over_http_would_give() {
    let rig = Rig::new();
    let answer = rig.modern(&request(1, "fails", json!({}))).await.unwrap();
    assert_eq!(answer.status(), 404);
    let session = rig.session().await;
    let answer = rig.legacy(&session, &request(1, "fails", json!({}))).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_lost_process_is_started_again_with_the_next_call() {
    let rig = Rig::new();
    let pid = || async {
        result(rig.modern(&request(1, "state", json!({}))).await.unwrap())["pid"].clone()
    };
    let first = pid().await;
    assert!(rig.modern(&request(2, "exit", json!({ "code": 0 }))).await.is_err());
    assert_ne!(pid().await, first);
}
