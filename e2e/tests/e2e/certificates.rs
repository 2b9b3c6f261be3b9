//! Servers that want to see a certificate: a real one, which lets nobody in without, and a gateway that
//! shows the right one, a stranger's, one that is over, none, and another one while it runs.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::{Caller, LEGACY},
    record::Records,
    rig::MintIssuer,
    room::issuer_settings,
    tools::{Tool, script},
    wire::{Reply, expect_status},
};
use lockgate_model::{Event, Reason};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use serde_json::{Value, json};
use tempfile::TempDir;

type Authority = CertifiedIssuer<'static, KeyPair>;

struct House {
    _server: Tool,
    callers: MintIssuer,
    gateway: Gateway,
    records: Records,
    folder: TempDir,
    clients: Authority,
}

#[test]
fn the_server_sees_the_certificate_that_is_configured() {
    let mut house = House::start(&["good", "stranger", "late", "bare"]).unwrap();
    assert_eq!(house.whoami("good").unwrap(), "good");

    // Nobody else gets in: the server lets no such caller as far as a message.
    for name in ["stranger", "bare"] {
        let reply = house.opens(name).unwrap();
        assert_eq!(reply.status, 502, "{name}: {}", reply.text());
        let reason = house.ended().unwrap();
        assert!(
            matches!(reason, Reason::UpstreamUnreachable | Reason::UpstreamEnded),
            "{name}: {reason:?}"
        );
    }
    // One that is over is not even shown, and said to be over.
    let reply = house.opens("late").unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(house.ended().unwrap(), Reason::CredentialCertificateExpired);
    let (_, ready) = house.gateway.ready().unwrap();
    assert!(ready.contains(Reason::CredentialCertificateExpired.code()), "{ready}");
    assert_eq!(house.whoami("good").unwrap(), "good");
    house.no_key().unwrap();
}

#[test]
fn another_certificate_is_picked_up_while_calls_go_on() {
    let mut house = House::start(&["good"]).unwrap();
    assert_eq!(house.whoami("good").unwrap(), "good");
    house.write("good", "renewed", 2999, &house.clients).unwrap();
    let begun = Instant::now();
    while house.whoami("good").unwrap() != "renewed" {
        assert!(begun.elapsed() < Duration::from_secs(10), "the old one is shown for ever");
        std::thread::sleep(Duration::from_millis(100));
    }

    // Halves of two are no certificate: no call goes out with them.
    let key = house.path("good", "key");
    let kept = fs::read(&key).unwrap();
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let begun = Instant::now();
    while house.opens("good").unwrap().status != 503 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the old one is shown for ever");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(house.ended().unwrap(), Reason::CredentialCertificateMismatch);
    // Whole again, it serves at once.
    fs::write(&key, kept).unwrap();
    assert_eq!(house.whoami("good").unwrap(), "renewed");
}

impl House {
    fn start(names: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        let (servers, clients) = (authority()?, authority()?);
        let (certificate, key) = leaf(&servers, "127.0.0.1", 2999)?;
        fs::write(at("server.crt"), certificate)?;
        fs::write(at("server.key"), key)?;
        fs::write(at("servers.pem"), servers.pem())?;
        fs::write(at("clients.pem"), clients.pem())?;
        let mut command = script("certified.mjs")?;
        command.args([at("server.crt"), at("server.key"), at("clients.pem")]);
        let (server, url) = Tool::start(command)?;

        let callers = MintIssuer::start()?;
        let connection = |name: &&str| {
            let mut http = json!({ "url": url, "allow_private": true, "ca": at("servers.pem") });
            if *name != "bare" {
                let place =
                    |part: &str| format!("file:{}", at(&format!("{name}.{part}")).display());
                http["client_certificate"] =
                    json!({ "certificate": place("crt"), "key": place("key") });
            }
            json!({ "name": name, "issuers": ["idp"], "pins": "on_first_use",
                "upstream": { "http": http } })
        };
        let connections: Vec<_> = names.iter().map(connection).collect();
        let settings =
            json!({ "issuers": [issuer_settings("idp", &callers)], "connections": connections });
        let policies = "permit (principal, action, resource);".to_owned();
        let gateway = Gateway::prepare(&Plan { settings, policies, file_max: None })?;
        let records = gateway.records();
        let stranger = authority()?;
        let mut house = Self { _server: server, callers, gateway, records, folder, clients };
        for name in names {
            let year = if *name == "late" { 2020 } else { 2999 };
            let by = if *name == "stranger" { &stranger } else { &house.clients };
            house.write(name, name, year, by)?;
        }
        house.gateway.run()?;
        let begun = Instant::now();
        while house.gateway.ask_admin("/readyz").is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(20), "{}", house.gateway.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(house)
    }

