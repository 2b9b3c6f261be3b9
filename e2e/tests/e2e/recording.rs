//! The recording through the real binary: looked at over the admin API and beside a running gateway,
//! found in PostgreSQL, shipped, retired, and delivered.

mod api;
mod kept;
mod registry;

use std::{
    fs,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::{Gateway, Plan, free_address},
    issuer::Issuer,
    mcp::{Caller, LEGACY},
    rig::Upstream,
    room::{connection, wait_for_tools},
    wire::{Reply, Request, Wire, exchange, expect_status},
};
use lockgate_model::{Event, KeptChange};
use serde_json::{Value, json};

/// The audience of the admin API's tokens: no connection's.
const AUDIENCE: &str = "https://lockgate.test/admin";
/// How long something may take that happens beside the calls.
const SOON: Duration = Duration::from_secs(20);

const POLICIES: &str = r#"
permit (principal in Group::"idp/staff", action in Action::"call_tool", resource);
"#;

/// A gateway whose recording can be looked at, with a real provider and a server around it.
struct House {
    issuer: Issuer,
    _upstream: Upstream,
    gateway: Gateway,
    settings: Value,
    api: SocketAddr,
}

/// Somebody at the admin API; remembers what of it must be on the record.
struct Visitor<'a> {
    address: SocketAddr,
    name: &'static str,
    token: String,
    looks: &'a Looks,
}

/// Who looked or changed something, how, and at which session, in order.
#[derive(Default)]
struct Looks(Mutex<Vec<Look>>);

type Look = (String, String, Option<String>);

impl House {
    /// `change` completes the settings; what needs the gateway's folder finds it there.
    fn start(change: impl FnOnce(&Gateway, &mut Value)) -> anyhow::Result<Self> {
        let (issuer, upstream) = (Issuer::start()?, Upstream::start()?);
        let api = free_address()?;
        let mut settings = json!({
            "node": "gate-1",
            "issuers": [{ "name": "idp", "issuer": issuer.url(), "allow_private": true,
                "token_types": ["at+jwt"], "groups_required": true }],
            "connections": [connection("main", &upstream.url())],
            "admin_api": { "address": api.to_string(), "issuers": ["idp"], "audience": AUDIENCE,
                "roles": { "admin": ["idp/platform"], "auditor": ["idp/audit"] } },
        });
        let plan =
            Plan { settings: settings.clone(), policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::prepare(&plan)?;
        change(&gateway, &mut settings);
        gateway.write_settings(&settings)?;
        let mut house = Self { issuer, _upstream: upstream, gateway, settings, api };
        house.gateway.run()?;
        house.up()?;
        Ok(house)
    }

    /// Waits until calls are served.
    fn up(&mut self) -> anyhow::Result<()> {
        self.gateway.wait_ready()?;
        wait_for_tools(&self.engineer()?)
    }

    /// Ends it as an operator does, and starts it again: a segment and every session are closed.
    fn restart(&mut self) -> anyhow::Result<()> {
        self.gateway.signal(rustix::process::Signal::TERM)?;
        let code = self.gateway.wait_end(SOON)?;
        ensure!(code == Some(0), "it ended with {code:?}: {}", self.gateway.log());
        self.gateway.run()?;
        self.up()
    }

    fn engineer(&self) -> anyhow::Result<Caller> {
        let token = self.issuer.token("engineer", &self.gateway.url("main"))?;
        Ok(self.gateway.caller("main", Some(&token)))
    }

    fn visitor<'a>(&self, name: &'static str, looks: &'a Looks) -> anyhow::Result<Visitor<'a>> {
        let token = self.issuer.token(name, AUDIENCE)?;
        Ok(Visitor { address: self.api, name, token, looks })
    }

    /// A command of the binary that must end with this code; gives what it said.
    fn says(&self, code: i32, arguments: &[&str]) -> anyhow::Result<String> {
        let (ended, said) = self.gateway.command(arguments)?;
        ensure!(ended == code, "{arguments:?} ended with {ended} instead of {code}: {said}");
        Ok(said)
    }

    /// Every look and change in the journal, in order.
    fn looks(&self) -> anyhow::Result<Vec<Look>> {
        let events = self.gateway.records().all()?;
        Ok(events.into_iter().filter_map(look).collect())
    }

    /// The sessions of tool calls, oldest first.
    fn sessions(&self) -> anyhow::Result<Vec<String>> {
        let mut sessions = Vec::new();
        for event in self.gateway.records().all()? {
            if let Event::Opened(opened) = event {
                sessions.push(opened.session);
            }
        }
        Ok(sessions)
    }
}

impl Visitor<'_> {
    /// Asks for what is no look: the head, or what is refused before anything is shown.
    fn get(&self, path: &str) -> anyhow::Result<Reply> {
        exchange(self.address, &self.request("GET", path, "").bytes())
    }

