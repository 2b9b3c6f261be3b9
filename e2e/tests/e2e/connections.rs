//! Connections that are registered while the gateway runs: served within a second, kept over a restart,
//! refused once they are removed, and every change on the record before it takes effect.

mod faults;
mod shared;

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::ensure;
use lockgate_e2e::{
    mcp::Caller,
    room::{Room, connection, wait_for_tools},
    say,
};
use lockgate_model::{ConnectionVersion, ConnectionsChange, ConnectionsEvent, Event};
use serde_json::{Value, json};

use crate::secrets::{left, search};

/// A change is in force within a second; this machine may be busy.
const EFFECT: Duration = Duration::from_secs(4);

#[test]
fn a_registered_connection_is_served_until_it_is_removed() {
    let mut room = Room::start().unwrap();
    assert_eq!(status(&room, "extra"), 404);
    add(&room, "extra", &[]).unwrap();
    let served_ms = until(&room, "extra", 200).unwrap();
    room.gateway.kill().unwrap();
    room.gateway.run().unwrap();
    room.gateway.wait_ready().unwrap();
    assert_eq!(status(&room, "extra"), 200, "{}", room.gateway.log());
    assert_eq!(status(&room, "main"), 200);

    // The gateway itself tests it: this process has not the journal.
    let tested = run(&room, 0, &["connection", "test", "extra", "--json"]);
    let tested: Value = serde_json::from_str(&tested).unwrap();
    let tools = |era: usize| tested["eras"][era]["shown"]["tools"].as_u64().unwrap();
    assert!(tested["good"] == true && tools(0) > 0 && tools(0) == tools(1), "{tested}");

    run(&room, 0, &["connection", "remove", "extra", "--yes"]);
    let gone_ms = until(&room, "extra", 404).unwrap();
    assert_eq!(status(&room, "main"), 200);
    // The count of its versions goes on.
    add(&room, "extra", &[]).unwrap();
    until(&room, "extra", 200).unwrap();
    let versions = run(&room, 0, &["connection", "show", "extra", "--json"]);
    let versions: Value = serde_json::from_str(&versions).unwrap();
    let words: Vec<_> = versions["versions"].as_array().unwrap().iter().collect();
    let puts: Vec<_> =
        words.iter().map(|one| (&one["version"], one["settings"].is_null())).collect();
    assert_eq!(puts, [(&json!(3), false), (&json!(2), true), (&json!(1), false)]);
    recorded_before_effect(&room);
    say(&format!("connections: served after {served_ms} ms, refused after {gone_ms} ms"));
}

/// Each change is on record, and the version that serves it comes after.
fn recorded_before_effect(room: &Room) {
    let events = room.gateway.records().all().unwrap();
    let at = |wanted: (u64, bool)| {
        events.iter().position(|event| match event {
            Event::Connections(event) => {
                assert!(event.by.starts_with("local:"), "{event:?}");
                let ConnectionsChange::Made(made) = &event.change else { panic!("{event:?}") };
                let [ConnectionVersion { connection, version, settings }] = made.as_slice() else {
                    panic!("{event:?}")
                };
                connection == "extra" && (*version, settings.is_some()) == wanted
            }
            _ => false,
        })
    };
    let mut last = 0;
    for change in [(1, true), (2, false), (3, true)] {
        let at = at(change).unwrap_or_else(|| panic!("{change:?} is not on record"));
        assert!(at >= last, "{change:?} is out of order");
        let follows = |event: &Event| matches!(event, Event::Snapshot { .. });
        let after = events[at..].iter().position(follows);
        last = at + after.unwrap_or_else(|| panic!("nothing came into force after {change:?}"));
    }
}

