//! What users let the gateway do for them at a server: given in a real browser to a real provider, used for
//! this user alone, renewed once for all, and taken back. Two providers: one vouches for the users, the
//! other is the server's own.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    mcp::{Caller, LEGACY},
    postgres::Postgres,
    prepare,
    rig::Upstream,
    room::{admin_api, wait_for_tools},
    say,
    tools::{run, script},
    wire::{Reply, Request, exchange},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    credentials::{publish, refusing},
    secrets::{Search, left, search, told},
};

const WAIT: Duration = Duration::from_secs(90);
pub(crate) const MISSING: &str = "credential.grant_missing";
const SECRET: &str = "canary-consent-6f2d9b80c4e17a35";
const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action, resource);
permit (principal in Group::"idp/platform", action, resource);
"#;

/// A gateway with its page, where users log in.
pub(crate) struct House {
    /// Vouches for the users.
    issuer: Issuer,
    gateway: Gateway,
    api: SocketAddr,
    _values: TempDir,
}

/// A server, and the provider whose tokens it takes.
pub(crate) struct Shop {
    provider: Issuer,
    pub(crate) upstream: Upstream,
    /// What the gateway is told of the provider, and is at it.
    credential: Value,
}

impl Shop {
    /// The gateway has a secret, and is told who the provider is. `api` is where the pages are to which the
    /// provider sends browsers back.
    pub(crate) fn start(api: SocketAddr) -> anyhow::Result<Self> {
        let mut shop = Self::of(api, json!({ "client_secret": SECRET }))?;
        shop.credential["issuer"] = json!(shop.provider.url());
        Ok(shop)
    }

    /// The gateway is a public client, and the server itself says who its provider is.
    fn public(api: SocketAddr) -> anyhow::Result<Self> {
        let shop = Self::of(api, json!({ "token_endpoint_auth_method": "none" }))?;
        publish(&shop.upstream, &shop.provider);
        Ok(shop)
    }

    fn of(api: SocketAddr, mut client: Value) -> anyhow::Result<Self> {
        client["client_id"] = json!("gateway");
        client["grant_types"] = json!(["authorization_code", "refresh_token"]);
        client["response_types"] = json!(["code"]);
        client["redirect_uris"] = json!([format!("http://{api}/connect/main/callback")]);
        let provider = Issuer::start_with(&json!([client]))?;
        let credential = json!({ "grant": "authorization_code", "client_id": "gateway",
            "scopes": ["openid", "mcp", "offline_access"], "allow_private": true });
        Ok(Self { provider, upstream: Upstream::start()?, credential })
    }

    fn count(&self, what: &str) -> u64 {
        self.provider.told().unwrap()[what].as_u64().unwrap()
    }

    /// Whose account the calls were made with that the server heard.
    pub(crate) fn heard(&self) -> Vec<String> {
        // Without a message, the gateway only asks where the server's metadata is.
        let seen = self.upstream.take_seen().into_iter().filter(|seen| !seen.rpc.is_empty());
        let account = |seen: &lockgate_e2e::rig::Seen| {
            let header = seen.heard.header("authorization").unwrap();
            let claims = claims(header.trim_start_matches("Bearer "));
            assert_eq!(claims["aud"], self.upstream.url());
            assert_eq!(
                (&claims["iss"], &claims["client_id"]),
                (&json!(self.provider.url()), &json!("gateway"))
            );
            claims["sub"].as_str().unwrap().to_owned()
        };
        seen.map(|one| account(&one)).collect()
    }
}

