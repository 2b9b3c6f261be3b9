//! Tokens that the gateway gets for a server, from a real provider: by each way to show who it is, one
//! for many callers, renewed in time, replaced after a 401, and never sent where they don't belong.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    issuer::Issuer,
    mcp::Caller,
    record::Records,
    rig::{Act, MintIssuer, Next, Server, Upstream, answer, json_reply, now_s},
    room::{connection, issuer_settings, wait_for_tools},
    say,
    wire::Reply,
};
use lockgate_model::{Event, Reason};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::secrets::{Search, left, search, told};

const BASIC: &str = "canary-client-4be0c9173f62ad85";
const POST: &str = "canary-client+&% 91d6e07b3c2f48a5";

/// A gateway with connections that get their tokens from a real provider.
struct House {
    provider: Issuer,
    callers: MintIssuer,
    upstream: Upstream,
    gateway: Gateway,
    records: Records,
    /// The client's secrets, and its private key in PEM, where they are until they are sealed.
    _values: TempDir,
    key: String,
}

#[test]
fn a_real_provider_gives_tokens_by_each_method() {
    let mut house = House::start(&["basic", "post", "key", "found"]).unwrap();
    for name in ["basic", "post", "key", "found"] {
        let before = house.provider.given().unwrap();
        let token = house.heard(name);
        let claims = claims(&token);
        let client = if name == "found" { "key" } else { name };
        assert_eq!(
            (&claims["client_id"], &claims["aud"]),
            (&json!(client), &json!(house.upstream.url()))
        );
        assert_eq!(claims["scope"], "mcp");
        // One for many callers at once, and it was there before the first.
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert_eq!(house.ask(name).status, 200));
            }
        });
        let seen = house.upstream.take_seen();
        let bearer = format!("Bearer {token}");
        assert!(seen.iter().all(|seen| seen.heard.header("authorization") == Some(&bearer)));
        assert_eq!((seen.len(), house.provider.given().unwrap() - before), (20, 0), "{name}");
    }
    assert_eq!(house.provider.given().unwrap(), 4);
    house.nowhere();
}

