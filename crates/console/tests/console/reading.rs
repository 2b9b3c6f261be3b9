//! What a reader is shown: lists and their pages, sessions, calls, records, and when nothing.

use std::sync::atomic::Ordering;

use axum::body::Body;
use http::{Request, StatusCode};

use crate::rig::{
    Answer, Rig, call, closed, get, intent, message, opened, outcome, refused, session,
};

/// Three sessions whose records are interleaved; the second one is closed.
async fn filled() -> Rig {
    let rig = Rig::new().await;
    for n in 1..=3 {
        rig.append(&opened(n, if n == 3 { "mail" } else { "db" }));
    }
    for round in 0..4 {
        for n in 1..=3 {
            let id = round * 10 + n;
            rig.append(&intent(id, n, if n == 3 { "mail" } else { "db" }, "select salary"));
            rig.append(&message(id, n, "half"));
            rig.append(&outcome(id, n, "whole"));
        }
    }
    rig.append(&closed(2));
    rig.append(&refused("db"));
    rig.catch_up().await;
    rig
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let rows = body["rows"].as_array().unwrap();
    rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn lists_find_what_is_asked_for() {
    let rig = filled().await;
    for (path, found) in [
        ("/sessions", 3),
        ("/sessions?subject=person-1", 1),
        ("/sessions?issuer=corp&group=corp%2Fstaff&client=ide", 3),
        ("/sessions?connection=mail", 1),
        ("/sessions?tool=query&verdict=allow&policy=staff&fact=sql", 3),
        ("/sessions?text=salary", 3),
        ("/sessions?text=nothing", 0),
        ("/sessions?open=false", 1),
        ("/sessions?open=true", 2),
        ("/sessions?from=2020-01-01T00:00:00Z&to=2021-01-01T00:00:00Z", 0),
        ("/calls", 12),
        ("/calls?connection=mail", 4),
        ("/calls?text=%22select%20salary%22&fact=sql.write", 12),
        ("/calls?reason=policy.forbidden", 0),
        ("/refusals", 1),
        ("/refusals?reason=token.signature&connection=db", 1),
        ("/refusals?reason=token.audience", 0),
    ] {
        let answer = rig.get(path, "auditor").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        assert_eq!(answer.json()["rows"].as_array().unwrap().len(), found, "{path}");
    }
    let of = format!("/calls?session={}", session(3));
    assert_eq!(ids(&rig.get(&of, "auditor").await).len(), 4);
}

#[tokio::test]
async fn pages_follow_their_links_without_gap_or_repetition() {
    let rig = filled().await;
    let mut path = "/calls?text=salary&limit=5".to_owned();
    let mut all = Vec::new();
    loop {
        let answer = rig.get(&path, "auditor").await;
        all.extend(ids(&answer));
        let Some(next) = answer.json()["next"].as_str().map(ToOwned::to_owned) else {
            assert_eq!(answer.header("link"), "");
            break;
        };
        let link = answer.header("link");
        let (target, rel) = link.strip_prefix("</api/v1").unwrap().split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        assert!(target.contains(&next) && target.contains("text=salary"), "{link}");
        target.clone_into(&mut path);
    }
    let whole = ids(&rig.get("/calls?limit=200", "auditor").await);
    assert_eq!(all.len(), 12);
    assert_eq!(all, whole);
}

#[tokio::test]
async fn records_are_shown_as_recorded_in_order_and_by_session() {
    let rig = filled().await;
    for n in 1..=3 {
        let id = session(n);
        let ours: Vec<_> =
            rig.events().into_iter().filter(|(_, e)| e.session() == Some(&id)).collect();
        let mut after = 0;
        let mut shown = Vec::new();
        loop {
            let path = format!("/sessions/{id}/events?after={after}&limit=3");
            let answer = rig.get(&path, "auditor").await;
            shown.extend(answer.seqs());
            let Some(next) = answer.json()["next"].as_u64() else { break };
            assert!(answer.header("link").contains(&format!("after={next}")));
            after = next;
        }
        assert_eq!(shown, ours.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), "{n}");
    }
    // Digit for digit as in the journal.
    let path = format!("/sessions/{}/events?limit=1", session(1));
    let body = rig.get(&path, "auditor").await.body;
    let line = rig.records()[0].line();
    assert!(String::from_utf8(body).unwrap().contains(&line), "{line}");
}

#[tokio::test]
async fn records_that_are_not_indexed_yet_are_shown_too() {
    let rig = filled().await;
    let late = rig.append(&intent(77, 1, "db", "late"));
    let answer = rig.get(&format!("/sessions/{}/events?limit=200", session(1)), "auditor").await;
    assert_eq!(answer.seqs().last(), Some(&late));
    assert_eq!(answer.seqs().len(), 14);
}

#[tokio::test]
async fn a_call_id_that_comes_twice_hides_no_record() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    let first = rig.append(&intent(1, 1, "db", "a"));
    rig.catch_up().await;
    let second = rig.append(&intent(1, 1, "db", "b"));
    rig.catch_up().await;
    let path = format!("/sessions/{}/events?after={first}", session(1));
    assert_eq!(rig.get(&path, "auditor").await.seqs(), [second]);
}

