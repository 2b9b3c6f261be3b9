//! Jobs as identities, through the real binary: whose tokens get in, what policies say of them, and
//! that what a job began ends with its token.

use std::time::{Duration, Instant};

use lockgate_e2e::{
    mcp::Caller,
    rig::{MintIssuer, now_s, stream::endless},
    room::{POLICIES, Refused, Room, issuer_settings, wait_for_tools},
    say,
    wire::{data_of, expect_status},
};
use lockgate_model::Reason;
use serde_json::{Value, json};

const JOBS: &str = r#"
@id("deploys")
permit (principal is Workload, action in Action::"call_tool", resource == Connection::"main")
when { principal.hasTag("environment") && principal.getTag("environment").contains("production") };
"#;

struct House {
    room: Room,
    jobs: MintIssuer,
}

impl House {
    fn start() -> anyhow::Result<Self> {
        let jobs = MintIssuer::start()?;
        let mut settings = issuer_settings("actions", &jobs);
        settings["profile"] = json!("github-actions");
        settings["require"] = json!({ "/repository_id": ["74"] });
        settings["leeway_s"] = json!(0);
        let room = Room::start_with(|plan, _, _| {
            plan.policies = format!("{POLICIES}{JOBS}");
            plan.settings["issuers"].as_array_mut().unwrap().push(settings);
            plan.settings["connections"][0]["issuers"] = json!(["idp", "actions"]);
        })?;
        Ok(Self { room, jobs })
    }

    /// A job's token as GitHub documents it, with `changes`.
    fn job(&self, run: u32, changes: &Value) -> anyhow::Result<Caller> {
        let mut claims = json!({
            "iss": self.jobs.url(), "aud": self.room.gateway.url("main"),
            "sub": "repo:acme/shop:environment:production", "jti": format!("run-{run}"),
            "iat": now_s(), "nbf": now_s(), "exp": now_s() + 300, "run_id": run.to_string(),
            "repository": "acme/shop", "repository_id": "74", "repository_owner_id": "65",
            "ref": "refs/heads/main", "event_name": "push", "environment": "production",
            "job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "rsa", "x5t": "x" }).to_string();
        let token = MintIssuer::sign(self.jobs.key("rsa")?, header, claims.to_string())?;
        Ok(self.room.gateway.caller("main", Some(&token)))
    }
}

fn echo(caller: &Caller) -> lockgate_e2e::wire::Request {
    caller.call("echo", json!({ "text": "job" }))
}

#[test]
fn jobs_get_in_by_their_pins_and_policies() {
    let mut house = House::start().unwrap();
    let good = house.job(1, &json!({})).unwrap();
    house.room.passes(&echo(&good)).unwrap();
    let rows = [
        (json!({ "repository_id": "75" }), 401, Reason::TokenPin),
        (json!({ "repository_id": null }), 401, Reason::TokenPin),
        (json!({ "event_name": "pull_request" }), 401, Reason::TokenProposed),
        (json!({ "ref": "refs/pull/7/merge" }), 401, Reason::TokenProposed),
        // Another environment is one of ours, and not permitted.
        (json!({ "environment": "staging" }), 200, Reason::PolicyNoPermit),
    ];
    for (changes, status, reason) in rows {
        let caller = house.job(2, &changes).unwrap();
        let expected = Refused { status, code: None, reasons: &[reason] };
        let refused = house.room.refuses(&echo(&caller), &expected);
        refused.unwrap_or_else(|fault| panic!("{changes}: {fault:#}"));
    }
    // People of a group are no jobs, and the other way round.
    let alice = house.room.alice().unwrap();
    house.room.passes(&echo(&alice)).unwrap();
    let mut settings = house.room.settings.clone();
    settings["issuers"][1]["require"] = json!({ "/repository": ["acme/shop"] });
    house.room.gateway.write_settings(&settings).unwrap();
    let (code, text) = house.room.gateway.command(&["check"]).unwrap();
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("the profile is not pinned"), "{text}");
    assert!(text.contains("pin /repository_id, or /repository_owner_id under `require`"), "{text}");
}

#[test]
fn what_a_job_began_ends_with_its_token() {
    let house = House::start().unwrap();
    let (first, next) = (house.job(1, &json!({})).unwrap(), house.job(2, &json!({})).unwrap());
    wait_for_tools(&first).unwrap();
    let session = first.initialize("2025-06-18").unwrap();
    let list = |caller: &Caller, session: &str| {
        let request = caller.legacy(Some(session), &json!(1), "tools/list", json!({}));
        caller.send(&request).unwrap().status
    };
    assert_eq!(list(&first, &session), 200);
    assert_eq!(list(&next, &session), 404, "the next job of the same subject is another one");
    let own = next.initialize("2025-06-18").unwrap();
    assert_eq!(list(&next, &own), 200);
    // A person's session goes on with the next token.
    let alice = house.room.alice().unwrap();
    let session = alice.initialize("2025-06-18").unwrap();
    let mut claims = house.room.claims();
    claims["jti"] = json!("another");
    let renewed = house.room.caller(&claims).unwrap();
    assert_eq!(list(&renewed, &session), 200);

    house.room.upstream.act("echo", endless());
    let ends = now_s() + 4;
    let brief = house.job(3, &json!({ "exp": ends })).unwrap();
    let begun = Instant::now();
    let mut wire = brief.open(&brief.followed(7, "echo")).unwrap();
    expect_status(&wire.head().unwrap(), 200).unwrap();
    let text = wire.stream_until(|_| false).unwrap();
    assert!(now_s() <= ends + 1, "ended {} s late", now_s() - ends);
    assert!(begun.elapsed() >= Duration::from_secs(2), "ended before its token");
    let last: Value = serde_json::from_str(&data_of(&text).pop().unwrap()).unwrap();
    assert!(last["id"] == 7 && last["error"]["code"].is_i64(), "{last}");
    say(&format!("a job's stream ended after {} ms", begun.elapsed().as_millis()));
    assert_eq!(brief.send(&echo(&brief)).unwrap().status, 401);
}
