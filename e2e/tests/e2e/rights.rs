//! What becomes of a held call when somebody's right to it ends meanwhile, with tokens of a real issuer.
//!
//! Tokens are verified by themselves, nobody is asked about them: a caller's is revoked where it ends,
//! where its issuer withdraws the key that signed it, and where the issuer, the client, the connection or
//! the policy that let it in is taken out of force. A reviewer's groups are those of the token that comes
//! with the answer; on the pages that is the session's, until it ends.

use std::{
    thread::ScopedJoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    mcp::{Caller, LEGACY},
    room::ADMIN,
    say,
    wire::{Reply, Request, Wire, exchange},
};
use lockgate_model::{Event, OutcomeStatus};
use serde_json::{Value, json};

use crate::pages::{House, POLICIES};

/// Longer than anything here takes: what ends sooner was ended.
const HOLD_MS: u32 = 45_000;
const SOON: Duration = Duration::from_secs(10);
/// How many wait at once.
const CALLS: usize = 8;
/// An issuer's keys are fetched at most every half minute.
const KEYS_KNOWN: Duration = Duration::from_secs(40);

fn house() -> anyhow::Result<House> {
    House::start_with(|settings| {
        settings["approvals"]["hold_max_ms"] = HOLD_MS.into();
        settings["issuers"][0]["leeway_s"] = 0.into();
        settings["issuers"][0]["clients"] = json!([]);
        settings["admin_api"]["roles"] = json!({ "approver": ["idp/platform"] });
        Ok(())
    })
}

impl House {
    fn api(&self, verb: &str, path: &str, token: &str, body: &Value) -> anyhow::Result<Reply> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::new(verb, &format!("/api/v1{path}"), body)
            .header("Host", &self.api.to_string())
            .header("Content-Type", "application/json")
            .header("Authorization", &format!("Bearer {token}"));
        exchange(self.api, &request.bytes())
    }

    fn reviewer(&self) -> anyhow::Result<String> {
        self.issuer.token("auditor", ADMIN)
    }

    /// Waits until a question is in this state; its id.
    fn question(&self, state: &str) -> anyhow::Result<String> {
        let (token, begun) = (self.reviewer()?, Instant::now());
        loop {
            let list =
                self.api("GET", &format!("/approvals?state={state}"), &token, &Value::Null)?;
            if let Some(id) = list.json()?["items"][0]["id"].as_str() {
                return Ok(id.to_owned());
            }
            ensure!(begun.elapsed() < SOON, "no question is {state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn shown(&self, id: &str) -> anyhow::Result<Value> {
        let reply =
            self.api("GET", &format!("/approvals/{id}"), &self.reviewer()?, &Value::Null)?;
        Ok(reply.json()?["approval"].take())
    }

    fn approve(&self, id: &str, token: &str) -> anyhow::Result<Reply> {
        let body = json!({ "arguments_digest": self.shown(id)?["arguments_digest"] });
        self.api("POST", &format!("/approvals/{id}/approve"), token, &body)
    }

    /// Looks as a reviewer, loses or gains groups, and clicks.
    fn approve_with(&self, who: &str, id: &str, groups: &[&str]) -> anyhow::Result<Reply> {
        self.issuer.regroup(who, &["audit"])?;
        let shown = self.shown(id)?;
        ensure!(shown["yours"] == true && shown["state"] == "pending", "{shown}");
        self.issuer.regroup(who, groups)?;
        let body = json!({ "arguments_digest": shown["arguments_digest"] });
        let token = self.issuer.token(who, ADMIN)?;
        let reply = self.api("POST", &format!("/approvals/{id}/approve"), &token, &body)?;
        self.issuer.regroup(who, &["audit"])?;
        let state = self.shown(id)?["state"].take();
        ensure!((state == "pending") == (reply.status != 200), "it is {state}");
        Ok(reply)
    }

    fn nothing_sent(&self) -> anyhow::Result<()> {
        let seen = self.upstream.take_seen();
        ensure!(seen.is_empty(), "{} calls reached the server", seen.len());
        Ok(())
    }
}

fn joined<T>(call: ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    call.join().unwrap_or_else(|_| anyhow::bail!("a caller panicked"))
}

/// A caller waits; something is taken from them; what they are told then.
fn told_after(
    house: &House,
    take: &dyn Fn(&House) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    let (caller, arguments) = (house.caller("engineer")?, json!({ "x": 1 }));
    house.upstream.take_all();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| House::call_as(&caller, &arguments));
        let id = house.question("pending")?;
        take(house)?;
        let told = joined(call)?;
        house.nothing_sent()?;
        let shown = house.shown(&id)?;
        ensure!(shown["state"] == "void", "{shown}");
        let late = house.approve(&id, &house.reviewer()?)?;
        ensure!(late.status == 409, "an answer to what is void: {}", late.text());
        Ok(told)
    })
}

