//! The gateway's own listing, and the pins that rest on it, over a server that changes.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use lockgate_gateway::{
    pin::{PinKeeper, SEEN_FOLDER, Stale},
    settings::{EraSetting, PinMode, StdioSettings, UpstreamSettings},
    stage::arm::Credential,
    upstream::{Upstream, catalogue::Lister, stdio::StdioUpstream},
};
use lockgate_model::{ConnectionName, Era, Event, Limits, Reason};
use lockgate_store::{
    journal::{Journal, JournalOptions, Keys, read},
    pins::{PinFolder, PinKind},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::rig::{launcher, python};

struct Shop {
    folder: TempDir,
    stale: Stale,
    changed: Arc<Notify>,
    journal: Arc<Journal>,
    upstream: Arc<Upstream>,
    settings: UpstreamSettings,
}

impl Shop {
    fn new(state: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = folder.path().join("catalogue.py");
        fs::write(&server, include_str!("catalogue.py")).unwrap();
        let stdio = StdioSettings {
            command: python(),
            args: [server, folder.path().join("state")].map(|p| p.display().to_string()).to_vec(),
            env: Default::default(),
            cwd: None,
            sandbox: Default::default(),
        };
        let stale = Stale::default();
        let settings = UpstreamSettings::Stdio(stdio.clone());
        let upstream = StdioUpstream::new(
            name(),
            stdio,
            Limits::default(),
            launcher(),
            stale.clone(),
            Arc::default(),
        )
        .unwrap();
        let place = folder.path().join("journal");
        let keys = Keys::open_or_create(&folder.path().join("keys"), &place).unwrap();
        let (journal, _) = Journal::open(&place, &keys, JournalOptions::default()).unwrap();
        let shop = Self {
            stale,
            changed: Arc::default(),
            journal: Arc::new(journal),
            upstream: Arc::new(Upstream::Stdio(upstream)),
            settings,
            folder,
        };
        shop.show(state);
        shop
    }

    /// Changes what the server has.
    fn show(&self, state: &Value) {
        fs::write(self.folder.path().join("state"), state.to_string()).unwrap();
    }

    fn lister(&self, era: EraSetting) -> Lister {
        let (upstream, journal) = (Arc::clone(&self.upstream), Arc::clone(&self.journal));
        let made = Credential::of(name(), &self.settings, Arc::default(), &journal);
        let credential = made.unwrap();
        Lister::new(name(), upstream, credential, era, Limits::default(), journal)
    }

    fn pins(&self) -> PathBuf {
        self.folder.path().join("pins")
    }

    fn keeper(&self, mode: PinMode) -> Arc<PinKeeper> {
        let keeper = PinKeeper::open(
            mode,
            &self.pins(),
            self.lister(EraSetting::Auto),
            Arc::clone(&self.journal),
            self.stale.clone(),
            Arc::clone(&self.changed),
        );
        Arc::new(keeper.unwrap())
    }

    /// Methods that the server was asked.
    fn asked(&self, method: &str) -> usize {
        let log = fs::read_to_string(self.folder.path().join("state.log")).unwrap_or_default();
        log.lines().filter(|line| *line == method).count()
    }
}

fn name() -> ConnectionName {
    ConnectionName::new("shop").unwrap()
}

fn tool(name: &str, description: &str) -> Value {
    json!({ "name": name, "description": description, "inputSchema": { "type": "object" } })
}

async fn call(keeper: &Arc<PinKeeper>, name: &str) -> Option<Reason> {
    keeper.check_call(PinKind::Tool, name).await.err().map(|refusal| refusal.reason)
}

#[tokio::test]
async fn every_kind_of_server_is_listed() {
    let tools: Vec<_> = (0..7).map(|n| tool(&format!("t{n}"), "")).collect();
    for (speaks, era, revision) in [
        ("dual", Era::Modern, "2026-07-28"),
        ("legacy", Era::Legacy, "2025-11-25"),
        ("silent", Era::Legacy, "2025-11-25"),
    ] {
        let prompts = json!([{ "name": "p" }]);
        let shop = Shop::new(&json!({
            "era": speaks, "tools": tools, "prompts": prompts, "page": 3, "instructions": "Be kind",
        }));
        let catalogue = shop.lister(EraSetting::Auto).list().await.unwrap();
        assert_eq!((catalogue.era, catalogue.revision.as_str()), (era, revision), "{speaks}");
        assert_eq!(catalogue.server, "files");
        assert_eq!(catalogue.instructions.as_deref(), Some("Be kind"));
        let names: Vec<_> = catalogue.definitions.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["t0", "t1", "t2", "t3", "t4", "t5", "t6", "p"], "every page");
    }
}

