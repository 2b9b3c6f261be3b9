//! JSON lines by POST.

use std::time::Duration;

use lockgate_model::{
    Digest, Era, Event, IntentEvent, OutcomeEvent, OutcomeStatus, Timestamp, Verdict,
};
use lockgate_store::deliver::{Delivery, Headers, Payload};
use sha2::{Digest as _, Sha256};

use super::{Bed, NOW_MS, receivers::Web, tcp, web};
use crate::support::keys;

#[tokio::test]
async fn a_batch_is_sent_again_as_it_was_until_it_is_accepted() {
    let server = Web::start(&[500, 429]).await;
    let bed = Bed::new();
    for number in 0..3 {
        bed.record(&format!("{number}"));
    }
    let mut headers = Headers::default();
    headers.add("authorization", "Bearer s3cret").unwrap();
    bed.start_with(&web(server.address, Payload::Records), headers).sent(3).await;
    let posted = server.posted();
    let [first, second, third] = &posted[..] else { panic!("{posted:?}") };
    assert_eq!((first, first), (second, third));
    assert_eq!(first.path, "POST /in?source=lockgate");
    assert_eq!(first.body, bed.lines().join("\n") + "\n");
    let digest: String =
        Sha256::digest(&first.body).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(first.header("idempotency-key"), format!("\"1-3-{digest}\""));
    assert_eq!(first.header("content-type"), "application/x-ndjson");
    assert_eq!(first.header("authorization"), "Bearer s3cret");
}

#[tokio::test]
async fn a_refusal_for_good_stops_its_sink_and_no_other() {
    for (statuses, word) in [
        (&[401_u16][..], "401"),
        (&[404], "404"),
        (&[413], "413"),
        (&[307], "redirects are not followed"),
    ] {
        let (bad, good) = (Web::start(statuses).await, Web::start(&[]).await);
        let bed = Bed::new();
        bed.record("one");
        let mut named = web(bad.address, Payload::Records);
        named.name = lockgate_model::ConnectionName::new("bad").unwrap();
        let mut stopped = bed.start(&named);
        let mut goes_on = bed.start(&web(good.address, Payload::Records));
        let state = stopped.reached(|state| state.stopped).await;
        assert!(state.failing.unwrap().contains(word), "{word}");
        let last = bed.record("two");
        goes_on.sent(last).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(bad.posted().len(), 1, "nothing more was sent, and nowhere else");
        assert_eq!(stopped.state.borrow().sent_seq, 0);
        // After the restart that mends it, everything is sent.
        bed.start(&named).sent(last).await;
    }
}

#[tokio::test]
async fn a_sink_that_is_down_holds_up_neither_the_others_nor_the_journal() {
    let good = Web::start(&[]).await;
    let bed = Bed::new();
    let mut down = tcp(([127, 0, 0, 1], 9).into());
    down.name = lockgate_model::ConnectionName::new("down").unwrap();
    let mut down = bed.start(&down);
    let mut up = bed.start(&web(good.address, Payload::Records));
    for number in 0..100 {
        bed.record(&format!("{number}"));
    }
    up.sent(100).await;
    let state = down.reached(|state| state.failing.is_some()).await;
    assert_eq!((state.sent_seq, state.stopped), (0, false));
}

#[tokio::test]
async fn a_large_record_is_named_without_its_event() {
    let server = Web::start(&[]).await;
    let bed = Bed::new();
    let last = bed.record(&"x".repeat(300_000));
    bed.start(&web(server.address, Payload::Records)).sent(last).await;
    let posted = server.posted();
    let body: serde_json::Value = serde_json::from_str(&posted[0].body).unwrap();
    assert_eq!(body["event"], serde_json::Value::Null);
    assert_eq!(body["left_out_bytes"], bed.lines()[0].len());
    assert_eq!(body["seq"], 1);
}