impl House {
    fn start(shop: &Shop, api: SocketAddr, more: &Value) -> anyhow::Result<Self> {
        prepare::debian()?;
        let origin = format!("http://{api}");
        let (issuer, values) = (Issuer::start_for(Some(origin.clone()))?, tempfile::tempdir()?);
        let mut credential = shop.credential.clone();
        if credential.get("issuer").is_some() {
            let client = values.path().join("client");
            std::fs::write(&client, SECRET)?;
            credential["client_secret"] = json!(format!("file:{}", client.display()));
        }
        let mut settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [{ "name": "main", "issuers": ["idp"], "pins": "on_first_use",
                "upstream": { "http": { "url": shop.upstream.url(), "allow_private": true,
                    "credential": credential } } }],
            "admin_api": admin_api(api, values.path())?,
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            settings[key] = value.clone();
        }
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::start(&plan)?;
        Ok(Self { issuer, gateway, api, _values: values })
    }

    pub(crate) fn caller(&self, who: &str) -> Caller {
        let token = self.issuer.token(who, &self.gateway.url("main")).unwrap();
        self.gateway.caller("main", Some(&token))
    }

    fn call(&self, who: &str) -> Reply {
        let caller = self.caller(who);
        caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap()
    }

    /// With a browser; what was on its pages.
    pub(crate) fn browse(&self, who: &str, account: &str) -> anyhow::Result<Vec<String>> {
        let mut command = script("connect.mjs")?;
        command.args([&format!("http://{}", self.api), who, "main", account]);
        let said = run(command, WAIT)?;
        let last = said.text.lines().last().unwrap_or_default();
        let seen: Value = serde_json::from_str(last).with_context(|| said.text.clone())?;
        ensure!(seen["fault"].is_null(), "{seen}\n{}", self.gateway.log());
        Ok(seen["pages"].as_array().unwrap().iter().map(|page| page.to_string()).collect())
    }

    /// Where somebody is told to go.
    fn place(&self) -> String {
        format!("http://{}/connect/main", self.api)
    }

    /// Calls until it is refused for want of a grant; what else was answered meanwhile, by status.
    fn until_missing(&self, who: &str, within: Duration) -> Vec<u16> {
        let (begun, mut statuses) = (Instant::now(), Vec::new());
        loop {
            let reply = self.call(who);
            if reply.text().contains(MISSING) {
                assert!(reply.text().contains(&self.place()), "{}", reply.text());
                return statuses;
            }
            assert!(begun.elapsed() < within, "{}\n{}", reply.text(), self.gateway.log());
            statuses.push(reply.status);
            thread::sleep(Duration::from_millis(200));
        }
    }
}

#[test]
fn a_user_consents_with_a_browser_and_is_served_alone() {
    let api = free_address().unwrap();
    let shop = Shop::start(api).unwrap();
    let mut house = House::start(&shop, api, &json!({})).unwrap();
    // Before: everybody is told where to go, in each era and for each message, and the server hears nothing.
    let told = house.call("engineer");
    let text = told.text();
    assert!(told.status == 200 && text.contains("isError") && text.contains(MISSING), "{text}");
    assert!(text.contains(&house.place()), "{text}");
    let caller = house.caller("engineer");
    let start = json!({ "protocolVersion": LEGACY, "capabilities": {},
        "clientInfo": { "name": "rows", "version": "1" } });
    for request in [
        caller.modern(&json!(1), "tools/list", json!({})),
        caller.legacy(None, &json!(1), "initialize", start),
    ] {
        let error = caller.send(&request).unwrap().json().unwrap()["error"].clone();
        assert_eq!(error["data"]["reason"], MISSING, "{error}");
        assert!(error["message"].as_str().unwrap().contains(&house.place()), "{error}");
    }
    assert_eq!(shop.upstream.take_all().len(), 0);

    let pages = house.browse("engineer", "alice").unwrap();
    assert!(pages[0].contains("not connected") && pages[1].contains("is connected"), "{pages:?}");
    wait_for_tools(&house.caller("engineer")).unwrap();
    assert_eq!(house.call("engineer").status, 200);
    assert_eq!(shop.heard(), ["alice"]);
    // Somebody else has none, and theirs is another one.
    assert!(house.call("operator").text().contains(&house.place()));
    assert_eq!(shop.heard(), Vec::<String>::new());
    house.browse("operator", "bob").unwrap();
    for who in ["operator", "engineer"] {
        assert!(!house.call(who).text().contains("isError\":true"));
    }
    assert_eq!(shop.heard(), ["bob", "alice"]);

    // A token that the server refuses is replaced once, and the call sent again.
    shop.upstream.act("echo", refusing(1));
    assert!(!house.call("engineer").text().contains("isError\":true"));
    assert_eq!((shop.heard(), shop.count("refreshed")), (vec!["alice".to_owned(); 2], 1));
    shop.upstream.behave();
    // They outlive the process, and the key that they were sealed under.
    let (code, text) = house.gateway.command(&["vault", "rotate", "--json"]).unwrap();
    assert!(code == 0 && text.contains("\"rewrapped\": 2"), "{text}");
    house.gateway.kill().unwrap();
    house.gateway.run().unwrap();
    house.gateway.wait_ready().unwrap();
    for who in ["operator", "engineer"] {
        assert!(!house.call(who).text().contains("isError\":true"));
    }
    assert_eq!((shop.heard(), shop.count("refreshed")), (vec!["bob".into(), "alice".into()], 1));

    house.browse("engineer", "disconnect").unwrap();
    assert_eq!(shop.count("revoked"), 1, "the provider was told");
    assert_eq!(house.until_missing("engineer", Duration::from_secs(1)), Vec::<u16>::new());
    assert_eq!(shop.heard(), Vec::<String>::new());
    assert_eq!(house.call("operator").status, 200);
    assert_eq!(shop.heard(), ["bob"]);
    let (code, shown) = house.gateway.command(&["journal", "show"]).unwrap();
    assert!(code == 0 && shown.contains("connect main for idp/engineer"), "{shown}");
    assert!(shown.contains("disconnect main for idp/engineer"), "{shown}");
    nowhere(&mut house, &shop);
}

