//! Class K: what the caller may not see, in every shape and place of an answer, through the real binary:
//! neither the client's bytes nor anything that is kept may hold it.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lockgate_e2e::{
    mcp::Caller,
    rig::Next,
    room::Room,
    rows::Rows,
    say,
    wire::{Reply, Request},
};
use lockgate_model::Event;
use serde_json::{Value, json};

/// Joined here, so that nothing that searches this file for secrets finds one.
const AWS: &str = concat!("AKIA", "Q3EGRZ7MHT5YWB2K");
const GITHUB: &str = concat!("ghp_", "w8Kq2Zt5Rb7Nc1Xv9Ly3Pd6Sf4Hj0Gm1aQeT");
const CARD: &str = "4111111111111111";
const EMAIL: &str = "ann.meyer@corp-mail.net";
const IBAN: &str = "DE89370400440532013000";
const REVEAL: &str = r#"
@id("fraud-sees-mail")
permit (principal in Group::"idp/fraud", action == Action::"reveal", resource)
when { context.classes.contains("pii.email") && context.target == "any" };
"#;

struct Class {
    rows: Rows,
    room: Room,
    next: Arc<Mutex<Answer>>,
}

/// What the upstream answers next.
#[derive(Clone, Default)]
struct Answer {
    head: String,
    body: Vec<u8>,
    piece: usize,
}

#[test]
fn class_k() {
    let room = Room::start_with(|plan, _, _| {
        plan.policies.push_str(REVEAL);
        plan.settings["limits"]["json_depth_max"] = 200.into();
    })
    .unwrap();
    let next = Arc::<Mutex<Answer>>::default();
    let mut class = Class { rows: Rows::new("K"), room, next };
    class.listen();
    class.plain();
    class.split();
    class.encoded();
    class.written_otherwise();
    class.places();
    class.large();
    class.forms();
    class.upwards();
    class.transport();
    class.resumed();
    class.kept();
    class.callers();
    class.failing();
    class.rows.finish();
}

