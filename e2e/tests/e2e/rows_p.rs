//! Class P: ways around a policy.

mod budgets;
mod guard;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::{Caller, LEGACY, call_body, meta},
    rig::{Act, Next, Upstream, json_reply, stream},
    room::{POLICIES, Refused, Room, connection, no_secret},
    rows::Rows,
    wire::{Reply, Request, Wire, data_of, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Reasons for "there is no such thing for you".
const UNKNOWN: &[Reason] =
    &[Reason::TargetUnknown, Reason::PolicyNoPermit, Reason::PolicyForbidden, Reason::PinNew];

/// Who may call `echo` when, or from where.
const TIMES_AND_PLACES: &str = r#"
permit (principal in Group::"idp/leap-day", action == Action::"main/echo", resource)
when { context.local["Europe/Berlin"].date == "2024-02-29" };
permit (principal in Group::"idp/hour-24", action == Action::"main/echo", resource)
when { context.local["Europe/Berlin"].hour > 23 };
permit (principal in Group::"idp/any-day", action == Action::"main/echo", resource)
when {
  ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    .contains(context.local["America/Sao_Paulo"].weekday)
};
permit (principal in Group::"idp/inside", action == Action::"main/echo", resource)
when { context.peer.isInRange(ip("127.0.0.9/32")) };
"#;

struct Class {
    rows: Rows,
    room: Room,
    alice: Caller,
    two: Upstream,
    packs: TempDir,
}

#[test]
fn class_p() {
    let two = Upstream::start().unwrap();
    let packs = tempfile::tempdir().unwrap();
    let pack = packs.path().join("many.yaml");
    std::fs::write(&pack, guard::PACK).unwrap();
    let room = Room::start_with(|plan, _, _| {
        let settings = &mut plan.settings;
        let all = settings["connections"].as_array_mut().unwrap();
        let mut guarded = connection("two", &two.url());
        guarded["labels"] = json!({ "env": "prod" });
        guarded["guard"] = json!({ "packs": [pack] });
        all.push(guarded);
        plan.policies.push_str(&guard::policies());
        plan.policies.push_str(TIMES_AND_PLACES);
        settings["limits"] = json!({ "identity_calls_max": 4 });
    });
    let room = room.unwrap();
    let alice = room.alice().unwrap();
    let mut class = Class { rows: Rows::new("P"), room, alice, two, packs };
    class.names();
    class.hours();
    class.places();
    class.neighbours();
    class.guard();
    class.other_doors();
    class.own_bits();
    class.servers_questions();
    class.budgets();
    class.rates();
    class.claims_in_the_body();
    class.lists();
    class.rows.finish();
}

impl Class {
    /// The same answer as for a tool that does not exist.
    fn unknown(&mut self, row: u32, case: &str, request: &Request) {
        let expected = Refused { status: 200, code: Some(-32602), reasons: UNKNOWN };
        let outcome = self.room.refuses(request, &expected).map(drop);
        self.rows.row(row, case, outcome);
    }

    fn passes(&mut self, row: u32, case: &str, request: &Request) {
        let outcome = self.room.passes(request).map(drop);
        self.rows.twin(row, case, outcome);
    }

    /// A policy's no to anything but a tool: a JSON-RPC error with a code of our own.
    fn denied(&mut self, row: u32, case: &str, request: &Request) {
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &request.bytes())?;
            let code = reply.rpc_code();
            let told = code.is_some_and(|code| code > 0 || code == -32602);
            ensure!(
                told && matches!(reply.status, 200 | 400),
                "{}: {}",
                reply.status,
                reply.text()
            );
            self.room.nothing_forwarded()?;
            no_secret(&reply)?;
            let reasons = [UNKNOWN, &[Reason::RpcParams]].concat();
            self.room.one_decision(Some(&reasons)).map(drop)
        })();
        self.rows.row(row, case, outcome);
    }

    fn named(&self, name: &str) -> Request {
        let value = base64_sentinel(name);
        let body = call_body(&json!(name).to_string(), "{}");
        self.alice.mirrored("tools/call", Some(&value), body)
    }

    fn names(&mut self) {
        for name in ["Delete_row", "DELETE_ROW", "Echo", "eCho"] {
            self.unknown(1, name, &self.named(name));
        }
        for name in [
            "d\u{435}lete_row",
            "\u{ff45}cho",
            "e\u{301}cho",
            "\u{e9}cho",
            "ec\u{200d}ho",
            "\u{202e}echo",
            "ec\u{ad}ho",
            "echo\u{fe0f}",
            "\u{feff}echo",
        ] {
            self.unknown(2, &format!("{name:?}"), &self.named(name));
        }
        for name in ["echo ", " echo", "echo\t", "echo\n", "echo\r\n", ""] {
            self.unknown(3, &format!("{name:?}"), &self.named(name));
        }
        let nul = self.named("echo\u{0}");
        let expected = Refused {
            status: 400,
            code: Some(-32602),
            reasons: &[Reason::RpcParams, Reason::TargetUnknown],
        };
        let outcome = self.room.refuses(&nul, &expected).map(drop).or_else(|_| {
            let expected = Refused { status: 200, ..expected };
            self.room.refuses(&nul, &expected).map(drop)
        });
        self.rows.row(3, "NUL", outcome);
        self.unknown(
            2,
            "a name that the server offers and the rule forbids",
            &self.named("bad name"),
        );
        for name in ["[\"echo\"]", "{\"name\":\"echo\"}", "7", "null", "true"] {
            let request = self.alice.mirrored("tools/call", Some("echo"), call_body(name, "{}"));
            let reasons = &[Reason::RpcParams, Reason::HeaderMismatch];
            let expected = Refused { status: 400, code: None, reasons };
            let outcome = self.room.refuses(&request, &expected).map(drop);
            self.rows.row(6, name, outcome);
        }
        self.passes(6, "a string", &self.named("echo"));
    }

    fn neighbours(&mut self) {
        for name in ["main/echo", "main/delete_row", "main.echo", "two/echo", "echo/", "/echo"] {
            self.unknown(4, name, &self.named(name));
        }
        self.unknown(5, "forbidden on this connection", &self.named("delete_row"));
        let outcome = (|| {
            self.room.forget()?;
            self.two.take_all();
            let claims = self.room.issuer.claims(&self.room.gateway.url("two"));
            let token = self.room.issuer.token("rsa", &claims)?;
            let caller = self.room.gateway.caller("two", Some(&token));
            let reply = caller.send(&caller.call("delete_row", json!({})))?;
            ensure!(reply.json()?["result"].is_object(), "{}", reply.text());
            ensure!(self.two.take_seen().len() == 1, "its own server was not called");
            self.room.nothing_forwarded()
        })();
        self.rows.twin(5, "the same name elsewhere", outcome);
        let claims = self.room.issuer.claims(&self.room.gateway.url("main"));
        let token = self.room.issuer.token("rsa", &claims).unwrap();
        let caller = self.room.gateway.caller("two", Some(&token));
        let request = caller.call("delete_row", json!({}));
        let expected = Refused { status: 401, code: None, reasons: &[Reason::TokenAudience] };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(5, "a token of the other connection", outcome);
    }

    fn get(&self, method: &str, params: Value) -> Request {
        self.alice.modern(&json!(1), method, params)
    }

    fn other_doors(&mut self) {
        self.unknown(7, "as a prompt", &self.get("prompts/get", json!({ "name": "delete_row" })));
        for uri in ["tool://delete_row", "delete_row"] {
            self.denied(7, uri, &self.get("resources/read", json!({ "uri": uri })));
        }
        for uri in [
            "file:///etc/passwd",
            "file:///srv/../etc/passwd",
            "file:///srv/%2e%2e/etc/passwd",
            "file:///srv/%2E%2E%2Fetc/passwd",
            "file://host/srv/open.txt",
            "file:///srv/./../x",
            "FILE:///etc/passwd",
            "file:/etc/passwd",
            "file:////etc/passwd",
            "//srv/open.txt",
            "file:///srv/\u{0}x",
            "file:///srv/a\nb",
            "file:///SRV/open.txt",
            "file:///srv",
        ] {
            let uri_header = base64_sentinel(uri);
            let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "resources/read",
                "params": meta(json!({ "uri": uri })) });
            let request =
                self.alice.mirrored("resources/read", Some(&uri_header), body.to_string());
            self.denied(8, uri, &request);
        }
        let open = self.get("resources/read", json!({ "uri": "file:///srv/open.txt" }));
        self.passes(8, "file:///srv/open.txt", &open);
        for id in ["..%2f..%2fetc/passwd", "%2e%2e/%2e%2e/etc/passwd", "a/../../etc/shadow"] {
            let uri = format!("file:///srv/{id}");
            self.denied(9, id, &self.get("resources/read", json!({ "uri": uri })));
        }
        self.passes(
            9,
            "a harmless expansion",
            &self.get("resources/read", json!({ "uri": "file:///srv/a/b.txt" })),
        );
        let complete = |name: &str| {
            json!({ "ref": { "type": "ref/prompt", "name": name },
                "argument": { "name": "a", "value": "b" } })
        };
        let hidden = self.get("completion/complete", complete("hidden_prompt"));
        self.unknown(10, "completion of a hidden prompt", &hidden);
        let open = self.get("completion/complete", complete("open_prompt"));
        self.passes(10, "completion of an open prompt", &open);
        let hidden = self.get("prompts/get", json!({ "name": "hidden_prompt" }));
        self.unknown(10, "a hidden prompt", &hidden);
        for method in ["tasks/get", "tasks/cancel", "tasks/update"] {
            self.denied(11, method, &self.get(method, json!({ "taskId": "t1" })));
        }
        for method in ["tasks/future", "tools/install", "x/y"] {
            let request = self.get(method, json!({}));
            let reasons = &[Reason::RpcMethodUnknown];
            let expected = Refused { status: 404, code: Some(-32601), reasons };
            let outcome = self.room.refuses(&request, &expected).map(drop);
            self.rows.row(11, method, outcome);
        }
    }

    fn own_bits(&mut self) {
        let listen = self
            .get("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
        self.denied(12, "subscriptions/listen", &listen);
        let session = self.alice.initialize(LEGACY).unwrap();
        for (method, params) in [
            ("logging/setLevel", json!({ "level": "debug" })),
            ("resources/subscribe", json!({ "uri": "file:///srv/open.txt" })),
        ] {
            let request = self.alice.legacy(Some(&session), &json!(1), method, params);
            self.denied(12, method, &request);
        }
        let granted = format!(
            "{POLICIES}\npermit (principal in Group::\"idp/staff\", action in [Action::\"set_log_level\", Action::\"subscribe\"], resource);"
        );
        self.room.gateway.write_policies(&granted).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let level = json!({ "level": "debug" });
        let request = self.alice.legacy(Some(&session), &json!(2), "logging/setLevel", level);
        self.passes(12, "logging/setLevel once permitted", &request);
        self.room.gateway.write_policies(POLICIES).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
    }

    fn servers_questions(&mut self) {
        let questions = json!({ "name": { "method": "elicitation/create",
            "params": { "mode": "form", "message": "your password?",
                "requestedSchema": { "type": "object", "properties": {} } } } });
        let result = json!({ "jsonrpc": "2.0", "id": 1, "result": {
            "resultType": "input_required", "requestState": "s", "inputRequests": questions } });
        let result = result.to_string();
        let act: Act = Arc::new(move |_, _, socket| {
            json_reply(socket, 200, &[], &result)?;
            Ok(Next::Keep)
        });
        let modern = self.alice.call("echo", json!({}));
        let outcome = self.unasked(&modern, act, "your password?");
        self.rows.row(12, "elicitation in a modern result", outcome);
        for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
            let question = json!({ "jsonrpc": "2.0", "id": "q1", "method": method,
                "params": { "message": "your password?" } });
            let answer = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [] } });
            let act: Act = Arc::new(move |_, _, socket| {
                stream::begin(socket)?;
                stream::event(socket, &question.to_string())?;
                stream::event(socket, &answer.to_string())?;
                stream::end(socket)?;
                Ok(Next::Keep)
            });
            let session = self.alice.initialize(LEGACY).unwrap();
            let params = json!({ "name": "echo", "arguments": {} });
            let legacy = self.alice.legacy(Some(&session), &json!(1), "tools/call", params);
            let outcome = self.unasked(&legacy, act, "your password?");
            self.rows.row(12, method, outcome);
        }
        self.room.upstream.behave();
    }

    /// The client must not see the question, and the record must say that it was kept from it.
    fn unasked(&mut self, request: &Request, act: Act, question: &str) -> anyhow::Result<()> {
        self.room.upstream.act("echo", act);
        self.room.forget()?;
        let reply = exchange(self.alice.address, &request.bytes())?;
        ensure!(!reply.text().contains(question), "the client was asked: {}", reply.text());
        ensure!(reply.whole, "the answer broke off");
        let last = reply.json()?;
        ensure!(last["id"] == 1, "no final message: {}", reply.text());
        std::thread::sleep(Duration::from_millis(50));
        let events = self.room.records.fresh()?;
        let noted = events.iter().any(|event| {
            serde_json::to_string(event).is_ok_and(|text| text.contains("server_request.denied"))
        });
        ensure!(noted, "not recorded");
        Ok(())
    }

    /// Somebody of this group alone.
    fn of(&self, group: &str) -> Caller {
        let mut claims = self.room.claims();
        claims["groups"] = json!([group]);
        self.room.caller(&claims).unwrap()
    }

    fn hours(&mut self) {
        let leap = self.of("leap-day").call("echo", json!({}));
        self.unknown(22, "on another day", &leap);
        let never = self.of("hour-24").call("echo", json!({}));
        self.unknown(22, "at an hour that no clock shows", &never);
        let now = self.of("any-day").call("echo", json!({}));
        self.passes(22, "on a day of the week", &now);
    }

    fn places(&mut self) {
        let call = self.of("inside").call("echo", json!({}));
        for (name, value) in [
            ("X-Forwarded-For", "127.0.0.9"),
            ("X-Forwarded-For", "::ffff:127.0.0.9"),
            ("Forwarded", "for=127.0.0.9"),
            ("X-Real-IP", "127.0.0.9"),
            ("True-Client-IP", "127.0.0.9"),
        ] {
            self.unknown(23, &format!("{name}: {value}"), &call.clone().header(name, value));
        }
        let outcome = (|| {
            self.room.forget()?;
            let mut wire = Wire::open_from("127.0.0.9", self.room.gateway.address)?;
            wire.send(&call.header("X-Forwarded-For", "10.0.0.1").bytes());
            let reply = wire.reply()?;
            expect_status(&reply, 200)?;
            ensure!(reply.json()?["result"].is_object(), "no result: {}", reply.text());
            let peer = self.room.one_decision(None)?.intent.map(|intent| intent.peer);
            ensure!(peer.as_deref() == Some("127.0.0.9"), "recorded peer {peer:?}");
            Ok(())
        })();
        self.rows.twin(23, "from that address", outcome);
    }

    fn rates(&mut self) {
        self.room.upstream.act(
            "any",
            Arc::new(|_, message, socket| {
                std::thread::sleep(Duration::from_millis(1500));
                let answer = lockgate_e2e::rig::answer(&message["id"], b"{}");
                json_reply(socket, 200, &[], &answer)
            }),
        );
        let held: Vec<_> = (0..4)
            .map(|_| {
                let (caller, call) = (self.alice.clone(), self.alice.call("any", json!({})));
                std::thread::spawn(move || caller.send(&call).map(|reply| reply.status))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(500));
        for (name, value) in
            [("X-Forwarded-For", "9.9.9.9"), ("X-Client-Id", "another"), ("User-Agent", "another")]
        {
            let request = self.alice.call("echo", json!({})).header(name, value);
            let expected = Refused { status: 429, code: None, reasons: &[Reason::TooMany] };
            let outcome = (|| {
                let reply = exchange(self.alice.address, &request.bytes())?;
                expect_status(&reply, expected.status)?;
                ensure!(reply.header("retry-after").is_some(), "no Retry-After");
                Ok(())
            })();
            self.rows.row(25, name, outcome);
        }
        let outcome = (|| {
            for one in held {
                let status = one.join().map_err(|_| anyhow::anyhow!("a caller died"))??;
                ensure!(status == 200, "an admitted call got {status}");
            }
            Ok(())
        })();
        self.rows.twin(25, "the calls that were admitted", outcome);
        self.room.upstream.behave();
        let request = self.alice.call("echo", json!({}));
        self.passes(25, "afterwards", &request);
    }

    fn claims_in_the_body(&mut self) {
        self.unknown(26, "a destructive tool that says readOnlyHint", &self.named("delete_row"));
        let dressed = |name: &str| {
            let params = meta(json!({ "name": name, "arguments": {}, "_meta": {
                "role": "admin", "user": "root", "groups": ["idp/admin"], "sub": "root",
                "approval": "granted", "io.lockgate/approvals": ["idp/admin"] } }));
            json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params })
        };
        for name in ["hidden", "delete_row"] {
            let body = dressed(name).to_string();
            self.unknown(27, name, &self.alice.mirrored("tools/call", Some(name), body));
        }
        let body = dressed("echo").to_string();
        let request = self.alice.mirrored("tools/call", Some("echo"), body);
        let outcome = (|| {
            self.room.forget()?;
            expect_status(&exchange(self.alice.address, &request.bytes())?, 200)?;
            let intent = self.room.one_decision(None)?.intent;
            let intent = intent.ok_or_else(|| anyhow::anyhow!("no intent"))?;
            ensure!(intent.subject == "alice" && intent.groups == ["idp/staff"], "{intent:?}");
            Ok(())
        })();
        self.rows.twin(27, "who it was is what the token says", outcome);
        let drop_table = self.alice.call("echo", json!({ "text": "x; DROP TABLE users" }));
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &drop_table.bytes())?;
            expect_status(&reply, 200)?;
            let result = reply.json()?["result"].clone();
            ensure!(result["isError"] == true, "{}", reply.text());
            ensure!(result["resultType"] == "complete", "{}", reply.text());
            ensure!(reply.text().contains("no-drop"), "the policy is not named: {}", reply.text());
            self.room.nothing_forwarded()?;
            self.room.one_decision(Some(&[Reason::PolicyForbidden])).map(drop)
        })();
        self.rows.row(28, "a visible tool, refused for its arguments", outcome);
    }

    fn lists(&mut self) {
        let outcome = (|| {
            let names = self.listed(&self.alice.clone())?;
            for hidden in ["delete_row", "hidden", "bad name"] {
                ensure!(!names.iter().any(|name| name == hidden), "{hidden} is listed");
            }
            ensure!(names.first().is_some_and(|name| name == "echo"), "the order: {names:?}");
            Ok(())
        })();
        self.rows.row(28, "absent from the list", outcome);
        let outcome = self.alike();
        self.rows.row(28, "the same answer and timing as an unknown tool", outcome);
        self.room.upstream.act(
            "tools/list",
            Arc::new(|_, message, socket| {
                let cursor = message["params"]["cursor"].as_str().unwrap_or_default().to_owned();
                let body = if cursor.is_empty() || cursor == "page-2" {
                    let tools = lockgate_e2e::rig::tools();
                    json!({ "jsonrpc": "2.0", "id": message["id"], "result": { "tools": tools,
                        "resultType": "complete", "ttlMs": 1, "cacheScope": "public" } })
                } else {
                    json!({ "jsonrpc": "2.0", "id": message["id"],
                        "error": { "code": -32602, "message": "Invalid cursor" } })
                };
                json_reply(socket, 200, &[], &body.to_string())
            }),
        );
        let page = |cursor: &str| self.get("tools/list", json!({ "cursor": cursor }));
        let (forged, other) = (page("forged"), page("page-2"));
        let outcome = (|| {
            let reply = self.alice.send(&forged)?;
            ensure!(reply.rpc_code() == Some(-32602), "{}", reply.text());
            Ok(())
        })();
        self.rows.row(29, "forged", outcome);
        let outcome = (|| {
            let reply = self.alice.send(&other)?;
            ensure!(reply.json()?["result"].is_object(), "{}", reply.text());
            ensure!(!reply.text().contains("delete_row"), "another user's page shows more");
            Ok(())
        })();
        self.rows.row(29, "another user's", outcome);
        self.room.upstream.behave();
    }

    fn listed(&self, caller: &Caller) -> anyhow::Result<Vec<String>> {
        let reply = caller.send(&caller.modern(&json!(1), "tools/list", json!({})))?.json()?;
        let tools = reply["result"]["tools"].as_array().cloned().unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| Some(tool["name"].as_str()?.to_owned())).collect())
    }

    fn alike(&mut self) -> anyhow::Result<()> {
        let mut median = [Duration::ZERO; 2];
        let mut bodies: Vec<Reply> = Vec::new();
        for (index, name) in ["delete_row", "no_such_row"].iter().enumerate() {
            let request = self.alice.call(name, json!({}));
            let mut times = Vec::new();
            for _ in 0..40 {
                let begun = Instant::now();
                let reply = exchange(self.alice.address, &request.bytes())?;
                times.push(begun.elapsed());
                bodies.push(reply);
            }
            times.sort_unstable();
            median[index] = times[times.len() / 2];
        }
        let same = bodies.iter().all(|reply| reply.body == bodies[0].body && reply.status == 200);
        ensure!(same, "another answer: {} / {}", bodies[0].text(), bodies[79].text());
        let apart = median[0].abs_diff(median[1]);
        ensure!(apart < Duration::from_millis(5), "medians {median:?}");
        ensure!(data_of("data: x\n\n") == ["x"], "the reader of streams");
        Ok(())
    }
}

/// Text as a header value: as it is where it can be, coded where it can't.
fn base64_sentinel(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let plain = |c: char| c.is_ascii_graphic();
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with("=?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", STANDARD.encode(text))
}
