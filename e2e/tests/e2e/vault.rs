//! Sealed credentials through the real binary: they reach the server and nothing else, a change takes
//! effect while the gateway runs, and what can't be had is a refusal by name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    rig::{MintIssuer, Upstream},
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say, tools,
    wire::Reply,
};
use lockgate_model::{Event, Reason};
use serde_json::json;
use tempfile::TempDir;

use crate::secrets::{left, search};

/// For the header of `main`, for the header of `other`, and for the environment of `child`.
const FIRST: &str = "canary-sealed-1c7d20e96ab4f853";
const SECOND: &str = "canary-sealed-e0b81f2a95c63d74";
const OTHER: &str = "canary-sealed-77ad3b1e40c9f268";
const CHILD: &str = "canary-sealed-52f96e0b8d13ca7e";
/// A change of a secret takes effect within 5 s.
const EFFECT: Duration = Duration::from_secs(7);

struct Sealed {
    room: Room,
    /// Where values are until they are sealed.
    values: TempDir,
    /// Everything that anybody was told.
    told: Vec<u8>,
}

#[test]
fn sealed_credentials_reach_the_server_and_nothing_else() {
    let mut sealed = Sealed::start().unwrap();
    let told = sealed.asks("main", FIRST);
    assert_eq!(told.status, 200, "{}", told.text());
    sealed.child();

    // Another value, and another key, while calls go on.
    let file = sealed.value(&bearer(SECOND));
    sealed.run(&["secret", "rotate", "main-token", "--from-file", &file], 0);
    let begun = Instant::now();
    while sealed.heard("main").as_deref() != Some(&bearer(SECOND)) {
        assert!(begun.elapsed() < EFFECT, "the new value is not used");
        std::thread::sleep(Duration::from_millis(100));
    }
    let effect_ms = begun.elapsed().as_millis();
    sealed.run(&["vault", "rotate"], 0);
    let begun = Instant::now();
    let mut calls = 0;
    while begun.elapsed() < EFFECT {
        assert_eq!(sealed.heard("main"), Some(bearer(SECOND)));
        calls += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    say(&format!(
        "vault: a new value after {effect_ms} ms; {calls} calls over a rotation of the key"
    ));

    let backup = sealed.backup();
    sealed.refused_by_name();
    sealed.nowhere(&backup);
}

impl Sealed {
    fn start() -> anyhow::Result<Self> {
        let (issuer, upstream) = (MintIssuer::start()?, Upstream::start()?);
        let mut main = connection("main", &upstream.url());
        main["upstream"]["http"]["headers"] = json!({ "Authorization": "sealed:main-token" });
        let mut other = connection("other", &upstream.url());
        other["upstream"]["http"]["headers"] = json!({ "Authorization": "sealed:other-token" });
        let child = json!({
            "name": "child", "issuers": ["idp"], "pins": "on_first_use",
            "upstream": { "stdio": { "command": tools::beside("stdio-fixture")?,
                "args": ["secrets"], "env": { "CHILD_SECRET": "sealed:child-token" } } },
        });
        let settings = json!({
            "issuers": [issuer_settings("idp", &issuer)],
            "connections": [main, other, child],
        });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::prepare(&plan)?;
        let records = gateway.records();
        let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
        let mut sealed = Self { room, values: tempfile::tempdir()?, told: Vec::new() };
        for (name, value, only) in [
            ("main-token", bearer(FIRST), Some("main")),
            ("other-token", bearer(OTHER), Some("other")),
            ("child-token", CHILD.to_owned(), None),
        ] {
            let file = sealed.value(&value);
            let mut arguments = vec!["secret", "set", name, "--from-file", &file];
            arguments.extend(only.iter().flat_map(|only| ["--connection", only]));
            sealed.run(&arguments, 0);
        }
        sealed.room.gateway.run()?;
        sealed.room.gateway.wait_ready()?;
        for name in ["main", "other", "child"] {
            wait_for_tools(&sealed.caller(name))?;
        }
        Ok(sealed)
    }

    /// Writes a value to a file outside of the gateway's folder.
    fn value(&self, value: &str) -> String {
        let file = self.values.path().join("value");
        fs::write(&file, value).unwrap();
        file.display().to_string()
    }

    fn run(&mut self, arguments: &[&str], expected: i32) {
        let (code, text) = self.room.gateway.command(arguments).unwrap();
        assert_eq!(code, expected, "{arguments:?}: {text}");
        self.told.extend_from_slice(text.as_bytes());
    }

    fn caller(&self, connection: &str) -> Caller {
        let mut claims = self.room.claims();
        claims["aud"] = json!(self.room.gateway.url(connection));
        let token = self.room.issuer.token("rsa", &claims).unwrap();
        self.room.gateway.caller(connection, Some(&token))
    }

    fn ask(&mut self, connection: &str) -> Reply {
        let caller = self.caller(connection);
        let reply = caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap();
        self.told.extend_from_slice(reply.everything().as_bytes());
        reply
    }

    /// Calls, and gives the credential that the server heard.
    fn heard(&mut self, connection: &str) -> Option<String> {
        self.room.upstream.take_all();
        assert_eq!(self.ask(connection).status, 200);
        let seen = self.room.upstream.take_seen();
        seen.first()?.heard.header("authorization").map(str::to_owned)
    }

    fn asks(&mut self, connection: &str, credential: &str) -> Reply {
        self.room.upstream.take_all();
        let reply = self.ask(connection);
        let seen = self.room.upstream.take_seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].heard.header("authorization"), Some(&*bearer(credential)));
        reply
    }

    /// A child gets its own in its environment, and its log does not show it.
    fn child(&mut self) {
        assert_eq!(self.ask("child").status, 200);
        let begun = Instant::now();
        while !self.room.gateway.log().contains("my secret is ***") {
            assert!(begun.elapsed() < EFFECT, "the child did not get it");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The database as it is now, on its own.
    fn backup(&self) -> PathBuf {
        let copy = self.values.path().join("backup.sqlite");
        let script = "import sqlite3, sys\n\
                      sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))";
        python(script, &[&self.database(), &copy]);
        copy
    }

    fn database(&self) -> PathBuf {
        self.room.gateway.data().join("vault.sqlite")
    }

    fn refused_by_name(&mut self) {
        // Two sealed texts swapped in the database.
        let swap = "import sqlite3, sys\n\
            db = sqlite3.connect(sys.argv[1])\n\
            rows = dict(db.execute('SELECT name, sealed FROM secrets'))\n\
            for to, of in (('main-token', 'other-token'), ('other-token', 'main-token')):\n\
            \x20   db.execute('UPDATE secrets SET sealed = ? WHERE name = ?', (rows[of], to))\n\
            db.commit()";
        python(swap, &[&self.database()]);
        for name in ["main", "other"] {
            self.refuses(name, Reason::CredentialRefused);
        }
        let (code, text) = self.room.gateway.command(&["vault", "status"]).unwrap();
        assert!(code == 1 && text.contains("two sealed texts were swapped"), "{code}: {text}");
        python(swap, &[&self.database()]);
        self.run(&["vault", "status"], 0);
        // Removed; and another connection's.
        self.run(&["secret", "remove", "main-token", "--yes"], 0);
        self.refuses("main", Reason::CredentialMissing);
        let file = self.value(&bearer(FIRST));
        self.run(
            &["secret", "set", "main-token", "--from-file", &file, "--connection", "other"],
            0,
        );
        self.refuses("main", Reason::CredentialRefused);
        self.told.extend_from_slice(self.room.gateway.ready().unwrap().1.as_bytes());
    }

    /// Within the time in which a change takes effect, calls are refused for this reason, with 503, and
    /// the server hears nothing.
    fn refuses(&mut self, connection: &str, reason: Reason) {
        let begun = Instant::now();
        loop {
            self.room.forget().unwrap();
            let reply = self.ask(connection);
            let ends = self.room.records.fresh().unwrap();
            let ended = ends.iter().any(
                |event| matches!(event, Event::Outcome(outcome) if outcome.reason == Some(reason)),
            );
            if ended {
                assert_eq!((reply.status, reply.rpc_code()), (503, Some(1503)), "{}", reply.text());
                self.room.nothing_forwarded().unwrap();
                return;
            }
            assert!(begun.elapsed() < EFFECT, "{connection}: {} {}", reply.status, reply.text());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// No secret and no key stands anywhere but where it belongs.
    fn nowhere(&mut self, backup: &Path) {
        for arguments in [
            &["secret", "list"][..],
            &["secret", "list", "--json"],
            &["journal", "show", "--json"],
            &["journal", "export"],
            &["config", "show", "--origin"],
        ] {
            self.run(arguments, 0);
        }
        let metrics = self.room.gateway.ask_admin("/metrics").unwrap().1;
        self.told.extend_from_slice(metrics.as_bytes());
        let mut places = vec![("what was told".to_owned(), std::mem::take(&mut self.told))];
        left(&mut self.room.gateway, &mut places);
        places.push(("a backup".to_owned(), fs::read(backup).unwrap()));

        let keys = self.room.gateway.data().join("keys/vault.key");
        let keys = fs::read_to_string(keys).unwrap();
        let keys = keys.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
            let (_, key) = line.split_once(':')?;
            let digit = |at: usize| u8::from_str_radix(key.get(at..at + 2)?, 16).ok();
            (0..64).step_by(2).map(digit).collect::<Option<Vec<u8>>>()
        });
        let keys: Vec<(&str, Vec<u8>)> = keys.map(|key| ("a key", key)).collect();
        assert_eq!(keys.len(), 2, "keys");
        let secrets = [FIRST, SECOND, OTHER, CHILD];
        let of_secrets = search(secrets.map(|secret| (secret, secret)), &places);
        let (bytes, count): (usize, _) =
            (places.iter().map(|(_, text)| text.len()).sum(), places.len());
        // The keys stand in their own file, and nowhere else.
        places.retain(|(place, _)| !place.ends_with("keys/vault.key"));
        let wanted = keys.len() + secrets.len();
        let of_keys = search(keys, &places);
        let (hits, forms) =
            ([of_secrets.hits, of_keys.hits].concat(), of_secrets.forms + of_keys.forms);
        say(&format!(
            "vault: {wanted} secrets and keys in {forms} forms, {count} places of {bytes} bytes: {} hits",
            hits.len()
        ));
        assert_eq!(hits, Vec::<String>::new());
    }
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

pub(crate) fn python(script: &str, files: &[&Path]) {
    let status = Command::new("python3").arg("-c").arg(script).args(files).status().unwrap();
    assert!(status.success());
}
