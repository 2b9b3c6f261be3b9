//! Class J: JSON that two parsers could read differently, after a good token.

use std::time::{Duration, Instant};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::{Caller, LEGACY, call_body, meta},
    room::{Refused, Room},
    rows::Rows,
    wire::{Reply, Request, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::{Value, json};

use self::texts::{BAD, GOOD};

mod texts;

const PARSE: i64 = -32700;
const INVALID: i64 = -32600;

struct Class {
    rows: Rows,
    room: Room,
    alice: Caller,
}

#[test]
fn class_j() {
    let room = Room::start().unwrap();
    let alice = room.alice().unwrap();
    let mut class = Class { rows: Rows::new("J"), room, alice };
    class.grammar();
    class.depth();
    class.keys();
    class.numbers();
    class.ids();
    class.sizes();
    class.envelopes();
    class.batches();
    class.encodings();
    class.rows.finish();
}

impl Class {
    fn refused(&mut self, row: u32, case: &str, body: impl Into<Vec<u8>>, code: i64) {
        let request = self.alice.mirrored("tools/call", Some("echo"), body);
        self.refused_request(row, case, &request, code);
    }

    fn refused_request(&mut self, row: u32, case: &str, request: &Request, code: i64) {
        let reasons: &[Reason] = match code {
            PARSE => &[Reason::JsonMalformed, Reason::JsonDuplicateKey, Reason::JsonLimit],
            INVALID => &[Reason::RpcInvalid, Reason::JsonDuplicateKey, Reason::JsonLimit],
            -32601 => &[Reason::RpcMethodUnknown],
            _ => &[Reason::RpcParams, Reason::RpcInvalid],
        };
        let status = if code == -32601 { 404 } else { 400 };
        let expected = Refused { status, code: Some(code), reasons };
        let outcome = self.room.refuses(request, &expected).map(drop);
        self.rows.row(row, case, outcome);
    }

    /// Arguments that must arrive byte for byte.
    fn arrives(&mut self, row: u32, case: &str, arguments: &str) {
        let request = self.alice.call_raw("any", arguments);
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &request.bytes())?;
            expect_status(&reply, 200)?;
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
            ensure!(seen[0].heard.body == request.body, "the body was changed");
            let answer = reply.json()?;
            let text = answer.pointer("/result/content/0/text").and_then(Value::as_str);
            ensure!(text == Some(arguments), "came back as {text:?}");
            self.room.one_decision(None).map(drop)
        })();
        self.rows.twin(row, case, outcome);
    }

    fn grammar(&mut self) {
        for text in GOOD {
            self.arrives(1, text, &format!("{{\"doc\":{text}}}"));
        }
        for text in BAD {
            self.refused(1, text, call_body("\"echo\"", &format!("{{\"doc\":{text}}}")), PARSE);
        }
        for text in [
            r#"["\uDADA"]"#,
            r#"["\uD888\u1234"]"#,
            r#"["\uD800"]"#,
            r#"["\uDd1ea"]"#,
            r#"["\uDFAA"]"#,
            r#"["\uD800\uD800\n"]"#,
            "[1e9999]",
            "[-1e9999]",
        ] {
            self.refused(2, text, call_body("\"echo\"", &format!("{{\"doc\":{text}}}")), PARSE);
        }
        let good = call_body("\"echo\"", "{}");
        self.refused(2, "BOM", [b"\xef\xbb\xbf", good.as_bytes()].concat(), PARSE);
        for little in [true, false] {
            let units = good.encode_utf16();
            let wide: Vec<u8> = units
                .flat_map(|c| if little { c.to_le_bytes() } else { c.to_be_bytes() })
                .collect();
            self.refused(2, "UTF-16", wide, PARSE);
        }
        for tail in ["x", "{}", "\n{}", ",", "\u{0}", "]", &good.clone()] {
            let case: String = tail.chars().take(9).collect();
            self.refused(16, &case, format!("{good}{tail}"), PARSE);
        }
        for text in ["{/*a*/}", "{} // a", "{'a':1}", "{\"a\":NaN}", "{\"a\":Infinity}", "{a:1}"] {
            self.refused(17, text, call_body("\"echo\"", text), PARSE);
        }
    }

    fn depth(&mut self) {
        // The arguments stand three levels deep in the message.
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        self.arrives(3, "60 levels", &nested(57));
        self.refused(3, "65 levels", call_body("\"echo\"", &nested(62)), PARSE);
        for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
            let case: String = text.chars().take(5).collect();
            let request = self.alice.mirrored("tools/call", Some("echo"), text);
            let begun = Instant::now();
            self.refused_request(3, &case, &request, PARSE);
            let quick = begun.elapsed() < Duration::from_secs(2);
            self.rows.row(3, "in time", whether(quick, "took too long"));
        }
    }

    fn keys(&mut self) {
        let envelope = call_body("\"echo\"", "{}");
        for (case, body) in [
            ("method", envelope.replacen('{', "{\"method\":\"ping\",", 1)),
            ("id", envelope.replacen('{', "{\"id\":2,", 1)),
            (
                "name",
                envelope.replace("\"name\":\"echo\"", "\"name\":\"echo\",\"name\":\"hidden\""),
            ),
            (
                "name, escaped",
                envelope
                    .replace("\"name\":\"echo\"", "\"name\":\"echo\",\"n\\u0061me\":\"hidden\""),
            ),
            ("deep", call_body("\"echo\"", "{\"a\":[{\"b\":{\"c\":1,\"c\":1}}]}")),
            ("deep, escaped", call_body("\"echo\"", "{\"a\":{\"\\u0062\":1,\"b\":2}}")),
        ] {
            self.refused(4, case, body, PARSE);
        }
        self.arrives(4, "same key in two objects", "{\"a\":{\"b\":1},\"c\":{\"b\":1}}");
        for key in ["Method", "METHOD", "Id", "Params", "JSONRPC"] {
            self.refused(
                5,
                key,
                envelope.replacen('{', &format!("{{\"{key}\":\"x\","), 1),
                INVALID,
            );
        }
        for key in ["Name", "NAME", "Arguments", "_Meta"] {
            let by = format!("\"params\":{{\"{key}\":\"x\",");
            self.refused(5, key, envelope.replace("\"params\":{", &by), INVALID);
        }
        let instead = envelope.replace("\"name\":", "\"Name\":");
        self.refused(5, "Name instead", instead, INVALID);
        for key in ["param\u{17f}", "\\u0070aram\\u017f", "ar\u{261}uments", "name\\u0000"] {
            let row = if key.starts_with("name") { 7 } else { 6 };
            let by = format!("\"params\":{{\"{key}\":\"x\",");
            let body = envelope.replace("\"params\":{", &by);
            let top = envelope.replacen('{', &format!("{{\"{key}\":\"x\","), 1);
            if key.starts_with("ar") {
                // Not a fold of any protocol word, so just an unknown field: harmless.
                let request = self.alice.mirrored("tools/call", Some("echo"), body);
                let reply = exchange(self.alice.address, &request.bytes());
                let sane = reply.is_ok_and(|reply| matches!(reply.status, 200 | 400));
                self.rows.row(row, key, whether(sane, "neither served nor refused"));
            } else if row == 7 {
                self.refused(row, key, body, INVALID);
            } else {
                self.refused(row, key, top, INVALID);
            }
        }
        self.refused(
            6,
            "too\u{212a}",
            envelope.replace("\"params\":{", "\"params\":{\"to\u{212a}en\":1,\"tas\u{212a}\":1,"),
            INVALID,
        );
        for key in ["na\u{200b}me", "\u{ff4e}ame", "\u{feff}name", "name\u{200d}", "n\u{ad}ame"] {
            let by = format!("\"params\":{{\"{key}\":\"x\",");
            self.refused(8, &format!("{key:?}"), envelope.replace("\"params\":{", &by), INVALID);
        }
        for key in ["__proto__", "constructor", "prototype", "Name", "METHOD"] {
            self.arrives(9, key, &format!("{{\"{key}\":{{\"admin\":true}}}}"));
        }
    }

    fn numbers(&mut self) {
        for number in [
            "9007199254740993",
            "18446744073709551616",
            "1E6",
            "1e6",
            "-0",
            "-0.0",
            "1.0",
            "1.50",
            "0.1000000000000000055511151231257827",
            "123456789012345678901234567890",
            "1e300",
        ] {
            self.arrives(10, number, &format!("{{\"n\":{number}}}"));
        }
        self.refused(10, "1e400", call_body("\"echo\"", "{\"n\":1e400}"), PARSE);
    }

    fn ids(&mut self) {
        let good = call_body("\"echo\"", "{}");
        let long = format!("\"{}\"", "a".repeat(1024 * 1024));
        let ids = ["null", "1.5", "1e2", "1180591620717411303424", "{}", "[1]", "true", &long];
        for id in ids {
            let case: String = id.chars().take(24).collect();
            self.refused(11, &case, good.replace("\"id\":1,", &format!("\"id\":{id},")), INVALID);
        }
        for id in ["0", "-7", "\"\"", "\"a\"", "9007199254740991"] {
            let body = good.replace("\"id\":1,", &format!("\"id\":{id},"));
            let request = self.alice.mirrored("tools/call", Some("echo"), body);
            let outcome = self.room.passes(&request).and_then(|reply| {
                let came = reply.json()?["id"].to_string();
                ensure!(came == id, "came back as {came}");
                Ok(())
            });
            self.rows.twin(11, id, outcome);
        }
    }

    fn sizes(&mut self) {
        let huge = call_body("\"echo\"", &format!("{{\"text\":\"{}\"}}", "a".repeat(10_000_000)));
        let request = self.alice.mirrored("tools/call", Some("echo"), huge);
        let expected = Refused { status: 413, code: None, reasons: &[Reason::BodyTooLarge] };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(12, "10 MB string", outcome);
        self.arrives(12, "1 MB string", &format!("{{\"text\":\"{}\"}}", "a".repeat(1_000_000)));
        let keys: Vec<String> = (0..250_000).map(|n| format!("\"{n}\":1")).collect();
        let items = format!("{{\"a\":[{}1]}}", "1,".repeat(1_000_000));
        for (case, arguments) in [("keys", format!("{{{}}}", keys.join(","))), ("items", items)] {
            let begun = Instant::now();
            self.refused(13, case, call_body("\"echo\"", &arguments), INVALID);
            let quick = begun.elapsed() < Duration::from_secs(5);
            self.rows.row(13, &format!("{case}, in time"), whether(quick, "took too long"));
        }
        let some: Vec<String> = (0..5_000).map(|n| format!("\"{n}\":1")).collect();
        self.arrives(13, "5,000 keys", &format!("{{{}}}", some.join(",")));
    }

    fn envelopes(&mut self) {
        let good = call_body("\"echo\"", "{}");
        let version = |by: &str| good.replace("\"jsonrpc\":\"2.0\",", by);
        for by in ["", "\"jsonrpc\":\"1.0\",", "\"jsonrpc\":2.0,", "\"jsonrpc\":null,"] {
            self.refused(14, by, version(by), INVALID);
        }
        for params in ["[]", "\"a\"", "null", "7"] {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
            self.refused(18, params, body, -32602);
        }
        for method in ["tools/Call", "tools/call ", "tools//call", "tools/call/", "rpc.x", ""] {
            let body = good.replace("tools/call", method);
            let request = self.alice.mirrored(method, Some("echo"), body);
            self.refused_request(19, method, &request, -32601);
        }
        let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        self.refused(20, "a response, modern", answer, INVALID);
        let outcome = self.stray_response(answer);
        self.rows.row(20, "a response to nothing, legacy", outcome);
        let params = meta(json!({ "name": "echo", "arguments": {} }));
        let noted = json!({ "jsonrpc": "2.0", "id": 1, "method": "notifications/cancelled",
            "params": params });
        let request = self.alice.mirrored("notifications/cancelled", None, noted.to_string());
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &request.bytes())?;
            ensure!(matches!(reply.status, 400 | 404), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            let reasons = &[Reason::RpcInvalid, Reason::RpcMethodUnknown];
            self.room.one_decision(Some(reasons)).map(drop)
        })();
        self.rows.row(21, "notification with id", outcome);
        self.refused(21, "request without id", good.replace("\"id\":1,", ""), INVALID);
    }

    fn stray_response(&mut self, answer: &str) -> anyhow::Result<()> {
        let session = self.alice.initialize(LEGACY)?;
        let request = self
            .alice
            .post(answer)
            .header("MCP-Protocol-Version", LEGACY)
            .header("Mcp-Session-Id", &session);
        self.room.forget()?;
        let reply = exchange(self.alice.address, &request.bytes())?;
        ensure!((400..500).contains(&reply.status), "status {}", reply.status);
        self.room.nothing_forwarded()
    }

    fn batches(&mut self) {
        let one = call_body("\"echo\"", "{}");
        self.refused(15, "modern", format!("[{one}]"), INVALID);
        self.refused(15, "empty", "[]", INVALID);
        let call = |id: u32, tool: &str| {
            json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
                "params": { "name": tool, "arguments": { "text": "b" } } })
        };
        let batch = json!([call(1, "echo"), call(2, "hidden"), call(3, "echo")]);
        for revision in ["2025-06-18", "2025-11-25"] {
            let outcome = self.batch(revision, &batch).and_then(|reply| {
                ensure!(reply.status == 400, "status {}", reply.status);
                self.room.nothing_forwarded()
            });
            self.rows.row(15, revision, outcome);
        }
        let outcome = self.batch("2025-03-26", &batch).and_then(|reply| {
            expect_status(&reply, 200)?;
            let answers: Value = serde_json::from_slice(&reply.body)?;
            let found = |id: u32| {
                answers.as_array().and_then(|all| all.iter().find(|one| one["id"] == id)).cloned()
            };
            let (first, second, third) = (found(1), found(2), found(3));
            let good =
                |one: &Option<Value>| one.as_ref().is_some_and(|one| one["result"].is_object());
            ensure!(good(&first) && good(&third), "allowed entries: {answers}");
            let refused = second.is_some_and(|one| one["error"]["code"] == -32602);
            ensure!(refused, "the hidden tool: {answers}");
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 2, "{} calls reached the upstream", seen.len());
            let decisions = self.room.records.decisions()?;
            ensure!(decisions.len() == 3, "{} decisions", decisions.len());
            Ok(())
        });
        self.rows.twin(15, "2025-03-26, each entry apart", outcome);
    }

    fn batch(&mut self, revision: &str, batch: &Value) -> anyhow::Result<Reply> {
        let session = self.alice.initialize(revision)?;
        let request = self
            .alice
            .post(batch.to_string())
            .header("MCP-Protocol-Version", revision)
            .header("Mcp-Session-Id", &session);
        self.room.forget()?;
        exchange(self.alice.address, &request.bytes())
    }

    fn encodings(&mut self) {
        let (front, back) = ("{\"text\":\"", "\"}");
        for bytes in
            [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80", b"\x80"]
        {
            let mut arguments = front.as_bytes().to_vec();
            arguments.extend_from_slice(bytes);
            arguments.extend_from_slice(back.as_bytes());
            let body = call_body("\"echo\"", "{}");
            let (head, tail) = body.split_once("{}").unwrap();
            let body = [head.as_bytes(), &arguments, tail.as_bytes()].concat();
            self.refused(22, &format!("{bytes:02x?}"), body, PARSE);
        }
        self.arrives(22, "text of the world", "{\"text\":\"\u{e9}\u{4e2d}\u{1f512}\"}");
        for arguments in
            ["{\"text\":\"a\\u0000b\"}", "{\"a\":[{\"b\":\"\\u0000\"}]}", "{\"\\u0000\":1}"]
        {
            self.refused(23, arguments, call_body("\"echo\"", arguments), -32602);
        }
        let name = call_body("\"ec\\u0000ho\"", "{}");
        let request = self.alice.mirrored("tools/call", Some("echo"), name);
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &request.bytes())?;
            let code = reply.rpc_code();
            ensure!(matches!(code, Some(-32602 | -32020)), "code {code:?}");
            self.room.nothing_forwarded()?;
            self.room.records.decisions().map(drop)
        })();
        self.rows.row(23, "in a tool's name", outcome);
    }
}

fn whether(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    ensure!(holds, otherwise);
    Ok(())
}
