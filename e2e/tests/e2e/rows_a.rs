//! Class A: approvals through the real binary: a call that is held, the people who answer, and the one
//! use. A15 is looked at in the console's own tests. Of A8, the millisecond and
//! clocks that are set back are the pure machine's own tests; what ends while a call waits (A9, A10, A14)
//! is in `rights`, with a real issuer.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    gateway::free_address,
    mcp::{Caller, LEGACY},
    rig::slack::SlackApi,
    room::{POLICIES, Room},
    rows::Rows,
    say,
    wire::{Reply, Request, Wire, data_of, exchange},
};
use lockgate_model::{ApprovalStep, Event};
use serde_json::{Value, json};

use crate::rows_a_clicks::a16;

mod access;
mod reads;

const ADMIN: &str = "urn:lockgate:admin";
/// How long a caller is kept waiting here.
const HOLD: Duration = Duration::from_millis(700);
const HELD: &str = r#"
@id("held")
@approvers("idp/reviewers")
@reason("writes are held")
forbid (principal, action == Action::"main/any", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };

@id("four-eyes")
@approvers("idp/reviewers")
@quorum("2")
@expires("5s")
forbid (principal, action == Action::"main/region", resource)
unless { context.approvals.contains(Group::"idp/reviewers") };
"#;

struct Class {
    rows: Rows,
    room: Room,
    api: SocketAddr,
}

