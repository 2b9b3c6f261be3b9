//! A room whose connections' credentials the gateway has in custody, or somebody outside: how they are called,
//! what refusals there must be, and where no credential may stand.

use std::time::{Duration, Instant};

use lockgate_e2e::{
    gateway::{Gateway, Plan},
    mcp::Caller,
    rig::{MintIssuer, Upstream},
    room::{POLICIES, Room, connection, issuer_settings, wait_for_tools},
    say, tools,
    wire::Reply,
};
use lockgate_model::{Event, Reason};
use serde_json::{Value, json};

use crate::secrets::{Search, left, search, told};

/// What changes takes effect within 5 s.
pub(crate) const EFFECT: Duration = Duration::from_secs(7);

/// The room, and everything that it told.
pub(crate) struct Custody {
    pub(crate) room: Room,
    pub(crate) told: Vec<u8>,
}

impl Custody {
    /// With `main`, whose server takes the credential in `x-api-key`, and `child`, which takes it in its
    /// environment; no gateway runs yet.
    pub(crate) fn outside(main: &str, child: &str, vault: &Value) -> Self {
        let (issuer, upstream) = (MintIssuer::start().unwrap(), Upstream::start().unwrap());
        let mut one = connection("main", &upstream.url());
        one["upstream"]["http"]["headers"] = json!({ "X-Api-Key": main });
        Self::prepare(issuer, upstream, vec![one, child_with(child)], vault)
    }

    /// With these connections, to this upstream; no gateway runs yet.
    pub(crate) fn prepare(
        issuer: MintIssuer,
        upstream: Upstream,
        connections: Vec<Value>,
        vault: &Value,
    ) -> Self {
        let settings = json!({ "issuers": [issuer_settings("idp", &issuer)],
            "connections": connections, "vault": vault });
        let plan = Plan { settings, policies: POLICIES.to_owned(), file_max: None };
        let gateway = Gateway::prepare(&plan).unwrap();
        let records = gateway.records();
        let room = Room { issuer, upstream, gateway, records, settings: plan.settings };
        Self { room, told: Vec::new() }
    }

    /// Runs the gateway until every connection serves.
    pub(crate) fn serve(&mut self) {
        self.room.gateway.run().unwrap();
        self.room.gateway.wait_ready().unwrap();
        for one in self.room.settings["connections"].as_array().unwrap() {
            wait_for_tools(&self.caller(one["name"].as_str().unwrap())).unwrap();
        }
    }

    /// A command of the gateway's, which must end so; what it said.
    pub(crate) fn run(&mut self, arguments: &[&str], expected: i32) -> String {
        let (code, text) = self.room.gateway.command(arguments).unwrap();
        assert_eq!(code, expected, "{arguments:?}: {text}");
        self.told.extend_from_slice(text.as_bytes());
        text
    }

    pub(crate) fn caller(&self, connection: &str) -> Caller {
        let mut claims = self.room.claims();
        claims["aud"] = json!(self.room.gateway.url(connection));
        let token = self.room.issuer.token("rsa", &claims).unwrap();
        self.room.gateway.caller(connection, Some(&token))
    }

    pub(crate) fn ask(&mut self, connection: &str) -> Reply {
        let caller = self.caller(connection);
        let reply = caller.send(&caller.call("echo", json!({ "text": "hello" }))).unwrap();
        self.told.extend_from_slice(reply.everything().as_bytes());
        reply
    }

    /// Calls, and gives the credential that the server heard.
    pub(crate) fn heard(&mut self) -> Option<String> {
        self.room.upstream.take_all();
        assert_eq!(self.ask("main").status, 200);
        let seen = self.room.upstream.take_seen();
        seen.first()?.heard.header("x-api-key").map(str::to_owned)
    }

    /// Waits until something holds, while calls go on.
    pub(crate) fn waits(&mut self, what: &str, good: impl Fn(&mut Self) -> bool) {
        let begun = Instant::now();
        while !good(self) {
            assert!(begun.elapsed() < EFFECT, "{what}: {}", self.room.gateway.ready().unwrap().1);
            let _ = self.ask("main");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn works(&mut self) {
        self.waits("it works again", |custody| custody.ask("main").status == 200);
    }

    /// Within this time, calls are refused for this reason, with 503, and the server hears nothing.
    pub(crate) fn refuses(&mut self, connection: &str, reason: Reason, within: Duration) {
        let begun = Instant::now();
        loop {
            self.room.forget().unwrap();
            let reply = self.ask(connection);
            let ends = self.room.records.fresh().unwrap();
            let ended = ends.iter().any(
                |event| matches!(event, Event::Outcome(outcome) if outcome.reason == Some(reason)),
            );
            if ended {
                assert_eq!((reply.status, reply.rpc_code()), (503, Some(1503)), "{}", reply.text());
                self.room.nothing_forwarded().unwrap();
                return;
            }
            let text = reply.text();
            assert!(
                begun.elapsed() < within,
                "{connection}, {reason:?}: {} {text} {ends:?}",
                reply.status
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// None of these stands anywhere. The gateway runs no more after this.
    pub(crate) fn nowhere(&mut self, wanted: &[&str]) {
        let mut places = told(&self.room.gateway, &[&["check", "--json"]]);
        places.push(("what was answered".to_owned(), std::mem::take(&mut self.told)));
        left(&mut self.room.gateway, &mut places);
        let Search { hits, forms } = search(wanted.iter().map(|secret| (secret, secret)), &places);
        let bytes: usize = places.iter().map(|(_, text)| text.len()).sum();
        let count = places.len();
        let found = hits.len();
        say(&format!("outside: {forms} forms, {count} places of {bytes} bytes: {found} hits"));
        assert_eq!(hits, Vec::<String>::new());
    }
}

/// The connection `child`, whose program takes this credential in its environment.
pub(crate) fn child_with(credential: &str) -> Value {
    json!({
        "name": "child", "issuers": ["idp"], "pins": "on_first_use",
        "upstream": { "stdio": { "command": tools::beside("stdio-fixture").unwrap(),
            "args": ["secrets"], "env": { "CHILD_SECRET": credential } } },
    })
}
