//! Callers' tokens exchanged for the server's, at a real provider: everybody reaches the server as
//! themselves, nobody's own token does, and what can't be exchanged is refused by its name.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    issuer::Issuer,
    mcp::{Caller, LEGACY},
    record::Records,
    rig::{MintIssuer, Seen, Server, Upstream, json_reply, now_s},
    room::{connection, issuer_settings, wait_for_tools},
    say,
    wire::{Reply, Request},
};
use lockgate_model::{Event, Reason};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    credentials::{claims, refusing},
    secrets::{Search, contains, left, search, told},
};

const SECRET: &str = "canary-exchange-0f6c41d2a97be835";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// A gateway whose connection `main` exchanges tokens at a real provider, and `odd` at whatever the test
/// wants to be one.
struct House {
    provider: Issuer,
    /// An issuer that the gateway trusts and the provider does not.
    mint: MintIssuer,
    upstream: Upstream,
    odd: Odd,
    gateway: Gateway,
    records: Records,
}

/// A token endpoint that answers what it is told to, and notes the forms that it was sent.
struct Odd {
    server: Server,
    answer: Arc<Mutex<(u16, Value)>>,
    forms: Arc<Mutex<Vec<String>>>,
}

#[test]
fn everybody_reaches_the_server_as_themselves() {
    let mut house = House::start().unwrap();
    let mut own = Vec::new();
    let mut exchanged = Vec::new();
    for who in ["engineer", "auditor"] {
        let token = house.token(who);
        let before = house.provider.given().unwrap();
        // Many at once are one exchange, and so are the ones after.
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| assert_eq!(house.ask("main", &token).status, 200));
            }
        });
        assert_eq!(house.ask("main", &token).status, 200);
        let seen = house.upstream.take_seen();
        let heard: BTreeSet<_> = seen.iter().map(bearer).collect();
        assert_eq!((seen.len(), heard.len()), (21, 1));
        assert_eq!(house.provider.given().unwrap() - before, 1, "exchanges for {who}");
        let found = claims(heard.first().unwrap());
        assert_eq!(
            [&found["sub"], &found["aud"], &found["client_id"], &found["scope"]],
            [&json!(who), &json!(house.upstream.url()), &json!("lockgate"), &json!("mcp")]
        );
        never_heard(&seen, &token);
        own.push(token);
        exchanged.extend(heard);
    }

    // Another token of the same person is another exchange.
    let (again, before) = (house.token("engineer"), house.provider.given().unwrap());
    for _ in 0..3 {
        assert_eq!(house.ask("main", &again).status, 200);
    }
    assert_eq!(house.provider.given().unwrap() - before, 1);
    let seen = house.upstream.take_seen();
    assert!(!exchanged.contains(&bearer(&seen[0])));
    exchanged.push(bearer(&seen[0]));
    never_heard(&seen, &again);
    own.push(again);

    // A list that a client asks for is asked for as that client; the gateway's own look, as the gateway.
    let token = &own[0];
    wait_for_tools(&house.gateway.caller("main", Some(token))).unwrap();
    let heard = house.upstream.take_all();
    assert!(heard.iter().any(|seen| seen.rpc == "tools/list" && bearer(seen) == exchanged[0]));
    never_heard(&heard, token);
    say(&format!("exchange: {} exchanges for 45 calls with {} tokens", exchanged.len(), own.len()));
    let (code, text) = house.gateway.command(&["connection", "test", "main"]).unwrap();
    assert_eq!(code, 0, "{text}");
    let heard = house.upstream.take_all();
    assert!(heard.iter().all(|seen| claims(&bearer(seen))["sub"] == "lockgate"), "its own token");
    exchanged.push(bearer(&heard[0]));
    house.nowhere(&[own, exchanged].concat());
}