/// What a leaver let the gateway do ends with their access, here and at the provider; a pause ends nothing.
#[test]
fn a_leavers_grant_ends_with_their_access() {
    let api = free_address().unwrap();
    let shop = Shop::start(api).unwrap();
    let house = House::start(&shop, api, &json!({})).unwrap();
    house.browse("engineer", "alice").unwrap();
    house.browse("operator", "bob").unwrap();
    let revoke = |more: &[&str]| {
        let told =
            [&["revoke", "person", "idp/engineer", "--reason", "left", "--json", "--yes"], more];
        let (code, text) = house.gateway.command(&told.concat()).unwrap();
        assert_eq!(code, 0, "{text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        made["id"].as_str().unwrap().to_owned()
    };
    let lift = |id: &str| {
        let (code, text) =
            house.gateway.command(&["revoke", "lift", id, "--reason", "back"]).unwrap();
        assert_eq!(code, 0, "{text}");
        thread::sleep(Duration::from_secs(1));
    };
    // Each call comes with a new token, which the second one is not about.
    for (pause, status) in [(&["--for", "1h"][..], 401), (&["--old-tokens"], 200)] {
        let id = revoke(pause);
        thread::sleep(Duration::from_secs(2));
        assert_eq!(house.call("engineer").status, status);
        lift(&id);
        assert!(!house.call("engineer").text().contains("isError\":true"));
    }
    assert_eq!(shop.count("revoked"), 0);
    let id = revoke(&[]);
    let begun = Instant::now();
    while shop.count("revoked") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", house.gateway.log());
        thread::sleep(Duration::from_millis(20));
    }
    let took = begun.elapsed();
    lift(&id);
    assert!(house.call("engineer").text().contains(MISSING), "let in again, not connected");
    assert!(!house.call("operator").text().contains("isError\":true"));
    let (_, shown) = house.gateway.command(&["journal", "show"]).unwrap();
    assert!(shown.contains("disconnect main for idp/engineer by local:"), "{shown}");
    say(&format!(
        "grants: a leaver's is over at the provider {} ms after the command",
        took.as_millis()
    ));
}