#[test]
fn a9_what_is_taken_from_a_caller_who_waits_ends_the_wait_and_the_question() {
    let policies = |from: &'static str, to: &'static str| {
        move |house: &House| house.gateway.write_policies(&POLICIES.replace(from, to))
    };
    let settings = |place: &'static str, value: Value| {
        move |house: &House| {
            let mut settings = house.settings.clone();
            *settings.pointer_mut(place).context("a setting")? = value.clone();
            house.gateway.write_settings(&settings)
        }
    };
    let rename = settings("/connections/0/name", "moved".into());
    let moved = policies("main/any", "moved/any");
    let gone = move |house: &House| rename(house).and_then(|()| moved(house));
    let clients = settings("/issuers/0/clients", json!(["auditor", "pages"]));
    for (case, reason, take) in [
        ("the permit", "policy.", &policies("idp/staff", "idp/others") as &dyn Fn(&House) -> _),
        ("the policy that holds it", "approval.void", &policies("\"held\"", "\"held-now\"")),
        ("the client", "unauthorized", &clients),
        ("the connection", "not found", &gone),
    ] {
        let told = told_after(&house().unwrap(), take).with_context(|| case).unwrap();
        assert!(told.contains(reason), "{case}: {told}");
    }
}

#[test]
fn a9_a_caller_whose_token_ends_while_they_wait_is_never_served_by_it() {
    let house = house().unwrap();
    let (brief, arguments) = (house.caller("brief").unwrap(), json!({ "x": 1 }));
    house.upstream.take_all();
    let told = House::call_as(&brief, &arguments).unwrap();
    assert!(told.contains("stream.expired"), "{told}");
    let id = house.question("pending").unwrap();
    let yes = house.approve(&id, &house.reviewer().unwrap()).unwrap();
    assert_eq!(yes.status, 200, "{}", yes.text());
    let late = brief.send(&brief.modern(&json!(2), "tools/list", json!({}))).unwrap();
    assert_eq!(late.status, 401, "{}", late.text());
    house.nothing_sent().unwrap();
    // The grant is the person's: it waits for them to come with a good token.
    let told = House::call_as(&house.caller("brief").unwrap(), &arguments).unwrap();
    assert!(!told.contains("approval."), "{told}");
    assert_eq!(house.upstream.take_seen().len(), 1);
}

#[test]
fn a9_a_key_that_the_issuer_withdraws_takes_its_tokens_along() {
    let mut house = house().unwrap();
    let (caller, arguments) = (house.caller("engineer").unwrap(), json!({ "x": 1 }));
    house.upstream.take_all();
    // The provider publishes one key beside the newest: with the second new one, the first is gone.
    let told = std::thread::scope(|scope| {
        let call = scope.spawn(|| House::call_as(&caller, &arguments));
        let id = house.question("pending")?;
        house.issuer.rotate()?;
        house.issuer.rotate()?;
        let begun = Instant::now();
        while house.approve(&id, &house.reviewer()?).map_or(true, |reply| reply.status != 200) {
            ensure!(begun.elapsed() < KEYS_KNOWN, "the new key is not known");
            std::thread::sleep(Duration::from_millis(200));
        }
        joined(call)
    });
    let told = told.unwrap();
    assert!(!told.contains("\"isError\":false"), "{told}");
    house.nothing_sent().unwrap();
    let late = caller.send(&caller.modern(&json!(2), "tools/list", json!({}))).unwrap();
    assert_eq!(late.status, 401, "{}", late.text());
    say(&format!("approvals: a withdrawn key: {}", told.chars().take(120).collect::<String>()));
}

#[test]
fn a10_a_reviewer_who_lost_the_group_answers_nothing() {
    let house = house().unwrap();
    let caller = house.caller("engineer").unwrap();
    house.upstream.take_all();
    let begin = leaving(&caller, &json!({ "x": 1 })).unwrap();
    let id = house.question("pending").unwrap();
    let seen = house.approve_with("auditor", &id, &["platform"]).unwrap();
    assert_eq!(seen.status, 403, "still sees it, as an approver of the console: {}", seen.text());
    let unseen = house.approve_with("auditor", &id, &["others"]).unwrap();
    assert_eq!(unseen.status, 404, "sees nothing of it any more: {}", unseen.text());
    let back = house.approve_with("auditor", &id, &["audit"]).unwrap();
    assert_eq!(back.status, 200, "{}", back.text());
    drop(begin);
}

