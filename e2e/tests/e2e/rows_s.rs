//! Class S: addresses that the gateway must not connect to.
//!
//! What needs a lying resolver (names with mixed addresses, names that change) is proven beside the
//! resolver's own code; here every spelling goes through the real binary.

use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::ensure;
use lockgate_e2e::{
    gateway::{Gateway, Plan},
    rig::{MintIssuer, Next, Server, Upstream},
    room::{connection, issuer_settings, wait_for_tools},
    rows::Rows,
    wire::expect_status,
};
use lockgate_model::Reason;
use serde_json::{Value, json};

use crate::rows_s_channels;

struct Class {
    rows: Rows,
    issuer: MintIssuer,
    sinkhole: Server,
    heard: Arc<AtomicU64>,
}

#[test]
fn class_s() {
    let heard = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&heard);
    let sinkhole = Server::start(Arc::new(move |_, socket| {
        count.fetch_add(1, Ordering::AcqRel);
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")?;
        Ok(Next::Keep)
    }));
    let issuer = MintIssuer::start().unwrap();
    let mut class = Class { rows: Rows::new("S"), issuer, sinkhole: sinkhole.unwrap(), heard };
    class.addresses();
    class.redirects();
    class.own_ports();
    class.keys();
    class.token_endpoints();
    rows_s_channels::channels(&mut class.rows);
    class.rows.finish();
}

/// Rows and URLs; `PORT` stands for the sinkhole's.
const URLS: &[(u32, &[&str])] = &[
    (
        1,
        &[
            "http://127.0.0.1:PORT/mcp",
            "https://127.0.0.1:PORT/mcp",
            "https://127.1:PORT/mcp",
            "https://2130706433:PORT/mcp",
            "https://0x7f.1:PORT/mcp",
            "https://0177.0.0.1:PORT/mcp",
            "https://0:PORT/mcp",
            "https://[::]:PORT/mcp",
            "https://[::1]:PORT/mcp",
            "https://[::ffff:127.0.0.1]:PORT/mcp",
            "https://[::127.0.0.1]:PORT/mcp",
            "https://127.255.255.254:PORT/mcp",
        ],
    ),
    (
        2,
        &[
            "https://10.0.0.1/mcp",
            "https://172.16.0.1/mcp",
            "https://172.31.255.254/mcp",
            "https://192.168.1.1/mcp",
            "https://100.64.0.1/mcp",
            "https://192.0.0.8/mcp",
            "https://198.18.0.1/mcp",
            "https://240.0.0.1/mcp",
            "https://255.255.255.255/mcp",
            "https://224.0.0.1/mcp",
        ],
    ),
    (
        3,
        &[
            "https://169.254.169.254/latest",
            "https://[fd00:ec2::254]/latest",
            "https://168.63.129.16/mcp",
            "http://169.254.169.254/latest",
        ],
    ),
    (
        4,
        &[
            "https://[64:ff9b::7f00:1]/mcp",
            "https://[2002:7f00:1::]/mcp",
            "https://[2001::1]/mcp",
            "https://[fc00::1]/mcp",
            "https://[fe80::1]/mcp",
            "https://[fec0::1]/mcp",
        ],
    ),
    (5, &["https://localhost:PORT/mcp", "https://localhost.:PORT/mcp"]),
    (6, &["https://LOCALHOST:PORT/mcp"]),
    (
        8,
        &[
            "https://good@127.0.0.1:PORT/mcp",
            "https://good#@127.0.0.1:PORT/mcp",
            "https://127.0.0.1\\@good:PORT/mcp",
            "https://127\u{3002}0\u{3002}0\u{3002}1:PORT/mcp",
            "https://127.0.0.1.:PORT/mcp",
            "https://\u{2460}27.0.0.1:PORT/mcp",
        ],
    ),
    (
        10,
        &[
            "file:///etc/passwd",
            "data:text/plain,x",
            "ftp://127.0.0.1:PORT/mcp",
            "ws://127.0.0.1:PORT/mcp",
            "unix:/var/run/docker.sock",
            "gopher://127.0.0.1:PORT/mcp",
            "javascript:alert(1)",
            "https:///mcp",
            "",
        ],
    ),
];

impl Class {
    fn plan(&self, connections: &[Value]) -> Plan {
        let issuers = json!([issuer_settings("idp", &self.issuer)]);
        let settings = json!({ "issuers": issuers, "connections": connections,
            "limits": { "connect_wait_max_ms": 1000, "answer_wait_max_ms": 2000 } });
        let policies = "permit (principal, action, resource);".to_owned();
        Plan { settings, policies, file_max: None }
    }

