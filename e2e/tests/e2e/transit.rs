//! The vault's keys wrapped by a server outside, through the real binary: sealed credentials open while it
//! unwraps them, keys are rotated and moved there, and neither the database nor the server gives anything
//! alone. The server is a stand-in with the published API of HashiCorp Vault and OpenBao.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::binary,
    rig::{
        MintIssuer, Upstream,
        bao::{Bao, NAMESPACE, ROLE_ID, SECRET_ID},
    },
    room::connection,
    say,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    custody::Custody,
    secrets::{Search, left, search, told},
    vault::python,
};

const VALUE: &str = "canary-wrapped-3f0b7ae29d5c8146";
/// Whatever is noticed is noticed within this time.
const EFFECT: Duration = Duration::from_secs(10);

struct House {
    custody: Custody,
    bao: Bao,
    values: TempDir,
}

#[test]
fn keys_that_a_server_wraps_open_what_they_sealed() {
    let mut house = House::start("transit:lockgate", &[]);
    house.custody.serve();
    assert_eq!(house.status(), 200);
    let (first, _) = house.keys();

    // Both keys are rotated while the gateway runs, and the old one goes.
    house.bao.transit_key("lockgate").unwrap();
    house.custody.run(&["vault", "rotate"], 0);
    house.custody.run(&["vault", "forget", &first[0], "--yes"], 0);
    house.waits("another key", |house| house.status() == 200);
    let (second, left) = house.keys();
    assert!(second.len() == 1 && second != first && left == 0, "{second:?}");
    let wrapped = "SELECT wrapped FROM vault_keys";
    assert!(house.sql(wrapped).starts_with("vault:v2:"), "{}", house.sql(wrapped));

    // Without the server nothing opens, and the words say so; with it, everything does again.
    house.bao.stop();
    let (_, text) = house.custody.room.gateway.command(&["vault", "status"]).unwrap();
    assert!(text.contains("the vault's keys at `transit:lockgate` can't be had"), "{text}");
    house.custody.room.gateway.kill().unwrap();
    house.custody.room.gateway.run().unwrap();
    house.waits("a refusal", |house| house.status() == 503);
    let ready = house.custody.room.gateway.ready().unwrap().1;
    let named = "the vault's keys at `transit:lockgate` can't be had: nobody can log in";
    assert!(ready.contains(named) && ready.contains("(credential.unreachable)"), "{ready}");
    house.bao.back().unwrap();
    house.waits("the server again", |house| house.status() == 200);
    house.swapped();
    house.nowhere();
}

/// However often a rotation is killed, and wherever, everything opens; then it comes to its end.
#[test]
fn a_killed_rotation_of_wrapped_keys_loses_nothing() {
    let mut house = House::start("transit:lockgate", &[]);
    for number in 0..40 {
        house.set(&format!("more-{number}"));
    }
    let begun = Instant::now();
    house.custody.run(&["vault", "rotate"], 0);
    let (whole, rounds, mut cut) = (begun.elapsed(), 24, 0);
    for round in 0..rounds {
        let config = house.custody.room.gateway.folder().join("lockgate.yaml");
        let mut rotate = Command::new(binary().unwrap());
        rotate.args(["vault", "rotate", "--config"]).arg(config);
        let mut rotate = rotate.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * round / rounds);
        rotate.kill().unwrap();
        cut += u32::from(!rotate.wait().unwrap().success());
        house.custody.run(&["vault", "status"], 0);
    }
    say(&format!("transit: {rounds} rotations, {cut} killed"));
    assert!(cut > rounds / 3, "nothing was cut off");
    house.custody.run(&["vault", "rotate"], 0);
    let (keys, left) = house.keys();
    assert_eq!(left, 0);
    let sealing = keys.last().unwrap().clone();
    for old in keys.iter().filter(|key| **key != sealing) {
        house.custody.run(&["vault", "forget", old, "--yes"], 0);
    }
    house.custody.run(&["vault", "status"], 0);
}

#[test]
fn keys_of_a_file_move_to_a_server() {
    let mut house = House::start("", &[]);
    let file = house.custody.room.gateway.data().join("keys/vault.key");
    let (before, _) = house.keys();
    house.places("transit:lockgate", &[&format!("file:{}", file.display())]);
    house.custody.run(&["vault", "rotate"], 0);
    house.custody.serve();
    assert_eq!(house.status(), 200);
    let (keys, left) = house.keys();
    assert!(keys.len() == 2 && keys[0] == before[0] && left == 0, "{keys:?}");
    house.places("transit:lockgate", &[]);
    fs::remove_file(file).unwrap();
    house.custody.run(&["vault", "status"], 0);
}