impl Class {
    fn listen(&self) {
        let next = Arc::clone(&self.next);
        let act: lockgate_e2e::rig::Act = Arc::new(move |_, _, socket| {
            let Answer { head, body, piece } = next.lock().unwrap().clone();
            let head = format!("HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n");
            socket.write_all(head.as_bytes())?;
            for piece in body.chunks(piece.max(1)) {
                socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes())?;
                socket.write_all(piece)?;
                socket.write_all(b"\r\n")?;
            }
            socket.write_all(b"0\r\n\r\n")?;
            Ok(Next::Keep)
        });
        for what in ["any", "open_prompt", "resources/read", "completion/complete"] {
            self.room.upstream.act(what, Arc::clone(&act));
        }
    }

    fn caller(&self, group: &str) -> Caller {
        let mut claims = self.room.claims();
        claims["sub"] = group.into();
        claims["groups"] = json!(["staff", group]);
        self.room.caller(&claims).unwrap()
    }

    fn answer(
        &self,
        request: &Request,
        head: &str,
        body: &[u8],
        piece: usize,
    ) -> anyhow::Result<Reply> {
        let head = head.to_owned();
        *self.next.lock().unwrap() = Answer { head, body: body.to_vec(), piece };
        self.caller("eng").send(request)
    }

    /// Calls `any`, is answered with this message, and gives what the client got.
    fn message(&self, message: &Value) -> anyhow::Result<String> {
        let request = self.caller("eng").call("any", json!({}));
        let body = message.to_string();
        let reply = self.answer(
            &request,
            "Content-Type: application/json\r\n",
            body.as_bytes(),
            body.len(),
        )?;
        Ok(reply.text())
    }

    /// Calls `any`, is answered with this result.
    fn result(&self, mut result: Value) -> anyhow::Result<Value> {
        result["resultType"] = "complete".into();
        let text = self.message(&json!({ "jsonrpc": "2.0", "id": 1, "result": result }))?;
        let message: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        Ok(message["result"].clone())
    }

    fn text(&self, text: &str) -> anyhow::Result<String> {
        let result = self.result(json!({ "content": [{ "type": "text", "text": text }] }))?;
        Ok(result["content"][0]["text"].as_str().context("no text")?.to_owned())
    }

    fn hides(&self, text: &str, secrets: &[&str]) -> anyhow::Result<String> {
        let got = self.text(text)?;
        absent(&got, secrets)?;
        Ok(got)
    }

    fn plain(&mut self) {
        for (what, text, secret) in [
            ("an access key", format!("key {AWS} of the job"), AWS),
            ("a token", format!("token: {GITHUB}, done"), GITHUB),
            ("a card", format!("card {CARD} paid"), CARD),
            ("a mail address", format!("from {EMAIL}."), EMAIL),
            ("an account", format!("pay to {IBAN} today"), IBAN),
            ("a password by its name", "password: hunter22".to_owned(), "hunter22"),
            ("a password in a URL", "postgres://app:s3cr3tpw@db/x".to_owned(), "s3cr3tpw"),
        ] {
            let outcome = self.hides(&text, &[secret]).map(drop);
            self.rows.row(1, what, outcome);
        }
        for text in [
            "order 4111111111111112, build 20260114.3, run 8f14e45fceea167a5a36dedd4bea2543",
            "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 by ann at 10.4.2",
            "550e8400-e29b-41d4-a716-446655440000 2026-11-26T04:20:00Z token_count: 4096",
        ] {
            let outcome = self.text(text).and_then(|got| {
                ensure!(got == text, "{got}");
                Ok(())
            });
            self.rows.twin(1, text, outcome);
        }
    }

    fn split(&mut self) {
        let outcome = (|| {
            for at in 1..AWS.len() {
                let (a, b) = AWS.split_at(at);
                let blocks = json!({ "content": [{ "type": "text", "text": format!("key {a}") },
                    { "type": "text", "text": format!("{b} end") }] });
                leak(&self.result(blocks)?.to_string(), AWS)
                    .with_context(|| format!("blocks at {at}"))?;
                let items = json!({ "content": [], "structuredContent": { "parts": [a, b] } });
                leak(&self.result(items)?.to_string(), AWS)
                    .with_context(|| format!("items at {at}"))?;
            }
            Ok(())
        })();
        self.rows.row(2, "content blocks and array items, at every place", outcome);
        let outcome = (|| {
            let request = self.caller("eng").call("any", json!({}));
            let result =
                json!({ "resultType": "complete", "content": [{ "type": "text", "text": AWS }] });
            let message = json!({ "jsonrpc": "2.0", "id": 1, "result": result });
            let event = format!(": {AWS}\nevent: message\ndata: {message}\n\n");
            for piece in [1, 2, 3, 7, 16, 50] {
                let head = "Content-Type: text/event-stream\r\n";
                let reply = self.answer(&request, head, event.as_bytes(), piece)?;
                ensure!(reply.text().contains("secret"), "{}", reply.text());
                leak(&reply.text(), AWS)?;
            }
            Ok(())
        })();
        self.rows.row(2, "pieces of a stream", outcome);
        let outcome = self.cut_over_notifications();
        self.rows.row(2, "two notifications, at every place", outcome);
        let parts = json!({ "content": [], "structuredContent": { "parts": ["alpha", "beta"] } });
        let outcome = self.result(parts.clone()).and_then(|got| {
            ensure!(got["structuredContent"] == parts["structuredContent"], "{got}");
            Ok(())
        });
        self.rows.twin(2, "parts of nothing", outcome);
    }

    fn cut_over_notifications(&self) -> anyhow::Result<()> {
        let result = json!({ "jsonrpc": "2.0", "id": 1,
            "result": { "resultType": "complete", "content": [] } });
        for at in 1..AWS.len() {
            let (a, b) = AWS.split_at(at);
            let notes = [format!("with key {a}"), format!("{b} and so on")].map(|text| {
                let params = json!({ "level": "info", "data": text });
                let method = "notifications/message";
                let note = json!({ "jsonrpc": "2.0", "method": method, "params": params });
                format!("data: {note}\n\n")
            });
            let body = format!("{}data: {result}\n\n", notes.concat());
            let request = self.caller("eng").call("any", json!({}));
            let head = "Content-Type: text/event-stream\r\n";
            let text = self.answer(&request, head, body.as_bytes(), 64)?.text();
            ensure!(text.contains("with key") && text.contains("and so on"), "{text}");
            leak(&text, AWS).with_context(|| format!("at {at}"))?;
        }
        Ok(())
    }

    fn encoded(&mut self) {
        let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let percent =
            |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let entity =
            |text: &str| text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>();
        let wrapped = format!("user=app key={AWS} end of it");
        for (what, text) in [
            ("base64", BASE64_STANDARD.encode(&wrapped)),
            ("hexadecimal", hex(&wrapped)),
            ("percent", percent(AWS)),
            ("entities", entity(AWS)),
            ("JSON in a text", json!({ "deep": json!({ "key": AWS }).to_string() }).to_string()),
        ] {
            let outcome = self.text(&text).and_then(|got| {
                ensure!(got != text, "it passed: {got}");
                leak(&got, AWS)
            });
            self.rows.row(3, what, outcome);
        }
        let escaped: String = EMAIL.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[{{"type":"text","text":"{escaped}"}}]}}}}"#
        );
        let request = self.caller("eng").call("any", json!({}));
        let outcome = self
            .answer(&request, "Content-Type: application/json\r\n", body.as_bytes(), 99)
            .and_then(|reply| {
                ensure!(!reply.text().contains(&escaped[..24]), "{}", reply.text());
                absent(&reply.text(), &[EMAIL])
            });
        self.rows.row(3, "escapes of JSON", outcome);
        let plain = BASE64_STANDARD.encode("nothing to see in this text, really");
        let outcome = self.text(&plain).and_then(|got| {
            ensure!(got == plain, "{got}");
            Ok(())
        });
        self.rows.twin(3, "base64 of nothing", outcome);
    }

    fn written_otherwise(&mut self) {
        let wide: String =
            CARD.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect();
        let arabic: String =
            CARD.chars().map(|c| char::from_u32(u32::from(c) - 48 + 0x660).unwrap()).collect();
        let between = |sep: &str| {
            let groups: Vec<_> = (0..4).map(|at| &CARD[at * 4..at * 4 + 4]).collect();
            groups.join(sep)
        };
        for (what, text) in [
            ("full-width digits", format!("card {wide}")),
            ("Arabic-Indic digits", format!("card {arabic}")),
            ("zero-width spaces", format!("card {}", between("\u{200b}"))),
            ("soft hyphens", format!("card {}", between("\u{ad}"))),
            ("no-break spaces", format!("card {}", between("\u{a0}"))),
            ("hyphens", format!("card {}", between("-"))),
        ] {
            let outcome = self.text(&text).and_then(|got| {
                ensure!(got.contains("[pci.card]"), "{got}");
                Ok(())
            });
            self.rows.row(4, what, outcome);
        }
        for text in ["card 4111 1111 1111 1112", "v4.111.1111", "4111-1111", "1234567890123456"] {
            let outcome = self.text(text).and_then(|got| {
                ensure!(got == text, "{got}");
                Ok(())
            });
            self.rows.twin(4, text, outcome);
        }
    }

    fn places(&mut self) {
        let blob = BASE64_STANDARD.encode(format!("line\nkey {AWS}\n"));
        for (what, result) in [
            ("a key", json!({ "content": [], "structuredContent": { EMAIL: 1 } })),
            ("structured content", json!({ "content": [], "structuredContent": { "to": EMAIL } })),
            (
                "a number",
                json!({ "content": [], "structuredContent": { "card": 4_111_111_111_111_111_u64 } }),
            ),
            ("_meta", json!({ "content": [], "_meta": { "note": EMAIL } })),
            (
                "a resource link",
                json!({ "content": [{ "type": "resource_link", "uri": "file:///srv/a",
                "name": "a", "description": EMAIL }] }),
            ),
            (
                "an embedded resource",
                json!({ "content": [{ "type": "resource",
                "resource": { "uri": "file:///srv/a", "text": EMAIL } }] }),
            ),
            (
                "a blob",
                json!({ "content": [{ "type": "resource",
                "resource": { "uri": "file:///srv/a", "mimeType": "text/plain", "blob": blob } }] }),
            ),
        ] {
            let outcome = self.result(result).and_then(|got| {
                let text = got.to_string();
                ensure!(!text.contains(&blob), "the blob passed");
                absent(&text, &[EMAIL, AWS, CARD])
            });
            self.rows.row(5, what, outcome);
        }
        let error = json!({ "code": -32000, "message": EMAIL, "data": { "dsn": "mysql://u:pa55word@h/d" } });
        let outcome = self
            .message(&json!({ "jsonrpc": "2.0", "id": 1, "error": error }))
            .and_then(|got| absent(&got, &[EMAIL, "pa55word"]));
        self.rows.row(5, "an error", outcome);
        let outcome = self.notes();
        self.rows.row(5, "progress and log messages", outcome);
        self.other_answers();
    }

    fn other_answers(&mut self) {
        for (what, method, params, result) in [
            (
                "a prompt",
                "prompts/get",
                json!({ "name": "open_prompt" }),
                json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": EMAIL } }] }),
            ),
            (
                "a resource",
                "resources/read",
                json!({ "uri": "file:///srv/open.txt" }),
                json!({ "contents": [{ "uri": "file:///srv/open.txt", "text": EMAIL }], "ttlMs": 86_400_000, "cacheScope": "public" }),
            ),
        ] {
            let request = self.caller("eng").modern(&json!(1), method, params);
            let mut result = result;
            result["resultType"] = "complete".into();
            let body = json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string();
            let outcome = self
                .answer(&request, "Content-Type: application/json\r\n", body.as_bytes(), body.len())
                .and_then(|reply| {
                    ensure!(reply.text().contains("[pii.email]"), "{}", reply.text());
                    // Nobody else may be given what was masked for this caller.
                    absent(&reply.text(), &[EMAIL, "public", "86400000"])
                });
            self.rows.row(5, what, outcome);
        }
        let handles =
            json!({ "content": [], "requestState": null, "nextCursor": "ann.meyer@corp-mail.net" });
        let outcome = self.result(handles).and_then(|got| {
            ensure!(got["nextCursor"] == EMAIL, "{got}");
            Ok(())
        });
        self.rows.twin(5, "a cursor comes back as it was", outcome);
    }

    fn notes(&self) -> anyhow::Result<()> {
        let note = |method: &str, params: Value| {
            let note = json!({ "jsonrpc": "2.0", "method": method, "params": params });
            format!("data: {note}\n\n")
        };
        let result = json!({ "jsonrpc": "2.0", "id": 1,
            "result": { "resultType": "complete", "content": [] } });
        let body = [
            note(
                "notifications/progress",
                json!({ "progressToken": "p", "progress": 1, "message": EMAIL }),
            ),
            note(
                "notifications/message",
                json!({ "level": "info", "data": { "who": EMAIL, "key": AWS } }),
            ),
            format!(": {EMAIL}\n\n"),
            format!("data: {result}\n\n"),
        ]
        .concat();
        let request = self.caller("eng").call("any", json!({}));
        let reply =
            self.answer(&request, "Content-Type: text/event-stream\r\n", body.as_bytes(), 64)?;
        let text = reply.text();
        ensure!(text.matches("[pii.email]").count() == 2, "{text}");
        ensure!(text.contains("progress"), "{text}");
        absent(&text, &[EMAIL, AWS])
    }

    fn large(&mut self) {
        let outcome = (|| {
            let line = format!("{EMAIL} {CARD} ").repeat(20_000);
            let begun = Instant::now();
            let got = self.hides(&line, &[EMAIL, CARD])?;
            ensure!(got.matches("[pci.card]").count() == 20_000, "not all of them");
            say(&format!(
                "a line of {} bytes with 40,000 values took {:?}",
                line.len(),
                begun.elapsed()
            ));
            Ok(())
        })();
        self.rows.row(6, "one line with 40,000 values", outcome);
        let outcome = (|| {
            let text = "nothing here ".repeat(60_000);
            ensure!(self.text(&text)? == text, "it changed");
            Ok(())
        })();
        self.rows.twin(6, "one line with none", outcome);
    }

    fn forms(&mut self) {
        let outcome = (|| {
            let said = "[pii.email] [MASKED] [pci.card]";
            ensure!(self.text(said)? == said, "labels of the data's own");
            let (short, long) = (self.text("a@b-c.net")?, self.text(EMAIL)?);
            ensure!(short == long, "`{short}` and `{long}` tell the length");
            Ok(())
        })();
        self.rows.row(7, "labels in the data, and their length", outcome);
        let outcome = (|| {
            let rows =
                json!([{ "id": 7, "card": 4_111_111_111_111_111_u64, "ok": true, "price": 1.50 }]);
            let mirror = rows.to_string();
            let result = json!({ "content": [{ "type": "text", "text": mirror }],
                "structuredContent": { "rows": rows } });
            let got = self.result(result)?;
            let shown = &got["structuredContent"]["rows"];
            ensure!(shown[0]["card"] == "[pci.card]" && shown[0]["id"] == 7, "{shown}");
            let mirror = got["content"][0]["text"].as_str().context("no text")?;
            let mirror: Value = serde_json::from_str(mirror)?;
            ensure!(mirror == *shown, "{mirror} is not {shown}");
            Ok(())
        })();
        self.rows.row(8, "numbers, and the text that mirrors them", outcome);
        let outcome = (|| {
            let got = self.room.alice()?.send(&self.room.alice()?.modern(
                &json!(1),
                "tools/list",
                json!({}),
            ))?;
            let list = got.json()?;
            let tools = list["result"]["tools"].as_array().context("no tools")?;
            ensure!(tools.iter().any(|tool| tool["name"] == "any"), "{list}");
            Ok(())
        })();
        self.rows.twin(8, "tools keep their names", outcome);
    }

    fn upwards(&mut self) {
        let outcome = (|| {
            self.room.upstream.behave();
            let eng = self.caller("eng");
            let reply = eng.send(&eng.call("any", json!({ "q": "x", "key": AWS })))?;
            ensure!(reply.status == 200, "{}", reply.status);
            let events = self.room.records.all()?;
            let found = events.iter().rev().find_map(|event| match event {
                Event::Intent(intent)
                    if intent.facts.iter().any(|f| f == "secret.in_arguments") =>
                {
                    Some(intent)
                }
                _ => None,
            });
            let intent = found.context("no fact about it")?;
            absent(&intent.arguments.to_string(), &[AWS])?;
            ensure!(intent.arguments["q"] == "x", "{}", intent.arguments);
            Ok(())
        })();
        self.rows.row(9, "a secret on its way up is a fact, and not on record", outcome);
        let outcome = (|| {
            let eng = self.caller("eng");
            let uri = format!("file:///srv/open.txt?key={AWS}");
            eng.send(&eng.modern(&json!(1), "resources/read", json!({ "uri": uri })))?;
            let events = self.room.records.all()?;
            let found = events.iter().rev().find_map(|event| match event {
                Event::Intent(intent) if intent.action == "read_resource" => Some(intent),
                _ => None,
            });
            let intent = found.context("no record of it")?;
            ensure!(intent.facts.iter().any(|f| f == "secret.in_arguments"), "{:?}", intent.facts);
            absent(&serde_json::to_string(intent)?, &[AWS])
        })();
        self.listen();
        self.rows.row(9, "a secret in what is read", outcome);
    }

    fn transport(&mut self) {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "result": { "resultType": "complete",
            "content": [{ "type": "text", "text": EMAIL }] } });
        let utf16: Vec<u8> = body.to_string().encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (number, what, head, body) in [
            (10, "a body in an encoding that nobody asked for",
                "Content-Type: application/json\r\nContent-Encoding: gzip\r\n", body.to_string().into_bytes()),
            (11, "a body in UTF-16", "Content-Type: application/json; charset=utf-16\r\n", utf16),
            (11, "a body in Latin-1", "Content-Type: application/json\r\n",
                b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"\xe9\"}]}}".to_vec()),
        ] {
            let request = self.caller("eng").call("any", json!({}));
            let outcome = self.answer(&request, head, &body, 4096).and_then(|reply| {
                ensure!(reply.status == 502, "{}: {}", reply.status, reply.text());
                absent(&reply.text(), &[EMAIL])
            });
            self.rows.row(number, what, outcome);
        }
    }

    fn resumed(&mut self) {
        // The unit is the event: one that was cut never left, and comes whole after the resumption.
        let outcome = (|| {
            let result = json!({ "jsonrpc": "2.0", "id": 1,
                "result": { "resultType": "complete", "content": [{ "type": "text", "text": AWS }] } });
            let event = format!("id: 7\ndata: {result}\n\n");
            let at = event.find(AWS).context("no key")? + 9;
            let request = self.caller("eng").call("any", json!({}));
            let reply = self.answer(
                &request,
                "Content-Type: text/event-stream\r\n",
                &event.as_bytes()[..at],
                64,
            )?;
            leak(&reply.text(), AWS)?;
            let reply =
                self.answer(&request, "Content-Type: text/event-stream\r\n", event.as_bytes(), 64)?;
            ensure!(reply.text().contains("secret"), "{}", reply.text());
            leak(&reply.text(), AWS)
        })();
        self.rows.row(12, "a stream that is cut inside a secret", outcome);
    }

    fn kept(&mut self) {
        let outcome = (|| {
            let canary = "zoe.quark@corp-mail.net";
            self.hides(&format!("write to {canary} now"), &[canary])?;
            let gateway = &self.room.gateway;
            for line in [
                vec!["journal", "show"],
                vec!["journal", "export", "--format", "jsonl"],
                vec!["sessions", "search", "quark"],
            ] {
                let (_, said) = gateway.command(&line)?;
                ensure!(!said.contains("zoe.quark"), "{line:?}: {said}");
            }
            let (_, report) = gateway.command(&["mask", "report", "--json"])?;
            ensure!(report.contains("pii.email") && report.contains("\"any\""), "{report}");
            let events = self.room.records.all()?;
            let counted = events.iter().rev().find_map(|event| match event {
                Event::Outcome(outcome) if !outcome.masked.is_empty() => {
                    Some(outcome.masked.clone())
                }
                _ => None,
            });
            let counted = counted.context("nothing was counted")?;
            ensure!(counted.get("pii.email") == Some(&1), "{counted:?}");
            let shown = events.iter().any(|event| {
                matches!(event, Event::Outcome(outcome) if outcome.body.as_ref().is_some_and(|body| body.get().contains("write to [pii.email] now")))
            });
            ensure!(shown, "the record does not hold what the client saw");
            Ok(())
        })();
        self.rows.row(13, "recording, export and search", outcome);
    }

    fn callers(&mut self) {
        let outcome = (|| {
            let text = format!("{EMAIL} paid with {CARD}");
            let body = json!({ "jsonrpc": "2.0", "id": 1, "result": { "resultType": "complete",
                "content": [{ "type": "text", "text": text }] } })
            .to_string();
            let head = "Content-Type: application/json\r\n".to_owned();
            *self.next.lock().unwrap() = Answer { head, body: body.into_bytes(), piece: 999 };
            for _ in 0..5 {
                for (group, sees) in [("eng", false), ("fraud", true)] {
                    let caller = self.caller(group);
                    let got = caller.send(&caller.call("any", json!({})))?.text();
                    ensure!(got.contains(EMAIL) == sees, "{group}: {got}");
                    absent(&got, &[CARD])?;
                }
            }
            Ok(())
        })();
        self.rows.row(14, "two callers, two views", outcome);
    }

    fn failing(&mut self) {
        let outcome = (|| {
            // Deeper than is searched, and not deeper than this gateway reads.
            let deep = format!("{}\"{EMAIL}\"{}", "[".repeat(150), "]".repeat(150));
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":"complete","content":[],"x":{deep}}}}}"#
            );
            let request = self.caller("eng").call("any", json!({}));
            let head = "Content-Type: application/json\r\n";
            let reply = self.answer(&request, head, body.as_bytes(), 65_536)?;
            let failed = reply.status == 502 && reply.text().contains("mask.failed");
            ensure!(failed, "{}: {}", reply.status, reply.text());
            absent(&reply.text(), &[EMAIL])?;
            Ok(())
        })();
        self.rows.row(15, "more than may be searched", outcome);
        let outcome = self.text("a small answer").map(drop);
        self.rows.twin(15, "and the next one passes", outcome);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn absent(text: &str, secrets: &[&str]) -> anyhow::Result<()> {
    for secret in secrets {
        ensure!(
            !text.contains(secret),
            "`{secret}` stands in {}",
            text.chars().take(400).collect::<String>()
        );
    }
    Ok(())
}

/// No five characters in a row of what is hidden, its kind's own prefix apart.
fn leak(text: &str, secret: &str) -> anyhow::Result<()> {
    let parts: Vec<char> = secret.chars().skip(4).collect();
    for part in parts.windows(5) {
        let part: String = part.iter().collect();
        ensure!(
            !text.contains(&part),
            "`{part}` stands in {}",
            text.chars().take(400).collect::<String>()
        );
    }
    Ok(())
}