#[test]
fn class_a() {
    let (api, slack) = (free_address().unwrap(), SlackApi::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let room = Room::start_with(|plan, _, _| {
        plan.policies.push_str(HELD);
        plan.policies.push_str(access::OPEN);
        plan.policies.push_str(reads::HELD);
        let settings = &mut plan.settings;
        settings["admin_api"] = json!({
            "address": api.to_string(), "issuers": ["idp"], "audience": ADMIN,
        });
        settings["approvals"] = json!({
            "hold_max_ms": HOLD.as_millis(), "grant_max_ms": 20_000, "identity_max": 3,
            "slack": [slack.settings(folder.path(), &json!({})).unwrap()],
        });
    });
    let mut class = Class { rows: Rows::new("A"), room: room.unwrap(), api };
    class.wait_for_api();
    class.arguments();
    class.reads();
    class.definitions_and_policies();
    class.who_answers();
    class.once();
    class.time();
    class.floods();
    class.leaving();
    class.quorum();
    class.access();
    class.legs();
    a16(&mut class.rows, class.api);
    class.crash();
    class.rows.finish();
}

/// What a held caller is told: that it waits, with which approval.
struct Pending {
    id: String,
    text: String,
}

impl Class {
    fn wait_for_api(&self) {
        let begun = Instant::now();
        while self.api("GET", "/approvals", "ann", "").is_err() {
            assert!(begun.elapsed() < Duration::from_secs(10), "the admin API does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn token(&self, who: &str, audience: &str, groups: &[&str], life_s: i64) -> String {
        let mut claims = self.room.issuer.claims(audience);
        claims["sub"] = who.into();
        claims["groups"] = groups.into();
        claims["exp"] = (claims["iat"].as_i64().unwrap() + life_s).into();
        self.room.issuer.token("rsa", &claims).unwrap()
    }

    fn caller(&self, who: &str) -> Caller {
        let token = self.token(who, &self.room.gateway.url("main"), &["staff"], 300);
        self.room.gateway.caller("main", Some(&token))
    }

    /// A request of the admin API by a reviewer.
    fn api(&self, method: &str, path: &str, who: &str, body: &str) -> anyhow::Result<Reply> {
        let token = self.token(who, ADMIN, &["reviewers"], 300);
        self.api_with(method, path, &token, body)
    }

    fn api_with(&self, verb: &str, path: &str, token: &str, body: &str) -> anyhow::Result<Reply> {
        let request = Request::new(verb, &format!("/api/v1{path}"), body.as_bytes().to_vec())
            .header("Host", &self.api.to_string())
            .header("Content-Type", "application/json")
            .header("Authorization", &format!("Bearer {token}"));
        exchange(self.api, &request.bytes())
    }

    fn approve(&self, id: &str, who: &str) -> anyhow::Result<Value> {
        let shown = self.api("GET", &format!("/approvals/{id}"), who, "")?.json()?;
        let body = json!({ "arguments_digest": shown["approval"]["arguments_digest"] });
        let path = format!("/approvals/{id}/approve");
        let reply = self.api("POST", &path, who, &body.to_string())?;
        ensure!(reply.status == 200, "{}: {}", reply.status, reply.text());
        reply.json()
    }

    /// Calls `any`, and must be told to come again.
    fn held(&self, caller: &Caller, arguments: Value) -> anyhow::Result<Pending> {
        pending(&legacy(caller, "any", arguments)?)
    }

    /// Calls `any`, and must be answered by the server, once.
    fn passes(&self, caller: &Caller, arguments: Value) -> anyhow::Result<()> {
        self.room.upstream.take_all();
        let answer = legacy(caller, "any", arguments)?;
        ensure!(answer["result"]["isError"] != true, "{answer}");
        let seen = self.room.upstream.take_seen().len();
        ensure!(seen == 1, "{seen} calls reached the server");
        Ok(())
    }

    fn nothing_sent(&self) -> anyhow::Result<()> {
        let seen = self.room.upstream.take_seen();
        ensure!(seen.is_empty(), "{} calls reached the server", seen.len());
        Ok(())
    }

    fn arguments(&mut self) {
        let bot = self.caller("args");
        let grant = |arguments: Value| -> anyhow::Result<Pending> {
            self.room.upstream.take_all();
            let pending = self.held(&bot, arguments)?;
            ensure!(pending.text.contains("idp/reviewers"), "{}", pending.text);
            ensure!(pending.text.contains("writes are held"), "{}", pending.text);
            ensure!(pending.text.contains("identical"), "{}", pending.text);
            self.nothing_sent()?;
            self.approve(&pending.id, "ann")?;
            Ok(pending)
        };
        let first = grant(json!({ "table": "orders", "limit": 1 }));
        let swapped = first.and_then(|first| {
            let other = self.held(&bot, json!({ "table": "users", "limit": 1 }))?;
            ensure!(other.id != first.id, "the grant is for other arguments");
            self.nothing_sent()?;
            self.api(
                "POST",
                &format!("/approvals/{}/reject", other.id),
                "ann",
                r#"{"reason":"no"}"#,
            )?;
            let told = legacy(&bot, "any", json!({ "table": "users", "limit": 1 }))?.to_string();
            ensure!(told.contains("approval.rejected"), "{told}");
            Ok(())
        });
        let spelled = self
            .raw(&bot, r#"{ "limit": 1.0,  "table":"orders" }"#)
            .and_then(|answer| pending(&answer).map(drop));
        let twin = self.raw(&bot, r#"{ "limit" : 1,  "table":"orders" }"#).and_then(|answer| {
            ensure!(answer["result"]["isError"] != true, "{answer}");
            Ok(())
        });
        self.rows.row(1, "other arguments", swapped);
        self.rows.row(2, "1.0 is not 1", spelled);
        self.rows.twin(2, "key order and white space", twin);
    }

    fn raw(&self, caller: &Caller, arguments: &str) -> anyhow::Result<Value> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"any","arguments":{arguments}}}}}"#
        );
        let session = caller.initialize(LEGACY)?;
        let request = caller.post(body).header("Mcp-Session-Id", &session);
        answer(&caller.send(&request.header("MCP-Protocol-Version", LEGACY))?)
    }

    fn definitions_and_policies(&mut self) {
        let bot = self.caller("changes");
        let policies = format!("{POLICIES}{HELD}{}", access::OPEN);
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "x": 1 }))?;
            self.approve(&pending.id, "ann")?;
            // Another policy holds the call as well now: nobody has approved that.
            let more = HELD.replace("@id(\"held\")", "@id(\"also-held\")");
            let more = more.split("@id(\"four-eyes\")").next().context("one policy")?.to_owned();
            self.reload(&format!("{policies}{more}"))?;
            self.room.upstream.take_all();
            let other = self.held(&bot, json!({ "x": 1 }))?;
            ensure!(other.id != pending.id, "the grant is under other policies");
            self.nothing_sent()
        })();
        self.rows.row(3, "another policy", outcome);
        self.reload(&policies).unwrap();
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "x": 2 }))?;
            self.approve(&pending.id, "ann")?;
            self.passes(&bot, json!({ "x": 2 }))
        })();
        self.rows.twin(3, "the policies as they were", outcome);
    }

    /// Puts other policies in force.
    fn reload(&self, policies: &str) -> anyhow::Result<()> {
        let versions = || -> anyhow::Result<usize> {
            let events = self.room.gateway.records().all()?.into_iter();
            Ok(events.filter(|event| matches!(event, Event::Snapshot { .. })).count())
        };
        let (before, begun) = (versions()?, Instant::now());
        self.room.gateway.write_policies(policies)?;
        while versions()? == before {
            ensure!(begun.elapsed() < Duration::from_secs(10), "the policies are not in force");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn who_answers(&mut self) {
        let bot = self.caller("self");
        let pending = self.held(&bot, json!({ "who": 1 })).unwrap();
        let path = format!("/approvals/{}", pending.id);
        let shown = self.api("GET", &path, "ann", "").unwrap().json().unwrap();
        let yes = json!({ "arguments_digest": shown["approval"]["arguments_digest"] }).to_string();
        let approve = format!("{path}/approve");
        let told = |reply: anyhow::Result<Reply>, status: u16| -> anyhow::Result<()> {
            let reply = reply?;
            ensure!(reply.status == status, "{}: {}", reply.status, reply.text());
            Ok(())
        };
        let own = self.token("self", ADMIN, &["reviewers"], 300);
        let outcome = told(self.api_with("POST", &approve, &own, &yes), 403);
        self.rows.row(4, "one's own, by a group gained since", outcome);
        let lost = self.token("ann", ADMIN, &["staff"], 300);
        let outcome = told(self.api_with("POST", &approve, &lost, &yes), 404);
        self.rows.row(10, "the group was lost between view and click", outcome);
        let outcome = told(self.api_with("GET", &path, &lost, ""), 404)
            .and_then(|()| told(self.api("GET", "/approvals/a0", "ann", ""), 404));
        self.rows.row(11, "an id that is known or guessed", outcome);
        let outcome = told(self.api("GET", &approve, "ann", ""), 405)
            .and_then(|()| told(self.api("HEAD", &approve, "ann", ""), 405))
            .and_then(|()| told(self.api("POST", &approve, "ann", ""), 400));
        self.rows.row(12, "a link that is only fetched", outcome);
        let other = json!({ "arguments_digest": "0".repeat(64) }).to_string();
        let outcome = told(self.api("POST", &approve, "ann", &other), 409);
        self.rows.row(1, "a yes to what was not shown", outcome);
        // A6: the first answer stands.
        let outcome = told(self.api("POST", &approve, "ann", &yes), 200)
            .and_then(|()| told(self.api("POST", &approve, "bob", &yes), 409))
            .and_then(|()| {
                let no = r#"{"reason":"too late"}"#;
                told(self.api("POST", &format!("{path}/reject"), "bob", no), 409)
            });
        self.rows.row(6, "a second answer", outcome);
        let outcome = self.passes(&bot, json!({ "who": 1 }));
        self.rows.twin(4, "somebody else", outcome);
    }

    fn once(&mut self) {
        let bot = self.caller("once");
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "n": 1 }))?;
            let again = self.held(&bot, json!({ "n": 1 }))?;
            ensure!(again.id == pending.id, "identical questions are one");
            self.approve(&pending.id, "ann")?;
            self.passes(&bot, json!({ "n": 1 }))?;
            let third = self.held(&bot, json!({ "n": 1 }))?;
            ensure!(third.id != pending.id, "it was used");
            self.nothing_sent()
        })();
        self.rows.row(5, "a second use", outcome);
        let bot = self.caller("race");
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "n": 2 }))?;
            self.approve(&pending.id, "ann")?;
            self.room.upstream.take_all();
            let passed = std::thread::scope(|scope| {
                let racers: Vec<_> = (0..64)
                    .map(|_| scope.spawn(|| legacy(&bot, "any", json!({ "n": 2 }))))
                    .collect();
                let answers = racers.into_iter().filter_map(|racer| racer.join().ok()?.ok());
                answers.filter(|answer| answer["result"]["isError"] != true).count()
            });
            let sent = self.room.upstream.take_seen().len();
            ensure!(passed == 1 && sent == 1, "{passed} answered, {sent} sent");
            Ok(())
        })();
        self.rows.row(7, "64 at once", outcome);
    }

    fn time(&mut self) {
        let bot = self.caller("late");
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "late": 1 }))?;
            let path = format!("/approvals/{}", pending.id);
            let shown = self.api("GET", &path, "ann", "")?.json()?;
            let until = (jiff::Timestamp::now() + Duration::from_secs(2)).to_string();
            let digest = &shown["approval"]["arguments_digest"];
            let body = json!({ "arguments_digest": digest, "until": until });
            let reply = self.api("POST", &format!("{path}/approve"), "ann", &body.to_string())?;
            ensure!(reply.status == 200, "{}", reply.text());
            std::thread::sleep(Duration::from_millis(2_100));
            let again = self.held(&bot, json!({ "late": 1 }))?;
            ensure!(again.id != pending.id, "the grant was over");
            self.nothing_sent()
        })();
        self.rows.row(8, "a grant that is over", outcome);
        let outcome = (|| {
            let url = self.room.gateway.url("main");
            let caller = |life_s| {
                let token = self.token("expiring", &url, &["staff"], life_s);
                self.room.gateway.caller("main", Some(&token))
            };
            let session = caller(300).initialize(LEGACY)?;
            // A moment before its token's leeway ends as well.
            let token = self.token("expiring", &url, &["staff"], -59);
            let waiting = self.room.gateway.caller("main", Some(&token));
            let params = json!({ "name": "any", "arguments": { "late": 2 } });
            let request = waiting.legacy(Some(&session), &json!(2), "tools/call", params);
            let told = answer(&waiting.send(&request)?)?.to_string();
            ensure!(told.contains("token") || told.contains("approval.pending"), "{told}");
            self.nothing_sent()
        })();
        self.rows.row(9, "the token ends while the call waits", outcome);
    }

    fn floods(&mut self) {
        let bot = self.caller("flood");
        let outcome = (|| {
            for number in 0..3 {
                self.held(&bot, json!({ "flood": number }))?;
            }
            let session = bot.initialize(LEGACY)?;
            let params = json!({ "name": "any", "arguments": { "flood": 9 } });
            let reply = bot.send(&bot.legacy(Some(&session), &json!(1), "tools/call", params))?;
            ensure!(reply.status == 429, "{}: {}", reply.status, reply.text());
            ensure!(reply.text().contains("approval.too_many"), "{}", reply.text());
            self.nothing_sent()
        })();
        self.rows.row(13, "a question too many", outcome);
    }

    fn leaving(&mut self) {
        let bot = self.caller("leaves");
        let outcome = (|| {
            let session = bot.initialize(LEGACY)?;
            self.room.upstream.take_all();
            let params = json!({ "name": "any", "arguments": { "gone": 1 } });
            let request = bot.legacy(Some(&session), &json!(1), "tools/call", params);
            let mut wire = Wire::open(bot.address)?;
            wire.send(&request.bytes());
            wire.head()?;
            drop(wire);
            self.approve(&self.question_of("leaves")?, "ann")?;
            std::thread::sleep(HOLD);
            self.nothing_sent()?;
            // The grant waits for the retry.
            self.passes(&bot, json!({ "gone": 1 }))
        })();
        self.rows.row(14, "the caller left before the decision", outcome);
        let bot = self.caller("stays");
        let outcome = (|| {
            self.room.upstream.take_all();
            let waiting = std::thread::scope(|scope| {
                let call = scope.spawn(|| legacy(&bot, "any", json!({ "stays": 1 })));
                let id = self.question_of("stays")?;
                self.nothing_sent()?;
                self.approve(&id, "ann")?;
                call.join().unwrap_or_else(|_| anyhow::bail!("a caller panicked"))
            })?;
            ensure!(waiting["result"]["isError"] != true, "{waiting}");
            ensure!(self.room.upstream.take_seen().len() == 1, "it was not sent once");
            Ok(())
        })();
        self.rows.twin(14, "the caller stayed", outcome);
    }

    fn quorum(&mut self) {
        let bot = self.caller("quorum");
        let outcome = (|| {
            let told = legacy(&bot, "region", json!({}))?;
            let pending = pending(&told)?;
            let half = self.approve(&pending.id, "ann")?;
            ensure!(half["state"] == "pending", "{half}");
            ensure!(self.approve(&pending.id, "ann").is_err(), "a person counts once");
            let again = legacy(&bot, "region", json!({}))?.to_string();
            ensure!(again.contains("approval.pending"), "{again}");
            ensure!(self.approve(&pending.id, "bob")?["state"] == "approved", "two people");
            self.nothing_sent()
        })();
        self.rows.row(19, "the same person twice", outcome);
        let outcome = legacy(&bot, "region", json!({})).and_then(|answer| {
            ensure!(answer["result"]["isError"] != true, "{answer}");
            Ok(())
        });
        self.rows.twin(19, "two people", outcome);
    }

    /// A modern client comes back by itself, with the state that it was given.
    fn legs(&mut self) {
        let bot = self.caller("modern");
        let other = self.caller("another");
        let call = |caller: &Caller, state: Option<&str>, x: u32| -> anyhow::Result<Value> {
            let mut params = json!({ "name": "any", "arguments": { "leg": x } });
            if let Some(state) = state {
                params["requestState"] = state.into();
            }
            answer(&caller.send(&caller.modern(&json!(1), "tools/call", params))?)
        };
        let outcome = (|| {
            self.room.upstream.take_all();
            let first = call(&bot, None, 1)?;
            ensure!(first["result"]["resultType"] == "input_required", "{first}");
            let state = first["result"]["requestState"].as_str().context("a state")?.to_owned();
            for (caller, arguments) in [(&other, 1), (&bot, 2)] {
                let told = call(caller, Some(&state), arguments)?;
                ensure!(told["error"]["code"] == -32602, "another's state: {told}");
            }
            let forged = call(&bot, Some(&format!("{state}0")), 1)?;
            ensure!(forged["error"]["code"] == -32602, "a forged state: {forged}");
            self.nothing_sent()?;
            let id = self.question_of("modern")?;
            self.approve(&id, "ann")?;
            let second = call(&bot, Some(&state), 1)?;
            ensure!(second["result"]["resultType"] != "input_required", "{second}");
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} calls reached the server", seen.len());
            let body = String::from_utf8_lossy(&seen[0].heard.body).into_owned();
            ensure!(!body.contains("requestState"), "the gateway's state went on: {body}");
            Ok(())
        })();
        self.rows.row(2, "a state of another caller or call", outcome);
    }

    /// A17: what was approved before a kill is used once after it.
    fn crash(&mut self) {
        let bot = self.caller("crash");
        let outcome = (|| {
            let pending = self.held(&bot, json!({ "crash": 1 }))?;
            self.approve(&pending.id, "ann")?;
            self.room.gateway.kill()?;
            self.room.gateway.run()?;
            self.room.gateway.wait_ready()?;
            self.wait_for_api();
            self.passes(&bot, json!({ "crash": 1 }))?;
            self.room.gateway.kill()?;
            self.room.gateway.run()?;
            self.room.gateway.wait_ready()?;
            self.wait_for_api();
            let again = self.held(&bot, json!({ "crash": 1 }))?;
            ensure!(again.id != pending.id, "the use was forgotten");
            let steps = self.room.gateway.records().all()?.into_iter();
            let steps = steps.filter_map(|event| match event {
                Event::Approval(approval) if approval.approval == pending.id => Some(approval.step),
                _ => None,
            });
            let steps: Vec<_> = steps.collect();
            ensure!(
                matches!(
                    steps.as_slice(),
                    [
                        ApprovalStep::Asked { .. },
                        ApprovalStep::Approve { .. },
                        ApprovalStep::Spent { .. }
                    ]
                ),
                "{steps:?}"
            );
            Ok(())
        })();
        self.rows.row(17, "killed between the yes and the use, and after", outcome);
        let rounds = std::env::var("LOCKGATE_USE_ROUNDS").ok();
        let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(12);
        let outcome = self.kills(rounds);
        self.rows.row(17, "killed at any moment around the use", outcome);
    }

    /// The gateway dies at some moment after the yes, while the caller waits: the call reaches the
    /// server at most once, also where the caller repeats it.
    fn kills(&mut self, rounds: u64) -> anyhow::Result<()> {
        let (mut before, mut after, mut lost) = (0, 0, 0);
        for round in 0..rounds {
            let (who, arguments) = (format!("uses-{round}"), json!({ "use": round }));
            let bot = self.caller(&who);
            self.room.upstream.take_all();
            std::thread::scope(|scope| {
                let call = scope.spawn(|| legacy(&bot, "any", arguments.clone()));
                let id = self.question_of(&who)?;
                self.approve(&id, "ann")?;
                // Spread over what lies between the use and the answer.
                std::thread::sleep(Duration::from_micros(round * 7_919 % 9_000));
                self.room.gateway.kill()?;
                drop(call.join());
                anyhow::Ok(())
            })?;
            self.room.gateway.run()?;
            self.room.gateway.wait_ready()?;
            self.wait_for_api();
            let sent = self.room.upstream.take_seen().len();
            let again = legacy(&bot, "any", arguments)?;
            let repeated = self.room.upstream.take_seen().len();
            ensure!(sent + repeated <= 1, "round {round}: sent {sent} and {repeated} times");
            ensure!(sent == 0 || pending(&again).is_ok(), "round {round}: {again}");
            before += sent;
            after += repeated;
            lost += 1 - sent - repeated;
        }
        say(&format!(
            "approvals: {rounds} kills around the use; sent before {before}, by the retry {after}, \
             used up for nothing {lost}, twice 0"
        ));
        Ok(())
    }

    /// The question that somebody has open.
    fn question_of(&self, who: &str) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let list = self.api("GET", "/approvals?state=pending", "ann", "")?.json()?;
            let items = list["items"].as_array().context("a list")?;
            if let Some(item) = items.iter().find(|item| item["subject"] == who) {
                return Ok(item["id"].as_str().context("an id")?.to_owned());
            }
            ensure!(begun.elapsed() < Duration::from_secs(10), "{who} has not asked");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A legacy tool call on a session of its own, and its answer.
