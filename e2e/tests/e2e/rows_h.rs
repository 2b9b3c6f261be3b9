//! Class H: HTTP/1.1 as it should not be, from clients and from upstreams.

use std::{
    io::Write as _,
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    room::{Refused, Room},
    rows::Rows,
    wire::{Request, Wire, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::json;

mod framing;
mod headers;
mod upstream;

const MALFORMED: &[Reason] = &[Reason::HttpMalformed];

struct Class {
    rows: Rows,
    room: Room,
}

#[test]
fn class_h() {
    let room = Room::start_with(|plan, _, _| {
        let settings = &mut plan.settings;
        settings["limits"] = json!({
            "header_wait_max_ms": 2000, "body_wait_max_ms": 2000, "idle_max_ms": 3000,
            "connections_max": 1500, "answer_wait_max_ms": 2500,
        });
        settings["connections"][0]["limits"] = json!({ "request_max_bytes": 65_536, "answer_max_bytes": 1_048_576,
                "answer_wait_max_ms": 2500 });
        settings["connections"][0]["allowed_origins"] = json!(["https://ide.example"]);
        let mut modern = settings["connections"][0].clone();
        modern["name"] = json!("modern");
        modern["era"] = json!("modern");
        settings["connections"].as_array_mut().unwrap().push(modern);
    });
    let mut class = Class { rows: Rows::new("H"), room: room.unwrap() };
    class.framing();
    class.chunk_sizes();
    class.heads();
    class.hosts();
    class.methods();
    class.targets();
    class.sizes();
    class.slowness();
    class.browsers();
    class.identity_headers();
    class.strange_headers();
    class.media_types();
    class.upstream_attacks();
    class.rows.finish();
}

impl Class {
    fn call(&self) -> Request {
        self.room.alice().unwrap().call("echo", json!({ "text": "row" }))
    }

    fn refused(&mut self, row: u32, case: &str, bytes: &[u8], status: u16, reasons: &[Reason]) {
        let expected = Refused { status, code: None, reasons };
        let outcome = self.room.refuses_bytes(bytes, &expected).map(drop);
        self.rows.row(row, case, outcome);
    }

    /// Framing in doubt: refused, closed, and a second request on the connection never read.
    fn doubted(&mut self, row: u32, case: &str, bytes: &[u8]) {
        let outcome = (|| {
            self.room.forget()?;
            let mut wire = Wire::open(self.room.gateway.address)?;
            let second = self.call().bytes();
            wire.send(&[bytes, &second].concat());
            let reply = wire.reply()?;
            expect_status(&reply, 400)?;
            ensure!(wire.is_closed_within(Duration::from_secs(5)), "the connection stays open");
            self.room.nothing_forwarded()?;
            self.room.one_decision(Some(MALFORMED)).map(drop)
        })();
        self.rows.row(row, case, outcome);
    }

    fn twin(&mut self, row: u32, case: &str, bytes: &[u8]) {
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, bytes)?;
            expect_status(&reply, 200)?;
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
            self.room.one_decision(None).map(drop)
        })();
        self.rows.twin(row, case, outcome);
    }

    fn foreign(&mut self, row: u32, case: &str, bytes: &[u8]) {
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, bytes)?;
            ensure!(matches!(reply.status, 400 | 403 | 421), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            let reasons = &[Reason::HostForeign, Reason::HttpMalformed];
            self.room.one_decision(Some(reasons)).map(drop)
        })();
        self.rows.row(row, case, outcome);
    }

    fn targets(&mut self) {
        for path in [
            "//c/main/mcp",
            "/c/main/mcp/..;/admin",
            "/c/main/%6dcp",
            "/c/main/mcp%00",
            "/c/main/%2e%2e/main/mcp",
            "/c/main/../main/mcp",
            "/c/./main/mcp",
            "/c/main/mcp/",
            "/C/main/mcp",
            "/c/nowhere/mcp",
            "/metrics",
            "/readyz",
        ] {
            let mut request = self.call();
            request.target = path.to_owned();
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                ensure!(matches!(reply.status, 400 | 404), "status {}", reply.status);
                self.room.nothing_forwarded()?;
                let reasons = &[Reason::ConnectionUnknown, Reason::HttpMalformed];
                self.room.one_decision(Some(reasons)).map(drop)
            })();
            self.rows.row(12, path, outcome);
        }
        let mut long = self.call();
        long.target = format!("{}?{}", long.target, "x".repeat(64 * 1024));
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &long.bytes())?;
            ensure!(matches!(reply.status, 414 | 431), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            let reasons = &[Reason::UriTooLong, Reason::HeadersTooLarge];
            self.room.one_decision(Some(reasons)).map(drop)
        })();
        self.rows.row(14, "64 kB target", outcome);
    }

    fn sizes(&mut self) {
        let large = &[Reason::HeadersTooLarge];
        let mut many = self.call();
        for number in 0..100 {
            many = many.header(&format!("X-{number}"), "y");
        }
        self.refused(13, "more than 100 headers", &many.bytes(), 431, large);
        let wide = self.call().header("X-A", &"y".repeat(64 * 1024));
        self.refused(13, "64 kB header", &wide.bytes(), 431, large);
        let mut total = self.call();
        for number in 0..16 {
            total = total.header(&format!("X-{number}"), &"y".repeat(4 * 1024));
        }
        self.refused(13, "64 kB of headers", &total.bytes(), 431, large);
        let mut some = self.call();
        for number in 0..60 {
            some = some.header(&format!("X-{number}"), "y");
        }
        self.twin(13, "60 headers", &some.bytes());
        let head = self.call();
        let mut announced = head.clone().header("Content-Length", "10000000");
        announced.body = Vec::new();
        self.refused(
            15,
            "by Content-Length, at once",
            &announced.bytes(),
            413,
            &[Reason::BodyTooLarge],
        );
        let chunk = format!("4000\r\n{}\r\n", "a".repeat(0x4000)).repeat(6);
        let mut streamed = head.header("Transfer-Encoding", "chunked");
        streamed.body = chunk.into_bytes();
        self.refused(
            15,
            "by chunks, at the limit",
            &streamed.bytes(),
            413,
            &[Reason::BodyTooLarge],
        );
        let near = self.room.alice().unwrap().call("echo", json!({ "text": "a".repeat(60_000) }));
        self.twin(15, "below the limit", &near.bytes());
    }

    fn slowness(&mut self) {
        let bytes = self.call().bytes();
        let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let outcome = self.trickle(&bytes[..head_end], 1);
        self.rows.row(16, "header at one byte in 200 ms", outcome);
        let outcome = self.trickle(&bytes, head_end + 5);
        self.rows.row(17, "body at one byte in 200 ms", outcome);
        let outcome = self.idlers();
        self.rows.row(18, "1,000 idle connections", outcome);
        let outcome = (|| {
            let mut wire = Wire::open(self.room.gateway.address)?;
            let one = self.call().bytes();
            wire.send(&one.repeat(100));
            let mut served = 0;
            while served < 100 {
                let Ok(reply) = wire.reply() else { break };
                expect_status(&reply, 200)?;
                served += 1;
            }
            ensure!(served == 100, "{served} of 100 served");
            Ok(())
        })();
        self.rows.twin(19, "100 pipelined requests", outcome);
        let mut expecting = self.call().header("Expect", "100-continue").bytes();
        expecting.truncate(expecting.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4);
        let outcome = (|| {
            self.room.forget()?;
            let mut wire = Wire::open(self.room.gateway.address)?;
            let begun = Instant::now();
            wire.send(&expecting);
            // A status for the timeout, or just the end of the connection.
            let _ = wire.head();
            ensure!(begun.elapsed() < Duration::from_secs(8), "the slot is still held");
            self.room.nothing_forwarded()
        })();
        self.rows.row(20, "Expect without a body", outcome);
    }

    /// Sends the first bytes at once and the rest one at a time; the connection must end in time.
    fn trickle(&mut self, bytes: &[u8], at_once: usize) -> anyhow::Result<()> {
        self.room.forget()?;
        let mut socket = TcpStream::connect(self.room.gateway.address)?;
        socket.set_read_timeout(Some(Duration::from_millis(200)))?;
        let begun = Instant::now();
        socket.write_all(&bytes[..at_once])?;
        for byte in &bytes[at_once..] {
            let ended = match std::io::Read::read(&mut socket, &mut [0; 1024]) {
                Ok(_) => true,
                Err(fault) => fault.kind() == std::io::ErrorKind::ConnectionReset,
            };
            if ended || socket.write_all(&[*byte]).is_err() {
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(8), "still read after 8 s");
        }
        self.room.nothing_forwarded()
    }

    fn idlers(&mut self) -> anyhow::Result<()> {
        let idle: Vec<_> = (0..1000)
            .map(|_| TcpStream::connect(self.room.gateway.address))
            .collect::<Result<_, _>>()?;
        let request = self.call();
        self.room.passes(&request)?;
        let begun = Instant::now();
        let mut first = idle.first().unwrap();
        first.set_read_timeout(Some(Duration::from_secs(10)))?;
        let closed = std::io::Read::read(&mut first, &mut [0; 1024]);
        ensure!(closed.is_ok(), "an idle connection is still open after {:?}", begun.elapsed());
        Ok(())
    }
}