#[test]
fn a_token_is_renewed_ahead_and_none_is_used_past_its_end() {
    // Its tokens live for 5 s.
    let house = House::start(&["brief"]).unwrap();
    let before = house.provider.given().unwrap();
    let (begun, calls) = (Instant::now(), AtomicUsize::new(0));
    let late = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while begun.elapsed() < Duration::from_secs(12) {
                    assert_eq!(house.ask("brief").status, 200);
                    calls.fetch_add(1, Ordering::AcqRel);
                }
            });
        }
        while begun.elapsed() < Duration::from_secs(12) {
            for seen in house.upstream.take_seen() {
                let token = seen.heard.header("authorization").unwrap().replace("Bearer ", "");
                if claims(&token)["exp"].as_i64().unwrap() < now_s() {
                    late.fetch_add(1, Ordering::AcqRel);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let given = house.provider.given().unwrap() - before;
    say(&format!(
        "credentials: {} calls in 12 s with tokens that live for 5 s: {given} tokens, {} too late",
        calls.load(Ordering::Acquire),
        late.load(Ordering::Acquire),
    ));
    assert_eq!(late.load(Ordering::Acquire), 0);
    assert!((2..=4).contains(&given), "{given} tokens");
}

#[test]
fn a_call_is_sent_again_only_after_a_401_and_only_once() {
    let mut house = House::start(&["basic", "fixed"]).unwrap();
    let first = house.heard("basic");
    house.records.fresh().unwrap();

    // What may have run is never sent again; nor is what another token would not help. First of all, while
    // another token could be had.
    for (what, act) in [("a broken stream", broken()), ("403", status(403)), ("500", status(500))] {
        house.upstream.act("echo", act);
        assert_ne!(house.ask("basic").status, 200, "{what}");
        assert_eq!(house.tokens().len(), 1, "{what}");
    }
    house.recorded();

    // The first 401 brings another token, and the call again.
    let given = house.provider.given().unwrap();
    house.upstream.act("echo", refusing(1));
    assert_eq!(house.ask("basic").status, 200);
    let seen = house.tokens();
    assert!(seen.len() == 2 && seen[0] == first && seen[1] != first, "{}", seen.len());
    assert_eq!(house.provider.given().unwrap() - given, 1);
    assert_eq!(house.recorded(), ["intent", "resent", "outcome"]);

    // The next one comes too soon for another token: the upstream does not want ours.
    house.upstream.act("echo", refusing(usize::MAX));
    assert_eq!(house.ask("basic").status, 502);
    assert_eq!((house.tokens().len(), house.recorded().len()), (1, 2));
    // After that time, every call that is refused is sent twice at most.
    let begun = Instant::now();
    while house.recorded_after_a_call("basic") != ["intent", "resent", "outcome"] {
        assert!(begun.elapsed() < Duration::from_secs(10), "never again another token");
        house.tokens();
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(house.tokens().len(), 2);
    assert_eq!(house.provider.given().unwrap() - given, 2);

    // A fixed credential has no other.
    house.upstream.act("echo", refusing(1));
    assert_eq!(house.ask("fixed").status, 502);
    assert_eq!(house.tokens().len(), 1);
    // The twin: all is well again.
    house.upstream.behave();
    assert_eq!(house.ask("basic").status, 200);
}

#[test]
fn a_token_that_can_not_be_had_is_a_refusal_by_name() {
    let mut house = House::start(&["brief", "wrong", "elsewhere"]).unwrap();
    house.refuses("wrong", Reason::CredentialIssuerRefused);
    house.refuses("elsewhere", Reason::CredentialIssuerInvalid);
    assert_eq!(house.ask("brief").status, 200);
    house.provider.stop();
    // The last token serves to its end, and no longer.
    let begun = Instant::now();
    while house.ask("brief").status == 200 {
        assert!(begun.elapsed() < Duration::from_secs(7), "an old token is used");
        thread::sleep(Duration::from_millis(100));
    }
    house.refuses("brief", Reason::CredentialIssuerUnreachable);
    let body = house.gateway.ready().unwrap().1;
    assert!(body.contains(Reason::CredentialIssuerUnreachable.code()), "{body}");
    // The provider is back: so are the calls.
    house.provider.resume().unwrap();
    let begun = Instant::now();
    while house.ask("brief").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "no token any more");
        thread::sleep(Duration::from_millis(100));
    }
    house.nowhere();
}

#[test]
fn a_challenge_leads_to_metadata_of_the_same_origin_alone() {
    let mut house = House::start(&["basic"]).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = Server::start(Arc::new(move |_, socket| {
        count.fetch_add(1, Ordering::AcqRel);
        json_reply(socket, 200, &[], "{}")
    }));
    let elsewhere = format!("http://{}/here", elsewhere.as_ref().unwrap().address());
    let own = house.upstream.url().replace("/mcp", "/custom/here.json");
    for (place, good) in [(elsewhere, false), ("file:///etc/passwd".to_owned(), false), (own, true)]
    {
        // Nothing stands below `/.well-known`.
        publish_at(&house.upstream, &house.provider, "/custom/here.json");
        house.upstream.act("", challenging(&place));
        let settings = json!({
            "issuers": [issuer_settings("idp", &house.callers)],
            "connections": [with_credential("found", &house.upstream, &house.provider)],
        });
        house.gateway.kill().unwrap();
        house.gateway.write_settings(&settings).unwrap();
        house.gateway.run().unwrap();
        house.wait();
        if good {
            wait_for_tools(&house.caller("found")).unwrap();
            assert_eq!(house.ask("found").status, 200);
        } else {
            let caller = house.caller("found");
            let request = caller.modern(&json!(1), "prompts/list", json!({}));
            assert_eq!(caller.send(&request).unwrap().status, 503, "{place}");
        }
        let heard = house.upstream.take_all();
        let bare = |seen: &&lockgate_e2e::rig::Seen| seen.heard.header("authorization").is_none();
        let posts = heard.iter().filter(bare).filter(|seen| seen.heard.method == "POST");
        assert!(posts.clone().count() > 0 && posts.clone().all(|seen| seen.heard.body.is_empty()));
    }
    assert_eq!(asked.load(Ordering::Acquire), 0, "another origin was asked");
}

impl House {
    fn start(names: &[&str]) -> anyhow::Result<Self> {
        let (callers, upstream, values) =
            (MintIssuer::start()?, Upstream::start()?, tempfile::tempdir()?);
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key = pair.serialize_pem();
        let provider = Issuer::start_with(&clients(&pair))?;
        publish(&upstream, &provider);
        let connections: Vec<_> =
            names.iter().map(|name| with_credential(name, &upstream, &provider)).collect();
        let settings = json!({
            "issuers": [issuer_settings("idp", &callers)],
            "connections": connections,
        });
        let plan = Plan {
            settings,
            policies: "permit (principal, action, resource);".to_owned(),
            file_max: None,
        };
        let mut gateway = Gateway::prepare(&plan)?;
        for (name, value) in [
            ("basic-secret", BASIC),
            ("post-secret", POST),
            ("brief-secret", "brief-secret"),
            ("key", &*key),
        ] {
            let file = values.path().join(name);
            std::fs::write(&file, value)?;
            let file = file.display().to_string();
            let (code, text) = gateway.command(&["secret", "set", name, "--from-file", &file])?;
            anyhow::ensure!(code == 0, "{text}");
        }
        gateway.run()?;
        let records = gateway.records();
        let house = Self { provider, callers, upstream, gateway, records, _values: values, key };
        house.wait();
        for name in names.iter().filter(|name| !["wrong", "elsewhere"].contains(name)) {
            wait_for_tools(&house.caller(name))?;
        }
        house.upstream.take_all();
        Ok(house)
    }

    /// Until it answers at all: with a credential that can't be had it is never ready.
    fn wait(&self) {
        let begun = Instant::now();
        while self.gateway.ask_admin("/readyz").is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{}", self.gateway.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn caller(&self, connection: &str) -> Caller {
        let claims = self.callers.claims(&self.gateway.url(connection));
        let token = self.callers.token("rsa", &claims).unwrap();
        self.gateway.caller(connection, Some(&token))
    }

    fn ask(&self, connection: &str) -> Reply {
        let caller = self.caller(connection);
        caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap()
    }

    /// Calls once, and gives the token that the server heard.
    fn heard(&self, connection: &str) -> String {
        self.upstream.take_all();
        assert_eq!(self.ask(connection).status, 200);
        let mut seen = self.tokens();
        assert_eq!(seen.len(), 1);
        seen.remove(0)
    }

    /// The tokens of the calls that the server heard.
    fn tokens(&self) -> Vec<String> {
        let seen = self.upstream.take_seen();
        let token = |seen: &lockgate_e2e::rig::Seen| {
            seen.heard.header("authorization").unwrap().replace("Bearer ", "")
        };
        seen.iter().map(token).collect()
    }

    fn recorded_after_a_call(&mut self, connection: &str) -> Vec<&'static str> {
        self.tokens();
        self.records.fresh().unwrap();
        self.ask(connection);
        self.recorded()
    }

    /// What was recorded of the calls since the last time.
    fn recorded(&mut self) -> Vec<&'static str> {
        let events = self.records.fresh().unwrap();
        let mut calls = Vec::new();
        let mut found = Vec::new();
        for event in events {
            match event {
                Event::Intent(intent) if intent.issuer == "idp" => {
                    calls.push(intent.call.clone());
                    found.push("intent");
                }
                Event::Resent(resent) if calls.contains(&resent.call) => found.push("resent"),
                Event::Outcome(outcome) if calls.contains(&outcome.call) => found.push("outcome"),
                _ => {}
            }
        }
        found
    }

    /// The call is refused for this reason, and the server hears nothing.
    fn refuses(&mut self, connection: &str, reason: Reason) {
        self.upstream.take_all();
        self.records.fresh().unwrap();
        // Its tools were never listed, which is refused before a token is asked for.
        let caller = self.caller(connection);
        let request = caller.modern(&json!(1), "prompts/list", json!({}));
        let reply = caller.send(&request).unwrap();
        assert_eq!(reply.status, 503, "{connection}: {}", reply.text());
        let events = self.records.fresh().unwrap();
        let ends: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Outcome(outcome) => outcome.reason,
                _ => None,
            })
            .collect();
        assert!(ends.contains(&reason), "{connection}: {ends:?}\n{}", self.gateway.log());
        let heard = self.upstream.take_all();
        let posted = heard.iter().filter(|seen| seen.heard.method == "POST").count();
        assert_eq!(posted, 0, "{connection}");
    }

    /// No token, no secret and no key stands where it does not belong.
    fn nowhere(&mut self) {
        let mut places = told(&self.gateway, &[&["secret", "list", "--json"]]);
        let mut wanted = vec![BASIC.to_owned(), POST.to_owned()];
        wanted.extend(self.key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
        for seen in self.upstream.take_all() {
            let header = seen.heard.header("authorization").unwrap_or_default();
            // The header of a token is the same in all of them, and tells nothing.
            wanted.extend(header.split('.').skip(1).map(str::to_owned));
        }
        wanted.sort();
        wanted.dedup();
        left(&mut self.gateway, &mut places);
        let Search { hits, .. } = search(wanted.iter().map(|secret| (secret, secret)), &places);
        say(&format!(
            "credentials: {} secrets and parts of tokens in {} places: {} hits",
            wanted.len(),
            places.len(),
            hits.len()
        ));
        assert_eq!(hits, Vec::<String>::new());
    }
}

