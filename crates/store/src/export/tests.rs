//! How calls are joined with their ends, over a real journal. What other programs make of the
//! formats is tested end to end.

use std::path::Path;

use lockgate_model::{
    Deny, Digest, Era, Event, IntentEvent, MessageEvent, OutcomeEvent, OutcomeStatus, Reason,
    Timestamp, Verdict,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    Call, Calls, End, Exporter, Filter, Format, Packing, event_of, of_call, of_call_without_bodies,
};
use crate::journal::{Journal, JournalOptions, Keys, read};

/// An event in few words: `intent a`, `deny a`, `message a`, `end a`, `start`.
fn event(words: &str) -> Event {
    let (kind, call) = words.split_once(' ').unwrap_or((words, ""));
    let call = call.to_owned();
    let none = Digest::from_bytes([0; 32]);
    let session = Some("s1".to_owned());
    let body = Some(serde_json::from_str(r#"{"n":9007199254740993}"#).unwrap());
    match kind {
        "start" => Event::Started { version: "1".into(), torn_bytes: 0 },
        "message" => Event::Message(Box::new(MessageEvent {
            call,
            session,
            bytes: 5,
            body_digest: none,
            body,
        })),
        "end" => Event::Outcome(Box::new(OutcomeEvent {
            call,
            session,
            status: OutcomeStatus::Result,
            reason: None,
            elapsed_us: 7,
            bytes: 2,
            body_digest: None,
            masked: [].into(),
            body: None,
        })),
        _ => Event::Intent(Box::new(IntentEvent {
            call,
            trace: "t".into(),
            peer: "192.0.2.1".into(),
            issuer: "corp".into(),
            subject: "ann".into(),
            client: None,
            groups: Vec::new(),
            token: none,
            token_issued_at: None,
            connection: "c".into(),
            session,
            mcp_session: None,
            era: Era::Modern,
            id: None,
            method: "tools/call".into(),
            action: "call_tool".into(),
            target: "x".into(),
            arguments: Value::Null,
            arguments_digest: none,
            body_digest: none,
            definition: None,
            restored: Vec::new(),
            facts: Vec::new(),
            verdict: if kind == "deny" {
                Verdict::Deny(Deny { reason: Reason::PolicyNoPermit, policies: Vec::new() })
            } else {
                Verdict::Allow { policies: Vec::new() }
            },
            snapshot: none,
        })),
    }
}

fn keys(folder: &Path) -> Keys {
    Keys::open_or_create(&folder.join("keys"), folder).unwrap()
}

fn write(folder: &Path, events: &[&str]) {
    let (journal, _) = Journal::open(folder, &keys(folder), JournalOptions::default()).unwrap();
    for (second, words) in (0..).zip(events) {
        journal.append(Timestamp::from_millis(second * 1000), &event(words)).unwrap();
    }
}

fn joined(events: &[&str], mut calls: Calls) -> Vec<Call> {
    let folder = TempDir::new().unwrap();
    write(folder.path(), events);
    let mut ended = Vec::new();
    for record in read(folder.path(), &keys(folder.path())).unwrap() {
        let record = record.unwrap();
        calls.take(&record, event_of(&record).unwrap().unwrap(), &mut ended);
    }
    calls.finish(&mut ended);
    ended
}

fn words(calls: &[Call]) -> Vec<String> {
    calls.iter().map(|call| format!("{} {}", call.intent.call, call.end.as_str())).collect()
}

#[test]
fn every_call_is_told_once_with_what_is_known_of_its_end() {
    let table: [(&[&str], &[&str]); 8] = [
        (&["start", "intent a", "end a"], &["a recorded"]),
        (&["intent a", "intent b", "end b", "end a"], &["b recorded", "a recorded"]),
        (&["deny a", "end a"], &["a not_forwarded"]),
        (&["intent a"], &["a open"]),
        (&["intent a", "start", "end a"], &["a unknown"]),
        (&["intent b", "intent a", "start", "intent c"], &["b unknown", "a unknown", "c open"]),
        (&["end a", "message a"], &[]),
        (&["intent a", "intent a", "end a"], &["a open", "a recorded"]),
    ];
    for (events, expected) in table {
        assert_eq!(words(&joined(events, Calls::new())), expected, "{events:?}");
    }
}

#[test]
fn a_streams_last_message_is_the_answer() {
    let calls = joined(&["intent a", "message a", "message a", "end a"], Calls::new());
    let [call] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(call.result().unwrap().get(), r#"{"n":9007199254740993}"#);
    assert_eq!((call.messages, call.answer_bytes()), (2, Some(12)));
}

#[test]
fn memory_is_bounded_and_a_call_that_lost_its_place_says_so() {
    let one = {
        let calls = joined(&["intent a"], Calls::new());
        calls[0].memory_bytes()
    };
    let events = ["intent a", "intent b", "intent c", "end a", "end b", "end c"];
    let calls = joined(&events, Calls::bounded(2 * one));
    assert_eq!(words(&calls), ["a apart", "b recorded", "c recorded"]);
    assert!(matches!(calls[0].end, End::Apart));
    // What was taken is given back: after all have ended, there is room again.
    let mut events = vec!["intent a", "message a", "end a"];
    events.extend(["intent b", "intent c", "end b", "end c"]);
    let calls = joined(&events, Calls::bounded(2 * one + 64));
    assert_eq!(words(&calls), ["a recorded", "b recorded", "c recorded"]);
}

#[test]
fn frames_are_independent_and_checked() {
    let folder = TempDir::new().unwrap();
    let many: Vec<_> = (0..3_000).flat_map(|_| ["intent a", "end a"]).collect();
    write(folder.path(), &many);
    let exporter = Exporter { format: Format::Jsonl(Packing::Zstd), filter: Filter::default() };
    let mut packed = Vec::new();
    let summary = exporter
        .run(read(folder.path(), &keys(folder.path())).unwrap(), &mut packed, &mut |_| {})
        .unwrap();
    assert_eq!(summary.written, 6_000);
    let lines: String = read(folder.path(), &keys(folder.path()))
        .unwrap()
        .map(|r| r.unwrap().line() + "\n")
        .collect();
    assert_eq!(zstd::decode_all(&packed[..]).unwrap(), lines.as_bytes());
    let begins = |at: &usize| packed[*at..].starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let starts: Vec<_> = (0..packed.len()).filter(begins).collect();
    assert!(starts.len() > 3, "{starts:?}");
    let second = zstd::decode_all(&packed[starts[1]..]).unwrap();
    assert!(lines.as_bytes().ends_with(&second));
    let middle = packed.len() / 2;
    packed[middle] ^= 1;
    assert!(zstd::decode_all(&packed[..]).is_err());
}

#[test]
fn an_event_without_its_bodies_says_so() {
    let calls = joined(&["intent a", "message a", "end a"], Calls::new());
    let whole = of_call(&calls[0]).unwrap();
    assert!(whole.contains(r#""data":{"n":9007199254740993}"#), "{whole}");
    let short = of_call_without_bodies(&calls[0]).unwrap();
    assert!(!short.contains("9007199254740993"), "{short}");
    assert!(short.contains(r#""is_truncated":true"#), "{short}");
    assert!(!whole.contains("is_truncated"), "{whole}");
}