#[test]
fn the_file_wins_and_what_is_wrong_harms_no_other() {
    let room = Room::start_with(|plan, issuer, _| {
        plan.settings["issuers"].as_array_mut().unwrap().push(
            json!({ "name": "second", "issuer": issuer.url() + "/second", "allow_private": true }),
        );
    })
    .unwrap();
    add(&room, "extra", &[]).unwrap();
    add(&room, "lost", &["--issuer", "second"]).unwrap();
    until(&room, "extra", 200).unwrap();
    // The file is the place for what stands in it.
    let refused =
        run(&room, 1, &["connection", "add", "main", "--url", "https://x.example.com/mcp"]);
    assert!(refused.contains("lockgate.yaml:") && refused.contains("read-only"), "{refused}");

    // Now the file has one of the same name, and the issuer of the other is gone.
    let mut settings = room.settings.clone();
    settings["issuers"].as_array_mut().unwrap().truncate(1);
    let mut own = connection("extra", &room.upstream.url());
    own["path"] = json!("/c/own/mcp");
    settings["connections"].as_array_mut().unwrap().push(own);
    room.gateway.write_settings(&settings).unwrap();
    until(&room, "extra", 404).unwrap();
    assert_eq!((status(&room, "own"), status(&room, "main")), (200, 200));
    let listed = run(&room, 0, &["connection", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let states: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["name", "source", "state"].map(|key| one[key].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(
        states,
        [
            ["main", "file", "served"],
            ["extra", "file", "served"],
            ["extra", "registered", "shadowed"],
            ["lost", "registered", "refused"]
        ]
    );
    let (code, ready) = room.gateway.ready().unwrap();
    assert_eq!(code, 200, "{ready}");
    for words in ["stands in", "no issuer named `second`", "registered by local:"] {
        assert!(ready.contains(words), "no `{words}` in {ready}");
    }
    assert_eq!(refusals(&room), 2);
    // And it starts with all of this.
    let mut room = room;
    room.gateway.kill().unwrap();
    room.gateway.run().unwrap();
    room.gateway.wait_ready().unwrap();
    wait_for_tools(&room.alice().unwrap()).unwrap();
    assert_eq!(refusals(&room), 4, "a start says it again");
    room.gateway.write_settings(&room.settings).unwrap();
    until(&room, "extra", 200).unwrap();
}

/// How often it is on record that something was not put in force.
fn refusals(room: &Room) -> usize {
    let events = room.gateway.records().all().unwrap();
    let refused = events.iter().filter(|event| {
        matches!(event, Event::Snapshot { summary, .. } if summary.starts_with("refused: "))
    });
    refused.count()
}

#[test]
fn documents_are_applied_beside_a_running_gateway() {
    let room = Room::start().unwrap();
    let document = |names: &[&str], env: &str| {
        let connections: Vec<Value> = names
            .iter()
            .map(|name| {
                let mut one = connection(name, &room.upstream.url());
                one["labels"] = json!({ "env": env });
                one
            })
            .collect();
        let text = json!({ "connections": connections }).to_string();
        std::fs::write(room.gateway.folder().join("connections.json"), text).unwrap();
    };
    let apply = |code: i32, more: &[&str]| {
        let arguments = [&["apply", "-f", "connections.json", "--json"][..], more].concat();
        serde_json::from_str::<Value>(&run(&room, code, &arguments)).unwrap()
    };
    document(&["one", "two"], "test");
    assert_eq!(apply(1, &["--dry-run"])["applied"], false);
    assert_eq!(status(&room, "one"), 404, "a dry run changed something");
    apply(0, &["--yes"]);
    for name in ["one", "two"] {
        until(&room, name, 200).unwrap();
    }
    // All of it is one record, and a second run makes none.
    apply(0, &["--yes"]);
    assert_eq!(changes_made(&room), [2]);
    // Somebody takes one away; the documents tell, and bring it back.
    run(&room, 0, &["connection", "remove", "two", "--yes"]);
    until(&room, "two", 404).unwrap();
    let told = apply(0, &["--yes"]);
    let drift = &told["drift"][0];
    assert_eq!((&drift["name"], &drift["removed"]), (&json!("two"), &json!(true)), "{told}");
    until(&room, "two", 200).unwrap();
    // What no document has any more goes only when that is said.
    document(&["one"], "production");
    assert_eq!(apply(0, &["--yes"])["kept"], json!(["two"]));
    assert_eq!(status(&room, "two"), 200);
    apply(0, &["--prune", "--yes"]);
    until(&room, "two", 404).unwrap();
    assert_eq!((status(&room, "one"), status(&room, "main")), (200, 200));
    assert_eq!(changes_made(&room), [2, 1, 1, 1, 1]);
}

#[test]
fn what_a_client_was_told_is_imported_and_its_token_reaches_the_server_alone() {
    const TOKEN: &str = "canary-imported-94c1e7b02df8a365";
    let mut room = Room::start().unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join(".mcp.json");
    let client = json!({ "mcpServers": { "Wiki": {
        "type": "http", "url": room.upstream.url(),
        "headers": { "Authorization": format!("Bearer {TOKEN}"), "X-Team": "blue" },
    } } });
    let client = client.to_string();
    fs::write(&file, &client).unwrap();
    let path = file.display().to_string();
    let mut told = run(&room, 0, &["connection", "discover", &path]);
    let import = ["connection", "discover", &path, "--import", "--as", "Wiki=wiki"];
    let import = [&import[..], &["--allow-private", "--pin-on-first-use", "--yes"]].concat();
    told += &run(&room, 0, &import);
    assert!(told.contains(&room.gateway.url("wiki")), "{told}");

    let served_ms = until(&room, "wiki", 200).unwrap();
    wait_for_tools(&caller(&room, "wiki")).unwrap();
    room.upstream.take_all();
    let caller = caller(&room, "wiki");
    let reply = caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    told += &reply.everything();
    let seen = room.upstream.take_seen();
    let heard = |name| seen[0].heard.header(name).map(str::to_owned);
    assert_eq!(heard("authorization"), Some(format!("Bearer {TOKEN}")));
    assert_eq!(heard("x-team").as_deref(), Some("blue"));

    for arguments in [
        &["connection", "show", "wiki", "--json"][..],
        &["secret", "list", "--json"],
        &["journal", "show", "--json"],
    ] {
        told += &run(&room, 0, arguments);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), client, "the client's file was changed");
    let mut places = vec![("what was told".to_owned(), told.into_bytes())];
    left(&mut room.gateway, &mut places);
    let found = search([("the token", TOKEN)], &places);
    say(&format!(
        "import: served after {served_ms} ms; 1 token in {} forms in {} places: {} hits",
        found.forms,
        places.len(),
        found.hits.len()
    ));
    assert_eq!(found.hits, Vec::<String>::new());
}

/// How many connections each change on record is about.
fn changes_made(room: &Room) -> Vec<usize> {
    let events = room.gateway.records().all().unwrap();
    let made = events.into_iter().filter_map(|event| match event {
        Event::Connections(ConnectionsEvent { change: ConnectionsChange::Made(all), .. }) => {
            Some(all.len())
        }
        _ => None,
    });
    made.collect()
}

fn add(room: &Room, name: &str, more: &[&str]) -> anyhow::Result<()> {
    let url = room.upstream.url();
    let usual: &[&str] = if more.contains(&"--issuer") { &[] } else { &["--issuer", "idp"] };
    let arguments = [
        &["connection", "add", name, "--url", &url, "--allow-private", "--pin-on-first-use"],
        &["--header", "Authorization=env:ROWS_CREDENTIAL"][..],
        usual,
        more,
    ]
    .concat();
    let (code, text) = room.gateway.command(&arguments)?;
    ensure!(code == 0, "{arguments:?} gives {code}: {text}");
    Ok(())
}

fn run(room: &Room, expected: i32, arguments: &[&str]) -> String {
    let (code, text) = room.gateway.command(arguments).unwrap();
    assert_eq!(code, expected, "{arguments:?}: {text}");
    text
}

fn caller(room: &Room, connection: &str) -> Caller {
    let claims = room.issuer.claims(&room.gateway.url(connection));
    let token = room.issuer.token("rsa", &claims).unwrap();
    room.gateway.caller(connection, Some(&token))
}

/// What a call gets.
fn status(room: &Room, connection: &str) -> u16 {
    let caller = caller(room, connection);
    caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap().status
}

/// Waits until calls get this status; how long that took, in milliseconds.
fn until(room: &Room, connection: &str, wanted: u16) -> anyhow::Result<u128> {
    let begun = Instant::now();
    loop {
        let found = status(room, connection);
        if found == wanted {
            return Ok(begun.elapsed().as_millis());
        }
        ensure!(begun.elapsed() < EFFECT, "{connection} gets {found}, not {wanted}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