/// The clients of the provider, each with a way of its own to show who it is.
fn clients(pair: &KeyPair) -> Value {
    let point = pair.der_bytes();
    let [x, y] = [1..33, 33..65].map(|part| URL_SAFE_NO_PAD.encode(&point[part]));
    let client = |name: &str, method: &str| {
        json!({ "client_id": name, "token_endpoint_auth_method": method, "redirect_uris": [],
            "response_types": [], "grant_types": ["client_credentials"] })
    };
    let mut basic = client("basic", "client_secret_basic");
    basic["client_secret"] = json!(BASIC);
    let mut post = client("post", "client_secret_post");
    post["client_secret"] = json!(POST);
    let mut key = client("key", "private_key_jwt");
    key["token_endpoint_auth_signing_alg"] = json!("ES256");
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k1", "use": "sig" });
    key["jwks"] = json!({ "keys": [jwk] });
    json!([basic, post, key])
}

/// The settings of a connection whose credential goes by its name.
fn with_credential(name: &str, upstream: &Upstream, provider: &Issuer) -> Value {
    let mut settings = connection(name, &upstream.url());
    if name == "fixed" {
        return settings;
    }
    let http = &mut settings["upstream"]["http"];
    http["headers"] = json!({});
    let mut credential = json!({
        "grant": "client_credentials", "client_id": name, "scopes": ["mcp"],
        "allow_private": true, "issuer": provider.url(),
    });
    match name {
        "key" => {
            credential["private_key"] = json!("sealed:key");
            credential["key_id"] = json!("k1");
        }
        "post" => {
            credential["client_secret"] = json!("sealed:post-secret");
            credential["token_endpoint_auth_method"] = json!("client_secret_post");
        }
        // Nothing is told but who it is: the server's own metadata names the provider.
        "found" => {
            credential["client_id"] = json!("key");
            credential["private_key"] = json!("sealed:key");
            credential["key_id"] = json!("k1");
            credential.as_object_mut().unwrap().remove("issuer");
        }
        "brief" => credential["client_secret"] = json!("sealed:brief-secret"),
        "wrong" => {
            credential["client_id"] = json!("basic");
            credential["client_secret"] = json!("sealed:post-secret");
        }
        // An issuer that publishes nothing, and is not who it should be.
        "elsewhere" => {
            credential["client_secret"] = json!("sealed:basic-secret");
            credential["issuer"] = json!(format!("{}/other", provider.url()));
        }
        _ => credential["client_secret"] = json!("sealed:basic-secret"),
    }
    http["credential"] = credential;
    settings
}