#[test]
fn a12_a_consent_belongs_to_the_session_that_began_it() {
    let api = free_address().unwrap();
    let shop = Shop::start(api).unwrap();
    let house = House::start(&shop, api, &json!({})).unwrap();
    let get = |path: &str, cookie: &str| {
        let request = Request::new("GET", path, Vec::new()).header("Host", &api.to_string());
        exchange(api, &request.header("Cookie", cookie).bytes()).unwrap()
    };
    let post = |cookie: &str, form: &str| {
        let request = Request::new("POST", "/connect/main", form.as_bytes().to_vec())
            .header("Host", &api.to_string())
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Cookie", cookie);
        exchange(api, &request.bytes()).unwrap()
    };
    // Without a session, a look leads to the login, and a form to nothing.
    let away = get("/connect/main", "");
    assert_eq!(away.header("location").unwrap(), "/login?next=%2Fconnect%2Fmain");
    assert_eq!(post("", "verdict=connect&token=x").status, 401);
    let session = |who: &str| login(&house, who);
    let (ann, eve) = (session("engineer"), session("operator"));
    let token = |cookie: &str| {
        let page = get("/connect/main", cookie).text();
        page.split("name=\"token\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    };
    // A form of another session's, and one of none.
    for foreign in [token(&eve), "x".to_owned()] {
        assert_eq!(post(&ann, &format!("verdict=connect&token={foreign}")).status, 403);
    }
    let begin = || {
        let page = post(&eve, &format!("verdict=connect&token={}", token(&eve))).text();
        let place = page.split("url=").nth(1).unwrap().split('"').next().unwrap().to_owned();
        place.replace("&#38;", "&")
    };
    let asked = |place: &str, name: &str| {
        let mut pairs = place.split(['?', '&']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let encoded = |text: &str| text.replace(':', "%3A").replace('/', "%2F");
    let place = begin();
    let callback = format!("http://{api}/connect/main/callback");
    for (name, value) in [
        ("code_challenge_method", "S256"),
        ("resource", &*encoded(&shop.upstream.url())),
        ("redirect_uri", &*encoded(&callback)),
    ] {
        assert_eq!(asked(&place, name), value, "{name}");
    }
    // What Eve began does not end in Ann's browser, nor at another connection, nor twice, nor with another
    // server's answer. Her own goes to the provider, which knows no such code.
    let (own, foreign) = (encoded(&shop.provider.url()), encoded("http://evil.example"));
    let began = "this was not begun here";
    for (name, cookie, iss, why) in [
        ("main", &ann, &own, began),
        ("other", &eve, &own, began),
        ("main", &eve, &foreign, "credential.issuer_invalid"),
        ("main", &eve, &String::new(), "credential.issuer_invalid"),
        ("main", &eve, &own, "credential.issuer_refused"),
    ] {
        let state = asked(&begin(), "state");
        let path = format!("/connect/{name}/callback?code=x&state={state}&iss={iss}");
        for (path, why) in [(&path, why), (&path, began)] {
            let reply = get(path, cookie);
            assert!(reply.status == 502 && reply.text().contains(why), "{why}: {}", reply.text());
        }
    }
    assert_eq!(shop.provider.told().unwrap()["tokens"], json!([]), "no code was taken");
    // A connection that no policy lets somebody reach has no page for them, and no account is known there.
    let stranger = session("contractor");
    assert_eq!(get("/connect/main", &stranger).status, 404);
    assert_eq!(get("/connect/other", &ann).status, 404);
    assert!(house.call("engineer").text().contains(MISSING));
}

/// Two gateways that share a database and the vault's keys. The first has the pages to which the provider
/// sends browsers back.
pub(crate) fn two(shop: &Shop, api: SocketAddr) -> ((Postgres, TempDir), House, House) {
    let (postgres, folder) = (Postgres::start().unwrap(), tempfile::tempdir().unwrap());
    let (url, keys) = (folder.path().join("url"), folder.path().join("vault.key"));
    std::fs::write(&url, postgres.url()).unwrap();
    let more = |node: &str| {
        json!({ "node": node, "recording": { "index": format!("file:{}", url.display()) },
            "vault": { "keys": format!("file:{}", keys.display()) } })
    };
    let one = House::start(shop, api, &more("one")).unwrap();
    let two = House::start(shop, free_address().unwrap(), &more("two")).unwrap();
    ((postgres, folder), one, two)
}

#[test]
fn of_100_calls_on_two_gateways_one_renews() {
    let api = free_address().unwrap();
    let shop = Shop::start(api).unwrap();
    let (_shared, one, two) = two(&shop, api);
    // Its tokens live for 20 s.
    one.browse("engineer", "short").unwrap();
    let given = Instant::now();
    for house in [&one, &two] {
        wait_for_tools(&house.caller("engineer")).unwrap();
        assert_eq!(house.call("engineer").status, 200);
    }
    assert_eq!((shop.count("refreshed"), shop.heard()), (0, vec!["short".to_owned(); 2]));
    thread::sleep(Duration::from_secs(20).saturating_sub(given.elapsed()));
    let callers = [one.caller("engineer"), two.caller("engineer")];
    let begun = Instant::now();
    thread::scope(|scope| {
        for number in 0..100 {
            let caller = &callers[number % 2];
            scope.spawn(move || {
                let reply = caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap();
                let text = reply.text();
                assert!(reply.status == 200 && !text.contains("isError\":true"), "{text}");
            });
        }
    });
    let took = begun.elapsed();
    let heard = shop.upstream.take_seen();
    let tokens: std::collections::BTreeSet<_> =
        heard.iter().map(|seen| seen.heard.header("authorization").unwrap()).collect();
    say(&format!(
        "grants: 100 calls on two gateways in {} ms: {} refreshes, {} tokens heard",
        took.as_millis(),
        shop.count("refreshed"),
        tokens.len()
    ));
    assert_eq!((heard.len(), tokens.len(), shop.count("refreshed")), (100, 1, 1));
    // Disconnected on the one, it is over on the other within the time for which grants are held.
    one.browse("engineer", "disconnect").unwrap();
    let begun = Instant::now();
    two.until_missing("engineer", Duration::from_secs(6));
    say(&format!(
        "grants: disconnected on one gateway, over on the other after {} ms",
        begun.elapsed().as_millis()
    ));
}

#[test]
fn a_grant_whose_renewal_was_killed_asks_for_consent() {
    let api = free_address().unwrap();
    let shop = Shop::public(api).unwrap();
    let mut house = House::start(&shop, api, &json!({})).unwrap();
    // Its tokens live for 5 s.
    house.browse("engineer", "brief").unwrap();
    thread::sleep(Duration::from_secs(5));
    shop.provider.hold(true).unwrap();
    let (caller, begun) = (house.caller("engineer"), Instant::now());
    let request = caller.call("echo", json!({ "text": "hello" }));
    let call = thread::spawn(move || drop(caller.send(&request)));
    while shop.count("refreshed") == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", house.gateway.log());
        thread::sleep(Duration::from_millis(20));
    }
    // The provider has used the refresh token up, and nobody knows the next one.
    house.gateway.kill().unwrap();
    shop.provider.hold(false).unwrap();
    call.join().unwrap();
    house.gateway.run().unwrap();
    house.gateway.wait_ready().unwrap();
    shop.upstream.take_all();
    let began = Instant::now();
    let statuses = house.until_missing("engineer", Duration::from_secs(60));
    say(&format!(
        "grants: after a kill -9 between refresh and vault, consent is asked for after {} s; before, {} refusals",
        began.elapsed().as_secs(),
        statuses.len()
    ));
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    assert_eq!(shop.heard(), Vec::<String>::new());
    // And all is well again with it.
    house.browse("engineer", "alice").unwrap();
    wait_for_tools(&house.caller("engineer")).unwrap();
    assert_eq!(house.call("engineer").status, 200);
    assert_eq!(shop.heard(), ["alice"]);
}

/// Logs somebody in without a browser; their cookie.
fn login(house: &House, who: &str) -> String {
    let mut command = script("reviewer.mjs").unwrap();
    let origin = format!("http://{}", house.api);
    command.args([&origin, who, "stay", &format!("{origin}/approvals")]);
    let said = run(command, WAIT).unwrap();
    let seen: Value = serde_json::from_str(said.text.lines().last().unwrap()).unwrap();
    assert!(seen["fault"].is_null(), "{seen}");
    let cookies = seen["cookies"].as_array().unwrap();
    let session = cookies.iter().find(|one| one["name"] == "lockgate_session").unwrap();
    format!("lockgate_session={}", session["value"].as_str().unwrap())
}

/// No token and no secret stands where it does not belong.
fn nowhere(house: &mut House, shop: &Shop) {
    let mut places =
        told(&house.gateway, &[&["secret", "list", "--json"], &["vault", "status", "--json"]]);
    let mut wanted = vec![SECRET.to_owned()];
    for token in shop.provider.told().unwrap()["tokens"].as_array().unwrap() {
        // The header of a token is the same in all of them, and tells nothing.
        let parts: Vec<&str> = token.as_str().unwrap().split('.').collect();
        wanted
            .extend(parts.iter().skip(usize::from(parts.len() > 1)).map(|part| (*part).to_owned()));
    }
    assert!(wanted.len() >= 7, "two access tokens in two parts each, and their refresh tokens");
    left(&mut house.gateway, &mut places);
    let Search { hits, .. } = search(wanted.iter().map(|secret| (secret, secret)), &places);
    say(&format!(
        "grants: {} secrets and parts of tokens in {} places: {} hits",
        wanted.len(),
        places.len(),
        hits.len()
    ));
    assert_eq!(hits, Vec::<String>::new());
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
