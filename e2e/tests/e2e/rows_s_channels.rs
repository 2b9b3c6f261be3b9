//! Class S for receivers that an operator names: where questions are told. They may be in the
//! operator's own networks, so private addresses are dialled; what is link-local or reserved is not,
//! nothing goes in the clear unasked, and no receiver leads elsewhere or holds anything up.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::Gateway,
    rig::{Heard, Next, Server},
    room::{POLICIES, Room},
    rows::Rows,
};
use serde_json::{Value, json};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const HELD: &str = r#"
@approvers("idp/reviewers")
forbid (principal, action == Action::"main/any", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;
/// Rows with URLs at which nobody is told anything.
const URLS: &[(u32, &str)] = &[
    (1, "https://0.0.0.0/"),
    (1, "https://[::ffff:127.0.0.1]/"),
    (2, "https://255.255.255.255/"),
    (2, "https://224.0.0.1/"),
    (3, "https://169.254.169.254/latest/meta-data"),
    (3, "https://0xa9fea9fe/"),
    (3, "https://168.63.129.16/"),
    (3, "https://[fd00:ec2::254]/"),
    (4, "https://[fe80::1]/"),
    (4, "https://[64:ff9b::a9fe:a9fe]/"),
    (8, "https://ann@inbox.example.com/"),
    (8, "https://inbox.example.com:secret@inside.example.com/"),
    (10, "http://inbox.example.com/"),
    (10, "ftp://inbox.example.com/"),
    (10, "file:///etc/passwd"),
    (10, "data:text/plain,x"),
];
const TWINS: &[(u32, &str)] = &[
    (1, "https://127.0.0.1:8443/"),
    (2, "https://10.1.2.3/questions"),
    (8, "https://inbox.example.com/?to=ann@example.com"),
];

/// Every receiver with its name.
type Receivers = Vec<(&'static str, Server)>;

/// Enters every case.
pub(crate) fn channels(rows: &mut Rows) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("secret"), SECRET).unwrap();
    let secret = format!("file:{}/secret", folder.path().display());
    let hook = |name: &str, url: &str| json!({ "name": name, "url": url, "secret": secret });
    let mut room = Room::start().unwrap();
    for (row, url) in URLS {
        let outcome = checked(&mut room.gateway, &room.settings, hook("one", url), 2);
        rows.row(*row, &format!("told at {url}"), outcome);
    }
    for (row, url) in TWINS {
        let outcome = checked(&mut room.gateway, &room.settings, hook("one", url), 0);
        rows.twin(*row, &format!("told at {url}"), outcome);
    }
    drop(room);
    let inside = Arc::new(AtomicU64::new(0));
    let sinkhole = sinkhole(&inside).unwrap();
    let flood = Arc::new(AtomicU64::new(0));
    let receivers = receivers(sinkhole.address().port(), &flood).unwrap();
    let room = Room::start_with(|plan, _, _| {
        plan.policies = format!("{POLICIES}{HELD}");
        let hooks = receivers.iter().map(|(name, server)| {
            let mut hook = hook(name, &format!("http://{}/", server.address()));
            hook["allow_cleartext"] = true.into();
            hook
        });
        plan.settings["approvals"] =
            json!({ "hold_max_ms": 100, "webhooks": hooks.collect::<Vec<_>>() });
    });
    let room = room.unwrap();
    let alice = room.alice().unwrap();
    let (begun, asks) = (Instant::now(), || alice.send(&alice.call("any", json!({}))).unwrap());
    // Where people are asked is opened beside the calls, soon after the start.
    while !asks().text().contains("input_required") {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", asks().text());
        std::thread::sleep(Duration::from_millis(50));
    }
    for name in ["found", "temporary", "permanent", "local"] {
        let outcome = state(&room, name, "degraded").and_then(|detail| {
            ensure!(detail.contains("redirects are not followed"), "{detail}");
            ensure!(!detail.contains("inside"), "it names the place: {detail}");
            Ok(())
        });
        rows.row(7, &format!("a receiver's redirect: {name}"), outcome);
    }
    let followed = inside.load(Ordering::Acquire) + sinkhole.connections();
    let outcome = (followed == 0).then_some(()).context("a redirect was followed");
    rows.row(7, "where redirects lead", outcome);
    let outcome = state(&room, "plain", "ok").map(drop);
    rows.twin(7, "a receiver beside them", outcome);
    rows.row(7, "an answer without end", cut(&flood));
}