#[test]
fn who_gets_nothing_in_exchange_reaches_nothing() {
    let mut house = House::start().unwrap();
    let resource = house.gateway.url("main");

    // An expired token is no caller's, and nothing is asked about it.
    let mut expired = house.mint.claims(&resource);
    expired["iat"] = json!(now_s() - 900);
    expired["exp"] = json!(now_s() - 600);
    let expired = house.mint.token("rsa", &expired).unwrap();
    let before = house.odd.asked();
    for connection in ["main", "odd"] {
        assert_eq!(house.ask(connection, &expired).status, 401, "{connection}");
    }
    assert_eq!(house.odd.asked(), before, "an exchange for an expired token");

    // A token that the provider does not know, and a person in none of its groups.
    let stranger = house.mint.token("rsa", &house.mint.claims(&resource)).unwrap();
    for (what, token) in [("unknown", stranger), ("in no group", house.token("nobody"))] {
        let reply = house.refuses("main", &token, Reason::CredentialExchangeRefused);
        assert_eq!(reply.status, 200, "{what}: {}", reply.text());
        let answer = reply.json().unwrap();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(reply.text().contains("credential.exchange_refused"), "{}", reply.text());
        // That is about one caller: the connection is well.
        let (_, ready) = house.gateway.ready().unwrap();
        assert!(!ready.contains("credential."), "{what}: {ready}");
    }
    // The twin.
    let good = house.token("engineer");
    assert_eq!(house.ask("main", &good).status, 200);

    // A provider that is away: what was got serves on, and nobody new gets in.
    let late = house.token("auditor");
    house.provider.stop();
    assert_eq!(house.ask("main", &good).status, 200);
    let reply = house.refuses("main", &late, Reason::CredentialIssuerUnreachable);
    assert_eq!(reply.status, 503);
}

#[test]
fn a_401_is_one_new_exchange_and_one_more_try() {
    let mut house = House::start().unwrap();
    let (token, other) = (house.token("engineer"), house.token("auditor"));
    for one in [&token, &other] {
        assert_eq!(house.ask("main", one).status, 200);
    }
    let first: Vec<_> = house.upstream.take_seen().iter().map(bearer).collect();
    let before = house.provider.given().unwrap();
    house.upstream.act("echo", refusing(1));
    assert_eq!(house.ask("main", &token).status, 200);
    let seen = house.upstream.take_seen();
    assert_eq!((seen.len(), house.provider.given().unwrap() - before), (2, 1));
    let tries: Vec<_> = seen.iter().map(bearer).collect();
    assert!(tries[0] == first[0] && !first.contains(&tries[1]));
    assert_eq!(claims(&tries[1])["sub"], "engineer");
    never_heard(&seen, &token);

    // Others keep what they have.
    assert_eq!(house.ask("main", &other).status, 200);
    assert_eq!(bearer(&house.upstream.take_seen()[0]), first[1]);
    // And a server that wants none is asked twice at most, and not for another exchange each time.
    house.upstream.act("echo", refusing(usize::MAX));
    for _ in 0..3 {
        assert_eq!(house.ask("main", &token).status, 502);
    }
    assert_eq!(house.upstream.take_seen().len(), 3);
    assert_eq!(house.provider.given().unwrap() - before, 1);
    let resent = house.records.fresh().unwrap();
    let resent = resent.iter().filter(|event| matches!(event, Event::Resent(_))).count();
    assert_eq!(resent, 1);
}