impl House {
    /// With one sealed credential; no gateway runs yet.
    fn start(keys: &str, older: &[&str]) -> Self {
        let (bao, values) = (Bao::start().unwrap(), tempfile::tempdir().unwrap());
        bao.transit_key("lockgate").unwrap();
        fs::write(values.path().join("login"), SECRET_ID).unwrap();
        let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
        let mut main = connection("main", &upstream.url());
        main["upstream"]["http"]["headers"] = json!({ "X-Api-Key": "sealed:main-token" });
        let custody = Custody::prepare(issuer, upstream, vec![main], &json!({}));
        let mut house = Self { custody, bao, values };
        house.places(keys, older);
        house.set("main-token");
        house
    }

    /// Where the keys are from now on.
    fn places(&mut self, keys: &str, older: &[&str]) {
        let secret_id = format!("file:{}", self.values.path().join("login").display());
        let login = json!({ "app_role": { "role_id": ROLE_ID, "secret_id": secret_id } });
        let server = json!({ "url": self.bao.url(), "allow_private": true,
            "namespace": NAMESPACE, "login": login });
        let mut vault = json!({ "server": server, "older_keys": older });
        if !keys.is_empty() {
            vault["keys"] = json!(keys);
        }
        self.custody.room.settings["vault"] = vault;
        self.custody.room.gateway.write_settings(&self.custody.room.settings).unwrap();
    }

    fn set(&mut self, name: &str) {
        let file = self.values.path().join("value");
        fs::write(&file, VALUE).unwrap();
        let file = file.display().to_string();
        self.custody.run(&["secret", "set", name, "--from-file", &file], 0);
    }

    /// Calls; whatever leaves carries the credential.
    fn status(&mut self) -> u16 {
        self.custody.room.upstream.take_all();
        let caller = self.custody.caller("main");
        let Ok(reply) = caller.send(&caller.call("echo", json!({ "text": "hello" }))) else {
            return 0;
        };
        self.custody.told.extend_from_slice(reply.everything().as_bytes());
        for seen in self.custody.room.upstream.take_seen() {
            assert_eq!(seen.heard.header("x-api-key"), Some(VALUE));
        }
        reply.status
    }

    fn waits(&mut self, what: &str, good: impl Fn(&mut Self) -> bool) {
        let begun = Instant::now();
        while !good(self) {
            assert!(begun.elapsed() < EFFECT, "{what}: {:?}", self.bao.known().calls);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The ids of the keys, the oldest first, and how many secrets are not under the one that seals.
    fn keys(&mut self) -> (Vec<String>, u64) {
        let report: Value =
            serde_json::from_str(&self.custody.run(&["vault", "status", "--json"], 0)).unwrap();
        let ids = report["keys"].as_array().unwrap().iter().map(|key| &key["id"]);
        let ids = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        (ids, report["to_rewrap"].as_u64().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.custody.room.gateway.data().join("vault.sqlite")
    }

    /// Does this to the database; gives what it selects.
    fn sql(&self, sql: &str) -> String {
        let script = "import sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1])\n\
            rows = db.execute(open(sys.argv[2]).read()).fetchall()\n\
            db.commit()\n\
            open(sys.argv[2], 'w').write('\\n'.join(str(column) for row in rows for column in row))";
        let file = self.values.path().join("sql");
        fs::write(&file, sql).unwrap();
        python(script, &[&self.database(), &file]);
        fs::read_to_string(file).unwrap()
    }

    /// What was wrapped as one key does not open as another.
    fn swapped(&mut self) {
        self.custody.run(&["vault", "rotate"], 0);
        let swap = "UPDATE vault_keys SET wrapped = (SELECT max(wrapped) FROM vault_keys)";
        self.sql(swap);
        let (code, text) = self.custody.room.gateway.command(&["vault", "status"]).unwrap();
        let named = "the vault's keys at `transit:lockgate` can't be had: the server refuses it";
        assert!(code != 0 && text.contains(named), "{code}: {text}");
    }

    /// Neither the credential nor a key stands anywhere.
    fn nowhere(&mut self) {
        let mut places = told(&self.custody.room.gateway, &[]);
        places.push(("what was told".to_owned(), std::mem::take(&mut self.custody.told)));
        left(&mut self.custody.room.gateway, &mut places);
        let keys = self.bao.encrypted();
        assert!(keys.len() >= 3 && keys.iter().all(|key| key.len() == 32), "{}", keys.len());
        let wanted = keys.into_iter().chain([VALUE.into(), SECRET_ID.into()]);
        let Search { hits, forms } = search(wanted.enumerate(), &places);
        let bytes: usize = places.iter().map(|(_, text)| text.len()).sum();
        say(&format!("transit: {forms} forms, {bytes} bytes: {} hits", hits.len()));
        assert_eq!(hits, Vec::<String>::new());
    }
}
