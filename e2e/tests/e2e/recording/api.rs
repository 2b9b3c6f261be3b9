//! The admin API with a real provider's tokens: who gets in, what they see, and that every look is on
//! the record.

use std::{
    collections::BTreeSet,
    fs,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use lockgate_e2e::{
    say,
    wire::{exchange, expect_status},
};
use lockgate_model::{Event, Reason};
use serde_json::{Value, json};

use super::{House, Looks, POLICIES, say_in_a_session, say_it, soon, stands_in_the_clear};

/// Stands in one call's arguments and answer and nowhere else.
const CANARY: &str = "zanzibar4711";

#[test]
fn z1_only_a_role_opens_the_recording_and_only_a_token_for_it() {
    let house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let auditor = house.visitor("auditor", &looks).unwrap();
    let code = |reply: &lockgate_e2e::wire::Reply| reply.json().unwrap()["code"].clone();
    let bare = auditor.request("GET", "/sessions", "").without("Authorization");
    let reply = exchange(house.api, &bare.bytes()).unwrap();
    assert_eq!((reply.status, code(&reply)), (401, json!("token.missing")));
    let for_a_server = house.issuer.token("auditor", &house.gateway.url("main")).unwrap();
    let broken = format!("{}x", auditor.token);
    for token in [for_a_server.as_str(), broken.as_str()] {
        let request = bare.clone().header("Authorization", &format!("Bearer {token}"));
        let reply = exchange(house.api, &request.bytes()).unwrap();
        assert_eq!((reply.status, code(&reply)), (401, json!("token.refused")));
    }
    // And the other way round: a token for the recording opens no server.
    let caller = house.gateway.caller("main", Some(&auditor.token));
    assert_eq!(caller.send(&caller.call("echo", json!({}))).unwrap().status, 401);
    for name in ["contractor", "engineer"] {
        let nobody = house.visitor(name, &looks).unwrap();
        for path in ["/sessions", "/journal/export", "/journal/head", "/tail"] {
            let reply = nobody.get(path).unwrap();
            assert_eq!((reply.status, code(&reply)), (403, json!("role.missing")), "{name} {path}");
        }
    }
    say_it(&house.engineer().unwrap(), "hello").unwrap();
    let session = house.sessions().unwrap().pop().unwrap();
    for what in ["hold", "release", "erase"] {
        let reply = auditor.change(&session, what, 403).unwrap();
        assert_eq!(code(&reply), json!("role.missing"), "{what}");
    }
    assert_eq!(house.looks().unwrap(), [], "nothing was shown or changed");
    // Who tried is on the record, with the reason that the answer keeps to itself.
    let refused: Vec<_> = house.gateway.records().all().unwrap();
    let refused = refused.into_iter().filter_map(|event| match event {
        Event::Refused(refused) if refused.detail.starts_with("admin API") => Some(refused.reason),
        _ => None,
    });
    let expected = [Reason::TokenMissing, Reason::TokenAudience, Reason::TokenMalformed];
    assert_eq!(refused.collect::<Vec<_>>(), expected);
}

#[test]
fn z11_what_was_said_is_shown_as_it_was_and_who_looked_stands_beside_it() {
    let house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let auditor = house.visitor("auditor", &looks).unwrap();
    let engineer = house.engineer().unwrap();
    let answer = say_in_a_session(&engineer, &format!("{CANARY} é \u{2028} 1.0")).unwrap();
    assert!(answer.contains(CANARY));
    say_it(&engineer, "something else").unwrap();
    let call = &auditor.rows(&format!("/calls?text={CANARY}"), 1).unwrap()[0];
    let session = call["session"].as_str().unwrap().to_owned();
    assert_eq!((&call["subject"], &call["verdict"]), (&json!("engineer"), &json!("allow")));
    let row = &auditor.rows(&format!("/sessions?text={CANARY}&subject=engineer"), 1).unwrap()[0];
    assert_eq!(row["id"], json!(session));
    auditor.rows("/sessions?text=elsewhere", 0).unwrap();
    let row = soon("its end", || {
        let row = auditor.see("show", Some(&session), &format!("/sessions/{session}"))?;
        Ok((!row["closed"].is_null()).then_some(row))
    })
    .unwrap();
    assert_eq!((&row["node"], &row["era"]), (&json!("gate-1"), &json!("legacy")));
    let path = format!("/sessions/{session}/events");
    let events = auditor.look("replay", Some(&session), &path).unwrap();
    assert!(events.text().contains(&answer), "byte for byte: {}", events.text());
    let id = call["id"].as_str().unwrap();
    let one = auditor.look("show", None, &format!("/calls/{id}")).unwrap();
    assert!(one.text().contains(&answer), "{}", one.text());
    let exported = auditor.look("export", None, "/journal/export").unwrap();
    assert!(exported.whole && exported.text().contains(&answer));
    for line in exported.text().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    // What is asked for and not there was looked for all the same.
    let unknown = format!("s{}", "0".repeat(32));
    let reply = auditor.look("show", Some(&unknown), &format!("/sessions/{unknown}")).unwrap();
    assert_eq!(reply.status, 404);
    assert_eq!(house.looks().unwrap(), looks.all());
}

#[test]
fn a_tail_goes_from_history_to_live_without_a_gap() {
    let house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let auditor = house.visitor("auditor", &looks).unwrap();
    let engineer = house.engineer().unwrap();
    let session = house.sessions().unwrap().pop().unwrap();
    auditor.rows("/sessions?subject=engineer", 1).unwrap();
    let stop = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let calls = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(Ordering::Acquire) {
                count += 1;
                say_it(&engineer, &format!("call {count}")).unwrap();
            }
            say_it(&engineer, "last words").unwrap();
            count
        });
        std::thread::sleep(Duration::from_millis(300));
        let mut wire = auditor.tail(&session).unwrap();
        let mut told = wire.stream_until(|text| text.contains("call 100\\\"")).unwrap();
        stop.store(true, Ordering::Release);
        let count = calls.join().unwrap();
        // Twice in the intent and its answer.
        told.push_str(&wire.stream_until(|text| text.matches("last words").count() > 1).unwrap());
        say(&format!("a tail beside {count} calls"));
        told
    });
    let ids = told.lines().filter_map(|line| line.strip_prefix("id: "));
    let ids: Vec<u64> = ids.map(|id| id.parse().unwrap()).collect();
    let mut recorded = Vec::new();
    let mut after = 0;
    loop {
        let path = format!("/sessions/{session}/events?limit=200&after={after}");
        let page = auditor.see("replay", Some(&session), &path).unwrap();
        let events = page["events"].as_array().unwrap();
        recorded.extend(events.iter().map(|event| event["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_u64() else { break };
        after = next;
    }
    assert_eq!(ids, recorded);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(house.looks().unwrap(), looks.all(), "one look, however long it took");
}

#[test]
fn a_head_from_the_api_proves_the_recording() {
    let mut house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    say_it(&house.engineer().unwrap(), "before the head").unwrap();
    // What an earlier run left is signed with the start; without one it takes a minute.
    house.restart().unwrap();
    let auditor = house.visitor("auditor", &looks).unwrap();
    let head = soon("a head that covers the call", || {
        let reply = auditor.get("/journal/head")?;
        let size = reply.text().lines().nth(1).and_then(|size| size.parse::<u64>().ok());
        Ok((size > Some(4)).then_some(reply))
    })
    .unwrap();
    let key = house.says(0, &["journal", "key"]).unwrap();
    assert!(key.starts_with("lockgate/gate-1+"), "{key}");
    let (heads, other) = ("heads.txt", "other.vkey");
    fs::write(house.gateway.folder().join(heads), head.text()).unwrap();
    let verify = ["journal", "verify", "--heads", heads, "--key"];
    let said = house.says(0, &[&verify[..], &[key.trim()]].concat()).unwrap();
    assert!(said.contains("whole and unchanged"), "{said}");
    // Another gateway's key has signed nothing here.
    let stranger = House::start(|_, _| {}).unwrap();
    let strange = stranger.says(0, &["journal", "key"]).unwrap();
    fs::write(house.gateway.folder().join(other), strange).unwrap();
    house.says(1, &[&verify[..], &[other]].concat()).unwrap();
    // A head for records that are not there: they were cut off.
    let more = ["journal", "verify", "--heads", heads, "--folder"];
    let copy = house.gateway.folder().join("empty");
    copy_folder(&stranger.gateway.folder().join("data"), &copy);
    house.says(1, &[&more[..], &[copy.to_str().unwrap()]].concat()).unwrap();
    assert_eq!(house.looks().unwrap(), [], "a head is no content");
}

#[test]
fn z14_an_erased_session_is_gone_everywhere_and_the_rest_verifies() {
    let house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let (auditor, admin) =
        (house.visitor("auditor", &looks).unwrap(), house.visitor("operator", &looks).unwrap());
    let engineer = house.engineer().unwrap();
    say_in_a_session(&engineer, CANARY).unwrap();
    say_it(&engineer, "innocent words").unwrap();
    let found = auditor.rows(&format!("/calls?text={CANARY}"), 1).unwrap();
    let session = found[0]["session"].as_str().unwrap();
    let other = auditor.rows("/calls?text=innocent", 1).unwrap();
    let open = other[0]["session"].as_str().unwrap();
    let why = |reply: lockgate_e2e::wire::Reply| reply.json().unwrap()["detail"].to_string();
    assert!(why(admin.change(open, "erase", 409).unwrap()).contains("open"));
    admin.change(session, "hold", 200).unwrap();
    assert!(why(admin.change(session, "erase", 409).unwrap()).contains("hold"));
    assert!(house.says(0, &["sessions", "search", CANARY]).unwrap().contains(session));
    looks.add(&super::local(), "search", None);
    admin.change(session, "release", 200).unwrap();
    admin.change(session, "erase", 200).unwrap();
    let events = format!("/sessions/{session}/events");
    // The index says so a moment later; the content is gone at once.
    soon("the index knows", || {
        let reply = auditor.look("replay", Some(session), &events)?;
        assert!(!reply.text().contains(CANARY), "{}", reply.text());
        Ok((reply.status == 410).then_some(()))
    })
    .unwrap();
    let id = found[0]["id"].as_str().unwrap();
    assert_eq!(auditor.look("show", None, &format!("/calls/{id}")).unwrap().status, 410);
    auditor.rows(&format!("/calls?text={CANARY}"), 0).unwrap();
    auditor.rows(&format!("/sessions?text={CANARY}"), 0).unwrap();
    let row = auditor.see("show", Some(session), &format!("/sessions/{session}")).unwrap();
    assert_eq!((&row["erased"], &row["subject"]), (&json!(true), &json!("")));
    let exported = auditor.look("export", None, "/journal/export").unwrap();
    let session_only = format!("/journal/export?session={session}");
    let of_it = auditor.look("export", Some(session), &session_only).unwrap();
    let shown = house.says(0, &["sessions", "show", session]).unwrap();
    looks.add(&super::local(), "show", Some(session));
    let raw = house.says(0, &["journal", "export"]).unwrap();
    looks.add(&super::local(), "export", None);
    let lines = house.says(0, &["journal", "show", "--json"]).unwrap();
    looks.add(&super::local(), "show", None);
    assert!(raw.contains("innocent words") && shown.contains("erased"), "{shown}");
    for told in [exported.text(), of_it.text(), shown, raw, lines] {
        // The words stand in what was asked of the API, which is on the record, and nowhere else.
        let mut asked = told.lines().filter(|line| line.contains(CANARY));
        assert!(asked.clone().all(|line| line.contains("/api/v1/")), "{:?}", asked.next_back());
    }
    let data = house.gateway.folder().join("data");
    soon("no word of it in any file", || Ok((!stands_in_the_clear(&data, CANARY)?).then_some(())))
        .unwrap();
    house.says(0, &["journal", "verify"]).unwrap();
    // It is gone in the index that is made again, too.
    house.says(0, &["journal", "reindex"]).unwrap();
    auditor.rows(&format!("/calls?text={CANARY}"), 0).unwrap();
    auditor.rows("/calls?text=innocent", 1).unwrap();
    assert_eq!(house.looks().unwrap(), looks.all());
}

#[test]
fn roles_of_a_new_configuration_are_in_force_without_a_restart() {
    let house = House::start(|_, _| {}).unwrap();
    let looks = Looks::default();
    let auditor = house.visitor("auditor", &looks).unwrap();
    expect_status(&auditor.look("search", None, "/sessions").unwrap(), 200).unwrap();
    let mut settings = house.settings.clone();
    settings["admin_api"]["roles"]["auditor"] = json!(["idp/contractors"]);
    house.gateway.write_settings(&settings).unwrap();
    house.gateway.write_policies(POLICIES).unwrap();
    soon("the role is gone", || Ok((auditor.get("/journal/head")?.status == 403).then_some(())))
        .unwrap();
    let contractor = house.visitor("contractor", &looks).unwrap();
    expect_status(&contractor.look("search", None, "/sessions").unwrap(), 200).unwrap();
    assert_eq!(house.looks().unwrap(), looks.all());
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &copy);
        } else {
            fs::copy(&path, &copy).unwrap();
        }
    }
}
