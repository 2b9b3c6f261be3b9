//! Credentials that a server outside keeps, through the real binary: they reach the MCP server and nothing
//! else, a change takes effect, and what can't be had is a refusal by name. The server is a stand-in with
//! the published API of HashiCorp Vault and OpenBao.

use std::{
    fs,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    rig::bao::{ACCOUNT, Bao, NAMESPACE, ROLE_ID, SECRET_ID, TOKEN},
    say,
};
use lockgate_model::Reason;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::custody::{Custody, EFFECT};

const FIRST: &str = "canary-kept-5be8d02c7f41a963";
const SECOND: &str = "canary-kept-9a3c61f0d8e2b754";
const CHILD: &str = "canary-kept-c07f2be4915ad836";
/// A field beside a wanted one.
const BESIDE: &str = "canary-kept-41d7ea0b6c92f583";

struct House {
    custody: Custody,
    bao: Bao,
    /// What is logged in with.
    login: TempDir,
}

#[test]
fn credentials_that_a_server_keeps_reach_the_upstream_and_nothing_else() {
    let mut house = House::start(
        |folder| json!({ "app_role": { "role_id": ROLE_ID, "secret_id": format!("file:{folder}") } }),
    );
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));
    assert_eq!(house.custody.ask("child").status, 200);
    house.custody.waits("the child's log", |custody| {
        custody.room.gateway.log().contains("my secret is ***")
    });

    house.bao.put("staff", "token", SECOND);
    let begun = Instant::now();
    house.custody.waits("the new value", |custody| custody.heard().as_deref() == Some(SECOND));
    say(&format!("outside: a new value after {} ms", begun.elapsed().as_millis()));

    house.refused_by_name();
    house.away();
    // The first, and one that could have helped where a path was denied.
    let logins = house.bao.logins();
    assert_eq!(logins, 2);
    house.bao.revoke();
    house.custody.waits("a login anew", |_| house.bao.logins() == logins + 1);
    house.custody.works();
    house.custody.nowhere(&[FIRST, SECOND, CHILD, BESIDE, SECRET_ID, TOKEN]);
}

#[test]
fn sessions_are_renewed_ahead_of_their_end_and_made_anew_after_it() {
    let mut house = House::start(
        |folder| json!({ "kubernetes": { "role": "lockgate", "token": format!("file:{folder}") } }),
    );
    {
        let mut known = house.bao.known();
        (known.lease_s, known.lease_max_s) = (6, 14);
    }
    house.bao.revoke();
    house.custody.waits("a login anew", |_| house.bao.logins() == 2);
    house.custody.works();
    house.bao.known().calls.clear();
    let (begun, mut calls) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(20) {
        assert_eq!(house.custody.ask("main").status, 200, "after {:?}", begun.elapsed());
        calls += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let heard = house.bao.known().calls.clone();
    let count = |call: &str| heard.iter().filter(|heard| heard.contains(call)).count();
    let (renewed, again) = (count("renew-self"), count("login"));
    say(&format!("outside: {calls} calls over {renewed} renewals and {again} logins"));
    assert!(renewed >= 2 && (1..=3).contains(&again), "{heard:?}");
    // Who may log in no more is refused when the session has ended.
    house.login("somebody else's");
    house.custody.refuses("main", Reason::CredentialRefused, Duration::from_secs(20));
    house.login(ACCOUNT);
    house.custody.works();
}

/// Whoever asks a server that does not answer is told so in seconds, however many they are.
#[test]
fn nobody_waits_one_by_one_behind_a_silent_server() {
    let mut house = House::start(|folder| json!({ "token": format!("file:{folder}") }));
    house.bao.known().silent = true;
    house.custody.refuses("main", Reason::CredentialUnreachable, EFFECT);
    // Until that nobody answered is known no more.
    std::thread::sleep(Duration::from_millis(1_500));
    let begun = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let caller = house.custody.caller("main");
            std::thread::spawn(move || caller.send(&caller.call("echo", json!({}))).unwrap().status)
        })
        .collect();
    let answers: Vec<u16> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    let took = begun.elapsed();
    say(&format!("outside: 20 calls to a silent server in {} ms", took.as_millis()));
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    assert!(took < EFFECT, "{took:?}");
    house.bao.known().silent = false;
    house.custody.works();
}

#[test]
fn a_token_is_read_again_where_it_was_ended() {
    let mut house = House::start(|folder| json!({ "token": format!("file:{folder}") }));
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));
    house.bao.revoke();
    house.custody.refuses("main", Reason::CredentialRefused, EFFECT);
    let token = house.bao.token().unwrap();
    house.login(&token);
    house.custody.works();
}

impl House {
    fn start(login: impl Fn(&str) -> Value) -> Self {
        let (bao, folder) = (Bao::start().unwrap(), tempfile::tempdir().unwrap());
        bao.put("staff", "token", FIRST);
        {
            let mut known = bao.known();
            let fields = [("token", json!(CHILD)), ("beside", json!(BESIDE)), ("number", json!(7))];
            let fields = fields.map(|(name, value)| (name.to_owned(), value));
            known.legacy.insert("child".into(), Map::from_iter(fields));
        }
        let file = folder.path().join("login");
        let login = login(&file.display().to_string());
        let with = match login.as_object().unwrap().keys().next().unwrap().as_str() {
            "app_role" => SECRET_ID.to_owned(),
            "kubernetes" => ACCOUNT.to_owned(),
            _ => bao.token().unwrap(),
        };
        fs::write(&file, with).unwrap();
        let vault = json!({ "server": { "url": bao.url(), "allow_private": true,
            "namespace": NAMESPACE, "login": login, "mounts": { "secret": 2, "legacy": 1 } } });
        let (main, child) = ("vault:secret/staff#token", "vault:legacy/child#token");
        let mut custody = Custody::outside(main, child, &vault);
        custody.serve();
        Self { custody, bao, login: folder }
    }

    /// From now on this is logged in with.
    fn login(&self, with: &str) {
        fs::write(self.login.path().join("login"), with).unwrap();
    }

    fn refused_by_name(&mut self) {
        self.bao.known().denied.push("secret/data/staff".into());
        self.custody.refuses("main", Reason::CredentialRefused, EFFECT);
        self.bao.known().denied.clear();
        self.bao.put("staff", "another", "x");
        self.custody.refuses("main", Reason::CredentialMissing, EFFECT);
        self.bao.put("staff", "token", "");
        self.custody.refuses("main", Reason::CredentialMissing, EFFECT);
        self.bao.known().versions.get_mut("staff").unwrap().push(None);
        self.custody.refuses("main", Reason::CredentialMissing, EFFECT);
        self.bao.known().versions.remove("staff");
        self.custody.refuses("main", Reason::CredentialMissing, EFFECT);
        self.bao.put("staff", "token", SECOND);
        self.custody.works();
    }

    /// Gone, sealed, or redirecting: a refusal, and then it goes on.
    fn away(&mut self) {
        self.bao.stop();
        self.custody.refuses("main", Reason::CredentialUnreachable, EFFECT);
        let (_, ready) = self.custody.room.gateway.ready().unwrap();
        assert!(ready.contains("vault:secret/staff#token"), "{ready}");
        self.custody.told.extend_from_slice(ready.as_bytes());
        self.bao.back().unwrap();
        self.custody.works();
        for status in [503, 307, 429] {
            self.bao.known().instead = Some(status);
            self.custody.refuses("main", Reason::CredentialUnreachable, EFFECT);
            self.bao.known().instead = None;
            self.custody.works();
        }
    }
}
