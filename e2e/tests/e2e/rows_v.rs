//! Class V: versions, and headers that mirror the body.

use anyhow::ensure;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use lockgate_e2e::{
    mcp::{Caller, LEGACY, MODERN},
    rig::{Next, Upstream, json_reply},
    room::{Refused, Room, connection},
    rows::Rows,
    wire::{Request, exchange, expect_status},
};
use lockgate_model::Reason;
use serde_json::json;

struct Class {
    rows: Rows,
    room: Room,
    alice: Caller,
    /// Behind the connections `modern-only` and `legacy-only`.
    eras: [Upstream; 2],
}

#[test]
fn class_v() {
    let eras =
        [Upstream::start_eras(true, false).unwrap(), Upstream::start_eras(false, true).unwrap()];
    let room = Room::start_with(|plan, _, _| {
        let settings = &mut plan.settings;
        let all = settings["connections"].as_array_mut().unwrap();
        all.push(connection("modern-only", &eras[0].url()));
        all.push(connection("legacy-only", &eras[1].url()));
        all[1]["era"] = json!("modern");
        all[2]["era"] = json!("legacy");
    });
    let room = room.unwrap();
    let alice = room.alice().unwrap();
    let mut class = Class { rows: Rows::new("V"), room, alice, eras };
    class.mirrors();
    class.sentinels();
    class.parameters();
    class.versions();
    class.tools();
    class.rows.finish();
}

impl Class {
    fn mismatch(&mut self, row: u32, case: &str, request: &Request) {
        let reasons = &[Reason::HeaderMismatch];
        let expected = Refused { status: 400, code: Some(-32020), reasons };
        let outcome = self.room.refuses(request, &expected).and_then(|reply| {
            ensure!(reply.json()?["id"] == 1, "the id is missing: {}", reply.text());
            Ok(())
        });
        self.rows.row(row, case, outcome);
    }

    fn twin(&mut self, row: u32, case: &str, request: &Request) {
        let outcome = self.room.passes(request).map(drop);
        self.rows.twin(row, case, outcome);
    }

    fn call(&self) -> Request {
        self.alice.call("echo", json!({ "text": "v" }))
    }

    fn mirrors(&mut self) {
        let call = self.call();
        for value in ["hidden", "Echo", "echo,echo", "\"echo\"", "echo\u{e9}"] {
            self.mismatch(1, value, &call.clone().with("Mcp-Name", value));
        }
        for value in ["tools/list", "Tools/call", "tools/call,tools/list"] {
            self.mismatch(2, value, &call.clone().with("Mcp-Method", value));
        }
        self.mismatch(
            3,
            "legacy in the header",
            &call.clone().with("MCP-Protocol-Version", LEGACY),
        );
        for name in ["Mcp-Name", "Mcp-Method", "MCP-Protocol-Version"] {
            self.mismatch(4, name, &call.clone().without(name));
        }
        for (name, value) in
            [("Mcp-Name", "echo"), ("Mcp-Method", "tools/call"), ("MCP-Protocol-Version", MODERN)]
        {
            self.mismatch(5, name, &call.clone().header(name, value));
        }
        self.twin(1, "white space around it", &call.clone().with("Mcp-Name", " \techo  "));
        self.twin(
            2,
            "header name in capitals",
            &call.without("Mcp-Method").header("MCP-METHOD", "tools/call"),
        );
    }

