//! A backup through the real binary: taken while calls go on, restored elsewhere after a kill, and served
//! from. Nothing of it stands in the clear in the file.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    rig::{MintIssuer, Upstream},
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::secrets::search;

const SEALED: &str = "canary-backup-3b9e07c1d58a42f6";
const PASSPHRASE: &str = "canary-passphrase-81f4c06e2db97a35";
/// Called before the backup, and between it and the kill.
const BEFORE: &str = "canarybefore51ac80e9";
const AFTER: &str = "canaryafter7de30b42";
/// Calls between two backups.
const BETWEEN: u64 = 10;
const WAIT_MAX: Duration = Duration::from_secs(30);

struct Backup {
    room: Room,
    /// Everything that lies outside of the gateway's folder.
    outside: TempDir,
}

#[test]
fn z13_a_backup_under_load_is_served_from_after_a_kill() {
    let mut backup = Backup::start().unwrap();
    backup.calls(BEFORE);
    let (taken_ms, calls) = backup.taken_under_load();
    backup.calls(AFTER);
    backup.room.gateway.kill().unwrap();
    backup.nothing_in_the_clear();

    let mut again = backup.restored();
    let found = |gateway: &Gateway, word: &str| {
        let (code, text) = gateway.command(&["sessions", "search", word, "--json"]).unwrap();
        assert_eq!(code, 0, "{text}");
        // Talk may stand behind the data.
        let mut data = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        data.next().unwrap().unwrap()["rows"].as_array().unwrap().len()
    };
    assert_eq!((found(&again, BEFORE), found(&again, AFTER)), (1, 0));
    again.run().unwrap();
    again.wait_ready().unwrap();
    backup.room.gateway = again;
    let caller = backup.room.alice().unwrap();
    wait_for_tools(&caller).unwrap();
    backup.calls(AFTER);
    let begun = Instant::now();
    while found(&backup.room.gateway, AFTER) == 0 {
        assert!(begun.elapsed() < WAIT_MAX, "a new call is not searchable");
    }
    assert_eq!(found(&backup.room.gateway, BEFORE), 1);
    backup.room.gateway.kill().unwrap();
    let verified = run(&backup.room.gateway, &["journal", "verify"]);
    say(&format!(
        "backup: 3 in {taken_ms} ms over {calls} calls; the last one restored, served from and searched; {}",
        verified.lines().next().unwrap_or_default()
    ));
}

fn run(gateway: &Gateway, arguments: &[&str]) -> String {
    let (code, text) = gateway.command(arguments).unwrap();
    assert_eq!(code, 0, "{arguments:?}: {text}");
    text
}

impl Backup {
    fn start() -> anyhow::Result<Self> {
        let (issuer, upstream) = (MintIssuer::start()?, Upstream::start()?);
        let mut main = connection("main", &upstream.url());
        main["upstream"]["http"]["headers"] = json!({ "Authorization": "sealed:main-token" });
        let settings =
            json!({ "issuers": [issuer_settings("idp", &issuer)], "connections": [main] });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::prepare(&plan)?;
        let records = gateway.records();
        let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
        let mut backup = Self { room, outside: tempfile::tempdir()? };
        fs::write(backup.file("passphrase"), format!("{PASSPHRASE}\n"))?;
        fs::write(backup.file("value"), format!("Bearer {SEALED}"))?;
        let value = backup.file("value");
        run(&backup.room.gateway, &["secret", "set", "main-token", "--from-file", &value]);
        backup.room.gateway.run()?;
        backup.room.gateway.wait_ready()?;
        wait_for_tools(&backup.room.alice()?)?;
        Ok(backup)
    }

    fn file(&self, name: &str) -> String {
        self.outside.path().join(name).display().to_string()
    }

    /// Calls once; the server hears the sealed secret.
    fn calls(&mut self, text: &str) {
        self.room.upstream.take_all();
        let caller = self.room.alice().unwrap();
        let reply = caller.send(&caller.call("echo", json!({ "text": text }))).unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = self.room.upstream.take_seen();
        let heard = seen.first().and_then(|seen| seen.heard.header("authorization"));
        assert_eq!(heard, Some(&*format!("Bearer {SEALED}")));
    }

    /// Takes three while two callers go on without a pause; gives how long they took, and the calls.
    fn taken_under_load(&self) -> (u128, u64) {
        let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
        let caller = self.room.alice().unwrap();
        let load = || {
            while !stop.load(Ordering::Relaxed) {
                let reply = caller.send(&caller.call("echo", json!({ "text": "load" }))).unwrap();
                assert_eq!(reply.status, 200, "{}", reply.text());
                calls.fetch_add(1, Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            let callers = [scope.spawn(load), scope.spawn(load)];
            let mut taken_ms = 0;
            for _ in 0..3 {
                let (before, begun) = (calls.load(Ordering::Relaxed), Instant::now());
                while calls.load(Ordering::Relaxed) < before + BETWEEN {
                    assert!(begun.elapsed() < WAIT_MAX, "calls don't go on");
                    thread::yield_now();
                }
                let (file, passphrase) = (self.file("lockgate.backup"), self.file("passphrase"));
                let begun = Instant::now();
                let gateway = &self.room.gateway;
                run(gateway, &["backup", &file, "--passphrase-file", &passphrase]);
                taken_ms += begun.elapsed().as_millis();
            }
            stop.store(true, Ordering::Relaxed);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
            (taken_ms, calls.load(Ordering::Relaxed))
        })
    }

    fn nothing_in_the_clear(&self) {
        let data = self.room.gateway.data();
        assert!(!data.join("backup").exists() && !data.join("journal/backup").exists());
        let key = fs::read_to_string(data.join("keys/recording.key")).unwrap();
        let file = fs::read(self.file("lockgate.backup")).unwrap();
        let bytes = file.len();
        let places = [
            ("the backup".to_owned(), file),
            ("the log".to_owned(), self.room.gateway.log().into_bytes()),
        ];
        let wanted = [SEALED, PASSPHRASE, BEFORE, key.trim_end()];
        let found = search(wanted.map(|secret| (secret, secret)), &places);
        say(&format!(
            "backup: {} values in {} forms, {bytes} bytes of backup and the log: {} hits",
            wanted.len(),
            found.forms,
            found.hits.len()
        ));
        assert_eq!(found.hits, Vec::<String>::new());
    }

    /// A gateway elsewhere, with the same settings, before its first start.
    fn restored(&self) -> Gateway {
        let settings = self.room.settings.clone();
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let again = Gateway::prepare(&plan).unwrap();
        let (file, passphrase) = (self.file("lockgate.backup"), self.file("passphrase"));
        run(&again, &["restore", &file, "--passphrase-file", &passphrase]);
        run(&again, &["journal", "verify"]);
        // The vault's key was kept apart.
        let key = "keys/vault.key";
        assert!(!again.data().join(key).exists());
        let (code, _) = again.command(&["vault", "status"]).unwrap();
        assert_ne!(code, 0, "the vault opens without its key");
        fs::copy(self.room.gateway.data().join(key), again.data().join(key)).unwrap();
        run(&again, &["vault", "status"]);
        again
    }
}