fn legacy(caller: &Caller, tool: &str, arguments: Value) -> anyhow::Result<Value> {
    let session = caller.initialize(LEGACY)?;
    let params = json!({ "name": tool, "arguments": arguments });
    let request = caller.legacy(Some(&session), &json!(1), "tools/call", params);
    answer(&caller.send(&request)?)
}

/// The answer out of a document or a stream.
fn answer(reply: &Reply) -> anyhow::Result<Value> {
    let text = reply.text();
    if reply.header("content-type") != Some("text/event-stream") {
        return reply.json().with_context(|| text);
    }
    let last = data_of(&text).pop().context("a stream without an answer")?;
    Ok(serde_json::from_str(&last)?)
}

fn pending(answer: &Value) -> anyhow::Result<Pending> {
    let text = answer["result"]["content"][0]["text"].as_str();
    let text = text.with_context(|| format!("no text: {answer}"))?.to_owned();
    ensure!(text.contains("approval.pending"), "{text}");
    Ok(Pending { id: id_in(&text)?, text })
}

/// The id of an approval among these words.
fn id_in(text: &str) -> anyhow::Result<String> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let id = words.find(|word| word.len() == 33 && word.starts_with('a'));
    Ok(id.with_context(|| format!("no id: {text}"))?.to_owned())
}
