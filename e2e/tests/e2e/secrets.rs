//! Secrets never (I10): what authenticates a client to the gateway, or the gateway to a server, stands
//! in no record, no file of the data folder, no line of the log, no metric and no answer, in none of
//! its usual disguises.

use std::{fmt::Display, fs, path::Path, sync::Arc};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use lockgate_e2e::{
    gateway::{CHILD_SECRET, Gateway, free_address},
    mcp::{Caller, LEGACY},
    rig::{CREDENTIAL, Next, encode, now_s, stream},
    room::{Room, connection},
    say,
    wire::{Reply, Request},
};
use serde_json::json;

/// A query parameter of a server's URL.
const QUERY: &str = "canary-query-90d7c5ae1f2b4836";
/// A cookie of a client.
const COOKIE: &str = "canary-cookie-c41e7790ab5d2f63";
/// A password that a client sends instead of a token.
const PASSWORD: &str = "canary-password-5f8d0e6a71c94b32";
/// A token that a client sends in its query, where none is taken from.
const IN_QUERY: &str = "canary-inquery-2ac9b0f4e8d71653";

#[test]
fn i10_secrets_stand_nowhere() {
    let room = Room::start_with(|plan, _, upstream| {
        let mut dead = connection("dead", &format!("http://{}/mcp", free_address().unwrap()));
        plan.settings["connections"][0]["upstream"]["http"]["url"] =
            json!(format!("{}?api_key={QUERY}", upstream.url()));
        plan.settings["connections"][0]["upstream"]["http"]["headers"]["X-Api-Key"] =
            json!("env:ROWS_CHILD_SECRET");
        let url = dead["upstream"]["http"]["url"].as_str().unwrap().to_owned();
        dead["upstream"]["http"]["url"] = json!(format!("{url}?api_key={QUERY}"));
        plan.settings["connections"].as_array_mut().unwrap().push(dead);
    });
    let mut room = room.unwrap();
    let (mut secrets, replies) = exercise(&room);
    heard(&room);
    for fixed in [CREDENTIAL.trim_start_matches("Bearer "), CHILD_SECRET, QUERY, COOKIE, PASSWORD] {
        secrets.push(fixed.to_owned());
    }
    secrets.push(IN_QUERY.to_owned());

    let mut places = vec![("answers".to_owned(), replies)];
    places.push(("metrics".to_owned(), room.gateway.ask_admin("/metrics").unwrap().1.into_bytes()));
    for arguments in [&["journal", "show", "--json"][..], &["journal", "show"]] {
        let (code, shown) = room.gateway.command(arguments).unwrap();
        assert!(code == 0 && shown.contains("tools/call"), "{code}: {shown}");
        places.push((arguments.join(" "), shown.into_bytes()));
    }
    left(&mut room.gateway, &mut places);

    let wanted = secrets.iter().map(|secret| (secret, secret));
    let Search { hits, .. } = search(wanted, &places);
    let bytes: usize = places.iter().map(|(_, text)| text.len()).sum();
    say(&format!(
        "secrets: {} of them in {} places of {bytes} bytes: {} hits",
        secrets.len(),
        places.len(),
        hits.len()
    ));
    assert_eq!(hits, Vec::<String>::new());
}

/// The control: each disguise is found where it stands.
#[test]
fn i10_the_search_finds_what_is_there() {
    for before in ["", "x", "xy"] {
        let text = format!("{before}{COOKIE} and more");
        let bytes = text.as_bytes();
        let escaped: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let json: String = bytes.iter().map(|byte| format!("\\u{byte:04x}")).collect();
        let reversed: String = text.chars().rev().collect();
        let coded = STANDARD_NO_PAD.encode(bytes);
        for hidden in [text.clone(), coded, encode(bytes), hex, escaped, json, reversed] {
            let places = [("here".to_owned(), hidden.clone().into_bytes())];
            let found = search([("a cookie", COOKIE)], &places).hits;
            assert!(!found.is_empty(), "{hidden}");
        }
    }
}

/// Everything that carries a secret, and goes well or wrong. Gives the secrets that were made for it,
/// and all that came back.
fn exercise(room: &Room) -> (Vec<String>, Vec<u8>) {
    let alice = room.alice().unwrap();
    let mut claims = room.claims();
    claims["exp"] = json!(now_s() - 3600);
    let expired = room.caller(&claims).unwrap();
    let good = alice.token.clone().unwrap();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let forged = good.replace(signature, &"A".repeat(signature.len()));
    let unreadable = "canary-opaque-8e26d1fb7095ca34";
    let mut secrets = vec![unreadable.to_owned(), signature.to_owned()];
    for token in [&good, expired.token.as_ref().unwrap()] {
        secrets.extend(token.split('.').skip(1).map(str::to_owned));
    }
    let call = |caller: &Caller| caller.call("echo", json!({ "text": "hello" }));
    let basic = format!("Basic {}", STANDARD_NO_PAD.encode(format!("alice:{PASSWORD}")));
    let mut in_query = call(&alice);
    in_query.target += &format!("?access_token={IN_QUERY}");
    let mut in_query_alone = in_query.clone().without("Authorization");
    in_query_alone.target += "&b=1";
    let requests = vec![
        call(&alice).header("Cookie", &format!("session={COOKIE}")),
        call(&alice).header("Proxy-Authorization", &basic).header("X-Api-Key", PASSWORD),
        call(&alice).with("Authorization", &basic),
        call(&alice.with_token(Some(unreadable))),
        call(&alice.with_token(Some(&forged))),
        call(&expired),
        call(&alice).header("Authorization", &format!("Bearer {unreadable}")),
        in_query,
        in_query_alone,
        alice.call("delete_row", json!({})).header("Cookie", COOKIE),
        alice.call("nothing", json!({})).header("Cookie", COOKIE),
    ];
    let mut replies = Vec::new();
    let mut send = |caller: &Caller, request: &Request| -> Option<Reply> {
        let reply = caller.send(request).ok()?;
        replies.extend_from_slice(reply.everything().as_bytes());
        Some(reply)
    };
    for request in &requests {
        send(&alice, request);
    }
    let session = alice.initialize(LEGACY).unwrap();
    let params = json!({ "name": "echo", "arguments": {} });
    let legacy = alice.legacy(Some(&session), &json!(7), "tools/call", params);
    assert_eq!(send(&alice, &legacy).unwrap().status, 200);
    let mut claims = room.claims();
    claims["aud"] = json!(room.gateway.url("dead"));
    let dead = room.issuer.token("rsa", &claims).unwrap();
    send(&alice, &call(&room.gateway.caller("dead", Some(&dead))));
    for broken in ["HTTP/1.1 500 .\r\nContent-Length: 0\r\n\r\n", "rubbish\r\n\r\n", ""] {
        room.upstream.act(
            "echo",
            Arc::new(move |_, _, socket| {
                std::io::Write::write_all(socket, broken.as_bytes())?;
                Ok(Next::Close)
            }),
        );
        send(&alice, &call(&alice));
    }
    room.upstream.act(
        "echo",
        Arc::new(|_, _, socket| {
            stream::begin(socket)?;
            stream::event(socket, "no JSON")?;
            Ok(Next::Close)
        }),
    );
    send(&alice, &alice.followed(9, "echo"));
    room.upstream.behave();
    (secrets, replies)
}

