//! Byte fidelity: what policy did not change arrives as it was sent, in both directions, in both
//! eras, as JSON and as an event stream. The bodies are generated; the seed repeats a run.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
};

use lockgate_e2e::{
    gateway::Plan,
    mcp::{Caller, LEGACY, MODERN},
    rig::{Next, now_s},
    room::Room,
    say,
    wire::{Request, expect_status},
};
use serde_json::json;

const BODIES: u64 = 400;

/// What the upstream answers next.
#[derive(Clone, Default)]
struct Answer {
    body: String,
    stream: bool,
    /// Sizes of the pieces in which it is written.
    piece: usize,
}

#[test]
fn untouched_bytes_stay_as_they_are() {
    let seed = now_s().unsigned_abs();
    let mut random = Random(seed | 1);
    // Among so many generated numbers some are somebody's, and would be masked.
    let unmasked =
        |plan: &mut Plan| plan.settings["connections"][0]["masking"] = json!({ "mask": [] });
    let room = Room::start_with(|plan, _, _| unmasked(plan)).unwrap();
    let alice = room.alice().unwrap();
    let session = alice.initialize(LEGACY).unwrap();
    let answer = Arc::new(Mutex::new(Answer::default()));
    let held = Arc::clone(&answer);
    room.upstream.act(
        "any",
        Arc::new(move |_, _, socket| {
            let answer = held.lock().map(|answer| answer.clone()).unwrap_or_default();
            let kind = if answer.stream { "text/event-stream" } else { "application/json" };
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            socket.write_all(head.as_bytes())?;
            for piece in answer.body.as_bytes().chunks(answer.piece) {
                socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                socket.write_all(piece)?;
                socket.write_all(b"\r\n")?;
            }
            socket.write_all(b"0\r\n\r\n")?;
            Ok(Next::Keep)
        }),
    );
    room.upstream.take_all();
    let mut bytes = 0;
    for number in 0..BODIES {
        let modern = number % 2 == 0;
        let sent = request(&mut random, modern);
        let request = envelope(&alice, &session, modern, &sent);
        let message = response(&mut random, modern);
        let stream = number % 4 >= 2;
        let body = if stream { events(&mut random, &message) } else { message };
        *answer.lock().unwrap() =
            Answer { body: body.clone(), stream, piece: random.below(200) + 1 };
        let reply = alice.send(&request).unwrap();
        expect_status(&reply, 200).unwrap();
        let seen = room.upstream.take_seen();
        assert_eq!(seen.len(), 1, "seed {seed}, body {number}");
        let heard = String::from_utf8(seen[0].heard.body.clone()).unwrap();
        assert_eq!(heard, sent, "seed {seed}, body {number}: towards the upstream");
        assert_eq!(reply.text(), body, "seed {seed}, body {number}: towards the client");
        bytes += sent.len() + body.len();
    }
    say(&format!("fidelity: {BODIES} bodies each way, {bytes} bytes, seed {seed}, 0 changed"));
}

fn envelope(alice: &Caller, session: &str, modern: bool, body: &str) -> Request {
    if modern {
        return alice.mirrored("tools/call", Some("any"), body);
    }
    let request = alice.post(body).header("MCP-Protocol-Version", LEGACY);
    request.header("Mcp-Session-Id", session)
}