#[test]
fn nothing_is_used_past_its_end_and_sessions_are_their_callers() {
    let mut house = House::start().unwrap();
    // A session of the legacy era: every message of it goes as its caller.
    let token = house.token("engineer");
    let caller = house.caller("main", &token);
    let session = caller.initialize(LEGACY).unwrap();
    let params = json!({ "name": "echo", "arguments": { "text": "hello" } });
    let call = caller.legacy(Some(&session), &json!(2), "tools/call", params);
    assert_eq!(caller.send(&call).unwrap().status, 200);
    let end = Request::new("DELETE", &caller.path, "")
        .header("Host", &caller.address.to_string())
        .header("Authorization", &format!("Bearer {token}"))
        .header("MCP-Protocol-Version", LEGACY)
        .header("Mcp-Session-Id", &session);
    assert_eq!(caller.send(&end).unwrap().status, 200);
    let heard = house.upstream.take_all();
    assert_eq!(heard.len(), 4, "initialize, initialized, the call and the end");
    assert!(heard.iter().all(|seen| claims(&bearer(seen))["sub"] == "engineer"));
    never_heard(&heard, &token);

    // Both the caller's token and what is given for it live for 5 s. The issuer's leeway lets the caller in
    // for longer, but there is nothing more to be had for that token, so the caller is to get a new one.
    let brief = house.token("brief");
    let begun = Instant::now();
    let reply = loop {
        house.records.fresh().unwrap();
        let reply = house.ask("main", &brief);
        for seen in house.upstream.take_seen() {
            assert!(claims(&bearer(&seen))["exp"].as_i64().unwrap() >= now_s(), "used too late");
        }
        if reply.status != 200 {
            break reply;
        }
        assert!(begun.elapsed() < Duration::from_secs(12), "it never ends");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(begun.elapsed() > Duration::from_secs(3), "too early");
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert!(reply.header("www-authenticate").is_some());
    let events = house.records.fresh().unwrap();
    let expired = |event: &Event| matches!(event, Event::Outcome(end) if end.reason == Some(Reason::TokenExpired));
    assert!(events.iter().any(expired), "{}", house.gateway.log());
    assert_eq!(house.ask("main", &house.token("brief")).status, 200);
}

#[test]
fn an_answer_to_an_exchange_is_believed_only_as_far_as_it_goes() {
    let mut house = House::start().unwrap();
    let good =
        json!({ "access_token": "t", "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer" });
    let with = |name: &str, value: Value| {
        let mut answer = good.clone();
        answer[name] = value;
        answer
    };
    let mut untold = good.clone();
    untold.as_object_mut().unwrap().remove("issued_token_type");
    let refresh = "urn:ietf:params:oauth:token-type:refresh_token";
    use Reason::{
        CredentialExchangeRefused as Caller, CredentialIssuerInvalid as Invalid,
        CredentialIssuerRefused as Client, CredentialIssuerUnreachable as Away,
    };
    let cases = [
        ("no kind", 200, untold, Invalid),
        ("another kind", 200, with("issued_token_type", json!(refresh)), Invalid),
        ("no bearer token", 200, with("token_type", json!("N_A")), Invalid),
        ("a bound token", 200, with("token_type", json!("DPoP")), Invalid),
        ("no token", 200, with("access_token", json!("")), Invalid),
        ("a line break", 200, with("access_token", json!("t\r\nX: y")), Invalid),
        ("a long one", 200, with("access_token", json!("t".repeat(16 * 1024 + 1))), Invalid),
        ("more than long", 200, with("access_token", json!("t".repeat(300 * 1024))), Invalid),
        ("one that is over", 200, with("expires_in", json!(0)), Invalid),
        ("the caller's own", 200, with("access_token", json!("SUBJECT")), Invalid),
        ("elsewhere", 302, json!({}), Invalid),
        ("not today", 503, json!({}), Away),
        ("no client", 401, json!({ "error": "invalid_client" }), Client),
        ("no such grant", 400, json!({ "error": "unsupported_grant_type" }), Client),
        ("no good token", 400, json!({ "error": "invalid_request" }), Caller),
        ("nor here", 400, json!({ "error": "invalid_grant" }), Caller),
        ("not this server", 400, json!({ "error": "invalid_target" }), Caller),
        ("not this person", 403, json!({ "error": "access_denied" }), Caller),
    ];
    for (what, status, answer, reason) in cases {
        let token = house.token_for_odd();
        house.odd.says(status, &answer);
        let (begun, before) = (Instant::now(), house.odd.asked());
        house.refuses("odd", &token, reason);
        // It is remembered for a moment, so that a client that tries again and again asks nobody.
        house.refuses("odd", &token, reason);
        let at_once = begun.elapsed() < Duration::from_millis(900);
        assert!(!at_once || house.odd.asked() - before == 1, "{what}");
    }
    // The twins.
    for (what, answer, asked) in [
        ("without an end", good.clone(), 1),
        ("a JWT", with("issued_token_type", json!(JWT)), 1),
        ("another spelling", with("token_type", json!("bearer")), 1),
        ("a long life", with("expires_in", json!(600)), 1),
    ] {
        let token = house.token_for_odd();
        house.odd.says(200, &answer);
        let before = house.odd.asked();
        for _ in 0..2 {
            assert_eq!(house.ask("odd", &token).status, 200, "{what}");
        }
        assert_eq!(house.odd.asked() - before, asked, "{what}");
        let seen = house.upstream.take_seen();
        assert_eq!(bearer(&seen[0]), "t");
        never_heard(&seen, &token);
        let form = house.odd.last();
        let field =
            |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
        assert_eq!(field("grant_type"), Some(GRANT));
        assert_eq!(
            (field("subject_token"), field("subject_token_type")),
            (Some(&*token), Some(ACCESS_TOKEN))
        );
        assert_eq!((field("audience"), field("resource")), (Some("staff"), None));
    }
}

impl House {
    fn start() -> anyhow::Result<Self> {
        let client = json!([{ "client_id": "lockgate", "client_secret": SECRET, "redirect_uris": [],
            "response_types": [], "grant_types": ["client_credentials", GRANT] }]);
        let provider = Issuer::start_with(&client)?;
        let (mint, upstream, odd) = (MintIssuer::start()?, Upstream::start()?, Odd::start()?);
        let credential = |more: Value| {
            let mut credential = json!({ "grant": "token_exchange", "client_id": "lockgate",
                "client_secret": "env:EXCHANGE_SECRET", "allow_private": true });
            credential.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            credential
        };
        let place = format!("http://{}/token", odd.server.address());
        let ways = [
            ("main", json!({ "issuer": provider.url(), "scopes": ["mcp"] })),
            ("odd", json!({ "token_endpoint": place, "audience": "staff", "resource": false })),
        ];
        let connections = ways.map(|(name, more)| {
            let mut settings = connection(name, &upstream.url());
            settings["issuers"] = json!(["idp", "mint"]);
            settings["upstream"]["http"]["headers"] = json!({});
            settings["upstream"]["http"]["credential"] = credential(more);
            settings
        });
        let idp = json!({ "name": "idp", "issuer": provider.url(), "allow_private": true,
            "groups_required": false });
        let settings =
            json!({ "issuers": [idp, issuer_settings("mint", &mint)], "connections": connections });
        let policies = "permit (principal, action, resource);".to_owned();
        let mut gateway = Gateway::prepare(&Plan { settings, policies, file_max: None })?;
        gateway.variable("EXCHANGE_SECRET", SECRET.as_ref());
        gateway.run()?;
        gateway.wait_ready()?;
        let records = gateway.records();
        let house = Self { provider, mint, upstream, odd, gateway, records };
        for name in ["main", "odd"] {
            let token = house.provider.token("engineer", &house.gateway.url(name))?;
            wait_for_tools(&house.gateway.caller(name, Some(&token)))?;
        }
        house.upstream.take_all();
        Ok(house)
    }

    /// A new token of somebody for `main`, from the provider.
    fn token(&self, who: &str) -> String {
        self.provider.token(who, &self.gateway.url("main")).unwrap()
    }

    /// A new token for `odd`, of an issuer that it need not know.
    fn token_for_odd(&self) -> String {
        let mut claims = self.mint.claims(&self.gateway.url("odd"));
        claims["jti"] = json!(format!("odd-{}", self.odd.asked()));
        self.mint.token("rsa", &claims).unwrap()
    }

    fn caller(&self, connection: &str, token: &str) -> Caller {
        self.gateway.caller(connection, Some(token))
    }

    fn ask(&self, connection: &str, token: &str) -> Reply {
        let caller = self.caller(connection, token);
        caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap()
    }

    /// The call is refused for this reason, and the server hears nothing of it.
    fn refuses(&mut self, connection: &str, token: &str, reason: Reason) -> Reply {
        self.upstream.take_all();
        self.records.fresh().unwrap();
        let reply = self.ask(connection, token);
        let events = self.records.fresh().unwrap();
        let ends: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Outcome(outcome) => outcome.reason,
                _ => None,
            })
            .collect();
        assert_eq!(ends, [reason], "{}\n{}", reply.text(), self.gateway.log());
        assert_eq!(self.upstream.take_seen().len(), 0, "{reason:?}");
        assert!(!reply.everything().contains(token));
        reply
    }

    /// None of these tokens, and not the secret, stands where it does not belong.
    fn nowhere(&mut self, tokens: &[String]) {
        let mut places = told(&self.gateway, &[]);
        left(&mut self.gateway, &mut places);
        // The header of a token is the same in all of them, and tells nothing.
        let parts = tokens.iter().flat_map(|token| token.split('.').skip(1));
        let wanted: BTreeSet<&str> = parts.chain([SECRET]).collect();
        let Search { hits, .. } = search(wanted.iter().map(|one| (one, one)), &places);
        say(&format!(
            "exchange: {} parts of tokens in {} places: {} hits",
            wanted.len(),
            places.len(),
            hits.len()
        ));
        assert_eq!(hits, Vec::<String>::new());
    }
}