/// The server tells below `/.well-known` whose tokens it takes (RFC 9728).
pub(crate) fn publish(upstream: &Upstream, provider: &Issuer) {
    publish_at(upstream, provider, "/.well-known/oauth-protected-resource/mcp");
}

fn publish_at(upstream: &Upstream, provider: &Issuer, place: &'static str) {
    let document = json!({ "resource": upstream.url(), "authorization_servers": [provider.url()] });
    let document = document.to_string();
    upstream.act(
        "GET",
        Arc::new(move |heard, _, socket| {
            let found = heard.target == place;
            json_reply(
                socket,
                if found { 200 } else { 405 },
                &[],
                if found { &document } else { "" },
            )
        }),
    );
}

/// Tells whoever comes without a message where the metadata is (RFC 9728 §5.1).
fn challenging(place: &str) -> Act {
    let challenge = format!("Bearer scope=\"a, b\", resource_metadata=\"{place}\"");
    Arc::new(move |_, message, socket| {
        let headers = [("WWW-Authenticate", challenge.clone())];
        let status = if message.is_null() { 401 } else { 202 };
        json_reply(socket, status, &headers, "")
    })
}

/// Answers the first calls with 401.
pub(crate) fn refusing(times: usize) -> Act {
    let left = AtomicUsize::new(times);
    Arc::new(move |heard, message, socket| {
        let refuses =
            left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
        match refuses {
            Ok(_) => {
                let challenge = "Bearer error=\"invalid_token\"".to_owned();
                json_reply(socket, 401, &[("WWW-Authenticate", challenge)], "")
            }
            Err(_) => json_reply(socket, 200, &[], &answer(&message["id"], &heard.body)),
        }
    })
}

fn status(status: u16) -> Act {
    Arc::new(move |_, _, socket| json_reply(socket, status, &[], ""))
}

/// Ends in the middle of its answer.
fn broken() -> Act {
    Arc::new(|_, _, socket| {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{";
        socket.write_all(head.as_bytes())?;
        Ok(Next::Close)
    })
}

pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
