//! An issuer that is asked for its security events (RFC 8936): what it tells takes effect at once and is
//! acknowledged when it has, what can't be believed is sent back with why, and what was not acknowledged
//! comes again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::free_address,
    rig::{Heard, Key, MintIssuer, Server, json_reply, now_s, stream::endless},
    room::Room,
    say,
    wire::{data_of, expect_status},
};
use lockgate_model::Event;
use serde_json::{Value, json};

use super::{EFFECT, person};

const TOKEN: &str = "canary-events-7f31c2aa";
const RECEIVER: &str = "lockgate-events";
const DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
const SESSION: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const WAIT_MAX: Duration = Duration::from_secs(10);

/// A transmitter that tells each event until it is acknowledged or sent back.
#[derive(Clone, Default)]
struct Transmitter(Arc<Mutex<Stream>>);

#[derive(Default)]
struct Stream {
    waiting: BTreeMap<String, String>,
    taken: Vec<String>,
    refused: BTreeMap<String, String>,
    /// It answers with this status instead.
    broken: Option<u16>,
    /// How often it was asked.
    asked: usize,
    unauthorized: usize,
}

#[test]
fn an_issuer_is_asked_for_its_events() {
    let (room, transmitter, _server, _folder) = start();
    transmitter.until("it is asked", |stream| stream.asked > 0);
    let (alice, bob) = (room.alice().unwrap(), person(&room, "bob"));
    let status = |caller: &lockgate_e2e::mcp::Caller| {
        caller.send(&caller.call("any", json!({}))).unwrap().status
    };
    room.upstream.act("echo", endless());
    let mut stream = alice.open(&alice.followed(7, "echo")).unwrap();
    expect_status(&stream.head().unwrap(), 200).unwrap();

    let own = room.issuer.key("rsa").unwrap().clone();
    let event = |jti: &str, who: &str, kind: &str| {
        json!({ "iss": room.issuer.url(), "aud": RECEIVER, "iat": now_s(), "jti": jti,
            "sub_id": { "format": "iss_sub", "iss": room.issuer.url(), "sub": who },
            "events": { kind: {} } })
    };
    // What can't be believed is sent back, and holds nothing up.
    let mut foreign = event("other", "bob", DISABLED);
    foreign["aud"] = json!("somebody-else");
    transmitter.tell("forged", &signed(&Key::rsa().unwrap(), &event("forged", "bob", DISABLED)));
    transmitter.tell("other", &signed(&own, &foreign));
    transmitter.tell("token", alice.token.as_deref().unwrap());
    let told = Instant::now();
    transmitter.tell("alice", &signed(&own, &event("alice", "alice", DISABLED)));
    let last = data_of(&stream.stream_until(|_| false).unwrap()).pop().unwrap();
    let took = told.elapsed();
    assert!(last.contains(r#""code":1401"#) && took < EFFECT, "{took:?}: {last}");
    room.upstream.behave();
    transmitter.until("all is settled", |stream| stream.waiting.is_empty());
    let refused = transmitter.stream().refused.clone();
    let codes = refused.iter().map(|(jti, code)| format!("{jti} {code}"));
    let codes: Vec<_> = codes.collect();
    assert_eq!(codes, ["forged invalid_key", "other invalid_audience", "token invalid_request"]);
    assert_eq!(transmitter.stream().taken, ["alice"]);
    assert_eq!((status(&alice), status(&bob)), (401, 200));

    // Told again, because the acknowledgement was lost, it is the same revocation.
    let again = signed(&own, &event("alice", "alice", DISABLED));
    transmitter.tell("alice", &again);
    transmitter.until("it is settled", |stream| stream.waiting.is_empty());
    let (_, listed) = room.gateway.command(&["revoke", "list", "--json"]).unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");

    // A transmitter that is away shows, and what it has then is heard when it is back.
    transmitter.stream().broken = Some(500);
    let ready = |bad: bool| {
        let begun = Instant::now();
        while room.gateway.ready().unwrap().1.contains("status 500") != bad {
            assert!(begun.elapsed() < WAIT_MAX, "{:?}", room.gateway.ready());
            thread::sleep(Duration::from_millis(20));
        }
    };
    ready(true);
    transmitter.tell("bob", &signed(&own, &event("bob", "bob", SESSION)));
    assert_eq!(status(&bob), 200);
    transmitter.stream().broken = None;
    transmitter.until("it is settled", |stream| stream.waiting.is_empty());
    thread::sleep(EFFECT);
    assert_eq!(status(&bob), 401);
    ready(false);
    assert_eq!(transmitter.stream().unauthorized, 0);
    let told = room.gateway.records().all().unwrap();
    let told = told.iter().filter(|one| matches!(one, Event::Revocations(e) if e.by == "idp:idp"));
    assert_eq!(told.count(), 3, "each telling is on record, the second as well");
    assert!(!room.gateway.log().contains(TOKEN));
    say(&format!(
        "events: a stream ends {} ms after its issuer had something to tell",
        took.as_millis()
    ));
}

/// A room whose issuer is asked.
fn start() -> (Room, Transmitter, Server, tempfile::TempDir) {
    let (api, transmitter) = (free_address().unwrap(), Transmitter::default());
    let serve = transmitter.clone();
    let server = Server::start(Arc::new(move |heard, socket| {
        let (status, body) = serve.answer(heard);
        json_reply(socket, status, &[], &body)
    }));
    let server = server.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let url = format!("http://{}/poll", server.address());
    let room = Room::start_with(|plan, _, _| {
        let poll = json!({ "url": url, "token": format!("file:{}", file.display()) });
        plan.settings["issuers"][0]["events"] = json!({ "audiences": [RECEIVER], "poll": poll });
        plan.settings["admin_api"] = json!({ "address": api.to_string(), "issuers": ["idp"],
            "audience": "https://lockgate.test/admin" });
    })
    .unwrap();
    (room, transmitter, server, folder)
}

impl Transmitter {
    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, jti: &str, statement: &str) {
        self.stream().waiting.insert(jti.to_owned(), statement.to_owned());
    }

    fn until(&self, what: &str, done: impl Fn(&Stream) -> bool) {
        let begun = Instant::now();
        while !done(&self.stream()) {
            assert!(begun.elapsed() < WAIT_MAX, "{what}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn answer(&self, heard: &Heard) -> (u16, String) {
        let question: Value = serde_json::from_slice(&heard.body).unwrap_or_default();
        let mut stream = self.stream();
        stream.asked += 1;
        if let Some(status) = stream.broken {
            return (status, String::new());
        }
        if heard.header("authorization") != Some(&*format!("Bearer {TOKEN}")) {
            stream.unauthorized += 1;
            return (401, String::new());
        }
        for jti in question["ack"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if stream.waiting.remove(jti).is_some() {
                stream.taken.push(jti.to_owned());
            }
        }
        for (jti, said) in question["setErrs"].as_object().into_iter().flatten() {
            stream.waiting.remove(jti);
            stream.refused.insert(jti.clone(), said["err"].as_str().unwrap_or_default().to_owned());
        }
        drop(stream);
        // It is open until there is something to tell.
        let (begun, most) = (Instant::now(), question["maxEvents"].as_u64().unwrap_or_default());
        assert!(most > 0 && question["returnImmediately"] == false, "{question}");
        loop {
            let stream = self.stream();
            if !stream.waiting.is_empty() || stream.broken.is_some() || begun.elapsed() > WAIT_MAX {
                return (
                    200,
                    json!({ "sets": stream.waiting, "moreAvailable": false }).to_string(),
                );
            }
            drop(stream);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn signed(key: &Key, statement: &Value) -> String {
    let head = json!({ "alg": key.algorithm(), "typ": "secevent+jwt", "kid": "rsa" });
    MintIssuer::sign(key, head.to_string(), statement.to_string()).unwrap()
}