impl Odd {
    fn start() -> anyhow::Result<Self> {
        let own = json!({ "access_token": "own", "token_type": "Bearer", "expires_in": 3600 });
        let good = json!({ "access_token": "t", "issued_token_type": JWT, "token_type": "Bearer" });
        let answer = Arc::new(Mutex::new((200, good)));
        let forms = Arc::new(Mutex::new(Vec::new()));
        let (says, notes) = (Arc::clone(&answer), Arc::clone(&forms));
        let server = Server::start(Arc::new(move |heard, socket| {
            let form = String::from_utf8_lossy(&heard.body).into_owned();
            let fields: Vec<_> = form_urlencoded::parse(form.as_bytes()).collect();
            let subject = fields.iter().find(|(name, _)| name == "subject_token");
            let Some((_, subject)) = subject else {
                return json_reply(socket, 200, &[], &own.to_string());
            };
            let (status, mut answer) = says.lock().unwrap().clone();
            if answer["access_token"] == "SUBJECT" {
                answer["access_token"] = json!(subject);
            }
            notes.lock().unwrap().push(form.clone());
            let headers = [("Location", "http://127.0.0.1:1/token".to_owned())];
            let headers = if status == 302 { &headers[..] } else { &[] };
            json_reply(socket, status, headers, &answer.to_string())
        }))?;
        Ok(Self { server, answer, forms })
    }

    fn says(&self, status: u16, answer: &Value) {
        *self.answer.lock().unwrap() = (status, answer.clone());
    }

    /// How often it was asked for an exchange.
    fn asked(&self) -> usize {
        self.forms.lock().unwrap().len()
    }

    /// The fields of the last question.
    fn last(&self) -> Vec<(String, String)> {
        let form = self.forms.lock().unwrap().last().cloned().unwrap();
        form_urlencoded::parse(form.as_bytes()).into_owned().collect()
    }
}

fn bearer(seen: &Seen) -> String {
    seen.heard.header("authorization").unwrap().replace("Bearer ", "")
}

/// No byte of what reached the server holds this token.
fn never_heard(seen: &[Seen], token: &str) {
    assert!(!seen.is_empty());
    for Seen { heard, .. } in seen {
        let bytes = [format!("{heard:?}").as_bytes(), &heard.body].concat();
        assert!(!contains(&bytes, token.as_bytes()), "the caller's token went on");
    }
}
