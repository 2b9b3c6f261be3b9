//! Requests whose framing or head can be read in two ways.

use anyhow::ensure;
use lockgate_e2e::{
    room::Refused,
    wire::{Request, Wire, exchange},
};
use lockgate_model::Reason;

use super::Class;

impl Class {
    pub(super) fn framing(&mut self) {
        let call = self.call();
        let length = call.body.len().to_string();
        let with = |lines: &[(&str, &str)], body: &[u8]| framed(&call, lines, body);
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
    }

    pub(super) fn chunk_sizes(&mut self) {
        let call = self.call();
        let chunked = chunks(&call.body);
        let with = |lines: &[(&str, &str)], body: &[u8]| framed(&call, lines, body);
        let te = [("Transfer-Encoding", "chunked")];
        let rest = "\r\n0\r\n\r\n";
        for size in ["0x5", "5_0", "+5", "-1", "10000000000000000", "5\n", "5\u{0}", ";", " 5"] {
            let body = format!("{size}\r\nhello{rest}");
            self.doubted(5, &format!("{size:?}"), &with(&te, body.as_bytes()));
        }
        let extension = format!("5;{}\r\nhello{rest}", "x".repeat(16 * 1024));
        self.doubted(5, "16 kB extension", &with(&te, extension.as_bytes()));
        self.twin(5, "honest chunks", &with(&te, &chunked));
        for cut in 1..call.body.len() {
            self.twin(
                5,
                &format!("cut after {cut} bytes"),
                &with(&te, &chunks_at(&call.body, cut)),
            );
        }
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

    pub(super) fn heads(&mut self) {
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
    }

    pub(super) fn hosts(&mut self) {
        let call = String::from_utf8(self.call().bytes()).unwrap();
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
    }

    pub(super) fn methods(&mut self) {
        let call = String::from_utf8(self.call().bytes()).unwrap();
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
}

fn framed(call: &Request, lines: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut request = call.clone();
    request.body = body.to_vec();
    for (name, value) in lines {
        request = request.header(name, value);
    }
    request.bytes()
}

fn chunks(body: &[u8]) -> Vec<u8> {
    chunks_at(body, body.len() / 2)
}

fn chunks_at(body: &[u8], cut: usize) -> Vec<u8> {
    let (one, two) = body.split_at(cut);
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
    let mut spellings = Vec::new();
    for odd in (0u8..=255).map(char::from).filter(|odd| !matches!(odd, '\r' | '\n')) {
        for text in ["?chunked", "chunked?", "chu?nked", "chunked,?", "?,chunked", "chunked;?"] {
            spellings.push(text.replace('?', &odd.to_string()));
        }
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

fn check(holds: bool) -> anyhow::Result<()> {
    ensure!(holds, "neither served nor refused");
    Ok(())
}
