//! Delivery against real listeners: every byte, in order, at least once, whatever dies.

mod heads;
mod receivers;
mod syslog;
mod web;

use std::{net::SocketAddr, path::Path, time::Duration};

use lockgate_model::{ConnectionName, Event, Reason, RefusalEvent, Timestamp};
use lockgate_store::{
    deliver::{
        Delivery, Headers, HttpSettings, Payload, Receiver, SinkSettings, SinkState, SyslogSettings,
    },
    journal::{Journal, read},
};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::support::{keys, open_small};

/// 2026-11-25T10:00:00.007Z.
const NOW_MS: i64 = 1_795_600_800_007;

/// A journal with its sinks.
struct Bed {
    folder: TempDir,
    journal: Journal,
}

/// A sink at work; ended when dropped.
struct Running {
    state: watch::Receiver<SinkState>,
    task: JoinHandle<()>,
}

impl Bed {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let journal = open_small(&folder.path().join("journal"));
        Self { folder, journal }
    }

    /// Records a refusal that says `text` of its subject and in its detail; gives its number.
    fn record(&self, text: &str) -> u64 {
        let event = Event::Refused(RefusalEvent {
            request: "r1".into(),
            peer: "192.0.2.1".into(),
            connection: Some("payroll".into()),
            identity: Some(format!("corp/{text}")),
            reason: Reason::RpcParams,
            detail: text.into(),
        });
        self.journal.append(Timestamp::from_millis(NOW_MS), &event).unwrap().seq()
    }

    fn lines(&self) -> Vec<String> {
        let records =
            read(&self.folder.path().join("journal"), &keys(&self.folder.path().join("journal")))
                .unwrap();
        records.map(|record| record.unwrap().line()).collect()
    }

    fn places(&self) -> std::path::PathBuf {
        self.folder.path().join("delivery")
    }

    fn start(&self, settings: &SinkSettings) -> Running {
        self.start_with(settings, Headers::default())
    }

    fn start_with(&self, settings: &SinkSettings, headers: Headers) -> Running {
        let journal = self.folder.path().join("journal");
        let delivery = Delivery::new(
            settings,
            headers,
            "node-1",
            &journal,
            &keys(&journal),
            None,
            &self.places(),
        )
        .unwrap();
        Running { state: delivery.state(), task: tokio::spawn(delivery.run()) }
    }
}

impl Running {
    /// Waits until everything up to `seq` was accepted.
    async fn sent(&mut self, seq: u64) {
        self.reached(|state| state.sent_seq >= seq).await;
    }

    async fn reached(&mut self, goal: impl FnMut(&SinkState) -> bool) -> SinkState {
        let waited = timeout(Duration::from_secs(30), self.state.wait_for(goal)).await;
        waited.expect("in time").expect("still running").clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn sink(to: Receiver, payload: Payload) -> SinkSettings {
    let name = ConnectionName::new("siem").unwrap();
    SinkSettings { name, payload, to, message_max_bytes: 256 * 1024 }
}

fn tcp(address: SocketAddr) -> SinkSettings {
    sink(Receiver::Syslog(SyslogSettings::tcp(address)), Payload::Records)
}

fn web(address: SocketAddr, payload: Payload) -> SinkSettings {
    let to = HttpSettings {
        url: format!("http://{address}/in?source=lockgate").parse().unwrap(),
        allow_cleartext: true,
        headers: [].into(),
        ca: None,
    };
    sink(Receiver::Http(to), payload)
}

/// The sequence numbers that JSON lines name.
fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| {
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        json["seq"].as_u64().unwrap()
    };
    lines.iter().map(number).collect()
}

/// Nothing is missing, and whatever comes twice is a run that begins anew at a seam.
fn assert_at_least_once(numbers: &[u64], last: u64, seams: usize) {
    let mut backward = 0;
    let mut reached = 0;
    for pair in numbers.windows(2) {
        assert!(pair[1] <= reached.max(pair[0]) + 1, "a gap before {}", pair[1]);
        reached = reached.max(pair[0]);
        backward += usize::from(pair[1] != pair[0] + 1);
    }
    assert_eq!(numbers.first(), Some(&1));
    assert_eq!(numbers.iter().max(), Some(&last));
    assert!(backward <= seams, "{backward} seams");
}

#[tokio::test]
async fn a_place_that_cannot_be_read_is_not_the_beginning() {
    let bed = Bed::new();
    std::fs::create_dir(bed.places()).unwrap();
    std::fs::write(bed.places().join("siem.json"), "{\"sent\":").unwrap();
    let settings = tcp(([127, 0, 0, 1], 9).into());
    let journal: &Path = &bed.folder.path().join("journal");
    let delivery = Delivery::new(
        &settings,
        Headers::default(),
        "n",
        journal,
        &keys(journal),
        None,
        &bed.places(),
    );
    let fault = delivery.err().unwrap().to_string();
    assert!(fault.contains("siem.json") && fault.contains("remove it"), "{fault}");
}
