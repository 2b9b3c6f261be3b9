//! Legacy sessions: a process each, nothing rewritten, and a place for every message of the server.

use std::time::Duration;

use lockgate_gateway::upstream::{Answer, SessionKey, Verb};
use lockgate_model::{Era, Reason};
use serde_json::{Value, json};

use crate::rig::{Rig, events, message, messages, request, result};

#[tokio::test]
async fn each_session_has_a_process_of_its_own() {
    let rig = Rig::new();
    let (one, two) = (rig.session().await, rig.session().await);
    let pid = |state: Value| state["pid"].as_u64().unwrap();
    let first = pid(rig.result(&one, "state", json!({})).await);
    assert_eq!(pid(rig.result(&one, "state", json!({})).await), first);
    assert_ne!(pid(rig.result(&two, "state", json!({})).await), first);
}

#[tokio::test]
async fn what_belongs_to_no_session_is_answered_like_over_http() {
    let rig = Rig::new();
    let unknown = SessionKey::new("unknown").unwrap();
    let ping = request(1, "ping", json!({}));
    for (verb, session, body, status) in [
        (Verb::Post, None, &ping, 400),
        (Verb::Get, None, &Value::Null, 400),
        (Verb::Post, Some(&unknown), &ping, 404),
        (Verb::Get, Some(&unknown), &Value::Null, 404),
        (Verb::Delete, Some(&unknown), &Value::Null, 404),
    ] {
        let answer = rig.send(Era::Legacy, verb, session, body).await.unwrap();
        assert_eq!(answer.status(), status, "{verb:?}");
    }
}

#[tokio::test]
async fn bytes_pass_unchanged_in_both_directions() {
    let rig = Rig::new();
    let session = rig.session().await;
    let odd = r#"{"jsonrpc":"2.0","id":"\u0041","method":"seen","params":{"n":1.0,"x":"\/"}}"#;
    let answer = rig.legacy(&session, &serde_json::from_str(odd).unwrap()).await.unwrap();
    let Answer::Json { body, headers, .. } = answer else { panic!("JSON") };
    assert_eq!(headers["content-type"], "application/json");
    // The server's own spacing, which no writer of ours uses.
    assert!(body.starts_with(br#"{"jsonrpc": "2.0", "id": "A", "result": {"seen": ["#));
}

#[tokio::test]
async fn an_answer_streams_only_where_something_comes_first() {
    let rig = Rig::new();
    let session = rig.session().await;
    let answer = rig.legacy(&session, &request(1, "logs", json!({}))).await.unwrap();
    let all = messages(events(answer)).await;
    assert_eq!(all.len(), 2);
    assert_eq!(all[0]["method"], "notifications/message");
    assert_eq!(all[1]["id"], 1);

    let token = json!({ "_meta": { "progressToken": "p" }, "seconds": 0, "marker": "m" });
    let answer = rig.legacy(&session, &request(2, "slow", token)).await.unwrap();
    let all = messages(events(answer)).await;
    assert_eq!(all[0]["params"]["progressToken"], "p");
    assert_eq!(all[1]["result"]["marker"], "m");
}

#[tokio::test]
async fn a_question_of_the_server_is_answered_on_the_session() {
    let rig = Rig::new();
    let session = rig.session().await;
    let answer = rig.legacy(&session, &request(1, "asks", json!({}))).await.unwrap();
    let all = messages(events(answer)).await;
    assert_eq!((&all[0]["id"], &all[0]["method"]), (&json!("s1"), &json!("roots/list")));
    let reply = json!({ "jsonrpc": "2.0", "id": "s1", "result": { "roots": [] } });
    assert_eq!(rig.legacy(&session, &reply).await.unwrap().status(), 202);
    let seen = rig.result(&session, "seen", json!({})).await;
    assert!(seen["seen"].as_array().unwrap().contains(&reply));
}

#[tokio::test]
async fn the_rest_waits_for_the_get_stream() {
    let rig = Rig::new();
    let session = rig.session().await;
    rig.result(&session, "tells", json!({})).await;
    // Usually the notification has come by then; on a busy machine the stream gets it as it comes.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let get = rig.send(Era::Legacy, Verb::Get, Some(&session), &Value::Null).await.unwrap();
    let mut first = events(get);
    let changed = json!("notifications/tools/list_changed");
    assert_eq!(message(&mut first).await.unwrap()["method"], changed);

    rig.result(&session, "tells", json!({})).await;
    assert_eq!(message(&mut first).await.unwrap()["method"], changed);

    let get = rig.send(Era::Legacy, Verb::Get, Some(&session), &Value::Null).await.unwrap();
    let mut second = events(get);
    assert_eq!(message(&mut first).await, None, "a new stream ends the one before");
    rig.send(Era::Legacy, Verb::Delete, Some(&session), &Value::Null).await.unwrap();
    assert_eq!(message(&mut second).await, None, "the session's end ends its stream");
}

#[tokio::test]
async fn batches_are_answered_entry_by_entry() {
    let rig = Rig::new();
    let session = rig.session().await;
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let batch = json!([request(1, "seen", json!({})), note, request("b", "state", json!({}))]);
    let all = messages(events(rig.legacy(&session, &batch).await.unwrap())).await;
    let ids: Vec<_> = all.iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(1), json!("b")]);
    let notes = rig.legacy(&session, &json!([note])).await.unwrap();
    assert_eq!(notes.status(), 202);
}

