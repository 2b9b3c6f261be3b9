//! Sealed credentials through the real binary: they reach the server and nothing else, a change takes
//! effect while the gateway runs, and what can't be had is a refusal by name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    rig::{MintIssuer, Upstream},
    room::connection,
    say,
    wire::Reply,
};
use lockgate_model::Reason;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    custody::{Custody, EFFECT, child_with},
    secrets::{left, search, told},
};

/// For the header of `main`, for the header of `other`, and for the environment of `child`.
const FIRST: &str = "canary-sealed-1c7d20e96ab4f853";
const SECOND: &str = "canary-sealed-e0b81f2a95c63d74";
const OTHER: &str = "canary-sealed-77ad3b1e40c9f268";
const CHILD: &str = "canary-sealed-52f96e0b8d13ca7e";

struct Sealed {
    custody: Custody,
    /// Where values are until they are sealed.
    values: TempDir,
}

#[test]
fn sealed_credentials_reach_the_server_and_nothing_else() {
    let mut sealed = Sealed::start().unwrap();
    let told = sealed.asks("main", FIRST);
    assert_eq!(told.status, 200, "{}", told.text());
    sealed.child();

    // Another value, and another key, while calls go on.
    let file = sealed.value(&bearer(SECOND));
    sealed.custody.run(&["secret", "rotate", "main-token", "--from-file", &file], 0);
    let begun = Instant::now();
    while sealed.heard("main").as_deref() != Some(&bearer(SECOND)) {
        assert!(begun.elapsed() < EFFECT, "the new value is not used");
        std::thread::sleep(Duration::from_millis(100));
    }
    let effect_ms = begun.elapsed().as_millis();
    sealed.custody.run(&["vault", "rotate"], 0);
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
        let connections = vec![main, other, child_with("sealed:child-token")];
        let custody = Custody::prepare(issuer, upstream, connections, &json!({}));
        let mut sealed = Self { custody, values: tempfile::tempdir()? };
        for (name, value, only) in [
            ("main-token", bearer(FIRST), Some("main")),
            ("other-token", bearer(OTHER), Some("other")),
            ("child-token", CHILD.to_owned(), None),
        ] {
            let file = sealed.value(&value);
            let mut arguments = vec!["secret", "set", name, "--from-file", &file];
            arguments.extend(only.iter().flat_map(|only| ["--connection", only]));
            sealed.custody.run(&arguments, 0);
        }
        sealed.custody.serve();
        Ok(sealed)
    }

    /// Writes a value to a file outside of the gateway's folder.
    fn value(&self, value: &str) -> String {
        let file = self.values.path().join("value");
        fs::write(&file, value).unwrap();
        file.display().to_string()
    }

    /// Calls, and gives the credential that the server heard.
    fn heard(&mut self, connection: &str) -> Option<String> {
        self.custody.room.upstream.take_all();
        assert_eq!(self.custody.ask(connection).status, 200);
        let seen = self.custody.room.upstream.take_seen();
        seen.first()?.heard.header("authorization").map(str::to_owned)
    }

    fn asks(&mut self, connection: &str, credential: &str) -> Reply {
        self.custody.room.upstream.take_all();
        let reply = self.custody.ask(connection);
        let seen = self.custody.room.upstream.take_seen();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].heard.header("authorization"), Some(&*bearer(credential)));
        reply
    }

    /// A child gets its own in its environment, and its log does not show it.
    fn child(&mut self) {
        assert_eq!(self.custody.ask("child").status, 200);
        let begun = Instant::now();
        while !self.custody.room.gateway.log().contains("my secret is ***") {
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
        self.custody.room.gateway.data().join("vault.sqlite")
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
            self.custody.refuses(name, Reason::CredentialRefused, EFFECT);
        }
        let (code, text) = self.custody.room.gateway.command(&["vault", "status"]).unwrap();
        assert!(code == 1 && text.contains("two sealed texts were swapped"), "{code}: {text}");
        python(swap, &[&self.database()]);
        self.custody.run(&["vault", "status"], 0);
        // Removed; and another connection's.
        self.custody.run(&["secret", "remove", "main-token", "--yes"], 0);
        self.custody.refuses("main", Reason::CredentialMissing, EFFECT);
        let file = self.value(&bearer(FIRST));
        self.custody.run(
            &["secret", "set", "main-token", "--from-file", &file, "--connection", "other"],
            0,
        );
        self.custody.refuses("main", Reason::CredentialRefused, EFFECT);
        self.custody
            .told
            .extend_from_slice(self.custody.room.gateway.ready().unwrap().1.as_bytes());
    }

    /// No secret and no key stands anywhere but where it belongs.
    fn nowhere(&mut self, backup: &Path) {
        let secrets = [&["secret", "list"][..], &["secret", "list", "--json"]];
        let mut places = told(&self.custody.room.gateway, &secrets);
        places.push(("what was told".to_owned(), std::mem::take(&mut self.custody.told)));
        left(&mut self.custody.room.gateway, &mut places);
        places.push(("a backup".to_owned(), fs::read(backup).unwrap()));

        let keys = self.custody.room.gateway.data().join("keys/vault.key");
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