#[tokio::test]
async fn a_call_comes_with_its_records() {
    let rig = filled().await;
    let answer = rig.get(&format!("/calls/{}", call(21)), "auditor").await;
    let body = answer.json();
    assert_eq!(body["call"]["id"], call(21));
    assert_eq!(body["call"]["verdict"], "allow");
    assert_eq!(body["call"]["status"], "result");
    let kinds: Vec<_> = body["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["event"].as_object().unwrap().keys().next().unwrap().clone())
        .collect();
    assert_eq!(kinds, ["intent", "message", "outcome"]);
    // Without its outcome it is shown as far as it came.
    let seq = rig.append(&intent(500, 1, "db", "open"));
    rig.catch_up().await;
    let answer = rig.get(&format!("/calls/{}", call(500)), "auditor").await;
    assert_eq!((answer.json()["call"]["status"].is_null(), answer.seqs()), (true, vec![seq]));
}

#[tokio::test]
async fn what_is_not_there_is_told_by_its_code() {
    let rig = filled().await;
    for (path, status, code) in [
        (format!("/sessions/{}", session(9)), 404, "session.unknown"),
        (format!("/sessions/{}/events", session(9)), 404, "session.unknown"),
        (format!("/sessions/{}/tail", session(9)), 404, "session.unknown"),
        (format!("/calls/{}", call(888)), 404, "call.unknown"),
        (format!("/journal/export?session={}", session(9)), 404, "session.unknown"),
    ] {
        let answer = rig.get(&path, "auditor").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (status, code), "{path}");
    }
}

#[tokio::test]
async fn another_nodes_session_is_found_and_its_content_is_elsewhere() {
    let rig = Rig::new().await;
    let indexed = |seq, event| lockgate_store::index::Indexed {
        seq,
        time: crate::rig::now(),
        event: Some(event),
    };
    let batch = [indexed(1, opened(1, "db")), indexed(2, intent(1, 1, "db", "x"))];
    rig.index.apply("two", &batch).await.unwrap();
    let id = session(1);
    assert_eq!(rig.get(&format!("/sessions/{id}"), "auditor").await.json()["node"], "two");
    for path in ["events", "tail"].map(|what| format!("/sessions/{id}/{what}")) {
        let answer = rig.get(&path, "auditor").await;
        assert_eq!((answer.status.as_u16(), &*answer.code()), (409, "session.elsewhere"));
        assert!(answer.json()["detail"].as_str().unwrap().contains("`two`"));
    }
    assert_eq!(
        rig.get(&format!("/calls/{}", call(1)), "auditor").await.code(),
        "session.elsewhere"
    );
    let answer = rig.post(&format!("/sessions/{id}/erase"), "admin", r#"{"reason":"x"}"#).await;
    assert_eq!(answer.code(), "session.elsewhere");
}

#[tokio::test]
async fn unchanged_answers_are_not_sent_again() {
    let rig = filled().await;
    for path in [
        "/sessions".to_owned(),
        format!("/sessions/{}", session(1)),
        format!("/sessions/{}/events", session(1)),
        "/calls?limit=2".into(),
        format!("/calls/{}", call(1)),
        "/refusals".into(),
        "/openapi.json".into(),
    ] {
        let first = rig.get(&path, "auditor").await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\"") && tag.len() == 36, "{path}: {tag}");
        let again = |tag: &str| {
            let mut request = get(&path, "auditor");
            request.headers_mut().insert("if-none-match", tag.parse().unwrap());
            request
        };
        let same = rig.ask(again(&tag)).await;
        assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
        assert_eq!(same.header("etag"), tag, "{path}");
        assert_eq!(same.header("link"), first.header("link"), "{path}");
        let other = rig.ask(again("W/\"00\"")).await;
        assert_eq!((other.status, other.body), (StatusCode::OK, first.body), "{path}");
    }
}