#[tokio::test]
async fn the_configured_era_is_the_only_one_tried() {
    let shop = Shop::new(&json!({ "era": "legacy", "tools": [] }));
    let refusal = shop.lister(EraSetting::Modern).list().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::UpstreamInvalid);
    assert_eq!(shop.asked("initialize"), 0);
    shop.lister(EraSetting::Legacy).list().await.unwrap();
    assert_eq!(shop.asked("server/discover"), 1);
}

#[tokio::test]
async fn own_requests_stand_in_the_record() {
    let shop = Shop::new(&json!({ "era": "dual", "tools": [] }));
    shop.lister(EraSetting::Auto).list().await.unwrap();
    let mut told = Vec::new();
    let keys = Keys::open(&shop.folder.path().join("keys")).unwrap();
    for record in read(&shop.folder.path().join("journal"), &keys).unwrap() {
        match record.unwrap().event().unwrap().unwrap() {
            Event::Intent(intent) => {
                assert_eq!((&*intent.issuer, &*intent.subject), ("lockgate", "catalogue"));
                told.push(intent.method);
            }
            Event::Outcome(_) => told.push("outcome".into()),
            _ => {}
        }
    }
    assert_eq!(told, ["server/discover", "outcome", "tools/list", "outcome"]);
}

#[tokio::test]
async fn d1_d4_changes_block_calls_until_accepted() {
    let shop = Shop::new(&json!({ "era": "legacy", "tools": [tool("a", "good"), tool("b", "")] }));
    let keeper = shop.keeper(PinMode::OnFirstUse);
    assert_eq!(call(&keeper, "a").await, None, "first use");
    assert_eq!(call(&keeper, "c").await, Some(Reason::TargetUnknown));
    tokio::time::timeout(Duration::from_secs(1), shop.changed.notified()).await.unwrap();
    assert_eq!(shop.asked("tools/list"), 1, "one listing serves until a change is told");

    shop.show(&json!({ "era": "legacy", "tools": [tool("a", "evil"), tool("c", "")] }));
    shop.stale.mark();
    assert_eq!(call(&keeper, "a").await, Some(Reason::PinChanged), "D1");
    assert_eq!(call(&keeper, "b").await, Some(Reason::TargetUnknown), "D4 removed");
    assert_eq!(call(&keeper, "c").await, None, "D4 added, accepted on first use");

    // What `lockgate pins accept` does.
    let folder = PinFolder::open(&shop.pins()).unwrap();
    let seen = PinFolder::open(&shop.pins().join(SEEN_FOLDER)).unwrap();
    folder.save(&name(), &seen.load(&name()).unwrap().unwrap()).unwrap();
    keeper.reload().unwrap();
    assert_eq!(call(&keeper, "a").await, None, "D1 twin: accepted");

    let restarted = shop.keeper(PinMode::Manual);
    assert_eq!(call(&restarted, "a").await, None, "what was accepted outlives the process");
    shop.show(&json!({ "era": "legacy", "tools": [tool("new", "")] }));
    shop.stale.mark();
    assert_eq!(call(&restarted, "new").await, Some(Reason::PinNew), "D4 added, manual");
}

#[tokio::test]
async fn d5_a_storm_of_changes_costs_one_listing_a_second() {
    let shop = Shop::new(&json!({ "era": "dual", "tools": [tool("a", "")], "storm": 1000 }));
    let keeper = shop.keeper(PinMode::OnFirstUse);
    let began = std::time::Instant::now();
    for _ in 0..3 {
        let calls = (0..100).map(|_| {
            let keeper = Arc::clone(&keeper);
            tokio::spawn(async move { call(&keeper, "a").await })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(call.await.unwrap(), None, "D5: calls go on");
        }
    }
    let listings = shop.asked("tools/list");
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!((3..=seconds + 1).contains(&listings), "D5: {listings} listings in {seconds} s");
}

#[tokio::test]
async fn d6_a_name_that_stands_twice_is_nobodys() {
    for page in [100, 1] {
        let tools = [tool("a", "one"), tool("b", ""), tool("a", "two")];
        let shop = Shop::new(&json!({ "era": "legacy", "tools": tools, "page": page }));
        let keeper = shop.keeper(PinMode::OnFirstUse);
        assert_eq!(call(&keeper, "a").await, Some(Reason::TargetUnknown), "D6");
        assert_eq!(call(&keeper, "b").await, None, "D6 twin");
    }
}

#[tokio::test]
async fn without_a_listing_nothing_is_callable() {
    let shop = Shop::new(&json!({ "era": "legacy", "tools": [tool("a", "")] }));
    let keeper = shop.keeper(PinMode::OnFirstUse);
    fs::write(shop.folder.path().join("state"), "broken").unwrap();
    assert_eq!(call(&keeper, "a").await, Some(Reason::CatalogueMissing));
    shop.show(&json!({ "era": "legacy", "tools": [tool("a", "")] }));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(call(&keeper, "a").await, None, "it recovers by itself");
}
