//! Tokens in place of values: the caller joins and looks up with what it may not see, and nobody else can.

use std::{
    io::Write as _,
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, ensure};
use lockgate_e2e::{
    mcp::Caller,
    rig::{Act, Next},
    room::Room,
};
use lockgate_model::{Event, IntentEvent};
use serde_json::{Value, json};

const EMAIL: &str = "ann.meyer@corp-mail.net";
const CARD: &str = "4716044839205619";
/// Known for a name by its key alone.
const NAME: &str = "Quibble Zoltanova";
const RESTORE: &str = r#"
@id("look-up-people")
permit (principal in Group::"idp/staff", action == Action::"restore", resource)
when { context.target == "any" && context.classes.containsAny(["pii.email", "pii.name"]) };
"#;

struct House {
    room: Room,
    next: Arc<Mutex<Value>>,
}

#[test]
fn a_token_is_as_good_as_its_value_for_its_caller_alone() {
    let house = House::start().unwrap();
    let eng = house.caller("eng");
    let row = json!({ "email": EMAIL, "full_name": NAME, "card": CARD });
    let seen = house.call(&eng, "any", json!({}), &row).unwrap();
    let token = |key: &str| seen["structuredContent"][key].as_str().unwrap_or_default().to_owned();
    let (email, name, card) = (token("email"), token("full_name"), token("card"));
    let text = seen.to_string();
    assert!(![EMAIL, NAME, CARD].iter().any(|value| text.contains(value)), "{text}");
    let again = house.call(&eng, "any", json!({}), &row).unwrap();
    assert_eq!(again, seen, "the same value gets the same token");
    house.sent_back(&eng, &email, &name).unwrap();
    house.refused(&eng, "any", &card, "mask.restore").unwrap();
    house.refused(&eng, "echo", &email, "mask.restore").unwrap();
    house.refused(&house.caller("other"), "any", &email, "mask.token").unwrap();
    // Neither an ordinary address nor a token that was changed is one of ours.
    let other = if &email[1..2] == "x" { "y" } else { "x" };
    let changed = format!("{}{other}{}", &email[..1], &email[2..]);
    let row = house.call(
        &eng,
        "any",
        json!({ "q": "x@corp-mail.net", "p": name.to_uppercase() }),
        &json!({}),
    );
    assert!(row.unwrap()["isError"].is_null());
    house.refused(&eng, "any", &changed, "mask.token").unwrap();
}

impl House {
    fn start() -> anyhow::Result<Self> {
        let room = Room::start_with(|plan, _, _| {
            plan.policies.push_str(RESTORE);
            plan.settings["connections"][0]["masking"] =
                json!({ "operators": { "pii": "token", "pci": "token" } });
        })?;
        let next = Arc::<Mutex<Value>>::default();
        let held = Arc::clone(&next);
        let act: Act = Arc::new(move |_, _, socket| {
            let result = held.lock().map(|next| next.clone()).unwrap_or_default();
            let body = json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string();
            let (head, length) =
                ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n", body.len());
            write!(socket, "{head}Content-Length: {length}\r\n\r\n{body}")?;
            Ok(Next::Keep)
        });
        for tool in ["any", "echo"] {
            room.upstream.act(tool, Arc::clone(&act));
        }
        Ok(Self { room, next })
    }

    fn caller(&self, subject: &str) -> Caller {
        let mut claims = self.room.claims();
        claims["sub"] = subject.into();
        self.room.caller(&claims).unwrap()
    }

    /// The result that the caller gets of a call to which the server answers this.
    fn call(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: Value,
        row: &Value,
    ) -> anyhow::Result<Value> {
        let content = json!([{ "type": "text", "text": row.to_string() }]);
        *self.next.lock().unwrap() =
            json!({ "resultType": "complete", "content": content, "structuredContent": row });
        self.room.upstream.take_seen();
        let reply = caller.send(&caller.call(tool, arguments))?;
        let answer: Value = serde_json::from_str(&reply.text())?;
        Ok(answer["result"].clone())
    }

    /// The server gets the values, the record the tokens, and the answer is masked whatever it says.
    fn sent_back(&self, caller: &Caller, email: &str, name: &str) -> anyhow::Result<()> {
        let arguments = json!({ "q": email, "sql": format!("… WHERE name = '{name}'"), "n": 1 });
        let row = json!({ "note": format!("no row of {NAME} in it") });
        let seen = self.call(caller, "any", arguments.clone(), &row)?;
        ensure!(seen["structuredContent"]["note"] == format!("no row of {name} in it"), "{seen}");
        let heard = self.room.upstream.take_seen();
        let heard = heard.first().context("the server heard nothing")?;
        let heard: Value = serde_json::from_slice(&heard.heard.body)?;
        let got = &heard["params"]["arguments"];
        ensure!(got["q"] == EMAIL && got["n"] == 1, "{got}");
        ensure!(got["sql"] == format!("… WHERE name = '{NAME}'"), "{got}");
        let intent = self.last()?;
        ensure!(intent.arguments == arguments, "{}", intent.arguments);
        let places: Vec<_> =
            intent.restored.iter().map(|one| (&*one.class, &*one.pointer)).collect();
        ensure!(places == [("pii.email", "/q"), ("pii.name", "/sql")], "{places:?}");
        Ok(())
    }

    fn refused(
        &self,
        caller: &Caller,
        tool: &str,
        token: &str,
        reason: &str,
    ) -> anyhow::Result<()> {
        let seen = self.call(caller, tool, json!({ "text": token }), &json!({}))?;
        ensure!(seen["isError"] == true && seen.to_string().contains(reason), "{seen}");
        ensure!(self.room.upstream.take_seen().is_empty(), "{tool}: the server heard of it");
        let intent = self.last()?;
        ensure!(serde_json::to_string(&intent)?.contains(reason), "{intent:?}");
        ensure!(intent.arguments["text"] == token && intent.restored.is_empty(), "{intent:?}");
        Ok(())
    }

    fn last(&self) -> anyhow::Result<IntentEvent> {
        let events = self.room.records.all()?;
        let last = events.into_iter().rev().find_map(|event| match event {
            Event::Intent(intent) => Some(*intent),
            _ => None,
        });
        last.context("no record of it")
    }
}
