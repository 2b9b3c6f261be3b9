//! A stand-in for Slack: its Web API as published, for the four methods that a channel uses, and
//! requests of its interactivity, signed as "Verifying requests from Slack" has it.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use aws_lc_rs::hmac;
use serde_json::{Value, json};

use super::{Heard, Next, Server, now_s};
use crate::wire::{Reply, Request, exchange};

/// The app's bot token.
pub const TOKEN: &str = "xoxb-4711-zanzibar-token";
/// The app's signing secret.
pub const SIGNING: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The workspace.
pub const TEAM: &str = "T0123ABCD";
/// The channel.
pub const CHANNEL: &str = "C0123ABCD";

/// One call of the Web API.
#[derive(Clone, Debug)]
pub struct Said {
    /// The method, as in `chat.postMessage`.
    pub method: String,
    /// Its arguments.
    pub body: Value,
}

/// The stand-in.
pub struct SlackApi {
    server: Server,
    said: Arc<Mutex<Vec<Said>>>,
    /// What is answered instead, one for each call: raw bytes.
    instead: Arc<Mutex<Vec<String>>>,
}

impl SlackApi {
    /// Starts it.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start() -> anyhow::Result<Self> {
        let (said, instead) =
            (Arc::<Mutex<Vec<Said>>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (kept, other) = (Arc::clone(&said), Arc::clone(&instead));
        let handler = move |heard: &Heard, socket: &mut TcpStream| {
            let next = other.lock().ok().and_then(|mut instead| instead.pop());
            if let Some(answer) = next {
                socket.write_all(answer.as_bytes())?;
                return Ok(Next::Keep);
            }
            let answer = answer(heard, &kept).to_string();
            write!(
                socket,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            )?;
            Ok(Next::Keep)
        };
        Ok(Self { server: Server::start(Arc::new(handler))?, said, instead })
    }

    /// Settings of a channel here, its secrets in files of `folder`.
    ///
    /// # Errors
    /// Where these can't be written.
    pub fn settings(&self, folder: &std::path::Path, people: &Value) -> anyhow::Result<Value> {
        std::fs::write(folder.join("token"), TOKEN)?;
        std::fs::write(folder.join("signing"), SIGNING)?;
        let file = |name| format!("file:{}", folder.join(name).display());
        Ok(json!({
            "name": "ops", "team": TEAM, "channel": CHANNEL, "people": people,
            "token": file("token"), "signing_secret": file("signing"),
            "api": format!("http://{}/api", self.server.address()), "allow_cleartext": true,
        }))
    }

    /// Answers the next call with these bytes.
    pub fn answer_next(&self, bytes: &str) {
        if let Ok(mut instead) = self.instead.lock() {
            instead.insert(0, bytes.to_owned());
        }
    }

    /// Every call so far, in order.
    pub fn said(&self) -> Vec<Said> {
        self.said.lock().map(|said| said.clone()).unwrap_or_default()
    }

    /// Waits until a method was called so often, and gives its calls.
    ///
    /// # Errors
    /// Where that takes longer than ten seconds.
    pub fn wait(&self, method: &str, count: usize) -> anyhow::Result<Vec<Value>> {
        let begun = Instant::now();
        loop {
            let said = self.said().into_iter().filter(|one| one.method == method);
            let said: Vec<_> = said.map(|one| one.body).collect();
            if said.len() >= count {
                return Ok(said);
            }
            let all = self.said();
            ensure!(begun.elapsed() < Duration::from_secs(10), "{method} {count}: {all:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn answer(heard: &Heard, kept: &Mutex<Vec<Said>>) -> Value {
    let method = heard.target.trim_start_matches("/api/").to_owned();
    let bearer = format!("Bearer {TOKEN}");
    if heard.method != "POST" || heard.header("authorization") != Some(&bearer) {
        return json!({ "ok": false, "error": "invalid_auth" });
    }
    let Ok(body) = serde_json::from_slice::<Value>(&heard.body) else {
        return json!({ "ok": false, "error": "invalid_json" });
    };
    let Ok(mut kept) = kept.lock() else { return json!({ "ok": false, "error": "fatal_error" }) };
    let answer = match &*method {
        "chat.postMessage" if body["channel"] == CHANNEL => {
            json!({ "ok": true, "channel": CHANNEL, "ts": format!("1700000000.{:06}", kept.len()) })
        }
        "chat.update" if body["ts"].is_string() => json!({ "ok": true, "ts": body["ts"] }),
        "chat.postEphemeral" if body["user"].is_string() => {
            json!({ "ok": true, "message_ts": "1.1" })
        }
        "views.open" if body["trigger_id"].is_string() => json!({ "ok": true }),
        _ => json!({ "ok": false, "error": "unknown_method" }),
    };
    kept.push(Said { method, body });
    answer
}

/// A click on a button of a message, no two of them the same.
pub fn click(member: &str, action: &str, value: &str) -> Value {
    static CLICKS: AtomicU64 = AtomicU64::new(0);
    let number = CLICKS.fetch_add(1, Ordering::Relaxed);
    json!({
        "type": "block_actions", "trigger_id": "13345224609.738474920", "api_app_id": "A1",
        "team": { "id": TEAM, "domain": "example" },
        "user": { "id": member, "username": "someone", "team_id": TEAM },
        "container": { "type": "message", "channel_id": CHANNEL }, "channel": { "id": CHANNEL },
        "actions": [{ "type": "button", "block_id": "lockgate", "action_id": action, "value": value,
            "action_ts": format!("1700000000.{number:06}") }],
    })
}

/// A request of the interactivity, as its body.
pub fn form(payload: &Value) -> String {
    let mut body = String::from("payload=");
    for byte in payload.to_string().bytes() {
        body.push_str(&format!("%{byte:02X}"));
    }
    body
}

/// The signature over a time and a body.
pub fn sign(secret: &str, time: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("v0:{time}:{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v0={hex}")
}

/// Posts a form to the gateway with this time and signature.
///
/// # Errors
/// Where there is no answer.
pub fn post(api: SocketAddr, time: &str, signature: &str, body: &str) -> anyhow::Result<Reply> {
    let request = Request::new("POST", "/slack/actions", body.as_bytes().to_vec())
        .header("Host", &api.to_string())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-Slack-Request-Timestamp", time)
        .header("X-Slack-Signature", signature);
    exchange(api, &request.bytes())
}

/// Posts a payload as Slack does.
///
/// # Errors
/// Where it is not taken, or not within three seconds.
pub fn send(api: SocketAddr, payload: &Value) -> anyhow::Result<()> {
    let (time, body, begun) = (now_s().to_string(), form(payload), Instant::now());
    let reply = post(api, &time, &sign(SIGNING, &time, &body), &body)?;
    ensure!(reply.status == 200 && reply.body.is_empty(), "{}: {}", reply.status, reply.text());
    ensure!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
    Ok(())
}
