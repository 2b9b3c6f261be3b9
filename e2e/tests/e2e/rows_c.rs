//! Class C: one client's answers, sessions and streams never reach another.

use std::{
    io::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    mcp::{Caller, LEGACY, meta},
    rig::{Act, Next, json_reply, stream},
    room::{POLICIES, Room},
    rows::Rows,
    wire::{Reply, Request, Wire, exchange, expect_status},
};
use serde_json::{Value, json};

struct Class {
    rows: Rows,
    room: Room,
    alice: Caller,
    bob: Caller,
}

#[test]
fn class_c() {
    let room = Room::start_with(|plan, _, _| {
        let settings = &mut plan.settings;
        settings["limits"] = json!({ "identity_sessions_max": 8 });
    });
    let room = room.unwrap();
    let streams =
        "permit (principal in Group::\"idp/staff\", action == Action::\"subscribe\", resource);";
    room.gateway.write_policies(&format!("{POLICIES}{streams}")).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    let alice = room.alice().unwrap();
    let bob = person(&room, "bob", &["staff"]);
    let mut class = Class { rows: Rows::new("C"), room, alice, bob };
    class.ids();
    class.sessions();
    class.streams();
    class.lists();
    class.states();
    class.rows.finish();
}

fn person(room: &Room, subject: &str, groups: &[&str]) -> Caller {
    let mut claims = room.claims();
    claims["sub"] = json!(subject);
    claims["groups"] = json!(groups);
    room.caller(&claims).unwrap()
}

impl Class {
    fn ids(&mut self) {
        let outcome = self.crowd();
        self.rows.twin(1, "25 clients, 20 calls each, all with id 1", outcome);
        let outcome = self.foreign_cancel();
        self.rows.row(2, "cancel of another's id", outcome);
        let outcome = self.same_token();
        self.rows.row(3, "the same progress token", outcome);
    }

    fn crowd(&mut self) -> anyhow::Result<()> {
        let crowd: Vec<_> = (0..25)
            .map(|number| {
                let caller = person(&self.room, &format!("user-{number}"), &["staff"]);
                std::thread::spawn(move || -> anyhow::Result<()> {
                    let mut wire = Wire::open(caller.address)?;
                    for round in 0..20 {
                        let marker = format!("marker-{number}-{round}-end");
                        wire.send(&caller.call("echo", json!({ "text": marker })).bytes());
                        let reply = wire.reply()?;
                        expect_status(&reply, 200)?;
                        let text = reply.text();
                        ensure!(text.contains(&marker), "{marker} got {text}");
                    }
                    Ok(())
                })
            })
            .collect();
        for one in crowd {
            one.join().map_err(|_| anyhow::anyhow!("a client died"))??;
        }
        Ok(())
    }

    fn foreign_cancel(&mut self) -> anyhow::Result<()> {
        self.room.upstream.act("echo", slow(Duration::from_millis(1500)));
        let (mine, theirs) = (self.alice.initialize(LEGACY)?, self.bob.initialize(LEGACY)?);
        let params = json!({ "name": "echo", "arguments": { "text": "mine" } });
        let call = self.alice.legacy(Some(&mine), &json!(77), "tools/call", params);
        let mut wire = self.alice.open(&call)?;
        std::thread::sleep(Duration::from_millis(300));
        let cancel = |session: &str| {
            let params = json!({ "requestId": 77 });
            self.bob.legacy(Some(session), &Value::Null, "notifications/cancelled", params)
        };
        self.room.upstream.take_all();
        let foreign = self.bob.send(&cancel(&mine))?;
        ensure!(foreign.status == 404, "in the other's session: {}", foreign.status);
        self.room.nothing_forwarded()?;
        let own = self.bob.send(&cancel(&theirs))?;
        ensure!(matches!(own.status, 202 | 400..500), "in the own session: {}", own.status);
        let reply = wire.reply()?;
        ensure!(reply.text().contains("mine"), "the call was lost: {}", reply.text());
        self.room.upstream.behave();
        Ok(())
    }