    fn guarded(name: &str, url: &str) -> Value {
        let mut connection = connection(name, url);
        connection["upstream"]["http"]["allow_private"] = json!(false);
        connection
    }

    /// Every URL is either refused when the settings are read, or when it is dialled.
    fn addresses(&mut self) {
        let port = self.sinkhole.address().port().to_string();
        let mut dialled = Vec::new();
        for (row, urls) in URLS {
            for url in *urls {
                let url = url.replace("PORT", &port);
                let plan = self.plan(&[Self::guarded("one", &url)]);
                let outcome =
                    Gateway::prepare(&plan).and_then(|gateway| gateway.command(&["check"]));
                match outcome {
                    Ok((2, _)) => self.rows.row(*row, &url, Ok(())),
                    Ok((0, _)) => dialled.push((*row, url)),
                    Ok((code, said)) => {
                        let fault = anyhow::anyhow!("`lockgate check` exited with {code}: {said}");
                        self.rows.row(*row, &url, Err(fault));
                    }
                    Err(fault) => self.rows.row(*row, &url, Err(fault)),
                }
            }
        }
        let named = |number: usize| format!("c{number}");
        let upstream = Upstream::start().unwrap();
        let mut connections: Vec<_> = dialled
            .iter()
            .enumerate()
            .map(|(number, (_, url))| Self::guarded(&named(number), url))
            .collect();
        connections.push(connection("open", &upstream.url()));
        let gateway = Gateway::start(&self.plan(&connections));
        let gateway = match gateway {
            Ok(gateway) => gateway,
            Err(fault) => return self.rows.row(1, "start", Err(fault)),
        };
        for (number, (row, url)) in dialled.iter().enumerate() {
            let outcome = self.undialled(&gateway, &named(number));
            self.rows.row(*row, url, outcome);
        }
        for row in (1..=6).chain([8, 9, 10]) {
            let outcome = self.dialled(&gateway, "open");
            self.rows.twin(row, "a loopback server that the settings allow", outcome);
        }
        let silent = self.sinkhole.connections();
        self.rows.row(1, "sinkhole", whether(silent == 0, "something connected to it"));
    }

    fn undialled(&self, gateway: &Gateway, name: &str) -> anyhow::Result<()> {
        let claims = self.issuer.claims(&gateway.url(name));
        let caller = gateway.caller(name, Some(&self.issuer.token("rsa", &claims)?));
        let session = json!({ "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": { "name": "s", "version": "1" } });
        let reply = caller.send(&caller.legacy(None, &json!(1), "initialize", session))?;
        ensure!((500..600).contains(&reply.status), "{}: {}", reply.status, reply.text());
        let events = gateway.records().all()?;
        let noted = events.iter().any(|event| match event {
            lockgate_model::Event::Outcome(outcome) => outcome.reason == Some(Reason::EgressDenied),
            _ => false,
        });
        ensure!(noted, "no outcome says that the address was refused");
        Ok(())
    }

    fn dialled(&self, gateway: &Gateway, name: &str) -> anyhow::Result<()> {
        let claims = self.issuer.claims(&gateway.url(name));
        let caller = gateway.caller(name, Some(&self.issuer.token("rsa", &claims)?));
        wait_for_tools(&caller)?;
        let reply = caller.send(&caller.call("echo", json!({})))?;
        expect_status(&reply, 200)?;
        ensure!(reply.json()?["result"].is_object(), "{}", reply.text());
        Ok(())
    }

    fn redirects(&mut self) {
        let upstream = Upstream::start().unwrap();
        let gateway = Gateway::start(&self.plan(&[connection("main", &upstream.url())])).unwrap();
        self.dialled(&gateway, "main").unwrap();
        let inside = format!("http://{}/inside", self.sinkhole.address());
        for (status, location) in [
            (302, inside.as_str()),
            (307, inside.as_str()),
            (308, "file:///etc/passwd"),
            (301, "gopher://127.0.0.1:1/"),
        ] {
            let head =
                format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            upstream.act(
                "echo",
                Arc::new(move |_, _, socket| {
                    socket.write_all(head.as_bytes())?;
                    Ok(Next::Keep)
                }),
            );
            let outcome = (|| {
                let claims = self.issuer.claims(&gateway.url("main"));
                let caller = gateway.caller("main", Some(&self.issuer.token("rsa", &claims)?));
                let reply = caller.send(&caller.call("echo", json!({})))?;
                ensure!(reply.status == 502, "{}: {}", reply.status, reply.text());
                ensure!(!reply.everything().contains(location), "the location came back");
                ensure!(self.heard.load(Ordering::Acquire) == 0, "the redirect was followed");
                Ok(())
            })();
            self.rows.row(7, &format!("{status} to {location}"), outcome);
        }
    }

