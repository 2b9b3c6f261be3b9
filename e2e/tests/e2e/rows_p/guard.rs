//! Rows about the command guard: what arguments would do, on a connection labelled `env: prod` with the
//! starter policies. P17 and P20 are about rules at load and stand in the rules room; P18 is not built.

use anyhow::ensure;
use lockgate_e2e::mcp::Caller;
use lockgate_rules::policy::guard_starter;
use serde_json::{Value, json};

use super::Class;

/// The starter policies, and a list of the tables that this connection may touch.
pub(super) fn policies() -> String {
    let tables = "
@id(\"two-tables\")
forbid (principal, action in Action::\"call_tool\", resource == Connection::\"two\")
unless { [\"employees\", \"users\", \"t\", \"notes\"].containsAll(context.tables) };
";
    guard_starter(None) + tables
}

impl Class {
    pub(super) fn guard(&mut self) {
        self.sql();
        self.shell();
        self.encodings();
        self.tables();
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
}
