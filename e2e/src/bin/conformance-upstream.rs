//! What the conformance suite runs as its client, where it plays a server and the authorization server of
//! that: a gateway whose one connection leads there, and one session of an SDK's client through it. The
//! suite appends the server's URL and names the scenario in the environment. Prints what the client saw;
//! fails where it saw no result.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for what it lacks")]

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    rig::MintIssuer,
    room::{admin_api, connection, issuer_settings},
    say,
    tools::{run, script},
    wire::{Request, exchange, expect_status},
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The variable that asks for tokens of a person, who consents.
const PERSON: &str = "CONFORMANCE_PERSON";
/// The variable with the client's secret or key.
const SECRET: &str = "CONFORMANCE_SECRET";

/// The client's name where the suite wants a URL.
const METADATA: &str = "https://conformance-test.local/client-metadata.json";

/// What an operator would have set up for a scenario.
struct Client {
    credential: Value,
    secret: String,
}

fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("usage: conformance-upstream URL")?;
    let variable = |name: &str| std::env::var(format!("MCP_CONFORMANCE_{name}"));
    let (scenario, revision) = (variable("SCENARIO")?, variable("PROTOCOL_VERSION")?);
    let context =
        variable("CONTEXT").map_or(Ok(Value::Null), |text| serde_json::from_str(&text))?;
    let client = Client::of(&scenario, &context, &url)?;

    let stage = match std::env::var_os(PERSON) {
        None => Stage::of_a_program(client, &url)?,
        Some(_) => Stage::of_a_person(client, &url)?,
    };
    let era = if revision == "2026-07-28" { &revision } else { "legacy" };
    let mut command = script("client-v2.mjs")?;
    command.args([&*stage.gateway.url("main"), &stage.token, "test-tool", "{}", era]);
    let seen = run(command, Duration::from_secs(15))?.text;
    say(&seen);
    let seen: Value = serde_json::from_str(seen.trim())?;
    if seen["result"]["content"].is_array() && seen["result"]["isError"] != true {
        return Ok(());
    }
    bail!("no result\n{}\n{}", stage.page, stage.gateway.log())
}

/// A gateway that can get tokens, and a caller of it.
struct Stage {
    gateway: Gateway,
    token: String,
    /// What somebody who consented saw last.
    page: String,
    _minting: Option<MintIssuer>,
    _vouching: Option<(Issuer, TempDir)>,
}

impl Stage {
    /// The gateway gets tokens for itself.
    fn of_a_program(client: Client, url: &str) -> anyhow::Result<Self> {
        let issuer = MintIssuer::start()?;
        let settings = json!({ "issuers": [issuer_settings("idp", &issuer)],
            "connections": [client.connection(url)] });
        let gateway = started(settings, &client.secret)?;
        let token = issuer.token("rsa", &issuer.claims(&gateway.url("main")))?;
        Ok(Self { gateway, token, page: String::new(), _minting: Some(issuer), _vouching: None })
    }

    /// A person consents on the page of the gateway, as a public client of the authorization server.
    fn of_a_person(mut client: Client, url: &str) -> anyhow::Result<Self> {
        let api = free_address()?;
        let origin = format!("http://{api}");
        let (issuer, folder) = (Issuer::start_for(Some(origin.clone()))?, tempfile::tempdir()?);
        let id = client.credential["client_id"].clone();
        client.credential =
            json!({ "grant": "authorization_code", "client_id": id, "allow_private": true });
        let settings = json!({
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true }],
            "connections": [client.connection(url)],
            "admin_api": admin_api(api, folder.path())?,
        });
        let gateway = started(settings, &client.secret)?;
        let mut command = script("person.mjs")?;
        command.args(["connect".as_ref(), folder.path().join("jar").as_os_str()]);
        command.args([&*origin, "engineer", "main"]);
        let page = run(command, Duration::from_secs(15))?.text;
        let token = issuer.token("engineer", &gateway.url("main"))?;
        Ok(Self { gateway, token, page, _minting: None, _vouching: Some((issuer, folder)) })
    }
}

fn started(settings: Value, secret: &str) -> anyhow::Result<Gateway> {
    let policies = "permit (principal, action, resource);".to_owned();
    let mut gateway = Gateway::prepare(&Plan { settings, policies, file_max: None })?;
    gateway.variable(SECRET, secret.as_ref());
    gateway.run()?;
    gateway.wait_ready()?;
    Ok(gateway)
}

impl Client {
    fn connection(&self, url: &str) -> Value {
        let mut settings = connection("main", url);
        settings["upstream"]["http"]["headers"] = json!({});
        settings["upstream"]["http"]["credential"] = self.credential.clone();
        settings
    }

    fn of(scenario: &str, context: &Value, url: &str) -> anyhow::Result<Self> {
        let named = |name: &str| context[name].as_str().map(str::to_owned);
        let id = match scenario {
            // Where its metadata would be, that names it.
            "auth/basic-cimd" => METADATA.to_owned(),
            _ => named("client_id").unwrap_or_else(|| "lockgate".to_owned()),
        };
        let mut credential = json!({ "grant": "client_credentials", "client_id": id,
            "allow_private": true });
        let with_secret =
            named("client_secret").is_some() || scenario.starts_with("auth/token-endpoint-auth-");
        if with_secret {
            // Whom a secret is shown is for the operator to say, who looks it up beforehand.
            credential["issuer"] = json!(named("issuer").map_or_else(|| published(url), Ok)?);
            credential["client_secret"] = json!(format!("env:{SECRET}"));
            let secret = named("client_secret").unwrap_or_else(|| "a-secret".to_owned());
            return Ok(Self { credential, secret });
        }
        credential["private_key"] = json!(format!("env:{SECRET}"));
        let secret = match named("private_key_pem") {
            Some(key) => key,
            None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem(),
        };
        Ok(Self { credential, secret })
    }
}

/// The authorization server that the server itself names.
fn published(url: &str) -> anyhow::Result<String> {
    let (host, path) =
        url.trim_start_matches("http://").split_once('/').context("a URL with a path")?;
    let port = host.rsplit(':').next().context("a port")?.parse()?;
    let target = format!("/.well-known/oauth-protected-resource/{path}");
    let request = Request::new("GET", &target, "").header("Host", host);
    let request = request.header("Connection", "close");
    let reply = exchange(SocketAddr::from(([127, 0, 0, 1], port)), &request.bytes())?;
    expect_status(&reply, 200)?;
    let issuer = reply.json()?["authorization_servers"][0].as_str().map(str::to_owned);
    ensure!(issuer.is_some(), "no authorization server: {}", reply.text());
    issuer.context("one")
}
