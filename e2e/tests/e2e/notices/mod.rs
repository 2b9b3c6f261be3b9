//! Telling reviewers: a web server learns of every question, signed, also after it was down, and of
//! nothing that the question is about. Beside it Slack and mail, each on its own.

mod clicks;
mod three;

use std::{
    io::Write as _,
    net::TcpStream,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lockgate_e2e::{
    mcp::Caller,
    rig::{Heard, Next, Server},
    room::Room,
    say,
};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const CANARY: &str = "zanzibar4711";
const HELD: &str = r#"
@approvers("idp/reviewers") @reason("writes are held")
forbid (principal, action == Action::"main/any", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;

struct Receiver {
    heard: Arc<Mutex<Vec<Heard>>>,
    down: Arc<AtomicBool>,
    server: Server,
}

impl Receiver {
    fn start() -> anyhow::Result<Self> {
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let down = Arc::<AtomicBool>::default();
        let (keeps, is_down) = (Arc::clone(&heard), Arc::clone(&down));
        let handler = move |request: &Heard, socket: &mut TcpStream| {
            let status = if is_down.load(Ordering::Acquire) { "503 Down" } else { "204 Heard" };
            if status.starts_with("204") {
                keeps.lock().unwrap().push(request.clone());
            }
            write!(socket, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n")?;
            Ok(Next::Keep)
        };
        Ok(Self { heard, down, server: Server::start(Arc::new(handler))? })
    }

    /// Waits until so many messages were taken.
    fn wait(&self, count: usize) -> anyhow::Result<Vec<Heard>> {
        let begun = Instant::now();
        loop {
            let heard = self.heard.lock().unwrap().clone();
            if heard.len() >= count {
                return Ok(heard);
            }
            ensure!(begun.elapsed() < Duration::from_secs(10), "{} of {count} came", heard.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn ask(caller: &Caller, number: u32) -> anyhow::Result<()> {
    let call = caller.call("any", json!({ "number": number, "text": CANARY }));
    let text = caller.send(&call)?.text();
    ensure!(text.contains("input_required"), "{text}");
    Ok(())
}

/// What was told, if it is signed as it should be and names nothing of the call's content.
fn told(heard: &Heard) -> anyhow::Result<Value> {
    let header = |name| heard.header(name).with_context(|| format!("no {name}"));
    let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
    let body = std::str::from_utf8(&heard.body)?;
    let key = BASE64_STANDARD.decode(SECRET.trim_start_matches("whsec_"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let tag = header("webhook-signature")?.strip_prefix("v1,").context("its scheme")?;
    let tag = BASE64_STANDARD.decode(tag)?;
    hmac::verify(&key, format!("{id}.{time}.{body}").as_bytes(), &tag).context("the signature")?;
    ensure!(!body.contains(CANARY), "it tells what is asked about: {body}");
    let body: Value = serde_json::from_str(body)?;
    ensure!(body["data"]["approval"] == id, "{body}");
    ensure!(body["type"] == "approval.asked" && body["data"]["target"] == "any", "{body}");
    ensure!(body["data"]["reason"] == "writes are held", "{body}");
    Ok(body)
}

fn part(room: &Room) -> anyhow::Result<Value> {
    let (_, body) = room.gateway.ready()?;
    let body: Value = serde_json::from_str(&body)?;
    let parts = body["parts"].as_array().context("parts")?;
    let part = parts.iter().find(|part| part["name"] == "webhook inbox");
    part.cloned().context("its part")
}

/// Until the file at `note` names every one of `ids`.
fn wait_noted(note: &Path, ids: &[Value]) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let text = std::fs::read_to_string(note).unwrap_or_default();
        if ids.iter().all(|id| id.as_str().is_some_and(|id| text.contains(id))) {
            return Ok(());
        }
        ensure!(begun.elapsed() < Duration::from_secs(10), "{text} lacks some of {ids:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_web_server_learns_of_every_question_and_of_nothing_in_it() {
    let receiver = Receiver::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let room = Room::start_with(|plan, _, _| {
        plan.policies.push_str(HELD);
        plan.settings["approvals"] = json!({
            "hold_max_ms": 100, "url": "https://review.example/approvals/",
            "webhooks": [{ "name": "inbox", "url": format!("http://{}/questions", receiver.server.address()),
                "allow_cleartext": true, "secret": format!("file:{}", secret.display()) }],
        });
    });
    let mut room = room.unwrap();
    let alice = room.alice().unwrap();
    ask(&alice, 1).unwrap();
    ask(&alice, 1).unwrap();
    let first = told(&receiver.wait(1).unwrap()[0]).unwrap();
    let url = first["data"]["url"].as_str().unwrap();
    assert!(url.starts_with("https://review.example/approvals/a"), "{url}");
    assert_eq!(part(&room).unwrap()["state"], "ok");

    // It is down: it shows, calls go on, and it hears of what it missed.
    receiver.down.store(true, Ordering::Release);
    ask(&alice, 2).unwrap();
    let begun = Instant::now();
    while part(&room).unwrap()["state"] != "degraded" {
        assert!(begun.elapsed() < Duration::from_secs(5), "{}", part(&room).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    ask(&alice, 3).unwrap();
    receiver.down.store(false, Ordering::Release);
    let heard = receiver.wait(3).unwrap();
    let ids: Vec<_> =
        heard.iter().map(|one| told(one).unwrap()["data"]["approval"].clone()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "each once, in order: {ids:?}");

    // After a crash nothing is told again that was noted as told, and what is new is told. (A crash
    // between the receiver's answer and the note tells once more, under the same id.)
    let note = room.gateway.data().join("channels/webhook-inbox.json");
    wait_noted(&note, &ids).unwrap();
    room.gateway.kill().unwrap();
    room.gateway.run().unwrap();
    room.gateway.wait_ready().unwrap();
    ask(&room.alice().unwrap(), 4).unwrap();
    let after = receiver.wait(4).unwrap();
    assert_eq!(after.len(), 4);
    assert!(!ids.contains(&told(&after[3]).unwrap()["data"]["approval"]));
    // Where the note of it is lost, what is open is told again, under the same ids.
    room.gateway.kill().unwrap();
    std::fs::remove_file(&note).unwrap();
    room.gateway.run().unwrap();
    room.gateway.wait_ready().unwrap();
    let again = receiver.wait(8).unwrap();
    let again: Vec<_> =
        again[4..7].iter().map(|one| told(one).unwrap()["data"]["approval"].clone()).collect();
    assert_eq!(again, ids);
    say("approvals: a web server heard of 4 questions, once down, and of none twice after a crash");
}