    fn sentinels(&mut self) {
        let call = self.call();
        let coded = |text: &[u8]| format!("=?base64?{}?=", STANDARD.encode(text));
        let good = coded(b"echo");
        self.twin(6, "coded", &call.clone().with("Mcp-Name", &good));
        for (case, value) in [
            ("BASE64", good.replace("base64", "BASE64")),
            ("Base64", good.replace("base64", "Base64")),
            ("no base64", "=?base64?*?=".to_owned()),
            ("no padding", good.replace("==?=", "?=").replace("=?=", "?=")),
            ("spare bits", good.replace("bw==", "bx==")),
            ("invalid UTF-8", coded(b"echo\xff")),
            ("line break", coded(b"echo\r\nX: y")),
            ("twice", coded(good.as_bytes())),
            ("empty", "=?base64??=".to_owned()),
            ("another name", coded(b"hidden")),
        ] {
            self.mismatch(6, case, &call.clone().with("Mcp-Name", &value));
        }
        for value in
            ["=?base64?echo", "=?utf-8?q?echo?=", "echo=?base64?ZWNobw==?=", "=?base64?ZWNobw==?=x"]
        {
            self.mismatch(7, value, &call.clone().with("Mcp-Name", value));
        }
    }

    fn parameters(&mut self) {
        let alice = self.alice.clone();
        let region = |arguments| alice.call("region", arguments);
        let both = region(json!({ "region": "eu", "limit": 42 }));
        let good = both.clone().header("Mcp-Param-Region", "eu").header("Mcp-Param-Limit", "42");
        self.twin(8, "both", &good);
        self.twin(8, "42.0 for 42", &good.clone().with("Mcp-Param-Limit", "42.0"));
        self.twin(8, "an unknown one", &good.clone().header("Mcp-Param-Other", "x"));
        self.twin(8, "none needed", &region(json!({})));
        self.mismatch(8, "other value", &good.clone().with("Mcp-Param-Region", "us"));
        self.mismatch(8, "other number", &good.clone().with("Mcp-Param-Limit", "43"));
        self.mismatch(8, "missing", &good.clone().without("Mcp-Param-Region"));
        self.mismatch(8, "twice", &good.clone().header("Mcp-Param-Region", "eu"));
        let without = region(json!({})).header("Mcp-Param-Region", "eu");
        self.mismatch(8, "header without an argument", &without);
        let outcome = (|| {
            self.room.passes(&good)?;
            self.room.passes(&good.clone().header("Mcp-Param-Other", "x"))?;
            Ok(())
        })();
        self.rows.twin(8, "again", outcome);
    }

    fn versions(&mut self) {
        let call = self.call();
        for old in [LEGACY, "2025-03-26"] {
            let request = call.clone().with("MCP-Protocol-Version", old).with("Mcp-Name", "hidden");
            self.mismatch(9, old, &request);
        }
        let session = self.alice.initialize(LEGACY).unwrap();
        let params = json!({ "name": "hidden", "arguments": {} });
        let request = self
            .alice
            .legacy(Some(&session), &json!(1), "tools/call", params)
            .header("Mcp-Name", "echo")
            .header("Mcp-Method", "ping");
        let reasons = &[Reason::TargetUnknown, Reason::PolicyForbidden, Reason::PolicyNoPermit];
        let expected = Refused { status: 200, code: Some(-32602), reasons };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(9, "the body decides in a legacy session", outcome);
        let outcome = (|| {
            self.room.forget()?;
            let request = self
                .alice
                .legacy(Some(&session), &json!(1), "tools/call", json!({ "name": "echo" }))
                .header("Mcp-Name", "hidden")
                .header("Mcp-Method", "x");
            expect_status(&exchange(self.alice.address, &request.bytes())?, 200)?;
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
            let head = &seen[0].heard;
            let mirrored = head.header("mcp-name").or(head.header("mcp-method"));
            ensure!(mirrored.is_none(), "mirrored headers went to a legacy server: {mirrored:?}");
            Ok(())
        })();
        self.rows.twin(9, "mirrored headers dropped", outcome);
        let future = String::from_utf8(call.body.clone()).unwrap().replace(MODERN, "2031-01-01");
        let mut request = call.with("MCP-Protocol-Version", "2031-01-01");
        request.body = future.into_bytes();
        self.unsupported(10, "2031-01-01", &request);
        let caller = self.other("modern-only");
        let params = json!({ "protocolVersion": LEGACY, "capabilities": {},
            "clientInfo": { "name": "v", "version": "1" } });
        self.unsupported(11, "initialize", &caller.legacy(None, &json!(1), "initialize", params));
        let outcome = (|| {
            let caller = self.other("legacy-only");
            let reply = caller.send(&caller.call("echo", json!({})))?;
            let code = reply.rpc_code();
            ensure!((400..500).contains(&reply.status), "status {}", reply.status);
            ensure!(!matches!(code, Some(-32022..=-32020)), "a modern code {code:?}");
            let heard = self.eras[1].take_seen();
            ensure!(heard.is_empty(), "{} modern calls were forwarded", heard.len());
            caller.initialize(LEGACY).map(drop)
        })();
        self.rows.twin(11, "a modern probe of a legacy server falls back", outcome);
    }

