//! What browsers send, what proxies add, and what media a body may have.

use anyhow::ensure;
use lockgate_e2e::wire::{Request, exchange, expect_status};
use lockgate_model::Reason;

use super::Class;

impl Class {
    pub(super) fn browsers(&mut self) {
        let origin = &[Reason::OriginForeign];
        for value in
            ["https://evil.example", "null", "https://ide.example.evil", "http://ide.example"]
        {
            let request = self.call().header("Origin", value);
            self.refused(21, value, &request.bytes(), 403, origin);
        }
        let request = self.call().header("Origin", "https://ide.example");
        self.twin(21, "a listed origin", &request.bytes());
        let path = self.call().target;
        for (origin, listed) in [("https://evil.example", false), ("https://ide.example", true)] {
            let preflight = Request::new("OPTIONS", &path, "")
                .header("Host", &self.room.gateway.address.to_string())
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "authorization,content-type");
            let outcome = (|| {
                let reply = exchange(self.room.gateway.address, &preflight.bytes())?;
                let allowed = reply.header("access-control-allow-origin").is_some();
                ensure!(allowed == listed, "{}: {:?}", reply.status, reply.headers);
                self.room.nothing_forwarded()
            })();
            if listed {
                self.rows.twin(23, origin, outcome);
            } else {
                self.rows.row(23, origin, outcome);
            }
        }
    }

    pub(super) fn identity_headers(&mut self) {
        let dressed = self
            .call()
            .header("X-Forwarded-For", "6.6.6.6")
            .header("X-Forwarded-User", "root")
            .header("X-User", "root")
            .header("X-Gateway-Role", "admin")
            .header("Forwarded", "for=6.6.6.6")
            .header("X-Real-IP", "6.6.6.6")
            .header("Cookie", "a=b")
            .header("Proxy-Authorization", "Basic x");
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &dressed.bytes())?;
            expect_status(&reply, 200)?;
            let seen = self.room.upstream.take_seen();
            ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
            let head = format!("{:?}", seen[0].heard.headers);
            for word in ["6.6.6.6", "root", "admin", "a=b", "Basic x"] {
                ensure!(!head.contains(word), "{word} went through: {head}");
            }
            let ours = seen[0].heard.header("authorization").unwrap_or_default();
            ensure!(ours == lockgate_e2e::rig::CREDENTIAL, "upstream credential {ours:?}");
            let decision = self.room.one_decision(None)?;
            let peer = decision.intent.map(|intent| intent.peer).unwrap_or_default();
            ensure!(peer.starts_with("127.0.0.1"), "recorded peer {peer}");
            Ok(())
        })();
        self.rows.row(24, "identity headers", outcome);
    }

    pub(super) fn strange_headers(&mut self) {
        for value in ["Authorization, Mcp-Name", "mcp-method", "Content-Type, close"] {
            let request = self.call().header("Connection", value);
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                if reply.status == 400 {
                    return self.room.nothing_forwarded();
                }
                expect_status(&reply, 200)?;
                let seen = self.room.upstream.take_seen();
                ensure!(seen.len() == 1, "{} requests reached the upstream", seen.len());
                ensure!(seen[0].heard.header("mcp-name") == Some("echo"), "Mcp-Name was dropped");
                Ok(())
            })();
            self.rows.row(25, value, outcome);
        }
        for name in ["Mcp_Name", "X_User", "Mcp_Method", "Content_Length"] {
            let request = self.call().header(name, "delete_row");
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                ensure!(matches!(reply.status, 200 | 400), "status {}", reply.status);
                let seen = self.room.upstream.take_seen();
                let twin = name.to_ascii_lowercase();
                let through = seen.iter().any(|seen| seen.heard.header(&twin).is_some());
                ensure!(!through, "{name} went through");
                Ok(())
            })();
            self.rows.row(26, name, outcome);
        }
        for value in ["websocket", "h2c"] {
            let request = self.call().header("Connection", "Upgrade").header("Upgrade", value);
            let outcome = (|| {
                self.room.forget()?;
                let reply = exchange(self.room.gateway.address, &request.bytes())?;
                ensure!(matches!(reply.status, 200 | 400), "status {}", reply.status);
                let seen = self.room.upstream.take_seen();
                let through = seen.iter().any(|seen| seen.heard.header("upgrade").is_some());
                ensure!(!through, "the upgrade went through");
                Ok(())
            })();
            self.rows.row(27, value, outcome);
        }
    }

    pub(super) fn media_types(&mut self) {
        let media = &[Reason::MediaType];
        for coding in ["gzip", "br", "deflate", "zstd", "compress"] {
            let request = self.call().header("Content-Encoding", coding);
            self.refused(28, coding, &request.bytes(), 415, media);
        }
        let nested = self.call().header("Content-Encoding", "gzip, gzip");
        self.refused(29, "gzip, gzip", &nested.bytes(), 415, media);
        for kind in ["text/plain", "application/json; charset=utf-16", "application/jsonp", ""] {
            let request = self.call().with("Content-Type", kind);
            self.refused(30, kind, &request.bytes(), 415, media);
        }
        let none = self.call().without("Content-Type");
        self.refused(30, "none", &none.bytes(), 415, media);
        let two = self.call().header("Content-Type", "text/plain");
        let outcome = (|| {
            self.room.forget()?;
            let reply = exchange(self.room.gateway.address, &two.bytes())?;
            ensure!(matches!(reply.status, 400 | 415), "status {}", reply.status);
            self.room.nothing_forwarded()?;
            self.room.one_decision(Some(&[Reason::MediaType, Reason::HttpMalformed])).map(drop)
        })();
        self.rows.row(30, "two", outcome);
        for kind in ["Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
            self.twin(30, kind, &self.call().with("Content-Type", kind).bytes());
        }
        let expecting = self.call().header("Expect", "100-continue");
        self.twin(20, "Expect with a body", &expecting.bytes());
        self.twin(25, "keep-alive", &self.call().header("Connection", "keep-alive").bytes());
        for accept in ["text/html", "image/*", "application/xml"] {
            let request = self.call().with("Accept", accept);
            self.refused(31, accept, &request.bytes(), 406, &[Reason::NotAcceptable]);
        }
        for accept in ["*/*", "application/json;q=0.9, text/event-stream", "application/*, text/*"]
        {
            self.twin(31, accept, &self.call().with("Accept", accept).bytes());
        }
        let apart =
            self.call().with("Accept", "application/json").header("Accept", "text/event-stream");
        self.twin(31, "two lines", &apart.bytes());
    }
}
