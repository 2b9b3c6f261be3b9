//! A recogniser: what Presidio's analyzer finds in the language of an answer is masked, and what it can't
//! be asked about does not leave.

use std::{
    io::Write as _,
    net::TcpListener,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use lockgate_e2e::{
    rig::{Act, Next},
    room::Room,
    tools::presidio,
    wire::Reply,
};
use serde_json::{Value, json};

/// Names that nothing but language tells from other words.
const LETTER: &str = "Signed by Grace Hopper, for Zoë Quibble. Hopper is well.";

struct House {
    room: Room,
    next: Arc<Mutex<String>>,
}

impl House {
    fn start(recogniser: Value) -> Self {
        let room = Room::start_with(|plan, _, _| {
            plan.settings["recognisers"] = json!([recogniser]);
            plan.settings["connections"][0]["recognisers"] = json!([recogniser["name"]]);
        })
        .unwrap();
        let next = Arc::<Mutex<String>>::default();
        let held = Arc::clone(&next);
        let act: Act = Arc::new(move |_, _, socket| {
            let content = json!([{ "type": "text", "text": *held.lock().unwrap() }]);
            let result = json!({ "resultType": "complete", "content": content });
            let body = json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
            write!(socket, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
            Ok(Next::Keep)
        });
        room.upstream.act("any", act);
        Self { room, next }
    }

    fn answer(&self, text: &str) -> Reply {
        *self.next.lock().unwrap() = text.to_owned();
        let alice = self.room.alice().unwrap();
        alice.send(&alice.call("any", json!({}))).unwrap()
    }

    fn refuses(&self, text: &str) {
        let reply = self.answer(text);
        assert_eq!(reply.status, 502, "{}", reply.text());
        assert!(reply.text().contains("mask.failed"), "{}", reply.text());
        assert!(!reply.text().contains("Hopper"), "{}", reply.text());
    }
}

fn text(reply: &Reply) -> String {
    let answer: Value = serde_json::from_str(&reply.text()).unwrap();
    answer["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_a_recogniser_finds_is_masked_and_its_failure_is_a_refusal() {
    let (analyzer, url) = presidio().unwrap();
    let settings = json!({ "name": "presidio", "url": format!("{url}/analyze"), "allow_private": true,
        "request_max_bytes": 1000, "wait_max_ms": 10_000 });
    let house = House::start(settings.clone());
    let masked = "Signed by [pii.name], for [pii.name]. Hopper is well.";
    assert_eq!(text(&house.answer(LETTER)), masked);
    let nested = json!({ "letter": LETTER }).to_string();
    assert_eq!(text(&house.answer(&nested)), json!({ "letter": masked }).to_string());
    assert_eq!(text(&house.answer("nobody is named here")), "nobody is named here");
    house.refuses(&format!("{LETTER} {}", "and so on ".repeat(100)));
    let mut elsewhere = settings.clone();
    elsewhere["url"] = format!("{url}/nowhere").into();
    House::start(elsewhere).refuses(LETTER);
    drop(analyzer);
    house.refuses(LETTER);
    let mut lenient = settings;
    lenient["on_failure"] = "pass".into();
    let house = House::start(lenient);
    assert_eq!(text(&house.answer(LETTER)), LETTER);
    assert_eq!(text(&house.answer("ask ann.meyer@corp-mail.net")), "ask [pii.email]");
}

#[test]
fn a_recogniser_that_never_answers_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/analyze", silent.local_addr().unwrap());
    let house = House::start(
        json!({ "name": "silent", "url": url, "allow_private": true, "wait_max_ms": 300 }),
    );
    let begun = Instant::now();
    house.refuses(LETTER);
    assert!(begun.elapsed() < Duration::from_secs(20), "it was waited for");
}
