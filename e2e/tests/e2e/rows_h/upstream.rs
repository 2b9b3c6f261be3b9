//! The upstream as the attacker.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    rig::{Act, Next, stream},
    room::no_secret,
    wire::Wire,
};

use super::Class;

impl Class {
    pub(super) fn upstream_attacks(&mut self) {
        for (case, act) in attacks() {
            let outcome = self.attacked(case, act);
            self.rows.row(41, case, outcome);
        }
        self.room.upstream.behave();
        let request = self.call();
        let outcome = self.room.passes(&request).map(drop);
        self.rows.twin(41, "a good answer after all that", outcome);
    }

    /// The client gets a clean refusal or an ended stream; nothing of the trick goes through.
    pub(super) fn attacked(&mut self, case: &str, act: Act) -> anyhow::Result<()> {
        self.room.upstream.behave();
        self.room.upstream.act("echo", act);
        self.room.forget()?;
        let mut wire = Wire::open(self.room.gateway.address)?;
        wire.send(&self.call().bytes());
        let begun = Instant::now();
        let reply = wire.reply()?;
        ensure!(begun.elapsed() < Duration::from_secs(12), "took {:?}", begun.elapsed());
        ensure!(reply.whole, "the answer broke off");
        ensure!(matches!(reply.status, 200 | 502 | 504), "status {}", reply.status);
        let message = reply.json()?;
        ensure!(message["id"] == 1, "no final message: {message}");
        let clean = reply.header("set-cookie").is_none()
            && reply.header("location").is_none()
            && !reply.text().contains("smuggled");
        ensure!(clean, "the trick went through: {}", reply.everything());
        no_secret(&reply)?;
        let seen = self.room.upstream.take_seen();
        ensure!(seen.len() == 1, "{case}: {} tries", seen.len());
        std::thread::sleep(Duration::from_millis(20));
        let events = self.room.records.fresh()?;
        let ended = events.iter().any(|event| matches!(event, lockgate_model::Event::Outcome(_)));
        ensure!(ended, "no outcome recorded");
        Ok(())
    }
}

fn raw(bytes: impl Into<Vec<u8>>) -> Act {
    let bytes = bytes.into();
    Arc::new(move |_, _, socket| {
        socket.write_all(&bytes)?;
        Ok(Next::Close)
    })
}

/// A good answer, which each attack spoils.
const GOOD: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}"#;
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Answers of a few bytes: heads, and whole answers.
fn texts() -> Vec<(&'static str, String)> {
    let length = GOOD.len();
    let with = |line: &str| format!("{HEAD}{line}\r\nContent-Length: {length}\r\n\r\n{GOOD}");
    let plain = |body: &str| format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len());
    let empty = |head: &str| format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n");
    let both = "Content-Length: 5\r\nTransfer-Encoding: chunked";
    vec![
        ("too short a length", format!("{HEAD}Content-Length: 10\r\n\r\n{GOOD}")),
        ("too long a length", format!("{HEAD}Content-Length: 9999\r\n\r\n{GOOD}")),
        ("TE and CL", format!("{HEAD}{both}\r\n\r\n{length:x}\r\n{GOOD}\r\n0\r\n\r\nsmuggled")),
        ("10 MB of headers", with(&format!("X-Big: {}", "y".repeat(10 * 1024 * 1024)))),
        ("status 999", with("X: y").replace("200 OK", "999 X")),
        ("bare CR in a header", with("X-A: b\rSet-Cookie: smuggled=1")),
        ("cookie", with("Set-Cookie: smuggled=1")),
        ("gzip", with("Content-Encoding: gzip")),
        ("redirect to inside", empty("307 X\r\nLocation: http://127.0.0.1:1/smuggled")),
        ("unauthorized", empty("401 X\r\nWWW-Authenticate: Bearer resource_metadata=\"smuggled\"")),
        ("reset in the body", plain(GOOD).split_at(HEAD.len() + 40).0.to_owned()),
        ("stream without an answer", format!("{}5\r\ndata:\r\n", stream::HEAD)),
        ("no HTTP", "smuggled\r\n\r\n".to_owned()),
        ("HTML", plain("smuggled").replace("application/json", "text/html")),
        ("another id", plain(&GOOD.replace("\"id\":1", "\"id\":2"))),
        ("two keys", plain(&GOOD.replace("\"id\":1", "\"id\":1,\"id\":1"))),
    ]
}

fn attacks() -> Vec<(&'static str, Act)> {
    let flood: Act = Arc::new(|_, _, socket| {
        for _ in 0..100_000 {
            socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(Next::Close)
    });
    let endless: Act = Arc::new(|_, _, socket| {
        socket.write_all(format!("{HEAD}\r\n").as_bytes())?;
        loop {
            socket.write_all(&[b' '; 16 * 1024])?;
        }
    });
    let endless_event: Act = Arc::new(|_, _, socket| {
        stream::begin(socket)?;
        loop {
            socket.write_all(format!("4000\r\n{}\r\n", "d".repeat(0x4000)).as_bytes())?;
        }
    });
    let silent: Act = Arc::new(|_, _, _| {
        std::thread::sleep(Duration::from_secs(8));
        Ok(Next::Close)
    });
    let mut attacks = vec![
        ("1xx flood", flood),
        ("endless body", endless),
        ("endless event", endless_event),
        ("never answers", silent),
    ];
    attacks.extend(texts().into_iter().map(|(case, text)| (case, raw(text))));
    attacks
}
