//! Rows about the command guard: what arguments would do, on a connection labelled `env: prod` with the
//! starter policies.

use anyhow::{Context as _, ensure};
use lockgate_e2e::mcp::Caller;
use lockgate_rules::policy::guard_starter;
use serde_json::{Value, json};

use super::Class;

/// The starter policies, a list of the tables that this connection may touch, and a flow that is
/// forbidden: from what anyone may write, behind `main`, to a tool that is private.
pub(super) fn policies() -> String {
    let tables = "
@id(\"two-tables\")
forbid (principal, action in Action::\"call_tool\", resource == Connection::\"two\")
unless { [\"employees\", \"users\", \"t\", \"notes\"].containsAll(context.tables) };

@id(\"no-many\")
forbid (principal, action in Action::\"call_tool\", resource == Connection::\"two\")
when { context.facts.contains(\"custom.many\") };

@id(\"no-flow\")
forbid (principal, action == Action::\"two/any\", resource)
when { context.earlier.contains(\"main/echo\") };
";
    guard_starter(None) + tables
}

/// A pack whose pattern makes engines that go back over the text take for ever.
pub(super) const PACK: &str = "
pack: many
version: 1
rules:
  - name: many
    note: it is all a
    regex: ['^(a+)+$']
    match: [aaaa]
    no_match: [aaab]
";

impl Class {
    pub(super) fn guard(&mut self) {
        self.sql();
        self.shell();
        self.encodings();
        self.tables();
        self.flow();
        self.own_rules();
    }

    /// A caller of the guarded connection.
    fn guarded(&self) -> anyhow::Result<Caller> {
        let claims = self.room.issuer.claims(&self.room.gateway.url("two"));
        let token = self.room.issuer.token("rsa", &claims)?;
        Ok(self.room.gateway.caller("two", Some(&token)))
    }

    /// Refused with the policy and the fact in words; nothing reaches the server.
    fn blocked(&mut self, row: u32, case: &str, arguments: &Value, policy: &str) {
        let outcome = (|| {
            self.two.take_all();
            let caller = self.guarded()?;
            let reply = caller.send(&caller.call("echo", arguments.clone()))?;
            let text = reply.text();
            ensure!(text.contains(policy) && text.contains("policy.forbidden"), "{text}");
            ensure!(self.two.take_seen().is_empty(), "it was forwarded");
            Ok(())
        })();
        self.rows.row(row, case, outcome);
    }

    fn let_through(&mut self, row: u32, case: &str, arguments: &Value) {
        let outcome = (|| {
            self.two.take_all();
            let caller = self.guarded()?;
            let reply = caller.send(&caller.call("echo", arguments.clone()))?;
            ensure!(reply.json()?["result"]["isError"] != true, "{}", reply.text());
            ensure!(self.two.take_seen().len() == 1, "it was not forwarded: {}", reply.text());
            Ok(())
        })();
        self.rows.twin(row, case, outcome);
    }

    fn sql(&mut self) {
        for text in [
            "DrOp/**/TaBlE users",
            "DROP\u{a0}TABLE users",
            "SELECT 1;--\nDROP TABLE users",
            "EXEC('DR'+'OP TABLE users')",
            "DO $$ BEGIN DROP TABLE users; END $$",
            "SELECT 1; DELETE FROM users",
            "SELECT 1 /* a /* b */ */; DROP TABLE users",
            "EXPLAIN ANALYZE DELETE FROM users",
            "\u{ff24}ROP TABLE users",
        ] {
            self.blocked(13, text, &json!({ "sql": text }), "guard-prod-sql");
        }
        for text in [
            "SELECT 'DROP TABLE users'",
            "SELECT U&'\\0044ROP TABLE'",
            "SELECT 1 -- DROP TABLE users",
            "SELECT $$DROP TABLE users$$",
            "DELETE FROM users WHERE id = 5",
        ] {
            self.let_through(13, text, &json!({ "sql": text }));
        }
    }

    fn shell(&mut self) {
        for text in [
            "rm${IFS}-rf /",
            "r\\m -rf /",
            "$(echo cm0=|base64 -d) -rf /",
            "$'\\x72m' -rf /",
            "`echo rm` -rf /",
            "alias x='rm -rf /'; x",
            "echo a\nrm -rf /",
            "busybox rm -rf /",
            "$UNKNOWN -rf /",
        ] {
            self.blocked(14, text, &json!({ "command": text }), "guard-prod-shell");
        }
        for text in ["echo 'rm -rf /'", "rm -rf node_modules", "ls # rm -rf /"] {
            self.let_through(14, text, &json!({ "command": text }));
        }
    }

    fn encodings(&mut self) {
        let sql = "guard-prod-sql";
        let nested = json!({ "payload": "{\"sql\":\"DROP TABLE users\"}" });
        self.blocked(15, "JSON in a string", &nested, sql);
        let coded = json!({ "data": "RFJPUCBUQUJMRSB1c2Vycw==" });
        self.blocked(15, "base64", &coded, sql);
        let compressed = json!({ "command": "H4sIAAAAAAAAAyvKVdAtSlPQBwBkXKyJBwAAAA==" });
        self.blocked(15, "gzip", &compressed, "guard-prod-shell");
        let split = json!({ "part1": "DROP TA", "part2": "BLE users" });
        self.blocked(15, "two arguments", &split, sql);
        self.blocked(15, "an array of pieces", &json!({ "sql": ["DROP", "TABLE", "users"] }), sql);
        self.let_through(15, "text for people", &json!({ "message": "DROP TABLE users" }));
        let long = json!({ "sql": format!("SELECT '{}'", "x".repeat(300 * 1024)) });
        self.blocked(16, "more than is read", &long, "guard-prod-guard");
        let short = json!({ "sql": format!("SELECT '{}'", "x".repeat(200 * 1024)) });
        self.let_through(16, "large, and read", &short);
        let hint = json!({ "sql": "DELETE FROM users", "readOnlyHint": true });
        self.blocked(26, "a hint among the arguments", &hint, sql);
    }

    fn tables(&mut self) {
        for text in [
            "SELECT * FROM salaries",
            "SELECT * FROM users, salaries",
            "SELECT * FROM (SELECT * FROM salaries) x",
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM hr.\"salaries\")",
        ] {
            self.blocked(19, text, &json!({ "sql": text }), "two-tables");
        }
        self.let_through(19, "a listed table", &json!({ "sql": "SELECT * FROM Employees" }));
    }

    /// P17: a pattern of one's own runs in linear time, and one that is too large does not load.
    fn own_rules(&mut self) {
        let many = "a".repeat(100_000);
        self.blocked(17, "what it is for", &json!({ "text": many }), "no-many");
        self.let_through(17, "the worst text", &json!({ "text": format!("{many}!") }));
        let slow = PACK.replace("^(a+)+$", "(?:a{1000}){1000}");
        let large = format!("{PACK}# {}", "x".repeat(10_000_000));
        for (case, text, why) in
            [("a program of 10 MB", slow, "size"), ("a file of 10 MB", large, "bytes")]
        {
            let outcome = (|| {
                let file = self.packs.path().join("wrong.yaml");
                std::fs::write(&file, text)?;
                let file = file.to_str().context("a path")?;
                let (code, said) = self.room.gateway.command(&["guard", "rules", "test", file])?;
                ensure!(code == 1 && said.contains(why), "{code}: {said}");
                Ok(())
            })();
            self.rows.row(17, case, outcome);
        }
    }

    /// P18: what was read before bears on what may be done now, whatever the session or connection.
    fn flow(&mut self) {
        for (case, public, blocked) in [
            ("after what anyone may write", Some("echo"), true),
            ("after another tool", Some("any"), false),
            ("first of all", None, false),
        ] {
            let outcome = self.private_after(case, public, blocked);
            match blocked {
                true => self.rows.row(18, case, outcome),
                false => self.rows.twin(18, case, outcome),
            }
        }
    }

    fn private_after(&self, who: &str, first: Option<&str>, blocked: bool) -> anyhow::Result<()> {
        let token = |connection| {
            let mut claims = self.room.issuer.claims(&self.room.gateway.url(connection));
            claims["sub"] = who.into();
            self.room.issuer.token("rsa", &claims)
        };
        if let Some(tool) = first {
            let main = self.room.gateway.caller("main", Some(&token("main")?));
            let reply = main.send(&main.call(tool, json!({ "text": "x" })))?;
            ensure!(reply.json()?["result"]["isError"] != true, "{}", reply.text());
        }
        self.two.take_all();
        let two = self.room.gateway.caller("two", Some(&token("two")?));
        let text = two.send(&two.call("any", json!({})))?.text();
        ensure!(text.contains("no-flow") == blocked, "{text}");
        ensure!(self.two.take_seen().is_empty() == blocked, "forwarded or not: {text}");
        Ok(())
    }
}
