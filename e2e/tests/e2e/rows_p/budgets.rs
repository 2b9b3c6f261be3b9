//! P24: a thousand calls at once on a budget of ten, on three gateways of one PostgreSQL.

use std::{collections::BTreeMap, thread};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::Caller,
    postgres::Postgres,
    room::{POLICIES, Room},
    say,
};
use serde_json::json;

use super::Class;

const METERED: &str = r#"
@id("ten") @budget("10 per 30d")
permit (principal in Group::"idp/metered", action == Action::"main/echo", resource);

@id("five") @budget("5 per 30d")
permit (principal in Group::"idp/metered", action == Action::"main/any", resource);

@id("any-in-need")
permit (principal in Group::"idp/unmetered", action == Action::"main/echo", resource);
"#;

/// Connections that call at once, and how often each does.
const AT_ONCE: usize = 100;
const CALLS: usize = 10;

impl Class {
    pub(super) fn budgets(&mut self) {
        let (postgres, folder) = (Postgres::start().unwrap(), tempfile::tempdir().unwrap());
        let place = folder.path().join("postgres");
        std::fs::write(&place, postgres.url()).unwrap();
        let rooms = ["one", "two", "three"].map(|node| {
            let index = format!("file:{}", place.display());
            let room = Room::start_with(|plan, _, _| {
                plan.settings["node"] = json!(node);
                plan.settings["recording"] = json!({ "index": index });
                plan.settings["limits"] = json!({ "identity_calls_max": 2_000 });
                plan.policies = format!("{POLICIES}{METERED}");
            });
            room.unwrap()
        });
        let used = spend(&rooms);
        self.rows.row(24, "1,000 calls at once on 3 gateways", used);
        // Each has a budget of their own, each permit, and what needs none is not counted.
        let check = |room: &Room, who: &str, groups: &[&str], tool: &str, wanted: &str| {
            let found = told(&caller(room, who, groups), tool);
            ensure!(found == wanted, "{found} instead of {wanted}");
            Ok(())
        };
        for (case, who, groups, tool) in [
            ("another's", "other", &["metered"][..], "echo"),
            ("another permit's", "meter", &["metered"], "any"),
            ("a permit without", "meter", &["metered", "unmetered"], "echo"),
        ] {
            self.rows.twin(24, case, check(&rooms[0], who, groups, tool, "result"));
        }
        let again = |room: &Room| check(room, "meter", &["metered"], "echo", "policy.budget");
        self.rows.row(24, "and nothing more", again(&rooms[0]));
        // What is used stays used when a gateway is gone.
        let [mut one, _, _] = rooms;
        one.gateway.kill().unwrap();
        one.gateway.run().unwrap();
        one.gateway.wait_ready().unwrap();
        self.rows.row(24, "after a kill", again(&one));
    }
}

/// Everybody at once; exactly ten go through.
fn spend(rooms: &[Room; 3]) -> anyhow::Result<()> {
    let told = thread::scope(|scope| {
        let asking: Vec<_> = (0..AT_ONCE)
            .map(|nth| {
                let caller = caller(&rooms[nth % 3], "meter", &["metered"]);
                scope.spawn(move || (0..CALLS).map(|_| told(&caller, "echo")).collect::<Vec<_>>())
            })
            .collect();
        let told = asking.into_iter().flat_map(|one| one.join().unwrap());
        told.fold(BTreeMap::<String, usize>::new(), |mut counted, one| {
            *counted.entry(one).or_default() += 1;
            counted
        })
    });
    let wanted = [("policy.budget".to_owned(), AT_ONCE * CALLS - 10), ("result".to_owned(), 10)];
    ensure!(told == wanted.into(), "{told:?}");
    let seen = rooms.iter().map(|room| {
        let seen = room.upstream.take_seen();
        seen.iter().filter(|one| one.rpc == "tools/call").count()
    });
    let seen: usize = seen.sum();
    ensure!(seen == 10, "{seen} calls reached the servers");
    say(&format!(
        "P24: {} calls on a budget of 10, 3 gateways: {seen} reached a server",
        AT_ONCE * CALLS
    ));
    Ok(())
}

fn caller(room: &Room, who: &str, groups: &[&str]) -> Caller {
    let mut claims = room.claims();
    (claims["sub"], claims["groups"]) = (json!(who), json!(groups));
    room.caller(&claims).unwrap()
}

/// `result`, or the code that the caller is told.
fn told(caller: &Caller, tool: &str) -> String {
    let reply = caller.send(&caller.call(tool, json!({ "text": "x" }))).unwrap();
    let text = reply.text();
    match text.find("(policy.budget)") {
        Some(_) => "policy.budget".to_owned(),
        None if reply.status == 200
            && text.contains("\"result\"")
            && !text.contains("isError\":true") =>
        {
            "result".to_owned()
        }
        None => format!("{} {text}", reply.status),
    }
}
