//! Credentials that a server outside keeps, through the real binary: they reach the MCP server and nothing
//! else, a change takes effect, and what can't be had is a refusal by name. The server is a stand-in with
//! the published API of HashiCorp Vault and OpenBao.

use std::{
    fs,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    rig::{
        MintIssuer, Upstream,
        bao::{ACCOUNT, Bao, NAMESPACE, ROLE_ID, SECRET_ID, TOKEN},
    },
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say, tools,
    wire::Reply,
};
use lockgate_model::{Event, Reason};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::secrets::{Search, left, search};

const FIRST: &str = "canary-kept-5be8d02c7f41a963";
const SECOND: &str = "canary-kept-9a3c61f0d8e2b754";
const CHILD: &str = "canary-kept-c07f2be4915ad836";
/// A field beside a wanted one.
const BESIDE: &str = "canary-kept-41d7ea0b6c92f583";
/// What changes takes effect within 5 s.
const EFFECT: Duration = Duration::from_secs(7);

struct House {
    room: Room,
    bao: Bao,
    /// What is logged in with.
    login: TempDir,
    told: Vec<u8>,
}

#[test]
fn credentials_that_a_server_keeps_reach_the_upstream_and_nothing_else() {
    let mut house = House::start(
        |folder| json!({ "app_role": { "role_id": ROLE_ID, "secret_id": format!("file:{folder}") } }),
    );
    assert_eq!(house.heard(), Some(FIRST.to_owned()));
    assert_eq!(house.ask("child").status, 200);
    house.waits("the child's log", |house| house.room.gateway.log().contains("my secret is ***"));

    house.bao.put("staff", "token", SECOND);
    let begun = Instant::now();
    house.waits("the new value", |house| house.heard().as_deref() == Some(SECOND));
    say(&format!("outside: a new value after {} ms", begun.elapsed().as_millis()));

    house.refused_by_name();
    house.away();
    // The first, and one that could have helped where a path was denied.
    let logins = house.bao.logins();
    assert_eq!(logins, 2);
    house.bao.revoke();
    house.waits("a login anew", |house| house.bao.logins() == logins + 1);
    house.waits("it works again", |house| house.ask("main").status == 200);
    house.nowhere();
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
    house.waits("a login anew", |house| house.bao.logins() == 2);
    house.waits("it works again", |house| house.ask("main").status == 200);
    house.bao.known().calls.clear();
    let (begun, mut calls) = (Instant::now(), 0);
    while begun.elapsed() < Duration::from_secs(20) {
        assert_eq!(house.ask("main").status, 200, "after {:?}", begun.elapsed());
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
    house.refuses(Reason::CredentialRefused, Duration::from_secs(20));
    house.login(ACCOUNT);
    house.waits("it works again", |house| house.ask("main").status == 200);
}

/// Whoever asks a server that does not answer is told so in seconds, however many they are.
#[test]
fn nobody_waits_one_by_one_behind_a_silent_server() {
    let mut house = House::start(|folder| json!({ "token": format!("file:{folder}") }));
    house.bao.known().silent = true;
    house.refuses(Reason::CredentialUnreachable, EFFECT);
    // Until that nobody answered is known no more.
    std::thread::sleep(Duration::from_millis(1_500));
    let begun = Instant::now();
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let caller = house.caller("main");
            std::thread::spawn(move || caller.send(&caller.call("echo", json!({}))).unwrap().status)
        })
        .collect();
    let answers: Vec<u16> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    let took = begun.elapsed();
    say(&format!("outside: 20 calls to a silent server in {} ms", took.as_millis()));
    assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
    assert!(took < EFFECT, "{took:?}");
    house.bao.known().silent = false;
    house.waits("it answers again", |house| house.ask("main").status == 200);
}