#[tokio::test]
async fn the_head_is_a_signed_note_or_its_parts() {
    let rig = Rig::new().await;
    rig.append(&opened(1, "db"));
    let signed = rig.head(1).await;
    let note = rig.get("/journal/head", "auditor").await;
    assert_eq!(note.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(String::from_utf8(note.body.clone()).unwrap(), signed.note);
    let ask = |name, value: &str| {
        let mut request = get("/journal/head", "auditor");
        request.headers_mut().insert(name, value.parse().unwrap());
        rig.ask(request)
    };
    let parts = ask("accept", "application/json").await.json();
    assert_eq!((&parts["node"], &parts["size"]), (&"one".into(), &1.into()));
    assert_eq!(parts["root"], signed.head.root.to_string());
    assert_eq!(parts["note"], signed.note);
    let same = ask("if-none-match", note.header("etag")).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[tokio::test]
async fn the_export_has_every_line_once() {
    let rig = filled().await;
    let answer = rig.get("/journal/export", "auditor").await;
    assert_eq!(answer.header("content-type"), "application/jsonl");
    let lines: Vec<_> = rig.records().iter().map(lockgate_store::journal::Record::line).collect();
    let exported = String::from_utf8(answer.body).unwrap();
    assert_eq!(exported.lines().collect::<Vec<_>>(), lines);
    let one = rig.get(&format!("/journal/export?session={}", session(2)), "auditor").await;
    assert_eq!(String::from_utf8(one.body).unwrap().lines().count(), 14);
    let none = rig.get("/journal/export?to=2020-01-01T00:00:00Z", "auditor").await;
    assert_eq!((none.status, none.body.len()), (StatusCode::OK, 0));
}

#[tokio::test]
async fn every_look_is_on_the_record_before_it_is_answered_z11() {
    let rig = filled().await;
    let (id, call) = (session(2), call(1));
    for (path, how, viewed) in [
        ("/sessions?text=salary".to_owned(), "search", None),
        (format!("/sessions/{id}"), "show", Some(&id)),
        (format!("/sessions/{id}/events"), "replay", Some(&id)),
        (format!("/sessions/{id}/tail"), "tail", Some(&id)),
        ("/calls".into(), "search", None),
        (format!("/calls/{call}"), "show", None),
        ("/refusals".into(), "search", None),
        ("/tail".into(), "tail", None),
        ("/journal/export".into(), "export", None),
    ] {
        let before = rig.looks().len();
        // The answer's head is there; nothing of its body was read yet.
        let response = rig.send(get(&path, "auditor")).await;
        let looks = rig.looks();
        assert_eq!(looks.len(), before + 1, "{path}");
        let look = ("corp/auditor".to_owned(), how.to_owned(), viewed.cloned());
        assert_eq!(looks.last(), Some(&look), "{path}");
        drop(response);

        rig.refuses.store(true, Ordering::SeqCst);
        let answer = rig.get(&path, "auditor").await;
        assert_eq!(
            (answer.status.as_u16(), &*answer.code()),
            (503, "journal.unavailable"),
            "{path}"
        );
        let said = String::from_utf8(answer.body).unwrap();
        assert!(!said.contains("person-") && !said.contains("salary"), "{path}: {said}");
        rig.refuses.store(false, Ordering::SeqCst);
    }
    // Looks at nothing that is recorded are no looks.
    let before = rig.looks().len();
    for path in ["/journal/head", "/openapi.json", "/sessions?limit=0"] {
        rig.get(path, "auditor").await;
    }
    assert_eq!(rig.looks().len(), before);
}

#[tokio::test]
async fn a_broken_recording_is_told_and_nothing_after_it_is_shown() {
    let rig = filled().await;
    // So that the first segment is not the one that is being written.
    for n in 600..640 {
        rig.append(&message(n, 1, &"x".repeat(1_000)));
    }
    let journal = rig.folder.path().join("journal");
    let files = std::fs::read_dir(&journal).unwrap().map(|file| file.unwrap().path());
    let first = files.filter(|file| file.extension().is_some_and(|e| e == "segment")).min();
    let first = first.unwrap();
    // It is packed behind the writer, which would take the place of what is changed here.
    let packed = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("\"packed\":true");
    let mut bytes = std::fs::read(&first).unwrap();
    while !packed(&bytes) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        bytes = std::fs::read(&first).unwrap();
    }
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(first, bytes).unwrap();
    let path = format!("/sessions/{}/events", session(1));
    assert_eq!(rig.get(&path, "auditor").await.code(), "journal.broken");
    // A part is never taken for the whole.
    let response = rig.send(get("/journal/export", "auditor")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
}

#[tokio::test]
async fn what_looks_unfinished_and_was_durable_is_missing() {
    let rig = Rig::new().await;
    for n in 1..=9 {
        rig.append(&opened(n, "db"));
    }
    rig.catch_up().await;
    let journal = rig.folder.path().join("journal");
    let files = std::fs::read_dir(&journal).unwrap().map(|file| file.unwrap().path());
    let newest = files.filter(|file| file.extension().is_some_and(|e| e == "segment")).max();
    let (newest, all) = (newest.unwrap(), rig.records().len());
    // One bit of a length makes a record, and all behind it, look like one that is being written.
    let good = std::fs::read(&newest).unwrap();
    let silent = (0..good.len()).find(|at| {
        let mut bad = good.clone();
        bad[*at] ^= 1;
        std::fs::write(&newest, bad).unwrap();
        let read = lockgate_store::journal::read(&journal, &rig.keys);
        read.is_ok_and(|records| records.map_while(Result::ok).count() < all)
            && lockgate_store::journal::read(&journal, &rig.keys).unwrap().all(|r| r.is_ok())
    });
    assert!(silent.is_some());
    let path = format!("/sessions/{}/events", session(1));
    assert_eq!(rig.get(&path, "auditor").await.code(), "journal.broken");
    let response = rig.send(get("/journal/export", "auditor")).await;
    assert!(axum::body::to_bytes(response.into_body(), usize::MAX).await.is_err());
}

#[tokio::test]
async fn heads_of_answers_are_given_without_bodies() {
    let rig = filled().await;
    let request = Request::head("/api/v1/sessions").header("authorization", "Bearer auditor");
    let answer = rig.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
}
