//! Class L: what a caller writes must not write the record or the log. Rows of damaged and hostile
//! files are in [`crate::rows_l_files`].

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Context as _, anyhow, ensure};
use lockgate_e2e::{
    mcp::{Caller, call_body, meta},
    room::Room,
    rows::Rows,
    say,
    wire::{Request, Wire, exchange},
};
use serde_json::{Value, json};

/// Texts that end a line, a string or a terminal's patience.
const TEXTS: [&str; 8] = [
    "a\r\nb: c",
    "a\u{0}b",
    "a\u{2028}b\u{2029}",
    "\u{1b}[2J\u{1b}]0;owned\u{7}",
    "\"},{\"event\":\"forged\"}",
    "\\u000a",
    "a\u{85}b",
    "\u{202e}gnp.exe",
];

struct Class {
    rows: Rows,
    room: Room,
}

#[test]
fn class_l() {
    let room = Room::start().unwrap();
    let mut class = Class { rows: Rows::new("L"), room };
    class.injections();
    class.identifiers();
    class.repeated();
    class.ordered();
    class.numbers();
    class.cardinality();
    crate::rows_l_files::run(&mut class.rows);
    class.rows.finish();
}

impl Class {
    /// One more record, the log still one JSON object a line, nothing in it that acts.
    fn inert(&mut self, send: impl FnOnce(&Room) -> anyhow::Result<Request>) -> anyhow::Result<()> {
        let request = send(&self.room)?;
        self.inert_bytes(&request.bytes())
    }