    /// Looks, which must be on the record whatever comes of it.
    fn look(&self, how: &str, session: Option<&str>, path: &str) -> anyhow::Result<Reply> {
        self.looks.add(&format!("idp/{}", self.name), how, session);
        self.get(path)
    }

    /// Looks, and must be shown something.
    fn see(&self, how: &str, session: Option<&str>, path: &str) -> anyhow::Result<Value> {
        let reply = self.look(how, session, path)?;
        expect_status(&reply, 200)?;
        reply.json()
    }

    /// Looks for rows until there are as many; the index is a moment behind.
    fn rows(&self, path: &str, count: usize) -> anyhow::Result<Vec<Value>> {
        soon(&format!("{count} rows of {path}"), || {
            let mut found = self.see("search", None, path)?;
            let rows = found["rows"].take();
            let rows = rows.as_array().context("no rows")?.clone();
            Ok((rows.len() == count).then_some(rows))
        })
    }

    /// Asks for a change that must be answered so.
    fn change(&self, session: &str, what: &str, status: u16) -> anyhow::Result<Reply> {
        let body = json!({ "reason": "case 17" }).to_string();
        let request = self.request("POST", &format!("/sessions/{session}/{what}"), &body);
        let reply = exchange(self.address, &request.bytes())?;
        expect_status(&reply, status)?;
        if status == 200 {
            self.looks.add(&format!("idp/{}", self.name), what, Some(session));
        }
        Ok(reply)
    }

    /// Follows a session.
    fn tail(&self, session: &str) -> anyhow::Result<Wire> {
        self.looks.add(&format!("idp/{}", self.name), "tail", Some(session));
        let mut wire = Wire::open(self.address)?;
        wire.send(&self.request("GET", &format!("/sessions/{session}/tail"), "").bytes());
        expect_status(&wire.head()?, 200)?;
        Ok(wire)
    }

    fn request(&self, method: &str, path: &str, body: &str) -> Request {
        Request::new(method, &format!("/api/v1{path}"), body)
            .header("Host", &self.address.to_string())
            .header("Content-Type", "application/json")
            .header("Authorization", &format!("Bearer {}", self.token))
    }
}

impl Looks {
    fn add(&self, by: &str, how: &str, session: Option<&str>) {
        let look = (by.to_owned(), how.to_owned(), session.map(str::to_owned));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(look);
    }

    fn all(&self) -> Vec<Look> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn look(event: Event) -> Option<Look> {
    match event {
        Event::Viewed(viewed) => Some((viewed.by, viewed.how, viewed.viewed)),
        Event::Kept(kept) => {
            let (how, session) = match kept.change {
                KeptChange::Hold { session } => ("hold", Some(session)),
                KeptChange::Release { session } => ("release", Some(session)),
                KeptChange::Erase { session } => ("erase", Some(session)),
                KeptChange::Retire { .. } => ("retire", None),
            };
            Some((kept.by, how.to_owned(), session))
        }
        _ => None,
    }
}

/// A tool call that must be answered; gives the answer as the client saw it.
fn say_it(caller: &Caller, text: &str) -> anyhow::Result<String> {
    let reply = caller.send(&caller.call("echo", json!({ "text": text })))?;
    expect_status(&reply, 200)?;
    ensure!(reply.json()?["result"].is_object(), "{}", reply.text());
    Ok(reply.text())
}

/// A whole legacy session in which this is said, from its opening to its end; gives the answer.
fn say_in_a_session(caller: &Caller, text: &str) -> anyhow::Result<String> {
    let session = caller.initialize(LEGACY)?;
    let params = json!({ "name": "echo", "arguments": { "text": text } });
    let reply = caller.send(&caller.legacy(Some(&session), &json!(2), "tools/call", params))?;
    expect_status(&reply, 200)?;
    ensure!(reply.json()?["result"].is_object(), "{}", reply.text());
    let mut end = caller.legacy(Some(&session), &Value::Null, "none", json!({}));
    end.method = "DELETE".to_owned();
    end.body.clear();
    ensure!(caller.send(&end)?.status < 300, "the session can't be ended");
    Ok(reply.text())
}

/// Waits for what comes soon.
fn soon<T>(what: &str, mut try_it: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(there) = try_it()? {
            return Ok(there);
        }
        ensure!(begun.elapsed() < SOON, "{what}: not in {SOON:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether any file below the folder holds the text in the clear.
fn stands_in_the_clear(folder: &std::path::Path, text: &str) -> anyhow::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = match path.is_dir() {
            true => stands_in_the_clear(&path, text)?,
            false => fs::read(&path)?.windows(text.len()).any(|part| part == text.as_bytes()),
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whoever runs these tests, as records name them.
fn local() -> String {
    let output = std::process::Command::new("id").arg("-un").output();
    let name = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    format!("local:{}", name.unwrap_or_default())
}
