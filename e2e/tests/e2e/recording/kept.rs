//! Beside a running gateway: commands that look and change, segments that are shipped and retired, and
//! receivers that get everything.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    sync::mpsc,
    time::Duration,
};

use lockgate_e2e::say;
use lockgate_model::{Event, KeptChange};
use serde_json::{Value, json};

use super::{House, local, say_in_a_session, say_it, soon};

#[test]
fn commands_look_and_change_beside_a_running_gateway() {
    let mut house = House::start(|_, _| {}).unwrap();
    let engineer = house.engineer().unwrap();
    say_in_a_session(&engineer, "red \u{1b}[2J\u{7} kakapo").unwrap();
    let session = house.sessions().unwrap().pop().unwrap();
    let listed = house.says(0, &["sessions", "list", "--subject", "engineer"]).unwrap();
    assert!(listed.contains(&session), "{listed}");
    assert!(house.says(0, &["sessions", "search", "kakapo"]).unwrap().contains(&session));
    let shown = house.says(0, &["sessions", "show", &session]).unwrap();
    assert!(shown.contains("tools/call") && shown.contains("engineer"), "{shown}");
    for replayed in [
        house.says(0, &["replay", &session, "--full"]).unwrap(),
        house.says(0, &["sessions", "tail", "--once", "--session", &session]).unwrap(),
    ] {
        assert!(replayed.contains("kakapo"), "{replayed}");
        assert!(!replayed.contains(['\u{1b}', '\u{7}']), "it steers the terminal: {replayed:?}");
    }
    assert!(house.says(2, &["replay", "s0"]).unwrap().contains("sessions list"));
    for format in ["jsonl", "ocsf"] {
        let exported = house.says(0, &["journal", "export", "--format", format]).unwrap();
        assert!(exported.contains("kakapo"), "{format}: {exported}");
    }
    house.says(0, &["journal", "export", "--format", "parquet", "--out", "calls.parquet"]).unwrap();
    let parquet = std::fs::read(house.gateway.folder().join("calls.parquet")).unwrap();
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    house.says(0, &["journal", "reindex"]).unwrap();
    // Orders are carried out by the gateway, which owns the journal.
    let order = |code, what, more: &[&str]| {
        let arguments = [&["sessions", what, &session, "--reason", "case 17"], more].concat();
        house.says(code, &arguments).unwrap()
    };
    order(0, "hold", &[]);
    assert!(order(3, "erase", &["--yes"]).contains("hold"));
    order(0, "release", &[]);
    let key = house.says(0, &["journal", "key"]).unwrap();
    house.restart().unwrap();
    house.says(0, &["journal", "bundle", &session, "--out", "evidence.json"]).unwrap();
    let prove = ["journal", "verify", "--bundle", "evidence.json", "--key", key.trim()];
    assert!(house.says(0, &prove).unwrap().contains("from its opening to its close"));
    let evidence = house.gateway.folder().join("evidence.json");
    let forged = std::fs::read_to_string(&evidence).unwrap().replace("kakapo", "kakap0");
    std::fs::write(&evidence, forged).unwrap();
    assert!(house.says(1, &prove).unwrap().contains("refuted"));
    let order = ["sessions", "erase", &session, "--reason", "case 17", "--yes"];
    house.says(0, &order).unwrap();
    assert!(!house.says(0, &["journal", "show", "--json"]).unwrap().contains("kakapo"));
    assert!(house.says(0, &["journal", "verify"]).unwrap().contains("whole and unchanged"));
    let looks = house.looks().unwrap();
    assert!(looks.iter().all(|(by, ..)| *by == local()), "{looks:?}");
    let hows: Vec<_> = looks.iter().map(|(_, how, _)| how.as_str()).collect();
    for how in ["search", "show", "replay", "tail", "export", "hold", "release", "bundle", "erase"]
    {
        assert!(hows.contains(&how), "no `{how}` on record: {hows:?}");
    }
}

