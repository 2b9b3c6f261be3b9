//! Class H: HTTP/1.1 as it should not be, from clients and from upstreams.

use std::{
    io::Write as _,
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::{LEGACY, call_body},
    rig::{Act, Next, chunked_head},
    room::{Refused, Room, no_secret},
    rows::Rows,
    wire::{Request, Wire, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::json;

const MALFORMED: &[Reason] = &[Reason::HttpMalformed];

struct Class {
    rows: Rows,
    room: Room,
}

#[test]
fn class_h() {
    let room = Room::start_with(|settings, _, _| {
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
    class.heads();
    class.targets();
    class.sizes();
    class.slowness();
    class.browsers();
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

    fn framing(&mut self) {
        let call = self.call();
        let length = call.body.len().to_string();
        let with = |lines: &[(&str, &str)], body: &[u8]| {
            let mut request = call.clone();
            request.body = body.to_vec();
            for (name, value) in lines {
                request = request.header(name, value);
            }
            request.bytes()
        };
        let chunked = chunks(&call.body);
        let both = with(&[("Content-Length", &length), ("Transfer-Encoding", "chunked")], &chunked);
        self.doubted(1, "CL and TE", &both);
        let both = with(&[("Transfer-Encoding", "chunked"), ("Content-Length", "4")], &chunked);
        self.doubted(1, "TE and CL", &both);
        let two = [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")];
        self.doubted(2, "TE twice", &with(&two, &chunked));
        let two = [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "identity")];
        self.doubted(2, "chunked, then identity", &with(&two, &chunked));
        for value in te_spellings() {
            let lines =
                [("Content-Length", length.as_str()), ("Transfer-Encoding", value.as_str())];
            self.doubted(3, &value, &with(&lines, &call.body));
        }
        for name in ["Transfer-Encoding ", " Transfer-Encoding", "Transfer_Encoding", "X: y\r\n TE"]
        {
            let lines = [("Content-Length", length.as_str()), (name, "chunked")];
            self.doubted(3, &format!("{name:?}"), &with(&lines, &call.body));
        }
        let good = length.clone();
        for value in
            ["+5", "5,5", "5, 6", "0x5", "5 5", "-1", "18446744073709551616", "", "٥", "5;"]
        {
            self.doubted(4, value, &with(&[("Content-Length", value)], &call.body));
        }
        let two = [("Content-Length", good.as_str()), ("Content-Length", "1")];
        self.doubted(4, "two", &with(&two, &call.body));
        let te = [("Transfer-Encoding", "chunked")];
        let rest = "\r\n0\r\n\r\n";
        for size in ["0x5", "5_0", "+5", "-1", "10000000000000000", "5\n", "5\u{0}", ";", " 5"] {
            let body = format!("{size}\r\nhello{rest}");
            self.doubted(5, &format!("{size:?}"), &with(&te, body.as_bytes()));
        }
        let extension = format!("5;{}\r\nhello{rest}", "x".repeat(16 * 1024));
        self.doubted(5, "16 kB extension", &with(&te, extension.as_bytes()));
        self.twin(5, "honest chunks", &with(&te, &chunked));
        self.twin(3, "TE: trailers", &with(&[te[0], ("TE", "trailers")], &chunked));
        let whole = |size: &str| [size.as_bytes(), b"\r\n", &call.body, b"\r\n0\r\n\r\n"].concat();
        let size = call.body.len();
        for size in [format!("{size:X}"), format!("0000{size:x}"), format!("{size:x};a=b")] {
            self.twin(5, &size, &with(&te, &whole(&size)));
        }
        let single = call.body.iter().flat_map(|byte| [b'1', b'\r', b'\n', *byte, b'\r', b'\n']);
        let single = [single.collect::<Vec<u8>>(), b"0\r\n\r\n".to_vec()].concat();
        self.twin(5, "one byte a chunk", &with(&te, &single));
        let summed = String::from_utf8(chunked.clone()).unwrap();
        let summed = summed.replace("0\r\n\r\n", "0\r\nX-Sum: 1\r\n\r\n");
        self.twin(6, "a harmless trailer", &with(&te, summed.as_bytes()));
        let end = String::from_utf8(chunked.clone()).unwrap();
        let trailer = end.replace(
            "0\r\n\r\n",
            "0\r\nAuthorization: Bearer x\r\nHost: evil\r\nContent-Length: 3\r\n\r\n",
        );
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &with(&te, trailer.as_bytes()))?;
            ensure!(matches!(reply.status, 200 | 400), "status {}", reply.status);
            let seen = self.room.upstream.take_seen();
            let leaked = seen.iter().any(|seen| {
                let head = format!("{:?}", seen.heard.headers);
                head.contains("Bearer x") || head.contains("evil")
            });
            ensure!(!leaked, "the trailer went through");
            Ok(())
        })();
        self.rows.row(6, "trailer fields", outcome);
    }

    fn heads(&mut self) {
        let call = String::from_utf8(self.call().bytes()).unwrap();
        let line = |text: &str| call.replacen("\r\n", &format!("\r\n{text}\r\n"), 1).into_bytes();
        for (case, text) in [
            ("folded line", "X-A: b\r\n c"),
            ("space before colon", "X-A : b"),
            ("bare CR in a value", "X-A: b\rX-B: c"),
            ("bare LF", "X-A: b\nX-B: c"),
            ("NUL in a value", "X-A: b\u{0}c"),
            ("NUL in a name", "X-\u{0}A: b"),
            ("no colon", "X-A"),
            ("empty name", ": b"),
        ] {
            let bytes = line(text);
            if case == "bare LF" {
                // RFC 9112 §2.2 lets a recipient take a bare LF as a line's end; either is sane.
                let reply = exchange(self.room.gateway.address, &bytes);
                let sane = reply.is_ok_and(|reply| matches!(reply.status, 200 | 400));
                self.rows.row(7, case, check(sane));
            } else {
                self.doubted(7, case, &bytes);
            }
        }
        for text in [
            "X-A:b",
            "X-A: \tb \t",
            "X-A:",
            "x-a: b\r\nX-A: c",
            "X-A: \u{e9}",
            "X-!#$%&'*+-.^`|~: b",
        ] {
            self.twin(7, text, &line(text));
        }
        let host = format!("Host: {}", self.room.gateway.address);
        let replace = |by: &str| call.replacen(&host, by, 1).into_bytes();
        self.doubted(8, "no Host", &call.replacen(&format!("{host}\r\n"), "", 1).into_bytes());
        self.doubted(8, "two Hosts", &replace(&format!("{host}\r\n{host}")));
        let odd = &[Reason::HttpMalformed, Reason::HostForeign];
        for value in ["a@127.0.0.1", "127.0.0.1/x", "127.0 .0.1", "", "[::1", "a:b:c"] {
            let bytes = replace(&format!("Host: {value}"));
            let expected = |status| Refused { status, code: None, reasons: odd };
            let outcome = self.room.refuses_bytes(&bytes, &expected(400)).map(drop);
            let outcome =
                outcome.or_else(|_| self.room.refuses_bytes(&bytes, &expected(403)).map(drop));
            let outcome =
                outcome.or_else(|_| self.room.refuses_bytes(&bytes, &expected(421)).map(drop));
            self.rows.row(8, value, outcome);
        }
        let absolute =
            |host: &str| call.replacen("POST /", &format!("POST http://{host}/"), 1).into_bytes();
        self.foreign(9, "absolute form", &absolute("elsewhere.example"));
        self.twin(9, "absolute form", &absolute(&self.room.gateway.address.to_string()));
        self.foreign(22, "rebinding", &replace("Host: 127.0.0.1.attacker.example"));
        self.foreign(22, "other port", &replace("Host: 127.0.0.1:1"));
        for method in ["CONNECT", "TRACE", "PUT", "PATCH", "HEAD", "BREW", "post"] {
            let bytes = call.replacen("POST", method, 1).into_bytes();
            let outcome = (|| {
                self.room.forget()?;
                let mut wire = Wire::open(self.room.gateway.address)?;
                wire.send(&bytes);
                let status = wire.head()?.status;
                ensure!(matches!(status, 400 | 405 | 501), "status {status}");
                self.room.nothing_forwarded()?;
                let reasons = &[Reason::MethodNotAllowed, Reason::HttpMalformed];
                self.room.one_decision(Some(reasons)).map(drop)
            })();
            self.rows.row(10, method, outcome);
        }
        let token = self.room.claims();
        let _ = token;
        for method in ["GET", "DELETE"] {
            let modern = self.room.gateway.caller("modern", None);
            let audience = self.room.issuer.claims(&self.room.gateway.url("modern"));
            let token = self.room.issuer.token("rsa", &audience).unwrap();
            let request = Request::new(method, &modern.path, "")
                .header("Host", &modern.address.to_string())
                .header("Authorization", &format!("Bearer {token}"))
                .header("Accept", "text/event-stream");
            self.refused(11, method, &request.bytes(), 405, &[Reason::MethodNotAllowed]);
        }
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

    fn browsers(&mut self) {
        let origin = &[Reason::OriginForeign];
        for value in
            ["https://evil.example", "null", "https://ide.example.evil", "http://ide.example"]
        {
            let request = self.call().header("Origin", value);
            self.refused(21, value, &request.bytes(), 403, origin);
        }
        let request = self.call().header("Origin", "https://ide.example");
        self.twin(21, "a listed origin", &request.bytes());
        let path = self.call().target;
        for (origin, listed) in [("https://evil.example", false), ("https://ide.example", true)] {
            let preflight = Request::new("OPTIONS", &path, "")
                .header("Host", &self.room.gateway.address.to_string())
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "authorization,content-type");
            let outcome = (|| {
                let reply = exchange(self.room.gateway.address, &preflight.bytes())?;
                let allowed = reply.header("access-control-allow-origin").is_some();
                ensure!(allowed == listed, "{}: {:?}", reply.status, reply.headers);
                self.room.nothing_forwarded()
            })();
            if listed {
                self.rows.twin(23, origin, outcome);
            } else {
                self.rows.row(23, origin, outcome);
            }
        }
    }

    fn strange_headers(&mut self) {
        let dressed = self
            .call()
            .header("X-Forwarded-For", "6.6.6.6")
            .header("X-Forwarded-User", "root")
            .header("X-User", "root")
            .header("X-Gateway-Role", "admin")
            .header("Forwarded", "for=6.6.6.6")
            .header("X-Real-IP", "6.6.6.6")
            .header("Cookie", "a=b")
            .header("Proxy-Authorization", "Basic x");
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &dressed.bytes())?;
            expect_status(&reply, 200)?;
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
            let head = format!("{:?}", seen[0].heard.headers);
            for word in ["6.6.6.6", "root", "admin", "a=b", "Basic x"] {
                ensure!(!head.contains(word), "{word} went through: {head}");
            }
            let ours = seen[0].heard.header("authorization").unwrap_or_default();
            ensure!(ours == lockgate_e2e::rig::CREDENTIAL, "upstream credential {ours:?}");
            let decision = self.room.one_decision(None)?;
            let peer = decision.intent.map(|intent| intent.peer).unwrap_or_default();
            ensure!(peer.starts_with("127.0.0.1"), "recorded peer {peer}");
            Ok(())
        })();
        self.rows.row(24, "identity headers", outcome);
        for value in ["Authorization, Mcp-Name", "mcp-method", "Content-Type, close"] {
            let request = self.call().header("Connection", value);
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                if reply.status == 400 {
                    return self.room.nothing_forwarded();
                }
                expect_status(&reply, 200)?;
                let seen = self.room.upstream.take_seen();
                ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
                ensure!(seen[0].heard.header("mcp-name") == Some("echo"), "Mcp-Name was dropped");
                Ok(())
            })();
            self.rows.row(25, value, outcome);
        }
        for name in ["Mcp_Name", "X_User", "Mcp_Method", "Content_Length"] {
            let request = self.call().header(name, "delete_row");
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                ensure!(matches!(reply.status, 200 | 400), "status {}", reply.status);
                let seen = self.room.upstream.take_seen();
                let twin = name.to_ascii_lowercase();
                let through = seen.iter().any(|seen| seen.heard.header(&twin).is_some());
                ensure!(!through, "{name} went through");
                Ok(())
            })();
            self.rows.row(26, name, outcome);
        }
        for value in ["websocket", "h2c"] {
            let request = self.call().header("Connection", "Upgrade").header("Upgrade", value);
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                ensure!(matches!(reply.status, 200 | 400), "status {}", reply.status);
                let seen = self.room.upstream.take_seen();
                let through = seen.iter().any(|seen| seen.heard.header("upgrade").is_some());
                ensure!(!through, "the upgrade went through");
                Ok(())
            })();
            self.rows.row(27, value, outcome);
        }
    }

    fn media_types(&mut self) {
        let media = &[Reason::MediaType];
        for coding in ["gzip", "br", "deflate", "zstd", "compress"] {
            let request = self.call().header("Content-Encoding", coding);
            self.refused(28, coding, &request.bytes(), 415, media);
        }
        let nested = self.call().header("Content-Encoding", "gzip, gzip");
        self.refused(29, "gzip, gzip", &nested.bytes(), 415, media);
        for kind in ["text/plain", "application/json; charset=utf-16", "application/jsonp", ""] {
            let request = self.call().with("Content-Type", kind);
            self.refused(30, kind, &request.bytes(), 415, media);
        }
        let none = self.call().without("Content-Type");
        self.refused(30, "none", &none.bytes(), 415, media);
        let two = self.call().header("Content-Type", "text/plain");
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &two.bytes())?;
            ensure!(matches!(reply.status, 400 | 415), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            self.room.one_decision(Some(&[Reason::MediaType, Reason::HttpMalformed])).map(drop)
        })();
        self.rows.row(30, "two", outcome);
        for kind in ["Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            self.twin(30, kind, &self.call().with("Content-Type", kind).bytes());
        }
        let expecting = self.call().header("Expect", "100-continue");
        self.twin(20, "Expect with a body", &expecting.bytes());
        self.twin(25, "keep-alive", &self.call().header("Connection", "keep-alive").bytes());
        for accept in ["text/html", "image/*", "application/xml"] {
            let request = self.call().with("Accept", accept);
            self.refused(31, accept, &request.bytes(), 406, &[Reason::NotAcceptable]);
        }
        for accept in ["*/*", "application/json;q=0.9, text/event-stream", "application/*, text/*"]
        {
            self.twin(31, accept, &self.call().with("Accept", accept).bytes());
        }
        let apart =
            self.call().with("Accept", "application/json").header("Accept", "text/event-stream");
        self.twin(31, "two lines", &apart.bytes());
    }

    fn upstream_attacks(&mut self) {
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
    fn attacked(&mut self, case: &str, act: Act) -> anyhow::Result<()> {
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

fn check(holds: bool) -> anyhow::Result<()> {
    ensure!(holds, "neither served nor refused");
    Ok(())
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let (one, two) = body.split_at(body.len() / 2);
    let mut bytes = Vec::new();
    for part in [one, two] {
        bytes.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Spellings of `chunked` that some parsers take for it and others do not.
fn te_spellings() -> Vec<String> {
    let mut spellings: Vec<String> = Vec::new();
    for byte in (1u8..=32).chain([0x7f]) {
        if matches!(byte, b'\r' | b'\n') {
            continue;
        }
        let odd = char::from(byte);
        spellings.push(format!("{odd}chunked"));
        spellings.push(format!("chunked{odd}"));
        spellings.push(format!("chu{odd}nked"));
    }
    for text in [
        "chunked",
        "Chunked",
        "CHUNKED",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "'chunked'",
        "chunked,",
        ",chunked",
        "chunked, chunked",
        "chunked,identity",
        "identity, chunked",
        "identity",
        "gzip, chunked",
        "chunked;a=b",
        "chunked; q=1",
        "x",
        "",
        "cow",
        "chunk",
    ] {
        spellings.push(text.to_owned());
    }
    spellings
}

fn raw(bytes: impl Into<Vec<u8>>) -> Act {
    let bytes = bytes.into();
    Arc::new(move |_, _, socket| {
        socket.write_all(&bytes)?;
        Ok(Next::Close)
    })
}

fn attacks() -> Vec<(&'static str, Act)> {
    let good = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","content":[]}}"#;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let length = good.len();
    let flood: Act = Arc::new(move |_, _, socket| {
        for _ in 0..100_000 {
            socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(Next::Close)
    });
    let endless: Act = Arc::new(|_, _, socket| {
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")?;
        loop {
            socket.write_all(&[b' '; 16 * 1024])?;
        }
    });
    let endless_event: Act = Arc::new(|_, _, socket| {
        socket.write_all(chunked_head().as_bytes())?;
        loop {
            socket.write_all(format!("4000\r\n{}\r\n", "d".repeat(0x4000)).as_bytes())?;
        }
    });
    let silent: Act = Arc::new(|_, _, _| {
        std::thread::sleep(Duration::from_secs(8));
        Ok(Next::Close)
    });
    let reset: Act = Arc::new(move |_, _, socket| {
        socket.write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes())?;
        socket.write_all(&good.as_bytes()[..20])?;
        Ok(Next::Close)
    });
    let big = format!("{head}X-Big: {}\r\n\r\n", "y".repeat(10 * 1024 * 1024));
    let stream = format!("{}5\r\ndata:\r\n", chunked_head());
    vec![
        ("too short a length", raw(format!("{head}Content-Length: 10\r\n\r\n{good}"))),
        ("too long a length", raw(format!("{head}Content-Length: 9999\r\n\r\n{good}"))),
        (
            "TE and CL",
            raw(format!(
                "{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{good}\r\n0\r\n\r\nsmuggled"
            )),
        ),
        ("1xx flood", flood),
        ("10 MB of headers", raw(big)),
        ("status 999", raw(format!("HTTP/1.1 999 X\r\nContent-Length: {length}\r\n\r\n{good}"))),
        (
            "bare CR in a header",
            raw(format!(
                "{head}X-A: b\rSet-Cookie: smuggled=1\r\nContent-Length: {length}\r\n\r\n{good}"
            )),
        ),
        (
            "cookie",
            raw(format!("{head}Set-Cookie: smuggled=1\r\nContent-Length: {length}\r\n\r\n{good}")),
        ),
        (
            "redirect to inside",
            raw(
                "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/smuggled\r\nContent-Length: 0\r\n\r\n",
            ),
        ),
        (
            "unauthorized",
            raw(
                "HTTP/1.1 401 X\r\nWWW-Authenticate: Bearer resource_metadata=\"smuggled\"\r\nContent-Length: 0\r\n\r\n",
            ),
        ),
        ("endless body", endless),
        ("endless event", endless_event),
        (
            "gzip",
            raw(format!("{head}Content-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n{good}")),
        ),
        ("reset in the body", reset),
        ("stream without an answer", raw(stream)),
        ("never answers", silent),
        ("no HTTP", raw("smuggled\r\n\r\n")),
        (
            "HTML",
            raw("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 8\r\n\r\nsmuggled"),
        ),
        (
            "another id",
            raw({
                let other = good.replace("\"id\":1", "\"id\":2");
                format!("{head}Content-Length: {length}\r\n\r\n{other}")
            }),
        ),
        (
            "two keys",
            raw({
                let twice = good.replace("\"id\":1", "\"id\":1,\"id\":1");
                format!("{head}Content-Length: {}\r\n\r\n{twice}", twice.len())
            }),
        ),
    ]
}

#[test]
fn a_legacy_body_is_well_formed() {
    assert!(LEGACY < lockgate_e2e::mcp::MODERN);
    assert!(call_body("\"x\"", "{}").starts_with('{'));
}