#[tokio::test]
async fn an_id_can_be_open_once() {
    let rig = Rig::new();
    let session = rig.session().await;
    let slow = request(1, "slow", json!({ "seconds": 0.5, "marker": "m" }));
    let again = request(1, "state", json!({}));
    let (first, second) = tokio::join!(rig.legacy(&session, &slow), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        rig.legacy(&session, &again).await
    });
    assert_eq!(result(first.unwrap())["marker"], "m");
    assert_eq!(second.err().unwrap().reason, Reason::RpcInvalid);
    rig.result(&session, "state", json!({})).await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_nothing_but_a_limit_does() {
    let rig = Rig::with(|_, limits| limits.answer_wait_max_ms = 500);
    let session = rig.session().await;
    let [left, kept] = [7, 8].map(|id| request(id, "silent", json!({})));
    let left = tokio::time::timeout(Duration::from_millis(100), rig.legacy(&session, &left));
    assert!(left.await.is_err());
    let refusal = rig.legacy(&session, &kept).await.err().unwrap();
    assert_eq!(refusal.reason, Reason::UpstreamTimeout);
    let seen = rig.result(&session, "seen", json!({})).await;
    let cancelled: Vec<_> = seen["seen"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["method"] == "notifications/cancelled")
        .map(|one| one["params"]["requestId"].clone())
        .collect();
    assert_eq!(cancelled, [json!(8)]);
}

#[tokio::test]
async fn a_cancelled_call_ends_even_where_the_server_never_answers() {
    let rig = Rig::new();
    let session = rig.session().await;
    let silent = request("x", "silent", json!({}));
    let cancel = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": "x" },
    });
    let (ended, accepted) = tokio::join!(rig.legacy(&session, &silent), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.legacy(&session, &cancel).await
    });
    assert_eq!(accepted.unwrap().status(), 202);
    assert_eq!(ended.err().unwrap().reason, Reason::UpstreamEnded);
}

#[tokio::test]
async fn a_session_in_which_nothing_happens_ends() {
    let rig = Rig::with(|_, limits| limits.session_idle_max_ms = 300);
    let session = rig.session().await;
    let slow = json!({ "seconds": 1, "marker": "busy" });
    assert_eq!(rig.result(&session, "slow", slow).await["marker"], "busy", "twin: it is in use");
    tokio::time::sleep(Duration::from_millis(900)).await;
    let answer = rig.legacy(&session, &request(2, "state", json!({}))).await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn a_child_that_ends_in_mid_call_is_no_answer() {
    let rig = Rig::new();
    let session = rig.session().await;
    let refusal = rig.legacy(&session, &request(1, "exit", json!({ "code": 3 }))).await.err();
    assert_eq!(refusal.unwrap().reason, Reason::UpstreamEnded);
    let again = rig.session().await;
    rig.result(&again, "state", json!({})).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let rig = Rig::with(|_, limits| limits.answer_max_bytes = 64 * 1024);
    let session = rig.session().await;
    let flood = request(1, "flood", json!({ "messages": 2_000 }));
    let mut unread = events(rig.legacy(&session, &flood).await.unwrap());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let refusal = loop {
        match unread.next().await {
            Some(Ok(_)) => {}
            Some(Err(refusal)) => break refusal,
            None => panic!("no end without a reason"),
        }
    };
    assert_eq!(refusal.reason, Reason::UpstreamTooLarge);
    let flood = request(2, "flood", json!({ "messages": 20 }));
    let read = messages(events(rig.legacy(&session, &flood).await.unwrap())).await;
    assert_eq!(read.len(), 21, "twin: one that reads gets all");
}