    /// The gateway's own listeners are like any other address of this machine.
    fn own_ports(&mut self) {
        let outcome = (|| {
            let plan = self.plan(&[connection("main", "http://127.0.0.1:1/mcp")]);
            let mut gateway = Gateway::prepare(&plan)?;
            for address in [gateway.admin, gateway.address] {
                let url = format!("http://{address}/mcp");
                gateway.write_settings(&self.plan(&[Self::guarded("main", &url)]).settings)?;
                let (code, _) = gateway.command(&["check"])?;
                if code == 2 {
                    continue;
                }
                gateway.run()?;
                gateway.wait_ready()?;
                self.undialled(&gateway, "main")?;
                gateway.kill()?;
            }
            Ok(())
        })();
        self.rows.row(9, "admin and public listener", outcome);
    }

    fn keys(&mut self) {
        let port = self.sinkhole.address().port();
        for (row, url) in [
            (1, format!("https://127.0.0.1:{port}/keys")),
            (3, "https://169.254.169.254/keys".to_owned()),
            (10, "file:///etc/passwd".to_owned()),
        ] {
            let outcome = (|| {
                let mut plan = self.plan(&[]);
                plan.settings["issuers"][0]["allow_private"] = json!(false);
                plan.settings["issuers"][0]["jwks_url"] = json!(url);
                let mut gateway = Gateway::prepare(&plan)?;
                let (code, _) = gateway.command(&["check"])?;
                if code == 2 {
                    return Ok(());
                }
                gateway.run()?;
                std::thread::sleep(Duration::from_millis(700));
                gateway.kill()
            })();
            self.rows.row(row, &format!("keys at {url}"), outcome);
        }
        let silent = self.sinkhole.connections();
        self.rows.row(1, "sinkhole, for keys", whether(silent == 0, "something connected to it"));
    }
}

impl Class {
    /// Where callers' tokens are exchanged is dialled by the same rules: they would go there.
    fn token_endpoints(&mut self) {
        let before = self.sinkhole.connections();
        let port = self.sinkhole.address().port();
        let exchanging = |url: &str| {
            let mut connection = connection("main", "http://127.0.0.1:1/mcp");
            connection["upstream"]["http"]["headers"] = json!({});
            connection["upstream"]["http"]["credential"] = json!({ "grant": "token_exchange",
                "client_id": "a", "client_secret": "env:ROWS_CREDENTIAL", "token_endpoint": url });
            connection
        };
        for (row, url) in [
            (1, format!("https://127.0.0.1:{port}/token")),
            (2, "https://10.0.0.1/token".to_owned()),
            (3, "https://169.254.169.254/token".to_owned()),
            (4, "https://[64:ff9b::7f00:1]/token".to_owned()),
            (5, format!("https://localhost:{port}/token")),
            (10, "file:///etc/passwd".to_owned()),
        ] {
            let outcome = (|| {
                let mut gateway = Gateway::prepare(&self.plan(&[exchanging(&url)]))?;
                if gateway.command(&["check"])?.0 == 2 {
                    return Ok(());
                }
                gateway.run()?;
                gateway.wait_ready()?;
                self.unasked(&gateway)
            })();
            self.rows.row(row, &format!("tokens exchanged at {url}"), outcome);
        }
        let silent = self.sinkhole.connections() == before;
        self.rows.row(1, "sinkhole, for tokens", whether(silent, "something connected to it"));
    }

    fn unasked(&self, gateway: &Gateway) -> anyhow::Result<()> {
        let claims = self.issuer.claims(&gateway.url("main"));
        let caller = gateway.caller("main", Some(&self.issuer.token("rsa", &claims)?));
        let reply = caller.send(&caller.modern(&json!(1), "prompts/list", json!({})))?;
        expect_status(&reply, 503)?;
        let events = gateway.records().all()?;
        let noted = events.iter().any(|event| match event {
            lockgate_model::Event::Outcome(outcome) => {
                outcome.reason == Some(Reason::CredentialIssuerForbidden)
            }
            _ => false,
        });
        ensure!(noted, "no outcome says that the address was refused");
        Ok(())
    }
}

fn whether(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    ensure!(holds, otherwise);
    Ok(())
}
