//! Issuers that are asked about tokens (RFC 7662): a real provider's opaque tokens, and an endpoint that
//! answers whatever it likes. Nobody gets in without a clear yes.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    issuer::Issuer,
    mcp::Caller,
    record::Records,
    rig::{MintIssuer, Next, Server, Upstream, json_reply, stream::endless},
    room::{connection, issuer_settings, wait_for_tools},
    say,
    wire::{data_of, expect_status},
};
use lockgate_model::{Event, Reason};
use serde_json::{Value, json};

const SECRET: &str = "canary-introspection-4b1d90c7";
/// How long an answer serves.
const CACHE_MS: u64 = 1_000;

struct House {
    upstream: Upstream,
    gateway: Gateway,
    records: Records,
}

#[test]
fn opaque_tokens_mean_what_the_provider_says() {
    let client = json!([{ "client_id": "lockgate", "client_secret": SECRET, "redirect_uris": [],
        "response_types": [], "grant_types": ["client_credentials"] }]);
    let mut provider = Issuer::start_with(&client).unwrap();
    let asked = json!({ "client_id": "lockgate", "client_secret": "env:INTROSPECTION_SECRET",
        "cache_max_ms": CACHE_MS });
    let idp = json!({ "name": "idp", "issuer": provider.url(), "allow_private": true,
        "introspection": asked });
    let mut house = House::start(idp).unwrap();
    let new = |who: &str| provider.token(who, &house.gateway.url("main")).unwrap();
    let (courier, porter, engineer) = (new("courier"), new("porter"), new("engineer"));
    assert!(!courier.contains('.'), "{courier}");
    wait_for_tools(&house.caller(&courier)).unwrap();

    // Who it is comes from the provider, asked once by however many; a JWT needs nobody's word.
    let before = introspected(&provider);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(house.ask(&porter), 200));
        }
    });
    assert_eq!(introspected(&provider) - before, 1);
    assert_eq!(house.ask(&engineer), 200);
    assert_eq!(introspected(&provider) - before, 1);
    let events = house.records.all().unwrap();
    let who = |name: &str| {
        let is = |event: &&Event| matches!(event, Event::Intent(intent) if intent.subject == name);
        events.iter().any(|event| is(&event))
    };
    assert!(who("porter") && who("engineer") && !who("nobody"));

    // Not everything that the provider gives is for here, or anything at all.
    house.refuses("no-such-token", Reason::TokenInactive, 401);
    let elsewhere = provider.token("courier", "https://elsewhere.example.com/mcp").unwrap();
    house.refuses(&elsewhere, Reason::TokenAudience, 401);

    // Taken back at the provider: within the time that an answer serves, streams included.
    house.upstream.act("echo", endless());
    let open = |token: &str| {
        let caller = house.caller(token);
        let mut stream = caller.open(&caller.followed(7, "echo")).unwrap();
        expect_status(&stream.head().unwrap(), 200).unwrap();
        stream
    };
    let (mut cut, mut kept) = (open(&courier), open(&porter));
    let begun = Instant::now();
    provider.revoke("courier", &courier).unwrap();
    let last = data_of(&cut.stream_until(|_| false).unwrap()).pop().unwrap();
    let took = begun.elapsed();
    assert!(last.contains(r#""code":1401"#), "{last}");
    assert!(took < Duration::from_millis(CACHE_MS + 1_500), "{took:?}");
    house.refuses(&courier, Reason::TokenInactive, 401);
    kept.stream_until(|text| text.matches("progress\"").count() > 6).unwrap();
    house.upstream.behave();
    assert_eq!(house.ask(&porter), 200);
    say(&format!(
        "introspection: a stream ended {} ms after its token was taken back, answers serve {CACHE_MS} ms",
        took.as_millis()
    ));

    // A provider that is away lets nobody in whose answer is over.
    provider.stop();
    thread::sleep(Duration::from_millis(CACHE_MS + 200));
    house.refuses(&porter, Reason::IssuerUnavailable, 503);
    assert_eq!(house.ask(&engineer), 200, "what needs no word goes on");
    provider.resume().unwrap();
    thread::sleep(Duration::from_millis(CACHE_MS + 200));
    // It forgot what it gave, and says so.
    house.refuses(&porter, Reason::TokenInactive, 401);
    let again = provider.token("porter", &house.gateway.url("main")).unwrap();
    assert_eq!(house.ask(&again), 200);
}

#[test]
fn t48_no_answer_but_a_clear_yes_lets_anybody_in() {
    let mint = MintIssuer::start().unwrap();
    let odd = Odd::start().unwrap();
    let mut idp = issuer_settings("idp", &mint);
    idp["introspection"] = json!({ "tokens": "all", "client_id": "lockgate", "cache_max_ms": 0,
        "client_secret": "env:INTROSPECTION_SECRET",
        "endpoint": format!("http://{}/introspect", odd.server.address()) });
    let mut house = House::start(idp).unwrap();
    let resource = house.gateway.url("main");
    let mut nth = 0;
    let mut new = || {
        nth += 1;
        let mut claims = mint.claims(&resource);
        claims["jti"] = json!(format!("t{nth}"));
        mint.token("rsa", &claims).unwrap()
    };
    let good = json!({ "active": true, "sub": "alice" }).to_string();
    odd.says(200, &good);
    wait_for_tools(&house.caller(&new())).unwrap();

    use Reason::{IssuerUnavailable as Away, TokenClaims, TokenInactive};
    let (far, much) = (" ".repeat(300 * 1024), format!("{{\"active\":{}1", "[".repeat(5_000)));
    for (what, status, answer, reason, code) in [
        ("inactive", 200, r#"{"active":false}"#, TokenInactive, 401),
        ("a text", 200, r#"{"active":"true"}"#, Away, 503),
        ("a number", 200, r#"{"active":1}"#, Away, 503),
        ("twice", 200, r#"{"active":false,"active":true}"#, Away, 503),
        ("nothing", 200, "", Away, 503),
        ("no word of it", 200, r#"{"sub":"alice"}"#, Away, 503),
        ("a page", 200, "<html>active</html>", Away, 503),
        ("a list", 200, r#"[{"active":true}]"#, Away, 503),
        ("too long", 200, &*far, Away, 503),
        ("too deep", 200, &*much, Away, 503),
        ("our secret is no good", 401, r#"{"active":true}"#, Away, 503),
        ("elsewhere", 302, r#"{"active":true}"#, Away, 503),
        ("broken", 500, r#"{"active":true}"#, Away, 503),
        ("never", 0, "", Away, 503),
        ("somebody else", 200, r#"{"active":true,"sub":"bob"}"#, TokenClaims, 401),
    ] {
        let token = new();
        odd.says(status, answer);
        say(what);
        house.refuses(&token, reason, code);
        // The twin: the same token, once the issuer says a clear yes.
        odd.says(200, &good);
        thread::sleep(Duration::from_millis(1_050));
        assert_eq!(house.ask(&token), 200, "{what}");
    }
    // Many who come with one token wait together for the answer that never comes.
    odd.says(0, "");
    let (token, begun) = (new(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| assert_eq!(house.ask(&token), 503));
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    odd.says(200, &good);
    // What is wrong with a token here, the issuer can't heal, and is not asked about.
    let before = odd.heard().len();
    let mut stray = mint.claims("https://elsewhere.example.com/mcp");
    stray["jti"] = json!("stray");
    house.refuses(&mint.token("rsa", &stray).unwrap(), Reason::TokenAudience, 401);
    assert_eq!(odd.heard().len(), before);
    let (form, authorization) = odd.heard().pop().unwrap();
    assert!(form.contains("token_type_hint=access_token"), "{form}");
    assert!(authorization.starts_with("Basic "), "{authorization}");
}

impl House {
    fn start(idp: Value) -> anyhow::Result<Self> {
        let upstream = Upstream::start()?;
        let mut main = connection("main", &upstream.url());
        main["upstream"]["http"]["headers"] = json!({});
        let settings = json!({ "issuers": [idp], "connections": [main] });
        let policies = "permit (principal, action, resource);".to_owned();
        let mut gateway = Gateway::prepare(&Plan { settings, policies, file_max: None })?;
        gateway.variable("INTROSPECTION_SECRET", SECRET.as_ref());
        gateway.run()?;
        gateway.wait_ready()?;
        let records = gateway.records();
        Ok(Self { upstream, gateway, records })
    }

    fn caller(&self, token: &str) -> Caller {
        self.gateway.caller("main", Some(token))
    }

    fn ask(&self, token: &str) -> u16 {
        let caller = self.caller(token);
        caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap().status
    }

    /// The call is refused for this reason, and the server hears nothing of it.
    fn refuses(&mut self, token: &str, reason: Reason, status: u16) {
        self.upstream.take_all();
        self.records.fresh().unwrap();
        assert_eq!(self.ask(token), status, "{reason:?}\n{}", self.gateway.log());
        let events = self.records.fresh().unwrap();
        let refused = |event: &Event| match event {
            Event::Refused(refused) => Some(refused.reason),
            _ => None,
        };
        let found: Vec<_> = events.iter().filter_map(refused).collect();
        assert_eq!(found, [reason], "{}", self.gateway.log());
        let reached = self.upstream.take_seen();
        assert!(reached.iter().all(|seen| seen.rpc != "tools/call"), "{reason:?}");
        for hidden in [token, SECRET] {
            assert!(!self.gateway.log().contains(hidden), "{reason:?}");
        }
    }
}

fn introspected(provider: &Issuer) -> u64 {
    provider.told().unwrap()["introspected"].as_u64().unwrap()
}

/// An introspection endpoint that answers what it is told to, or never.
struct Odd {
    server: Server,
    answer: Arc<Mutex<(u16, String)>>,
    /// Forms, each with its `Authorization`.
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Odd {
    fn start() -> anyhow::Result<Self> {
        let answer = Arc::new(Mutex::new((200, String::new())));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (says, notes) = (Arc::clone(&answer), Arc::clone(&heard));
        let server = Server::start(Arc::new(move |request, socket| {
            let form = String::from_utf8_lossy(&request.body).into_owned();
            let authorization = request.header("authorization").unwrap_or_default().to_owned();
            notes.lock().unwrap().push((form, authorization));
            let (status, answer) = says.lock().unwrap().clone();
            if status == 0 {
                thread::sleep(Duration::from_secs(7));
                return Ok(Next::Close);
            }
            json_reply(socket, status, &[], &answer)
        }))?;
        Ok(Self { server, answer, heard })
    }

    fn says(&self, status: u16, answer: &str) {
        *self.answer.lock().unwrap() = (status, answer.to_owned());
    }

    fn heard(&self) -> Vec<(String, String)> {
        self.heard.lock().unwrap().clone()
    }
}