    fn inert_bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.room.forget()?;
        exchange(self.room.gateway.address, bytes)?;
        let decisions = self.room.records.decisions()?;
        ensure!(decisions.len() == 1, "{} decisions", decisions.len());
        for line in self.room.gateway.log().lines() {
            let object: serde_json::Map<_, _> =
                serde_json::from_str(line).with_context(|| format!("a broken line: {line:?}"))?;
            ensure!(object.contains_key("timestamp"), "a forged line: {line}");
            ensure!(line.len() < 16 * 1024, "a line of {} bytes", line.len());
        }
        let (code, shown) = self.room.gateway.command(&["journal", "show"])?;
        ensure!(code == 0, "`journal show` exited with {code}: {shown}");
        let bad = ['\u{1b}', '\u{0}', '\u{7}'];
        ensure!(!shown.contains(bad), "`journal show` prints control characters");
        Ok(())
    }

    fn injections(&mut self) {
        for text in TEXTS {
            let case = format!("{text:?}");
            let outcome = self.inert(|room| {
                let mut claims = room.claims();
                claims["sub"] = json!(text);
                Ok(room.caller(&claims)?.call("echo", json!({})))
            });
            self.rows.row(1, &format!("sub {case}"), outcome);
            let outcome = self.inert(|room| {
                let alice = room.alice()?;
                let body = call_body(&json!(text).to_string(), "{}");
                Ok(alice.mirrored("tools/call", Some("echo"), body))
            });
            self.rows.row(1, &format!("tool {case}"), outcome);
            let outcome =
                self.inert(|room| Ok(room.alice()?.call("echo", json!({ "text": text, text: 1 }))));
            self.rows.twin(1, &format!("arguments {case}"), outcome);
            let clean: String = text.chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
            let outcome = self.inert(|room| {
                Ok(room.alice()?.call("echo", json!({})).header("User-Agent", &clean))
            });
            self.rows.row(1, &format!("user agent {case}"), outcome);
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let outcome = self.inert(|room| {
                let mut request = room.alice()?.call("echo", json!({}));
                request.target = format!("/c/{escaped}/mcp");
                Ok(request)
            });
            self.rows.row(1, &format!("path {case}"), outcome);
        }
        let long = "x".repeat(1024 * 1024);
        let outcome = self.inert(|room| {
            let body = call_body(&json!(long).to_string(), "{}");
            Ok(room.alice()?.mirrored("tools/call", Some("echo"), body))
        });
        self.rows.row(1, "1 MB tool name", outcome);
        let outcome = self.inert(|room| {
            let mut request = room.alice()?.call("echo", json!({}));
            request.body = b"{\"a\":\"\xff\xfe\"}".to_vec();
            Ok(request)
        });
        self.rows.row(1, "invalid UTF-8", outcome);
    }

    fn identifiers(&mut self) {
        let forged = "0af7651916cd43dd8448eb211c80319c";
        let parent = format!("00-{forged}-b7ad6b7169203331-01");
        let call = |alice: &Caller| {
            let params = meta(json!({ "name": "echo", "arguments": {},
                "_meta": { "traceparent": parent } }));
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            alice
                .mirrored("tools/call", Some("echo"), body.to_string())
                .header("X-Request-Id", "forged-request-id")
                .header("Request-Id", "forged-request-id")
                .header("traceparent", &parent)
        };
        let outcome = (|| {
            let alice = self.room.alice()?;
            self.room.forget()?;
            let mut calls = Vec::new();
            for _ in 0..2 {
                exchange(alice.address, &call(&alice).bytes())?;
                let decision = self.room.one_decision(None)?;
                calls.push(decision.intent.context("an intent")?);
            }
            ensure!(calls[0].call != calls[1].call, "two calls with one id");
            let taken = calls.iter().any(|call| call.call.contains("forged"));
            ensure!(!taken, "the caller's request id was taken");
            Ok(())
        })();
        self.rows.row(2, "request id and traceparent", outcome);
        for parent in
            ["00-0-0-01", "ff-x", "00-00000000000000000000000000000000-0000000000000000-01"]
        {
            let outcome = self.inert(|room| {
                Ok(room.alice()?.call("echo", json!({})).header("traceparent", parent))
            });
            self.rows.twin(2, parent, outcome);
        }
    }

    /// What `journal show --json` prints, line by line.
    fn shown(&self) -> anyhow::Result<Vec<Value>> {
        let (code, text) = self.room.gateway.command(&["journal", "show", "--json"])?;
        ensure!(code == 0, "`journal show` exited with {code}: {text}");
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The same bytes again are another record.
    fn repeated(&mut self) {
        let outcome = (|| {
            let alice = self.room.alice()?;
            let request = alice.call("echo", json!({ "text": "again and again" }));
            for _ in 0..3 {
                self.room.passes(&request)?;
            }
            let (mut seqs, mut calls) = (BTreeSet::new(), BTreeSet::new());
            for record in self.shown()? {
                if record["event"]["intent"]["arguments"]["text"] == "again and again" {
                    seqs.insert(record["seq"].as_u64());
                    calls.insert(record["event"]["intent"]["call"].to_string());
                }
            }
            ensure!(seqs.len() == 3 && calls.len() == 3, "seq {seqs:?}, calls {calls:?}");
            Ok(())
        })();
        self.rows.row(3, "one request three times", outcome);
    }

    /// Many records of one millisecond: their order is their sequence number, and nothing else.
    fn ordered(&mut self) {
        let outcome = (|| {
            let alice = self.room.alice()?;
            let clients: Vec<_> = (0..8)
                .map(|client| {
                    let alice = alice.clone();
                    std::thread::spawn(move || -> anyhow::Result<()> {
                        let mut wire = Wire::open(alice.address)?;
                        for number in 0..25 {
                            let text = format!("order {client} {number}");
                            wire.send(&alice.call("echo", json!({ "text": text })).bytes());
                            ensure!(wire.reply()?.status == 200, "{text}");
                        }
                        Ok(())
                    })
                })
                .collect();
            for client in clients {
                client.join().map_err(|_| anyhow!("a client panicked"))??;
            }
            let records = self.shown()?;
            let (mut open, mut next, mut same, mut ended) =
                (BTreeMap::new(), BTreeMap::new(), 0, 0);
            for (at, record) in records.iter().enumerate() {
                ensure!(record["seq"] == at as u64 + 1, "record {at} is #{}", record["seq"]);
                let before = at.checked_sub(1).and_then(|before| records.get(before));
                same += usize::from(before.is_some_and(|before| before["time"] == record["time"]));
                let intent = &record["event"]["intent"];
                if let Some(order) = intent["arguments"]["text"].as_str()
                    && let Some((client, number)) =
                        order.strip_prefix("order ").and_then(|order| order.split_once(' '))
                {
                    let next: &mut u32 = next.entry(client.to_owned()).or_default();
                    ensure!(number.parse() == Ok(*next), "{order} comes before {next}");
                    *next += 1;
                    open.insert(intent["call"].to_string(), order.to_owned());
                }
                let outcome = record["event"]["outcome"]["call"].to_string();
                ended += usize::from(open.remove(&outcome).is_some());
            }
            ensure!(ended == 200 && open.is_empty(), "{ended} ended behind their intents");
            ensure!(same > 50, "only {same} records share a millisecond with the one before");
            Ok(())
        })();
        self.rows.row(4, "eight clients at once", outcome);
    }

    /// Numbers and booleans stand in the record as they came, and so does text that looks like one.
    fn numbers(&mut self) {
        let values = [
            "4711",
            "4711.0",
            "9007199254740993",
            "1.50e-3",
            "-0",
            "1e-7",
            "true",
            "false",
            "null",
        ];
        let twins = values.map(|value| (value.to_owned(), true));
        let texts = values.map(|value| (format!("\"{value}\""), false));
        for (value, twin) in twins.into_iter().chain(texts) {
            let outcome = (|| {
                let alice = self.room.alice()?;
                let arguments = format!(r#"{{"card":{value},"in":[{value},{{"deep":{value}}}]}}"#);
                self.room.forget()?;
                let reply = alice.send(&alice.call_raw("any", &arguments))?;
                ensure!(reply.status == 200, "{}", reply.text());
                let intent = self.room.one_decision(None)?.intent.context("an intent")?;
                let recorded = intent.arguments.to_string();
                ensure!(recorded == arguments, "{arguments} is recorded as {recorded}");
                Ok(())
            })();
            if twin {
                self.rows.twin(5, &value, outcome);
            } else {
                self.rows.row(5, &value, outcome);
            }
        }
    }

    /// Ten thousand users call as many tools: the metrics don't grow by a line for any of them.
    fn cardinality(&mut self) {
        const NAMES: u32 = 10_000;
        const CLIENTS: u32 = 4;
        let begun = Instant::now();
        let outcome = (|| {
            let (_, before) = self.room.gateway.ask_admin("/metrics")?;
            let mut clients = Vec::new();
            for client in 0..CLIENTS {
                let mut claims = self.room.claims();
                let mut requests = Vec::new();
                for number in (client..NAMES).step_by(CLIENTS as usize) {
                    claims["sub"] = json!(format!("user-{number}"));
                    let token = self.room.issuer.token("ed", &claims)?;
                    let caller = self.room.gateway.caller("main", Some(&token));
                    requests.push(caller.call(&format!("tool-{number}"), json!({})).bytes());
                }
                let address = self.room.gateway.address;
                clients.push(std::thread::spawn(move || -> anyhow::Result<()> {
                    let mut wire = Wire::open(address)?;
                    for request in requests {
                        wire.send(&request);
                        let status = wire.reply()?.status;
                        ensure!(status == 200, "status {status}");
                    }
                    Ok(())
                }));
            }
            for client in clients {
                client.join().map_err(|_| anyhow!("a client panicked"))??;
            }
            let (status, after) = self.room.gateway.ask_admin("/metrics")?;
            let (before, lines) = (before.lines().count(), after.lines().count());
            ensure!(status == 200 && lines <= before + 8, "{before} lines became {lines}");
            ensure!(!after.contains("user-") && !after.contains("tool-"), "a name is a label");
            say(&format!(
                "L6: {NAMES} users with a tool each, {:?}: {before} lines of metrics, then {lines}",
                begun.elapsed()
            ));
            Ok(())
        })();
        self.rows.row(6, "10,000 users and tools", outcome);
    }
}