    fn path(&self, name: &str, part: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.{part}"))
    }

    /// Puts a certificate for `subject` where the connection `name` looks for its own.
    fn write(&self, name: &str, subject: &str, year: i32, by: &Authority) -> anyhow::Result<()> {
        let (certificate, key) = leaf(by, subject, year)?;
        fs::write(self.path(name, "crt"), certificate)?;
        Ok(fs::write(self.path(name, "key"), key)?)
    }

    fn caller(&self, connection: &str) -> anyhow::Result<Caller> {
        let claims = self.callers.claims(&self.gateway.url(connection));
        Ok(self.gateway.caller(connection, Some(&self.callers.token("rsa", &claims)?)))
    }

    /// Begins to speak, which needs no tool that was listed before.
    fn opens(&self, connection: &str) -> anyhow::Result<Reply> {
        let caller = self.caller(connection)?;
        let params = json!({ "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": { "name": "certificates", "version": "1" } });
        caller.send(&caller.legacy(None, &json!(1), "initialize", params))
    }

    /// Whose certificate the server saw.
    fn whoami(&self, connection: &str) -> anyhow::Result<String> {
        let caller = self.caller(connection)?;
        let params = json!({ "name": "whoami", "arguments": {} });
        let call = caller.legacy(None, &json!(1), "tools/call", params);
        let reply = caller.send(&call.header("MCP-Protocol-Version", LEGACY))?;
        expect_status(&reply, 200)?;
        let answer = reply.json()?;
        let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
        let seen: Value = serde_json::from_str(text.with_context(|| format!("{answer}"))?)?;
        Ok(seen["name"].as_str().with_context(|| format!("{seen}"))?.to_owned())
    }

    /// Why the last call ended badly.
    fn ended(&mut self) -> anyhow::Result<Reason> {
        let events = self.records.fresh()?;
        let last = events.iter().rev().find_map(|event| match event {
            Event::Intent(intent) if intent.issuer == "idp" => Some(&intent.call),
            _ => None,
        });
        let last = last.context("no call")?;
        let end = events.iter().find_map(|event| match event {
            Event::Outcome(outcome) if outcome.call == *last => outcome.reason,
            _ => None,
        });
        end.context("no bad end")
    }

    /// No line of a key stands in the log or the record.
    fn no_key(&mut self) -> anyhow::Result<()> {
        let (_, record) = self.gateway.command(&["journal", "show", "--json"])?;
        let said = record + &self.gateway.log();
        for name in ["good", "stranger", "late"] {
            let key = fs::read_to_string(self.path(name, "key"))?;
            for line in key.lines().filter(|line| !line.starts_with('-')) {
                ensure!(!said.contains(line), "{name}: its key is told");
            }
        }
        Ok(())
    }
}

fn authority() -> anyhow::Result<Authority> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // Else all of them have one name, and the server could take one for another.
    let key = KeyPair::generate()?;
    params
        .distinguished_name
        .push(DnType::CommonName, format!("{:x?}", &key.public_key_raw()[..8]));
    Ok(CertifiedIssuer::self_signed(params, key)?)
}

/// A certificate for `name`, valid to the end of `year`, and its key, in PEM.
fn leaf(by: &Authority, name: &str, year: i32) -> anyhow::Result<(String, String)> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(year, 12, 31);
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, by)?.pem(), key.serialize_pem()))
}