    fn same_token(&mut self) -> anyhow::Result<()> {
        self.room.upstream.act("echo", progress());
        let call = |caller: &Caller, text: &str| {
            let params = meta(json!({ "name": "echo", "arguments": { "text": text },
                "_meta": { "progressToken": "shared" } }));
            let body =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
            caller.mirrored("tools/call", Some("echo"), body.to_string())
        };
        let mut one = self.alice.open(&call(&self.alice, "for-alice"))?;
        let mut two = self.bob.open(&call(&self.bob, "for-bob"))?;
        let (one, two) = (one.reply()?.text(), two.reply()?.text());
        ensure!(one.contains("for-alice") && !one.contains("for-bob"), "alice: {one}");
        ensure!(two.contains("for-bob") && !two.contains("for-alice"), "bob: {two}");
        self.room.upstream.behave();
        Ok(())
    }

    fn status(&mut self, row: u32, case: &str, request: &Request, statuses: &[u16]) {
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.alice.address, &request.bytes())?;
            ensure!(statuses.contains(&reply.status), "{}: {}", reply.status, reply.text());
            let decisions = self.room.records.decisions()?;
            ensure!(decisions.len() == 1, "{} decisions", decisions.len());
            self.room.nothing_forwarded()
        })();
        self.rows.row(row, case, outcome);
    }

    fn sessions(&mut self) {
        let session = self.alice.initialize(LEGACY).unwrap();
        let params = json!({ "name": "echo", "arguments": { "text": "s" } });
        let call = |caller: &Caller, session: Option<&str>| {
            caller.legacy(session, &json!(1), "tools/call", params.clone())
        };
        self.status(4, "another's session", &call(&self.bob, Some(&session)), &[404]);
        let listen =
            Request { method: "GET".into(), body: vec![], ..call(&self.bob, Some(&session)) };
        self.status(4, "its stream", &listen, &[404]);
        let delete = Request { method: "DELETE".into(), ..listen.clone() };
        self.status(4, "its end", &delete, &[404]);
        for guess in ["guess", "upstream-session-0", "upstream-session-999", "", "a b", "\u{e9}"] {
            self.status(5, guess, &call(&self.bob, Some(guess)), &[400, 404]);
        }
        let absent = call(&self.alice, None).header("MCP-Protocol-Version", LEGACY);
        self.status(10, "no id, though one session lives", &absent, &[400]);
        let outcome = self.room.passes(&call(&self.alice, Some(&session))).map(drop);
        self.rows.twin(4, "the owner's", outcome);
        let demoted = person(&self.room, "alice", &["guests"]);
        let outcome = (|| {
            self.room.forget()?;
            let reply = demoted.send(&call(&demoted, Some(&session)))?;
            ensure!(reply.rpc_code() == Some(-32602), "{}", reply.text());
            self.room.nothing_forwarded()
        })();
        self.rows.row(6, "the same session after the role is gone", outcome);
        let init = json!({ "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": { "name": "c", "version": "1" } });
        let fixed = self.bob.legacy(None, &json!(1), "initialize", init);
        let fixed = fixed.header("Mcp-Session-Id", "chosen-by-client");
        let outcome = (|| {
            let reply = self.bob.send(&fixed)?;
            let minted = reply.header("mcp-session-id").unwrap_or_default();
            ensure!(minted != "chosen-by-client", "the client's id was taken");
            let reply = self.bob.send(&call(&self.bob, Some("chosen-by-client")))?;
            ensure!(reply.status == 404, "status {}", reply.status);
            Ok(())
        })();
        self.rows.row(8, "a session id that the client chose", outcome);
        let outcome = self.many_sessions();
        self.rows.row(9, "more sessions than the limit", outcome);
    }

    fn many_sessions(&mut self) -> anyhow::Result<()> {
        let carol = person(&self.room, "carol", &["staff"]);
        let init = json!({ "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": { "name": "c", "version": "1" } });
        let open = carol.legacy(None, &json!(1), "initialize", init);
        let mut last = None;
        for number in 0..9 {
            let reply = carol.send(&open)?;
            let status = if number < 8 { 200 } else { 429 };
            ensure!(reply.status == status, "session {number}: {}", reply.status);
            last = reply.header("mcp-session-id").map(str::to_owned).or(last);
        }
        let last = last.context("a session")?;
        let end = carol.legacy(Some(&last), &Value::Null, "x", json!({}));
        let end = Request { method: "DELETE".into(), body: vec![], ..end };
        let ended = carol.send(&end)?;
        ensure!((200..300).contains(&ended.status), "DELETE: {}", ended.status);
        expect_status(&carol.send(&open)?, 200)?;
        Ok(())
    }

    fn streams(&mut self) {
        let outcome = self.foreign_event();
        self.rows.row(7, "another stream's event id", outcome);
        let outcome = self.two_listeners();
        self.rows.row(11, "GET twice", outcome);
    }

    fn foreign_event(&mut self) -> anyhow::Result<()> {
        // An upstream that replays by event id alone, whoever asks.
        let identified: Act = Arc::new(|_, message, socket| {
            let answer = lockgate_e2e::rig::answer(&message["id"], b"{}");
            let data = format!("id: event-of-alice\ndata: {answer}\n\n");
            let stream = format!("{}{:x}\r\n{data}\r\n0\r\n\r\n", stream::HEAD, data.len());
            socket.write_all(stream.as_bytes())?;
            Ok(Next::Keep)
        });
        self.room.upstream.act("echo", identified);
        let (mine, theirs) = (self.alice.initialize(LEGACY)?, self.bob.initialize(LEGACY)?);
        let params = json!({ "name": "echo", "arguments": {} });
        let reply =
            self.alice.send(&self.alice.legacy(Some(&mine), &json!(1), "tools/call", params))?;
        ensure!(reply.text().contains("id: event-of-alice"), "the id is lost: {}", reply.text());
        self.room.upstream.behave();
        self.room.upstream.take_all();
        let resume = |caller: &Caller, session: &str| {
            let get = caller.legacy(Some(session), &Value::Null, "x", json!({}));
            Request { method: "GET".into(), body: vec![], ..get }
                .with("Accept", "text/event-stream")
                .header("Last-Event-ID", "event-of-alice")
        };
        let reply = self.bob.send(&resume(&self.bob, &theirs))?;
        ensure!(reply.status != 200 || !reply.text().contains("alice"), "replayed to bob");
        ensure!(!self.was_resumed(), "the event id of another session went to the upstream");
        self.alice.send(&resume(&self.alice, &mine))?;
        ensure!(self.was_resumed(), "the owner's own event id did not go to the upstream");
        Ok(())
    }

    /// Whether the upstream was asked to go on after Alice's event since the last look.
    fn was_resumed(&self) -> bool {
        let seen = self.room.upstream.take_all();
        seen.iter().any(|seen| seen.heard.header("last-event-id") == Some("event-of-alice"))
    }

    fn two_listeners(&mut self) -> anyhow::Result<()> {
        let (mine, theirs) = (self.alice.initialize(LEGACY)?, self.bob.initialize(LEGACY)?);
        let stream: Act = Arc::new(|heard, _, socket| {
            let whose = heard.header("mcp-session-id").unwrap_or_default();
            stream::begin(socket)?;
            for _ in 0..5 {
                let note = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                    "params": { "level": "info", "data": whose } });
                stream::event(socket, &note.to_string())?;
                std::thread::sleep(Duration::from_millis(50));
            }
            stream::end(socket)?;
            Ok(Next::Keep)
        });
        self.room.upstream.act("GET", stream);
        let listen = |caller: &Caller, session: &str| -> anyhow::Result<Wire> {
            let get = caller.legacy(Some(session), &Value::Null, "x", json!({}));
            let get = Request { method: "GET".into(), body: vec![], ..get };
            caller.open(&get.with("Accept", "text/event-stream"))
        };
        let mut wires =
            [listen(&self.alice, &mine)?, listen(&self.alice, &mine)?, listen(&self.bob, &theirs)?];
        let mut replies: Vec<Reply> = Vec::new();
        for wire in &mut wires {
            replies.push(wire.reply()?);
        }
        self.room.upstream.behave();
        let (one, two, other) = (&replies[0], &replies[1], &replies[2]);
        ensure!(one.status == 200 && other.status == 200, "{} {}", one.status, other.status);
        ensure!(matches!(two.status, 200 | 409), "the second: {}", two.status);
        ensure!(!one.text().contains(&theirs) && !two.text().contains(&theirs), "mixed");
        ensure!(other.text().contains(&theirs) && !other.text().contains(&mine), "mixed");
        Ok(())
    }

    fn lists(&mut self) {
        let outcome = (|| {
            let list = |caller: &Caller| -> anyhow::Result<Value> {
                caller.send(&caller.modern(&json!(1), "tools/list", json!({})))?.json()
            };
            let staff = list(&self.alice)?;
            ensure!(
                staff["result"]["cacheScope"] == "private",
                "{}",
                staff["result"]["cacheScope"]
            );
            ensure!(staff["result"]["ttlMs"].is_u64(), "ttlMs {}", staff["result"]["ttlMs"]);
            let guest = person(&self.room, "guest", &["guests"]);
            let guest = list(&guest)?;
            ensure!(guest["result"]["tools"] == json!([]), "a guest sees {guest}");
            ensure!(guest["result"]["cacheScope"] == "private", "{guest}");
            Ok(())
        })();
        self.rows.row(12, "a public list, filtered", outcome);
    }

    fn states(&mut self) {
        let asks: Act = Arc::new(|_, message, socket| {
            if message["params"]["requestState"].is_string() {
                let answer = lockgate_e2e::rig::answer(&message["id"], b"{}");
                return json_reply(socket, 200, &[], &answer);
            }
            let body = json!({ "jsonrpc": "2.0", "id": message["id"], "result": {
                "resultType": "input_required", "requestState": "state-of-alice" } });
            json_reply(socket, 200, &[], &body.to_string())
        });
        self.room.upstream.act("echo", Arc::clone(&asks));
        self.room.upstream.act("any", asks);
        let answer = |caller: &Caller, tool: &str, state: Option<&str>| {
            let mut params = json!({ "name": tool, "arguments": {} });
            if let Some(state) = state {
                params["requestState"] = json!(state);
                params["inputResponses"] = json!({});
            }
            caller.modern(&json!(1), "tools/call", params)
        };
        let state = "state-of-alice";
        let first = self.alice.send(&answer(&self.alice, "echo", None));
        let asked = first.is_ok_and(|reply| reply.text().contains(state));
        self.rows.twin(
            13,
            "the question comes through",
            if asked { Ok(()) } else { Err(anyhow::anyhow!("no requestState")) },
        );
        for (case, request) in [
            ("another user", answer(&self.bob, "echo", Some(state))),
            ("another tool", answer(&self.alice, "any", Some(state))),
        ] {
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.alice.address, &request.bytes())?;
                ensure!(reply.json()?["error"].is_object(), "{}", reply.text());
                self.room.nothing_forwarded()
            })();
            self.rows.row(13, case, outcome);
        }
        let begun = Instant::now();
        let outcome = self.room.passes(&answer(&self.alice, "echo", Some(state))).map(drop);
        self.rows.twin(13, "its owner, the same tool", outcome);
        assert!(begun.elapsed() < Duration::from_secs(20));
        self.room.upstream.behave();
    }
}

/// Answers after a while.
fn slow(wait: Duration) -> Act {
    Arc::new(move |heard, message, socket| {
        std::thread::sleep(wait);
        let answer = lockgate_e2e::rig::answer(&message["id"], &heard.body);
        json_reply(socket, 200, &[], &answer)
    })
}

/// Reports its own text as progress, then answers with it.
fn progress() -> Act {
    Arc::new(|heard, message, socket| {
        let text = &message["params"]["arguments"]["text"];
        let token = &message["params"]["_meta"]["progressToken"];
        stream::begin(socket)?;
        for step in 1..5 {
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                "params": { "progressToken": token, "progress": step, "message": text } });
            stream::event(socket, &note.to_string())?;
            std::thread::sleep(Duration::from_millis(30));
        }
        stream::event(socket, &lockgate_e2e::rig::answer(&message["id"], &heard.body))?;
        stream::end(socket)?;
        Ok(Next::Keep)
    })
}
