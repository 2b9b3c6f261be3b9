//! Shipping to a real S3 server, which is killed in the middle.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use lockgate_e2e::tools::{self, Tool};
use lockgate_model::{Event, Timestamp};
use lockgate_store::{
    journal::{Journal, JournalFault, JournalOptions, Record, read},
    retain::RetentionRule,
    ship::{
        Manifest, S3Keys, S3Settings, ShipFault, ShipSettings, ShipState, ShipTarget, Shipper,
        local_segments,
    },
};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::recording::keys;

/// A folder with a journal, and beside it a bucket with its server.
struct Bed {
    folder: TempDir,
    port: u16,
    server: Option<Tool>,
}

impl Bed {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("s3/recordings")).unwrap();
        let mut bed = Self { folder, port: 0, server: None };
        bed.serve();
        bed
    }

    fn serve(&mut self) {
        let mut command = Command::new(tools::beside("s3-server").unwrap());
        command.arg(self.folder.path().join("s3")).arg(self.port.to_string());
        let (server, url) = Tool::start(command).unwrap();
        self.port = url.rsplit(':').next().unwrap().parse().unwrap();
        self.server = Some(server);
    }

    /// Kills the server's process.
    fn kill(&mut self) {
        self.server = None;
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Records texts of this length, so that segments of about the other length are closed.
    async fn record(&self, count: usize, bytes: usize, segment_max_bytes: u64) {
        let options = JournalOptions { segment_max_bytes, ..JournalOptions::default() };
        let (journal, _) = Journal::open(&self.journal(), &keys(&self.journal()), options).unwrap();
        for number in 0..count {
            let version = format!("{number}{}", noise(bytes));
            let event = Event::Started { version, torn_bytes: 0 };
            let position = journal.append(Timestamp::from_millis(5), &event).unwrap();
            journal.synced(position).await.unwrap();
        }
        drop(journal);
        // What was closed is packed before it is shipped, which the next opening waits for.
        let options = JournalOptions::default();
        let (_journal, _) =
            Journal::open(&self.journal(), &keys(&self.journal()), options).unwrap();
        let begun = Instant::now();
        while local_segments(&self.journal()).unwrap().len() + 1 < segments(&self.journal()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "segments stay unpacked");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn open(&self, secret: &str, notes: &str) -> Result<Shipper, ShipFault> {
        let to = S3Settings {
            bucket: "recordings".into(),
            region: "us-east-1".into(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.port).parse().unwrap()),
            allow_cleartext: true,
            access_key: None,
            secret_key: None,
            ca: None,
        };
        let settings = ShipSettings {
            to: ShipTarget::S3(to),
            prefix: "node-1".into(),
            keep_local: RetentionRule::default(),
            cache_max_bytes: 1 << 30,
        };
        let keys = S3Keys::new("key", secret);
        let notes = self.folder.path().join(notes);
        Shipper::open(&settings, Some(&keys), &self.journal(), &notes).await
    }

    /// What the server has of each segment that has a manifest, checked against what is here.
    fn assert_whole(&self, manifests: &[Manifest]) {
        for manifest in manifests {
            for file in &manifest.files {
                let place = format!("s3/recordings/node-1/{:020}", manifest.first_seq);
                let there = fs::read(self.folder.path().join(place).join(&file.name)).unwrap();
                let here = fs::read(self.journal().join(&file.name)).unwrap();
                assert!(there == here, "{} differs", file.name);
            }
        }
    }
}

fn segments(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.extension().is_some_and(|end| end == "segment")).count()
}

/// Text that packing makes little smaller.
fn noise(bytes: usize) -> String {
    let mut state = bytes as u64 | 1;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'0' + (state >> 58) as u8)
    };
    (0..bytes).map(|_| letter()).collect()
}

/// How the binary finds a record; here with the whole recording in memory.
fn records(journal: &Path) -> impl FnMut(u64) -> Result<Option<Record>, JournalFault> + use<> {
    let all: BTreeMap<u64, Record> =
        read(journal, &keys(journal)).unwrap().map(|r| r.unwrap()).map(|r| (r.seq, r)).collect();
    move |seq| Ok(all.get(&seq).cloned())
}