/// What `lockgate check` says of one receiver.
fn checked(
    gateway: &mut Gateway,
    settings: &Value,
    hook: Value,
    expected: i32,
) -> anyhow::Result<()> {
    let mut settings = settings.clone();
    settings["approvals"] = json!({ "webhooks": [hook] });
    gateway.write_settings(&settings)?;
    let (code, said) = gateway.command(&["check"])?;
    ensure!(code == expected, "exit {code}: {said}");
    Ok(())
}

fn sinkhole(count: &Arc<AtomicU64>) -> anyhow::Result<Server> {
    let count = Arc::clone(count);
    Ok(Server::start(Arc::new(move |_: &Heard, _: &mut TcpStream| {
        count.fetch_add(1, Ordering::AcqRel);
        Ok(Next::Close)
    }))?)
}

/// Receivers that lead elsewhere, one that talks without end, and one as it should be.
fn receivers(inside: u16, flood: &Arc<AtomicU64>) -> anyhow::Result<Receivers> {
    let mut receivers = Vec::new();
    for (name, status, place) in [
        ("found", "302 X", format!("http://127.0.0.1:{inside}/inside")),
        ("temporary", "307 X", format!("http://127.0.0.1:{inside}/inside")),
        ("permanent", "308 X", "http://169.254.169.254/inside".to_owned()),
        ("local", "301 X", "file:///inside".to_owned()),
    ] {
        let head = format!("HTTP/1.1 {status}\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
        receivers.push((name, speaking(head, None)?));
    }
    receivers.push(("plain", speaking("HTTP/1.1 204 X\r\n\r\n".to_owned(), None)?));
    let head = "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    receivers.push(("flood", speaking(head, Some(Arc::clone(flood)))?));
    Ok(receivers)
}

/// Answers so, and then goes on as long as it is listened to.
fn speaking(head: String, flood: Option<Arc<AtomicU64>>) -> anyhow::Result<Server> {
    let handler = move |_: &Heard, socket: &mut TcpStream| {
        socket.write_all(head.as_bytes())?;
        let Some(flood) = &flood else { return Ok(Next::Keep) };
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        socket.set_write_timeout(Some(Duration::from_secs(30)))?;
        while socket.write_all(chunk.as_bytes()).is_ok() {
            flood.fetch_add(0x1000, Ordering::AcqRel);
        }
        flood.fetch_add(1, Ordering::AcqRel);
        Ok(Next::Close)
    };
    Ok(Server::start(Arc::new(handler))?)
}

/// The state of a channel in `/readyz`, once it is this one, with its detail.
fn state(room: &Room, name: &str, wanted: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let body: Value = serde_json::from_str(&room.gateway.ready()?.1)?;
        let parts = body["parts"].as_array().context("parts")?;
        let part = parts.iter().find(|part| part["name"] == format!("webhook {name}"));
        let part = part.context("its part")?;
        if part["state"] == wanted {
            return Ok(part["detail"].as_str().context("its detail")?.to_owned());
        }
        ensure!(begun.elapsed() < Duration::from_secs(10), "{part}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The receiver could not go on for long.
fn cut(flood: &AtomicU64) -> anyhow::Result<()> {
    let begun = Instant::now();
    // An odd number says that it ended.
    while flood.load(Ordering::Acquire).is_multiple_of(2) {
        ensure!(begun.elapsed() < Duration::from_secs(10), "it is still listened to");
        std::thread::sleep(Duration::from_millis(20));
    }
    let bytes = flood.load(Ordering::Acquire);
    // What sockets hold by themselves is more than what is read.
    ensure!(bytes < 32 * 1024 * 1024, "{bytes} bytes were taken");
    Ok(())
}