#[test]
fn shipped_segments_are_read_from_the_copies_and_retention_is_on_record() {
    let mut house = House::start(|gateway, settings| {
        std::fs::create_dir(gateway.folder().join("copies")).unwrap();
        settings["recording"] = json!({
            "ship": { "to": { "folder": "copies" }, "keep_local": { "max_bytes": 0 } } });
    })
    .unwrap();
    for number in 0..3 {
        say_in_a_session(&house.engineer().unwrap(), &format!("heron {number}")).unwrap();
        house.restart().unwrap();
    }
    let segments = |house: &House| {
        let files = std::fs::read_dir(house.gateway.data().join("journal")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".segment")).count()
    };
    soon("all but the open segment are elsewhere", || Ok((segments(&house) == 1).then_some(())))
        .unwrap();
    let found = house.says(0, &["sessions", "search", "heron", "--json"]).unwrap();
    let found: Value = serde_json::from_str(found.split("\nread ").next().unwrap()).unwrap();
    let sessions: Vec<_> = found["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["session"].as_str().unwrap())
        .collect();
    assert_eq!(sessions.len(), 3);
    for session in &sessions {
        assert!(house.says(0, &["sessions", "show", session]).unwrap().contains("heron"));
    }
    let oldest = sessions.last().unwrap().to_string();
    assert!(house.says(0, &["journal", "verify"]).unwrap().contains("whole and unchanged"));

    // Everything has had its time; a session on hold, and what stands behind it, stays.
    let middle = sessions[1].to_string();
    house.says(0, &["sessions", "hold", &middle, "--reason", "case 17"]).unwrap();
    house.settings["recording"] = json!({
        "ship": { "to": { "folder": "copies" }, "keep_local": { "max_bytes": 0 } },
        "retention": { "max_age_ms": 1 } });
    house.gateway.write_settings(&house.settings).unwrap();
    house.restart().unwrap();
    let through = soon("what is old is retired", || {
        let verified = house.says(0, &["journal", "verify", "--json"])?;
        let report: Value = serde_json::from_str(verified.trim())?;
        let first = report["first_seq"].as_u64();
        Ok(first.filter(|first| *first > 1))
    })
    .unwrap();
    let events = house.says(0, &["journal", "show", "--json"]).unwrap();
    assert!(!events.contains("heron 0") && events.contains("heron 1"), "from {through} on");
    let retired: Vec<_> = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|record| serde_json::from_value::<Event>(record["event"].clone()).ok())
        .filter_map(|event| match event {
            Event::Kept(kept) => Some((kept.by, kept.change)),
            _ => None,
        })
        .collect();
    assert!(
        retired.iter().any(|(by, change)| by == "retention"
            && matches!(change, KeptChange::Retire { through_seq, .. } if through_seq + 1 == through)),
        "{retired:?}"
    );
    assert!(house.says(0, &["sessions", "list"]).unwrap().contains(&oldest), "its row is left");
}

#[test]
fn receivers_get_every_record_in_order_over_a_kill() {
    let (syslog, lines) = syslog_server();
    let mut house = House::start(|gateway, settings| {
        let heads = gateway.folder().join("heads.txt");
        settings["recording"] = json!({ "deliver": {
            "sinks": [{ "name": "siem", "to": { "syslog":
                { "address": syslog, "transport": "tcp" } } }],
            "heads": [{ "file": heads.to_str().unwrap() }] } });
    })
    .unwrap();
    let engineer = house.engineer().unwrap();
    (0..20).for_each(|number| drop(say_it(&engineer, &format!("egret {number}")).unwrap()));
    house.gateway.kill().unwrap();
    house.gateway.run().unwrap();
    house.up().unwrap();
    say_it(&house.engineer().unwrap(), "last egret").unwrap();
    let mut seqs = Vec::new();
    let mut last = false;
    while !last {
        let line: String = lines.recv_timeout(Duration::from_secs(20)).expect("nothing more comes");
        let record = line.find("{\"seq\"").map(|at| &line[at..]);
        let record: Value = serde_json::from_str(record.expect("a record")).unwrap();
        seqs.push(record["seq"].as_u64().unwrap());
        last = line.contains("last egret");
    }
    let repeats = seqs.windows(2).filter(|two| two[1] <= two[0]).count();
    assert!(repeats <= 2, "repeated other than at a seam: {seqs:?}");
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(seqs, (1..=*seqs.last().unwrap()).collect::<Vec<_>>(), "records are missing");
    say(&format!("delivery: {} records, {repeats} seams", seqs.len()));
    house.restart().unwrap();
    let heads = house.gateway.folder().join("heads.txt");
    soon("signed heads in the file", || {
        let text = std::fs::read_to_string(&heads).unwrap_or_default();
        Ok(text.contains("lockgate/gate-1").then_some(()))
    })
    .unwrap();
    let verify = ["journal", "verify", "--heads", "heads.txt"];
    assert!(house.says(0, &verify).unwrap().contains("whole and unchanged"));
}

/// A server that takes syslog over TCP with octet counting (RFC 6587), and gives each message.
fn syslog_server() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (tell, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let mut reader = BufReader::new(socket);
            loop {
                let mut length = Vec::new();
                if reader.read_until(b' ', &mut length).unwrap_or(0) == 0 {
                    break;
                }
                let length = String::from_utf8(length).unwrap();
                let mut message = vec![0; length.trim().parse().unwrap()];
                if reader.read_exact(&mut message).is_err() {
                    break;
                }
                if tell.send(String::from_utf8(message).unwrap()).is_err() {
                    return;
                }
            }
            // The sender counts a batch as taken when this end is closed in order.
            let _ = reader.into_inner().flush();
        }
    });
    (address, lines)
}
