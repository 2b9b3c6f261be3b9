//! JSON lines and Parquet as DuckDB reads them, and OCSF against the published schema.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use lockgate_e2e::tools;
use lockgate_model::{OutcomeStatus, Reason};
use lockgate_store::{
    export::{Exporter, Filter, Format, Packing, Summary},
    journal::read,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::recording::{BEGIN_MS, Recording, allow, ask, deny, hostile, keys};

/// Calls of the orderly part of the recording.
const CALLS: u64 = 3_000;

struct Made {
    folder: TempDir,
    records: u64,
}

/// 3,000 calls of five subjects, every third denied; then the hostile texts; then one of each end.
fn made() -> Made {
    let folder = TempDir::new().unwrap();
    let mut recording = Recording::begin(&folder.path().join("journal"));
    for number in 0..CALLS {
        let subject = format!("u{}", number % 5);
        let big = 9_007_199_254_740_990 + number % 6;
        let arguments = format!(r#"{{"where":{{"n":{big}}}}}"#);
        if number % 3 == 0 {
            recording.intent(&subject, &arguments, deny());
            continue;
        }
        let call = recording.intent(&subject, &arguments, allow());
        recording.outcome(&call, OutcomeStatus::Result, Some(r#"{"ok":1.0}"#));
    }
    for text in hostile() {
        let body = json!({ "text": text }).to_string();
        let call = recording.intent(&text, &body, allow());
        recording.outcome(&call, OutcomeStatus::Result, Some(&body));
    }
    let call = recording.intent("streamed", r#"{"n":1E400,"m":-0,"f":1.10}"#, allow());
    recording.message(&call, r#"{"first":1}"#);
    recording.message(&call, r#"{"last":18446744073709551617}"#);
    recording.outcome(&call, OutcomeStatus::Result, None);
    recording.intent("held", "null", ask());
    recording.intent("crashed", "{}", allow());
    recording.started();
    recording.refused(Reason::TokenExpired, None);
    recording.refused(Reason::RpcParams, Some("corp/u1"));
    let call = recording.intent("failed", "{}", allow());
    recording.outcome(&call, OutcomeStatus::Failed, None);
    recording.intent("still-open", "{}", allow());
    drop(recording);
    let records = read(&folder.path().join("journal"), &keys(&folder.path().join("journal")))
        .unwrap()
        .count() as u64;
    Made { folder, records }
}

impl Made {
    fn export(&self, format: Format, filter: Filter, name: &str) -> (PathBuf, Summary) {
        let path = self.folder.path().join(name);
        let records =
            read(&self.folder.path().join("journal"), &keys(&self.folder.path().join("journal")))
                .unwrap();
        let mut told = Vec::new();
        let summary = Exporter { format, filter }
            .run(records, File::create(&path).unwrap(), &mut |progress| told.push(progress))
            .unwrap();
        assert_eq!(told.last().unwrap().read, summary.read);
        assert!(told.windows(2).all(|two| two[0].read <= two[1].read));
        (path, summary)
    }
}

fn asked(how: &str, path: &Path) -> Result<Value, String> {
    let mut command = tools::python("export.py").unwrap();
    command.arg(how).arg(path);
    let said = tools::run(command, Duration::from_secs(120)).unwrap();
    if said.code == 0 { Ok(serde_json::from_str(&said.text).unwrap()) } else { Err(said.text) }
}

/// What the orderly part says of the subjects.
fn per_subject(denied: bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for number in (0..CALLS).filter(|number| (number % 3 == 0) == denied) {
        *counts.entry(format!("u{}", number % 5)).or_default() += 1;
    }
    counts
}

/// Large numbers of the orderly part: 2^53 + 1 and more.
fn large() -> u64 {
    (0..CALLS).filter(|number| 9_007_199_254_740_990 + number % 6 > 1 << 53).count() as u64
}

#[test]
fn l1_duckdb_reads_json_lines_and_answers_questions() {
    let made = made();
    for (packing, name) in [(Packing::Zstd, "all.jsonl.zst"), (Packing::Plain, "all.jsonl")] {
        let (path, summary) = made.export(Format::Jsonl(packing), Filter::default(), name);
        assert_eq!((summary.read, summary.written), (made.records, made.records));
        let found = asked("lines", &path).unwrap();
        assert_eq!(found["records"], json!([made.records, made.records]), "{name}");
        let verdicts: BTreeMap<String, u64> =
            serde_json::from_value::<Vec<(String, u64)>>(found["verdicts"].clone())
                .unwrap()
                .into_iter()
                .filter(|(subject, _)| subject.starts_with('u') && subject.len() == 2)
                .collect();
        assert_eq!(verdicts, per_subject(false), "{name}");
        assert_eq!(found["nested"], large(), "{name}");
        assert_eq!(found["texts"], json!(hostile()), "{name}");
    }
}

#[test]
fn json_lines_are_the_records_byte_for_byte() {
    let made = made();
    let lines: Vec<_> =
        read(&made.folder.path().join("journal"), &keys(&made.folder.path().join("journal")))
            .unwrap()
            .map(|record| record.unwrap().line() + "\n")
            .collect();
    let (path, _) = made.export(Format::Jsonl(Packing::Plain), Filter::default(), "all.jsonl");
    assert_eq!(fs::read_to_string(path).unwrap(), lines.concat());
}

#[test]
fn l1_duckdb_reads_parquet_and_answers_questions() {
    let made = made();
    let (path, summary) = made.export(Format::Parquet, Filter::default(), "calls.parquet");
    let calls = CALLS + hostile().len() as u64 + 5;
    assert_eq!((summary.written, summary.apart), (calls, 0));
    let found = asked("rows", &path).unwrap();
    assert_eq!(found["calls"], json!([calls, calls]));
    let column = |name: &str| {
        let columns = found["columns"].as_array().unwrap();
        columns.iter().find(|column| column[0] == name).unwrap()[1].clone()
    };
    for (name, kind) in [
        ("time", "TIMESTAMP WITH TIME ZONE"),
        ("seq", "BIGINT"),
        ("groups", "VARCHAR[]"),
        ("arguments", "VARCHAR"),
        ("elapsed_us", "BIGINT"),
    ] {
        assert_eq!(column(name), kind, "{name}");
    }
    let orderly: Vec<_> = found["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| per_subject(false).contains_key(row[0].as_str().unwrap()))
        .cloned()
        .collect();
    let mut expected = Vec::new();
    for (subject, allowed) in per_subject(false) {
        expected.push(json!([subject, "allow", "result", allowed, allowed * 10]));
        expected.push(json!([subject, "deny", "none", per_subject(true)[&subject], null]));
    }
    assert_eq!(orderly, expected);
    let kinds = json!([
        ["not_forwarded", CALLS / 3 + 1],
        ["open", 1],
        ["recorded", CALLS / 3 * 2 + hostile().len() as u64 + 2],
        ["unknown", 1]
    ]);
    assert_eq!(found["ended"], kinds);
    let groups = |at_least: u64| (1..=calls).filter(|number| number % 3 >= at_least).count();
    assert_eq!(found["groups"], json!([["corp/g0", groups(1)], ["corp/g1", groups(2)]]));
    assert_eq!(found["ungrouped"], (1..=calls).filter(|number| number % 3 == 0).count());
    assert_eq!(found["nested"], large());
    let hours = found["hours"].as_array().unwrap();
    assert_eq!(hours[0][0], "2026-11-25T10:00");
    assert_eq!(hours.iter().map(|hour| hour[1].as_u64().unwrap()).sum::<u64>(), calls);
    let tail = |name: &str| found[name].as_array().unwrap()[CALLS as usize..].to_vec();
    let (subjects, arguments, results) = (tail("subjects"), tail("arguments"), tail("results"));
    for (number, text) in hostile().iter().enumerate() {
        let body = json!({ "text": text }).to_string();
        assert_eq!(subjects[number], *text);
        assert_eq!(arguments[number], body);
        assert_eq!(results[number], body);
    }
    let streamed = hostile().len();
    // Every digit; the journal itself spells the exponent so.
    assert_eq!(arguments[streamed], r#"{"n":1e+400,"m":-0,"f":1.10}"#);
    assert_eq!(results[streamed], r#"{"last":18446744073709551617}"#);
}

#[test]
fn a_cut_export_is_an_error_and_no_answer() {
    let made = made();
    let cut = |path: &Path, part: u64| {
        let bytes = fs::metadata(path).unwrap().len();
        File::options().write(true).open(path).unwrap().set_len(bytes * part / 10).unwrap();
    };
    let (lines, _) = made.export(Format::Jsonl(Packing::Zstd), Filter::default(), "cut.jsonl.zst");
    let (rows, _) = made.export(Format::Parquet, Filter::default(), "cut.parquet");
    for part in [9, 5, 1] {
        cut(&lines, part);
        assert!(asked("lines", &lines).is_err(), "lines {part}");
        cut(&rows, part);
        assert!(asked("rows", &rows).is_err(), "rows {part}");
    }
}

#[test]
fn ocsf_events_are_valid_by_the_published_schema() {
    let made = made();
    let (path, summary) =
        made.export(Format::Ocsf(Packing::Plain), Filter::default(), "events.jsonl");
    let events = CALLS + hostile().len() as u64 + 5 + 2;
    assert_eq!(summary.written, events);
    let found = asked("ocsf", &path).unwrap();
    assert_eq!(found["faults"], json!([]));
    assert_eq!(found["events"], events);
    assert_eq!(found["classes"], json!({ "6003": events }));
    // The check finds what is wrong.
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap();
    for (from, to) in [("\"class_uid\":6003,", ""), ("\"severity_id\":", "\"severety_id\":")] {
        let wrong = made.folder.path().join("wrong.jsonl");
        fs::write(&wrong, first.replace(from, to)).unwrap();
        let found = asked("ocsf", &wrong);
        assert!(found.is_err() || found.unwrap()["faults"] != json!([]), "{from}");
    }
}

#[test]
fn filters_choose_sessions_times_and_records() {
    let made = made();
    let jsonl = Format::Jsonl(Packing::Plain);
    let session = format!("s{:032x}", 1);
    let of = |filter: Filter, format| made.export(format, filter, "part").1.written;
    let minute = Filter {
        from: Some(lockgate_model::Timestamp::from_millis(BEGIN_MS + 60_000)),
        until: Some(lockgate_model::Timestamp::from_millis(BEGIN_MS + 120_000)),
        ..Filter::default()
    };
    assert_eq!(of(minute.clone(), jsonl), 60);
    let range = Filter { first_seq: 11, last_seq: 20, ..Filter::default() };
    assert_eq!(of(range.clone(), jsonl), 10);
    let one = Filter { session: Some(session.clone()), ..Filter::default() };
    let calls = CALLS + hostile().len() as u64 + 5;
    let its = (1..=calls).filter(|number| number % 4 == 1).count() as u64;
    assert_eq!(of(one.clone(), Format::Parquet), its);
    assert_eq!(of(one, Format::Ocsf(Packing::Plain)), its);
    // A call is chosen by its intent, and its end belongs to it.
    let (path, summary) = made.export(Format::Parquet, range, "range.parquet");
    let found = asked("rows", &path).unwrap();
    assert!(summary.written > 0 && summary.read < 40, "{summary:?}");
    assert!(found["ended"].as_array().unwrap().iter().all(|row| row[0] != "open"));
}