/// The server got what is for it, or nothing is tested here.
fn heard(room: &Room) {
    let heard = room.upstream.take_all();
    let calls: Vec<_> = heard.iter().filter(|seen| seen.rpc == "tools/call").collect();
    assert!(calls.len() > 5, "{} calls", calls.len());
    for seen in calls {
        assert_eq!(seen.heard.header("authorization"), Some(CREDENTIAL));
        assert_eq!(seen.heard.header("x-api-key"), Some(CHILD_SECRET));
        assert!(seen.heard.target.contains(QUERY), "{}", seen.heard.target);
        let everything = format!("{:?}{}", seen.heard, String::from_utf8_lossy(&seen.heard.body));
        for other in [COOKIE, PASSWORD, IN_QUERY] {
            assert!(!everything.contains(other), "the server heard {other}");
        }
    }
}

/// What the gateway says to whoever asks: its recording, its configuration, its pages, and what it answers
/// to `more` commands.
pub(crate) fn told(gateway: &Gateway, more: &[&[&str]]) -> Vec<(String, Vec<u8>)> {
    let usual = [
        &["journal", "show", "--json"][..],
        &["journal", "export"],
        &["config", "show", "--origin"],
    ];
    let mut places = Vec::new();
    for arguments in usual.iter().chain(more) {
        let (code, text) = gateway.command(arguments).unwrap();
        assert_eq!(code, 0, "{arguments:?}: {text}");
        places.push((arguments.join(" "), text.into_bytes()));
    }
    for page in ["/metrics", "/readyz"] {
        places.push((page.to_owned(), gateway.ask_admin(page).unwrap().1.into_bytes()));
    }
    places
}

/// Kills the gateway, and reads what it leaves behind: its files and its log.
pub(crate) fn left(gateway: &mut Gateway, places: &mut Vec<(String, Vec<u8>)>) {
    gateway.kill().unwrap();
    files(&gateway.data(), places);
    places.push(("the log".to_owned(), gateway.log().into_bytes()));
}

/// Reads every file below `folder`.
pub(crate) fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, places);
        } else {
            places.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

/// What a search found.
#[derive(Default)]
pub(crate) struct Search {
    /// Which secret stands where, and how.
    pub(crate) hits: Vec<String>,
    /// How many forms were looked for.
    pub(crate) forms: usize,
}

/// Looks for secrets, each with its name, in every disguise and in all places.
pub(crate) fn search<N: Display, S: AsRef<[u8]>>(
    wanted: impl IntoIterator<Item = (N, S)>,
    places: &[(String, Vec<u8>)],
) -> Search {
    let mut search = Search::default();
    for (name, secret) in wanted {
        for (how, disguise) in disguises(secret.as_ref()) {
            search.forms += 1;
            let found = places.iter().filter(|(_, text)| contains(text, &disguise));
            search.hits.extend(found.map(|(place, _)| format!("{name} as {how} in {place}")));
        }
    }
    search
}

/// A secret as it might stand somewhere, within other text.
fn disguises(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |form: &dyn Fn(u8) -> String| {
        bytes.iter().flat_map(|byte| form(*byte).into_bytes()).collect::<Vec<u8>>()
    };
    let mut forms = vec![
        ("it is", bytes.to_vec()),
        ("reversed", bytes.iter().rev().copied().collect()),
        ("hex", each(&|byte| format!("{byte:02x}"))),
        ("HEX", each(&|byte| format!("{byte:02X}"))),
        ("URL-encoded", each(&|byte| format!("%{byte:02X}"))),
        ("url-encoded", each(&|byte| format!("%{byte:02x}"))),
        ("JSON-escaped", each(&|byte| format!("\\u{byte:04x}"))),
    ];
    // Within base64 it depends on what stands before; the letters at both ends also on that.
    for before in 0..3 {
        let text = [&b"xx"[..before], bytes].concat();
        let (start, end) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
        let letters = |all: String| all.as_bytes()[start..end].to_vec();
        forms.push(("base64", letters(STANDARD_NO_PAD.encode(&text))));
        forms.push(("base64url", letters(URL_SAFE_NO_PAD.encode(&text))));
    }
    forms
}

/// Whether `part` stands in `text`.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
