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
    gateway::{Gateway, Plan, binary},
    mcp::Caller,
    rig::{
        MintIssuer, Upstream,
        bao::{Bao, NAMESPACE, ROLE_ID, SECRET_ID},
    },
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    secrets::{Search, left, search},
    vault::python,
};

const VALUE: &str = "canary-wrapped-3f0b7ae29d5c8146";
/// Whatever is noticed is noticed within this time.
const EFFECT: Duration = Duration::from_secs(10);

struct House {
    room: Room,
    bao: Bao,
    values: TempDir,
    told: String,
}

#[test]
fn keys_that_a_server_wraps_open_what_they_sealed() {
    let mut house = House::start("transit:lockgate", &[]);
    house.serve();
    assert_eq!(house.status(), 200);
    let (first, _) = house.keys();

    // Both keys are rotated while the gateway runs, and the old one goes.
    house.bao.transit_key("lockgate").unwrap();
    house.run(&["vault", "rotate"], 0);
    house.run(&["vault", "forget", &first[0], "--yes"], 0);
    house.waits("another key", |house| house.status() == 200);
    let (second, left) = house.keys();
    assert!(second.len() == 1 && second != first && left == 0, "{second:?}");
    let wrapped = "SELECT wrapped FROM vault_keys";
    assert!(house.sql(wrapped).starts_with("vault:v2:"), "{}", house.sql(wrapped));

    // Without the server nothing opens, and the words say so; with it, everything does again.
    house.bao.stop();
    let (_, text) = house.room.gateway.command(&["vault", "status"]).unwrap();
    assert!(text.contains("the vault's keys at `transit:lockgate` can't be had"), "{text}");
    house.room.gateway.kill().unwrap();
    house.room.gateway.run().unwrap();
    house.waits("a refusal", |house| house.status() == 503);
    let ready = house.room.gateway.ready().unwrap().1;
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
    house.run(&["vault", "rotate"], 0);
    let (whole, rounds, mut cut) = (begun.elapsed(), 24, 0);
    for round in 0..rounds {
        let config = house.room.gateway.folder().join("lockgate.yaml");
        let mut rotate = Command::new(binary().unwrap());
        rotate.args(["vault", "rotate", "--config"]).arg(config);
        let mut rotate = rotate.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * round / rounds);
        rotate.kill().unwrap();
        cut += u32::from(!rotate.wait().unwrap().success());
        house.run(&["vault", "status"], 0);
    }
    say(&format!("transit: {rounds} rotations, {cut} killed"));
    assert!(cut > rounds / 3, "nothing was cut off");
    house.run(&["vault", "rotate"], 0);
    let (keys, left) = house.keys();
    assert_eq!(left, 0);
    let sealing = keys.last().unwrap().clone();
    for old in keys.iter().filter(|key| **key != sealing) {
        house.run(&["vault", "forget", old, "--yes"], 0);
    }
    house.run(&["vault", "status"], 0);
}

#[test]
fn keys_of_a_file_move_to_a_server() {
    let mut house = House::start("", &[]);
    let file = house.room.gateway.data().join("keys/vault.key");
    let (before, _) = house.keys();
    house.places("transit:lockgate", &[&format!("file:{}", file.display())]);
    house.run(&["vault", "rotate"], 0);
    house.serve();
    assert_eq!(house.status(), 200);
    let (keys, left) = house.keys();
    assert!(keys.len() == 2 && keys[0] == before[0] && left == 0, "{keys:?}");
    house.places("transit:lockgate", &[]);
    fs::remove_file(file).unwrap();
    house.run(&["vault", "status"], 0);
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
        let settings = json!({
            "issuers": [issuer_settings("idp", &issuer)], "connections": [main],
        });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::prepare(&plan).unwrap();
        let records = gateway.records();
        let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
        let mut house = Self { room, bao, values, told: String::new() };
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
        self.room.settings["vault"] = vault;
        self.room.gateway.write_settings(&self.room.settings).unwrap();
    }

    fn set(&mut self, name: &str) {
        let file = self.values.path().join("value");
        fs::write(&file, VALUE).unwrap();
        let file = file.display().to_string();
        self.run(&["secret", "set", name, "--from-file", &file], 0);
    }

    fn serve(&mut self) {
        self.room.gateway.run().unwrap();
        self.room.gateway.wait_ready().unwrap();
        wait_for_tools(&self.caller()).unwrap();
    }

    fn caller(&self) -> Caller {
        let mut claims = self.room.claims();
        claims["aud"] = json!(self.room.gateway.url("main"));
        let token = self.room.issuer.token("rsa", &claims).unwrap();
        self.room.gateway.caller("main", Some(&token))
    }

    /// Calls; whatever leaves carries the credential.
    fn status(&mut self) -> u16 {
        self.room.upstream.take_all();
        let caller = self.caller();
        let Ok(reply) = caller.send(&caller.call("echo", json!({ "text": "hello" }))) else {
            return 0;
        };
        self.told.push_str(&reply.everything());
        for seen in self.room.upstream.take_seen() {
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

    fn run(&mut self, arguments: &[&str], expected: i32) -> String {
        let (code, text) = self.room.gateway.command(arguments).unwrap();
        assert_eq!(code, expected, "{arguments:?}: {text}");
        self.told.push_str(&text);
        text
    }

    /// The ids of the keys, the oldest first, and how many secrets are not under the one that seals.
    fn keys(&mut self) -> (Vec<String>, u64) {
        let report: Value =
            serde_json::from_str(&self.run(&["vault", "status", "--json"], 0)).unwrap();
        let ids = report["keys"].as_array().unwrap().iter().map(|key| &key["id"]);
        let ids = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
        (ids, report["to_rewrap"].as_u64().unwrap())
    }

    fn database(&self) -> PathBuf {
        self.room.gateway.data().join("vault.sqlite")
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
        self.run(&["vault", "rotate"], 0);
        let swap = "UPDATE vault_keys SET wrapped = (SELECT max(wrapped) FROM vault_keys)";
        self.sql(swap);
        let (code, text) = self.room.gateway.command(&["vault", "status"]).unwrap();
        let named = "the vault's keys at `transit:lockgate` can't be had: the server refuses it";
        assert!(code != 0 && text.contains(named), "{code}: {text}");
    }

    /// Neither the credential nor a key stands anywhere.
    fn nowhere(&mut self) {
        let (_, text) = self.room.gateway.command(&["journal", "show", "--json"]).unwrap();
        self.told.push_str(&text);
        let mut places = vec![("what was told".to_owned(), std::mem::take(&mut self.told).into())];
        left(&mut self.room.gateway, &mut places);
        let keys = self.bao.encrypted();
        assert!(keys.len() >= 3 && keys.iter().all(|key| key.len() == 32), "{}", keys.len());
        let wanted = keys.into_iter().chain([VALUE.into(), SECRET_ID.into()]);
        let Search { hits, forms } = search(wanted.enumerate(), &places);
        let bytes: usize = places.iter().map(|(_, text)| text.len()).sum();
        say(&format!("transit: {forms} forms, {bytes} bytes: {} hits", hits.len()));
        assert_eq!(hits, Vec::<String>::new());
    }
}