#[test]
fn a_token_is_read_again_where_it_was_ended() {
    let mut house = House::start(|folder| json!({ "token": format!("file:{folder}") }));
    assert_eq!(house.heard(), Some(FIRST.to_owned()));
    house.bao.revoke();
    house.refuses(Reason::CredentialRefused, EFFECT);
    let token = house.bao.token().unwrap();
    house.login(&token);
    house.waits("the new token", |house| house.ask("main").status == 200);
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
        let room = room(&bao, &login);
        let house = Self { room, bao, login: folder, told: Vec::new() };
        for name in ["main", "child"] {
            wait_for_tools(&house.caller(name)).unwrap();
        }
        house
    }

    /// From now on this is logged in with.
    fn login(&self, with: &str) {
        fs::write(self.login.path().join("login"), with).unwrap();
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
    fn heard(&mut self) -> Option<String> {
        self.room.upstream.take_all();
        assert_eq!(self.ask("main").status, 200);
        let seen = self.room.upstream.take_seen();
        seen.first()?.heard.header("x-api-key").map(str::to_owned)
    }

    fn waits(&mut self, what: &str, good: impl Fn(&mut Self) -> bool) {
        let begun = Instant::now();
        while !good(self) {
            assert!(begun.elapsed() < EFFECT, "{what}: {:?}", self.bao.known().calls);
            let _ = self.ask("main");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn refused_by_name(&mut self) {
        self.bao.known().denied.push("secret/data/staff".into());
        self.refuses(Reason::CredentialRefused, EFFECT);
        self.bao.known().denied.clear();
        self.bao.put("staff", "another", "x");
        self.refuses(Reason::CredentialMissing, EFFECT);
        self.bao.put("staff", "token", "");
        self.refuses(Reason::CredentialMissing, EFFECT);
        self.bao.known().versions.get_mut("staff").unwrap().push(None);
        self.refuses(Reason::CredentialMissing, EFFECT);
        self.bao.known().versions.remove("staff");
        self.refuses(Reason::CredentialMissing, EFFECT);
        self.bao.put("staff", "token", SECOND);
        self.waits("it works again", |house| house.ask("main").status == 200);
    }

    /// Gone, sealed, or redirecting: a refusal, and then it goes on.
    fn away(&mut self) {
        self.bao.stop();
        self.refuses(Reason::CredentialUnreachable, EFFECT);
        let (_, ready) = self.room.gateway.ready().unwrap();
        assert!(ready.contains("vault:secret/staff#token"), "{ready}");
        self.told.extend_from_slice(ready.as_bytes());
        self.bao.back().unwrap();
        self.waits("it is back", |house| house.ask("main").status == 200);
        for status in [503, 307, 429] {
            self.bao.known().instead = Some(status);
            self.refuses(Reason::CredentialUnreachable, EFFECT);
            self.bao.known().instead = None;
            self.waits("it is back", |house| house.ask("main").status == 200);
        }
    }

    /// Within this time, calls are refused for this reason, with 503, and the server hears nothing.
    fn refuses(&mut self, reason: Reason, within: Duration) {
        let begun = Instant::now();
        loop {
            self.room.forget().unwrap();
            let reply = self.ask("main");
            let ends = self.room.records.fresh().unwrap();
            let ended = ends.iter().any(
                |event| matches!(event, Event::Outcome(outcome) if outcome.reason == Some(reason)),
            );
            if ended {
                assert_eq!((reply.status, reply.rpc_code()), (503, Some(1503)), "{}", reply.text());
                self.room.nothing_forwarded().unwrap();
                return;
            }
            let text = reply.text();
            assert!(begun.elapsed() < within, "{reason:?}: {} {text} {ends:?}", reply.status);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// No credential, and nothing that was logged in with, stands anywhere.
    fn nowhere(&mut self) {
        for arguments in [
            &["journal", "show", "--json"][..],
            &["journal", "export"],
            &["config", "show", "--origin"],
            &["check", "--json"],
        ] {
            let (code, text) = self.room.gateway.command(arguments).unwrap();
            assert_eq!(code, 0, "{arguments:?}: {text}");
            self.told.extend_from_slice(text.as_bytes());
        }
        let metrics = self.room.gateway.ask_admin("/metrics").unwrap().1;
        self.told.extend_from_slice(metrics.as_bytes());
        let mut places = vec![("what was told".to_owned(), std::mem::take(&mut self.told))];
        left(&mut self.room.gateway, &mut places);
        let wanted = [FIRST, SECOND, CHILD, BESIDE, SECRET_ID, TOKEN];
        let Search { hits, forms } = search(wanted.map(|secret| (secret, secret)), &places);
        let bytes: usize = places.iter().map(|(_, text)| text.len()).sum();
        let count = places.len();
        say(&format!(
            "outside: {forms} forms, {count} places of {bytes} bytes: {} hits",
            hits.len()
        ));
        assert_eq!(hits, Vec::<String>::new());
    }
}

fn room(bao: &Bao, login: &Value) -> Room {
    let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
    let mut main = connection("main", &upstream.url());
    main["upstream"]["http"]["headers"] = json!({ "X-Api-Key": "vault:secret/staff#token" });
    let child = json!({
        "name": "child", "issuers": ["idp"], "pins": "on_first_use",
        "upstream": { "stdio": { "command": tools::beside("stdio-fixture").unwrap(),
            "args": ["secrets"], "env": { "CHILD_SECRET": "vault:legacy/child#token" } } },
    });
    let settings = json!({
        "issuers": [issuer_settings("idp", &issuer)],
        "connections": [main, child],
        "vault": { "server": { "url": bao.url(), "allow_private": true, "namespace": NAMESPACE,
            "login": login, "mounts": { "secret": 2, "legacy": 1 } } },
    });
    let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
    let gateway = Gateway::start(&plan).unwrap();
    let records = gateway.records();
    Room { issuer, upstream, gateway, records, settings: plan.settings }
}
