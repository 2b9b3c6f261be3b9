//! Access that stands: a permit stops permitting at its end, and the review finds what ends, what nobody
//! used, and who gets in by two paths.

use std::time::Duration;

use lockgate_e2e::{
    rig::now_s,
    room::{Refused, Room},
};
use lockgate_model::Reason;
use serde_json::{Value, json};

/// By then a changed file is in force, in seconds.
const RELOAD_S: i64 = 3;

fn policies(end: &str) -> String {
    format!(
        "@id(\"staff\") permit (principal in Group::\"idp/staff\", action in Action::\"call_tool\", resource);
         @id(\"alice\") permit (principal == User::\"idp/alice\", action == Action::\"read_resource\", resource);
         @id(\"shown\") permit (principal, action == Action::\"reveal\", resource)
         when {{ context.classes.contains(\"pii\") }};
         @id(\"brief\") @owner(\"ann\") @until(\"{end}\")
         permit (principal in Group::\"idp/visitors\", action in Action::\"call_tool\", resource);"
    )
}

fn ids(review: &Value, list: &str) -> Vec<String> {
    let items = review[list].as_array().unwrap();
    items.iter().map(|item| item["policy"].as_str().unwrap().to_owned()).collect()
}

fn review(room: &Room) -> Value {
    let (code, text) = room.gateway.command(&["access", "review", "--json"]).unwrap();
    assert_eq!(code, 0, "{text}");
    // Warnings of the configuration go before.
    serde_json::from_str(&text[text.find("{\n").unwrap()..]).unwrap()
}

#[test]
fn permits_end_and_the_review_says_so() {
    let end = |at: i64| jiff::Timestamp::from_second(at).unwrap().to_string();
    let mut room =
        Room::start_with(|plan, _, _| plan.policies = policies(&end(now_s() + 3600))).unwrap();
    let mut claims = room.claims();
    claims["sub"] = json!("vic");
    claims["groups"] = json!(["visitors"]);
    let visitor = room.caller(&claims).unwrap();
    let echo = visitor.call("echo", json!({ "text": "hello" }));
    room.passes(&echo).unwrap();
    let alice = room.alice().unwrap();
    room.passes(&alice.call("echo", json!({ "text": "hello" }))).unwrap();
    let found = review(&room);
    assert_eq!(ids(&found, "ending"), ["brief"]);
    assert_eq!(found["ending"][0]["owner"], "ann");
    assert_eq!(found["ending"][0]["calls"], 1);
    assert_eq!(ids(&found, "unused"), ["alice"]);
    let double = &found["more_than_one_path"];
    assert_eq!(double.as_array().unwrap().len(), 1, "{double}");
    assert_eq!(
        (&double[0]["subject"], &double[0]["connection"]),
        (&json!("alice"), &json!("main"))
    );
    let through: Vec<_> =
        double[0]["paths"].as_array().unwrap().iter().map(|path| &path["through"]).collect();
    assert_eq!(through, ["Group::\"idp/staff\"", "User::\"idp/alice\""]);

    // The same policies, with an end that comes.
    let ends = now_s() + RELOAD_S;
    let end = end(ends);
    room.gateway.write_policies(&policies(&end)).unwrap();
    while now_s() < ends {
        std::thread::sleep(Duration::from_millis(50));
    }
    let reasons = &[Reason::PolicyNoPermit, Reason::TargetUnknown];
    room.refuses(&echo, &Refused { status: 200, code: None, reasons }).unwrap();
    room.passes(&alice.call("echo", json!({ "text": "hello" }))).unwrap();
    let arguments = ["policy", "explain", "--subject", "vic", "--group", "visitors"];
    let what = ["--connection", "main", "--tool", "echo"];
    let (code, text) = room.gateway.command(&[&arguments[..], &what].concat()).unwrap();
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(&format!("the permit `brief` ended at {end}; ask ann")), "{text}");
}