#[test]
fn a10_a_page_answers_for_its_sessions_token_and_no_longer() {
    let house = house().unwrap();
    let caller = house.caller("engineer").unwrap();
    let begin = leaving(&caller, &json!({ "x": 1 })).unwrap();
    let id = house.question("pending").unwrap();
    let visit = |who: &str| {
        let seen = house.enter(who, "/approvals").unwrap();
        let cookies = seen["cookies"].as_array().unwrap();
        let session = cookies.iter().find(|one| one["name"] == "lockgate_session").unwrap();
        format!("lockgate_session={}", session["value"].as_str().unwrap())
    };
    let look = |cookie: &str| {
        let path = format!("/approvals/{id}");
        house.page(&house.get(&path).header("Cookie", cookie)).unwrap()
    };
    let cookie = visit("brief-auditor");
    let form = form(&look(&cookie).text()).unwrap();
    house.issuer.regroup("brief-auditor", &["others"]).unwrap();
    let begun = Instant::now();
    while look(&cookie).status == 200 {
        assert!(begun.elapsed() < SOON, "the session outlives its token");
        std::thread::sleep(Duration::from_millis(200));
    }
    let click = Request::new("POST", &format!("/approvals/{id}"), form)
        .header("Host", &house.api.to_string())
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Cookie", &cookie);
    let reply = house.page(&click).unwrap();
    assert_eq!(reply.status, 401, "{}", reply.text());
    assert_eq!(house.shown(&id).unwrap()["state"], "pending");
    // Whoever logs in again is who they are by now.
    assert_eq!(look(&visit("brief-auditor")).status, 404);
    drop(begin);
}

/// The answer that a page's form would send.
fn form(page: &str) -> anyhow::Result<String> {
    let field = |name: &str| {
        let from = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
        from.and_then(|rest| rest.split('"').next()).with_context(|| format!("{name}: {page}"))
    };
    Ok(format!("verdict=approve&token={}&digest={}", field("token")?, field("digest")?))
}

/// A call that is held for as long as the wire is kept.
fn leaving(caller: &Caller, arguments: &Value) -> anyhow::Result<Wire> {
    let session = caller.initialize(LEGACY)?;
    let params = json!({ "name": "any", "arguments": arguments });
    let mut wire = Wire::open(caller.address)?;
    wire.send(&caller.legacy(Some(&session), &json!(1), "tools/call", params).bytes());
    wire.head()?;
    Ok(wire)
}

/// How many calls ended because their client left.
fn left(house: &House) -> anyhow::Result<usize> {
    let events = house.gateway.records().all()?.into_iter();
    let gone = |event: &Event| matches!(event, Event::Outcome(outcome) if outcome.status == OutcomeStatus::Cancelled);
    Ok(events.filter(gone).count())
}

#[test]
fn a14_a_reviewer_who_is_slow_or_gone_holds_nothing_of_the_servers() {
    let house = house().unwrap();
    let caller = house.caller("engineer").unwrap();
    let session = caller.initialize(LEGACY).unwrap();
    let connections = house.upstream.connections();
    house.upstream.take_all();
    let waits: Vec<Wire> = (0..CALLS)
        .map(|number| {
            let params = json!({ "name": "any", "arguments": { "slow": number } });
            let mut wire = Wire::open(caller.address).unwrap();
            let call = caller.legacy(Some(&session), &json!(number), "tools/call", params);
            wire.send(&call.bytes());
            wire.head().unwrap();
            wire
        })
        .collect();
    let id = house.question("pending").unwrap();
    // A reviewer who begins to answer, and stops within the answer.
    let body = json!({ "arguments_digest": house.shown(&id).unwrap()["arguments_digest"] });
    let token = house.reviewer().unwrap();
    let half = Request::new("POST", &format!("/api/v1/approvals/{id}/approve"), body.to_string())
        .header("Host", &house.api.to_string())
        .header("Content-Type", "application/json")
        .header("Authorization", &format!("Bearer {token}"));
    let bytes = half.bytes();
    let mut slow = Wire::open(house.api).unwrap();
    slow.send(&bytes[..bytes.len() - 1]);
    let untouched = |when: &str| {
        assert_eq!(house.upstream.connections(), connections, "{when}");
        assert!(house.upstream.take_all().is_empty(), "{when}");
    };
    untouched("while they wait");
    drop(waits);
    // Everybody has left; the reviewer comes back to an answer that nobody waits for.
    let begun = Instant::now();
    while left(&house).unwrap() < CALLS {
        assert!(begun.elapsed() < SOON, "the calls are not gone");
    }
    slow.send(&bytes[bytes.len() - 1..]);
    assert_eq!(slow.reply().unwrap().status, 200);
    untouched("after they left");
}

/// A call that people approved counts like any other; where nothing is left of the budget, their yes is kept.
#[test]
fn an_approved_call_takes_from_the_budget() {
    let house = house().unwrap();
    let permit = "permit (principal in Group::\"idp/staff\"";
    let metered = format!("@id(\"metered\") @budget(\"1 per 30d\") {permit}");
    house.gateway.write_policies(&POLICIES.replacen(permit, &metered, 1)).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    house.upstream.take_all();
    let told = |x: i32| {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| house.call(&json!({ "x": x })));
            let id = house.question("pending").unwrap();
            let reply = house.approve(&id, &house.reviewer().unwrap()).unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
            (id, joined(call).unwrap())
        })
    };
    let (_, first) = told(1);
    assert!(first.contains("\"result\"") && !first.contains("isError\":true"), "{first}");
    let (id, second) = told(2);
    assert!(second.contains("policy.budget") && second.contains("begins anew in"), "{second}");
    assert_eq!(house.upstream.take_seen().iter().filter(|one| one.rpc == "tools/call").count(), 1);
    assert_eq!(house.shown(&id).unwrap()["state"], "approved");
}