#[tokio::test]
async fn calls_that_are_open_over_a_restart_are_told_once() {
    let server = Web::start(&[]).await;
    let bed = Bed::new();
    let settings = web(server.address, Payload::Ocsf);
    intent(&bed, "a");
    intent(&bed, "b");
    let seq = outcome(&bed, "b");
    let mut running = bed.start(&settings);
    let state = running.reached(|state| state.sent_seq == seq).await;
    assert_eq!(state.needs_seq, 1, "the first call is still open");
    drop(running);
    let seq = outcome(&bed, "a");
    let mut running = bed.start(&settings);
    let state = running.reached(|state| state.sent_seq == seq).await;
    assert_eq!(state.needs_seq, seq + 1);
    let bodies: String = server.posted().iter().map(|posted| &*posted.body).collect();
    let told: Vec<_> = bodies
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| (event["metadata"]["correlation_uid"].clone(), event["status"].clone()))
        .collect();
    let one = |call: &str| (call.into(), "Success".into());
    assert_eq!(told, [one("b"), one("a")]);
}

#[test]
fn only_sound_receivers_and_headers_are_taken() {
    let bed = Bed::new();
    let settings = |url: &str, allow_cleartext| {
        let mut settings = web(([127, 0, 0, 1], 9).into(), Payload::Records);
        if let lockgate_store::deliver::Receiver::Http(http) = &mut settings.to {
            http.url = url.parse().unwrap();
            http.allow_cleartext = allow_cleartext;
        }
        Delivery::new(
            &settings,
            Headers::default(),
            "n",
            bed.folder.path(),
            &keys(bed.folder.path()),
            None,
            &bed.places(),
        )
        .is_ok()
    };
    for (url, cleartext, good) in [
        ("https://siem.example/in", false, true),
        ("http://siem.example/in", true, true),
        ("http://siem.example/in", false, false),
        ("https://user:secret@siem.example/", false, false),
        ("ftp://siem.example/", true, false),
    ] {
        assert_eq!(settings(url, cleartext), good, "{url}");
    }
    let mut headers = Headers::default();
    for (name, value, good) in [
        ("x-api-key", "abc", true),
        ("x api", "abc", false),
        ("x-api-key", "a\r\nb", false),
        ("Host", "other", false),
        ("idempotency-key", "1", false),
    ] {
        let added = headers.add(name, value);
        assert_eq!(added.is_ok(), good, "{name}");
        assert!(!format!("{added:?}").contains("abc"), "no value in a fault");
    }
}

fn intent(bed: &Bed, call: &str) -> u64 {
    let none = Digest::from_bytes([0; 32]);
    let event = Event::Intent(Box::new(IntentEvent {
        call: call.into(),
        trace: "t".into(),
        peer: "192.0.2.1".into(),
        issuer: "corp".into(),
        subject: "ann".into(),
        client: None,
        groups: Vec::new(),
        token: none,
        token_issued_at: None,
        connection: "c".into(),
        session: None,
        mcp_session: None,
        era: Era::Modern,
        id: None,
        method: "tools/call".into(),
        action: "call_tool".into(),
        target: "x".into(),
        arguments: serde_json::Value::Null,
        arguments_digest: none,
        body_digest: none,
        definition: None,
        restored: Vec::new(),
        facts: Vec::new(),
        verdict: Verdict::Allow { policies: Vec::new() },
        snapshot: none,
    }));
    bed.journal.append(Timestamp::from_millis(NOW_MS), &event).unwrap().seq()
}

fn outcome(bed: &Bed, call: &str) -> u64 {
    let event = Event::Outcome(Box::new(OutcomeEvent {
        call: call.into(),
        session: None,
        status: OutcomeStatus::Result,
        reason: None,
        elapsed_us: 1,
        bytes: 0,
        body_digest: None,
        masked: [].into(),
        body: None,
    }));
    bed.journal.append(Timestamp::from_millis(NOW_MS), &event).unwrap().seq()
}
