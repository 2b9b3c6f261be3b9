//! A rotation waits for every gateway that runs. Gateways are announced here as they announce themselves.

use std::{
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lockgate_model::Timestamp;
use lockgate_store::{
    db::DbPlace,
    secrets::{Secrets, VaultNode},
};

use crate::{
    folder::Folder,
    vault::{folder, keys, run, set},
};

/// A gateway that says over and over which keys it has.
struct Node {
    keys: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
    /// Told of each time.
    said: Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl Node {
    fn start(folder: &Folder, keys: &[String]) -> Self {
        let place = DbPlace::Sqlite(folder.file("lockgate-data/vault.sqlite"));
        let keys = Arc::new(Mutex::new(keys.to_vec()));
        let (held, ended) = (Arc::clone(&keys), Arc::new(AtomicBool::new(false)));
        let end = Arc::clone(&ended);
        let (begun, wait) = channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let secrets = Secrets::open(&place).await.unwrap();
                while !end.load(Ordering::Acquire) {
                    let keys = held.lock().unwrap().clone();
                    let node =
                        VaultNode { instance: "4711".into(), node: "gateway-2".into(), keys };
                    secrets.announce(&node, now()).await.unwrap();
                    let _ = begun.send(());
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                secrets.close().await;
            });
        });
        wait.recv().unwrap();
        Self { keys, ended, said: wait, thread: Some(thread) }
    }

    fn has(&self, keys: &[String]) {
        *self.keys.lock().unwrap() = keys.to_vec();
        while self.said.try_recv().is_ok() {}
        // The first may have been on its way with the keys of before.
        self.said.recv().unwrap();
        self.said.recv().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        drop(self.thread.take().unwrap().join());
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_millis(since.as_millis().try_into().unwrap())
}

#[test]
fn a_rotation_waits_for_every_gateway_that_runs() {
    let folder = folder();
    set(&folder, &["set", "staff-token"], "hunter2");
    set(&folder, &["set", "files-token"], "hunter3");
    let first = keys(&folder);
    let node = Node::start(&folder, &first);

    // It never gets the new key: nothing is rotated, and who stands in the way is named.
    let refused = run(&folder, &["vault", "rotate"]);
    assert!(refused.starts_with("exit 3"), "{refused}");
    assert!(refused.contains("waiting for gateway-2 to read the key"), "{refused}");
    assert!(refused.contains("the gateway `gateway-2` does not have the key"), "{refused}");
    let both = keys(&folder);
    assert_eq!((both.len(), &both[0]), (2, &first[0]));
    seals(&folder, &first[0]);

    // Killed while it waits, it has changed nothing either.
    let mut waiting = folder.command();
    waiting.args(["vault", "rotate"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().unwrap();
    let mut said = [0; 11];
    std::io::Read::read_exact(waiting.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert_eq!(&said, b"waiting for");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert_eq!(keys(&folder), both);
    seals(&folder, &first[0]);

    // With the key there it goes on with the one that was made before.
    node.has(&both);
    let done = run(&folder, &["vault", "rotate"]);
    assert!(done.starts_with("exit 0"), "{done}");
    assert_eq!(keys(&folder), both);
    seals(&folder, &both[1]);

    // One that lost it keeps the old key from being forgotten; one that is gone does not.
    node.has(&first);
    let forget = ["vault", "forget", &first[0], "--yes"];
    let refused = run(&folder, &forget);
    assert!(refused.starts_with("exit 1"), "{refused}");
    assert!(refused.contains("the gateway `gateway-2` does not have the key"), "{refused}");
    let status = run(&folder, &["vault", "status"]);
    assert!(status.starts_with("exit 1") && status.contains("gateway-2"), "{status}");
    node.has(&both);
    let done = run(&folder, &forget);
    assert!(done.starts_with("exit 0"), "{done}");
    assert_eq!(keys(&folder), both[1..]);
}

/// The one key under which everything is sealed.
fn seals(folder: &Folder, key: &str) {
    let output = folder.command().args(["vault", "status", "--json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for one in report["keys"].as_array().unwrap() {
        assert_eq!(one["seals"], one["id"] == key, "{report}");
        assert_eq!(one["secrets"], if one["id"] == key { 2 } else { 0 }, "{report}");
    }
}