async fn reached(shipper: &Shipper, goal: impl FnMut(&ShipState) -> bool) -> ShipState {
    let mut state = shipper.state();
    let waited = timeout(Duration::from_secs(120), state.wait_for(goal)).await;
    waited.expect("in time").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_of_every_size_are_shipped_and_come_back() {
    let bed = Bed::start();
    // Below and above what is sent in one request.
    bed.record(3, 100, 150).await;
    bed.record(14, 2_000_000, 24_000_000).await;
    let before: Vec<_> =
        read(&bed.journal(), &keys(&bed.journal())).unwrap().map(|r| r.unwrap().line()).collect();
    let shipper = bed.open("secret", "notes").await.unwrap();
    let closed = local_segments(&bed.journal()).unwrap();
    assert!(closed.iter().any(|segment| segment.bytes > 16_000_000), "{closed:?}");
    assert_eq!(shipper.ship(&mut records(&bed.journal())).await.unwrap(), closed.len());
    bed.assert_whole(&shipper.shipped());
    let mut came = Vec::new();
    for manifest in shipper.shipped() {
        let folder = shipper.fetch(manifest.first_seq).await.unwrap();
        came.extend(
            read(&folder, &keys(&bed.journal())).unwrap().map(|record| record.unwrap().line()),
        );
    }
    assert_eq!(came[..], before[..came.len()]);
    assert_eq!(came.len() as u64, closed.last().unwrap().last_seq);
    // The server knows it without the note, and forgets what is to be forgotten.
    let again = bed.open("secret", "other-notes").await.unwrap();
    assert_eq!(again.shipped(), shipper.shipped());
    assert_eq!(again.forget(closed[0].last_seq).await.unwrap(), 1);
    let third = bed.open("secret", "third-notes").await.unwrap();
    assert_eq!(third.shipped(), &shipper.shipped()[1..]);
}

#[tokio::test]
async fn a_wrong_key_ships_nothing_and_says_so() {
    let bed = Bed::start();
    bed.record(3, 100, 150).await;
    let fault = bed.open("wrong", "notes").await.err().unwrap();
    let text = fault.to_string();
    assert!(text.contains("list") && text.contains("node-1"), "{text}");
    assert!(!text.contains("wrong"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_loses_nothing_and_keeps_no_half() {
    let mut bed = Bed::start();
    bed.record(13, 3_000_000, 8_500_000).await;
    let last = local_segments(&bed.journal()).unwrap().last().unwrap().last_seq;
    let shipper = Arc::new(bed.open("secret", "notes").await.unwrap());
    let task = tokio::spawn({
        let (shipper, record) = (Arc::clone(&shipper), records(&bed.journal()));
        async move { shipper.run(record, || Timestamp::from_millis(9)).await }
    });
    for round in 1..=2 {
        // In the middle of a segment: the next one is under way when one is done.
        reached(&shipper, |state| state.shipped_seq >= round * 3).await;
        tokio::time::sleep(Duration::from_millis(40 * round)).await;
        bed.kill();
        let known = shipper.shipped();
        bed.assert_whole(&known);
        reached(&shipper, |state| state.failing.is_some()).await;
        bed.serve();
        // Who knows only the server takes nothing half for whole.
        let stranger = bed.open("secret", &format!("notes-{round}")).await.unwrap();
        bed.assert_whole(&stranger.shipped());
        assert!(stranger.shipped().starts_with(&known));
    }
    let state =
        reached(&shipper, |state| state.shipped_seq == last && state.failing.is_none()).await;
    assert_eq!(state.shipped_seq, last);
    bed.assert_whole(&shipper.shipped());
    task.abort();
    let manifests = shipper.shipped();
    assert!(manifests.windows(2).all(|two| two[0].last_seq + 1 == two[1].first_seq));
}