    fn other(&self, connection: &str) -> Caller {
        let claims = self.room.issuer.claims(&self.room.gateway.url(connection));
        let token = self.room.issuer.token("rsa", &claims).unwrap();
        self.room.gateway.caller(connection, Some(&token))
    }

    fn unsupported(&mut self, row: u32, case: &str, request: &Request) {
        let reasons = &[Reason::RevisionUnsupported, Reason::EraMismatch];
        let expected = Refused { status: 400, code: Some(-32022), reasons };
        let outcome = self.room.refuses(request, &expected).and_then(|reply| {
            let supported = reply.json()?["error"]["data"]["supported"].clone();
            ensure!(supported.is_array(), "no supported revisions: {}", reply.text());
            Ok(())
        });
        self.rows.row(row, case, outcome);
    }

    fn tools(&mut self) {
        let outcome = (|| {
            let list = self.alice.modern(&json!(1), "tools/list", json!({}));
            let reply = self.alice.send(&list)?.json()?;
            let names: Vec<_> = reply["result"]["tools"]
                .as_array()
                .map(|tools| tools.iter().filter_map(|tool| tool["name"].as_str()).collect())
                .unwrap_or_default();
            ensure!(names.contains(&"region"), "a good annotation was dropped: {names:?}");
            ensure!(!names.contains(&"bad_header"), "listed: {names:?}");
            Ok(())
        })();
        self.rows.row(12, "not listed", outcome);
        let request = self.alice.call("bad_header", json!({}));
        let reasons = &[Reason::TargetUnknown];
        let expected = Refused { status: 200, code: Some(-32602), reasons };
        let outcome = self.room.refuses(&request, &expected).map(drop);
        self.rows.row(12, "not callable", outcome);
        for (case, answer) in [
            ("a batch", r#"[{"jsonrpc":"2.0","id":1,"result":{"content":[]}}]"#),
            ("a request", r#"{"jsonrpc":"2.0","id":1,"method":"roots/list"}"#),
        ] {
            let outcome = self.answered(answer);
            self.rows.row(13, case, outcome);
        }
        // Servers in the wild leave `resultType` out, and clients take that for `complete`.
        let lenient = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#;
        self.room.upstream.act(
            "echo",
            std::sync::Arc::new(move |_, _, socket| json_reply(socket, 200, &[], lenient)),
        );
        let request = self.call();
        self.twin(13, "no resultType", &request);
        self.room.upstream.behave();
        self.twin(13, "its own era", &request);
    }

    fn answered(&mut self, answer: &'static str) -> anyhow::Result<()> {
        self.room.upstream.act(
            "echo",
            std::sync::Arc::new(move |_, _, socket| {
                json_reply(socket, 200, &[], answer)?;
                Ok(Next::Keep)
            }),
        );
        let reply = exchange(self.alice.address, &self.call().bytes())?;
        ensure!(reply.status == 502, "status {}: {}", reply.status, reply.text());
        ensure!(reply.json()?["id"] == 1, "no final message: {}", reply.text());
        Ok(())
    }
}