/// A call of the tool `any` with generated arguments, and unknown fields at every level.
fn request(random: &mut Random, modern: bool) -> String {
    let meta = format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}","io.modelcontextprotocol/clientCapabilities":{{}},"x":{}}}"#,
        random.value(2)
    );
    let arguments = format!(r#""arguments":{}"#, random.object(3));
    let mut params = vec![r#""name":"any""#.to_owned(), arguments, random.field(2)];
    if modern {
        params.push(meta);
    }
    random.shuffle(&mut params);
    let params = random.braces(&params);
    let mut fields = vec![
        r#""jsonrpc":"2.0""#.to_owned(),
        r#""method":"tools/call""#.to_owned(),
        r#""id":1"#.to_owned(),
        format!(r#""params":{params}"#),
        random.field(2),
    ];
    random.shuffle(&mut fields);
    random.braces(&fields)
}

fn response(random: &mut Random, modern: bool) -> String {
    let content =
        format!(r#""content":[{{"type":"text","text":{},{}}}]"#, random.text(), random.field(2));
    let mut result =
        vec![content, format!(r#""structuredContent":{}"#, random.object(3)), random.field(3)];
    if modern {
        result.push(r#""resultType":"complete""#.to_owned());
    }
    random.shuffle(&mut result);
    let result = random.braces(&result);
    let mut fields = vec![
        r#""jsonrpc":"2.0""#.to_owned(),
        r#""id":1"#.to_owned(),
        format!(r#""result":{result}"#),
        random.field(2),
    ];
    random.shuffle(&mut fields);
    random.braces(&fields)
}

/// The message as the last event, after comments, a priming event and a notification, with every
/// kind of line end.
fn events(random: &mut Random, message: &str) -> String {
    let end = ["\n", "\r\n", "\r"][random.below(3)];
    let message = message.replace(['\n', '\r'], " ");
    let note = format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":1,"progress":{},"m":{}}}}}"#,
        random.number(),
        random.text()
    );
    let mut lines = vec![": a comment".to_owned(), String::new()];
    lines.extend(["id: prime-1".to_owned(), "data:".to_owned(), String::new()]);
    lines.extend(["retry: 1500".to_owned(), format!("data: {note}"), String::new()]);
    lines.extend(["event: message".to_owned(), "id: 7".to_owned()]);
    lines.extend([format!("data:{message}"), String::new()]);
    lines.iter().map(|line| format!("{line}{end}")).collect()
}

/// xorshift64*, and what JSON can be made of it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let wide = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(wide).unwrap_or(0) % limit
    }

    fn shuffle(&mut self, items: &mut [String]) {
        for index in (1..items.len()).rev() {
            items.swap(index, self.below(index + 1));
        }
    }

    fn space(&mut self) -> &'static str {
        ["", "", "", " ", "\t", "  ", "\n", "\r\n"][self.below(8)]
    }

    fn braces(&mut self, fields: &[String]) -> String {
        let mut text = String::from("{");
        for (index, field) in fields.iter().enumerate() {
            let (before, after) = (self.space(), self.space());
            let comma = if index == 0 { "" } else { "," };
            text.push_str(&format!("{comma}{before}{field}{after}"));
        }
        text + "}"
    }

    /// An unknown field; the name carries a number, so that no two are the same.
    fn field(&mut self, depth: usize) -> String {
        let name = ["x-", "\u{e9}", "\\u0041-", "with space ", "\\\"", "\\/"][self.below(6)];
        let number = self.below(1_000_000_000);
        format!("\"{name}{number}\"{}:{}{}", self.space(), self.space(), self.value(depth))
    }

    fn object(&mut self, depth: usize) -> String {
        let count = self.below(5);
        let fields: Vec<_> = (0..count).map(|_| self.field(depth.saturating_sub(1))).collect();
        self.braces(&fields)
    }

    fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 5 } else { 7 }) {
            0 => ["true", "false", "null"][self.below(3)].to_owned(),
            1 | 2 => self.number(),
            3 | 4 => self.text(),
            5 => self.object(depth),
            _ => {
                let count = self.below(4);
                let items: Vec<_> = (0..count).map(|_| self.value(depth - 1)).collect();
                format!("[{}]", items.join(&format!("{},{}", self.space(), self.space())))
            }
        }
    }

    fn number(&mut self) -> String {
        let spelled = [
            "0",
            "-0",
            "1.0",
            "1.00",
            "1e3",
            "1E+3",
            "1e-7",
            "9007199254740993",
            "-12.50",
            "18446744073709551616",
            "0.1000000000000000055511151231257827",
            "123456789012345678901",
        ];
        spelled[self.below(spelled.len())].to_owned()
    }

    fn text(&mut self) -> String {
        let pieces = [
            "a",
            "\u{e9}",
            "\u{4e2d}",
            "\u{1f512}",
            "\\u00e9",
            "\\uD83D\\uDD12",
            "\\n",
            "\\/",
            "/",
            "\\\\",
            "\\\"",
            "\\t",
            "\u{2028}",
            "\u{7f}",
            "<script>",
            "data: x",
            " ",
        ];
        let count = self.below(8);
        let text: String = (0..count).map(|_| pieces[self.below(pieces.len())]).collect();
        format!("\"{text}\"")
    }
}
